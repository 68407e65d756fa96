/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Provider: a DNS server of somebody else, whose zones are read and changed.
 *
 *     open -> list ... apply ... list ... -> close          per provider: one struct pin_provider
 *               |        |
 *               v        v
 *             listing  one result per change                later, from the loop, once each
 *
 * All of it runs on the control loop and never blocks: calls start something and return; callbacks
 * come later, never during the call that starts them. A provider has timeouts of its own for all it
 * does (PIN_PROVIDER_CALL_MS at the latest), so a server that is down or silent holds up nothing
 * but its own calls. It does not log, retry later or plan: whoever calls does, by what the
 * verdicts say. At most one list or apply per zone is under way at a time; calls for different
 * zones may overlap, and a provider that must send one after the other queues them itself.
 *
 * Secrets (keys, tokens, passwords) come from files or the environment when they are needed, are
 * wiped after use, and are in no message, no matter what the server says: a provider that shows a
 * server's words shows at most PIN_PROVIDER_MESSAGE_MAX bytes, control characters replaced, never
 * its own request.
 *
 * A listing that is not whole is a fault, not a short listing: there is nothing in between.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/zones/recordset.h"

struct pin_arena;
struct pin_http;
struct pin_loop;
struct pin_provider;
struct pin_provider_call;

/** Longest message of a result, with its NUL. */
#define PIN_PROVIDER_MESSAGE_MAX 400u
/** A call that took longer than this ended with a fault. */
#define PIN_PROVIDER_CALL_MS 120000
/** Most that one listing may take from memory. */
#define PIN_PROVIDER_LISTING_MAX_BYTES ((size_t)512 << 20)

/** What all providers are made with; all of it outlives them. */
struct pin_provider_tools {
    struct pin_loop *loop;
    struct pin_http *http;
};

/** What a provider can do. Constant from open to close. */
struct pin_provider_limits {
    const char *const *types; /**< Types it can hold, sorted; NULL: all. */
    size_t n_types;
    uint32_t default_ttl_s; /**< What a TTL of 0 becomes, where a set is new at least: 1 or more. */
    uint32_t min_ttl_s;     /**< Smaller ones are raised to it by the server; 0: none are. */
    bool has_set_ids;       /**< Several sets of one name and type. */
};

/** Why a call, as a whole, did not do what it was to do. */
enum pin_provider_fault {
    PIN_PROVIDER_NONE,
    PIN_PROVIDER_UNREACHABLE, /**< No whole answer: refused, cut, silent, no such host. */
    PIN_PROVIDER_DENIED,      /**< Key, signature, clock, permissions: a person has to act. */
    PIN_PROVIDER_THROTTLED,   /**< The server wants to be asked less often. */
    PIN_PROVIDER_NO_ZONE,     /**< The server does not have the zone. */
    PIN_PROVIDER_MALFORMED,   /**< The answer makes no sense, or contradicts itself. */
    PIN_PROVIDER_TOO_LARGE,   /**< The answer is beyond our limits. */
    PIN_PROVIDER_FAILED,      /**< The server says that it failed. */
    PIN_PROVIDER_MEMORY,      /**< Ours is out. */
};

/** A word for a fault, for status and metrics: "unreachable"; "none". Static. */
const char *pin_provider_fault_text(enum pin_provider_fault fault);

/** A zone as it is. Texts and sets are in `arena`. */
struct pin_provider_listing {
    enum pin_provider_fault fault; /**< Else than NONE: nothing below but `message` counts. */
    const char *message;           /**< For people; "" when all is well. */
    int64_t retry_after_ms;        /**< What the server asked for; -1: nothing. */
    bool is_unchanged;             /**< The version is the one that was known: no sets. */
    const char *version;           /**< The SOA's serial, an ETag, ...; "" where there is none. */
    /** Sorted by pin_recordset_cmp(), canonical, nobody known as a value's giver. Without SOA and
     * what a server signs with (RRSIG, NSEC, NSEC3, NSEC3PARAM, ZONEMD). */
    struct pin_recordset *sets;
    size_t n_sets;
    struct pin_arena *arena; /**< The receiver's from now on; NULL on faults and when unchanged. */
};

/** The end of a list: once, unless cancelled. May start and cancel other calls, may close. */
typedef void pin_provider_list_fn(void *arg, const struct pin_provider_listing *listing);

/** One record set that changes. */
struct pin_provider_edit {
    const struct pin_recordset *was;  /**< As the listing had it; NULL: there must be none. */
    const struct pin_recordset *will; /**< NULL: it goes. */
};

/**
 * Edits that belong together: a record set and the TXT that says who owns it; a CNAME that goes and
 * the addresses that come in its place. In this order where the provider is not atomic.
 */
struct pin_provider_change {
    const struct pin_provider_edit *edits;
    size_t n_edits; /**< 1 or more. */
};

/** What became of a change. */
enum pin_provider_verdict {
    PIN_PROVIDER_RETRY,    /**< Not done: it was not its turn, or the server had no time for it. */
    PIN_PROVIDER_APPLIED,  /**< Done, as the server says. */
    PIN_PROVIDER_REFUSED,  /**< Not done: the server will not have it. The same again is useless. */
    PIN_PROVIDER_CONFLICT, /**< Not done: the zone is not as listed. List, then plan anew. */
    PIN_PROVIDER_UNKNOWN,  /**< Perhaps done: the answer was lost. List, then plan anew. */
};

/** A word for a verdict: "retry", "applied", ... Static. */
const char *pin_provider_verdict_text(enum pin_provider_verdict verdict);

/** What became of one change. */
struct pin_provider_result {
    enum pin_provider_verdict verdict;
    const char *message; /**< Why; "" where it is applied. */
};

/** What became of all of them. Valid during the callback. */
struct pin_provider_outcome {
    const struct pin_provider_result *results; /**< One per change, in their order. */
    size_t n_results;
    /** Why not all was tried; NONE also where single changes were refused. */
    enum pin_provider_fault fault;
    const char *message;    /**< For people; "" when all was tried. */
    int64_t retry_after_ms; /**< What the server asked for; -1: nothing. */
};

/** The end of an apply: once, unless cancelled. May start and cancel other calls, may close. */
typedef void pin_provider_apply_fn(void *arg, const struct pin_provider_outcome *outcome);

/** A list. */
struct pin_provider_list_request {
    const char *zone;    /**< Canonical (zones/recordset.h). */
    const char *version; /**< Of the last listing: an unchanged zone is not read again where the
                            provider can tell; NULL: read it in any case. */
    /** The sets of that listing, so that only what differs needs to be read; they stay until done.
     * NULL: they are not there any more. */
    const struct pin_recordset *known;
    size_t n_known;
    pin_provider_list_fn *done;
    void *arg;
};

/** An apply. The changes and all they point to stay until done, or until it is cancelled. */
struct pin_provider_apply_request {
    const char *zone;
    const char *version; /**< Of the listing that the changes come from; or NULL. */
    const struct pin_provider_change *changes;
    size_t n_changes;
    pin_provider_apply_fn *done;
    void *arg;
};

/** What a kind of provider does. All are called through the functions below. */
struct pin_provider_ops {
    const char *kind; /**< As the configuration names it: "rfc2136". */
    enum pin_err (*list)(struct pin_provider *provider,
        const struct pin_provider_list_request *request, struct pin_provider_call **ret_call);
    enum pin_err (*apply)(struct pin_provider *provider,
        const struct pin_provider_apply_request *request, struct pin_provider_call **ret_call);
    /** How it would keep these sets, so that a plan does not fight it; NULL: as they are. Asked for
     * as a list: the sets come sorted in `listing`, without version. */
    enum pin_err (*adjust)(struct pin_provider *provider, const struct pin_recordset *sets,
        size_t n_sets, const struct pin_provider_list_request *request,
        struct pin_provider_call **ret_call);
    void (*close)(struct pin_provider *provider);
};

/** Common part; first member of each kind's own struct. */
struct pin_provider {
    const struct pin_provider_ops *ops;
    struct pin_provider_limits limits;
};

/** Common part of a call; first member of each kind's own. */
struct pin_provider_call {
    void (*cancel)(struct pin_provider_call *call);
};

/**
 * Reads a zone.
 *
 * @param ret_call  Valid until done, or pin_provider_cancel().
 * @return PIN_OK; PIN_ENOMEM when it could not even start: nobody is called then.
 */
static inline enum pin_err pin_provider_list(struct pin_provider *provider,
    const struct pin_provider_list_request *request, struct pin_provider_call **ret_call)
{
    return provider->ops->list(provider, request, ret_call);
}

/** Changes a zone, in as many requests as it takes; as above. */
static inline enum pin_err pin_provider_apply(struct pin_provider *provider,
    const struct pin_provider_apply_request *request, struct pin_provider_call **ret_call)
{
    return provider->ops->apply(provider, request, ret_call);
}

/** Ends a call without its callback. Changes that were sent may still be done. NULL is fine. */
static inline void pin_provider_cancel(struct pin_provider_call *call)
{
    if (call != NULL) {
        call->cancel(call);
    }
}

/** Cancels all calls and frees the provider. Fine from callbacks. NULL is fine. */
static inline void pin_provider_close(struct pin_provider *provider)
{
    if (provider != NULL) {
        provider->ops->close(provider);
    }
}

/** The limits of what is nothing but DNS: one set of a name and type, no properties, all edits of a
 * change or none, and types whose values have one text (zones/rdata.h). */
void pin_provider_limit_to_dns(struct pin_provider_limits *ret_limits);
