/* SPDX-License-Identifier: Apache-2.0 */

/* The kinds of providers, and who opens them. */

#include "pintle/sync/providers.h"

#include <string.h>

#include "pintle/base/secret.h"

#include "provider_powerdns.h"
#include "provider_rfc2136.h"
#include "provider_route53.h"
#include "provider_webhook.h"
#include "provider_zonefile.h"

enum pin_err pin_providers_open(const struct pin_provider_tools *tools,
    const struct pin_provider_settings *settings, struct pin_provider **ret_provider,
    struct pin_why *why)
{
    switch (settings->kind) {
    case PIN_PROVIDER_KIND_RFC2136:
        return pin_rfc2136_open(tools, &settings->rfc2136, ret_provider, why);
    case PIN_PROVIDER_KIND_POWERDNS:
        return pin_powerdns_open(tools, &settings->powerdns, ret_provider, why);
    case PIN_PROVIDER_KIND_ROUTE53:
        return pin_route53_open(tools, &settings->route53, ret_provider, why);
    case PIN_PROVIDER_KIND_WEBHOOK:
        return pin_webhook_open(tools, &settings->webhook, ret_provider, why);
    default:
        return pin_provider_zonefile_open(tools, &settings->zonefile, ret_provider, why);
    }
}

/* --- The key of the registry ---------------------------------------------------------------- */

/* base64url is base64 with two other letters. */
static void use_standard_letters(struct pin_secret *secret)
{
    for (size_t i = 0; i < secret->bytes; i++) {
        if (secret->data[i] == '-') {
            secret->data[i] = '+';
        } else if (secret->data[i] == '_') {
            secret->data[i] = '/';
        }
    }
}

enum pin_err pin_providers_read_key(
    const char *path, uint8_t ret_key[PIN_AES_KEY_BYTES], struct pin_why *why)
{
    struct pin_secret text = {0};
    struct pin_secret key = {0};
    enum pin_err err = pin_secret_read(path, &text, why);
    if (err != PIN_OK) {
        return err;
    }
    if (text.bytes == PIN_AES_KEY_BYTES) {
        key = text;
        text = (struct pin_secret){0};
    } else {
        use_standard_letters(&text);
        err = pin_base64_decode((const char *)text.data, text.bytes, &key.data, &key.bytes);
    }
    if (err == PIN_ENOMEM) {
        (void)pin_why_set(why, err, "the key in '%s'", path);
    } else if (err != PIN_OK || key.bytes != PIN_AES_KEY_BYTES) {
        err = pin_why_set(
            why, PIN_EPARSE, "'%s' holds no key: 32 bytes, or base64 of them, are wanted", path);
    } else {
        memcpy(ret_key, key.data, PIN_AES_KEY_BYTES);
    }
    pin_secret_done(&key);
    pin_secret_done(&text);
    return err;
}
