/* SPDX-License-Identifier: Apache-2.0 */

/* Which addresses of a probed table are shown right now, and with which shares. */

#include "pintle/zones/checked.h"

#include <string.h>

#include "pintle/base/macros.h"
#include "pintle/zones/select.h"
#include "pintle/zones/table.h"

/* All shares together, near enough. */
#define WHOLE (UINT64_C(1) << 48)

/* 128-bit arithmetic: what ISO C has no name for. */
__extension__ typedef unsigned __int128 pin_u128;

/* --- what is shown --------------------------------------------------------------------------- */

/* What all slots together say. */
struct found {
    enum pin_verdict best;
    enum pin_verdict worst;
    uint32_t since_s; /* when the last one went down */
    uint32_t next_s;
};

static void look_at(struct found *found, const _Atomic uint64_t *words, uint32_t slot)
{
    uint64_t word = pin_health_word(words, slot);
    if (pin_likely((word & PIN_HEALTH_CALM_MASK) == PIN_HEALTH_CALM)) {
        found->best = PIN_VERDICT_UP;
        return;
    }
    struct pin_health_state state = pin_health_unpack(word);
    found->best = PIN_MAX(found->best, state.verdict);
    found->worst = PIN_MIN(found->worst, state.verdict);
    if (state.verdict == PIN_VERDICT_DOWN) {
        found->since_s = PIN_MAX(found->since_s, state.since_s);
    }
    if (state.is_turning) {
        found->next_s = PIN_MIN(found->next_s, state.next_s);
    }
}

static struct found look_at_all(const struct pin_checked *checked, const _Atomic uint64_t *words)
{
    struct found found = {
        .best = PIN_VERDICT_DOWN, .worst = PIN_VERDICT_UP, .next_s = PIN_SIGHT_CALM};
    for (uint32_t i = 0; i < checked->n_members; i++) {
        look_at(&found, words, checked->members[i]);
    }
    for (uint32_t i = 0; i < checked->n_groups; i++) {
        const struct pin_checked_group *group = &checked->groups[i];
        for (uint32_t j = group->first_item; j < group->first_item + group->n_items; j++) {
            if (checked->items[j].slot != PIN_SLOT_NONE) {
                look_at(&found, words, checked->items[j].slot);
            } else if (group->n_members == 0) {
                found.best = PIN_VERDICT_UP; /* nobody asks it: it always counts as up */
            }
        }
    }
    return found;
}

static bool has_bit(const struct pin_sight *sight, uint32_t i)
{
    return (sight->shown[i / 64] >> (i % 64) & 1u) != 0;
}

static void set_bit(struct pin_sight *sight, uint32_t i)
{
    sight->shown[i / 64] |= UINT64_C(1) << (i % 64);
}

static bool is_good(
    const _Atomic uint64_t *words, uint32_t slot, enum pin_verdict floor, uint32_t since_s)
{
    struct pin_health_state state = pin_health_unpack(pin_health_word(words, slot));
    return state.verdict >= floor
           && (state.verdict != PIN_VERDICT_DOWN || state.since_s >= since_s);
}

/* Notes once what is good, so that all that follows agrees. What is down counts when it went down
 * at since_s or later. */
static void take_picture(const struct pin_checked *checked, const _Atomic uint64_t *words,
    enum pin_verdict floor, uint32_t since_s, struct pin_sight *ret)
{
    bool has_any = false;
    for (uint32_t i = 0; i <= (checked->n_items + checked->n_members) / 64; i++) {
        ret->shown[i] = 0;
    }
    for (uint32_t i = 0; i < checked->n_groups; i++) {
        const struct pin_checked_group *group = &checked->groups[i];
        bool has_member = group->n_members == 0;
        for (uint32_t j = group->first_member; j < group->first_member + group->n_members; j++) {
            if (is_good(words, checked->members[j], floor, since_s)) {
                set_bit(ret, checked->n_items + j);
                has_member = true;
            }
        }
        for (uint32_t j = group->first_item; j < group->first_item + group->n_items; j++) {
            uint32_t slot = checked->items[j].slot;
            if (slot != PIN_SLOT_NONE ? is_good(words, slot, floor, since_s) : has_member) {
                set_bit(ret, j);
                has_any = true;
            }
        }
    }
    ret->is_plain = !has_any; /* a verdict came between: the next answer sees it */
}

/* Whether fewer are left than the name wants before it trusts verdicts at all. */
static bool has_too_few(const struct pin_checked *checked, const struct pin_sight *sight)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < checked->n_items; i++) {
        n += has_bit(sight, i);
    }
    return n * 100 < (uint64_t)checked->n_items * checked->up_percent;
}

void pin_checked_look(
    const struct pin_checked *checked, const _Atomic uint64_t *words, struct pin_sight *ret_sight)
{
    struct found found = look_at_all(checked, words);
    enum pin_verdict floor = PIN_MIN(found.best, PIN_VERDICT_ASSUMED);
    bool is_down = floor == PIN_VERDICT_DOWN;
    ret_sight->next_s = found.next_s;
    ret_sight->is_nothing = false;
    ret_sight->is_plain = found.worst >= floor && !is_down;
    if (ret_sight->is_plain) {
        return;
    }
    if (!is_down || checked->all_down == PIN_ALL_DOWN_LAST_GOOD) {
        take_picture(checked, words, floor,
            found.since_s - PIN_MIN(checked->window_s, found.since_s), ret_sight);
        if (is_down || !has_too_few(checked, ret_sight)) {
            return;
        }
    }
    ret_sight->is_nothing = checked->all_down == PIN_ALL_DOWN_NONE;
    ret_sight->is_plain = !ret_sight->is_nothing;
}

/* Members that count. */
static uint32_t good_members(const struct pin_checked *checked, const struct pin_sight *sight,
    const struct pin_checked_group *group)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < group->n_members; i++) {
        n += has_bit(sight, checked->n_items + group->first_member + i);
    }
    return n;
}

bool pin_checked_shows(
    const struct pin_checked *checked, const struct pin_sight *sight, uint32_t item_i)
{
    if (!has_bit(sight, item_i)) {
        return false;
    }
    for (uint32_t i = 0; checked->items[item_i].is_again && i < item_i; i++) {
        if (checked->items[i].rr_i == checked->items[item_i].rr_i && has_bit(sight, i)) {
            return false;
        }
    }
    return true;
}

/* --- shares of what is shown -------------------------------------------------------------------
 */

/* One look's verdicts, carried through the steps of one draw. */
struct draw {
    const struct pin_checked *checked;
    const struct pin_sight *sight;
    uint64_t backends; /* weights of all backends that count */
    uint64_t total;    /* widths of all items shown */
    uint64_t widest;
    uint32_t n_shown;
};

/* How many items of a group are shown, and what the group weighs among those of its backend. */
static uint32_t weigh_group(
    const struct draw *draw, const struct pin_checked_group *group, uint64_t *ret_weight)
{
    uint32_t n_members = good_members(draw->checked, draw->sight, group);
    uint32_t n_items = 0;
    bool has_slots = false;
    for (uint32_t i = group->first_item; i < group->first_item + group->n_items; i++) {
        has_slots = has_slots || draw->checked->items[i].slot != PIN_SLOT_NONE;
        n_items += has_bit(draw->sight, i);
    }
    uint64_t by_count = group->n_members > 0 ? n_members
                        : has_slots          ? (uint64_t)group->count * n_items / group->n_items
                                             : group->count;
    *ret_weight = group->weight != 0 ? group->weight : PIN_MAX(by_count, 1);
    return n_items;
}

/* Sums up the groups of one backend that show something; returns the group behind the last. */
static uint32_t weigh_backend(const struct draw *draw, uint32_t group_i, uint64_t *ret_sum)
{
    const struct pin_checked *checked = draw->checked;
    uint32_t backend_i = checked->groups[group_i].backend_i;
    *ret_sum = 0;
    for (; group_i < checked->n_groups && checked->groups[group_i].backend_i == backend_i;
         group_i++) {
        uint64_t weight = 0;
        if (weigh_group(draw, &checked->groups[group_i], &weight) > 0) {
            *ret_sum += weight;
        }
    }
    return group_i;
}

/* The weights of all backends that count. */
static uint64_t weigh_backends(const struct draw *draw)
{
    const struct pin_checked *checked = draw->checked;
    uint64_t all = 0;
    for (uint32_t i = 0; checked->keeps_nodata && i < checked->n_backends; i++) {
        all += checked->backends[i];
    }
    for (uint32_t i = 0; !checked->keeps_nodata && i < checked->n_groups;) {
        uint64_t sum = 0;
        uint32_t backend_i = checked->groups[i].backend_i;
        i = weigh_backend(draw, i, &sum);
        all += sum > 0 ? checked->backends[backend_i] : 0;
    }
    return all;
}

/* The share of each shown item of a group, WHOLE being everything; 0 when it shows none. */
static uint64_t item_width(
    const struct draw *draw, const struct pin_checked_group *group, uint64_t backend_sum)
{
    uint64_t weight = 0;
    uint32_t n_items = weigh_group(draw, group, &weight);
    if (n_items == 0 || backend_sum == 0 || draw->backends == 0) {
        return 0;
    }
    pin_u128 width = (pin_u128)WHOLE * draw->checked->backends[group->backend_i] * weight
                     / ((pin_u128)draw->backends * backend_sum * n_items);
    return width > 0 ? (uint64_t)width : 1;
}

/* Calls `visit` for each shown item with its width, in the order of the table. */
static void walk(struct draw *draw,
    void (*visit)(struct draw *draw, void *arg, uint16_t rr_i, uint64_t width), void *arg)
{
    const struct pin_checked *checked = draw->checked;
    uint64_t sum = 0;
    uint32_t backend_end = 0;
    for (uint32_t i = 0; i < checked->n_groups; i++) {
        const struct pin_checked_group *group = &checked->groups[i];
        if (i == backend_end) {
            backend_end = weigh_backend(draw, i, &sum);
        }
        uint64_t width = item_width(draw, group, sum);
        for (uint32_t j = group->first_item; width > 0 && j < group->first_item + group->n_items;
             j++) {
            if (has_bit(draw->sight, j)) {
                visit(draw, arg, checked->items[j].rr_i, width);
            }
        }
    }
}

static void add_up(struct draw *draw, void *arg, uint16_t rr_i, uint64_t width)
{
    (void)arg;
    (void)rr_i;
    draw->total += width;
    draw->widest = PIN_MAX(draw->widest, width);
    draw->n_shown++;
}

/* --- picking -------------------------------------------------------------------------------------
 */

/* Points on the circle of shares, in ascending order: (rest + i * total) / n. */
struct picks {
    uint64_t rest;
    uint64_t end; /* of the item before */
    uint16_t n;
    uint16_t i;
    uint16_t first; /* which of them comes first in the answer */
    uint16_t *rr_i;
};

static void pick(struct draw *draw, void *arg, uint16_t rr_i, uint64_t width)
{
    struct picks *picks = arg;
    picks->end += width;
    while (picks->i < picks->n && (picks->rest + picks->i * draw->total) / picks->n < picks->end) {
        picks->rr_i[(picks->i + picks->n - picks->first) % picks->n] = rr_i;
        picks->i++;
    }
}

/* Each RR once, in the order given. */
static uint16_t without_repeats(uint16_t *rr_i, uint16_t n)
{
    uint16_t n_kept = 0;
    for (uint16_t i = 0; i < n; i++) {
        bool is_there = false;
        for (uint16_t j = 0; j < n_kept && !is_there; j++) {
            is_there = rr_i[j] == rr_i[i];
        }
        if (!is_there) {
            rr_i[n_kept++] = rr_i[i];
        }
    }
    return n_kept;
}

/* All that are shown, beginning at a point: mode all. */
struct round {
    uint64_t point;
    uint64_t end;
    uint32_t first; /* the item that the point lies in */
    uint32_t at;
    uint16_t n;
    uint16_t *rr_i;
};

static void find_first(struct draw *draw, void *arg, uint16_t rr_i, uint64_t width)
{
    struct round *round = arg;
    (void)draw;
    (void)rr_i;
    round->end += width;
    round->first += round->end <= round->point;
}

static void take_in_turn(struct draw *draw, void *arg, uint16_t rr_i, uint64_t width)
{
    struct round *round = arg;
    (void)width;
    uint32_t place = (round->at + draw->n_shown - round->first) % draw->n_shown;
    round->at++;
    if (place < round->n) {
        round->rr_i[place] = rr_i;
    }
}

static uint16_t order_all(struct draw *draw, uint64_t point, uint16_t n, uint16_t *rr_i)
{
    struct round round = {.point = point, .n = n, .rr_i = rr_i};
    walk(draw, find_first, &round);
    walk(draw, take_in_turn, &round);
    return without_repeats(rr_i, n);
}

/* Whether a part of the questions belongs to backends that show nothing. */
static bool has_nodata(const struct draw *draw)
{
    return WHOLE - PIN_MIN(draw->total, WHOLE) > draw->n_shown + draw->checked->n_groups;
}

/* As many as lie apart on the circle: floor(S / max W), rounding forgiven. */
static uint64_t count_picks(const struct draw *draw, const struct pin_table *table, uint16_t n_room)
{
    uint64_t limit = PIN_MIN(PIN_MIN(draw->n_shown, n_room), table->uneven->checked->n_limit);
    if (table->mode == PIN_ANSWERS_SINGLE) {
        return 1;
    }
    if (table->mode == PIN_ANSWERS_ALL) {
        return PIN_MAX(limit, 1);
    }
    uint64_t apart = (draw->total + (draw->total >> 24)) / PIN_MAX(draw->widest, 1);
    return PIN_MAX(PIN_MIN(limit, apart), 1);
}

/* A look's verdicts with their sums. */
static struct draw weigh_all(const struct pin_table *table, const struct pin_sight *sight)
{
    struct draw draw = {.checked = table->uneven->checked, .sight = sight};
    draw.backends = weigh_backends(&draw);
    walk(&draw, add_up, NULL);
    return draw;
}

static void add_odds(struct draw *draw, void *arg, uint16_t rr_i, uint64_t width)
{
    struct pin_odds *odds = arg;
    uint64_t around =
        draw->checked->keeps_nodata ? PIN_MAX(WHOLE, draw->total) : PIN_MAX(draw->total, 1);
    odds[rr_i].first += (double)width / (double)around;
}

void pin_checked_odds(
    const struct pin_table *table, const struct pin_sight *sight, struct pin_odds *ret_odds)
{
    struct draw draw = weigh_all(table, sight);
    double n_picks = (double)count_picks(&draw, table, PIN_PICK_MAX);
    memset(ret_odds, 0, table->n_rr * sizeof(*ret_odds));
    walk(&draw, add_odds, ret_odds);
    for (uint16_t i = 0; i < table->n_rr; i++) {
        ret_odds[i].in_answer = PIN_MIN(ret_odds[i].first * n_picks, 1);
        if (table->mode == PIN_ANSWERS_ALL && n_picks >= draw.n_shown && ret_odds[i].first > 0) {
            ret_odds[i].in_answer = 1;
        }
    }
}

uint16_t pin_checked_draw(const struct pin_table *table, const struct pin_sight *sight,
    uint64_t turn, uint16_t n_room, uint16_t *ret_rr_i)
{
    struct draw draw = weigh_all(table, sight);
    uint64_t n = count_picks(&draw, table, n_room);
    uint64_t around =
        table->uneven->checked->keeps_nodata ? PIN_MAX(WHOLE, draw.total) : draw.total;
    uint64_t circle = n * around;
    uint64_t position = (uint64_t)(((pin_u128)turn * circle) >> 64);
    if (position >= n * draw.total) {
        if (has_nodata(&draw)) {
            return 0;
        }
        position = n * draw.total - 1; /* what rounding lost is the last one's */
    }
    if (table->mode == PIN_ANSWERS_ALL) {
        return order_all(&draw, position / n, (uint16_t)n, ret_rr_i);
    }
    struct picks picks = {.rest = position % draw.total,
        .n = (uint16_t)n,
        .first = (uint16_t)(position / draw.total),
        .rr_i = ret_rr_i};
    walk(&draw, pick, &picks);
    return without_repeats(ret_rr_i, (uint16_t)n);
}
