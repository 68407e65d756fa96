/* SPDX-License-Identifier: Apache-2.0 */

/* Secrets: read once, at the start, and never shown. */

#include "resolver/tsig_keys.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pintle/base/crypto.h"
#include "pintle/base/file.h"

#define FILE_MAX_BYTES ((size_t)64 << 10)
/* Fewer cannot keep anything secret (RFC 8945, section 10, asks for as many as the hash has). */
#define SECRET_MIN_BYTES 16u
#define MODE_MASK        07777u

/* The keys with what they own. */
struct owned {
    struct pin_tsig_keys keys; /* first */
    struct pin_tsig_key items[];
};

static enum pin_err read_secret(
    const char *path, uint8_t **ret_secret, size_t *ret_bytes, struct pin_why *why)
{
    struct stat st;
    char *text = NULL;
    size_t bytes = 0;
    if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & S_IRWXO) != 0) {
        return pin_why_set(why, PIN_EDENIED,
            "%s has mode %04o: others than its owner and group "
            "must not have access (chmod o= it)",
            path, (unsigned)st.st_mode & MODE_MASK);
    }
    enum pin_err err = pin_file_read(path, FILE_MAX_BYTES, &text, &bytes, why);
    if (err != PIN_OK) {
        return err;
    }
    err = pin_base64_decode(text, bytes, ret_secret, ret_bytes);
    pin_crypto_wipe(text, bytes);
    free(text);
    if (err != PIN_OK) {
        return pin_why_set(why, err, "%s holds no base64", path);
    }
    if (*ret_bytes < SECRET_MIN_BYTES) {
        pin_crypto_wipe(*ret_secret, *ret_bytes);
        free(*ret_secret);
        return pin_why_set(why, PIN_EINVAL,
            "the secret in %s has %zu bytes, at least %u are needed", path, *ret_bytes,
            SECRET_MIN_BYTES);
    }
    return PIN_OK;
}

/* Adds a key, unless it has or gets a finding. */
static void add_key(struct owned *owned, const struct pin_config *config,
    const struct pin_config_tsig_key *from, struct pin_findings *findings)
{
    struct pin_tsig_key key = {.hash = (enum pin_hash)from->algorithm};
    struct pin_why why = {0};
    uint8_t *secret = NULL;
    if (from->name == NULL || from->secret_path == NULL
        || pin_name_parse(from->name, &key.name) != PIN_OK) {
        return; /* pin_config_check() tells */
    }
    if (read_secret(from->secret_path, &secret, &key.secret_bytes, &why) != PIN_OK) {
        pin_findings_add(
            findings, config->file, from->at, "tsigKeys \"%s\": %s", from->name, why.text);
        return;
    }
    key.secret = secret;
    owned->items[owned->keys.n++] = key;
}

struct pin_tsig_keys *pin_tsig_keys_load(
    const struct pin_config *config, struct pin_findings *findings)
{
    struct owned *owned = calloc(1, sizeof(*owned) + config->n_tsig_keys * sizeof(owned->items[0]));
    if (owned == NULL) {
        return NULL;
    }
    owned->keys.items = owned->items;
    for (size_t i = 0; i < config->n_tsig_keys; i++) {
        add_key(owned, config, &config->tsig_keys[i], findings);
    }
    return &owned->keys;
}

/* The secrets are this file's allocations. */
static void free_secret(const uint8_t *secret, size_t bytes)
{
    union {
        const uint8_t *kept;
        uint8_t *own;
    } u = {.kept = secret};
    pin_crypto_wipe(u.own, bytes);
    free(u.own);
}

void pin_tsig_keys_free(struct pin_tsig_keys *keys)
{
    if (keys == NULL) {
        return;
    }
    for (size_t i = 0; i < keys->n; i++) {
        free_secret(keys->items[i].secret, keys->items[i].secret_bytes);
    }
    free(keys); /* first member of what was allocated */
}
