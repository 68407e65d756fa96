/* SPDX-License-Identifier: Apache-2.0 */

/* Reads what to ask into wire format, and judges what comes back. */

#include "queries.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES      512U
#define SEED            20260101U
#define GENERATION_MASK 0xFFFFFFFCU

/* A small generator of fixed seed (xorshift64*): every run asks in the same order. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1DU;
}

static void shuffle(uint32_t *order, uint32_t n)
{
    uint64_t state = SEED;

    for (uint32_t i = 0; i < n; i++) {
        order[i] = i;
    }
    for (uint32_t i = n; i > 1; i--) {
        uint32_t j = (uint32_t)(next_random(&state) % i);
        uint32_t swapped = order[i - 1];
        order[i - 1] = order[j];
        order[j] = swapped;
    }
}

/* Counts the lines, so that the arrays are allocated once. */
static uint32_t count_lines(FILE *file)
{
    uint32_t n = 0;

    for (int c; (c = getc(file)) != EOF && n < UINT32_MAX / QUESTION_BYTES_MAX;) {
        n += c == '\n';
    }
    rewind(file);
    return n;
}

/* A number of at most `max`, or -1 for none and for "-"; false for anything else. */
static bool parse_wanted(const char *text, long max, int32_t *ret_wanted)
{
    char *end = NULL;

    *ret_wanted = -1;
    if (text == NULL || strcmp(text, "-") == 0) {
        return true;
    }
    long number = strtol(text, &end, 10);
    *ret_wanted = (int32_t)number;
    return end != text && *end == '\0' && number >= 0 && number <= max;
}

/* Takes one line apart; false when it is not of the form that the header tells. */
static bool parse_line(
    char *line, const struct pin_queries_form *form, uint8_t *wire, struct pin_asked *ret_asked)
{
    char *rest = NULL;
    const char *name = strtok_r(line, " \t\r\n", &rest);
    const char *type = strtok_r(NULL, " \t\r\n", &rest);
    const char *rcode = strtok_r(NULL, " \t\r\n", &rest);
    const char *count = strtok_r(NULL, " \t\r\n", &rest);
    uint16_t qtype = form->qtype;
    int32_t wanted = -1;

    if ((type != NULL && !pin_question_parse_type(type, &qtype))
        || !parse_wanted(rcode, QUERIES_N_RCODE - 1, &wanted)
        || !parse_wanted(count, UINT16_MAX, &ret_asked->n_answer)) {
        return false;
    }
    ret_asked->rcode = (int16_t)wanted;
    ret_asked->bytes = (uint16_t)pin_question_encode(name, qtype, form->with_edns, wire);
    if (form->is_echo) {
        ret_asked->rcode = -1;
        ret_asked->n_answer = -1;
    }
    return ret_asked->bytes > 0;
}

static bool fill(
    FILE *file, const char *path, const struct pin_queries_form *form, struct pin_queries *queries)
{
    char line[LINE_BYTES];
    size_t end = 0;

    for (unsigned number = 1; fgets(line, sizeof(line), file) != NULL; number++) {
        if (line[strspn(line, " \t\r\n")] == '\0') {
            continue;
        }
        struct pin_asked *asked = &queries->asked[queries->n];
        asked->at = (uint32_t)end;
        if (!parse_line(line, form, queries->wire + end, asked)) {
            (void)fprintf(stderr, "%s:%u: not NAME [TYPE [RCODE [COUNT]]]\n", path, number);
            return false;
        }
        end += asked->bytes;
        queries->n++;
    }
    return queries->n > 0;
}

bool pin_queries_read(
    const char *path, const struct pin_queries_form *form, struct pin_queries *ret_queries)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        perror(path);
        return false;
    }
    size_t n = (size_t)count_lines(file) + 1; /* the last line may lack its end */
    *ret_queries = (struct pin_queries){.wire = malloc(n * QUESTION_BYTES_MAX),
        .asked = calloc(n, sizeof(*ret_queries->asked)),
        .order = calloc(n, sizeof(*ret_queries->order))};
    bool is_read = ret_queries->wire != NULL && ret_queries->asked != NULL
                   && ret_queries->order != NULL && fill(file, path, form, ret_queries);
    (void)fclose(file);
    if (is_read) {
        shuffle(ret_queries->order, ret_queries->n);
    }
    return is_read;
}

bool pin_queries_is_mixed(const uint8_t *wire, size_t bytes)
{
    uint32_t first = 0;
    uint32_t address = 0;
    size_t n_seen = 0;
    struct pin_question_walk walk = {0};

    for (; pin_question_next_address(wire, bytes, &walk, &address); n_seen++) {
        if (n_seen > 0 && ((address ^ first) & GENERATION_MASK) != 0) {
            return true;
        }
        first = address;
    }
    return false;
}

static enum pin_heard judge(const struct pin_queries *queries, uint32_t query_i,
    const uint8_t *wire, size_t bytes, bool wants_generation)
{
    const struct pin_asked *asked = &queries->asked[query_i];

    if (!pin_question_is_echoed(queries->wire + asked->at, wire, bytes)) {
        return PIN_HEARD_WRONG;
    }
    if ((asked->rcode >= 0 && asked->rcode != pin_question_rcode(wire))
        || (asked->n_answer >= 0 && asked->n_answer != pin_question_answer_count(wire))) {
        return PIN_HEARD_UNWANTED;
    }
    return wants_generation && pin_queries_is_mixed(wire, bytes) ? PIN_HEARD_MIXED : PIN_HEARD_GOOD;
}

void pin_queries_hear(const struct pin_queries *queries, uint32_t query_i, const uint8_t *wire,
    size_t bytes, bool wants_generation, struct pin_tally *tally)
{
    enum pin_heard heard = judge(queries, query_i, wire, bytes, wants_generation);
    tally->n_heard[heard]++;
    if (heard != PIN_HEARD_WRONG) {
        tally->n_answered++;
        tally->answer_bytes += bytes;
        tally->n_truncated += pin_question_is_truncated(wire);
        tally->n_rcode[pin_question_rcode(wire)]++;
    }
}

void pin_tally_print(const struct pin_tally *tally, uint64_t elapsed_ns)
{
    static const char *const rcode_names[QUERIES_N_RCODE] = {"NOERROR", "FORMERR", "SERVFAIL",
        "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE",
        "R11", "R12", "R13", "R14", "R15"};
    double seconds = (double)elapsed_ns / (double)(1000 * NS_PER_MS);
    uint64_t mean_bytes = tally->n_answered > 0 ? tally->answer_bytes / tally->n_answered : 0;

    (void)printf("sent=%ju answered=%ju lost=%ju unasked=%ju wrong=%ju unwanted=%ju mixed=%ju"
                 " truncated=%ju",
        (uintmax_t)tally->n_sent, (uintmax_t)tally->n_answered, (uintmax_t)tally->n_lost,
        (uintmax_t)tally->n_unasked, (uintmax_t)tally->n_heard[PIN_HEARD_WRONG],
        (uintmax_t)tally->n_heard[PIN_HEARD_UNWANTED], (uintmax_t)tally->n_heard[PIN_HEARD_MIXED],
        (uintmax_t)tally->n_truncated);
    for (size_t i = 0; i < QUERIES_N_RCODE; i++) {
        if (tally->n_rcode[i] > 0) {
            (void)printf(" %s=%ju", rcode_names[i], (uintmax_t)tally->n_rcode[i]);
        }
    }
    (void)printf(" answer_bytes=%ju seconds=%.3f qps=%.0f", (uintmax_t)mean_bytes, seconds,
        (double)tally->n_answered / seconds);
}
