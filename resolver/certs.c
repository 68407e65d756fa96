/* SPDX-License-Identifier: Apache-2.0 */

/* Files of certificates and keys: notices that they changed, and has them read again. */

#include "resolver/certs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pintle/base/clock.h"
#include "pintle/base/log.h"

#include "resolver/filewatch.h"

/* Certificate and key are often written one after the other. */
#define SETTLE_MS 50
#define N_FILES   3 /* certificate, key, and who vouches for clients, which may be NULL */

struct cert {
    struct pin_tls *tls; /* NULL: the listener is plain */
    const struct pin_addrport *address;
    enum pin_tls_use use;
    const char *files[N_FILES];
    struct stat seen[N_FILES]; /* when they were read */
    struct pin_cert_status status;
};

struct pin_certs {
    struct cert *certs; /* by listener */
    size_t n_certs;
    struct pin_filewatch *watch;
};

/* --- reading ------------------------------------------------------------------------------- */

static void see(const struct cert *cert, struct stat ret_seen[N_FILES])
{
    for (size_t i = 0; i < N_FILES; i++) {
        memset(&ret_seen[i], 0, sizeof(ret_seen[i]));
        if (cert->files[i] != NULL) {
            (void)stat(cert->files[i], &ret_seen[i]); /* its reader tells that one is missing */
        }
    }
}

static bool has_changed(const struct cert *cert)
{
    struct stat now[N_FILES];
    see(cert, now);
    for (size_t i = 0; i < N_FILES; i++) {
        if (!pin_filewatch_is_same(&now[i], &cert->seen[i])) {
            return true;
        }
    }
    return false;
}

/* Makes or renews what the listener serves with. */
static enum pin_err read_cert(struct cert *cert, struct pin_why *why)
{
    const struct pin_tls_config config = {.certificate = cert->files[0],
        .key = cert->files[1],
        .client_ca = cert->files[2],
        .use = cert->use};
    see(cert, cert->seen); /* first: what changes while it is read is read again */
    enum pin_err err =
        cert->tls == NULL ? pin_tls_new(&config, &cert->tls, why) : pin_tls_reload(cert->tls, why);
    cert->status.is_up = err == PIN_OK;
    if (err == PIN_OK) {
        cert->status.n_loads++;
        cert->status.expires_s = pin_tls_expires_s(cert->tls);
    } else {
        cert->status.n_failures++;
    }
    return err;
}

static void load_admin(
    struct cert *cert, const struct pin_config *config, struct pin_findings *findings)
{
    const struct pin_config_admin_tls *tls = &config->admin_tls;
    struct pin_why why = {0};
    if (tls->certificate == NULL || tls->key == NULL) {
        return; /* plain, or it has its finding */
    }
    cert->address = &config->admin;
    cert->use = PIN_TLS_ADMIN;
    cert->files[0] = tls->certificate;
    cert->files[1] = tls->key;
    cert->files[2] = tls->client_ca;
    if (read_cert(cert, &why) != PIN_OK) {
        pin_findings_add(findings, config->file, (struct pin_at){0}, "admin.tls: %s", why.text);
    }
}

struct pin_certs *pin_certs_load(const struct pin_config *config, struct pin_findings *findings)
{
    struct pin_certs *certs = calloc(1, sizeof(*certs));
    if (certs == NULL) {
        return NULL;
    }
    certs->n_certs = config->n_listens + 1;
    certs->certs = calloc(certs->n_certs, sizeof(*certs->certs));
    if (certs->certs == NULL) {
        free(certs);
        return NULL;
    }
    for (size_t i = 0; i < config->n_listens; i++) {
        const struct pin_config_listen *listen = &config->listens[i];
        struct cert *cert = &certs->certs[i];
        struct pin_why why = {0};
        if (listen->tls_certificate == NULL || listen->tls_key == NULL) {
            continue; /* plain, or it has its finding */
        }
        cert->address = &listen->address;
        cert->use = listen->has_https ? PIN_TLS_HTTPS : PIN_TLS_DOT;
        cert->files[0] = listen->tls_certificate;
        cert->files[1] = listen->tls_key;
        if (read_cert(cert, &why) != PIN_OK) {
            pin_findings_add(findings, config->file, listen->at, "listen[%zu].%s: %s", i,
                listen->has_https ? "https" : "tls", why.text);
        }
    }
    load_admin(&certs->certs[config->n_listens], config, findings);
    return certs;
}

/* --- changes ------------------------------------------------------------------------------- */

/* Loud: reads one listener's files again. */
static void renew(struct cert *cert)
{
    char address[PIN_ADDRPORT_TEXT_MAX];
    char expires[PIN_CLOCK_TEXT_MAX];
    struct pin_why why = {0};
    (void)pin_addrport_format(cert->address, address);
    if (read_cert(cert, &why) != PIN_OK) {
        pin_log_error(
            "certs: listener %s: %s (the certificate read before is used on)", address, why.text);
        return;
    }
    pin_clock_format(cert->status.expires_s * 1000, expires);
    pin_log_info("certs: listener %s: new certificate, it expires %s", address, expires);
}

static void watch_directories(const struct pin_certs *self)
{
    for (size_t i = 0; i < self->n_certs * N_FILES; i++) {
        const struct cert *cert = &self->certs[i / N_FILES];
        if (cert->tls != NULL && cert->files[i % N_FILES] != NULL) {
            pin_filewatch_add(self->watch, cert->files[i % N_FILES]);
        }
    }
}

static void on_look(void *arg)
{
    struct pin_certs *self = arg;
    for (size_t i = 0; i < self->n_certs; i++) {
        if (self->certs[i].tls != NULL && has_changed(&self->certs[i])) {
            renew(&self->certs[i]);
        }
    }
    watch_directories(self);
}

void pin_certs_reload(struct pin_certs *certs)
{
    for (size_t i = 0; i < certs->n_certs; i++) {
        if (certs->certs[i].tls != NULL) {
            renew(&certs->certs[i]);
        }
    }
}

/* --- life ---------------------------------------------------------------------------------- */

static bool has_any(const struct pin_certs *certs)
{
    for (size_t i = 0; i < certs->n_certs; i++) {
        if (certs->certs[i].tls != NULL) {
            return true;
        }
    }
    return false;
}

enum pin_err pin_certs_watch(struct pin_certs *certs, struct pin_loop *loop,
    struct pin_dirwatch *dirwatch, struct pin_why *why)
{
    if (!has_any(certs)) {
        return PIN_OK;
    }
    const struct pin_filewatch_config config = {.loop = loop,
        .dirwatch = dirwatch,
        .name = "certs",
        .settle_ms = SETTLE_MS,
        .look = on_look,
        .arg = certs};
    certs->watch = pin_filewatch_new(&config);
    if (certs->watch == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "watches of certificates");
    }
    watch_directories(certs);
    return PIN_OK;
}

void pin_certs_free(struct pin_certs *certs)
{
    if (certs == NULL) {
        return;
    }
    pin_filewatch_free(certs->watch);
    for (size_t i = 0; i < certs->n_certs; i++) {
        pin_tls_free(certs->certs[i].tls);
    }
    free(certs->certs);
    free(certs);
}

size_t pin_certs_admin(const struct pin_certs *certs)
{
    return certs->n_certs - 1;
}

const struct pin_addrport *pin_certs_address(const struct pin_certs *certs, size_t listen_i)
{
    return certs->certs[listen_i].address;
}

struct pin_tls *pin_certs_tls(const struct pin_certs *certs, size_t listen_i)
{
    return certs->certs[listen_i].tls;
}

bool pin_certs_status(
    const struct pin_certs *certs, size_t listen_i, struct pin_cert_status *ret_status)
{
    const struct cert *cert = &certs->certs[listen_i];
    *ret_status = cert->status;
    return cert->tls != NULL;
}
