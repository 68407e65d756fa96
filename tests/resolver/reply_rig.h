/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Replies of upstreams byte by byte, for test programs about what is read of them.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "resolver/reply.h"
#include "support/message.h"
#include "support/upstream.h"

#define QNAME       "\3www\7example\3com"
#define QNAME_BYTES 17u
#define BODY_AT     (12u + QNAME_BYTES + 4u)
#define COM_AT      24u /* in the question */
#define TYPE_A      1u
#define TYPE_NS     2u
#define TYPE_CNAME  5u

static struct pin_reply *reply;
static struct pin_asked asked;
static uint8_t wire[MESSAGE_MAX_BYTES + 1];
static char text[UPSTREAM_TEXT_MAX];
static size_t used;

static inline void put(const void *data, size_t bytes)
{
    assert_true(used + bytes <= MESSAGE_MAX_BYTES);
    memcpy(wire + used, data, bytes);
    used += bytes;
}

static inline void put_u16(unsigned value)
{
    const uint8_t bytes[] = {(uint8_t)(value >> 8), (uint8_t)value};
    put(bytes, sizeof(bytes));
}

/* Starts a message that repeats the question www.example.com, with these counts. */
static inline void begin(
    uint16_t qtype, unsigned n_answer, unsigned n_authority, unsigned n_additional)
{
    asked = (struct pin_asked){.qname = (const uint8_t *)QNAME,
        .qname_bytes = QNAME_BYTES,
        .id = 0x1234,
        .qtype = qtype,
        .qclass = 1};
    used = 0;
    put_u16(0x1234);
    put_u16(0x8180);
    put_u16(1);
    put_u16(n_answer);
    put_u16(n_authority);
    put_u16(n_additional);
    put(QNAME, QNAME_BYTES);
    put_u16(qtype);
    put_u16(1);
}

/* A record whose owner is a pointer. */
static inline void put_rr(unsigned owner_at, uint16_t type, const void *rdata, size_t bytes)
{
    put_u16(0xC000u | owner_at);
    put_u16(type);
    put_u16(1);
    put_u16(0);
    put_u16(60);
    put_u16((unsigned)bytes);
    put(rdata, bytes);
}

static inline void put_a(uint32_t address)
{
    const uint8_t rdata[] = {
        10, (uint8_t)(address >> 16), (uint8_t)(address >> 8), (uint8_t)address};
    put_rr(12, TYPE_A, rdata, sizeof(rdata));
}

static inline enum pin_reply_verdict verdict(void)
{
    return pin_reply_read(wire, used, &asked, reply);
}

static inline const char *body(void)
{
    return upstream_tell_body(&asked, reply, text);
}

static inline int set_up(void **state)
{
    (void)state;
    reply = pin_reply_new();
    return reply == NULL ? -1 : 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    pin_reply_free(reply);
    return 0;
}
