/* SPDX-License-Identifier: Apache-2.0 */

/* Names that mean the same for everybody: told here, whoever else might be asked. */

#include "special.h"

#include <string.h>

#include "pintle/base/macros.h"

#include "answering.h"

#define NAME(literal) (const uint8_t *)(literal), sizeof(literal)
#define HOUR_TTL      0, 0, 0x0E, 0x10

static const struct special {
    const uint8_t *name; /* in wire format */
    size_t bytes;
    enum pin_special kind;
} specials[] = {
    {NAME("\x09localhost"), PIN_SPECIAL_LOOPBACK},
    {NAME("\x05onion"), PIN_SPECIAL_NO_NAME},
    {NAME("\x08resolver\x04"
          "arpa"),
        PIN_SPECIAL_NO_DATA},
};

/* The special name at or above a name, or NULL. */
static const struct special *find(const uint8_t *name, size_t bytes)
{
    for (size_t i = 0; i < N_ELEMS(specials); i++) {
        const struct special *s = &specials[i];
        size_t last = s->bytes - 2; /* its last letter tells most names from it */
        if (s->bytes > bytes || name[bytes - 2] != s->name[last]
            || memcmp(name + bytes - s->bytes, s->name, last) != 0) {
            continue;
        }
        size_t at = 0;
        while (at < bytes - s->bytes) {
            at += 1u + name[at];
        }
        if (at == bytes - s->bytes) { /* and not in the middle of a label */
            return s;
        }
    }
    return NULL;
}

enum pin_special pin_special_of(const uint8_t *name, size_t bytes)
{
    const struct special *special = find(name, bytes);
    return special != NULL ? special->kind : PIN_SPECIAL_NONE;
}

/* 127.0.0.1 or ::1. False: the question is for something else. */
static bool add_loopback(struct pin_answering *a)
{
    static const uint8_t v4[] = {0xC0, 0x0C, 0, PIN_TYPE_A, 0, 1, HOUR_TTL, 0, 4, 127, 0, 0, 1};
    static const uint8_t v6[] = {0xC0, 0x0C, 0, PIN_TYPE_AAAA, 0, 1, HOUR_TTL, 0, 16, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    bool is_v4 = a->query.qtype == PIN_TYPE_A || a->query.qtype == PIN_TYPE_ANY;
    if (!is_v4 && a->query.qtype != PIN_TYPE_AAAA) {
        return false;
    }
    pin_response_add_rr(&a->response, PIN_SECTION_ANSWER, is_v4 ? v4 : v6,
        is_v4 ? sizeof(v4) : sizeof(v6), a->subject.at);
    return true;
}

bool pin_special_answer(struct pin_answering *a)
{
    /* No name server and no mailbox; serial 1, 1 h, 20 min, 7 d, 1 h. */
    static const uint8_t soa[] = {0xC0, 0x0C, 0, PIN_TYPE_SOA, 0, 1, HOUR_TTL, 0, 22, 0, 0, 0, 0, 0,
        1, HOUR_TTL, 0, 0, 0x04, 0xB0, 0, 0x09, 0x3A, 0x80, HOUR_TTL};
    const struct special *special = find(a->subject.name, a->subject.bytes);
    if (special == NULL) {
        return false;
    }
    if (special->kind == PIN_SPECIAL_LOOPBACK && add_loopback(a)) {
        return true;
    }
    if (special->kind == PIN_SPECIAL_NO_NAME) {
        a->response.rcode = PIN_RCODE_NXDOMAIN;
    }
    pin_response_add_rr(&a->response, PIN_SECTION_AUTHORITY, soa, sizeof(soa),
        a->subject.at + a->subject.bytes - special->bytes);
    return true;
}
