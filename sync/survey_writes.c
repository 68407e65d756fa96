/* SPDX-License-Identifier: Apache-2.0 */

/* Whether we may write what is to be written. */

#include "survey_writes.h"

#include <stdio.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/jsonout.h"

#include "decode.h"

#define ARENA_BYTES ((size_t)4 << 20)

enum pin_err pin_survey_writes_init(
    struct pin_survey_writes *self, const struct pin_survey_asked *asked, struct pin_why *why)
{
    *self = (struct pin_survey_writes){.asked = *asked};
    if (asked->roles == 0) {
        return PIN_OK;
    }
    self->arena = pin_arena_new("check rights", ARENA_BYTES);
    enum pin_err err = self->arena == NULL
                           ? pin_why_set(why, PIN_ENOMEM, "no memory for a check")
                           : pin_roles_rights(asked->roles, self->arena, &self->rights, why);
    if (err == PIN_OK) {
        self->answers = pin_arena_alloc(self->arena, (self->rights.n + 1) * sizeof(*self->answers));
        err =
            self->answers != NULL ? PIN_OK : pin_why_set(why, PIN_ENOMEM, "no memory for a check");
    }
    if (err != PIN_OK || self->answers == NULL) {
        pin_survey_writes_done(self);
        return err;
    }
    for (size_t i = 0; i < self->rights.n; i++) {
        self->answers[i] = PIN_RIGHT_UNASKED;
    }
    return PIN_OK;
}

void pin_survey_writes_done(struct pin_survey_writes *self)
{
    pin_arena_free(self->arena);
    *self = (struct pin_survey_writes){0};
}

/* --- Asking --------------------------------------------------------------------------------- */

/* Whether the cluster lacks that kind, as far as we know kinds. */
static bool is_absent(const struct pin_role_right *right, const struct pin_survey_report *report)
{
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        const struct pin_kind_row *row = pin_decode_row((enum pin_kind)kind);
        if (strcmp(row->group, right->group) == 0 && strcmp(row->plural, right->resource) == 0) {
            return report->kinds[kind].version == NULL;
        }
    }
    return false;
}

const struct pin_role_right *pin_survey_writes_next(
    struct pin_survey_writes *self, const struct pin_survey_report *report)
{
    while (self->next < self->rights.n && is_absent(&self->rights.items[self->next], report)) {
        self->answers[self->next++] = PIN_RIGHT_YES; /* nobody will ask for it */
    }
    return self->next < self->rights.n ? &self->rights.items[self->next] : NULL;
}

void pin_survey_writes_answer(struct pin_survey_writes *self, enum pin_survey_right answer)
{
    self->answers[self->next++] = answer;
}

static void put_some(struct pin_jsonout *json, const char *key, const char *value)
{
    if (value[0] != '\0') {
        pin_jsonout_key_string(json, key, value);
    }
}

void pin_survey_put_review(
    struct pin_text *text, const struct pin_role_right *right, const struct pin_survey_asked *asked)
{
    struct pin_jsonout json = pin_jsonout_init(text);
    pin_jsonout_object(&json);
    pin_jsonout_key_string(&json, "apiVersion", "authorization.k8s.io/v1");
    pin_jsonout_key_string(&json, "kind", "SelfSubjectAccessReview");
    pin_jsonout_key(&json, "spec");
    pin_jsonout_object(&json);
    pin_jsonout_key(&json, "resourceAttributes");
    pin_jsonout_object(&json);
    pin_jsonout_key_string(&json, "verb", right->verb);
    pin_jsonout_key_string(&json, "group", right->group);
    pin_jsonout_key_string(&json, "resource", right->resource);
    put_some(&json, "subresource", right->subresource);
    put_some(&json, "namespace", right->is_in_home ? asked->home : "");
    put_some(&json, "name", right->name[0] != '\0' ? asked->lease_name : "");
    pin_jsonout_end(&json);
    pin_jsonout_end(&json);
    pin_jsonout_end(&json);
}

/* --- Judging -------------------------------------------------------------------------------- */

/* Rights of one role on one resource stand side by side. */
static bool is_same(const struct pin_role_right *a, const struct pin_role_right *b)
{
    return a->role == b->role && strcmp(a->group, b->group) == 0
           && strcmp(a->resource, b->resource) == 0 && strcmp(a->subresource, b->subresource) == 0;
}

static void put_object(
    const struct pin_survey_writes *self, const struct pin_role_right *right, struct pin_text *out)
{
    pin_text_putf(out, " %s%s%s%s%s%s%s", right->resource, right->group[0] != '\0' ? "." : "",
        right->group, right->subresource[0] != '\0' ? "/" : "", right->subresource,
        right->is_in_home ? " in " : "", right->is_in_home ? self->asked.home : "");
}

/* What is lacking of the rights from `first` on that are on the same thing; where they end. */
static size_t add_denied(
    const struct pin_survey_writes *self, size_t first, struct pin_survey_report *report)
{
    const struct pin_role_right *right = &self->rights.items[first];
    struct pin_text text = {0};
    char hint[200];
    size_t end = first;
    while (end < self->rights.n && is_same(right, &self->rights.items[end])) {
        if (self->answers[end] == PIN_RIGHT_NO) {
            pin_text_putf(
                &text, "%s %s", text.len > 0 ? "," : "may not", self->rights.items[end].verb);
        }
        end++;
    }
    if (text.len > 0) {
        put_object(self, right, &text);
        (void)snprintf(hint, sizeof(hint),
            "'pintlectl clusters add --write-back %s' prints the role for it and binds it",
            pin_role_word(right->role));
        pin_survey_add(report, "write-back", PIN_SURVEY_FAIL, hint, "%s; without it, %s",
            pin_text_get(&text), pin_role_loss(right->role));
    }
    pin_text_done(&text);
    return end;
}

void pin_survey_writes_report(
    const struct pin_survey_writes *self, struct pin_survey_report *report)
{
    size_t n[PIN_RIGHT_NO + 1] = {0};
    for (size_t i = 0; i < self->rights.n; i++) {
        n[self->answers[i]]++;
    }
    for (size_t i = 0; i < self->rights.n;) {
        i = add_denied(self, i, report);
    }
    if (n[PIN_RIGHT_UNASKED] > 0) {
        pin_survey_add(report, "write-back", PIN_SURVEY_WARN,
            "let this user create selfsubjectaccessreviews (the ClusterRole system:basic-user)",
            "the server does not say %zu of %zu things that writeBack needs to know",
            n[PIN_RIGHT_UNASKED], self->rights.n);
    } else if (n[PIN_RIGHT_NO] == 0 && self->rights.n > 0) {
        pin_survey_add(
            report, "write-back", PIN_SURVEY_OK, "", "may write all that writeBack needs to");
    }
}
