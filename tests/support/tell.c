/* SPDX-License-Identifier: Apache-2.0 */

/* What explain says, line by line: each is a part of its JSON, or, behind "not", none. And types by
 * name. */

#include <string.h>

#include "pintle/base/jsonout.h"
#include "pintle/base/macros.h"
#include "pintle/base/rcu.h"
#include "pintle/base/text.h"

#include "support/player.h"

static struct pin_explain_asker asker_of(
    const struct pin_player *player, const struct pin_tell *tell)
{
    const struct pin_live *live = pin_catalog_live(player->stage.catalog);
    const struct pin_scene *scene = pin_rcu_deref(live->scene);
    struct pin_explain_asker asker = {.asker = pin_scene_asker(scene, &tell->asker.source),
        .address = pin_prefix_of(&tell->asker.source, 128),
        .namespace_name = tell->namespace_name};
    if (tell->asker.listen_cluster_id != PIN_CLUSTER_NONE) {
        asker.asker.cluster_id = tell->asker.listen_cluster_id;
        asker.asker.view_id = pin_view_of_cluster(tell->asker.listen_cluster_id);
        asker.asker.parent_id = asker.asker.view_id;
        asker.address = (struct pin_prefix){0};
    }
    return asker;
}

static void compare(struct pin_player *player, const char *said,
    const struct pin_script_line *lines, size_t n_lines)
{
    for (size_t i = 0; i < n_lines; i++) {
        bool is_not = strncmp(lines[i].text, "not ", 4) == 0;
        const char *part = is_not ? lines[i].text + 4 : lines[i].text;
        if ((strstr(said, part) != NULL) == is_not) {
            pin_player_fail(
                player, &lines[i], "wanted%s %s\n  got %s", is_not ? " no" : "", part, said);
        }
    }
}

void pin_player_tell(struct pin_player *player, const struct pin_tell *tell,
    const struct pin_script_line *line, const struct pin_script_line *lines, size_t n_lines)
{
    struct pin_text text = {0};
    struct pin_jsonout json = pin_jsonout_init(&text);
    struct pin_name name;
    struct pin_explain_asker asker = asker_of(player, tell);
    if (pin_name_parse(tell->name, &name) != PIN_OK) {
        pin_player_break(player, line, "\"%s\" is no name", tell->name);
        return;
    }
    pin_catalog_explain_json(player->stage.catalog, &name, tell->type, &asker, &json);
    compare(player, pin_text_get(&text), lines, n_lines);
    pin_text_done(&text);
}

uint16_t pin_player_type(const char *text)
{
    static const struct {
        const char *text;
        uint16_t type;
    } types[] = {{"A", 1}, {"NS", 2}, {"CNAME", 5}, {"SOA", 6}, {"PTR", 12}, {"MX", 15},
        {"TXT", 16}, {"AAAA", 28}, {"SRV", 33}, {"DNAME", 39}, {"DS", 43}, {"SVCB", 64},
        {"HTTPS", 65}, {"ANY", 255}};
    for (size_t i = 0; i < N_ELEMS(types); i++) {
        if (strcmp(text, types[i].text) == 0) {
            return types[i].type;
        }
    }
    return 0;
}
