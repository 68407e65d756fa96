/* SPDX-License-Identifier: Apache-2.0 */

/*
 * IAMAuthPolicy and ResolvePolicy. Whatever their rules say wrong, the policy is kept and refuses:
 * dropping it would let everybody in. Only a target that cannot be read fails the object.
 */

#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/json.h"
#include "pintle/base/log.h"

#include "decoder.h"

#define POLICY_MAX_BYTES 65536u
#define ARENA_MAX_BYTES  ((size_t)8 << 20)
#define TEXT_MAX_BYTES   255u
#define CONDITIONS_MAX   255u
#define STATEMENTS_MAX   65535u
#define INVOKE           "vpc-lattice-svcs:Invoke"
#define TAG              "aws:PrincipalTag/"

/* What could be made of a part of a policy. */
enum sense {
    PIN_SENSE_READ,
    PIN_SENSE_NOT_ABOUT_US, /* another action: it says nothing here */
    PIN_SENSE_UNKNOWN,      /* it asks for something that no asker is known by */
    PIN_SENSE_BROKEN,
};

static enum sense worse(enum sense a, enum sense b)
{
    return a > b ? a : b;
}

/* A string is a list of one. */
static const struct pin_tree *first_value(const struct pin_tree *value)
{
    return value != NULL && value->kind == PIN_TREE_LIST ? value->first : value;
}

static const struct pin_tree *next_value(const struct pin_tree *value, const struct pin_tree *item)
{
    return value->kind == PIN_TREE_LIST ? item->next : NULL;
}

static size_t count_values(const struct pin_tree *value)
{
    return value->kind == PIN_TREE_LIST ? value->n_children : 1;
}

/* --- values of a condition ----------------------------------------------------------------------
 */

static enum sense read_texts(
    struct pin_decoder *self, const struct pin_tree *value, struct pin_policy_condition *condition)
{
    const char **texts = pin__decoder_array(self, count_values(value), sizeof(*texts));
    condition->texts = texts;
    for (const struct pin_tree *item = first_value(value); item != NULL && texts != NULL;
         item = next_value(value, item)) {
        const char *text = pin_tree_text(item, NULL);
        if (text == NULL || item->text_bytes > TEXT_MAX_BYTES) {
            return PIN_SENSE_BROKEN;
        }
        texts[condition->n_values] = pin_object_text(self->object, text, item->text_bytes);
        if (texts[condition->n_values++] == NULL) {
            return PIN_SENSE_BROKEN;
        }
    }
    return PIN_SENSE_READ;
}

static enum sense read_prefixes(
    struct pin_decoder *self, const struct pin_tree *value, struct pin_policy_condition *condition)
{
    struct pin_prefix *prefixes = pin__decoder_array(self, count_values(value), sizeof(*prefixes));
    condition->prefixes = prefixes;
    for (const struct pin_tree *item = first_value(value); item != NULL && prefixes != NULL;
         item = next_value(value, item)) {
        const char *text = pin_tree_text(item, NULL);
        if (text == NULL || !pin_prefix_parse(text, &prefixes[condition->n_values++])) {
            return PIN_SENSE_BROKEN;
        }
    }
    return PIN_SENSE_READ;
}

static enum sense read_values(struct pin_decoder *self, enum pin_policy_about about,
    bool is_pattern, const struct pin_tree *value, struct pin_policy_condition *ret)
{
    *ret = (struct pin_policy_condition){.about = about, .is_pattern = is_pattern};
    return about == PIN_POLICY_ABOUT_ADDRESS ? read_prefixes(self, value, ret)
                                             : read_texts(self, value, ret);
}

/* --- IAMAuthPolicy ------------------------------------------------------------------------------
 */

/* One key of an operator: "StringEquals": {"aws:PrincipalTag/eks-cluster-name": [...]}. */
static enum sense read_condition(struct pin_decoder *self, const char *operator,
    const struct pin_tree * value, struct pin_policy_condition *ret)
{
    bool is_like = strcmp(operator, "StringLike") == 0;
    bool is_string = is_like || strcmp(operator, "StringEquals") == 0;
    if (is_string && strcasecmp(value->key, TAG "eks-cluster-name") == 0) {
        return read_values(self, PIN_POLICY_ABOUT_CLUSTER, is_like, value, ret);
    }
    if (is_string && strcasecmp(value->key, TAG "kubernetes-namespace") == 0) {
        return read_values(self, PIN_POLICY_ABOUT_NAMESPACE, is_like, value, ret);
    }
    if (strcmp(operator, "IpAddress") == 0 && strcasecmp(value->key, "aws:SourceIp") == 0) {
        return read_values(self, PIN_POLICY_ABOUT_ADDRESS, false, value, ret);
    }
    return PIN_SENSE_UNKNOWN;
}

static enum sense read_conditions(
    struct pin_decoder *self, const struct pin_tree *map, struct pin_policy_statement *statement)
{
    size_t n = 0;
    enum sense sense = PIN_SENSE_READ;
    if (map == NULL) {
        return PIN_SENSE_READ;
    }
    PIN_TREE_EACH(operator, map)
    {
        n += operator->n_children;
        sense = worse(sense, operator->kind == PIN_TREE_MAP ? PIN_SENSE_READ : PIN_SENSE_BROKEN);
    }
    if (map->kind != PIN_TREE_MAP || sense != PIN_SENSE_READ || n > CONDITIONS_MAX) {
        return PIN_SENSE_BROKEN;
    }
    struct pin_policy_condition *conditions = pin__decoder_array(self, n, sizeof(*conditions));
    statement->conditions = conditions;
    PIN_TREE_EACH(operator, map)
    {
        PIN_TREE_EACH(value, operator)
        {
            if (conditions == NULL) {
                return PIN_SENSE_BROKEN;
            }
            sense = worse(sense,
                read_condition(self, operator->key, value, &conditions[statement->n_conditions++]));
        }
    }
    return sense;
}

/* Everybody is "*" or {"AWS": "*"}; who is behind any other principal cannot be known here. */
static enum sense read_principal(const struct pin_tree *principal)
{
    if (principal == NULL) {
        return PIN_SENSE_UNKNOWN;
    }
    if (principal->kind == PIN_TREE_MAP) {
        principal = principal->n_children == 1 ? principal->first : NULL;
    }
    for (const struct pin_tree *item = first_value(principal); item != NULL;
         item = next_value(principal, item)) {
        if (pin_tree_text_is(item, "*")) {
            return PIN_SENSE_READ;
        }
    }
    return PIN_SENSE_UNKNOWN;
}

static enum sense read_action(const struct pin_tree *action)
{
    if (action == NULL) {
        return PIN_SENSE_UNKNOWN;
    }
    for (const struct pin_tree *item = first_value(action); item != NULL;
         item = next_value(action, item)) {
        const char *text = pin_tree_text(item, "");
        if (strcmp(text, "*") == 0 || strcasecmp(text, INVOKE) == 0
            || strcasecmp(text, "vpc-lattice-svcs:*") == 0) {
            return PIN_SENSE_READ;
        }
        if (strchr(text, '*') != NULL || strchr(text, '?') != NULL) {
            return PIN_SENSE_UNKNOWN; /* another pattern: rare enough not to be matched */
        }
    }
    return PIN_SENSE_NOT_ABOUT_US;
}

/* Keys that change whom a statement means and are not understood: NotPrincipal and the like. */
static enum sense read_keys(const struct pin_tree *statement)
{
    static const char *const known[] = {
        "Sid", "Effect", "Principal", "Action", "Resource", "Condition"};
    PIN_TREE_EACH(child, statement)
    {
        bool is_known = false;
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
            is_known = is_known || strcmp(child->key, known[i]) == 0;
        }
        if (!is_known) {
            return PIN_SENSE_UNKNOWN;
        }
    }
    return PIN_SENSE_READ;
}

/*
 * Reads a statement. What an Allow asks for and nobody can show lets nobody in: the statement is
 * dropped. A Deny that cannot be judged makes the whole policy unreadable. The resource is the
 * target, or a path of it: resolving its name is needed for any.
 */
static enum sense read_statement(
    struct pin_decoder *self, const struct pin_tree *tree, struct pin_policy_statement *ret)
{
    *ret = (struct pin_policy_statement){0};
    if (tree->kind != PIN_TREE_MAP) {
        return PIN_SENSE_BROKEN;
    }
    const struct pin_tree *effect = pin_tree_find(tree, "Effect");
    ret->is_deny = pin_tree_text_is(effect, "Deny");
    if (!ret->is_deny && !pin_tree_text_is(effect, "Allow")) {
        return PIN_SENSE_BROKEN;
    }
    enum sense action = read_action(pin_tree_find(tree, "Action"));
    if (action == PIN_SENSE_NOT_ABOUT_US) {
        return PIN_SENSE_NOT_ABOUT_US;
    }
    enum sense sense = worse(action, read_principal(pin_tree_find(tree, "Principal")));
    sense = worse(sense, read_keys(tree));
    sense = worse(sense, read_conditions(self, pin_tree_find(tree, "Condition"), ret));
    return sense == PIN_SENSE_UNKNOWN && ret->is_deny ? PIN_SENSE_BROKEN : sense;
}

static bool read_statements(
    struct pin_decoder *self, const struct pin_tree *document, struct pin_policy_body *body)
{
    const struct pin_tree *list = pin_tree_find(document, "Statement");
    size_t n = list != NULL ? count_values(list) : 0;
    struct pin_policy_statement *statements = pin__decoder_array(self, n, sizeof(*statements));
    if (statements == NULL || n > STATEMENTS_MAX) {
        return false;
    }
    body->statements = statements;
    for (const struct pin_tree *item = first_value(list); item != NULL;
         item = next_value(list, item)) {
        enum sense sense = read_statement(self, item, &statements[body->n_statements]);
        if (sense == PIN_SENSE_BROKEN) {
            return false;
        }
        body->n_statements += sense == PIN_SENSE_READ;
    }
    return true;
}

/* spec.policy: the document as JSON in a string. */
static bool read_document(struct pin_decoder *self, struct pin_policy_body *body)
{
    const struct pin_tree *text = pin_tree_find(self->spec, "policy");
    struct pin_tree *document = NULL;
    if (text == NULL || text->kind != PIN_TREE_STRING || text->text_bytes > POLICY_MAX_BYTES) {
        return false;
    }
    struct pin_arena *arena = pin_arena_new("policy", ARENA_MAX_BYTES);
    bool is_ok = arena != NULL
                 && pin_json_parse(text->text, text->text_bytes, arena, &document, NULL) == PIN_OK
                 && document->kind == PIN_TREE_MAP && read_statements(self, document, body);
    pin_arena_free(arena);
    return is_ok;
}

/* --- targets ------------------------------------------------------------------------------------
 */

static bool read_target(struct pin_decoder *self, const struct pin_tree *item, void *element)
{
    struct pin_policy_target *target = element;
    target->kind = pin__decoder_name(self, item, "kind");
    target->name = pin__decoder_name(self, item, "name");
    return true;
}

static void note_unreadable(struct pin_decoder *self, bool is_read)
{
    struct pin_policy_body *body = &self->object->as.policy;
    body->is_unreadable = !is_read;
    if (!is_read && self->err == PIN_OK) {
        pin_log_warn("decode: %s: %s %s/%s: its rules cannot be read, so it refuses everybody",
            self->where, self->key.row->kind_text, self->key.namespace_name, self->key.name);
    }
}

void pin__decode_iam_policy(struct pin_decoder *self)
{
    struct pin_policy_body *body = &self->object->as.policy;
    const struct pin_tree *target = pin__decoder_map(self, self->spec, "targetRef");
    struct pin_policy_target *targets = pin__decoder_array(self, 1, sizeof(*targets));
    if (target == NULL || targets == NULL) {
        pin__decoder_fail(self, self->spec, "spec.targetRef", "is missing");
        return;
    }
    (void)read_target(self, target, targets);
    body->targets = targets;
    body->n_targets = 1;
    note_unreadable(self, read_document(self, body));
}

/* --- ResolvePolicy ------------------------------------------------------------------------------
 */

/* One entry of `allow`: who meets all the lists that it has. */
static bool read_allow(
    struct pin_decoder *self, const struct pin_tree *entry, struct pin_policy_statement *ret)
{
    static const struct {
        const char *key;
        enum pin_policy_about about;
    } lists[] = {{"clusters", PIN_POLICY_ABOUT_CLUSTER}, {"namespaces", PIN_POLICY_ABOUT_NAMESPACE},
        {"cidrs", PIN_POLICY_ABOUT_ADDRESS}};
    struct pin_policy_condition *conditions = pin__decoder_array(self, 3, sizeof(*conditions));
    size_t n_read = 0;
    if (entry->kind != PIN_TREE_MAP || conditions == NULL) {
        return false;
    }
    ret->conditions = conditions;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        const struct pin_tree *list = pin_tree_find(entry, lists[i].key);
        if (list == NULL) {
            continue;
        }
        n_read++;
        if (list->kind != PIN_TREE_LIST
            || read_values(self, lists[i].about, false, list, &conditions[ret->n_conditions++])
                   != PIN_SENSE_READ) {
            return false;
        }
    }
    return n_read == entry->n_children; /* a key that is not known may be meant to narrow */
}

static bool read_allows(struct pin_decoder *self, struct pin_policy_body *body)
{
    const struct pin_tree *list = pin_tree_find(self->spec, "allow");
    if (list == NULL || (list->kind == PIN_TREE_LIST && list->n_children == 0)) {
        return true; /* nobody */
    }
    struct pin_policy_statement *statements =
        pin__decoder_array(self, list->n_children, sizeof(*statements));
    if (list->kind != PIN_TREE_LIST || statements == NULL || list->n_children > STATEMENTS_MAX) {
        return false;
    }
    body->statements = statements;
    PIN_TREE_EACH(entry, list)
    {
        if (!read_allow(self, entry, &statements[body->n_statements++])) {
            return false;
        }
    }
    return true;
}

static bool read_words(struct pin_decoder *self, struct pin_policy_body *body)
{
    const char *mode = pin_tree_string(self->spec, "mode", "Enforce");
    const char *deny = pin_tree_string(self->spec, "deny", "");
    body->is_audit = strcmp(mode, "Audit") == 0;
    body->denied = strcmp(deny, "NXDomain") == 0 ? PIN_POLICY_DENIED_NXDOMAIN
                   : strcmp(deny, "Refuse") == 0 ? PIN_POLICY_DENIED_REFUSED
                                                 : PIN_POLICY_DENIED_UNSET;
    return (body->is_audit || strcmp(mode, "Enforce") == 0)
           && (body->denied != PIN_POLICY_DENIED_UNSET || deny[0] == '\0');
}

void pin__decode_resolve_policy(struct pin_decoder *self)
{
    struct pin_policy_body *body = &self->object->as.policy;
    const struct pin_tree *targets = pin__decoder_list(self, self->spec, "targetRefs");
    if (targets == NULL || targets->n_children == 0) {
        pin__decoder_fail(self, self->spec, "spec.targetRefs", "is missing");
        return;
    }
    body->targets = pin__decoder_elements(
        self, targets, "spec.targetRefs", sizeof(*body->targets), read_target, &body->n_targets);
    bool is_read = read_words(self, body);
    note_unreadable(self, read_allows(self, body) && is_read);
}
