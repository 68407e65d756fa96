/* SPDX-License-Identifier: Apache-2.0 */

/* Ownership as external-dns v0.20 writes it: names of TXT records, what they say, sealed or not. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/arena.h"
#include "pintle/base/macros.h"
#include "pintle/base/rand.h"
#include "pintle/zones/registry.h"

#define DEMO                                                                                       \
    "\"heritage=external-dns,external-dns/owner=demo,external-dns/resource=service/shop/app\""

static const uint8_t key[PIN_AES_KEY_BYTES] = "0123456789abcdef0123456789abcdef";
static const uint8_t other_key[PIN_AES_KEY_BYTES] = "0123456789abcdef0123456789abcdeX";

static struct name_case {
    const char *sentence; /* in the test report */
    const char *prefix;
    const char *suffix;
    const char *wildcard;
    const char *name;
    const char *type;
    const char *want; /* NULL: too long */
} names[] = {
    {"the type stands before the name", "", "", "", "app.example.com", "A", "a-app.example.com"},
    {"each type has its own", "", "", "", "app.example.com", "CNAME", "cname-app.example.com"},
    {"a prefix stands before the type", "txt-", "", "", "app.example.com", "AAAA",
        "txt-aaaa-app.example.com"},
    {"a prefix may be labels of its own", "x.", "", "", "app.example.com", "A",
        "x.a-app.example.com"},
    {"a suffix ends the first label", "", "-txt", "", "app.example.com", "A",
        "a-app-txt.example.com"},
    {"a suffix may be labels of its own", "", "-txt.own", "", "app.example.com", "A",
        "a-app-txt.own.example.com"},
    {"the type goes where the prefix says", "%{record_type}.own.", "", "", "app.example.com", "A",
        "a.own.app.example.com"},
    {"the type goes where the suffix says", "", "-%{record_type}-txt", "", "app.example.com", "MX",
        "app-mx-txt.example.com"},
    {"a star is replaced", "", "", "any", "*.example.com", "A", "a-any.example.com"},
    {"without a replacement it stays", "", "", "", "*.example.com", "A", "a-*.example.com"},
    {"a star inside is no wildcard", "", "", "any", "x*.example.com", "A", "a-x*.example.com"},
    {"the apex belongs to the label before it", "", "", "", "example.com", "A", "a-example.com"},
    {"the apex stays inside with a type as label", "%{record_type}.", "", "", "example.com", "A",
        "a.example.com"},
    {"a name of one label has no rest", "", "-x", "", "example", "A", "a-example-x"},
    {"an escaped dot does not end a label", "", "-x", "", "a\\.b.example", "A",
        "a-a\\.b-x.example"},
    {"the affixes count to the 63 bytes of a label", "", "", "",
        "x23456789012345678901234567890123456789012345678901234567890.example.com", "CNAME", NULL},
};

static void test_name(void **state)
{
    const struct name_case *c = *state;
    struct pin_registry registry = {
        .owner = "demo", .prefix = c->prefix, .suffix = c->suffix, .wildcard = c->wildcard};
    char txt[PIN_RECORDSET_NAME_MAX];
    char owned[PIN_RECORDSET_NAME_MAX];
    const char *type = NULL;
    enum pin_err err = pin_registry_name(&registry, PIN_REGISTRY_TYPED, c->name, c->type, txt);
    assert_int_equal(err, c->want == NULL ? PIN_ELIMIT : PIN_OK);
    if (c->want != NULL) {
        assert_string_equal(txt, c->want);
        assert_true(pin_registry_owned(&registry, txt, owned, &type));
        assert_string_equal(
            owned, strcmp(c->want, "a-any.example.com") == 0 ? "any.example.com" : c->name);
        assert_string_equal(type, c->type);
    }
}

static void test_legacy(void **state)
{
    struct pin_registry registry = {.owner = "demo", .prefix = "txt."};
    char txt[PIN_RECORDSET_NAME_MAX];
    const char *type = NULL;
    (void)state;
    assert_int_equal(
        pin_registry_name(&registry, PIN_REGISTRY_LEGACY, "app.example.com", "A", txt), PIN_OK);
    assert_string_equal(txt, "txt.app.example.com");
    assert_true(pin_registry_owned(&registry, txt, txt, &type));
    assert_string_equal(txt, "app.example.com");
    assert_string_equal(type, "");
    assert_false(pin_registry_owned(&registry, "app.example.com", txt, &type));
    registry.wildcard = "any";
    assert_true(pin_registry_is_reserved(&registry, "any.example.com"));
    assert_false(pin_registry_is_reserved(&registry, "anyone.example.com"));
    assert_false(pin_registry_is_reserved(&registry, "*.example.com"));
}

static struct read_case {
    const char *name;
    const char *value;
    enum pin_err err;
    const char *owner;
    const char *resource;
    const char *written; /* NULL: as it was */
} reads[] = {
    {"as external-dns writes it", DEMO, PIN_OK, "demo", "service/shop/app", NULL},
    {"in any order",
        "\"external-dns/resource=service/shop/app,external-dns/owner=demo,heritage=external-dns\"",
        PIN_OK, "demo", "service/shop/app", DEMO},
    {"in two strings",
        "\"heritage=external-dns,external-dns/ow\" "
        "\"ner=demo,external-dns/resource=service/shop/app\"",
        PIN_OK, "demo", "service/shop/app", DEMO},
    {"with quotes inside the quotes", "\"\\\"heritage=external-dns,external-dns/owner=demo\\\"\"",
        PIN_OK, "demo", NULL, "\"heritage=external-dns,external-dns/owner=demo\""},
    {"other labels stay", "\"heritage=external-dns,external-dns/a=1,external-dns/owner=demo\"",
        PIN_OK, "demo", NULL, NULL},
    {"labels of others go", "\"heritage=external-dns,external-dns/owner=demo,x/y=1\"", PIN_OK,
        "demo", NULL, "\"heritage=external-dns,external-dns/owner=demo\""},
    {"the last one of two counts",
        "\"heritage=external-dns,external-dns/owner=a,external-dns/owner=demo\"", PIN_OK, "demo",
        NULL, "\"heritage=external-dns,external-dns/owner=demo\""},
    {"a token with two = is none", "\"heritage=external-dns,external-dns/owner=a=b\"", PIN_OK, NULL,
        NULL, "\"heritage=external-dns\""},
    {"another heritage is not ours", "\"heritage=other,external-dns/owner=demo\"", PIN_ENOTFOUND,
        NULL, NULL, NULL},
    {"nor is one beside it", "\"heritage=external-dns,heritage=other\"", PIN_ENOTFOUND, NULL, NULL,
        NULL},
    {"nor a text with a quote in it", "\"heritage=external-dns,external-dns/owner=\\\"demo\"",
        PIN_ENOTFOUND, NULL, NULL, NULL},
    {"nor a text without heritage", "\"external-dns/owner=demo\"", PIN_ENOTFOUND, NULL, NULL, NULL},
    {"nor a text that only names it", "\"v=spf1 external-dns\"", PIN_ENOTFOUND, NULL, NULL, NULL},
    {"nor nothing", "\"\"", PIN_ENOTFOUND, NULL, NULL, NULL},
};

static void assert_text(const char *is, const char *want)
{
    if (want == NULL) {
        assert_null(is);
    } else {
        assert_string_equal(is, want);
    }
}

static void test_read(void **state)
{
    const struct read_case *c = *state;
    struct pin_registry registry = {.owner = "demo"};
    struct pin_registry_labels labels = {0};
    struct pin_arena *arena = pin_arena_new("test", 1 << 20);
    assert_int_equal(pin_registry_read(&registry, c->value, arena, &labels), c->err);
    if (c->err == PIN_OK) {
        assert_text(labels.owner, c->owner);
        assert_text(labels.resource, c->resource);
        assert_string_equal(pin_registry_write(&registry, &labels, arena),
            c->written == NULL ? c->value : c->written);
    }
    pin_arena_free(arena);
}

/* What external-dns v0.20.0 made of the labels of DEMO with that key and the nonce 00 01 .. 0b. */
#define SEALED                                                                                     \
    "AAECAwQFBgcICQoLMm6zfNkY0qyqIyV2uMJRNOoMwwF8FbROeBUx8Lr+9gMe14ju1Vz3iCtkSxAK2JyhyRnYANPw/PrU" \
    "vHC01RFWjrcXQYpx8tO8XWm34vhxDMf7Up+bSznl5IDW+Vhx88dFwp5GSCJVV15n"

static void test_sealed(void **state)
{
    struct pin_registry registry = {.owner = "demo", .key = key};
    struct pin_registry_labels labels = {0};
    struct pin_arena *arena = pin_arena_new("test", 1 << 20);
    (void)state;
    assert_int_equal(pin_registry_read(&registry, "\"" SEALED "\"", arena, &labels), PIN_OK);
    assert_string_equal(labels.owner, "demo");
    assert_string_equal(labels.resource, "service/shop/app");
    const char *sealed = pin_registry_write(&registry, &labels, arena);
    assert_string_equal(sealed, pin_registry_write(&registry, &labels, arena));
    assert_null(strstr(sealed, "demo"));
    memset(&labels, 0, sizeof(labels));
    assert_int_equal(pin_registry_read(&registry, sealed, arena, &labels), PIN_OK);
    assert_string_equal(labels.owner, "demo");
    labels.owner = "demo2"; /* another text, another nonce */
    assert_memory_not_equal(pin_registry_write(&registry, &labels, arena), sealed, 16);
    assert_int_equal(pin_registry_read(&registry, DEMO, arena, &labels), PIN_OK);
    registry.key = other_key;
    assert_int_equal(pin_registry_read(&registry, sealed, arena, &labels), PIN_ENOTFOUND);
    registry.key = NULL;
    assert_int_equal(pin_registry_read(&registry, sealed, arena, &labels), PIN_ENOTFOUND);
    pin_arena_free(arena);
}

static const char *random_word(struct pin_arena *arena, uint32_t n_max)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-./_";
    uint32_t n = 1 + pin_rand_below(n_max);
    char *word = pin_arena_alloc(arena, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        word[i] = letters[pin_rand_below(sizeof(letters) - 1)];
    }
    return word;
}

/* Labels of any length survive writing and reading, plain and sealed. */
static void test_round_trip(void **state)
{
    struct pin_arena *arena = pin_arena_new("test", 4 << 20);
    (void)state;
    pin_rand_seed(116);
    for (unsigned i = 0; i < 2000; i++) {
        struct pin_registry registry = {.owner = "demo", .key = i % 2 == 0 ? NULL : key};
        struct pin_registry_label others[] = {{"a", random_word(arena, 20)}, {"z", "1"}};
        struct pin_registry_labels labels = {
            random_word(arena, 20), random_word(arena, 300), NULL, others, pin_rand_below(3)};
        struct pin_registry_labels again = {0};
        const char *value = pin_registry_write(&registry, &labels, arena);
        assert_non_null(value);
        assert_int_equal(pin_registry_read(&registry, value, arena, &again), PIN_OK);
        assert_string_equal(again.owner, labels.owner);
        assert_string_equal(again.resource, labels.resource);
        assert_null(again.origins);
        assert_int_equal(again.n_others, labels.n_others);
        assert_string_equal(pin_registry_write(&registry, &again, arena), value);
        pin_arena_reset(arena);
    }
    pin_arena_free(arena);
}

static void test_check(void **state)
{
    struct pin_registry registry = {.owner = "demo"};
    struct pin_why why = {0};
    (void)state;
    assert_int_equal(pin_registry_check(&registry, &why), PIN_OK);
    registry.owner = "a,b";
    assert_int_equal(pin_registry_check(&registry, &why), PIN_EINVAL);
    registry.owner = NULL;
    assert_int_equal(pin_registry_check(&registry, &why), PIN_EINVAL);
    registry = (struct pin_registry){.owner = "demo", .prefix = "a", .suffix = "b"};
    assert_int_equal(pin_registry_check(&registry, &why), PIN_EINVAL);
}

/* --- Who gave which value ------------------------------------------------------------------- */

static const char *const c1[] = {"c1"};
static const char *const c2[] = {"c2"};
static const char *const both[] = {"c1", "c2"};

/* Writes the set's origins and reads them into a copy of it. */
static const char *through(
    struct pin_recordset *set, struct pin_registry_labels *labels, struct pin_arena *arena)
{
    struct pin_registry registry = {.owner = "demo"};
    const char *value = pin_registry_write_origins(&registry, labels, set, arena);
    struct pin_registry_labels again = {0};
    assert_non_null(value);
    assert_int_equal(pin_registry_read(&registry, value, arena, &again), PIN_OK);
    assert_text(again.origins, labels->origins);
    assert_true(pin_registry_read_origins(again.origins, set, arena));
    return again.origins;
}

static void test_origins(void **state)
{
    struct pin_arena *arena = pin_arena_new("test", 1 << 20);
    struct pin_registry_labels labels = {.owner = "demo", .resource = "service/shop/app"};
    struct pin_recordset_value values[] = {
        {"192.0.2.1", both, 2}, {"192.0.2.2", c2, 1}, {"192.0.2.3", c1, 1}};
    struct pin_recordset set = {.values = values, .n_values = 3};
    (void)state;
    (void)through(&set, &labels, arena);
    assert_int_equal(values[0].n_clusters, 2);
    assert_int_equal(values[1].n_clusters, 1);
    assert_string_equal(values[1].clusters[0], "c2");
    assert_string_equal(values[2].clusters[0], "c1");
    set.n_values = 1;
    assert_string_equal(through(&set, &labels, arena), "c1_c2");
    values[0].text = "192.0.2.9"; /* put there by hand: of which nobody is said to have given it */
    assert_true(pin_registry_read_origins("c1:0000_c2", &set, arena));
    assert_int_equal(values[0].n_clusters, 1);
    assert_true(pin_registry_read_origins(":_c:zz_", &set, arena));
    assert_int_equal(values[0].n_clusters, 0);
    assert_true(pin_registry_read_origins(NULL, &set, arena));
    assert_int_equal(values[0].n_clusters, 0);
    assert_true(pin_registry_read_origins("c2_c1_c2", &set, arena));
    assert_int_equal(values[0].n_clusters, 2); /* sorted, each once */
    assert_string_equal(values[0].clusters[0], "c1");
    pin_arena_free(arena);
}

/* A label as long as a TXT record can be takes memory for what it says, not for its square. */
static void test_origins_of_many(void **state)
{
    struct pin_arena *arena = pin_arena_new("test", 1 << 20);
    struct pin_recordset_value values[] = {{.text = "192.0.2.1"}, {.text = "192.0.2.2"}};
    struct pin_recordset set = {.values = values, .n_values = 2};
    char label[8192] = "";
    size_t bytes = 0;
    (void)state;
    for (unsigned i = 0; i < 1300; i++) {
        bytes += (size_t)snprintf(label + bytes, sizeof(label) - bytes, "c%04u_", 1299 - i);
    }
    assert_true(pin_registry_read_origins(label, &set, arena));
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(values[i].n_clusters, 1300);
        assert_string_equal(values[i].clusters[0], "c0000");
        assert_string_equal(values[i].clusters[1299], "c1299");
    }
    pin_arena_free(arena);
}

/* What does not fit into one string is said less exactly, then not at all. */
static void test_origins_too_long(void **state)
{
    struct pin_arena *arena = pin_arena_new("test", 1 << 20);
    struct pin_registry_labels labels = {.owner = "demo", .resource = "service/shop/app"};
    struct pin_recordset_value values[40];
    char texts[N_ELEMS(values)][16];
    struct pin_recordset set = {.values = values, .n_values = N_ELEMS(values)};
    (void)state;
    for (size_t i = 0; i < N_ELEMS(values); i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "192.0.2.%zu", i);
        values[i] = (struct pin_recordset_value){texts[i], i % 2 == 0 ? c1 : c2, 1};
    }
    assert_string_equal(through(&set, &labels, arena), "c1_c2");
    assert_int_equal(values[0].n_clusters, 2);
    char *resource = pin_arena_alloc(arena, 250);
    memset(resource, 'r', 249);
    labels.resource = resource;
    values[0].clusters = c1;
    values[0].n_clusters = 1;
    assert_null(through(&set, &labels, arena));
    assert_int_equal(values[0].n_clusters, 0);
    pin_arena_free(arena);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(names) + N_ELEMS(reads) + 7] = {{0}};
    for (size_t i = 0; i < N_ELEMS(names); i++) {
        tests[i] = (struct CMUnitTest){
            .name = names[i].sentence, .test_func = test_name, .initial_state = &names[i]};
    }
    for (size_t i = 0; i < N_ELEMS(reads); i++) {
        tests[N_ELEMS(names) + i] = (struct CMUnitTest){
            .name = reads[i].name, .test_func = test_read, .initial_state = &reads[i]};
    }
    struct CMUnitTest others[] = {
        cmocka_unit_test(test_legacy),
        cmocka_unit_test(test_sealed),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_origins_of_many),
        cmocka_unit_test(test_origins_too_long),
    };
    memcpy(&tests[N_ELEMS(names) + N_ELEMS(reads)], others, sizeof(others));
    return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}
