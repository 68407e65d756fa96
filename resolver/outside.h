/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Outside: names that no zone of ours encloses. Who may ask for them, what the cache has, and else
 * the way to the forward threads.
 */

#include "answering.h"

/** What became of a subject outside of our zones. */
enum pin_outside {
    PIN_OUTSIDE_SETTLED, /**< The answer is there, or a refusal. */
    PIN_OUTSIDE_ALIAS,   /**< The answer goes on with another name, which is the subject now. */
    PIN_OUTSIDE_LATER,   /**< Handed over; the message is as it came. */
};

/** Sees whether the asker may ask for names that are not ours, and says so in the answer. Only
 * where something is forwarded. */
void pin_outside_meet(struct pin_answering *a);

/** For the question's name, when no zone of ours encloses it. True: settled, nobody is asked. */
bool pin_outside_begin(struct pin_answering *a);

/** Fetches what the cache has, begun by pin_outside_begin(). */
void pin_outside_fetch(struct pin_answering *a);

/** Keeps what the client sent behind its question, while nothing is written over it yet. */
void pin_outside_keep_query(struct pin_answering *a);

/**
 * Answers the subject of `a->outside`.
 *
 * @param target  Holds the name of an ALIAS.
 */
enum pin_outside pin_outside_answer(struct pin_answering *a, struct pin_name *target);

/** The same for a subject that an alias led to, at once. */
enum pin_outside pin_outside_follow(struct pin_answering *a, struct pin_name *target);
