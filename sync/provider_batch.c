/* SPDX-License-Identifier: Apache-2.0 */

/* Batches: a stack of stretches to send; a refused one comes back as its halves. */

#include "provider_batch.h"

#include <stdlib.h>
#include <string.h>

/* Halving 2^64 changes leaves no more than this on the stack. */
#define DEPTH_MAX 66u

/* Changes in a row. */
struct stretch {
    size_t first;
    size_t n;
};

struct pin_batch {
    size_t n_changes;
    struct pin_batch_limits limits;
    size_t *weights; /* NULL: 1 each */
    struct pin_provider_result *results;
    char **messages;  /* what results[].message points to, or NULL; each once */
    size_t n_cut;     /* changes that were in a stretch already */
    size_t n_sent;    /* requests */
    size_t n_waiting; /* halves, the next one last */
    struct stretch waiting[DEPTH_MAX];
    struct stretch sent;
    bool is_sent; /* and not settled */
    bool is_over;
};

struct pin_batch *pin_batch_new(
    size_t n_changes, const size_t *weights, const struct pin_batch_limits *limits)
{
    struct pin_batch *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NULL;
    }
    self->n_changes = n_changes;
    self->limits = *limits;
    if (self->limits.n_requests == 0) {
        self->limits.n_requests = PIN_BATCH_REQUESTS_MAX;
    }
    self->results = calloc(n_changes + 1, sizeof(self->results[0]));
    self->messages = calloc(n_changes + 1, sizeof(self->messages[0]));
    self->weights = weights == NULL ? NULL : calloc(n_changes + 1, sizeof(self->weights[0]));
    if (self->results == NULL || self->messages == NULL
        || (weights != NULL && self->weights == NULL)) {
        pin_batch_free(self);
        return NULL;
    }
    if (weights != NULL && n_changes > 0) {
        memcpy(self->weights, weights, n_changes * sizeof(weights[0]));
    }
    for (size_t i = 0; i < n_changes; i++) {
        self->results[i] =
            (struct pin_provider_result){.verdict = PIN_PROVIDER_RETRY, .message = ""};
    }
    return self;
}

void pin_batch_free(struct pin_batch *batch)
{
    if (batch == NULL) {
        return;
    }
    for (size_t i = 0; batch->messages != NULL && i < batch->n_changes; i++) {
        free(batch->messages[i]);
    }
    free(batch->messages);
    free(batch->results);
    free(batch->weights);
    free(batch);
}

/* As many of the changes nobody cut off yet as one request holds. */
static struct stretch cut(struct pin_batch *self)
{
    struct stretch stretch = {.first = self->n_cut};
    size_t weight = 0;
    while (self->n_cut < self->n_changes) {
        size_t more = self->weights == NULL ? 1 : self->weights[self->n_cut];
        bool is_full =
            (self->limits.n_changes > 0 && stretch.n >= self->limits.n_changes)
            || (self->limits.weight > 0
                && (weight > self->limits.weight || more > self->limits.weight - weight));
        if (is_full && stretch.n > 0) {
            break;
        }
        weight = more > SIZE_MAX - weight ? SIZE_MAX : weight + more;
        stretch.n++;
        self->n_cut++;
    }
    return stretch;
}

bool pin_batch_next(struct pin_batch *batch, size_t *ret_first, size_t *ret_n)
{
    if (!batch->is_sent) {
        bool is_left = batch->n_waiting > 0 || batch->n_cut < batch->n_changes;
        if (is_left && !batch->is_over && batch->n_sent >= batch->limits.n_requests) {
            pin_batch_stop(batch, PIN_PROVIDER_RETRY, "too many requests were refused");
        }
        if (batch->is_over || !is_left) {
            batch->is_over = true;
            return false;
        }
        batch->sent = batch->n_waiting > 0 ? batch->waiting[--batch->n_waiting] : cut(batch);
        batch->is_sent = true;
        batch->n_sent++;
    }
    *ret_first = batch->sent.first;
    *ret_n = batch->sent.n;
    return true;
}

/* All changes of a stretch; the message is kept once, by the first one. */
static void set(struct pin_batch *self, const struct stretch *stretch,
    enum pin_provider_verdict verdict, const char *message)
{
    char *copy = NULL;
    if (stretch->n > 0 && message != NULL && message[0] != '\0') {
        copy = strndup(message, PIN_PROVIDER_MESSAGE_MAX - 1);
        free(self->messages[stretch->first]);
        self->messages[stretch->first] = copy;
    }
    for (size_t i = stretch->first; i < stretch->first + stretch->n; i++) {
        self->results[i].verdict = verdict;
        self->results[i].message = copy == NULL ? "" : copy;
    }
}

void pin_batch_settle(
    struct pin_batch *batch, enum pin_provider_verdict verdict, const char *message)
{
    struct stretch sent = batch->sent;
    bool can_halve = verdict == PIN_PROVIDER_REFUSED || verdict == PIN_PROVIDER_CONFLICT;
    if (verdict == PIN_PROVIDER_RETRY) {
        batch->is_sent = false;
        batch->waiting[batch->n_waiting++] = sent;
    } else if (can_halve && sent.n > 1) {
        size_t n_left = sent.n / 2;
        batch->is_sent = false;
        batch->waiting[batch->n_waiting++] =
            (struct stretch){.first = sent.first + n_left, .n = sent.n - n_left};
        batch->waiting[batch->n_waiting++] = (struct stretch){.first = sent.first, .n = n_left};
    } else {
        pin_batch_settle_all(batch, verdict, message);
    }
}

void pin_batch_settle_all(
    struct pin_batch *batch, enum pin_provider_verdict verdict, const char *message)
{
    set(batch, &batch->sent, verdict, message);
    batch->is_sent = false;
}

void pin_batch_stop(struct pin_batch *batch, enum pin_provider_verdict verdict, const char *message)
{
    if (batch->is_sent) {
        pin_batch_settle_all(batch, verdict, message);
    }
    while (batch->n_waiting > 0) {
        set(batch, &batch->waiting[--batch->n_waiting], PIN_PROVIDER_RETRY, message);
    }
    const struct stretch rest = {.first = batch->n_cut, .n = batch->n_changes - batch->n_cut};
    set(batch, &rest, PIN_PROVIDER_RETRY, message);
    batch->n_cut = batch->n_changes;
    batch->is_over = true;
}

const struct pin_provider_result *pin_batch_results(const struct pin_batch *batch)
{
    return batch->results;
}
