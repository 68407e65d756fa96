/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Answering: what is known about one query between its arrival and its answer, for the files that
 * share the decision (answer*.c).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/zones/index.h"
#include "pintle/zones/policy.h"
#include "pintle/zones/reason.h"
#include "pintle/zones/tsig.h"
#include "pintle/zones/view.h"

#include "answer.h"
#include "asker.h"
#include "cache.h"
#include "query.h"
#include "synth.h"
#include "worker.h"

/** Where the RDATA of a table's first RR starts. */
#define PIN_RDATA_AT 12u

/** One name that is looked up: the question's, or the target of an alias. */
struct pin_subject {
    const uint8_t *name; /* lower case */
    size_t bytes;
    uint64_t hash; /* pin_index_hash() of the name */
    size_t at;     /* offset in the message, of the name as the client sees it */
};

/** All that is known about one query. */
struct pin_answering {
    struct pin_worker *worker;
    const struct pin_client *client;
    const struct pin_scene *scene;
    struct pin_subject subject;
    const struct pin_node *encloser; /* the subject's own node, or the nearest above it */
    size_t encloser_at;    /* where in the subject's name the encloser's begins; 0: there is none */
    struct pin_zone *zone; /* the one that encloses the subject; NULL: none has yet */
    const struct pin_node
        *node; /* of the subject, or of the wildcard that stands for it, or NULL */
    const struct pin_table
        *data; /* what the node shows this asker for the question's type, or NULL */
    struct pin_response response;
    const struct pin_policy *judged; /* the last policy that let the asker pass, or NULL */
    const uint8_t *parts;            /* PIN_FROM_PARTS: the service's */
    struct pin_dashed dashed;        /* PIN_FROM_DASHED: the endpoint */
    size_t synth_at; /* PIN_FROM_PODS, _PARTS: where "pod" or the service starts in the subject */
    enum pin_synth_from synth;
    enum pin_query_verdict verdict;
    enum pin_cookie_verdict cookie;
    struct pin_asker asker; /* whose answers the client gets */
    uint16_t view_id;       /* the same, or PIN_VIEW_OWN for a name of the asker's own cluster */
    uint16_t parent_id;     /* what counts for names that say nothing about that view */
    uint8_t tap_note;       /* PIN_TAP_NONE: this question is not noted */
    uint8_t origin_at;      /* where in the question's name its encloser's begins; 0: none does */
    struct pin_cache_key outside; /* is_outside: the subject's */
    size_t query_bytes;           /* length of the client's message */
    uint16_t policy_slot;         /* is_denied: of the policy object that says so */
    bool is_denied; /* a policy keeps the asker out; known only where questions are noted */
    bool is_settled;
    bool is_outside;     /* no zone of ours encloses the question's name, and it is forwarded */
    bool is_vouched;     /* a trusted forwarder says who asks: `vouched` is filled */
    bool is_view_by_ecs; /* ... and the view comes from there */
    struct pin_query query;
    struct pin_vouched vouched;
    struct pin_tsig tsig; /* of a signed query */
};

/** Notes how it ends. True, for the steps. */
static inline bool pin_answering_settle(struct pin_answering *a, uint16_t rcode)
{
    a->response.rcode = rcode;
    return true;
}

/** A refusal says nothing about names, so that it is the same for all of them. */
static inline bool pin_answering_refuse(struct pin_answering *a, uint16_t ede)
{
    a->response.ede = ede;
    return pin_answering_settle(a, PIN_RCODE_REFUSED);
}

/** Notes that the answer shows a table, which may be of a cluster out of reach. */
static inline void pin_answering_note_origin(struct pin_answering *a, const struct pin_table *table)
{
    if (pin_unlikely(a->scene->has_down)
        && pin_scene_any_down(a->scene, pin_table_clusters(table), table->n_clusters)) {
        a->response.ede = PIN_EDE_STALE_ANSWER;
    }
}

/** Makes a name the one that is looked up; memory begins to bring what the lookup needs. */
static inline void pin_answering_look_for(
    struct pin_answering *a, const uint8_t *name, size_t bytes, size_t at)
{
    a->subject = (struct pin_subject){
        .name = name,
        .bytes = bytes,
        .hash = pin_index_hash(a->worker->live->index, name, bytes),
        .at = at,
    };
}

/** Makes a delegation above the encloser the encloser, where it is glue or there only for names
 * below it. */
void pin_answer_rise(struct pin_answering *a);

/**
 * Settles a subject at or below a delegation, or below a DNAME. `ret_is_settled` false: the target
 * of the DNAME, which `target` holds, is the subject now.
 *
 * @return false: it is neither, and nothing was done.
 */
bool pin_answer_turn_away(struct pin_answering *a, struct pin_name *target, bool *ret_is_settled);

/**
 * Takes the answer from its client's account (ratelimit.h); what slips becomes an empty answer with
 * TC. Only where there is a limiter.
 *
 * @return true: nothing is to be sent.
 */
bool pin_answer_withhold(struct pin_answering *a);

/** Sees whose view the asker has: what the listener says, else a trusted forwarder, else whose the
 * source is. */
void pin_answering_find_view(struct pin_answering *a);

/** Finds the subject's zone and node. False: no zone of ours encloses it. */
bool pin_answering_look_up(struct pin_answering *a);

/** What the subject's node shows this asker for one type, or NULL. */
const struct pin_table *pin_answering_shown(struct pin_answering *a, uint16_t type);

/** Who asks, for a policy: a lent view gives no identity. */
struct pin_policy_asker pin_answering_identify(const struct pin_answering *a);

/**
 * Answers "explain.NAME" as TXT in class CH, which only this machine may ask: 127.0.0.0/8 and ::1.
 * Allocates, as nothing else between a question and its answer does.
 *
 * @return false: it is another question, or somebody else's, and nothing was done.
 */
bool pin_answer_explain(struct pin_answering *a);

/** Why what was found for the subject (`node`, `data`, `synth`) is what is answered. */
enum pin_reason pin_answer_reason_of_data(const struct pin_answering *a);

/** As pin_answer_trace(), with a reason that is known. */
void pin_answer_trace_as(
    const struct pin_answering *a, enum pin_reason reason, struct pin_tap_why *ret_why);

/** Why the finished answer is as it is. Its worker, for what is noted alone. */
void pin_answer_trace(const struct pin_answering *a, struct pin_tap_why *ret_why);
