/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * What both HTTP targets do with their input: it is the stream of one client, cut into pieces.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/require.h"
#include "resolver/https.h"

#define FUZZ_OUT_BYTES   4096u
#define FUZZ_PENDING_MAX 128u
/** Takes of one byte; all later ones are larger. Thousands of requests in one input can ask for
 * hundreds of megabytes, which would take half a minute byte by byte. */
#define FUZZ_SINGLES_MAX 65536u
/** Most that a connection holds back, and the largest response besides. */
#define FUZZ_HELD_MAX_BYTES ((size_t)1 << 20)

/** One connection under test. */
struct fuzz_https {
    struct pin_https *http;
    uint32_t pending[FUZZ_PENDING_MAX]; /**< Ids of questions that are answered later. */
    size_t n_pending;
    size_t n_asked;
    size_t n_singles; /**< Takes of one byte. */
};

/** Answers by the question's first byte: now, later, never, or with much. */
static inline size_t fuzz_ask(void *arg, uint32_t request_id, const struct pin_packet *packet)
{
    struct fuzz_https *f = arg;
    require(packet->bytes >= PIN_HEADER_BYTES && packet->bytes <= PIN_STREAM_MAX_BYTES);
    require(packet->cap_bytes == PIN_STREAM_MAX_BYTES);
    f->n_asked++;
    switch (packet->wire[0] % 4) {
    case 0:
        return packet->bytes;
    case 1:
        return 0;
    case 2:
        return PIN_STREAM_MAX_BYTES;
    default:
        if (f->n_pending == FUZZ_PENDING_MAX) {
            return 0;
        }
        f->pending[f->n_pending++] = request_id;
        return PIN_ANSWER_LATER;
    }
}

/** Takes what there is to send, by single bytes where these are wanted; returns how much it was. */
static inline size_t fuzz_take(struct fuzz_https *f, bool wants_singles)
{
    static uint8_t out[FUZZ_OUT_BYTES];
    size_t total = 0;
    size_t n = 0;
    do {
        bool is_single = wants_singles && f->n_singles < FUZZ_SINGLES_MAX;
        size_t cap_bytes = is_single ? 1 : FUZZ_OUT_BYTES;
        f->n_singles += is_single;
        n = pin_https_take(f->http, out, cap_bytes);
        require(n <= cap_bytes);
        total += n;
    } while (n > 0);
    require(total <= FUZZ_HELD_MAX_BYTES);
    return total;
}

/** Answers the newest question that waits. */
static inline void fuzz_answer(struct fuzz_https *f)
{
    static const uint8_t answer[] = {0, 0, 0x84, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    if (f->n_pending > 0) {
        f->n_pending--;
        pin_https_answer(
            f->http, f->pending[f->n_pending], answer, f->n_asked % 3 == 0 ? 0 : sizeof(answer));
    }
}

/**
 * Plays one client. The first byte says how its stream is cut, when answers are taken and when the
 * late ones come.
 */
static inline void fuzz_https(enum pin_https_version version, const uint8_t *data, size_t size)
{
    static struct pin_https_shared *shared;
    struct pin_why why = {0};
    require(shared != NULL || pin_https_shared_new(NULL, &shared, &why) == PIN_OK);
    struct fuzz_https f = {0};
    f.http = pin_https_new(shared, version, PIN_HTTPS_PATH, fuzz_ask, &f);
    require(f.http != NULL);
    uint8_t how = size > 0 ? data[0] : 0;
    size_t piece = (how & 3) == 0 ? size : (size_t)1 << ((how & 3) * 3);
    size_t at = size > 0 ? 1 : 0;
    while (at < size && !pin_https_is_over(f.http)) {
        size_t bytes = piece < size - at ? piece : size - at;
        uint8_t *exact = malloc(bytes);
        require(exact != NULL);
        memcpy(exact, data + at, bytes);
        size_t done = pin_https_feed(f.http, exact, bytes);
        free(exact);
        require(done <= bytes);
        at += done;
        if ((how & 4) != 0 || done < bytes) {
            bool has_pending = f.n_pending > 0;
            fuzz_answer(&f);
            size_t taken = fuzz_take(&f, (how & 8) != 0);
            require(done > 0 || taken > 0 || has_pending); /* it goes on some time */
        }
    }
    if ((how & 16) != 0) {
        pin_https_end(f.http);
    }
    while (f.n_pending > 0) {
        fuzz_answer(&f);
    }
    require(pin_https_n_pending(f.http) == 0);
    (void)fuzz_take(&f, false);
    (void)pin_https_is_reading(f.http);
    pin_https_free(f.http);
}
