/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * What the providers behind HTTP have in common: calls that take several requests, one after the
 * other, batches, listings that are built piece by piece, ends.
 *
 *     list, apply -> (timer) -> next -> pin_web_send -> on_reply -> ... -> pin_web_end
 *
 * A kind of provider gives the steps (struct pin_web_kind). Redirects are not followed, so no key
 * goes to another host. Every request has a timeout, every call has one for all of it.
 * Threads: the control loop's.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/base/text.h"

#include "http.h"
#include "provider.h"
#include "provider_batch.h"
#include "provider_sets.h"
#include "target.h"

struct pin_timer;
struct pin_web_call;

/** One request of a call. Needs to live during pin_web_send() only. */
struct pin_web_request {
    const struct pin_target *target; /**< NULL: the provider's. */
    const char *method;              /**< NULL: GET. */
    const char *path;
    const char *body; /**< NULL: none. */
    size_t body_bytes;
    const char *type;   /**< Of the body; NULL: application/json. */
    const char *accept; /**< NULL: application/json. */
    const char *host;   /**< NULL: what the URL names. */
    const char *authorization;
    const struct pin_http_header *headers;
    size_t n_headers;
    int64_t timeout_ms; /**< 0: the usual minute. */
};

/** How a request ended. Valid during the call. */
struct pin_web_reply {
    enum pin_provider_fault fault; /**< By what happened, or the status: NONE is any 2xx. */
    bool is_lost;                  /**< It may have been carried out all the same. */
    int status;                    /**< 0: none came. */
    const char *message;           /**< For people, at most PIN_PROVIDER_MESSAGE_MAX; "". */
    const char *type;              /**< Content-Type, "". */
    const char *text;              /**< The answer, or how it begins where the status is no 2xx. */
    size_t bytes;
    int64_t retry_after_ms; /**< -1: the server said nothing. */
};

/** The steps of a kind of provider. */
struct pin_web_kind {
    size_t provider_bytes; /**< Size of its providers, which begin with struct pin_web_provider. */
    size_t call_bytes;     /**< Size of its calls, which begin with struct pin_web_call. */
    size_t answer_bytes_max; /**< Longest answer that is collected; more is TOO_LARGE. */
    /** Sends the next request, or ends the call, which may be gone afterwards. */
    void (*next)(struct pin_web_call *call);
    /** Takes an answer; as above. */
    void (*on_reply)(struct pin_web_call *call, const struct pin_web_reply *reply);
    /** Takes the bytes of a 2xx answer as they come; false, or NULL: they are collected. May call
     * pin_web_fail(). */
    bool (*on_bytes)(struct pin_web_call *call, const char *data, size_t bytes);
    /** Frees what the kind's own call holds; or NULL. */
    void (*done)(struct pin_web_call *call);
    /** Frees what the kind's own provider holds, but for the target and itself; or NULL. */
    void (*close)(struct pin_provider *provider);
};

/** A provider behind HTTP; first member of each kind's own. */
struct pin_web_provider {
    struct pin_provider provider;
    const struct pin_web_kind *kind;
    struct pin_provider_tools tools;
    struct pin_target *target;
    struct pin_web_call *calls;
};

/** A call; first member of each kind's own. */
struct pin_web_call {
    struct pin_provider_call call;
    struct pin_web_provider *provider;
    struct pin_web_call *prev;
    struct pin_web_call *next;
    struct pin_http_transfer *transfer;
    struct pin_timer *timer;    /**< For the next step. */
    struct pin_timer *deadline; /**< For all of it. */
    struct pin_text answer;
    enum pin_provider_fault late_fault; /**< What pin_web_fail() said. */
    char late_message[PIN_PROVIDER_MESSAGE_MAX];
    const char *zone;
    bool is_apply;
    bool is_adjust;
    /* a list */
    struct pin_provider_list_request list;
    struct pin_arena *arena;
    struct pin_provider_sets sets;      /**< So far. */
    const struct pin_recordset *wanted; /**< Of an adjust. */
    size_t n_wanted;
    /* an apply */
    struct pin_provider_apply_request apply;
    struct pin_batch *batch;
    size_t first; /**< What is under way, from pin_web_next_batch(). */
    size_t n;
};

/** A target for a URL. PIN_EINVAL when it is no http:// or https://, or holds a password. */
enum pin_err pin_web_target(
    const char *url, const char *ca_file, struct pin_target **ret_target, struct pin_why *why);

/** A provider of that kind, with nothing of its own yet; NULL when memory is out. */
struct pin_web_provider *pin_web_new(const struct pin_web_kind *kind,
    const struct pin_provider_ops *ops, const struct pin_provider_limits *limits,
    const struct pin_provider_tools *tools);

/** Hands a provider out, or closes it when it could not be set up. Returns `err`. */
enum pin_err pin_web_hand_out(
    struct pin_web_provider *self, enum pin_err err, struct pin_provider **ret_provider);

/** The ops of every kind. pin_web_close() frees the provider. */
enum pin_err pin_web_list(struct pin_provider *provider,
    const struct pin_provider_list_request *request, struct pin_provider_call **ret_call);
enum pin_err pin_web_adjust(struct pin_provider *provider, const struct pin_recordset *sets,
    size_t n_sets, const struct pin_provider_list_request *request,
    struct pin_provider_call **ret_call);
void pin_web_close(struct pin_provider *provider);

/** What a change weighs of a request. */
typedef size_t pin_web_weigh_fn(const struct pin_provider_change *change);

/** Apply, with what a request may hold and what each change weighs (NULL: 1). */
enum pin_err pin_web_apply(struct pin_provider *provider,
    const struct pin_provider_apply_request *request, const struct pin_batch_limits *limits,
    pin_web_weigh_fn *weigh, struct pin_provider_call **ret_call);

/** Sends a request, or ends the call when it cannot be sent. */
void pin_web_send(struct pin_web_call *call, const struct pin_web_request *request);

/** Takes the next step later; `ms` may be 0. */
void pin_web_later(struct pin_web_call *call, int64_t ms);

/** Ends the call soon, with a fault; from on_bytes. */
void pin_web_fail(struct pin_web_call *call, enum pin_provider_fault fault, const char *message);

/**
 * Ends a call: what it has so far is its listing, or its outcome. Changes that are not settled are
 * not done.
 */
void pin_web_end(struct pin_web_call *call, enum pin_provider_fault fault, const char *message,
    int64_t retry_after_ms);

/** Ends a call because of a reply; changes under way may have been done, as that says. */
void pin_web_end_reply(struct pin_web_call *call, const struct pin_web_reply *reply);

/** The changes to send next, into call->first and call->n. False: that was all. */
bool pin_web_next_batch(struct pin_web_call *call);

/** The fault that goes with an error of a function that reads. */
enum pin_provider_fault pin_web_fault_of(enum pin_err err);
