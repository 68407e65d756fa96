/* SPDX-License-Identifier: Apache-2.0 */

/* Reading Route 53's answers: zones, pages of record sets, errors. */

#include "route53_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"
#include "pintle/base/tree.h"
#include "pintle/base/xml.h"

#define PROPERTIES_MAX 16u
#define TTL_MAX_S      ((long long)INT32_MAX)

/* --- Texts ---------------------------------------------------------------------------------- */

static bool is_octal(char byte)
{
    return byte >= '0' && byte <= '7';
}

/* With octal escapes made decimal, in the arena; NULL: no memory. */
static const char *to_decimal(struct pin_arena *arena, const char *text)
{
    struct pin_text out = {0};
    for (; *text != '\0'; text++) {
        if (text[0] == '\\' && is_octal(text[1]) && is_octal(text[2]) && is_octal(text[3])) {
            unsigned value = (unsigned)(text[1] - '0') * 64U + (unsigned)(text[2] - '0') * 8U
                             + (unsigned)(text[3] - '0');
            pin_text_putf(&out, "\\%03u", value & 0xFFU);
            text += 3;
        } else if (text[0] == '\\' && text[1] != '\0') {
            pin_text_putn(&out, text, 2);
            text++;
        } else {
            pin_text_putc(&out, text[0]);
        }
    }
    const char *copy = out.failed ? NULL : pin_arena_strdup(arena, pin_text_get(&out));
    pin_text_done(&out);
    return copy;
}

static bool copy_id(const char *id, char ret_id[PIN_ROUTE53_ID_MAX])
{
    static const char prefix[] = "/hostedzone/";
    id += strncmp(id, prefix, strlen(prefix)) == 0 ? strlen(prefix) : 0;
    size_t len = strlen(id);
    if (len == 0 || len >= PIN_ROUTE53_ID_MAX
        || strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") != len) {
        return false;
    }
    memcpy(ret_id, id, len + 1);
    return true;
}

/* --- Sets ----------------------------------------------------------------------------------- */

/* A set that is being read. */
struct reading {
    struct pin_arena *arena;
    struct pin_recordset_property properties[PROPERTIES_MAX];
    size_t n;
};

static void keep(struct reading *self, const char *name, const char *value)
{
    if (value != NULL && self->n < PROPERTIES_MAX) {
        self->properties[self->n++] = (struct pin_recordset_property){name, value};
    }
}

/* Where an element of the set goes. */
static const struct {
    const char *path;
    const char *property;
} simple[] = {
    {"Weight", "aws/weight"},
    {"Region", "aws/region"},
    {"Failover", "aws/failover"},
    {"GeoLocation.ContinentCode", "aws/geolocation-continent-code"},
    {"GeoLocation.CountryCode", "aws/geolocation-country-code"},
    {"GeoLocation.SubdivisionCode", "aws/geolocation-subdivision-code"},
    {"GeoProximityLocation.AWSRegion", "aws/geoproximity-region"},
    {"GeoProximityLocation.Bias", "aws/geoproximity-bias"},
    {"GeoProximityLocation.LocalZoneGroup", "aws/geoproximity-local-zone-group"},
    {"HealthCheckId", "aws/health-check-id"},
    {"TrafficPolicyInstanceId", "aws/traffic-policy-instance-id"},
    {"CidrRoutingConfig.CollectionId", "aws/cidr-collection-id"},
    {"CidrRoutingConfig.LocationName", "aws/cidr-location-name"},
    {"AliasTarget.HostedZoneId", "aws/target-hosted-zone"},
    {"AliasTarget.EvaluateTargetHealth", "aws/evaluate-target-health"},
};

/* False: memory is out. */
static bool read_properties(struct reading *self, const struct pin_tree *tree)
{
    const struct pin_tree *place = pin_tree_map(tree, "GeoProximityLocation.Coordinates");
    for (size_t i = 0; i < N_ELEMS(simple); i++) {
        keep(self, simple[i].property, pin_tree_string(tree, simple[i].path, NULL));
    }
    if (strcmp(pin_tree_string(tree, "MultiValueAnswer", ""), "true") == 0) {
        keep(self, "aws/multi-value-answer", "true");
    }
    if (pin_tree_map(tree, "AliasTarget") != NULL) {
        keep(self, "alias", "true");
    }
    if (place != NULL) {
        struct pin_text text = {0};
        pin_text_putf(&text, "%s,%s", pin_tree_string(place, "Latitude", ""),
            pin_tree_string(place, "Longitude", ""));
        char *copy = text.failed ? NULL : pin_arena_strdup(self->arena, text.ptr);
        pin_text_done(&text);
        if (copy == NULL) {
            return false;
        }
        keep(self, "aws/geoproximity-coordinates", copy);
    }
    return true;
}

/* The values, in the arena; NULL: no memory. The one of an alias is its target. */
static const char **read_values(struct pin_arena *arena, const struct pin_tree *tree, size_t *ret_n)
{
    const struct pin_tree *records = pin_tree_map(tree, "ResourceRecords");
    const struct pin_tree *alias = pin_tree_map(tree, "AliasTarget");
    const char **values =
        pin_arena_alloc(arena, (1 + (records == NULL ? 0 : records->n_children)) * sizeof(*values));
    char name[PIN_RECORDSET_NAME_MAX];
    size_t n = 0;
    if (values == NULL) {
        return NULL;
    }
    PIN_TREE_EACH(record, alias == NULL ? records : NULL)
    {
        values[n] = to_decimal(arena, pin_tree_string(record, "Value", ""));
        if (values[n++] == NULL) {
            return NULL;
        }
    }
    if (alias != NULL) {
        values[n] = to_decimal(arena, pin_tree_string(alias, "DNSName", ""));
        if (values[n] != NULL && pin_recordset_name(values[n], name, NULL) == PIN_OK) {
            values[n] = pin_arena_strdup(arena, name);
        }
        if (values[n++] == NULL) {
            return NULL;
        }
    }
    *ret_n = n;
    return values;
}

static enum pin_err read_set(struct pin_arena *scratch, const struct pin_tree *tree,
    struct pin_provider_sets *sets, struct pin_why *why)
{
    struct reading reading = {.arena = scratch};
    long long ttl_s = pin_tree_int(tree, "TTL", 0);
    const char *name = to_decimal(scratch, pin_tree_string(tree, "Name", ""));
    struct pin_provider_set set = {.name = name,
        .type = pin_tree_string(tree, "Type", ""),
        .set_id = pin_tree_string(tree, "SetIdentifier", ""),
        .ttl_s = (uint32_t)PIN_MAX(PIN_MIN(ttl_s, TTL_MAX_S), 0),
        .properties = reading.properties};
    set.values = read_values(scratch, tree, &set.n_values);
    if (name == NULL || set.values == NULL || !read_properties(&reading, tree)) {
        return pin_why_set(why, PIN_ELIMIT, "a page needs too much memory");
    }
    if (name[0] == '\0' || set.type[0] == '\0') {
        return pin_why_set(why, PIN_EPARSE, "a record set without a name or a type");
    }
    set.n_properties = reading.n;
    return pin_provider_sets_add(sets, &set, why);
}

/* --- Pages ---------------------------------------------------------------------------------- */

void pin_route53_next_done(struct pin_route53_next *next)
{
    free(next->name);
    free(next->type);
    free(next->set_id);
    *next = (struct pin_route53_next){0};
}

static char *dup_path(const struct pin_tree *tree, const char *path)
{
    const char *text = pin_tree_string(tree, path, NULL);
    return text == NULL || text[0] == '\0' ? NULL : strdup(text);
}

static enum pin_err read_tree(const struct pin_tree *tree, struct pin_arena *scratch,
    struct pin_provider_sets *sets, struct pin_route53_next *ret_next, struct pin_why *why)
{
    enum pin_err err = PIN_OK;
    const struct pin_tree *list = pin_tree_find(tree, "ResourceRecordSets");
    const char *is_truncated = pin_tree_string(tree, "IsTruncated", "");
    if (strcmp(tree->key, "ListResourceRecordSetsResponse") != 0 || list == NULL) {
        return pin_why_set(why, PIN_EPARSE, "the answer is no list of record sets");
    }
    PIN_TREE_EACH(set, list)
    {
        err = err == PIN_OK ? read_set(scratch, set, sets, why) : err;
    }
    if (err != PIN_OK || strcmp(is_truncated, "false") == 0) {
        return err;
    }
    ret_next->name = dup_path(tree, "NextRecordName");
    ret_next->type = dup_path(tree, "NextRecordType");
    ret_next->set_id = dup_path(tree, "NextRecordIdentifier");
    if (ret_next->name == NULL || ret_next->type == NULL) {
        return pin_why_set(why, PIN_EPARSE, "a page that is not the last, and no next one");
    }
    return PIN_OK;
}

enum pin_err pin_route53_read_page(const char *text, size_t bytes, struct pin_arena *scratch,
    struct pin_provider_sets *sets, struct pin_route53_next *ret_next, struct pin_why *why)
{
    struct pin_tree *tree = NULL;
    enum pin_err err = pin_xml_parse(text, bytes, scratch, &tree, why);
    if (err == PIN_OK) {
        err = read_tree(tree, scratch, sets, ret_next, why);
    }
    pin_arena_reset(scratch);
    return err;
}

/* One zone of a list. False: there cannot be another one of that name behind it. */
static bool read_zone(const struct pin_tree *tree, const char *zone,
    struct pin_route53_zones *zones, struct pin_arena *scratch)
{
    char name[PIN_RECORDSET_NAME_MAX];
    const char *text = to_decimal(scratch, pin_tree_string(tree, "Name", ""));
    if (text == NULL || pin_recordset_name(text, name, NULL) != PIN_OK || strcmp(name, zone) != 0) {
        return false;
    }
    bool is_private = strcmp(pin_tree_string(tree, "Config.PrivateZone", ""), "true") == 0;
    if (zones->n[is_private]++ == 0
        && !copy_id(pin_tree_string(tree, "Id", ""), zones->id[is_private])) {
        zones->n[is_private] = 0;
    }
    return true;
}

enum pin_err pin_route53_read_zones(const char *text, size_t bytes, struct pin_arena *scratch,
    const char *zone, struct pin_route53_zones *zones, struct pin_why *why)
{
    struct pin_tree *tree = NULL;
    bool is_more = true;
    enum pin_err err = pin_xml_parse(text, bytes, scratch, &tree, why);
    zones->next_id[0] = '\0';
    if (err == PIN_OK && pin_tree_find(tree, "HostedZones") == NULL) {
        err = pin_why_set(why, PIN_EPARSE, "the answer is no list of zones");
    }
    PIN_TREE_EACH(one, err == PIN_OK ? pin_tree_find(tree, "HostedZones") : NULL)
    {
        is_more = is_more && read_zone(one, zone, zones, scratch);
    }
    if (err == PIN_OK && is_more && strcmp(pin_tree_string(tree, "IsTruncated", ""), "true") == 0
        && !copy_id(pin_tree_string(tree, "NextHostedZoneId", ""), zones->next_id)) {
        err = pin_why_set(why, PIN_EPARSE, "a page that is not the last, and no next one");
    }
    pin_arena_reset(scratch);
    return err;
}

/* --- Errors --------------------------------------------------------------------------------- */

void pin_route53_read_error(const char *text, size_t bytes, char ret_code[PIN_ROUTE53_CODE_MAX],
    char ret_message[PIN_PROVIDER_MESSAGE_MAX])
{
    struct pin_tree *tree = NULL;
    struct pin_arena *arena = pin_arena_new("aws error", (size_t)1 << 20);
    const char *code = "";
    const char *message = "";
    if (arena != NULL && pin_xml_parse(text, bytes, arena, &tree, NULL) == PIN_OK) {
        code = pin_tree_string(tree, "Error.Code", tree->key);
        message = pin_tree_string(tree, "Error.Message", NULL);
        message = message != NULL ? message : pin_tree_string(tree, "Messages.Message", "");
    }
    (void)snprintf(ret_code, PIN_ROUTE53_CODE_MAX, "%s", code);
    (void)snprintf(ret_message, PIN_PROVIDER_MESSAGE_MAX, "%s", message);
    pin_arena_free(arena);
}
