/* SPDX-License-Identifier: Apache-2.0 */

/* What an object wants in the outside DNS, by external-dns's annotations and its own fields. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/arena.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"
#include "pintle/zones/claims.h"

#include "support/faults.h"

#define OLD "external-dns.alpha.kubernetes.io/"
#define NEW "external-dns.kubernetes.io/"

#define NOTES_MAX 4

static struct claim_case {
    const char *name; /* reads as a sentence in the test report */
    struct pin_claim_annotation notes[NOTES_MAX];
    const char *hostname; /* of its spec */
    const char *ips;      /* '4' and '6', as many as letters; 'h' a host */
    const char *assigned;
    const char *want; /* sets, a line each; then "invalid" for each name or target that is none */
} cases[] = {
    {"case 117: an annotation gives a name", {{OLD "hostname", "app.example.com"}}, NULL, "4", NULL,
        "app.example.com A 0 192.0.2.1\n"},
    {"case 116: so does one under the newer prefix", {{NEW "hostname", "app.example.com"}}, NULL,
        "4", NULL, "app.example.com A 0 192.0.2.1\n"},
    {"which counts where both are there",
        {{NEW "hostname", "new.example.com"}, {OLD "hostname", "old.example.com"}}, NULL, "4", NULL,
        "new.example.com A 0 192.0.2.1\n"},
    {"several names, each once", {{OLD "hostname", "b.example.com., A.example.com,b.example.com"}},
        "a.example.com", "4", NULL, "a.example.com A 0 192.0.2.1\nb.example.com A 0 192.0.2.1\n"},
    {"both families", {{OLD "hostname", "app.example.com"}}, NULL, "46", NULL,
        "app.example.com A 0 192.0.2.1\napp.example.com AAAA 0 2001:db8::1\n"},
    {"a load balancer with a name", {{OLD "hostname", "app.example.com"}}, NULL, "h", NULL,
        "app.example.com CNAME 0 lb.example.net\n"},
    {"addresses before names", {{OLD "hostname", "app.example.com"}}, NULL, "4h", NULL,
        "app.example.com A 0 192.0.2.1\n"},
    {"an assigned name before both", {{OLD "ttl", "1m"}}, "app.example.com", "46h",
        "app-shop.pintle.example.", "app.example.com CNAME 60 app-shop.pintle.example\n"},
    {"but not at an apex", {{0}}, "example.com", "46", "app-shop.pintle.example.",
        "example.com A 0 192.0.2.1\nexample.com AAAA 0 2001:db8::1\n"},
    {"a target before all", {{OLD "target", "192.0.2.9, 2001:db8::9"}}, "app.example.com", "46h",
        "app-shop.pintle.example.",
        "app.example.com A 0 192.0.2.9\napp.example.com AAAA 0 2001:db8::9\n"},
    {"weight and set id", {{OLD "set-identifier", "v1"}, {OLD "aws-weight", "80"}},
        "app.example.com", "4", NULL, "app.example.com A [v1] 0 192.0.2.1 aws/weight=80\n"},
    {"an alias that is none", {{OLD "alias", "false"}}, "app.example.com", "h", NULL,
        "app.example.com CNAME 0 lb.example.net\n"},
    {"an alias", {{OLD "alias", "true"}}, "app.example.com", "h", NULL,
        "app.example.com CNAME 0 lb.example.net alias=true\n"},
    {"another controller's object", {{OLD "controller", "other"}}, "app.example.com", "4", NULL,
        ""},
    {"ours by name", {{OLD "controller", "dns-controller"}}, "app.example.com", "4", NULL,
        "app.example.com A 0 192.0.2.1\n"},
    {"annotation-only",
        {{OLD "hostname", "note.example.com"}, {OLD "ingress-hostname-source", "annotation-only"}},
        "app.example.com", "4", NULL, "note.example.com A 0 192.0.2.1\n"},
    {"defined-hosts-only",
        {{OLD "hostname", "note.example.com"},
            {OLD "gateway-hostname-source", "defined-hosts-only"}},
        "app.example.com", "4", NULL, "app.example.com A 0 192.0.2.1\n"},
    {"a source that is none gives nothing", {{OLD "ingress-hostname-source", "both"}},
        "app.example.com", "4", NULL, ""},
    {"an internal name gets the ClusterIP", {{OLD "internal-hostname", "in.example.com"}}, NULL,
        "4", NULL, "in.example.com A 0 10.96.0.1\n"},
    {"without any target what was there is held", {{0}}, "app.example.com", "", NULL,
        "app.example.com A 0 holds c1\napp.example.com AAAA 0 holds c1\n"
        "app.example.com CNAME 0 holds c1\n"},
    {"no name, no set", {{0}}, NULL, "46", NULL, ""},
    {"names and targets that are none",
        {{OLD "hostname", "a..b,"}, {OLD "target", "x..y,192.0.2.9"}}, "app.example.com", "", NULL,
        "app.example.com A 0 192.0.2.9\ninvalid\ninvalid\n"},
    {"annotations of others", {{"example.com/hostname", "app.example.com"}}, NULL, "4", NULL, ""},
};

static void put_set(struct pin_text *out, const struct pin_recordset *set)
{
    pin_text_putf(out, "%s %s", set->name, set->type);
    if (*set->set_id != '\0') {
        pin_text_putf(out, " [%s]", set->set_id);
    }
    pin_text_putf(out, " %u", set->ttl_s);
    for (size_t i = 0; i < set->n_values; i++) {
        pin_text_putf(out, "%s%s", i == 0 ? " " : ",", set->values[i].text);
        assert_string_equal(set->values[i].clusters[0], "c1");
    }
    for (size_t i = 0; i < set->n_properties; i++) {
        pin_text_putf(out, " %s=%s", set->properties[i].name, set->properties[i].value);
    }
    for (size_t i = 0; i < set->n_holds; i++) {
        pin_text_putf(out, " holds %s", set->holds[i]);
    }
    pin_text_putc(out, '\n');
    assert_int_equal(set->n_sources, 1);
}

static void test_claim(void **state)
{
    static const char *const zones[] = {"example.com"};
    static const char *const hosts[] = {"LB.example.net."};
    const struct claim_case *c = *state;
    struct pin_arena *arena = pin_arena_new("test", 1 << 20);
    struct pin_ip ips[2];
    struct pin_ip internal;
    struct pin_claim_object object = {{"c1", "service", "shop", "app", 1, NULL}, &c->hostname,
        c->hostname != NULL, c->assigned, zones, 1, ips, 0, hosts, strchr(c->ips, 'h') != NULL,
        &internal, 1};
    struct pin_claim_notes notes;
    struct pin_claims claims;
    struct pin_text out = {0};
    size_t n_notes = 0;
    assert_true(pin_ip_parse("10.96.0.1", &internal));
    for (const char *at = c->ips; *at == '4' || *at == '6'; at++) {
        assert_true(pin_ip_parse(*at == '4' ? "192.0.2.1" : "2001:db8::1", &ips[object.n_ips++]));
    }
    while (n_notes < NOTES_MAX && c->notes[n_notes].key != NULL) {
        n_notes++;
    }
    assert_true(pin_claim_notes_read(arena, c->notes, n_notes, &notes));
    assert_true(pin_claims_make(arena, &object, &notes, &claims));
    pin_recordset_sort(claims.sets, claims.n_sets);
    for (size_t i = 0; i < claims.n_sets; i++) {
        put_set(&out, &claims.sets[i]);
    }
    for (size_t i = 0; i < claims.n_invalid; i++) {
        pin_text_puts(&out, "invalid\n");
    }
    assert_string_equal(pin_text_get(&out), c->want);
    pin_text_done(&out);
    pin_arena_free(arena);
}

static void test_ttl(void **state)
{
    static const struct {
        const char *text;
        uint32_t want;
    } rows[] = {{"60", 60}, {"1m", 60}, {"0", 0}, {"1h30m", 5400}, {"1.5s", 1}, {"1500ms", 1},
        {"0.5s", 0}, {"2147483647", 2147483647}, {"2147483648", 0}, {"", 0}, {"m", 0}, {"1x", 0},
        {"-1", 0}, {"1m30", 0}, {"1d", 0}, {"1 m", 0}, {"99999999999999999999999", 0}};
    (void)state;
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        assert_int_equal(pin_claim_ttl(rows[i].text), rows[i].want);
    }
}

static void test_records(void **state)
{
    static const char *const addresses[] = {"192.0.2.2", "192.0.2.1", "x"};
    static const char *const text[] = {"hello world"};
    static const char *const nothing[] = {"2001:db8::1"};
    static const struct pin_recordset_property weight[] = {{"aws/weight", "80"}};
    static const struct pin_claim_record records[] = {
        {"App.example.com.", "a", "v1", 60, addresses, 3, weight, 1},
        {"text.example.com", "TXT", NULL, 0, text, 1, NULL, 0},
        {"none.example.com", "A", NULL, 0, nothing, 1, NULL, 0},
        {"a..b", "A", NULL, 0, addresses, 1, NULL, 0},
        {"app.example.com", "A B", NULL, 0, addresses, 1, NULL, 0}};
    struct pin_recordset_source source = {"c1", "crd", "shop", "app", 1, NULL};
    struct pin_arena *arena = pin_arena_new("test", 1 << 20);
    struct pin_claims claims;
    struct pin_text out = {0};
    (void)state;
    assert_true(pin_claims_of_records(arena, &source, records, N_ELEMS(records), &claims));
    for (size_t i = 0; i < claims.n_sets; i++) {
        put_set(&out, &claims.sets[i]);
    }
    assert_string_equal(pin_text_get(&out),
        "app.example.com A [v1] 60 192.0.2.1,192.0.2.2 aws/weight=80\n"
        "text.example.com TXT 0 \"hello world\"\n"
        "none.example.com A 0 holds c1\n");
    assert_int_equal(claims.n_invalid, 4);
    pin_text_done(&out);
    pin_arena_free(arena);
}

/* "PREFIX0.1SUFFIX,PREFIX0.2SUFFIX,...": n of them. */
static void put_list(struct pin_text *out, unsigned n, const char *prefix, const char *suffix)
{
    for (unsigned i = 0; i < n; i++) {
        pin_text_putf(out, "%s%s%u.%u%s", i == 0 ? "" : ",", prefix, i / 250, i % 250 + 1, suffix);
    }
}

/* What an object with that many names and targets wants; all its texts are the arena's. */
static struct pin_claims claim_many(struct pin_arena *arena, unsigned n_names, unsigned n_targets)
{
    const struct pin_claim_object object = {.source = {"c1", "service", "shop", "app", 1, NULL}};
    struct pin_claim_notes notes;
    struct pin_claims claims;
    struct pin_text names = {0};
    struct pin_text targets = {0};
    put_list(&names, n_names, "n", ".example.com");
    put_list(&targets, n_targets, "10.0.", "");
    const struct pin_claim_annotation notes_in[] = {
        {NEW "hostname", pin_text_get(&names)}, {NEW "target", pin_text_get(&targets)}};
    assert_true(pin_claim_notes_read(arena, notes_in, N_ELEMS(notes_in), &notes));
    assert_true(pin_claims_make(arena, &object, &notes, &claims));
    pin_text_done(&names);
    pin_text_done(&targets);
    return claims;
}

/* One object's names times its targets do not fill the memory that is for all. */
static void test_very_many_names_and_targets(void **state)
{
    struct pin_arena *arena = pin_arena_new("test", (size_t)64 << 20);
    (void)state;
    struct pin_claims claims = claim_many(arena, 7000, 8000);
    assert_true(claims.is_oversized);
    assert_int_equal(claims.n_sets, 2 + 3 * 6998);
    for (size_t i = 0; i < claims.n_sets; i++) { /* those without targets hold what was there */
        assert_int_equal(claims.sets[i].n_values, i < 2 ? 8000 : 0);
        assert_int_equal(claims.sets[i].n_holds, i < 2 ? 0 : 1);
    }
    pin_arena_reset(arena);
    claims = claim_many(arena, 1, 30000); /* the first name has all */
    assert_int_equal(claims.n_sets, 1);
    assert_int_equal(claims.sets[0].n_values, 30000);
    assert_false(claims.is_oversized);
    pin_arena_reset(arena);
    claims = claim_many(arena, PIN_CLAIM_NAMES_MAX, 2);
    assert_int_equal(claims.n_sets, PIN_CLAIM_NAMES_MAX);
    assert_false(claims.is_oversized);
    pin_arena_reset(arena);
    claims = claim_many(arena, PIN_CLAIM_NAMES_MAX + 1, 2);
    assert_int_equal(claims.n_sets, PIN_CLAIM_NAMES_MAX);
    assert_true(claims.is_oversized);
    pin_arena_free(arena);
}

/* Wherever memory runs out, there are no claims rather than some of them. */
static void test_no_memory(void **state)
{
    static const struct pin_claim_annotation notes_in[] = {
        {OLD "hostname", "a.example.com,b.example.com"}, {OLD "aws-weight", "80"}};
    static const char *const targets[] = {"192.0.2.1", "192.0.2.2"};
    static const struct pin_claim_record record = {"a.example", "A", NULL, 0, targets, 2, NULL, 0};
    struct pin_claim_object object = {.source = {"c1", "service", "shop", "app", 1},
        .hosts = (const char *const[]){"lb.example.net"},
        .n_hosts = 1};
    bool is_done = false;
    (void)state;
    for (unsigned n_good = 0; !is_done; n_good++) {
        struct pin_arena *arena = pin_arena_new("test", 1 << 20);
        struct pin_claim_notes notes;
        struct pin_claims claims;
        pin_faults_start(n_good, 1);
        bool is_ok = pin_claim_notes_read(arena, notes_in, N_ELEMS(notes_in), &notes)
                     && pin_claims_make(arena, &object, &notes, &claims)
                     && pin_claims_of_records(arena, &object.source, &record, 1, &claims);
        is_done = pin_faults_stop() == 0;
        assert_int_equal(is_ok, is_done);
        pin_arena_free(arena);
    }
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + 4] = {
        {"case 118: a TTL is seconds or a duration, 0 the provider's", test_ttl, NULL, NULL, NULL},
        cmocka_unit_test(test_records), cmocka_unit_test(test_very_many_names_and_targets),
        cmocka_unit_test(test_no_memory)};
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[4 + i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_claim, .initial_state = &cases[i]};
    }
    return cmocka_run_group_tests_name("claims", tests, NULL, NULL);
}
