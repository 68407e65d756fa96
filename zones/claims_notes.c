/* SPDX-License-Identifier: Apache-2.0 */

/* Annotations of external-dns. */

#include <string.h>
#include <strings.h>

#include "pintle/base/arena.h"
#include "pintle/base/macros.h"
#include "pintle/zones/claims.h"

#define CONTROLLER "dns-controller"
#define NS_PER_S   1000000000.0

/* --- TTL -------------------------------------------------------------------------------------- */

/* A decimal number at the front of a text; false: there is none. */
static bool read_number(const char **text, double *ret_number)
{
    const char *at = *text;
    double number = 0;
    double digit_is = 1;
    size_t n_digits = 0;
    for (; *at >= '0' && *at <= '9'; at++, n_digits++) {
        number = number * 10 + (*at - '0');
    }
    if (*at == '.') {
        for (at++; *at >= '0' && *at <= '9'; at++, n_digits++) {
            digit_is /= 10;
            number += digit_is * (*at - '0');
        }
    }
    *text = at;
    *ret_number = number;
    return n_digits > 0 && n_digits <= 18;
}

/* Seconds of a unit at the front of a text; 0: it is none. */
static double read_unit(const char **text)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {
        {"ns", 1 / NS_PER_S}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}};
    for (size_t i = 0; i < N_ELEMS(units); i++) {
        size_t bytes = strlen(units[i].name);
        if (strncmp(*text, units[i].name, bytes) == 0) {
            *text += bytes;
            return units[i].seconds;
        }
    }
    return 0;
}

uint32_t pin_claim_ttl(const char *text)
{
    double sum = 0;
    bool has_unit = false;
    do {
        double number = 0;
        if (!read_number(&text, &number)) {
            return 0;
        }
        if (*text == '\0' && !has_unit) {
            sum = number; /* plain seconds, and the end */
            break;
        }
        double unit = read_unit(&text);
        if (unit <= 0) {
            return 0;
        }
        has_unit = true;
        sum += number * unit;
    } while (*text != '\0');
    return sum >= 1 && sum <= INT32_MAX ? (uint32_t)sum : 0;
}

/* --- Annotations ------------------------------------------------------------------------------ */

static bool put_property(struct pin_arena *arena, struct pin_claim_notes *notes, const char *family,
    const char *name, const char *value)
{
    size_t bytes = strlen(family) + strlen(name) + 1;
    char *whole = pin_arena_alloc(arena, bytes);
    if (whole == NULL) {
        return false;
    }
    memcpy(whole, family, strlen(family));
    memcpy(whole + strlen(family), name, strlen(name));
    size_t i = 0;
    while (i < notes->n_properties && strcmp(notes->properties[i].name, whole) != 0) {
        i++;
    }
    notes->properties[i] = (struct pin_recordset_property){whole, value};
    notes->n_properties += i == notes->n_properties;
    return true;
}

/* What a provider has to know: "aws-weight" is its property "aws/weight". */
static bool read_property(
    struct pin_arena *arena, struct pin_claim_notes *notes, const char *key, const char *value)
{
    static const char *const families[][2] = {{"aws-", "aws/"}, {"scw-", "scw/"},
        {"webhook-", "webhook/"}, {"coredns-", "coredns/"},
        {"cloudflare-", PIN_CLAIM_PREFIX_OLD "cloudflare-"}};
    if (strcmp(key, "alias") == 0) {
        return strcmp(value, "true") != 0 || put_property(arena, notes, "", "alias", value);
    }
    for (size_t i = 0; i < N_ELEMS(families); i++) {
        size_t bytes = strlen(families[i][0]);
        if (strncmp(key, families[i][0], bytes) == 0) {
            return put_property(arena, notes, families[i][1], key + bytes, value);
        }
    }
    return true;
}

static enum pin_claim_hostnames read_source(const char *value)
{
    if (strcasecmp(value, "annotation-only") == 0) {
        return PIN_CLAIM_HOSTNAMES_ANNOTATION;
    }
    return strcasecmp(value, "defined-hosts-only") == 0 ? PIN_CLAIM_HOSTNAMES_DEFINED
                                                        : PIN_CLAIM_HOSTNAMES_NONE;
}

static bool read_note(
    struct pin_arena *arena, struct pin_claim_notes *notes, const char *key, const char *value)
{
    if (strcmp(key, "hostname") == 0) {
        notes->hostnames = value;
    } else if (strcmp(key, "internal-hostname") == 0) {
        notes->internal_hostnames = value;
    } else if (strcmp(key, "target") == 0) {
        notes->targets = value;
    } else if (strcmp(key, "set-identifier") == 0) {
        notes->set_id = value;
    } else if (strcmp(key, "ttl") == 0) {
        notes->ttl_s = pin_claim_ttl(value);
    } else if (strcmp(key, "controller") == 0) {
        notes->is_foreign = strcmp(value, CONTROLLER) != 0;
    } else if (strcmp(key, "ingress-hostname-source") == 0
               || strcmp(key, "gateway-hostname-source") == 0) {
        notes->source = read_source(value);
    } else {
        return read_property(arena, notes, key, value);
    }
    return true;
}

bool pin_claim_notes_read(struct pin_arena *arena, const struct pin_claim_annotation *annotations,
    size_t n_annotations, struct pin_claim_notes *ret_notes)
{
    static const char *const prefixes[] = {
        PIN_CLAIM_PREFIX_OLD, PIN_CLAIM_PREFIX}; /* the last one counts */
    struct pin_claim_notes notes = {0};
    notes.properties = pin_arena_alloc(arena, (n_annotations + 1) * sizeof(*notes.properties));
    if (notes.properties == NULL) {
        return false;
    }
    for (size_t i = 0; i < N_ELEMS(prefixes); i++) {
        size_t bytes = strlen(prefixes[i]);
        for (size_t k = 0; k < n_annotations; k++) {
            const char *key = annotations[k].key;
            if (strncmp(key, prefixes[i], bytes) == 0
                && !read_note(arena, &notes, key + bytes, annotations[k].value)) {
                return false;
            }
        }
    }
    *ret_notes = notes;
    return true;
}
