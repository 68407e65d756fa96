/* SPDX-License-Identifier: Apache-2.0 */

/* What writing back must be allowed is what deploy/rbac ships, read and printed from one text. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/arena.h"
#include "pintle/base/file.h"
#include "pintle/base/macros.h"
#include "pintle/base/tree.h"
#include "pintle/base/yaml.h"

#include "sync/decode.h"
#include "sync/roles.h"

#define ARENA_BYTES ((size_t)8 << 20)
#define BIT(role)   (UINT32_C(1) << (role))
#define FILE_MAX    ((size_t)1 << 20)

static struct pin_role_rights read_rights(uint32_t roles, struct pin_arena *arena)
{
    struct pin_role_rights rights = {0};
    struct pin_why why = {0};
    if (pin_roles_rights(roles, arena, &rights, &why) != PIN_OK) {
        fail_msg("%s", why.text);
    }
    return rights;
}

static bool has_right(
    const struct pin_role_rights *rights, const char *verb, const char *group, const char *resource)
{
    for (size_t i = 0; i < rights->n; i++) {
        const struct pin_role_right *right = &rights->items[i];
        if (strcmp(right->verb, verb) == 0 && strcmp(right->group, group) == 0
            && strcmp(right->resource, resource) == 0) {
            return true;
        }
    }
    return false;
}

/* A role that allows nothing, or a verb nobody has heard of, is a file that was read wrongly. */
static void test_every_file(void **state)
{
    static const char verbs[] = " create patch update delete get ";
    struct pin_arena *arena = pin_arena_new("test", ARENA_BYTES);
    size_t n_files = 0;
    (void)state;
    for (int role = 0; role < PIN_ROLE_MAX; role++) {
        struct pin_role_rights rights = read_rights(BIT(role), arena);
        bool is_shipped = pin_role_find((enum pin_role)role) != NULL;
        assert_int_equal(is_shipped, rights.n > 0);
        n_files += is_shipped ? 1 : 0;
        for (size_t i = 0; i < rights.n; i++) {
            char word[32];
            (void)snprintf(word, sizeof(word), " %s ", rights.items[i].verb);
            assert_non_null(strstr(verbs, word));
            assert_true(rights.items[i].resource[0] != '\0');
            assert_int_equal(rights.items[i].is_in_home, role == PIN_ROLE_LEASE);
        }
    }
    assert_int_equal(n_files, pin_role_n_files); /* each file belongs to a switch */
    pin_arena_free(arena);
}

static void test_what_requests_need(void **state)
{
    static const struct {
        enum pin_role role;
        const char *verb;
        const char *group;
        const char *resource;
    } needs[] = {
        {PIN_ROLE_ANNOTATIONS, "patch", "gateway.networking.k8s.io", "httproutes"},
        {PIN_ROLE_STATUS, "patch", "multicluster.x-k8s.io", "serviceexports"},
        {PIN_ROLE_MCS, "create", "multicluster.x-k8s.io", "serviceimports"},
        {PIN_ROLE_MCS, "delete", "", "services"},
        {PIN_ROLE_MCS, "patch", "discovery.k8s.io", "endpointslices"},
        {PIN_ROLE_LEASE, "create", "coordination.k8s.io", "leases"},
        {PIN_ROLE_LEASE, "update", "coordination.k8s.io", "leases"},
    };
    struct pin_arena *arena = pin_arena_new("test", ARENA_BYTES);
    (void)state;
    for (size_t i = 0; i < N_ELEMS(needs); i++) {
        struct pin_role_rights rights = read_rights(BIT(needs[i].role), arena);
        assert_true(has_right(&rights, needs[i].verb, needs[i].group, needs[i].resource));
    }
    struct pin_role_rights lease = read_rights(BIT(PIN_ROLE_LEASE), arena);
    assert_string_equal(lease.items[0].name, ""); /* one that is made has no name yet */
    assert_string_equal(lease.items[1].name, "pintle-writer");
    struct pin_role_rights status = read_rights(BIT(PIN_ROLE_STATUS), arena);
    assert_string_equal(status.items[0].subresource, "status");
    pin_arena_free(arena);
}

/* --- Reading -------------------------------------------------------------------------------- */

static bool lets_see(const struct pin_tree *rules, const struct pin_kind_row *row)
{
    bool is_there = false;
    PIN_TREE_EACH(rule, rules)
    {
        bool is_group = pin_tree_text_is(pin_tree_list(rule, "apiGroups")->first, row->group);
        PIN_TREE_EACH(resource, is_group ? pin_tree_list(rule, "resources") : NULL)
        {
            is_there = is_there || pin_tree_text_is(resource, row->plural);
        }
    }
    return is_there;
}

/* The kinds that deploy/rbac/read.yaml lets us see are those that the decoder knows. */
static void test_reading(void **state)
{
    struct pin_arena *arena = pin_arena_new("test", ARENA_BYTES);
    struct pin_tree *docs = NULL;
    struct pin_why why = {0};
    char path[512];
    char *text = NULL;
    size_t bytes = 0;
    size_t n = 0;
    const char *source = getenv("PINTLE_SOURCE_DIR");
    (void)state;
    (void)snprintf(path, sizeof(path), "%s/deploy/rbac/read.yaml", source == NULL ? "." : source);
    assert_int_equal(pin_file_read(path, FILE_MAX, &text, &bytes, &why), PIN_OK);
    assert_int_equal(pin_yaml_parse(text, bytes, arena, &docs, &why), PIN_OK);
    const struct pin_tree *rules = pin_tree_list(docs->first, "rules");
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        const struct pin_kind_row *row = pin_decode_row((enum pin_kind)kind);
        if (!lets_see(rules, row)) {
            fail_msg("read.yaml does not let us see %s", row->resource);
        }
    }
    PIN_TREE_EACH(rule, rules)
    {
        n += pin_tree_list(rule, "resources")->n_children;
        const struct pin_tree *verbs = pin_tree_list(rule, "verbs");
        assert_int_equal(verbs->n_children, 2);
        assert_true(pin_tree_text_is(verbs->first, "list"));
        assert_true(pin_tree_text_is(verbs->last, "watch"));
    }
    assert_int_equal(n, PIN_KIND_MAX); /* and no other */
    free(text);
    pin_arena_free(arena);
}

/* --- Words ---------------------------------------------------------------------------------- */

static struct word_case {
    const char *name; /* reads as a sentence in the test report */
    const char *text;
    uint32_t roles; /* 0: refused */
} word_cases[] = {
    {"each part needs the Lease", "mcs", BIT(PIN_ROLE_MCS) | BIT(PIN_ROLE_LEASE)},
    {"parts are separated by commas", "annotations,status",
        BIT(PIN_ROLE_ANNOTATIONS) | BIT(PIN_ROLE_STATUS) | BIT(PIN_ROLE_LEASE)},
    {"the Lease alone may be named", "lease", BIT(PIN_ROLE_LEASE)},
    {"a word that is none is refused", "annotations,statuses", 0},
    {"half a word is none", "stat", 0},
    {"nothing is none", "", 0},
    {"nothing behind a comma is none", "mcs,", 0},
};

static void test_words(void **state)
{
    const struct word_case *c = *state;
    uint32_t roles = 0;
    struct pin_why why = {0};
    enum pin_err err = pin_roles_parse(c->text, &roles, &why);
    assert_int_equal(err, c->roles == 0 ? PIN_EINVAL : PIN_OK);
    assert_int_equal(roles, c->roles);
    assert_int_equal(why.text[0] != '\0', c->roles == 0);
}

static void test_all(void **state)
{
    uint32_t roles = 0;
    (void)state;
    assert_int_equal(pin_roles_parse("all", &roles, NULL), PIN_OK);
    for (int role = 0; role < PIN_ROLE_MAX; role++) {
        assert_int_equal((roles & BIT(role)) != 0, pin_role_find((enum pin_role)role) != NULL);
    }
}

static struct switch_case {
    const char *name; /* reads as a sentence in the test report */
    struct pin_write_switches switches;
    uint32_t roles;
} switch_cases[] = {
    {"with all switches off nothing is needed", {0}, 0},
    {"both annotations are one role", {.lattice = true},
        BIT(PIN_ROLE_ANNOTATIONS) | BIT(PIN_ROLE_LEASE)},
    {"mcs and status are two", {.mcs = true, .status = true},
        BIT(PIN_ROLE_MCS) | BIT(PIN_ROLE_STATUS) | BIT(PIN_ROLE_LEASE)},
    {"who only cleans up is the writer, too", {.cleans = true}, BIT(PIN_ROLE_LEASE)},
};

static void test_switches(void **state)
{
    const struct switch_case *c = *state;
    assert_int_equal(pin_roles_of(&c->switches), c->roles);
}

/* --- Print ---------------------------------------------------------------------------------- */

/* What is printed says what the shipped files say, and binds it. */
static void test_print(void **state)
{
    struct pin_arena *arena = pin_arena_new("test", ARENA_BYTES);
    struct pin_tree *docs = NULL;
    struct pin_text out = {0};
    struct pin_why why = {0};
    uint32_t roles = 0;
    size_t n_roles = 0;
    size_t n_bindings = 0;
    (void)state;
    assert_int_equal(pin_roles_parse("all", &roles, &why), PIN_OK);
    assert_int_equal(pin_roles_print(roles, "pintle", "reader", &out, &why), PIN_OK);
    assert_int_equal(pin_yaml_parse(out.ptr, out.len, arena, &docs, &why), PIN_OK);
    PIN_TREE_EACH(doc, docs)
    {
        const char *kind = pin_tree_string(doc, "kind", "");
        n_roles += strcmp(kind, "Role") == 0 || strcmp(kind, "ClusterRole") == 0 ? 1 : 0;
        if (strstr(kind, "Binding") == NULL) {
            continue;
        }
        n_bindings++;
        assert_string_equal(pin_tree_string(doc, "roleRef.name", ""),
            pin_tree_string(doc, "metadata.name", "none"));
        const struct pin_tree *who = pin_tree_list(doc, "subjects")->first;
        assert_string_equal(pin_tree_string(who, "name", ""), "reader");
        assert_string_equal(pin_tree_string(who, "namespace", ""), "pintle");
        assert_string_equal(pin_tree_string(doc, "metadata.namespace", ""),
            strcmp(kind, "RoleBinding") == 0 ? "pintle-system" : "");
    }
    assert_int_equal(n_roles, pin_role_n_files);
    assert_int_equal(n_bindings, n_roles);
    assert_null(strstr(out.ptr, "kubectl create")); /* the bindings are there already */
    pin_text_done(&out);
    pin_arena_free(arena);
}

int main(void)
{
    struct CMUnitTest tests[5 + N_ELEMS(word_cases) + N_ELEMS(switch_cases)] = {
        cmocka_unit_test(test_every_file), cmocka_unit_test(test_what_requests_need),
        cmocka_unit_test(test_reading), cmocka_unit_test(test_all), cmocka_unit_test(test_print)};
    struct CMUnitTest *next = tests + 5;
    for (size_t i = 0; i < N_ELEMS(word_cases); i++) {
        *next++ = (struct CMUnitTest){word_cases[i].name, test_words, NULL, NULL, &word_cases[i]};
    }
    for (size_t i = 0; i < N_ELEMS(switch_cases); i++) {
        *next++ =
            (struct CMUnitTest){switch_cases[i].name, test_switches, NULL, NULL, &switch_cases[i]};
    }
    return cmocka_run_group_tests_name("roles", tests, NULL, NULL);
}
