/* SPDX-License-Identifier: Apache-2.0 */

/* Both forms of the answer are lists of groups with versions; only one names the resources. */

#include "discovery.h"

#include <string.h>

#include "pintle/base/json.h"
#include "pintle/base/tree.h"

#include "decode.h"

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

static int find_version(
    const struct pin_tree *versions, const struct pin_kind_row *row, bool is_aggregated)
{
    for (int i = 0; i < PIN_KIND_VERSIONS_MAX && row->versions[i] != NULL; i++) {
        PIN_TREE_EACH(version, versions)
        {
            if (pin_tree_text_is(pin_tree_find(version, "version"), row->versions[i])
                && (!is_aggregated || has_resource(version, row->plural))) {
                return i;
            }
        }
    }
    return -1;
}

static void read_group(
    const struct pin_tree *group, bool is_aggregated, struct pin_discovery *discovery)
{
    const char *name = pin_tree_string(group, is_aggregated ? "metadata.name" : "name", "");
    const struct pin_tree *versions = pin_tree_list(group, "versions");
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        const struct pin_kind_row *row = pin_decode_row((enum pin_kind)kind);
        if (strcmp(row->group, name) == 0) {
            discovery->version[kind] = find_version(versions, row, is_aggregated);
            discovery->is_sure[kind] = is_aggregated;
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
