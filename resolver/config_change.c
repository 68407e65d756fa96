/* SPDX-License-Identifier: Apache-2.0 */

/* What differs between two configurations, and what of it needs another process. */

#include "resolver/config_change.h"

#include <string.h>
#include <unistd.h>

#include "pintle/base/compare.h"
#include "pintle/base/tree.h"

#include "resolver/config_describe.h"

/* Whether both say the same, in the same order; comments and style do not count. Depth is the
 * parser's. */
static bool are_equal(
    const struct pin_tree *a, const struct pin_tree *b) // NOLINT(misc-no-recursion)
{
    if (a == NULL || b == NULL) {
        return a == b;
    }
    if (a->kind != b->kind || a->n_children != b->n_children || !pin_is_same_text(a->key, b->key)
        || !pin_is_same_text(a->text, b->text)) {
        return false;
    }
    const struct pin_tree *other = b->first;
    PIN_TREE_EACH(child, a)
    {
        if (!are_equal(child, other)) {
            return false;
        }
        other = other->next;
    }
    return true;
}

bool pin_config_differs(const struct pin_config *a, const struct pin_config *b, const char *path)
{
    return !are_equal(pin_tree_path(a->tree, path), pin_tree_path(b->tree, path));
}

const char *pin_config_needs_process(void)
{
    return getpid() == 1 ? "a change needs a restart: start the container anew ('kubectl rollout "
                           "restart'), its first process is not replaced"
                         : "a change needs a replacement ('pintlectl replace --wait')";
}

struct comparison {
    const struct pin_config *old;
    const struct pin_config *now;
    struct pin_findings *findings;
};

static void find_kept(void *arg, const struct pin_option_place *place)
{
    const struct comparison *comparison = arg;
    if (!place->option->is_kept
        || !pin_config_differs(comparison->old, comparison->now, place->path)) {
        return;
    }
    const struct pin_tree *node = pin_tree_path(comparison->now->tree, place->path);
    pin_findings_add(comparison->findings, comparison->now->file,
        (struct pin_at){
            .line = node != NULL ? node->key_line : 0, .col = node != NULL ? node->key_col : 0},
        "%s: %s", place->path, pin_config_needs_process());
}

static void put_changed(
    const struct pin_tree *from, const struct pin_tree *to, bool only_new, struct pin_text *out)
{
    PIN_TREE_EACH(child, from)
    {
        const struct pin_tree *other = pin_tree_find(to, child->key);
        if (other == NULL || (!only_new && !are_equal(child, other))) {
            pin_text_putf(out, "%s%s", out->len > 0 ? ", " : "", child->key);
        }
    }
}

void pin_config_compare(const struct pin_config *old, const struct pin_config *now,
    struct pin_findings *findings, struct pin_text *out)
{
    struct pin_text changed = {0};
    pin_options_each(find_kept, &(struct comparison){old, now, findings});
    put_changed(now->tree, old->tree, false, &changed);
    put_changed(old->tree, now->tree, true, &changed);
    if (now->has_publish && changed.len > 0 && findings->n == 0) {
        pin_findings_add(findings, now->file, (struct pin_at){0}, "%s: with publish %s",
            pin_text_get(&changed), pin_config_needs_process());
    }
    if (out != NULL) {
        pin_text_puts(out, pin_text_get(&changed));
    }
    pin_text_done(&changed);
}

bool pin_config_same_source(const struct pin_config_cluster *a, const struct pin_config_cluster *b)
{
    bool are_same = a->source == b->source && pin_is_same_text(a->directory, b->directory)
                    && pin_is_same_text(a->context, b->context)
                    && pin_is_same_text(a->kubeconfig, b->kubeconfig)
                    && a->etcd.n_endpoints == b->etcd.n_endpoints
                    && pin_is_same_text(a->etcd.prefix, b->etcd.prefix)
                    && pin_is_same_text(a->etcd.user, b->etcd.user)
                    && pin_is_same_text(a->etcd.password_file, b->etcd.password_file)
                    && pin_is_same_text(a->etcd.ca, b->etcd.ca)
                    && pin_is_same_text(a->etcd.certificate, b->etcd.certificate)
                    && pin_is_same_text(a->etcd.key, b->etcd.key);
    for (size_t i = 0; are_same && i < a->etcd.n_endpoints; i++) {
        are_same = strcmp(a->etcd.endpoints[i], b->etcd.endpoints[i]) == 0;
    }
    return are_same;
}
