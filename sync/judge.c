/* SPDX-License-Identifier: Apache-2.0 */

/* Rise and fall: how many results in a row change a verdict. */

#include "judge.h"

#include "pintle/base/macros.h"

static bool is_judged(const struct pin_judge *judge)
{
    return judge->verdict == PIN_VERDICT_UP || judge->verdict == PIN_VERDICT_DOWN;
}

static enum pin_verdict next_verdict(const struct pin_judge *judge, const struct pin_check *check)
{
    uint8_t rise = is_judged(judge) ? check->rise : 1;
    if (judge->n_good >= PIN_MAX(rise, 1)) {
        return PIN_VERDICT_UP;
    }
    return judge->n_bad >= PIN_MAX(check->fall, 1) ? PIN_VERDICT_DOWN : judge->verdict;
}

bool pin_judge_result(struct pin_judge *judge, const struct pin_check *check, bool is_good)
{
    uint8_t *counted = is_good ? &judge->n_good : &judge->n_bad;
    *(is_good ? &judge->n_bad : &judge->n_good) = 0;
    *counted = (uint8_t)(*counted < UINT8_MAX ? *counted + 1 : UINT8_MAX);

    enum pin_verdict verdict = next_verdict(judge, check);
    bool is_changed = verdict != judge->verdict;
    judge->verdict = verdict;
    return is_changed;
}

bool pin_judge_is_turning(const struct pin_judge *judge)
{
    switch (judge->verdict) {
    case PIN_VERDICT_UP:
        return judge->n_bad > 0;
    case PIN_VERDICT_DOWN:
        return judge->n_good > 0;
    case PIN_VERDICT_UNJUDGED:
    case PIN_VERDICT_ASSUMED:
        break;
    }
    return true;
}
