/* SPDX-License-Identifier: Apache-2.0 */

/* GET to an address: the status of the answer decides. */

#include <stdio.h>
#include <stdlib.h>

#include "pintle/base/macros.h"

#include "http.h"
#include "probe.h"

struct run {
    struct pin_probe_run base;
    struct pin_probe_want want;
    struct pin_http_transfer *transfer;
};

static void cancel(struct pin_probe_run *run)
{
    struct run *self = container_of(run, struct run, base);
    pin_http_cancel(self->transfer);
    free(self);
}

/* "404, wanted 200-299,304". */
static void tell_status(const struct pin_check *check, int status, char *out, size_t out_bytes)
{
    int used = snprintf(out, out_bytes, "HTTP status %d, wanted ", status);
    for (uint8_t i = 0; i < check->n_status && used >= 0 && (size_t)used < out_bytes; i++) {
        const struct pin_check_status *range = &check->status[i];
        const char *comma = i == 0 ? "" : ",";
        used += range->low == range->high
                    ? snprintf(out + used, out_bytes - (size_t)used, "%s%u", comma, range->low)
                    : snprintf(out + used, out_bytes - (size_t)used, "%s%u-%u", comma, range->low,
                        range->high);
    }
}

static void on_body(void *arg, const char *data, size_t bytes)
{
    (void)arg;
    (void)data;
    (void)bytes;
}

static void on_done(void *arg, const struct pin_http_result *result)
{
    struct run *self = arg;
    struct pin_probe_want want = self->want;
    const struct pin_check *check = &want.spec->check;
    char text[160];
    const char *error = text;
    free(self);
    if (result->fault != PIN_HTTP_NONE) {
        error = result->message;
    } else if (pin_check_wants_status(check, result->status)) {
        error = NULL;
    } else {
        tell_status(check, result->status, text, sizeof(text));
    }
    want.done(want.arg, error);
}

enum pin_err pin_probe_http(struct pin_http *http, const struct pin_probe_want *want,
    struct pin_probe_run **ret_run, struct pin_why *why)
{
    const struct pin_check *check = &want->spec->check;
    char ip[PIN_IP_TEXT_MAX];
    char server[PIN_IP_TEXT_MAX + 32];
    char host[PIN_CHECK_TEXT_MAX + 1];
    bool is_tls = check->protocol == PIN_CHECK_HTTPS;
    bool is_v6 = want->spec->ip.family == 6;
    struct run *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "no memory for a probe");
    }
    *self = (struct run){.base = {.cancel = cancel}, .want = *want};
    (void)pin_ip_format(&want->spec->ip, ip);
    (void)snprintf(server, sizeof(server), "%s://%s%s%s:%u", is_tls ? "https" : "http",
        is_v6 ? "[" : "", ip, is_v6 ? "]" : "", want->spec->port);
    (void)snprintf(host, sizeof(host), "%s", check->host != NULL ? check->host : "");
    struct pin_target target = {.server = server,
        .server_name = is_tls && check->host != NULL ? host : NULL,
        .is_insecure = true};
    struct pin_http_request request = {.target = &target,
        .path = check->path,
        .accept = "*/*",
        .timeout_ms = (int64_t)check->timeout_s * 1000,
        .is_probe = true,
        .is_http2 = check->is_http2,
        .host = check->host,
        .on_body = on_body,
        .on_done = on_done,
        .arg = self};
    enum pin_err err = pin_http_start(http, &request, &self->transfer, why);
    if (err != PIN_OK) {
        free(self);
        return err;
    }
    *ret_run = &self->base;
    return PIN_OK;
}
