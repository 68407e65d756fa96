/* SPDX-License-Identifier: Apache-2.0 */

/* The roles of deploy/rbac, as text and as what they allow. */

#include "roles.h"

#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/tree.h"
#include "pintle/base/yaml.h"

#define ARENA_BYTES ((size_t)4 << 20)
#define RIGHTS_MAX  256

static const struct {
    const char *word;
    const char *file;
    const char *loss;
} rows[PIN_ROLE_MAX] = {
    [PIN_ROLE_LEASE] = {"lease", "write-lease.yaml", "nothing at all is written to this cluster"},
    [PIN_ROLE_ANNOTATIONS] = {"annotations", "write-annotations.yaml",
        "routes do not show their assigned names"},
    [PIN_ROLE_STATUS] = {"status", "write-status.yaml", "conditions are not kept up to date"},
    [PIN_ROLE_MCS] = {"mcs", "write-mcs.yaml",
        "exported services of other clusters are not imported here"},
    [PIN_ROLE_EVENTS] = {"events", "write-events.yaml", "conflicts show no Events"},
};

const char *pin_role_word(enum pin_role role)
{
    return rows[role].word;
}

const char *pin_role_loss(enum pin_role role)
{
    return rows[role].loss;
}

const struct pin_role_file *pin_role_find(enum pin_role role)
{
    for (size_t i = 0; i < pin_role_n_files; i++) {
        if (strcmp(pin_role_files[i].name, rows[role].file) == 0) {
            return &pin_role_files[i];
        }
    }
    return NULL;
}

static uint32_t bit_of(enum pin_role role)
{
    return UINT32_C(1) << role;
}

uint32_t pin_roles_of(const struct pin_write_switches *switches)
{
    uint32_t roles = 0;
    roles |= switches->annotations || switches->lattice ? bit_of(PIN_ROLE_ANNOTATIONS) : 0;
    roles |= switches->status ? bit_of(PIN_ROLE_STATUS) : 0;
    roles |= switches->mcs ? bit_of(PIN_ROLE_MCS) : 0;
    roles |= switches->events ? bit_of(PIN_ROLE_EVENTS) : 0;
    return roles != 0 || switches->cleans ? roles | bit_of(PIN_ROLE_LEASE) : 0;
}

/* The role of that word; PIN_ROLE_MAX: none. */
static enum pin_role find_word(const char *word, size_t bytes)
{
    int role = 0;
    while (role < PIN_ROLE_MAX
           && (strlen(rows[role].word) != bytes || strncmp(rows[role].word, word, bytes) != 0)) {
        role++;
    }
    return (enum pin_role)role;
}

static uint32_t all_roles(void)
{
    uint32_t roles = 0;
    for (int role = 0; role < PIN_ROLE_MAX; role++) {
        roles |= pin_role_find((enum pin_role)role) != NULL ? bit_of((enum pin_role)role) : 0;
    }
    return roles;
}

enum pin_err pin_roles_parse(const char *text, uint32_t *ret_roles, struct pin_why *why)
{
    uint32_t roles = bit_of(PIN_ROLE_LEASE);
    if (strcmp(text, "all") == 0) {
        *ret_roles = all_roles();
        return PIN_OK;
    }
    for (const char *at = text;; at++) {
        size_t bytes = strcspn(at, ",");
        enum pin_role role = find_word(at, bytes);
        if (role == PIN_ROLE_MAX || pin_role_find(role) == NULL) {
            return pin_why_set(why, PIN_EINVAL,
                "\"%.*s\" is nothing that is written back: annotations, status, mcs, lease%s or "
                "all",
                bytes < 64 ? (int)bytes : 64, at,
                pin_role_find(PIN_ROLE_EVENTS) != NULL ? ", events" : "");
        }
        roles |= bit_of(role);
        at += bytes;
        if (*at == '\0') {
            *ret_roles = roles;
            return PIN_OK;
        }
    }
}

/* --- What they allow ------------------------------------------------------------------------ */

static enum pin_err read_docs(const struct pin_role_file *file, struct pin_arena *arena,
    struct pin_tree **ret_docs, struct pin_why *why)
{
    enum pin_err err = pin_yaml_parse(file->text, file->text_bytes, arena, ret_docs, why);
    if (err != PIN_OK) {
        pin_why_wrap(why, "%s", file->name);
    }
    return err;
}

static bool is_role(const struct pin_tree *doc)
{
    const char *kind = pin_tree_string(doc, "kind", "");
    return strcmp(kind, "ClusterRole") == 0 || strcmp(kind, "Role") == 0;
}

/* "httproutes/status" -> the parts. False when memory is out. */
static bool split_resource(
    const char *resource, struct pin_arena *arena, struct pin_role_right *ret_right)
{
    const char *slash = strchr(resource, '/');
    ret_right->subresource = slash != NULL ? slash + 1 : "";
    ret_right->resource =
        slash == NULL ? resource : pin_arena_strndup(arena, resource, (size_t)(slash - resource));
    return ret_right->resource != NULL;
}

/* All verbs on one resource of a rule. */
static enum pin_err add_verbs(const struct pin_tree *rule, const struct pin_role_right *like,
    struct pin_role_rights *rights, struct pin_why *why)
{
    PIN_TREE_EACH(verb, pin_tree_list(rule, "verbs"))
    {
        if (rights->n == RIGHTS_MAX) {
            return pin_why_set(why, PIN_ELIMIT, "more than %d rights", RIGHTS_MAX);
        }
        rights->items[rights->n] = *like;
        rights->items[rights->n++].verb = pin_tree_text(verb, "");
    }
    return PIN_OK;
}

static enum pin_err add_rule(enum pin_role role, const struct pin_tree *doc,
    const struct pin_tree *rule, struct pin_arena *arena, struct pin_role_rights *rights)
{
    const struct pin_tree *groups = pin_tree_list(rule, "apiGroups");
    const struct pin_tree *names = pin_tree_list(rule, "resourceNames");
    enum pin_err err = PIN_OK;
    PIN_TREE_EACH(resource, pin_tree_list(rule, "resources"))
    {
        struct pin_role_right right = {.role = role,
            .group = pin_tree_text(groups == NULL ? NULL : groups->first, ""),
            .name = pin_tree_text(names == NULL ? NULL : names->first, ""),
            .is_in_home = strcmp(pin_tree_string(doc, "kind", ""), "Role") == 0};
        if (!split_resource(pin_tree_text(resource, ""), arena, &right)) {
            return PIN_ENOMEM;
        }
        err = err == PIN_OK ? add_verbs(rule, &right, rights, NULL) : err;
    }
    return err;
}

static enum pin_err add_doc(enum pin_role role, const struct pin_tree *doc, struct pin_arena *arena,
    struct pin_role_rights *rights)
{
    enum pin_err err = PIN_OK;
    if (!is_role(doc)) {
        return PIN_OK;
    }
    PIN_TREE_EACH(rule, pin_tree_list(doc, "rules"))
    {
        err = err == PIN_OK ? add_rule(role, doc, rule, arena, rights) : err;
    }
    return err;
}

static enum pin_err add_role(enum pin_role role, struct pin_arena *arena,
    struct pin_role_rights *rights, struct pin_why *why)
{
    struct pin_tree *docs = NULL;
    const struct pin_role_file *file = pin_role_find(role);
    enum pin_err err = file == NULL ? PIN_OK : read_docs(file, arena, &docs, why);
    if (err != PIN_OK || docs == NULL) {
        return err;
    }
    PIN_TREE_EACH(doc, docs)
    {
        err = err == PIN_OK ? add_doc(role, doc, arena, rights) : err;
    }
    return err;
}

enum pin_err pin_roles_rights(uint32_t roles, struct pin_arena *arena,
    struct pin_role_rights *ret_rights, struct pin_why *why)
{
    struct pin_role_rights rights = {
        .items = pin_arena_alloc(arena, RIGHTS_MAX * sizeof(*rights.items))};
    enum pin_err err = rights.items != NULL ? PIN_OK : PIN_ENOMEM;
    for (int role = 0; role < PIN_ROLE_MAX && err == PIN_OK; role++) {
        if ((roles & bit_of((enum pin_role)role)) != 0) {
            err = add_role((enum pin_role)role, arena, &rights, why);
        }
    }
    if (err == PIN_ENOMEM) {
        return pin_why_set(why, err, "no memory for roles");
    }
    *ret_rights = rights;
    return err;
}

/* --- As manifests --------------------------------------------------------------------------- */

/* Where the remarks above the first document end. */
static const char *skip_remarks(const char *text)
{
    while (*text == '#') {
        const char *end = strchr(text, '\n');
        text = end == NULL ? text + strlen(text) : end + 1;
    }
    return text;
}

static void put_binding(const struct pin_tree *role, const char *account_namespace,
    const char *account, struct pin_text *out)
{
    const char *kind = pin_tree_string(role, "kind", "");
    const char *name = pin_tree_string(role, "metadata.name", "");
    const char *home = pin_tree_string(role, "metadata.namespace", "");
    pin_text_putf(out,
        "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: %sBinding\nmetadata: {name: %s%s%s}\n"
        "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: %s, name: %s}\n"
        "subjects: [{kind: ServiceAccount, name: %s, namespace: %s}]\n",
        kind, name, home[0] != '\0' ? ", namespace: " : "", home, kind, name, account,
        account_namespace);
}

static enum pin_err print_role(enum pin_role role, const char *account_namespace,
    const char *account, struct pin_text *out, struct pin_why *why)
{
    struct pin_tree *docs = NULL;
    const struct pin_role_file *file = pin_role_find(role);
    struct pin_arena *arena = pin_arena_new("roles", ARENA_BYTES);
    enum pin_err err = arena == NULL ? pin_why_set(why, PIN_ENOMEM, "no memory for roles")
                                     : read_docs(file, arena, &docs, why);
    if (err == PIN_OK) {
        pin_text_putf(out, "---\n# Without it, %s.\n%s", rows[role].loss, skip_remarks(file->text));
    }
    PIN_TREE_EACH(doc, err == PIN_OK ? docs : NULL)
    {
        if (is_role(doc)) {
            put_binding(doc, account_namespace, account, out);
        }
    }
    pin_arena_free(arena);
    return err;
}

enum pin_err pin_roles_print(uint32_t roles, const char *account_namespace, const char *account,
    struct pin_text *out, struct pin_why *why)
{
    enum pin_err err = PIN_OK;
    for (int role = 0; role < PIN_ROLE_MAX && err == PIN_OK; role++) {
        if ((roles & bit_of((enum pin_role)role)) != 0 && pin_role_find((enum pin_role)role)) {
            err = print_role((enum pin_role)role, account_namespace, account, out, why);
        }
    }
    return err;
}
