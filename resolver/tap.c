/* SPDX-License-Identifier: Apache-2.0 */

/* The worker's side of a tap, and how its ring is read. */

#include "tap.h"

#include <string.h>

#include "pintle/base/clock.h"
#include "pintle/base/macros.h"

#include "answer.h"
#include "tap_ring.h"

#define NS_PER_MS 1000000

/* Whether the turn of a consumer has come that wants one in `every`. */
static bool is_turn(uint32_t every, uint32_t *n_until)
{
    if (every == 0) {
        return false;
    }
    if (*n_until > 0 && *n_until < every) { /* what is more is of another `every` */
        (*n_until)--;
        return false;
    }
    *n_until = every - 1;
    return true;
}

uint8_t pin_tap_begin(struct pin_tap *tap, int64_t asked_ns, const uint8_t *wire, size_t bytes)
{
    uint32_t log_every = atomic_load_explicit(&tap->log_every, memory_order_relaxed);
    unsigned wanted = is_turn(log_every, &tap->n_until_log) ? PIN_TAP_LOG : 0u;
    uint32_t dnstap_every = atomic_load_explicit(&tap->dnstap_every, memory_order_relaxed);
    wanted |= is_turn(dnstap_every, &tap->n_until_dnstap) ? PIN_TAP_DNSTAP : 0u;
    uint32_t tail_every = atomic_load_explicit(&tap->tail_every, memory_order_relaxed);
    wanted |= is_turn(tail_every, &tap->n_until_tail) ? PIN_TAP_TAIL : 0u;
    if (wanted == 0) {
        return PIN_TAP_NONE;
    }
    uint8_t note_i = (uint8_t)(tap->next_note++ % PIN_TAP_NOTES);
    struct pin_tap_note *note = &tap->notes[note_i];
    int64_t now_ns = pin_clock_mono_ns();
    note->started_ns = asked_ns != 0 ? asked_ns : now_ns;
    note->query_wall_ns = pin_clock_wall_ms() * NS_PER_MS - (now_ns - note->started_ns);
    note->query_bytes = (uint32_t)bytes;
    note->wanted = wanted;
    memcpy(note->query, wire, PIN_MIN(bytes, sizeof(note->query)));
    return note_i;
}

/* Copies into the ring, around its end. Returns where the next byte goes. */
static uint32_t put(struct pin_tap *tap, uint32_t at, const void *from, size_t bytes)
{
    size_t start = at % PIN_TAP_RING_BYTES;
    size_t n_first = PIN_MIN(bytes, PIN_TAP_RING_BYTES - start);
    memcpy(tap->ring + start, from, n_first);
    memcpy(tap->ring, (const uint8_t *)from + n_first, bytes - n_first);
    return at + (uint32_t)bytes;
}

void pin_tap_end(struct pin_tap *tap, uint8_t note_i, const struct pin_client *client,
    const struct pin_response *response, const struct pin_tap_why *why)
{
    if (note_i == PIN_TAP_NONE) {
        return;
    }
    const struct pin_tap_note *note = &tap->notes[note_i];
    uint64_t is_logged = (note->wanted & (PIN_TAP_LOG | PIN_TAP_DNSTAP)) != 0 ? 1 : 0;
    size_t query_kept = PIN_MIN((size_t)note->query_bytes, sizeof(note->query));
    size_t answer_kept = PIN_MIN(response->used_bytes, (size_t)PIN_TAP_ANSWER_MAX);
    uint32_t at = atomic_load_explicit(&tap->put_bytes, memory_order_relaxed);
    uint32_t used = at - atomic_load_explicit(&tap->taken_bytes, memory_order_acquire);
    if (PIN_TAP_RING_BYTES - used < sizeof(struct pin_tap_head) + query_kept + answer_kept) {
        pin_stat_add(&tap->n_lost, is_logged);
        return;
    }
    struct pin_tap_head head = {
        .query_wall_ns = note->query_wall_ns,
        .took_ns = pin_clock_mono_ns() - note->started_ns,
        .peer = pin_addrport_from_sockaddr(client->peer),
        .query_bytes = note->query_bytes,
        .answer_bytes = (uint32_t)response->used_bytes,
        .transport = client->transport,
        .rcode = response->rcode,
        .wanted = note->wanted,
        .why = *why,
    };
    at = put(tap, at, &head, sizeof(head));
    at = put(tap, at, note->query, query_kept);
    at = put(tap, at, response->wire, answer_kept);
    atomic_store_explicit(&tap->put_bytes, at, memory_order_release);
    pin_stat_add(&tap->n_noted, is_logged);
}

/* Copies out of the ring, around its end. Returns where the next byte stands. */
static uint32_t get(const struct pin_tap *tap, uint32_t at, void *to, size_t bytes)
{
    size_t start = at % PIN_TAP_RING_BYTES;
    size_t n_first = PIN_MIN(bytes, PIN_TAP_RING_BYTES - start);
    memcpy(to, tap->ring + start, n_first);
    memcpy((uint8_t *)to + n_first, tap->ring, bytes - n_first);
    return at + (uint32_t)bytes;
}

bool pin_tap_take(struct pin_tap *tap, struct pin_tap_page *page, struct pin_tap_record *ret_record)
{
    uint32_t at = atomic_load_explicit(&tap->taken_bytes, memory_order_relaxed);
    if (atomic_load_explicit(&tap->put_bytes, memory_order_acquire) == at) {
        return false;
    }
    struct pin_tap_head head;
    at = get(tap, at, &head, sizeof(head));
    *ret_record = (struct pin_tap_record){
        .query_wall_ns = head.query_wall_ns,
        .took_ns = head.took_ns,
        .peer = head.peer,
        .query_bytes = head.query_bytes,
        .answer_bytes = head.answer_bytes,
        .transport = (enum pin_transport)head.transport,
        .rcode = head.rcode,
        .wanted = head.wanted,
        .query_kept_bytes = PIN_MIN(head.query_bytes, PIN_TAP_QUERY_MAX),
        .answer_kept_bytes = PIN_MIN(head.answer_bytes, PIN_TAP_ANSWER_MAX),
        .query = page->query,
        .answer = page->answer,
        .why = head.why,
        .why_text = "",
    };
    at = get(tap, at, page->query, ret_record->query_kept_bytes);
    at = get(tap, at, page->answer, ret_record->answer_kept_bytes);
    atomic_store_explicit(&tap->taken_bytes, at, memory_order_release);
    return true;
}
