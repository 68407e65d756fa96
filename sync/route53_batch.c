/* SPDX-License-Identifier: Apache-2.0 */

/* Telling Route 53: changes as XML, wanted sets as it would list them. */

#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"
#include "pintle/base/xml.h"

#include "route53_text.h"

#define NAMESPACE             "https://route53.amazonaws.com/doc/2013-04-01/"
#define RECORD_WEIGHT         32u
#define WEIGHT_MAX            255L
#define ADJUST_PROPERTIES_MAX 24u

/* --- Texts ---------------------------------------------------------------------------------- */

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* Escapes made octal; those of a quote and of a backslash stay in strings. What has no place in a
 * name is escaped where `is_name`. */
static void put_octal(struct pin_text *out, const char *text, bool is_name)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.*";
    for (; *text != '\0'; text++) {
        if (text[0] == '\\' && is_digit(text[1]) && is_digit(text[2]) && is_digit(text[3])) {
            unsigned value = (unsigned)(text[1] - '0') * 100U + (unsigned)(text[2] - '0') * 10U
                             + (unsigned)(text[3] - '0');
            pin_text_putf(out, "\\%03o", value & 0xFFU);
            text += 3;
        } else if (text[0] == '\\' && text[1] != '\0') {
            text++;
            bool is_plain = !is_name && (text[0] == '"' || text[0] == '\\');
            pin_text_putf(out, is_plain ? "\\%c" : "\\%03o", (unsigned char)text[0]);
        } else if (is_name && strchr(plain, text[0]) == NULL) {
            pin_text_putf(out, "\\%03o", (unsigned char)text[0]);
        } else {
            pin_text_putc(out, text[0]);
        }
    }
}

static void put_octal_element(
    struct pin_text *out, const char *element, const char *text, bool is_name)
{
    struct pin_text octal = {0};
    put_octal(&octal, text, is_name);
    out->failed |= octal.failed;
    pin_xml_put_element(out, element, pin_text_get(&octal));
    pin_text_done(&octal);
}

/* --- Properties ----------------------------------------------------------------------------- */

static bool is_property(const struct pin_recordset *set, const char *name, const char *value)
{
    const char *seen = pin_recordset_property(set, name);
    return seen != NULL && strcmp(seen, value) == 0;
}

static void put_property(
    struct pin_text *out, const struct pin_recordset *set, const char *name, const char *element)
{
    const char *value = pin_recordset_property(set, name);
    if (value != NULL) {
        pin_xml_put_element(out, element, value);
    }
}

static void put_geolocation(struct pin_text *out, const struct pin_recordset *set)
{
    static const char *const names[][2] = {{"aws/geolocation-continent-code", "ContinentCode"},
        {"aws/geolocation-country-code", "CountryCode"},
        {"aws/geolocation-subdivision-code", "SubdivisionCode"}};
    struct pin_text inner = {0};
    for (size_t i = 0; i < N_ELEMS(names); i++) {
        put_property(&inner, set, names[i][0], names[i][1]);
    }
    if (inner.len > 0) {
        pin_text_putf(out, "<GeoLocation>%s</GeoLocation>", inner.ptr);
    }
    out->failed |= inner.failed;
    pin_text_done(&inner);
}

static void put_geoproximity(struct pin_text *out, const struct pin_recordset *set)
{
    struct pin_text inner = {0};
    const char *place = pin_recordset_property(set, "aws/geoproximity-coordinates");
    put_property(&inner, set, "aws/geoproximity-region", "AWSRegion");
    put_property(&inner, set, "aws/geoproximity-local-zone-group", "LocalZoneGroup");
    if (place != NULL) {
        size_t bytes = strcspn(place, ",");
        struct pin_text latitude = {0};
        pin_text_putn(&latitude, place, bytes);
        pin_text_puts(&inner, "<Coordinates>");
        pin_xml_put_element(&inner, "Latitude", pin_text_get(&latitude));
        pin_xml_put_element(&inner, "Longitude", place + bytes + (place[bytes] == ',' ? 1 : 0));
        pin_text_puts(&inner, "</Coordinates>");
        inner.failed |= latitude.failed;
        pin_text_done(&latitude);
    }
    put_property(&inner, set, "aws/geoproximity-bias", "Bias");
    if (inner.len > 0) {
        pin_text_putf(out, "<GeoProximityLocation>%s</GeoProximityLocation>", inner.ptr);
    }
    out->failed |= inner.failed;
    pin_text_done(&inner);
}

/* Whether all that is said of a set can be told. */
static enum pin_err check_set(const struct pin_recordset *set, struct pin_why *why)
{
    static const char *const known[] = {"alias", "aws/evaluate-target-health", "aws/failover",
        "aws/geolocation-continent-code", "aws/geolocation-country-code",
        "aws/geolocation-subdivision-code", "aws/geoproximity-bias", "aws/geoproximity-coordinates",
        "aws/geoproximity-local-zone-group", "aws/geoproximity-region", "aws/health-check-id",
        "aws/multi-value-answer", "aws/region", "aws/target-hosted-zone", "aws/weight"};
    const char *weight = pin_recordset_property(set, "aws/weight");
    for (size_t i = 0; i < set->n_properties; i++) {
        if (!pin_recordset_has_text(known, N_ELEMS(known), set->properties[i].name)) {
            return pin_why_set(why, PIN_EINVAL, "%s: Route 53 has no property '%.100s'", set->name,
                set->properties[i].name);
        }
    }
    if (weight != NULL) {
        char *end = NULL;
        long value = strtol(weight, &end, 10);
        if (!is_digit(weight[0]) || *end != '\0' || value > WEIGHT_MAX) {
            return pin_why_set(
                why, PIN_EINVAL, "%s: '%.100s' is no weight of 0 to 255", set->name, weight);
        }
    }
    return PIN_OK;
}

/* --- Sets and changes ----------------------------------------------------------------------- */

static enum pin_err put_alias(struct pin_text *out, const struct pin_recordset *set,
    const struct pin_route53_zone *zone, struct pin_why *why)
{
    const char *target_zone = pin_recordset_property(set, "aws/target-hosted-zone");
    if (set->n_values != 1) {
        return pin_why_set(why, PIN_EINVAL, "%s: an alias has one target", set->name);
    }
    if (target_zone == NULL && pin_provider_is_in_zone(set->values[0].text, zone->name)) {
        target_zone = zone->id;
    }
    if (target_zone == NULL) {
        return pin_why_set(why, PIN_EINVAL,
            "%s: an alias of another zone's name needs aws/target-hosted-zone", set->name);
    }
    pin_text_puts(out, "<AliasTarget>");
    pin_xml_put_element(out, "HostedZoneId", target_zone);
    put_octal_element(out, "DNSName", set->values[0].text, true);
    pin_xml_put_element(out, "EvaluateTargetHealth",
        is_property(set, "aws/evaluate-target-health", "false") ? "false" : "true");
    pin_text_puts(out, "</AliasTarget>");
    return PIN_OK;
}

static void put_records(struct pin_text *out, const struct pin_recordset *set)
{
    pin_text_putf(out, "<TTL>%u</TTL><ResourceRecords>",
        set->ttl_s == 0 ? (unsigned)PIN_ROUTE53_TTL_S : set->ttl_s);
    for (size_t i = 0; i < set->n_values; i++) {
        pin_text_puts(out, "<ResourceRecord>");
        put_octal_element(out, "Value", set->values[i].text, false);
        pin_text_puts(out, "</ResourceRecord>");
    }
    pin_text_puts(out, "</ResourceRecords>");
}

static enum pin_err put_set(struct pin_text *out, const struct pin_recordset *set,
    const struct pin_route53_zone *zone, struct pin_why *why)
{
    enum pin_err err = check_set(set, why);
    pin_text_puts(out, "<ResourceRecordSet>");
    put_octal_element(out, "Name", set->name, true);
    pin_xml_put_element(out, "Type", set->type);
    if (set->set_id[0] != '\0') {
        pin_xml_put_element(out, "SetIdentifier", set->set_id);
    }
    put_property(out, set, "aws/weight", "Weight");
    put_property(out, set, "aws/region", "Region");
    put_geolocation(out, set);
    put_property(out, set, "aws/failover", "Failover");
    if (pin_recordset_property(set, "aws/multi-value-answer") != NULL) {
        pin_xml_put_element(out, "MultiValueAnswer", "true");
    }
    if (is_property(set, "alias", "true")) {
        err = err == PIN_OK ? put_alias(out, set, zone, why) : err;
    } else {
        put_records(out, set);
    }
    put_property(out, set, "aws/health-check-id", "HealthCheckId");
    put_geoproximity(out, set);
    pin_text_puts(out, "</ResourceRecordSet>");
    return err;
}

/* What was goes by its exact values, what is new must not be there. */
static enum pin_err put_edit(struct pin_text *out, const struct pin_provider_edit *edit,
    const struct pin_route53_zone *zone, struct pin_why *why)
{
    const struct pin_recordset *set = edit->will != NULL ? edit->will : edit->was;
    pin_text_puts(out, "<Change>");
    pin_xml_put_element(out, "Action",
        edit->will == NULL  ? "DELETE"
        : edit->was == NULL ? "CREATE"
                            : "UPSERT");
    enum pin_err err = put_set(out, set, zone, why);
    pin_text_puts(out, "</Change>");
    return err;
}

enum pin_err pin_route53_put_batch(struct pin_text *out, const struct pin_route53_zone *zone,
    const struct pin_provider_change *changes, size_t n_changes, struct pin_why *why)
{
    enum pin_err err = PIN_OK;
    pin_text_puts(out,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
        "<ChangeResourceRecordSetsRequest xmlns=\"" NAMESPACE "\"><ChangeBatch><Changes>");
    for (size_t i = 0; i < n_changes && err == PIN_OK; i++) {
        for (size_t k = 0; k < changes[i].n_edits && err == PIN_OK; k++) {
            err = put_edit(out, &changes[i].edits[k], zone, why);
        }
    }
    pin_text_puts(out, "</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>");
    return err == PIN_OK && out->failed ? pin_why_set(why, PIN_ENOMEM, "a batch") : err;
}

size_t pin_route53_weight(const struct pin_provider_change *change)
{
    size_t weight = 0;
    for (size_t i = 0; i < change->n_edits; i++) {
        const struct pin_provider_edit *edit = &change->edits[i];
        const struct pin_recordset *set = edit->will != NULL ? edit->will : edit->was;
        size_t times = edit->will != NULL && edit->was != NULL ? 2 : 1; /* an UPSERT counts twice */
        for (size_t k = 0; k < set->n_values; k++) {
            weight += times * PIN_MAX(strlen(set->values[k].text), RECORD_WEIGHT);
        }
    }
    return weight;
}

/* --- Wanted sets ---------------------------------------------------------------------------- */

/* Of an alias only, and all that an alias needs is said. */
static size_t adjust_properties(const struct pin_recordset *set,
    const struct pin_route53_zone *zone, struct pin_recordset_property *ret_properties)
{
    bool is_alias = is_property(set, "alias", "true");
    size_t n = 0;
    for (size_t i = 0; i < set->n_properties; i++) {
        struct pin_recordset_property one = set->properties[i];
        bool is_for_alias = strcmp(one.name, "aws/evaluate-target-health") == 0
                            || strcmp(one.name, "aws/target-hosted-zone") == 0
                            || strcmp(one.name, "alias") == 0;
        if (strcmp(one.name, "aws/multi-value-answer") == 0) {
            one.value = "true";
        }
        if (is_alias || !is_for_alias) {
            ret_properties[n++] = one;
        }
    }
    if (is_alias && pin_recordset_property(set, "aws/evaluate-target-health") == NULL) {
        ret_properties[n++] = (struct pin_recordset_property){"aws/evaluate-target-health", "true"};
    }
    if (is_alias && pin_recordset_property(set, "aws/target-hosted-zone") == NULL
        && set->n_values == 1 && pin_provider_is_in_zone(set->values[0].text, zone->name)) {
        ret_properties[n++] = (struct pin_recordset_property){"aws/target-hosted-zone", zone->id};
    }
    return n;
}

enum pin_err pin_route53_adjust(const struct pin_recordset *set,
    const struct pin_route53_zone *zone, struct pin_provider_sets *sets, struct pin_why *why)
{
    struct pin_recordset_property properties[ADJUST_PROPERTIES_MAX];
    bool is_alias = is_property(set, "alias", "true");
    bool is_both = is_alias && strcmp(set->type, "CNAME") == 0;
    const char **values = pin_arena_alloc(sets->arena, (set->n_values + 1) * sizeof(*values));
    if (values == NULL || set->n_properties + 2 > N_ELEMS(properties)) {
        return pin_why_set(why, PIN_ELIMIT, "%s: too many properties", set->name);
    }
    for (size_t i = 0; i < set->n_values; i++) {
        values[i] = set->values[i].text;
    }
    struct pin_provider_set adjusted = {.name = set->name,
        .type = is_both ? "A" : set->type,
        .set_id = set->set_id,
        .ttl_s = is_alias ? 0 : set->ttl_s,
        .values = values,
        .n_values = set->n_values,
        .properties = properties,
        .n_properties = adjust_properties(set, zone, properties)};
    enum pin_err err = pin_provider_sets_add(sets, &adjusted, why);
    if (err == PIN_OK && is_both) {
        adjusted.type = "AAAA";
        err = pin_provider_sets_add(sets, &adjusted, why);
    }
    return err;
}
