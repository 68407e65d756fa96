/* SPDX-License-Identifier: Apache-2.0 */

/* Secrets: read once, at the start, and never shown. */

#include "resolver/tsig_keys.h"

#include <stdlib.h>

#include "pintle/base/crypto.h"
#include "pintle/base/macros.h"
#include "pintle/base/secret.h"

/* Fewer cannot keep anything secret (RFC 8945, section 10, asks for as many as the hash has). */
#define SECRET_MIN_BYTES 16u

/* The keys with what they own. */
struct owned {
    struct pin_tsig_keys keys;  /* first */
    struct pin_secret *secrets; /* what the items point into */
    struct pin_tsig_key items[];
};

static enum pin_err read_secret(
    const char *path, struct pin_secret *ret_secret, struct pin_why *why)
{
    enum pin_err err = pin_secret_read_base64(path, ret_secret, why);
    if (err == PIN_OK && ret_secret->bytes < SECRET_MIN_BYTES) {
        err = pin_why_set(why, PIN_EINVAL, "the secret in %s has %zu bytes, at least %u are needed",
            path, ret_secret->bytes, SECRET_MIN_BYTES);
        pin_secret_done(ret_secret);
    }
    return err;
}

/* Adds a key, unless it has or gets a finding. */
static void add_key(struct owned *owned, const struct pin_config *config,
    const struct pin_config_tsig_key *from, struct pin_findings *findings)
{
    struct pin_tsig_key key = {.hash = (enum pin_hash)from->algorithm};
    struct pin_why why = {0};
    struct pin_secret secret = {0};
    if (from->name == NULL || from->secret_path == NULL
        || pin_name_parse(from->name, &key.name) != PIN_OK) {
        return; /* pin_config_check() tells */
    }
    if (read_secret(from->secret_path, &secret, &why) != PIN_OK) {
        pin_findings_add(
            findings, config->file, from->at, "tsigKeys \"%s\": %s", from->name, why.text);
        return;
    }
    key.secret = secret.data;
    key.secret_bytes = secret.bytes;
    owned->secrets[owned->keys.n] = secret;
    owned->items[owned->keys.n++] = key;
}

struct pin_tsig_keys *pin_tsig_keys_load(
    const struct pin_config *config, struct pin_findings *findings)
{
    struct owned *owned = calloc(1, sizeof(*owned) + config->n_tsig_keys * sizeof(owned->items[0]));
    if (owned == NULL) {
        return NULL;
    }
    owned->secrets = calloc(config->n_tsig_keys + 1, sizeof(*owned->secrets));
    if (owned->secrets == NULL) {
        free(owned);
        return NULL;
    }
    owned->keys.items = owned->items;
    for (size_t i = 0; i < config->n_tsig_keys; i++) {
        add_key(owned, config, &config->tsig_keys[i], findings);
    }
    return &owned->keys;
}

void pin_tsig_keys_free(struct pin_tsig_keys *keys)
{
    if (keys == NULL) {
        return;
    }
    struct owned *owned = container_of(keys, struct owned, keys);
    for (size_t i = 0; i < keys->n; i++) {
        pin_secret_done(&owned->secrets[i]);
    }
    free(owned->secrets);
    free(owned);
}
