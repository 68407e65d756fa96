/* SPDX-License-Identifier: Apache-2.0 */

/* What people see of records: pages, metrics; claims as a provider would keep them; and what
 * happens when memory is out. */

#include "pintle/base/json.h"
#include "pintle/base/tree.h"

#include "recorder_world.h"
#include "support/faults.h"
#define APP "app.example.com A 60 192.0.2.1 from c1 service/shop/app 100\n"
#define WEB "web.example.com A 0 192.0.2.9 from c2 service/shop/web 100\n"

/* --- Pages ------------------------------------------------------------------------------------ */

typedef void page_fn(const struct pin_recorder *recorder, const struct pin_recorder_query *query,
    struct pin_jsonout *out);

static void overview(const struct pin_recorder *recorder, const struct pin_recorder_query *query,
    struct pin_jsonout *out)
{
    (void)query;
    pin_recorder_overview_json(recorder, out);
}

/* The page as a tree, in the arena. */
static struct pin_tree *show(struct world *world, page_fn *page,
    const struct pin_recorder_query *query, struct pin_arena *arena)
{
    const struct pin_recorder_query all = {0};
    struct pin_text text = {0};
    struct pin_tree *tree = NULL;
    struct pin_why why = {0};
    struct pin_jsonout json = pin_jsonout_init(&text);
    page(world->recorder, query != NULL ? query : &all, &json);
    assert_true(pin_jsonout_is_ok(&json));
    assert_int_equal(pin_json_parse(text.ptr, text.len, arena, &tree, &why), PIN_OK);
    pin_text_done(&text);
    return tree;
}

static const struct pin_tree *item(const struct pin_tree *tree, const char *list, size_t i)
{
    const struct pin_tree *items = pin_tree_find(tree, list);
    assert_non_null(items);
    assert_true(i < items->n_children);
    const struct pin_tree *child = items->first;
    for (; i > 0; i--) {
        child = child->next;
    }
    return child;
}

static void expect(const struct pin_tree *tree, const char *path, const char *want)
{
    const char *text = pin_tree_string(tree, path, NULL);
    assert_non_null(text);
    assert_string_equal(text, want);
}

static void test_pages(void **state)
{
    struct world *world = *state;
    struct pin_arena *arena = pin_arena_new("test", 64 << 20);
    world_zone(world, "web.example.com A 60 203.0.113.1\n");
    world_claim(world, APP WEB, "c3");
    world_run(world, 1);
    const struct pin_tree *entry = item(show(world, overview, NULL, arena), "items", 0);
    expect(entry, "records", "public");
    expect(entry, "provider", "test");
    expect(entry, "policy", "sync");
    const struct pin_tree *zone = item(entry, "zones", 0);
    expect(zone, "zone", "example.com");
    expect(zone, "state", "idle");
    expect(zone, "fault", "none");

    const struct pin_tree *list = show(world, pin_recorder_list_json, NULL, arena);
    const struct pin_tree *app = item(list, "items", 0);
    expect(app, "name", "app.example.com");
    expect(app, "state", "ready");
    expect(app, "owner", "demo");
    expect(item(pin_tree_find(app, "actual"), "values", 0), "text", "192.0.2.1");
    expect(item(app, "objects", 0), "cluster", "c1");
    const struct pin_tree *web = item(list, "items", 1);
    expect(web, "state", "conflict");
    expect(web, "conflict", "foreign");
    expect(item(pin_tree_find(web, "actual"), "values", 0), "text", "203.0.113.1");

    const struct pin_tree *plan = show(world, pin_recorder_plan_json, NULL, arena);
    assert_true(pin_tree_text_is(item(item(plan, "plans", 0), "unsynced", 0), "c3"));
    expect(item(plan, "changes", 0), "op", "create");
    expect(item(plan, "changes", 0), "result", "applied");
    expect(item(item(plan, "changes", 0), "txts", 0), "name", "a-app.example.com");
    expect(item(plan, "conflicts", 0), "kind", "foreign");
    expect(pin_tree_find(item(plan, "conflicts", 0), "object"), "name", "web");
    pin_arena_free(arena);
}

static void test_drift_page(void **state)
{
    struct world *world = *state;
    struct pin_arena *arena = pin_arena_new("test", 64 << 20);
    world_claim(world, APP, NULL);
    world_run(world, 1);
    world_zone(world, "app.example.com A 60 198.51.100.1\n");
    world_again(world);
    const struct pin_tree *one =
        item(show(world, pin_recorder_drift_json, NULL, arena), "items", 0);
    expect(one, "name", "app.example.com");
    expect(item(pin_tree_find(one, "expected"), "values", 0), "text", "192.0.2.1");
    expect(item(pin_tree_find(one, "found"), "values", 0), "text", "198.51.100.1");
    pin_arena_free(arena);
}

static void put_many(struct pin_text *out, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        pin_text_putf(out, "n%04u.example.com A 0 192.0.2.1 from c1 service/shop/n%u 100\n", i, i);
    }
}

/* Claims of which there are more than a text of the test can hold. */
static void claim_many(struct world *world, unsigned n)
{
    struct pin_arena *arena = pin_arena_new("claims", (size_t)1 << 28);
    struct pin_recordset *sets = pin_arena_alloc(arena, n * sizeof(*sets));
    for (unsigned i = 0; i < n; i += RECORDWORLD_SETS_MAX) {
        struct pin_text text = {0};
        size_t n_read = 0;
        put_many(&text, PIN_MIN(n - i, (unsigned)RECORDWORLD_SETS_MAX));
        struct pin_recordset *some = pin_recordworld_read(arena, text.ptr, &n_read);
        for (size_t k = 0; k < n_read; k++) {
            char name[64];
            (void)snprintf(name, sizeof(name), "n%05zu.example.com", i + k);
            some[k].name = pin_arena_strdup(arena, name);
            sets[i + k] = some[k];
        }
        pin_text_done(&text);
    }
    pin_recorder_set_claims(
        world->recorder, &(struct pin_recorder_claims){.sets = sets, .n_sets = n, .arena = arena});
}

/* A page has 1000 items; "next" leads through all of them, each once. */
static void test_paging(void **state)
{
    struct world *world = *state;
    struct pin_arena *arena = pin_arena_new("test", 256 << 20);
    static page_fn *const pages[] = {pin_recorder_list_json, pin_recorder_plan_json};
    static const char *const lists[] = {"items", "changes"};
    claim_many(world, 2500);
    world_run(world, 1);
    for (size_t p = 0; p < N_ELEMS(pages); p++) {
        struct pin_recorder_query query = {0};
        size_t n = 0;
        char last[64] = "";
        do {
            const struct pin_tree *page = show(world, pages[p], &query, arena);
            const struct pin_tree *items = pin_tree_find(page, lists[p]);
            PIN_TREE_EACH(child, items)
            {
                const char *name = pin_tree_string(child, "name", "");
                n++;
                assert_true(strcmp(last, name) < 0);
                (void)snprintf(last, sizeof(last), "%s", name);
            }
            query.after = pin_tree_string(page, "next", NULL);
        } while (query.after != NULL);
        assert_int_equal(n, 2500);
    }
    pin_arena_free(arena);
}

static void test_orders(void **state)
{
    static const struct {
        struct pin_recorder_order order;
        enum pin_err want;
    } rows[] = {
        {{.kind = PIN_RECORDER_APPLY}, PIN_OK},
        {{.kind = PIN_RECORDER_APPLY, .records = "public"}, PIN_OK},
        {{.kind = PIN_RECORDER_APPLY, .records = "other"}, PIN_ENOTFOUND},
        {{.kind = PIN_RECORDER_APPLY, .zone = "example.net"}, PIN_ENOTFOUND},
        {{.kind = PIN_RECORDER_APPLY, .hash = "0123456789abcdef"}, PIN_EINVAL},
        {{.kind = PIN_RECORDER_APPROVE, .records = "public", .zone = "example.com"}, PIN_EINVAL},
        {{.kind = PIN_RECORDER_APPROVE, .hash = "0123456789abcdef"}, PIN_EINVAL},
        {{.kind = PIN_RECORDER_ADOPT, .records = "public", .zone = "example.com"}, PIN_EINVAL},
    };
    struct world *world = *state;
    world_claim(world, APP, NULL);
    world_run(world, 1);
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        struct pin_text text = {0};
        struct pin_jsonout json = pin_jsonout_init(&text);
        struct pin_why why = {0};
        assert_int_equal(
            pin_recorder_order(world->recorder, &rows[i].order, &json, &why), rows[i].want);
        assert_true(rows[i].want == PIN_OK ? pin_jsonout_is_ok(&json) : why.text[0] != '\0');
        pin_text_done(&text);
    }
}

/* --- Metrics ---------------------------------------------------------------------------------- */

static void test_metrics(void **state)
{
    /* NOLINTBEGIN(bugprone-suspicious-missing-comma): one of them is long */
    static const char *const wants[] = {
        "pintle_records_owned{records=\"public\",zone=\"example.com\"} 1\n",
        "pintle_records_wanted{records=\"public\",zone=\"example.com\"} 2\n",
        "pintle_records{records=\"public\",zone=\"example.com\",state=\"ready\"} 1\n",
        "pintle_records_conflicts{records=\"public\",zone=\"example.com\",kind=\"foreign\"} 1\n",
        "pintle_records_changes_total{records=\"public\",zone=\"example.com\",op=\"create\","
        "result=\"applied\"} 1\n",
        "pintle_records_faults_total{records=\"public\",zone=\"example.com\",fault=\"denied\"} 0\n",
    };
    /* NOLINTEND(bugprone-suspicious-missing-comma) */
    static const char *const others[] = {
        "# HELP external_dns_controller_last_reconcile_timestamp_seconds Timestamp of last "
        "attempted sync with the DNS provider\n"
        "# TYPE external_dns_controller_last_reconcile_timestamp_seconds gauge\n",
        "# HELP external_dns_registry_errors_total Number of Registry errors.\n"
        "# TYPE external_dns_registry_errors_total counter\n",
        "# HELP external_dns_source_records Number of source records partitioned by label name "
        "(vector).\n# TYPE external_dns_source_records gauge\n",
        "external_dns_source_endpoints_total 2\n",
        "external_dns_controller_verified_records{record_type=\"a\"} 2\n",
        "external_dns_registry_errors_total 0\n",
    };
    struct world *world = *state;
    struct pin_text text = {0};
    world_zone(world, "web.example.com A 60 203.0.113.1\n");
    world_claim(world, APP WEB, NULL);
    world_run(world, 1);
    pin_recorder_metrics(world->recorder, &text);
    for (size_t i = 0; i < N_ELEMS(wants); i++) {
        if (strstr(text.ptr, wants[i]) == NULL) {
            fail_msg("no '%s' in:\n%s", wants[i], text.ptr);
        }
    }
    pin_text_cut(&text, 0);
    pin_recorder_metrics_external_dns(world->recorder, &text);
    for (size_t i = 0; i < N_ELEMS(others); i++) {
        if (strstr(text.ptr, others[i]) == NULL) {
            fail_msg("no '%s' in:\n%s", others[i], text.ptr);
        }
    }
    pin_text_done(&text);
}

/* --- What a provider would have otherwise ----------------------------------------------------- */

/* What a text's sets are adjusted to, as text. */
static void expect_adjusted(const char *claims_text, const char *told_text, const char *want)
{
    struct pin_arena *arena = pin_arena_new("test", 64 << 20);
    struct pin_arena *told_arena = pin_arena_new("test", 64 << 20);
    struct pin_text text = {0};
    size_t n = 0;
    struct pin_recordset *sets = pin_recordworld_read(arena, claims_text, &n);
    struct pin_recorder_sets *claims = pin_recorder_sets_new(arena, sets, n, "");
    sets = pin_recordworld_read(told_arena, told_text, &n);
    pin_recordset_sort(sets, n);
    struct pin_recorder_sets *told = pin_recorder_sets_new(told_arena, sets, n, "");
    struct pin_recorder_sets *asked = pin_recorder_ask(claims, "example.com");
    struct pin_recorder_sets *adjusted = pin_recorder_adjust(claims, asked, told);
    assert_non_null(adjusted);
    for (size_t i = 0; i < adjusted->n_sets; i++) {
        const struct pin_recordset *set = &adjusted->sets[i];
        pin_text_putf(&text, "%s %s %u", set->name, set->type, set->ttl_s);
        for (size_t k = 0; k < set->n_values; k++) {
            pin_text_putf(&text, " %s", set->values[k].text);
        }
        for (size_t k = 0; k < set->n_properties; k++) {
            pin_text_putf(&text, " %s=%s", set->properties[k].name, set->properties[k].value);
        }
        pin_text_puts(&text, "\n");
    }
    assert_string_equal(pin_text_get(&text), want);
    pin_text_done(&text);
    pin_recorder_sets_drop(adjusted);
    pin_recorder_sets_drop(asked);
    pin_recorder_sets_drop(claims);
    pin_recorder_sets_drop(told);
}

static void test_adjust(void **state)
{
    (void)state;
    expect_adjusted(APP WEB, "app.example.com A 300 192.0.2.1\nweb.example.com A 0 192.0.2.9\n",
        "app.example.com A 300 192.0.2.1\nweb.example.com A 0 192.0.2.9\n");
    /* each cluster keeps its own values */
    expect_adjusted(APP "app.example.com A 60 192.0.2.2 from c2 service/shop/app 100\n",
        "app.example.com A 120 192.0.2.1,192.0.2.2 x/y=z\n",
        "app.example.com A 120 192.0.2.1 x/y=z\napp.example.com A 120 192.0.2.2 x/y=z\n");
    /* an alias is another type */
    expect_adjusted("app.example.com CNAME 60 lb.example.net from c1 service/shop/app 100\n",
        "app.example.com PTR 0 lb.example.net alias=true\n",
        "app.example.com PTR 0 lb.example.net alias=true\n");
    /* or two of them, as addresses of both families */
    expect_adjusted("app.example.com CNAME 60 lb.example.net from c1 service/shop/app 100\n" WEB,
        "app.example.com NS 0 lb.example.net alias=true\n"
        "app.example.com PTR 0 lb.example.net alias=true\nweb.example.com A 0 192.0.2.9\n",
        "app.example.com NS 0 lb.example.net alias=true\n"
        "app.example.com PTR 0 lb.example.net alias=true\nweb.example.com A 0 192.0.2.9\n");
    /* what nothing was said about stays, and so does what is in another zone */
    expect_adjusted(APP "x.example.net A 7 192.0.2.1 from c1 service/shop/x 100\n", "",
        "app.example.com A 60 192.0.2.1\nx.example.net A 7 192.0.2.1\n");
}

/* Says of each set that was asked about that it would have another TTL. */
static enum pin_err adjust_ttls(struct pin_provider *provider, const struct pin_recordset *sets,
    size_t n_sets, const struct pin_provider_list_request *request,
    struct pin_provider_call **ret_call)
{
    enum pin_err err = world_list(provider, request, ret_call);
    struct world_call *call = (struct world_call *)*ret_call;
    call->wanted = sets;
    call->n_wanted = n_sets;
    return err;
}

static void test_what_a_provider_would_keep_is_what_is_planned(void **state)
{
    struct world *world = *state;
    struct pin_provider_ops ops = *world->provider->base.ops;
    ops.adjust = adjust_ttls;
    world->provider->base.ops = &ops;
    world_claim(world, APP WEB, NULL);
    world_run(world, 1);
    assert_int_equal(world->zone->adjusted->n_sets, 2);
    assert_int_equal(world->zone->adjusted->sets[0].ttl_s, WORLD_TTL_S);
    assert_null(world->zone->told);
    world_expect_row(world, "app.example.com", "A", "ready");
    world_again(world); /* the same claims are not asked about once more */
    assert_int_equal(world->provider->n_adjusts, 1);
    world_claim(world, APP, NULL);
    pin_recorder_zone_poke(world->zone, true);
    world_run_to(world, PIN_STAGE_ADJUSTING); /* and the end while a thread is at it */
    pin_recorder_free(world->recorder);
    world->recorder = NULL;
}

/* --- Memory ----------------------------------------------------------------------------------- */

/* Whatever allocation fails: a run goes wrong as a whole, and the next one goes well. */
static void test_memory(void **state)
{
    struct world *world = *state;
    world_claim(world, APP WEB, NULL);
    world_run(world, 1);
    for (unsigned n_good = 0; n_good < 60; n_good++) {
        const struct pin_recorder_zone *zone = world->zone;
        struct pin_recorder_run *run = calloc(1, sizeof(*run));
        static const char *const types[] = {"A"};
        *run = (struct pin_recorder_run){.input = {.zone = "example.com",
                                             .registry = &zone->entry->registry,
                                             .types = types,
                                             .n_types = 1,
                                             .delete_percent = 20},
            .listing = pin_recorder_sets_use(zone->listing),
            .claims = pin_recorder_sets_use(zone->entry->claims),
            .before = zone->shown};
        pin_faults_start(n_good, 1);
        pin_recorder_run_make(run);
        bool has_failed = pin_faults_stop() > 0;
        assert_int_equal(run->err, has_failed ? PIN_ENOMEM : PIN_OK);
        pin_recorder_run_free(run);
    }
}

/* The same of the loop's part: nothing is lost but time. */
static void test_memory_of_the_loop(void **state)
{
    struct world *world = *state;
    world_claim(world, APP, NULL);
    world_run(world, 1);
    for (unsigned i = 0; i < 80; i++) {
        uint64_t n_runs = world->zone->n_runs;
        world->provider->orders.has_faults = true;
        world->provider->orders.fault_after = i / 2;
        world->zone->backoff = (struct pin_backoff){0};
        world_zone(world, i % 4 < 2 ? "app.example.com A 60 198.51.100.1\n"
                                    : "app.example.com A 60 198.51.100.2\n");
        pin_recorder_zone_poke(world->zone, true);
        world_claim(world, i % 2 == 0 ? APP : APP WEB, NULL);
        world_run(world, n_runs + 1);
        (void)pin_faults_stop();
    }
    world->provider->orders.has_faults = false;
    world_claim(world, APP, NULL);
    while (world->zone->entry->errand != NULL || pin_recorder_zone_is_busy(world->zone)) {
        pin_loop_poll(world->loop, 10);
    }
    assert_int_equal(world_order(world, PIN_RECORDER_APPLY, NULL, NULL), PIN_OK);
    world_run(world, world->zone->n_runs + 1);
    world_expect_row(world, "app.example.com", "A", "ready");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pages, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_drift_page, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_paging, world_set_up_standby, world_tear_down),
        cmocka_unit_test_setup_teardown(test_orders, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_metrics, world_set_up, world_tear_down),
        cmocka_unit_test(test_adjust),
        cmocka_unit_test_setup_teardown(
            test_what_a_provider_would_keep_is_what_is_planned, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_memory, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_memory_of_the_loop, world_set_up, world_tear_down),
    };
    return cmocka_run_group_tests_name("recorder pages", tests, NULL, NULL);
}
