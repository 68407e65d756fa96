/* SPDX-License-Identifier: Apache-2.0 */

/* Both forms of the answer are lists of groups with versions; only one names the resources. */

#include "discovery.h"

#include <string.h>

#include "pintle/base/json.h"
#include "pintle/base/tree.h"

#include "decode.h"

/* Whether the server does not know now what this version has: it says what it knew. */
static bool is_stale(const struct pin_tree *version)
{
    return pin_tree_text_is(pin_tree_find(version, "freshness"), "Stale");
}

/* Whether a version of an aggregated group has the resource. */
static bool has_resource(const struct pin_tree *version, const char *plural)
{
    const struct pin_tree *resources = pin_tree_list(version, "resources");
    PIN_TREE_EACH(resource, resources)
    {
        if (pin_tree_text_is(pin_tree_find(resource, "resource"), plural)) {
            return true;
        }
    }
    return false;
}

/* The best version that has the kind, or may have it: then it is not sure. */
static int find_version(const struct pin_tree *versions, const struct pin_kind_row *row,
    bool is_aggregated, bool *ret_sure)
{
    for (int i = 0; i < PIN_KIND_VERSIONS_MAX && row->versions[i] != NULL; i++) {
        PIN_TREE_EACH(version, versions)
        {
            if (!pin_tree_text_is(pin_tree_find(version, "version"), row->versions[i])) {
                continue;
            }
            *ret_sure = is_aggregated && has_resource(version, row->plural);
            if (*ret_sure || !is_aggregated || is_stale(version)) {
                return i;
            }
        }
    }
    return -1;
}

/* One without a name is nobody's: the core group is not in this list. */
static void read_group(
    const struct pin_tree *group, bool is_aggregated, struct pin_discovery *discovery)
{
    const char *name = pin_tree_string(group, is_aggregated ? "metadata.name" : "name", "");
    const struct pin_tree *versions = pin_tree_list(group, "versions");
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        const struct pin_kind_row *row = pin_decode_row((enum pin_kind)kind);
        if (name[0] != '\0' && strcmp(row->group, name) == 0) {
            bool is_sure = true;
            discovery->version[kind] = find_version(versions, row, is_aggregated, &is_sure);
            discovery->is_sure[kind] = is_sure || discovery->version[kind] < 0;
        }
    }
}

enum pin_err pin_discovery_read(const char *text, size_t bytes, struct pin_arena *arena,
    struct pin_discovery *ret_discovery, struct pin_why *why)
{
    struct pin_tree *tree = NULL;
    enum pin_err err = pin_json_parse(text, bytes, arena, &tree, why);
    if (err != PIN_OK) {
        return err;
    }
    const struct pin_tree *items = pin_tree_list(tree, "items");
    const struct pin_tree *groups = items != NULL ? items : pin_tree_list(tree, "groups");
    if (groups == NULL) {
        return pin_why_set(why, PIN_EPARSE, "the answer to /apis lists no API groups");
    }
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        bool is_core = pin_decode_row((enum pin_kind)kind)->group[0] == '\0';
        ret_discovery->version[kind] = is_core ? 0 : -1;
        ret_discovery->is_sure[kind] = true;
    }
    PIN_TREE_EACH(group, groups)
    {
        read_group(group, items != NULL, ret_discovery);
    }
    return PIN_OK;
}
