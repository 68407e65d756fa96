/* SPDX-License-Identifier: Apache-2.0 */

/* pintlectl explain: which zone, which rule, which backends, which addresses how often. */

#include <stdio.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/json.h"
#include "pintle/base/macros.h"

#include "cli/api.h"
#include "cli/emit.h"
#include "cli/table.h"

#define CELL_BYTES 64

/* Prints "  key   value" when there is a value. */
static void print_line(const char *key, const char *value)
{
    if (value != NULL && value[0] != '\0') {
        (void)printf("  %-8s %s\n", key, value);
    }
}

static void put_view(struct pin_text *text, const struct pin_tree *view)
{
    const char *cluster = pin_tree_string(view, "cluster", NULL);
    const char *network = pin_tree_string(view, "network", NULL);
    if (view == NULL) {
        return;
    }
    pin_text_putf(
        text, cluster == NULL ? "no cluster%s" : "cluster %s", cluster == NULL ? "" : cluster);
    if (network != NULL) {
        pin_text_putf(text, ", network %s", network);
    }
    if (cluster != NULL && pin_tree_find(view, "identity") != NULL
        && pin_tree_string(view, "identity", NULL) == NULL) {
        pin_text_puts(text, " (the default; the asker itself is in no known cluster)");
    }
    const char *namespace_name = pin_tree_string(view, "namespace", NULL);
    const char *from = pin_tree_string(view, "namespaceFrom", NULL);
    if (from != NULL) {
        bool is_known = namespace_name != NULL && namespace_name[0] != '\0';
        pin_text_putf(text, ", namespace %s%s(%s)", is_known ? namespace_name : "",
            is_known ? " " : "", from);
    }
}

/* Whose last known state is shown, by name where the daemon tells. */
static void put_stale(struct pin_text *text, const struct pin_tree *tree)
{
    const struct pin_tree *clusters = pin_tree_list(tree, "staleClusters");
    const char *before = "";
    pin_text_puts(text, ", stale (EDE 3): ");
    PIN_TREE_EACH(cluster, clusters)
    {
        pin_text_putf(text, "%s%s", before, pin_tree_text(cluster, "?"));
        before = " and ";
    }
    bool is_one = clusters == NULL || clusters->n_children <= 1;
    pin_text_putf(
        text, "%s %s out of reach", before[0] == '\0' ? "a cluster" : "", is_one ? "is" : "are");
}

static void put_answer(struct pin_text *text, const struct pin_tree *tree)
{
    const char *answers = pin_tree_string(tree, "answers", NULL);
    const struct pin_tree *addresses = pin_tree_list(tree, "addresses");
    if (answers == NULL) {
        return;
    }
    pin_text_puts(text, answers);
    if (addresses != NULL && addresses->n_children > 0) {
        pin_text_putf(text, ", %lld of %u addresses at a time", pin_tree_int(tree, "picks", 0),
            addresses->n_children);
    }
    if (pin_tree_find(tree, "ttl") != NULL) {
        pin_text_putf(text, ", TTL %lld s", pin_tree_int(tree, "ttl", 0));
    }
    if (pin_tree_bool(tree, "stale", false)) {
        put_stale(text, tree);
    }
}

/* "corp.example. to 192.0.2.53:53, 192.0.2.54:53" and what is cached. */
static void print_forward(const struct pin_tree *forward)
{
    struct pin_text to = {0};
    const struct pin_tree *cached = pin_tree_map(forward, "cached");
    if (forward == NULL) {
        return;
    }
    pin_text_putf(&to, "by zone %s to ", pin_tree_string(forward, "zone", "?"));
    PIN_TREE_EACH(item, pin_tree_list(forward, "to"))
    {
        pin_text_putf(&to, "%s%s", pin_tree_list(forward, "to")->first == item ? "" : ", ",
            pin_tree_text(item, ""));
    }
    print_line("forward", pin_text_get(&to));
    pin_text_cut(&to, 0);
    pin_text_puts(&to, pin_tree_string(cached, "state", "no"));
    if (pin_tree_find(cached, "ttlLeft") != NULL) {
        pin_text_putf(&to, ": %s, TTL left %lld s", pin_tree_string(cached, "kind", ""),
            pin_tree_int(cached, "ttlLeft", 0));
    }
    print_line("cached", pin_text_get(&to));
    pin_text_done(&to);
}

static void print_head(const struct pin_tree *tree)
{
    struct pin_text view = {0};
    struct pin_text answer = {0};
    put_view(&view, pin_tree_map(tree, "view"));
    put_answer(&answer, tree);
    (void)printf("%s %s\n", pin_tree_string(tree, "name", "?"), pin_tree_string(tree, "type", ""));
    (void)printf("  %-8s %s%s%s\n", "result", pin_tree_string(tree, "rcode", "?"),
        pin_tree_find(tree, "status") == NULL ? "" : ": ", pin_tree_string(tree, "status", ""));
    print_line("zone", pin_tree_string(tree, "zone", NULL));
    print_line("object", pin_tree_string(tree, "object", NULL));
    print_line("rule", pin_tree_string(tree, "rule", NULL));
    print_line("view", pin_text_get(&view));
    print_line("answers", pin_text_get(&answer));
    print_forward(pin_tree_map(tree, "forward"));
    pin_text_done(&view);
    pin_text_done(&answer);
}

/* "namespace/name", or what there is of it. */
static const char *format_object(const struct pin_tree *backend, char *cell, size_t cell_bytes)
{
    const char *namespace_name = pin_tree_string(backend, "namespace", "");
    (void)snprintf(cell, cell_bytes, "%s%s%s", namespace_name, namespace_name[0] == '\0' ? "" : "/",
        pin_tree_string(backend, "name", "?"));
    return cell;
}

/* What a backend weighs: the backendRef's weight, the cluster's, or "90 (25)" where both count. */
static const char *format_weight(const struct pin_tree *backend, char *cell, size_t cell_bytes)
{
    const char *of_ref = pin_tree_string(backend, "weight", "");
    const char *of_cluster = pin_tree_string(backend, "clusterWeight", "");
    if (of_ref[0] == '\0' || of_cluster[0] == '\0') {
        return of_ref[0] != '\0' ? of_ref : of_cluster;
    }
    (void)snprintf(cell, cell_bytes, "%s (%s)", of_ref, of_cluster);
    return cell;
}

/* "2/3", or "": of what is in no cluster, a backend of weight 0 too, nobody has counted Pods. */
static const char *format_ready(const struct pin_tree *backend, char *cell, size_t cell_bytes)
{
    long long total = pin_tree_int(backend, "total", 0);
    if (total == 0 && pin_tree_string(backend, "cluster", NULL) == NULL) {
        return "";
    }
    (void)snprintf(cell, cell_bytes, "%lld/%lld", pin_tree_int(backend, "ready", 0), total);
    return cell;
}

static void put_backend(struct pin_columns *table, const struct pin_tree *backend, unsigned i)
{
    char cell[600];
    bool is_used = pin_tree_bool(backend, "used", false);
    pin_columns_row(table);
    (void)snprintf(cell, sizeof(cell), "%u", i);
    pin_columns_cell(table, cell, PIN_COLOR_NONE);
    pin_columns_cell(table, pin_tree_string(backend, "kind", ""), PIN_COLOR_NONE);
    pin_columns_cell(table, pin_tree_string(backend, "cluster", ""), PIN_COLOR_NONE);
    pin_columns_cell(table, format_object(backend, cell, sizeof(cell)), PIN_COLOR_NONE);
    pin_columns_cell(table, format_weight(backend, cell, sizeof(cell)), PIN_COLOR_NONE);
    pin_columns_cell(table, pin_tree_string(backend, "affinity", ""), PIN_COLOR_NONE);
    pin_columns_cell(table, format_ready(backend, cell, sizeof(cell)), PIN_COLOR_NONE);
    pin_columns_cell(table, is_used ? "yes" : "no", is_used ? PIN_COLOR_GOOD : PIN_COLOR_BAD);
    pin_columns_cell(table, pin_tree_string(backend, "reason", ""), PIN_COLOR_NONE);
}

static bool print_backends(const struct pin_ctl *ctl, const struct pin_tree *backends)
{
    static const struct pin_column columns[] = {{"BACKEND", true}, {"KIND", false},
        {"CLUSTER", false}, {"OBJECT", false}, {"WEIGHT", true}, {"AFFINITY", false},
        {"READY", true}, {"USED", false}, {"REASON", false}};
    unsigned i = 0;
    if (backends == NULL || backends->n_children == 0) {
        return true;
    }
    struct pin_columns *table = pin_columns_new(ctl, columns, N_ELEMS(columns));
    PIN_TREE_EACH(backend, backends)
    {
        put_backend(table, backend, i++);
    }
    (void)putchar('\n');
    return pin_columns_print(table);
}

/* A probability as percent, with as many digits as it takes. */
static const char *format_percent(
    const struct pin_tree *item, const char *key, char cell[CELL_BYTES])
{
    const struct pin_tree *value = pin_tree_find(item, key);
    if (value == NULL) {
        return "";
    }
    (void)snprintf(cell, CELL_BYTES, "%.4g %%", value->number * 100);
    return cell;
}

/* "unhealthy since 2026-11-21T03:04:05.678Z (TCP 8080): connection refused", or "". */
static const char *format_health(const struct pin_tree *address, char *cell, size_t cell_bytes)
{
    const struct pin_tree *health = pin_tree_map(address, "health");
    struct pin_text text = {0};
    if (health == NULL) {
        return "";
    }
    pin_text_puts(&text, pin_tree_string(health, "state", ""));
    if (pin_tree_find(health, "endpoints") != NULL) {
        pin_text_putf(&text, " (%lld of %lld endpoints)",
            pin_tree_int(health, "endpointsHealthy", 0), pin_tree_int(health, "endpoints", 0));
    }
    if (pin_tree_find(health, "since") != NULL) {
        pin_text_putf(&text, " since %s", pin_tree_string(health, "since", ""));
    }
    if (pin_tree_find(health, "check") != NULL) {
        pin_text_putf(&text, " (%s %lld)", pin_tree_string(health, "check", ""),
            pin_tree_int(health, "port", 0));
    }
    if (pin_tree_find(health, "error") != NULL) {
        pin_text_putf(&text, ": %s", pin_tree_string(health, "error", ""));
    }
    (void)snprintf(cell, cell_bytes, "%s%s", pin_text_get(&text),
        pin_tree_bool(address, "shown", true) ? "" : " [left out]");
    pin_text_done(&text);
    return cell;
}

static bool has_health(const struct pin_tree *addresses)
{
    PIN_TREE_EACH(address, addresses)
    {
        if (pin_tree_map(address, "health") != NULL) {
            return true;
        }
    }
    return false;
}

/* The line of an address's backend in the table of backends: its part in the address's cluster. */
static const char *format_line(
    const struct pin_tree *backends, const struct pin_tree *address, char *cell, size_t cell_bytes)
{
    const char *cluster = pin_tree_string(address, "cluster", "");
    const char *ref = pin_tree_string(address, "backend", "");
    unsigned i = 0;
    PIN_TREE_EACH(backend, backends)
    {
        if (strcmp(pin_tree_string(backend, "cluster", ""), cluster) == 0
            && strcmp(pin_tree_string(backend, "backend", "?"), ref) == 0
            && pin_tree_bool(backend, "used", false)) {
            (void)snprintf(cell, cell_bytes, "%u", i);
            return cell;
        }
        i++;
    }
    return ref;
}

static bool print_addresses(
    const struct pin_ctl *ctl, const struct pin_tree *addresses, const struct pin_tree *backends)
{
    static const struct pin_column columns[] = {{"ADDRESS", false}, {"CLUSTER", false},
        {"BACKEND", true}, {"WEIGHT", true}, {"FIRST", true}, {"IN ANSWER", true}, {"VIA", false},
        {"HEALTH", false}};
    char cell[CELL_BYTES];
    char health[600];
    if (addresses == NULL || addresses->n_children == 0) {
        return true;
    }
    bool is_checked = has_health(addresses);
    struct pin_columns *table =
        pin_columns_new(ctl, columns, N_ELEMS(columns) - (is_checked ? 0 : 1));
    PIN_TREE_EACH(address, addresses)
    {
        pin_columns_row(table);
        pin_columns_cell(table, pin_tree_string(address, "address", ""), PIN_COLOR_NONE);
        pin_columns_cell(table, pin_tree_string(address, "cluster", ""), PIN_COLOR_NONE);
        pin_columns_cell(table, format_line(backends, address, cell, sizeof(cell)), PIN_COLOR_NONE);
        pin_columns_cell(table, pin_tree_string(address, "weight", ""), PIN_COLOR_NONE);
        pin_columns_cell(table, format_percent(address, "first", cell), PIN_COLOR_NONE);
        pin_columns_cell(table, format_percent(address, "inAnswer", cell), PIN_COLOR_NONE);
        pin_columns_cell(table, pin_tree_string(address, "via", ""), PIN_COLOR_NONE);
        if (is_checked) {
            bool is_shown = pin_tree_bool(address, "shown", true);
            pin_columns_cell(table, format_health(address, health, sizeof(health)),
                is_shown ? PIN_COLOR_NONE : PIN_COLOR_BAD);
        }
    }
    (void)putchar('\n');
    return pin_columns_print(table);
}

static bool print_policies(const struct pin_ctl *ctl, const struct pin_tree *policies)
{
    static const struct pin_column columns[] = {{"POLICY", false}, {"OBJECT", false},
        {"READABLE", false}, {"VERDICT", false}, {"LETS IN", false}};
    char cell[600];
    if (policies == NULL || policies->n_children == 0) {
        return true;
    }
    struct pin_columns *table = pin_columns_new(ctl, columns, N_ELEMS(columns));
    PIN_TREE_EACH(policy, policies)
    {
        bool is_readable = pin_tree_bool(policy, "readable", true);
        const char *verdict = pin_tree_string(policy, "verdict", "");
        pin_columns_row(table);
        pin_columns_cell(table, pin_tree_string(policy, "kind", ""), PIN_COLOR_NONE);
        pin_columns_cell(table, format_object(policy, cell, sizeof(cell)), PIN_COLOR_NONE);
        pin_columns_cell(
            table, is_readable ? "yes" : "no", is_readable ? PIN_COLOR_NONE : PIN_COLOR_BAD);
        pin_columns_cell(
            table, verdict, strncmp(verdict, "denied", 6) == 0 ? PIN_COLOR_BAD : PIN_COLOR_GOOD);
        pin_columns_cell(table, pin_tree_string(policy, "letsIn", ""), PIN_COLOR_NONE);
    }
    (void)putchar('\n');
    return pin_columns_print(table);
}

/* "Gateway c2/istio-system/eastwest", "host gw.example" or "address". */
static const char *format_gateway(const struct pin_tree *item, char *cell, size_t cell_bytes)
{
    const char *kind = pin_tree_string(item, "kind", NULL);
    const char *host = pin_tree_string(item, "host", NULL);
    if (kind != NULL) {
        (void)snprintf(cell, cell_bytes, "%s %s/%s/%s", kind, pin_tree_string(item, "cluster", "?"),
            pin_tree_string(item, "namespace", "?"), pin_tree_string(item, "name", "?"));
    } else {
        (void)snprintf(
            cell, cell_bytes, "%s%s", host != NULL ? "host " : "address", host != NULL ? host : "");
    }
    return cell;
}

static void put_gateway(
    struct pin_columns *table, const char *network, const char *from, const struct pin_tree *item)
{
    struct pin_text addresses = {0};
    char age[CELL_BYTES] = "";
    PIN_TREE_EACH(address, pin_tree_list(item, "addresses"))
    {
        pin_text_putf(
            &addresses, "%s%s", addresses.len == 0 ? "" : " ", pin_tree_text(address, ""));
    }
    if (pin_tree_find(item, "ageSeconds") != NULL) {
        (void)snprintf(age, sizeof(age), "%lld s", pin_tree_int(item, "ageSeconds", 0));
    }
    const char *error = pin_tree_string(item, "error", "");
    pin_columns_row(table);
    pin_columns_cell(table, network, PIN_COLOR_NONE);
    pin_columns_cell(table, from, PIN_COLOR_NONE);
    pin_columns_cell(table, pin_text_get(&addresses), PIN_COLOR_NONE);
    pin_columns_cell(table, age, PIN_COLOR_NONE);
    pin_columns_cell(table, error, error[0] != '\0' ? PIN_COLOR_BAD : PIN_COLOR_NONE);
    pin_text_done(&addresses);
}

/* Gateways of other networks that are followed: by host name, by the status of objects. */
static bool print_gateways(const struct pin_ctl *ctl, const struct pin_tree *networks)
{
    static const struct pin_column columns[] = {{"NETWORK", false}, {"GATEWAY", false},
        {"ADDRESSES", false}, {"AGE", true}, {"TROUBLE", false}};
    char cell[600];
    if (networks == NULL || networks->n_children == 0) {
        return true;
    }
    struct pin_columns *table = pin_columns_new(ctl, columns, N_ELEMS(columns));
    PIN_TREE_EACH(network, networks)
    {
        const char *name = pin_tree_string(network, "network", "");
        PIN_TREE_EACH(item, pin_tree_list(network, "items"))
        {
            put_gateway(table, name, format_gateway(item, cell, sizeof(cell)), item);
            PIN_TREE_EACH(host, pin_tree_list(item, "hosts"))
            {
                put_gateway(table, name, format_gateway(host, cell, sizeof(cell)), host);
            }
        }
    }
    (void)putchar('\n');
    return pin_columns_print(table);
}

static bool print_explanation(const struct pin_ctl *ctl, const struct pin_tree *tree)
{
    const struct pin_tree *backends = pin_tree_list(tree, "backends");
    print_head(tree);
    bool is_good = print_backends(ctl, backends);
    is_good = print_policies(ctl, pin_tree_list(tree, "policies")) && is_good;
    is_good = print_addresses(ctl, pin_tree_list(tree, "addresses"), backends) && is_good;
    is_good = print_gateways(ctl, pin_tree_list(tree, "gateways")) && is_good;
    const struct pin_tree *notes = pin_tree_list(tree, "notes");
    PIN_TREE_EACH(note, notes)
    {
        (void)printf("%snote: %s\n", note == notes->first ? "\n" : "", pin_tree_text(note, ""));
    }
    return is_good;
}

static enum pin_ctl_exit fetch(const struct pin_ctl *ctl, struct pin_api_reply *ret_reply)
{
    struct pin_text path = {0};

    pin_text_puts(&path, "/api/v1/explain?name=");
    pin_api_put_escaped(&path, ctl->words[0]);
    pin_text_puts(&path, "&type=");
    pin_api_put_escaped(&path, ctl->n_words > 1 ? ctl->words[1] : "A");
    if (ctl->from != NULL) {
        pin_text_puts(&path, "&from=");
        pin_api_put_escaped(&path, ctl->from);
    }
    if (ctl->namespace_name != NULL) {
        pin_text_puts(&path, "&namespace=");
        pin_api_put_escaped(&path, ctl->namespace_name);
    }
    enum pin_ctl_exit exit_code = pin_api_fetch(ctl, pin_text_get(&path), ret_reply);
    pin_text_done(&path);
    return exit_code;
}

static enum pin_ctl_exit show(const struct pin_ctl *ctl, struct pin_api_reply *reply)
{
    bool is_good = pin_emit_reply(ctl, reply) || print_explanation(ctl, reply->tree);
    return is_good ? PIN_CTL_OK : PIN_CTL_FAILED;
}

static enum pin_ctl_exit explain(const struct pin_ctl *ctl)
{
    struct pin_api_reply reply = {0};
    enum pin_ctl_exit exit_code = fetch(ctl, &reply);
    if (exit_code == PIN_CTL_OK) {
        exit_code = show(ctl, &reply);
    }
    pin_api_reply_done(&reply);
    return exit_code;
}

/* --- what was noted of a question ------------------------------------------------------------- */

#define LINE_MAX_BYTES 4096
#define ARENA_BYTES    ((size_t)1 << 20)

/* Who asked what, as it was noted. Texts are within the line. */
struct noted {
    const char *name;
    const char *type;
    const char *why; /* the word; NULL: it is not there */
    const char *view;
    const char *from;
    const char *namespace_name;
};

/* Cuts the next word off; NULL: there is none. */
static char *cut_word(char **at)
{
    char *word = strsep(at, " \"\n");
    return word != NULL && word[0] != '\0' ? word : NULL;
}

/* What follows "KEY=" at a word's begin; NULL: it is not there. Its end is cut later. */
static char *find_value(char *text, const char *key)
{
    size_t bytes = strlen(key);
    for (char *at = text; at != NULL; at = strchr(at, ' ')) {
        at += strspn(at, " ");
        if (strncmp(at, key, bytes) == 0) {
            return at + bytes;
        }
    }
    return NULL;
}

static const char *cut(char *value)
{
    if (value != NULL) {
        value[strcspn(value, " \r\n\"")] = '\0';
    }
    return value;
}

/* Reads "why=drawn zone=assigned view=c1 from=10.1.0.7 namespace=shop", what else stands there,
 * too. */
static void read_reason(char *text, struct noted *noted)
{
    char *why = find_value(text, "why=");
    char *view = find_value(text, "view=");
    char *from = find_value(text, "from=");
    char *namespace_name = find_value(text, "namespace=");
    noted->why = cut(why);
    noted->view = cut(view);
    noted->from = cut(from);
    noted->namespace_name = cut(namespace_name);
}

/* A line of the query log:
 * ... "A IN shop.example. udp 40 false 1232" NOERROR qr,aa 90 0.000012s why=drawn from=10.1.0.7 */
static bool read_line(char *line, struct noted *noted)
{
    char *rest = strchr(line, '"');
    rest = rest != NULL ? rest + 1 : NULL;
    noted->type = cut_word(&rest);
    const char *class = cut_word(&rest);
    noted->name = cut_word(&rest);
    read_reason(rest, noted);
    return noted->type != NULL && class != NULL && noted->name != NULL && strcmp(class, "IN") == 0;
}

/* A line of `pintlectl tail -o json`. */
static bool read_json(char *line, struct pin_arena *arena, struct noted *noted)
{
    struct pin_tree *tree = NULL;
    if (pin_json_parse(line, strlen(line), arena, &tree, NULL) != PIN_OK) {
        return false;
    }
    noted->name = pin_tree_string(tree, "name", NULL);
    noted->type = pin_tree_string(tree, "type", NULL);
    (void)snprintf(line, LINE_MAX_BYTES, "%s", pin_tree_string(tree, "why", ""));
    read_reason(line, noted);
    return noted->name != NULL && noted->type != NULL;
}

/* Reads what is noted, or, where the name stands in words, the reason alone, as dnstap has it. */
static bool read_noted(
    const struct pin_ctl *ctl, char *line, struct pin_arena *arena, struct noted *noted)
{
    if (ctl->n_words == 0) {
        return line[0] == '{' ? read_json(line, arena, noted) : read_line(line, noted);
    }
    if (strchr(line, '"') != NULL) {
        return false; /* a whole line has a name of its own */
    }
    noted->name = ctl->words[0];
    noted->type = ctl->n_words > 1 ? ctl->words[1] : "A";
    read_reason(line, noted);
    return noted->from != NULL;
}

/* A view that no address has is a listener's, which takes all who come for the cluster's. */
static const char *asker_of(const struct noted *noted, const struct pin_tree *tree)
{
    const struct pin_tree *view = pin_tree_find(tree, "view");
    const char *cluster = view != NULL ? pin_tree_string(view, "cluster", "") : "";
    bool is_same = noted->view == NULL || view == NULL || strcmp(noted->view, cluster) == 0;
    return is_same ? noted->from : noted->view;
}

static void print_reason(const struct noted *noted, const struct pin_tree *tree)
{
    const char *now = pin_tree_string(tree, "why", NULL);
    if (noted->why == NULL || now == NULL) {
        return;
    }
    if (strcmp(noted->why, now) == 0) {
        (void)printf("\nwhy: %s, as it was noted\n", now);
    } else {
        (void)printf("\nwhy: %s; %s was noted: things are not as they were\n", now, noted->why);
    }
}

/* Explains it for the asker that was noted. */
static enum pin_ctl_exit explain_noted(const struct pin_ctl *ctl, const struct noted *noted)
{
    struct pin_ctl again = *ctl;
    struct pin_api_reply reply = {0};
    again.words[0] = noted->name;
    again.words[1] = noted->type;
    again.n_words = 2;
    again.from = noted->from;
    again.namespace_name = noted->namespace_name;
    enum pin_ctl_exit exit_code = fetch(&again, &reply);
    const char *asker = exit_code == PIN_CTL_OK ? asker_of(noted, reply.tree) : noted->from;
    if (asker != noted->from) {
        again.from = asker;
        pin_api_reply_done(&reply);
        reply = (struct pin_api_reply){0};
        exit_code = fetch(&again, &reply);
    }
    if (exit_code == PIN_CTL_OK) {
        exit_code = show(&again, &reply);
    }
    if (exit_code == PIN_CTL_OK && ctl->output == PIN_CTL_TABLE) {
        print_reason(noted, reply.tree);
    }
    pin_api_reply_done(&reply);
    return exit_code;
}

static enum pin_ctl_exit explain_line(const struct pin_ctl *ctl)
{
    char line[LINE_MAX_BYTES] = "";
    struct noted noted = {.name = NULL};
    struct pin_arena *arena = pin_arena_new("line", ARENA_BYTES);
    enum pin_ctl_exit exit_code = PIN_CTL_USAGE;
    if (strcmp(ctl->query, "-") != 0) {
        (void)snprintf(line, sizeof(line), "%s", ctl->query);
    } else if (fgets(line, sizeof(line), stdin) == NULL) {
        line[0] = '\0';
    }
    if (arena != NULL && read_noted(ctl, line, arena, &noted)) {
        exit_code = explain_noted(ctl, &noted);
    } else {
        (void)fprintf(stderr,
            ctl->n_words == 0 ? "pintlectl: that is no line of the query log with a question\n"
                              : "pintlectl: beside a NAME, --query takes the reason that dnstap "
                                "has: why=WORD ... from=ADDRESS\n");
    }
    pin_arena_free(arena);
    return exit_code;
}

enum pin_ctl_exit pin_ctl_explain(const struct pin_ctl *ctl)
{
    if (ctl->query != NULL) {
        return explain_line(ctl);
    }
    if (ctl->n_words == 0) {
        (void)fprintf(stderr,
            "pintlectl: explain wants a NAME, or --query with a line of the query "
            "log (- reads it)\n");
        return PIN_CTL_USAGE;
    }
    return explain(ctl);
}
