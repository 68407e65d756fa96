/* SPDX-License-Identifier: Apache-2.0 */

/* Programs of the configuration as probes. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/macros.h"
#include "pintle/sync/prober.h"

#include "command.h"
#include "probe.h"

#define ARGS_MAX      32u
#define ARG_BYTES_MAX 512u

struct run {
    struct pin_probe_run base;
    struct pin_probe_want want;
    struct pin_command *command;
};

static void cancel(struct pin_probe_run *run)
{
    struct run *self = container_of(run, struct run, base);
    pin_command_cancel(self->command);
    free(self);
}

static const char *tell(
    const struct run *self, const struct pin_command_result *result, char *out, size_t out_bytes)
{
    const struct pin_check *check = &self->want.spec->check;
    switch (result->end) {
    case PIN_COMMAND_LATE:
        (void)snprintf(
            out, out_bytes, "command '%s' took longer than %u s", check->command, check->timeout_s);
        return out;
    case PIN_COMMAND_SIGNALED:
        (void)snprintf(
            out, out_bytes, "command '%s' ended by signal %d", check->command, result->code);
        return out;
    default:
        break;
    }
    if (result->code == 0) {
        return NULL;
    }
    (void)snprintf(out, out_bytes, "command '%s' ended with %d", check->command, result->code);
    return out;
}

static void on_done(void *arg, const struct pin_command_result *result)
{
    struct run *self = arg;
    char text[PIN_CHECK_TEXT_MAX + 64];
    struct pin_probe_want want = self->want;
    const char *error = tell(self, result, text, sizeof(text));
    free(self);
    want.done(want.arg, error);
}

/* --- the program's arguments and surroundings --------------------------------------------------
 */

struct line {
    char *argv[ARGS_MAX + 2];
    char args[ARGS_MAX + 2][ARG_BYTES_MAX];
    size_t n;
    char address[PIN_IP_TEXT_MAX];
    char port[8];
};

/* Puts `with` in the place of the first `what`. False when it is not there. */
static bool replace(char *text, const char *what, const char *with)
{
    char *at = strstr(text, what);
    if (at == NULL) {
        return false;
    }
    char tail[ARG_BYTES_MAX];
    (void)snprintf(tail, sizeof(tail), "%s", at + strlen(what));
    (void)snprintf(at, ARG_BYTES_MAX - (size_t)(at - text), "%s%s", with, tail);
    return true;
}

static void make_line(
    const struct pin_prober_command *command, const struct pin_probe_spec *spec, struct line *ret)
{
    bool has_place = false;
    (void)pin_ip_format(&spec->ip, ret->address);
    (void)snprintf(ret->port, sizeof(ret->port), "%u", spec->port);
    for (ret->n = 0; ret->n < command->n_argv && ret->n < ARGS_MAX; ret->n++) {
        char *arg = ret->args[ret->n];
        (void)snprintf(arg, ARG_BYTES_MAX, "%s", command->argv[ret->n]);
        has_place = replace(arg, "{address}", ret->address) || has_place;
        has_place = replace(arg, "{port}", ret->port) || has_place;
        ret->argv[ret->n] = arg;
    }
    if (!has_place) {
        ret->argv[ret->n++] = ret->address;
    }
    ret->argv[ret->n] = NULL;
}

static enum pin_err begin(
    struct pin_commands *commands, struct run *self, struct line *line, struct pin_why *why)
{
    char address[PIN_IP_TEXT_MAX + 32];
    char port[32];
    char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    char *env[] = {path, address, port, NULL};
    (void)snprintf(address, sizeof(address), "PINTLE_ADDRESS=%s", line->address);
    (void)snprintf(port, sizeof(port), "PINTLE_PORT=%s", line->port);
    struct pin_command_spec spec = {
        .argv = line->argv,
        .env = env,
        .timeout_ms = (int64_t)self->want.spec->check.timeout_s * 1000,
        .done = on_done,
        .arg = self,
    };
    return pin_command_start(commands, &spec, &self->command, why);
}

enum pin_err pin_probe_command(struct pin_commands *commands,
    const struct pin_prober_command *command, const struct pin_probe_want *want,
    struct pin_probe_run **ret_run, struct pin_why *why)
{
    struct line *line = calloc(1, sizeof(*line));
    struct run *self = calloc(1, sizeof(*self));
    if (self == NULL || line == NULL) {
        free(self);
        free(line);
        return pin_why_set(why, PIN_ENOMEM, "no memory for a probe");
    }
    *self = (struct run){.base = {.cancel = cancel}, .want = *want};
    make_line(command, want->spec, line);
    enum pin_err err = begin(commands, self, line, why);
    free(line);
    if (err != PIN_OK) {
        free(self);
        return err;
    }
    *ret_run = &self->base;
    return PIN_OK;
}
