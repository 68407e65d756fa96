/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * etcd: calls to the JSON gateway of an etcd v3, on the event loop.
 *
 *     start -> [token, when a user is set] -> POST to the present endpoint -> on_line ..., on_done
 *
 * An endpoint that cannot be reached, or has no leader, is left for the next one; whoever called
 * tries again. A token that does not count any more is fetched anew, and the call sent once more.
 * Nothing else is retried here, nothing is logged, and no password or token is in a message.
 * Threads: the loop's. Callbacks come later, never during a call from outside.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/sync/sync.h"

/**
 * How long a small call may take, a publisher's as a reader's: longer than etcd needs to elect a
 * leader (1 s to 2 s), and so short that a sign of life that is lost can be sent twice more before
 * a lease of 12 s ends.
 */
#define PIN_ETCD_CALL_TIMEOUT_MS 3000
/** How long a page of keys may take. */
#define PIN_ETCD_PAGE_TIMEOUT_MS 10000

struct pin_etcd;
struct pin_etcd_call;
struct pin_http;
struct pin_loop;

/** Why a call did not do what it was to do. */
enum pin_etcd_fault {
    PIN_ETCD_NONE,
    PIN_ETCD_UNREACHABLE, /**< No whole answer, or no leader: another endpoint comes next. */
    PIN_ETCD_TOKEN,       /**< No token counted, neither the one we had nor another. */
    PIN_ETCD_DENIED,      /**< User, password or permissions. */
    PIN_ETCD_COMPACTED,   /**< The revision is not kept any more. */
    PIN_ETCD_TOO_LARGE,   /**< The request, or the answer. */
    PIN_ETCD_OTHER,
};

/** How a call ended. Texts are valid during the call only. */
struct pin_etcd_reply {
    enum pin_etcd_fault fault;
    const char *message; /**< What is wrong; never NULL. */
    const char *text;    /**< The answer; NULL with on_line, or with a fault. */
    size_t bytes;
};

/** One call. All of it needs to live during pin_etcd_start() only. */
struct pin_etcd_request {
    const char *path; /**< "/v3/kv/range" */
    const char *body;
    size_t body_bytes;
    int64_t timeout_ms; /**< For all of it; 0: none. */
    /** Each line of the answer, as it comes; NULL text: it was too long. NULL: all at the end. May
     * call pin_etcd_pause() and pin_etcd_cancel(). */
    void (*on_line)(void *arg, const char *text, size_t bytes);
    /** The end, once unless cancelled; the call is gone afterwards. May start others. */
    void (*on_done)(void *arg, const struct pin_etcd_reply *reply);
    void *arg;
};

/** Makes a client; copies the spec. NULL when out of memory. `http` outlives it. */
struct pin_etcd *pin_etcd_new(
    struct pin_loop *loop, struct pin_http *http, const struct pin_etcd_spec *spec);

/** Cancels all calls and frees it. Not from a callback. NULL is fine. */
void pin_etcd_free(struct pin_etcd *etcd);

/** Starts a call; NULL when memory is out. */
struct pin_etcd_call *pin_etcd_start(struct pin_etcd *etcd, const struct pin_etcd_request *request);

/** Ends a call without on_done; fine from callbacks. NULL is fine. */
void pin_etcd_cancel(struct pin_etcd_call *call);

/** Stops reading after the bytes given out, and goes on. */
void pin_etcd_pause(struct pin_etcd_call *call);
void pin_etcd_resume(struct pin_etcd_call *call);

/** Leaves the present endpoint for the next one. */
void pin_etcd_leave(struct pin_etcd *etcd);

/** The token does not count any more: the next call fetches another. */
void pin_etcd_forget_token(struct pin_etcd *etcd);

/** The present endpoint, for messages. */
const char *pin_etcd_endpoint(const struct pin_etcd *etcd);

/** How many there are. */
size_t pin_etcd_n_endpoints(const struct pin_etcd *etcd);

/** The prefix without slashes at its end. */
const char *pin_etcd_prefix(const struct pin_etcd *etcd);
