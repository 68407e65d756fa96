/* SPDX-License-Identifier: Apache-2.0 */

/* Counts first addresses: blocks of counters for tables, rows for people. */

#include "zones/tally.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "pintle/base/hash.h"
#include "pintle/base/macros.h"
#include "pintle/base/rcu.h"

#define COUNTERS_BYTES (PIN_TALLY_COUNTERS * sizeof(struct pin_stat))
#define SIZES          (PIN_TALLY_PARTS_MAX + 2u) /* of blocks, in counters */

struct row {
    struct pin_tally_row seen; /* its figures: only those of blocks that are gone */
    uint64_t n_first;          /* with those that are there; of one reading */
    double wanted;
    uint32_t n_blocks; /* parts of blocks that count here */
    size_t key_bytes;
    char key[]; /* route, cluster, backend, each with its NUL */
};

/* The counters of one table. */
struct block {
    struct pin_rcu_head rcu;
    struct pin_tally *tally;
    uint64_t series;
    uint32_t first; /* counter */
    uint32_t n_parts;
    struct {
        struct row *row;
        double share;
    } parts[];
};

/* Blocks given back, of one size. */
struct pool {
    uint32_t *firsts;
    size_t n;
    size_t cap;
};

/* What one thread counts. */
struct page {
    struct pin_stat *counters;
    bool is_used; /* a thread has it; one that is not keeps what was counted, for the next */
};

struct pin_tally {
    _Atomic uint32_t n_refs;
    pthread_mutex_t mutex; /* over all below */
    struct pin_map rows;
    struct pin_map blocks; /* by first counter */
    struct pool pools[SIZES];
    struct page *pages;
    size_t n_pages;
    uint32_t n_counters; /* handed out at least once; the first is nobody's */
    uint64_t n_uncounted;
    uint64_t n_opened;
};

/* --- life ----------------------------------------------------------------------------------- */

struct pin_tally *pin_tally_new(void)
{
    struct pin_tally *tally = calloc(1, sizeof(*tally));
    if (tally == NULL) {
        return NULL;
    }
    atomic_store(&tally->n_refs, 1);
    (void)pthread_mutex_init(&tally->mutex, NULL);
    tally->n_counters = 1;
    return tally;
}

struct pin_tally *pin_tally_ref(struct pin_tally *tally)
{
    (void)atomic_fetch_add(&tally->n_refs, 1);
    return tally;
}

void pin_tally_unref(struct pin_tally *tally)
{
    if (tally == NULL || atomic_fetch_sub(&tally->n_refs, 1) != 1) {
        return;
    }
    for (size_t i = 0; i < tally->n_pages; i++) {
        (void)munmap(tally->pages[i].counters, COUNTERS_BYTES);
    }
    for (size_t i = 0; i < SIZES; i++) {
        free(tally->pools[i].firsts);
    }
    free(tally->pages);
    pin_map_done(&tally->blocks, free);
    pin_map_done(&tally->rows, free);
    (void)pthread_mutex_destroy(&tally->mutex);
    free(tally);
}

/* --- threads -------------------------------------------------------------------------------- */

/* A page that nobody has, or a new one; NULL when memory is out. */
static struct page *find_page(struct pin_tally *tally)
{
    for (size_t i = 0; i < tally->n_pages; i++) {
        if (!tally->pages[i].is_used) {
            return &tally->pages[i];
        }
    }
    struct page *pages = realloc(tally->pages, (tally->n_pages + 1) * sizeof(*pages));
    if (pages == NULL) {
        return NULL;
    }
    tally->pages = pages;
    void *at = mmap(NULL, COUNTERS_BYTES, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) {
        return NULL;
    }
    pages[tally->n_pages] = (struct page){.counters = at};
    return &pages[tally->n_pages++];
}

struct pin_stat *pin_tally_join(struct pin_tally *tally)
{
    (void)pthread_mutex_lock(&tally->mutex);
    struct page *page = find_page(tally);
    struct pin_stat *counters = page != NULL ? page->counters : NULL;
    if (page != NULL) {
        page->is_used = true;
        (void)pin_tally_ref(tally);
    }
    (void)pthread_mutex_unlock(&tally->mutex);
    return counters;
}

void pin_tally_leave(struct pin_tally *tally, struct pin_stat *counters)
{
    if (counters == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&tally->mutex);
    for (size_t i = 0; i < tally->n_pages; i++) {
        if (tally->pages[i].counters == counters) {
            tally->pages[i].is_used = false;
        }
    }
    (void)pthread_mutex_unlock(&tally->mutex);
    pin_tally_unref(tally);
}

/* --- rows ----------------------------------------------------------------------------------- */

static struct row *new_row(const char *const texts[3])
{
    size_t bytes[3];
    size_t key_bytes = 0;
    for (size_t i = 0; i < N_ELEMS(bytes); i++) {
        bytes[i] = strlen(texts[i]) + 1;
        key_bytes += bytes[i];
    }
    struct row *row = calloc(1, sizeof(*row) + key_bytes);
    if (row == NULL) {
        return NULL;
    }
    row->key_bytes = key_bytes;
    memcpy(row->key, texts[0], bytes[0]);
    memcpy(row->key + bytes[0], texts[1], bytes[1]);
    memcpy(row->key + bytes[0] + bytes[1], texts[2], bytes[2]);
    row->seen = (struct pin_tally_row){.route = row->key,
        .cluster = row->key + bytes[0],
        .backend = row->key + bytes[0] + bytes[1]};
    return row;
}

/* The row of those texts, made where there is none; NULL when memory is out. */
static struct row *get_row(
    struct pin_tally *tally, const char *route, const char *cluster, const char *backend)
{
    const char *const texts[3] = {route, cluster, backend};
    struct row *row = new_row(texts);
    struct row *old = row == NULL ? NULL : pin_map_find(&tally->rows, row->key, row->key_bytes);
    if (old != NULL || row == NULL) {
        free(row);
        return old;
    }
    if (!pin_map_put_borrowed(&tally->rows, row->key, row->key_bytes, row, NULL)) {
        free(row);
        return NULL;
    }
    return row;
}

/* The same within the limit. */
static struct row *find_row(
    struct pin_tally *tally, const char *route, const struct pin_tally_part *part)
{
    struct row *row = get_row(tally, route, part->cluster, part->backend);
    if (row != NULL && row->n_blocks == 0 && pin_map_count(&tally->rows) > PIN_TALLY_ROWS_MAX) {
        free(pin_map_remove(&tally->rows, row->key, row->key_bytes));
        row = get_row(tally, "other", "", "");
    }
    return row;
}

static void let_row_go(struct pin_tally *tally, struct row *row)
{
    if (row != NULL && --row->n_blocks == 0) {
        (void)pin_map_remove(&tally->rows, row->key, row->key_bytes);
        free(row);
    }
}

/* --- blocks --------------------------------------------------------------------------------- */

/* n counters in a row, all 0; 0 when there are none left. */
static uint32_t take_counters(struct pin_tally *tally, uint32_t n)
{
    struct pool *pool = &tally->pools[n];
    if (pool->n > 0) {
        return pool->firsts[--pool->n];
    }
    if (n > PIN_TALLY_COUNTERS - tally->n_counters) {
        return 0;
    }
    tally->n_counters += n;
    return tally->n_counters - n;
}

static void give_counters(struct pin_tally *tally, uint32_t first, uint32_t n)
{
    struct pool *pool = &tally->pools[n];
    if (pool->n == pool->cap) {
        size_t cap = pool->cap == 0 ? 16 : 2 * pool->cap;
        uint32_t *grown = realloc(pool->firsts, cap * sizeof(*grown));
        if (grown == NULL) {
            return; /* these counters are lost, nothing else */
        }
        pool->firsts = grown;
        pool->cap = cap;
    }
    pool->firsts[pool->n++] = first;
}

static bool fill_block(
    struct pin_tally *tally, const struct pin_tally_want *want, struct block *block)
{
    for (size_t i = 0; i < want->n_parts; i++) {
        struct row *row = find_row(tally, want->route, &want->parts[i]);
        if (row == NULL) {
            return false;
        }
        row->n_blocks++;
        block->parts[i].row = row;
        block->parts[i].share = want->parts[i].share;
    }
    block->first = take_counters(tally, block->n_parts + 1);
    return block->first != 0
           && pin_map_put(&tally->blocks, &block->first, sizeof(block->first), block, NULL);
}

uint32_t pin_tally_open(const struct pin_tally_want *want)
{
    struct pin_tally *tally = want->tally;
    struct block *block = calloc(1, sizeof(*block) + want->n_parts * sizeof(block->parts[0]));
    bool is_good = false;
    (void)pthread_mutex_lock(&tally->mutex);
    if (block != NULL) {
        block->tally = tally;
        block->n_parts = (uint32_t)want->n_parts;
        block->series = ++tally->n_opened;
        is_good = fill_block(tally, want, block);
    }
    if (!is_good) {
        for (size_t i = 0; block != NULL && i < want->n_parts; i++) {
            let_row_go(tally, block->parts[i].row);
        }
        if (block != NULL && block->first != 0) {
            give_counters(tally, block->first, block->n_parts + 1);
        }
        tally->n_uncounted++;
    }
    (void)pthread_mutex_unlock(&tally->mutex);
    if (!is_good) {
        free(block);
        return 0;
    }
    (void)pin_tally_ref(tally);
    return block->first;
}

bool pin_tally_is_for(const struct pin_tally_want *want, uint32_t first)
{
    if (first == 0) {
        return true; /* not counted, whatever for */
    }
    (void)pthread_mutex_lock(&want->tally->mutex);
    const struct block *block = pin_map_find(&want->tally->blocks, &first, sizeof(first));
    bool is_same = block != NULL && block->n_parts == want->n_parts;
    for (size_t i = 0; is_same && i < want->n_parts; i++) {
        const struct pin_tally_row *row = &block->parts[i].row->seen;
        bool is_other = strcmp(row->route, "other") == 0 && row->cluster[0] == '\0';
        is_same = is_other
                  || (strcmp(row->route, want->route) == 0
                      && strcmp(row->cluster, want->parts[i].cluster) == 0
                      && strcmp(row->backend, want->parts[i].backend) == 0);
    }
    (void)pthread_mutex_unlock(&want->tally->mutex);
    return is_same;
}

/* Answers that one counter counted, of all threads. */
static uint64_t sum_counter(const struct pin_tally *tally, uint32_t counter)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < tally->n_pages; i++) {
        sum += pin_stat_read(&tally->pages[i].counters[counter]);
    }
    return sum;
}

/* Adds what the block counted to the figures of one reading. */
static void add_block(const struct pin_tally *tally, const struct block *block)
{
    uint64_t n_answers = sum_counter(tally, block->first);
    for (uint32_t i = 0; i < block->n_parts; i++) {
        uint64_t n = sum_counter(tally, block->first + 1 + i);
        block->parts[i].row->n_first += n;
        n_answers += n;
    }
    for (uint32_t i = 0; i < block->n_parts; i++) {
        block->parts[i].row->wanted += (double)n_answers * block->parts[i].share;
    }
}

/* Makes the figures of a reading those of blocks that are gone. */
static void begin_row(struct row *row)
{
    row->n_first = row->seen.n_first;
    row->wanted = row->seen.wanted;
}

/* The other way round. */
static void end_row(struct row *row)
{
    row->seen.n_first = row->n_first;
    row->seen.wanted = row->wanted;
}

/* No worker counts there any more. */
static void fold(struct pin_rcu_head *head)
{
    struct block *block = container_of(head, struct block, rcu);
    struct pin_tally *tally = block->tally;
    (void)pthread_mutex_lock(&tally->mutex);
    for (uint32_t i = 0; i < block->n_parts; i++) {
        begin_row(block->parts[i].row);
    }
    add_block(tally, block);
    for (size_t p = 0; p < tally->n_pages; p++) {
        for (uint32_t i = 0; i <= block->n_parts; i++) {
            if (pin_stat_read(&tally->pages[p].counters[block->first + i]) != 0) {
                pin_stat_set(&tally->pages[p].counters[block->first + i], 0);
            }
        }
    }
    (void)pin_map_remove(&tally->blocks, &block->first, sizeof(block->first));
    for (uint32_t i = 0; i < block->n_parts; i++) {
        end_row(block->parts[i].row); /* two parts may have one row */
    }
    for (uint32_t i = 0; i < block->n_parts; i++) {
        let_row_go(tally, block->parts[i].row);
    }
    give_counters(tally, block->first, block->n_parts + 1);
    (void)pthread_mutex_unlock(&tally->mutex);
    free(block);
    pin_tally_unref(tally);
}

void pin_tally_close(struct pin_tally *tally, uint32_t first)
{
    if (first == 0) {
        return;
    }
    (void)pthread_mutex_lock(&tally->mutex);
    struct block *block = pin_map_find(&tally->blocks, &first, sizeof(first));
    (void)pthread_mutex_unlock(&tally->mutex);
    pin_rcu_defer(&block->rcu, fold);
}

/* --- reading -------------------------------------------------------------------------------- */

uint64_t pin_tally_read(struct pin_tally *tally, pin_tally_fn *fn, void *arg)
{
    size_t cursor = 0;
    void *value = NULL;
    (void)pthread_mutex_lock(&tally->mutex);
    while (pin_map_next(&tally->rows, &cursor, NULL, NULL, &value)) {
        begin_row(value);
    }
    cursor = 0;
    while (pin_map_next(&tally->blocks, &cursor, NULL, NULL, &value)) {
        add_block(tally, value);
    }
    cursor = 0;
    while (pin_map_next(&tally->rows, &cursor, NULL, NULL, &value)) {
        const struct row *row = value;
        struct pin_tally_row seen = row->seen;
        seen.n_first = row->n_first;
        seen.wanted = row->wanted;
        fn(arg, &seen);
    }
    uint64_t n_uncounted = tally->n_uncounted;
    (void)pthread_mutex_unlock(&tally->mutex);
    return n_uncounted;
}

struct pin_tally_sum pin_tally_read_block(
    struct pin_tally *tally, uint32_t first, pin_tally_fn *fn, void *arg)
{
    struct pin_tally_sum sum = {0};
    (void)pthread_mutex_lock(&tally->mutex);
    const struct block *block = pin_map_find(&tally->blocks, &first, sizeof(first));
    for (uint32_t i = 0; block != NULL && i <= block->n_parts; i++) {
        sum.n_answers += sum_counter(tally, first + i);
        sum.series = block->series;
    }
    for (uint32_t i = 0; block != NULL && i < block->n_parts; i++) {
        struct pin_tally_row seen = block->parts[i].row->seen;
        seen.n_first = sum_counter(tally, first + 1 + i);
        seen.wanted = (double)sum.n_answers * block->parts[i].share;
        fn(arg, &seen);
    }
    (void)pthread_mutex_unlock(&tally->mutex);
    return sum;
}

/* --- as JSON ------------------------------------------------------------------------------- */

void pin_tally_put_members(struct pin_jsonout *json, const struct pin_tally_row *row)
{
    pin_jsonout_key_string(json, "backend", row->backend);
    pin_jsonout_key_string(json, "cluster", row->cluster);
    pin_jsonout_key_uint(json, "answers", row->n_first);
    pin_jsonout_key_double(json, "wanted", row->wanted);
}
