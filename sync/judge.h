/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Judge: from results in a row to a verdict. Pure.
 *
 *     unjudged -- one success --------> up   -- `fall` failures in a row --> down
 *              -- `fall` failures ----> down -- `rise` successes in a row -> up
 *
 * An address that was shown before it was judged keeps being shown until it is.
 */

#include "pintle/zones/health.h"

/** What is remembered of one address. Zeroed but for `verdict` is new. */
struct pin_judge {
    enum pin_verdict verdict;
    uint8_t n_good; /**< Successes in a row. */
    uint8_t n_bad;  /**< Failures in a row. */
};

/** Counts a result. True when the verdict is another one now. */
bool pin_judge_result(struct pin_judge *judge, const struct pin_check *check, bool is_good);

/** Whether results speak against the verdict, or there is none: the next one can change it. */
bool pin_judge_is_turning(const struct pin_judge *judge);
