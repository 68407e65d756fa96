/* SPDX-License-Identifier: Apache-2.0 */

/* Counts how often addresses come. */

#include "support/shares.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/zones/select.h"

#define GROUPS_MAX    32u
#define POSITIONS_MAX (UINT64_C(1) << 25)

struct group {
    struct pin_addresses set;
    uint64_t low;  /* N of N and N/M */
    uint64_t high; /* M of N/M; 0 without */
    uint64_t count;
    uint64_t count_of_first; /* all addresses of a group share alike */
    uint64_t count_of_last;
    bool is_nodata;
    char word[128];
};

struct pin_shares {
    size_t n_groups;
    uint64_t n_others; /* addresses in no group */
    uint64_t n_answers;
    struct group groups[GROUPS_MAX];
};

struct pin_shares *pin_shares_new(void)
{
    return calloc(1, sizeof(struct pin_shares));
}

void pin_shares_free(struct pin_shares *shares)
{
    free(shares);
}

bool pin_shares_want(struct pin_shares *shares, const char *word)
{
    const char *equals = strchr(word, '=');
    if (equals == NULL || shares->n_groups == GROUPS_MAX
        || (size_t)(equals - word) >= sizeof(shares->groups[0].word)) {
        return false;
    }
    struct group *group = &shares->groups[shares->n_groups++];
    char *end = NULL;
    memcpy(group->word, word, (size_t)(equals - word));
    group->low = strtoull(equals + 1, &end, 10);
    group->high = *end == '/'   ? strtoull(end + 1, NULL, 10)
                  : *end == '.' ? strtoull(end + 2, NULL, 10)
                                : 0;
    group->is_nodata = strcmp(group->word, "nodata") == 0;
    if (group->is_nodata) {
        return end != equals + 1;
    }
    return end != equals + 1 && pin_addresses_add_word(&group->set, group->word);
}

void pin_shares_count(struct pin_shares *shares, const struct pin_ip *ip)
{
    shares->n_answers++;
    for (size_t i = 0; ip == NULL && i < shares->n_groups; i++) {
        if (shares->groups[i].is_nodata) {
            shares->groups[i].count++;
            return;
        }
    }
    for (size_t i = 0; ip != NULL && i < shares->n_groups; i++) {
        struct group *group = &shares->groups[i];
        if (!group->is_nodata && pin_addresses_has(&group->set, ip)) {
            group->count++;
            group->count_of_first += pin_ip_equal(ip, &group->set.ip[0]);
            group->count_of_last += pin_ip_equal(ip, &group->set.ip[group->set.n - 1]);
            return;
        }
    }
    shares->n_others++;
}

static struct pin_ip address_at(const struct pin_table *table, uint16_t rr_i)
{
    bool is_v4 = table->wire[3] == PIN_TYPE_A;
    size_t rr_bytes = is_v4 ? PIN_RR_A_BYTES : PIN_RR_AAAA_BYTES;
    return pin_ip_from_bytes(table->wire + rr_i * rr_bytes + 12, is_v4 ? 4 : 6);
}

/* A table of one address has no circle: it is always shown. */
static bool count_fixed(struct pin_shares *shares, const struct pin_table *table)
{
    struct pin_ip ip = address_at(table, 0);
    pin_shares_count(shares, &ip);
    return table->n_rr == 1;
}

bool pin_shares_count_round(struct pin_shares *shares, const struct pin_table *table, bool all)
{
    if (table->form == PIN_TABLE_FIXED) {
        return count_fixed(shares, table);
    }
    /* A weighted order begins as a single draw does. */
    bool is_ordered = table->mode == PIN_ANSWERS_ALL || table->mode == PIN_ANSWERS_GROUP;
    uint16_t n_pick = is_ordered && !all ? 1 : table->n_pick_max;
    uint16_t *picked = calloc(n_pick, sizeof(*picked));
    uint64_t circle = n_pick * (pin_table_total(table) + pin_table_nodata(table));
    bool is_short = picked != NULL && circle <= POSITIONS_MAX;
    uint16_t n_counted = all ? n_pick : 1;
    uint64_t n_positions = is_short ? circle : 0;
    for (uint64_t position = 0; position < n_positions; position++) {
        if (position >= n_pick * pin_table_total(table)) {
            pin_shares_count(shares, NULL);
            continue;
        }
        pin_select_at(table, position, n_pick, picked);
        for (uint16_t i = 0; i < n_counted; i++) {
            struct pin_ip ip = address_at(table, picked[i]);
            pin_shares_count(shares, &ip);
        }
    }
    if (all) {
        shares->n_answers = n_positions;
    }
    free(picked);
    return is_short;
}

static void put_counts(const struct pin_shares *shares, struct pin_text *text)
{
    for (size_t i = 0; i < shares->n_groups; i++) {
        const struct group *group = &shares->groups[i];
        pin_text_putf(text, "%s=%llu ", group->word, (unsigned long long)group->count);
    }
    pin_text_putf(text, "others=%llu in %llu answers", (unsigned long long)shares->n_others,
        (unsigned long long)shares->n_answers);
}

bool pin_shares_are_met(const struct pin_shares *shares, struct pin_text *ret_got)
{
    uint64_t wanted_sum = 0;
    bool is_met = shares->n_others == 0 && shares->n_answers > 0;
    for (size_t i = 0; i < shares->n_groups; i++) {
        wanted_sum += shares->groups[i].low;
    }
    for (size_t i = 0; i < shares->n_groups; i++) {
        const struct group *group = &shares->groups[i];
        uint64_t of = group->high != 0 ? group->high : wanted_sum;
        is_met = is_met && group->count * of == group->low * shares->n_answers;
        if (!group->is_nodata) {
            is_met = is_met && group->count_of_first * group->set.n == group->count
                     && group->count_of_last * group->set.n == group->count;
        }
    }
    put_counts(shares, ret_got);
    return is_met;
}

bool pin_shares_are_between(const struct pin_shares *shares, struct pin_text *ret_got)
{
    bool is_met = shares->n_others == 0;
    for (size_t i = 0; i < shares->n_groups; i++) {
        const struct group *group = &shares->groups[i];
        uint64_t high = group->high != 0 ? group->high : group->low;
        is_met = is_met && group->count >= group->low && group->count <= high;
    }
    put_counts(shares, ret_got);
    return is_met;
}
