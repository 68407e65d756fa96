/* SPDX-License-Identifier: Apache-2.0 */

/* Plays one case: settings, events, time, questions. */

#include "support/player.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/macros.h"
#include "pintle/base/rcu.h"

#include "support/acts.h"
#include "support/addresses.h"
#include "support/compat.h"
#include "support/words.h"
#include "sync/decode.h"

#define TEXTS_MAX_BYTES ((size_t)16 << 20)
#define NOBODY          "233.252.0.1" /* in nobody's ranges: a documentation address */

/* One line and its words while it is played. */
struct command {
    const struct pin_script_line *line;
    const struct pin_script_line *below; /* indented lines behind it */
    size_t n_below;
    char *words[SCRIPT_WORDS_MAX];
    size_t n_words;
};

PIN_PRINTF(3, 0)
static void note(
    struct pin_player *player, const struct pin_script_line *line, const char *fmt, va_list args)
{
    char text[8192];
    (void)vsnprintf(text, sizeof(text), fmt, args);
    pin_text_putf(&player->failures, "%s:%u: %s\n", player->script->name, line->number, text);
    player->n_failures++;
}

void pin_player_fail(
    struct pin_player *player, const struct pin_script_line *line, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    note(player, line, fmt, args);
    va_end(args);
}

void pin_player_break(
    struct pin_player *player, const struct pin_script_line *line, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    note(player, line, fmt, args);
    va_end(args);
    player->is_broken = true;
}

/* --- settings ------------------------------------------------------------------------------------
 */

/* What stands behind the verb, or "". */
static const char *value_of(const struct command *c)
{
    return c->n_words > 1 ? c->words[1] : "";
}

static uint16_t cluster_of(struct pin_player *player, const struct command *c, const char *name)
{
    uint16_t id =
        name != NULL ? pin_settings_cluster(&player->stage.settings, name) : PIN_CLUSTER_NONE;
    if (id == PIN_CLUSTER_NONE) {
        pin_player_break(player, c->line, "no cluster \"%s\"", name != NULL ? name : "");
    }
    return id;
}

/* network NAME [routable] [unprobed] [gateways GATEWAY...] */
static void set_network(struct pin_player *player, const struct command *c)
{
    struct pin_network *network =
        c->n_words > 1 ? pin_stage_network(&player->stage, c->words[1]) : NULL;
    if (network == NULL) {
        pin_player_break(
            player, c->line, "expected: network NAME [routable] [gateways GATEWAY...]");
        return;
    }
    size_t id = (size_t)(network - player->stage.networks);
    for (size_t i = 2; i < c->n_words; i++) {
        if (strcmp(c->words[i], "routable") == 0) {
            network->cluster_ips_routable = true;
        } else if (strcmp(c->words[i], "unprobed") == 0) {
            network->is_unprobed = true;
        } else if (strcmp(c->words[i], "gateways") != 0
                   && (network->n_gateways == STAGE_LIST_MAX
                       || !pin_act_read_gateway(
                           c->words[i], &player->stage.gateways[id][network->n_gateways++]))) {
            pin_player_break(player, c->line, "\"%s\" is no gateway", c->words[i]);
        }
    }
}

/* geo CLUSTER,CLUSTER... [PREFIX...] */
static void set_geo(struct pin_player *player, const struct command *c)
{
    bool is_ok = c->n_words > 1 && pin_stage_add_geo(&player->stage, c->words[1]);
    for (size_t i = 2; i < c->n_words && is_ok; i++) {
        is_ok = pin_stage_add_geo_net(&player->stage, c->words[i]);
    }
    if (!is_ok) {
        pin_player_break(player, c->line, "expected: geo CLUSTER,... [PREFIX...], a few times");
    }
}

/* cluster NAME [network N] [clients PREFIX[@ZONE]] [zone Z] [weight N] [address MODE] */
static void set_cluster(struct pin_player *player, const struct command *c)
{
    struct pin_cluster_settings *cluster = pin_stage_add_cluster(&player->stage, c->words[1]);
    if (cluster == NULL) {
        pin_player_break(player, c->line, "too many clusters");
        return;
    }
    for (size_t i = 2; i + 1 < c->n_words; i += 2) {
        const char *key = c->words[i];
        char *value = c->words[i + 1];
        struct pin_network *network = NULL;
        bool is_ok = true;
        if (strcmp(key, "network") == 0) {
            network = pin_stage_network(&player->stage, value);
            is_ok = network != NULL;
            cluster->network = is_ok ? (uint16_t)(network - player->stage.networks) : 0;
        } else if (strcmp(key, "clients") == 0) {
            is_ok = pin_stage_add_clients(&player->stage, cluster, value);
        } else if (strcmp(key, "zone") == 0) {
            cluster->zone = value;
        } else if (strcmp(key, "stale") == 0) {
            cluster->stale = pin_word_stale(value);
            is_ok = cluster->stale != PIN_STALE_UNSET;
        } else if (strcmp(key, "weight") == 0) {
            cluster->weight = (uint32_t)strtoul(value, NULL, 10);
        } else {
            cluster->address = pin_word_address(value);
            is_ok = strcmp(key, "address") == 0 && cluster->address != PIN_ADDRESS_UNSET;
        }
        if (!is_ok) {
            pin_player_break(player, c->line, "cannot use \"%s %s\"", key, value);
        }
    }
}

/* static ZONE */
static void set_static(struct pin_player *player, const struct command *c)
{
    struct pin_settings *settings = &player->stage.settings;
    if (c->n_words != 2 || settings->n_zones_static == STAGE_LIST_MAX) {
        pin_player_break(player, c->line, "expected: static ZONE, a few times");
        return;
    }
    player->stage.zones_static[settings->n_zones_static++] = c->words[1];
}

/* custom ZONE */
static void set_custom(struct pin_player *player, const struct command *c)
{
    struct pin_settings *settings = &player->stage.settings;
    if (c->n_words != 2 || settings->n_zones_custom == STAGE_LIST_MAX) {
        pin_player_break(player, c->line, "expected: custom ZONE, a few times");
        return;
    }
    player->stage.zones_custom[settings->n_zones_custom++] = c->words[1];
}

/* steering [ttl N] [answers MODE] [maxAnswers N] [address MODE] [allDown MODE] [upThreshold N] */
static void set_steering(struct pin_player *player, const struct command *c)
{
    struct pin_settings *settings = &player->stage.settings;
    for (size_t i = 1; i + 1 < c->n_words; i += 2) {
        const char *key = c->words[i];
        const char *value = c->words[i + 1];
        if (strcmp(key, "ttl") == 0) {
            settings->ttl_s = (uint32_t)strtoul(value, NULL, 10);
        } else if (strcmp(key, "maxAnswers") == 0) {
            settings->max_answers = (uint32_t)strtoul(value, NULL, 10);
        } else if (strcmp(key, "answers") == 0 && pin_word_answers(value) != PIN_ANSWERS_UNSET) {
            settings->answers = pin_word_answers(value);
        } else if (strcmp(key, "upThreshold") == 0) {
            settings->up_percent = (uint32_t)strtoul(value, NULL, 10);
        } else if (strcmp(key, "allDown") == 0 && pin_word_all_down(value) != PIN_ALL_DOWN_UNSET) {
            settings->all_down = pin_word_all_down(value);
        } else if (strcmp(key, "address") == 0 && pin_word_address(value) != PIN_ADDRESS_UNSET) {
            settings->address = pin_word_address(value);
        } else {
            pin_player_break(player, c->line, "cannot use \"%s %s\"", key, value);
        }
    }
}

/* stale POLICY [AFTER_S] */
static void set_stale(struct pin_player *player, const struct command *c)
{
    struct pin_settings *settings = &player->stage.settings;
    settings->stale = c->n_words > 1 ? pin_word_stale(c->words[1]) : PIN_STALE_UNSET;
    settings->stale_after_ms = c->n_words > 2 ? strtoul(c->words[2], NULL, 10) * 1000 : 0;
    if (settings->stale == PIN_STALE_UNSET) {
        pin_player_break(player, c->line, "expected: stale keep|drop|probe [SECONDS]");
    }
}

/* compat KEY WORD ... */
static void set_compat(struct pin_player *player, const struct command *c)
{
    for (size_t i = 1; i + 1 < c->n_words; i += 2) {
        if (!pin_compat_set(&player->stage.settings, c->words[i], c->words[i + 1])) {
            pin_player_break(player, c->line, "cannot use \"%s %s\"", c->words[i], c->words[i + 1]);
        }
    }
}

/* trustedForwarders PREFIX... */
static void set_forwarders(struct pin_player *player, const struct command *c)
{
    struct pin_settings *settings = &player->stage.settings;
    settings->forwarders = player->stage.forwarders;
    for (size_t i = 1; i < c->n_words; i++) {
        if (settings->n_forwarders == STAGE_LIST_MAX
            || !pin_prefix_parse(
                c->words[i], &player->stage.forwarders[settings->n_forwarders++])) {
            pin_player_break(player, c->line, "\"%s\" is no prefix", c->words[i]);
        }
    }
}

static void set_default_cluster(struct pin_player *player, const struct command *c)
{
    player->stage.settings.default_cluster = cluster_of(player, c, value_of(c));
}

static void set_policy(struct pin_player *player, const struct command *c)
{
    player->stage.settings.policy_audits = strcmp(value_of(c), "audit") == 0;
    player->stage.settings.policy_denied = strcmp(value_of(c), "nxdomain") == 0
                                               ? PIN_POLICY_DENIED_NXDOMAIN
                                               : PIN_POLICY_DENIED_REFUSED;
}

static void set_cluster_set(struct pin_player *player, const struct command *c)
{
    player->stage.settings.cluster_set = value_of(c);
}

static void set_grace(struct pin_player *player, const struct command *c)
{
    player->stage.settings.ready_grace_ms = strtoul(value_of(c), NULL, 10) * 1000;
}

static void set_start(struct pin_player *player, const struct command *c)
{
    (void)c;
    player->starts_unseen = true;
}

/* cluster NAME up|down|synced|restored: an event. */
static bool is_mark(const struct command *c)
{
    static const char *const marks[] = {"up", "down", "synced", "restored"};
    bool is_it = c->n_words < 2;
    for (size_t i = 0; i < N_ELEMS(marks) && c->n_words == 3; i++) {
        is_it = is_it || strcmp(c->words[2], marks[i]) == 0;
    }
    return is_it;
}

/* Plays a line that may only stand before the first event; false when it is none. */
static bool play_setting(struct pin_player *player, const struct command *c)
{
    static const struct {
        const char *verb;
        void (*set)(struct pin_player *player, const struct command *c);
    } settings[] = {{"network", set_network}, {"cluster", set_cluster}, {"steering", set_steering},
        {"stale", set_stale}, {"compat", set_compat}, {"defaultCluster", set_default_cluster},
        {"policy", set_policy}, {"trustedForwarders", set_forwarders},
        {"clusterSet", set_cluster_set}, {"geo", set_geo}, {"custom", set_custom},
        {"static", set_static}, {"grace", set_grace}, {"start", set_start}};
    const char *verb = c->words[0];
    size_t i = 0;
    while (i < N_ELEMS(settings) && strcmp(verb, settings[i].verb) != 0) {
        i++;
    }
    if (i == N_ELEMS(settings) || (strcmp(verb, "cluster") == 0 && is_mark(c))
        || (strcmp(verb, "start") == 0 && strcmp(value_of(c), "unseen") != 0)) {
        return false;
    }
    settings[i].set(player, c);
    if (player->stage.catalog != NULL) {
        pin_player_break(player, c->line, "settings come before the first event");
    }
    return true;
}

/* Opens the stage; unless the case starts unseen, every cluster is up and was listed. */
static void open_stage(struct pin_player *player, const struct command *c)
{
    struct pin_why why = {0};
    if (player->stage.catalog != NULL) {
        return;
    }
    if (pin_stage_open(&player->stage, &why) != PIN_OK) {
        pin_player_break(player, c->line, "%s", why.text);
        return;
    }
    for (uint16_t i = 0; i < player->stage.settings.n_clusters && !player->starts_unseen; i++) {
        pin_stage_mark(&player->stage, i, PIN_DELTA_UP, PIN_KIND_SERVICE);
        pin_stage_mark(&player->stage, i, PIN_DELTA_SYNCED, PIN_KIND_SERVICE);
    }
}

/* --- events -------------------------------------------------------------------------------- */

/* Service, or ServiceImport.application-networking.k8s.aws where a kind has two groups. */
static bool find_kind(const char *text, enum pin_kind *ret_kind)
{
    size_t bytes = strcspn(text, ".");
    const char *group = text[bytes] == '.' ? text + bytes + 1 : NULL;
    for (unsigned kind = 0; kind < PIN_KIND_MAX; kind++) {
        const struct pin_kind_row *row = pin_decode_row((enum pin_kind)kind);
        if (strlen(row->kind_text) == bytes && strncmp(row->kind_text, text, bytes) == 0
            && (group == NULL || strcmp(row->group, group) == 0)) {
            *ret_kind = (enum pin_kind)kind;
            return true;
        }
    }
    return false;
}

/* cluster NAME up|down|synced|restored */
static void play_mark(struct pin_player *player, const struct command *c)
{
    uint16_t cluster_id = cluster_of(player, c, c->words[1]);
    const char first = c->words[2][0];
    enum pin_delta_op ups = first == 'u' ? PIN_DELTA_UP : PIN_DELTA_DOWN;
    enum pin_delta_op lists = first == 's' ? PIN_DELTA_SYNCED : PIN_DELTA_RESTORED;
    enum pin_delta_op op = first == 'u' || first == 'd' ? ups : lists;
    if (!player->is_broken) {
        pin_stage_mark(&player->stage, cluster_id, op, PIN_KIND_SERVICE);
    }
}

/* list CLUSTER KIND begin|end|claim */
static void play_list(struct pin_player *player, const struct command *c)
{
    enum pin_kind kind = PIN_KIND_SERVICE;
    const char *what = c->n_words == 4 ? c->words[3] : "";
    uint16_t cluster_id = cluster_of(player, c, c->n_words > 1 ? c->words[1] : NULL);
    bool is_begin = strcmp(what, "begin") == 0;
    bool is_claim = strcmp(what, "claim") == 0;
    if ((!is_begin && !is_claim && strcmp(what, "end") != 0) || !find_kind(c->words[2], &kind)) {
        pin_player_break(player, c->line, "expected: list CLUSTER KIND begin|end|claim");
    } else if (!player->is_broken) {
        pin_stage_list(&player->stage, cluster_id,
            is_begin ? PIN_DELTA_LIST_BEGIN : PIN_DELTA_LIST_END, kind, is_claim);
    }
}

/* delete CLUSTER KIND NAMESPACE/NAME */
static void play_delete(struct pin_player *player, const struct command *c)
{
    enum pin_kind kind = PIN_KIND_SERVICE;
    char *slash = c->n_words == 4 ? strchr(c->words[3], '/') : NULL;
    if (slash == NULL || !find_kind(c->words[2], &kind)) {
        pin_player_break(player, c->line, "expected: delete CLUSTER KIND NAMESPACE/NAME");
        return;
    }
    *slash = '\0';
    uint16_t cluster_id = cluster_of(player, c, c->words[1]);
    if (!player->is_broken) {
        pin_stage_delete(&player->stage, cluster_id, kind, c->words[3], slash + 1);
    }
}

static void apply_text(struct pin_player *player, const struct command *c, uint16_t cluster_id,
    const struct pin_text *yaml)
{
    struct pin_why why = {0};
    if (!player->is_broken
        && pin_stage_apply(&player->stage, cluster_id, pin_text_get(yaml), yaml->len, &why)
               != PIN_OK) {
        pin_player_break(player, c->line, "%s", why.text);
    }
}

/* The lines below a command, without what all of them are indented by. */
static void text_below(const struct command *c, struct pin_text *text)
{
    size_t indent = c->n_below > 0 ? c->below[0].indent : 0;
    for (size_t i = 0; i < c->n_below; i++) {
        const struct pin_script_line *line = &c->below[i];
        size_t cut = PIN_MIN(indent, line->indent);
        pin_text_putn(text, line->raw + cut, line->raw_bytes - cut);
        pin_text_putc(text, '\n');
    }
}

/* apply CLUSTER, and the manifest below it. */
static void play_apply(struct pin_player *player, const struct command *c)
{
    struct pin_text yaml = {0};
    uint16_t cluster_id = cluster_of(player, c, c->n_words > 1 ? c->words[1] : NULL);
    text_below(c, &yaml);
    apply_text(player, c, cluster_id, &yaml);
    pin_text_done(&yaml);
}

/* zonefile ZONE, and its text below it. */
static void play_zonefile(struct pin_player *player, const struct command *c)
{
    struct pin_text text = {0};
    struct pin_text faults = {0};
    struct pin_zonefile *zonefile = NULL;
    struct pin_why why = {0};
    text_below(c, &text);
    struct pin_zonefile_input input = {.zone = c->n_words > 1 ? c->words[1] : "",
        .text = {.path = "zonefile", .text = pin_text_get(&text), .bytes = text.len}};
    if (pin_zonefile_parse(&input, &zonefile, &faults) != PIN_OK) {
        pin_player_break(player, c->line, "%s", pin_text_get(&faults));
    } else if (pin_catalog_set_zonefile(player->stage.catalog, zonefile, &why) != PIN_OK) {
        pin_player_break(player, c->line, "%s", why.text);
    }
    pin_text_done(&text);
    pin_text_done(&faults);
}

/* A line of shorthand; false when it is none. */
static bool play_shorthand(struct pin_player *player, struct command *c)
{
    struct pin_text yaml = {0};
    struct pin_why why = {0};
    char cluster[64];
    (void)snprintf(cluster, sizeof(cluster), "%s", c->n_words > 1 ? c->words[1] : "");
    enum pin_err err = pin_shorthand_write(&player->shorthand, c->words, c->n_words, &yaml, &why);
    if (err == PIN_OK) {
        apply_text(player, c, cluster_of(player, c, cluster), &yaml);
    } else if (err != PIN_ENOTFOUND) {
        pin_player_break(player, c->line, "%s", why.text);
    }
    pin_text_done(&yaml);
    return err != PIN_ENOTFOUND;
}

static void publish(struct pin_player *player)
{
    pin_stage_publish(&player->stage);
    player->n_names += player->stage.published.n_names;
}

/* verdict ADDRESS... up|down|failing|rising|new [SECONDS until the next result] */
static void play_verdict(struct pin_player *player, const struct command *c)
{
    static const struct {
        const char *text;
        enum pin_verdict verdict;
        bool is_turning;
    } words[] = {{"up", PIN_VERDICT_UP, false}, {"down", PIN_VERDICT_DOWN, false},
        {"failing", PIN_VERDICT_UP, true}, {"rising", PIN_VERDICT_DOWN, true},
        {"new", PIN_VERDICT_UNJUDGED, true}};
    struct pin_addresses ips = {0};
    size_t at = 1;
    publish(player); /* orders come from what was said before */
    while (at < c->n_words && pin_addresses_add_word(&ips, c->words[at])) {
        at++;
    }
    size_t word_i = 0;
    while (at < c->n_words && word_i < N_ELEMS(words)
           && strcmp(words[word_i].text, c->words[at]) != 0) {
        word_i++;
    }
    if (ips.n == 0 || at == c->n_words || word_i == N_ELEMS(words)) {
        pin_player_break(
            player, c->line, "expected: verdict ADDRESS... up|down|failing|rising|new");
        return;
    }
    uint32_t now_s = (uint32_t)(player->stage.now_ms / 1000);
    uint32_t left_s = at + 1 < c->n_words ? (uint32_t)strtoul(c->words[at + 1], NULL, 10) : 0;
    struct pin_health_state state = {.verdict = words[word_i].verdict,
        .is_turning = words[word_i].is_turning,
        .since_s = now_s,
        .next_s = now_s + left_s};
    for (size_t i = 0; i < ips.n; i++) {
        if (!pin_stage_judge(&player->stage, &ips.ip[i], &state)) {
            pin_player_fail(player, c->line, "address %zu is not probed", i + 1);
        }
    }
}

/* probes N: how many addresses are probed, each check counted. */
static void play_probes(struct pin_player *player, const struct command *c)
{
    unsigned long wanted = c->n_words == 2 ? strtoul(c->words[1], NULL, 10) : 0;
    publish(player);
    size_t n = pin_stage_probes(&player->stage);
    if (n != wanted) {
        pin_player_fail(player, c->line, "wanted %lu probes, got %zu", wanted, n);
    }
}

/* lookup HOST ADDRESS...|failed */
static void play_lookup(struct pin_player *player, const struct command *c)
{
    publish(player); /* only a name that is known to be wanted is looked up */
    pin_act_lookup(player, c->line, c->words, c->n_words);
}

/* drain WHAT NAME [for N s], undrain WHAT NAME; with `refused` behind it must fail */
static void play_drain(struct pin_player *player, const struct command *c)
{
    publish(player);
    pin_act_drain(player, c->line, c->words, c->n_words);
}

/* changes N: how many names have been put or removed since the last such line. */
static void play_changes(struct pin_player *player, const struct command *c)
{
    unsigned long wanted = c->n_words == 2 ? strtoul(c->words[1], NULL, 10) : 0;
    publish(player);
    if (player->n_names != wanted) {
        pin_player_fail(
            player, c->line, "wanted %lu changed names, got %u", wanted, player->n_names);
    }
    player->n_names = 0;
}

/* wants pods yes|no: whether sources are to report Pods. */
static void play_wants(struct pin_player *player, const struct command *c)
{
    publish(player);
    bool is_wanted = c->n_words == 3 && strcmp(c->words[2], "yes") == 0;
    if (c->n_words != 3 || strcmp(c->words[1], "pods") != 0) {
        pin_player_break(player, c->line, "expected: wants pods yes|no");
    } else if (pin_catalog_wants_pods(player->stage.catalog) != is_wanted) {
        pin_player_fail(
            player, c->line, "Pods are %s", is_wanted ? "not wanted" : "wanted all the same");
    }
}

/* at N ms|s|min */
static void play_time(struct pin_player *player, const struct command *c)
{
    const char *unit = c->n_words == 3 ? c->words[2] : "";
    uint64_t factor = strcmp(unit, "ms") == 0    ? 1
                      : strcmp(unit, "s") == 0   ? 1000
                      : strcmp(unit, "min") == 0 ? 60000
                                                 : 0;
    uint64_t at_ms = c->n_words > 1 ? strtoull(c->words[1], NULL, 10) * factor : 0;
    if (factor == 0 || at_ms < player->stage.now_ms) {
        pin_player_break(player, c->line, "expected: at NUMBER ms|s|min, later than before");
        return;
    }
    publish(player); /* what was said before happened before */
    player->stage.now_ms = at_ms;
}

/* --- questions -----------------------------------------------------------------------------------
 */

/* Reads who asks; returns how many words that took, 0 when it is unclear. */
static size_t read_asker(
    struct pin_player *player, const struct command *c, struct pin_stage_asker *ret)
{
    *ret = (struct pin_stage_asker){.listen_cluster_id = PIN_CLUSTER_NONE};
    (void)pin_ip_parse(NOBODY, &ret->source);
    if (c->n_words > 1 && strcmp(c->words[1], "nobody") == 0) {
        return 1;
    }
    if (c->n_words > 2 && strcmp(c->words[1], "from") == 0) {
        return pin_ip_parse(c->words[2], &ret->source) ? 2 : 0;
    }
    if (c->n_words > 2 && strcmp(c->words[1], "cluster") == 0) {
        ret->listen_cluster_id = cluster_of(player, c, c->words[2]);
        return 2;
    }
    return 0;
}

/* Appends an EDNS option. */
static bool add_option(struct pin_question *q, uint16_t code, const void *data, size_t bytes)
{
    uint8_t *to = q->options + q->options_bytes;
    if (q->options_bytes + 4 + bytes > sizeof(q->options)) {
        return false;
    }
    to[0] = (uint8_t)(code >> 8);
    to[1] = (uint8_t)code;
    to[2] = 0;
    to[3] = (uint8_t)bytes;
    memcpy(to + 4, data, bytes);
    q->options_bytes += 4 + bytes;
    return true;
}

/* subnet PREFIX (RFC 7871); it comes before all other options. */
static bool add_subnet(struct pin_question *q, const char *text)
{
    struct pin_prefix prefix;
    if (q->options_bytes > 0 || !pin_prefix_parse(text, &prefix)) {
        return false;
    }
    uint8_t data[20] = {0, prefix.ip.family == 4 ? 1 : 2, prefix.bits, 0};
    q->ecs_bytes = 4 + (prefix.bits + 7u) / 8;
    memcpy(data + 4, prefix.ip.bytes, 16);
    return add_option(q, 8, data, q->ecs_bytes);
}

/* How it is sent: "udp 1232" unless the words say otherwise. */
static bool read_transport(const struct command *c, size_t at, struct pin_question *q)
{
    q->has_edns = true;
    q->edns_bytes = 1232;
    q->transport = PIN_TRANSPORT_UDP;
    q->options_bytes = 0;
    q->ecs_bytes = 0;
    for (; at < c->n_words; at++) {
        if (strcmp(c->words[at], "tcp") == 0) {
            q->transport = PIN_TRANSPORT_TCP;
        } else if (strcmp(c->words[at], "noedns") == 0) {
            q->has_edns = false;
        } else if (strcmp(c->words[at], "udp") == 0 && at + 1 < c->n_words) {
            q->edns_bytes = (uint16_t)strtoul(c->words[++at], NULL, 10);
        } else if (strcmp(c->words[at], "subnet") == 0 && at + 1 < c->n_words) {
            if (!add_subnet(q, c->words[++at])) {
                return false;
            }
        } else if (strcmp(c->words[at], "namespace") == 0 && at + 1 < c->n_words) {
            at++;
            if (!add_option(q, 65518, c->words[at], strlen(c->words[at]))) {
                return false;
            }
        } else {
            return false;
        }
    }
    return true;
}

/* ask ASKER NAME TYPE [TRANSPORT], or ask again */
static void play_ask(struct pin_player *player, const struct command *c)
{
    struct pin_question *q = &player->question;
    (void)snprintf(q->text, sizeof(q->text), "%s", c->line->text);
    if (c->n_words == 2 && strcmp(c->words[1], "again") == 0) {
        if (q->type == 0) {
            pin_player_break(player, c->line, "nothing was asked yet");
        }
    } else {
        size_t n = read_asker(player, c, &q->asker);
        if (n == 0 || n + 2 >= c->n_words || pin_player_type(c->words[n + 2]) == 0
            || !read_transport(c, n + 3, q)) {
            pin_player_break(player, c->line,
                "expected: ask nobody|cluster NAME|from ADDRESS NAME TYPE [udp BYTES|noedns|tcp] "
                "[subnet PREFIX] [namespace NAME]");
            return;
        }
        (void)snprintf(q->name, sizeof(q->name), "%s", c->words[n + 1]);
        q->type = pin_player_type(c->words[n + 2]);
    }
    publish(player);
    if (!player->is_broken) {
        player->n_questions++;
        pin_player_ask(player, c->line, c->below, c->n_below);
    }
}

/* Asks the catalog what it says: explain ASKER NAME TYPE [namespace NAME] */
static void play_explain(struct pin_player *player, const struct command *c)
{
    struct pin_tell tell = {0};
    size_t n = read_asker(player, c, &tell.asker);
    bool has_namespace = n + 5 == c->n_words && strcmp(c->words[n + 3], "namespace") == 0;
    if (n == 0 || (n + 3 != c->n_words && !has_namespace)
        || pin_player_type(c->words[n + 2]) == 0) {
        pin_player_break(player, c->line,
            "expected: explain nobody|cluster NAME|from ADDRESS NAME TYPE [namespace NAME]");
        return;
    }
    tell.name = c->words[n + 1];
    tell.type = pin_player_type(c->words[n + 2]);
    tell.namespace_name = has_namespace ? c->words[n + 4] : NULL;
    publish(player);
    player->n_questions++;
    pin_player_tell(player, &tell, c->line, c->below, c->n_below);
}

/* --- a case --------------------------------------------------------------------------------------
 */

static void play_block(struct pin_player *player, const struct pin_script_block *block);

/* use FIXTURE */
static void play_use(struct pin_player *player, const struct command *c)
{
    const struct pin_script_block *fixture =
        c->n_words == 2 ? pin_script_fixture(player->script, c->words[1]) : NULL;
    if (fixture == NULL || fixture->number > c->line->number) {
        pin_player_break(player, c->line, "no fixture of that name above");
        return;
    }
    play_block(player, fixture);
}

static void play_event(struct pin_player *player, struct command *c)
{
    const struct {
        const char *verb;
        void (*play)(struct pin_player *player, const struct command *c);
    } verbs[] = {
        {"apply", play_apply},
        {"zonefile", play_zonefile},
        {"delete", play_delete},
        {"list", play_list},
        {"cluster", play_mark},
        {"lookup", play_lookup},
        {"drain", play_drain},
        {"undrain", play_drain},
        {"at", play_time},
        {"changes", play_changes},
        {"verdict", play_verdict},
        {"probes", play_probes},
        {"wants", play_wants},
        {"ask", play_ask},
        {"explain", play_explain},
    };
    open_stage(player, c);
    for (size_t i = 0; i < N_ELEMS(verbs) && !player->is_broken; i++) {
        if (strcmp(c->words[0], verbs[i].verb) == 0) {
            verbs[i].play(player, c);
            return;
        }
    }
    if (!player->is_broken && !play_shorthand(player, c)) {
        pin_player_break(player, c->line, "\"%s\" is no command", c->words[0]);
    }
}

static void play_command(struct pin_player *player, struct command *c)
{
    char *text = player->texts != NULL ? pin_arena_strdup(player->texts, c->line->text) : NULL;
    if (text == NULL) {
        pin_player_break(player, c->line, "out of memory");
        return;
    }
    c->n_words = pin_script_words(text, c->words);
    bool takes_lines = strcmp(c->words[0], "apply") == 0 || strcmp(c->words[0], "ask") == 0
                       || strcmp(c->words[0], "zonefile") == 0
                       || strcmp(c->words[0], "explain") == 0;
    if (c->line->indent > 0 || (takes_lines != (c->n_below > 0))) {
        pin_player_break(player, c->line, "expected: %s",
            takes_lines ? "indented lines below" : "no indented line here");
    } else if (strcmp(c->words[0], "use") == 0) {
        play_use(player, c);
    } else if (!play_setting(player, c)) {
        play_event(player, c);
    }
}

static void play_block(struct pin_player *player, const struct pin_script_block *block)
{
    const struct pin_script_line *lines = player->script->lines;
    for (size_t i = block->first; i < block->end && !player->is_broken;) {
        struct command c = {.line = &lines[i], .below = &lines[i + 1]};
        while (i + 1 + c.n_below < block->end && lines[i + 1 + c.n_below].indent > 0) {
            c.n_below++;
        }
        play_command(player, &c);
        i += 1 + c.n_below;
    }
}

bool pin_player_play(struct pin_player *player, const struct pin_script *script,
    const struct pin_script_block *block, bool has_heirs)
{
    memset(player, 0, sizeof(*player));
    player->script = script;
    player->texts = pin_arena_new("scenario", TEXTS_MAX_BYTES);
    pin_stage_init(&player->stage);
    player->stage.has_heirs = has_heirs;
    play_block(player, block);
    if (!player->is_broken && player->n_questions == 0) {
        pin_player_break(
            player, &(struct pin_script_line){.number = block->number}, "the case asks nothing");
    }
    return player->n_failures == 0;
}

void pin_player_done(struct pin_player *player)
{
    pin_stage_done(&player->stage);
    pin_text_done(&player->failures);
    pin_arena_free(player->texts);
}
