/* SPDX-License-Identifier: Apache-2.0 */

/* Messages of DNS servers: their skeleton. */

#include "dnsmsg.h"

#include "pintle/base/macros.h"
#include "pintle/zones/tsig.h"

#define QR_BIT       0x8000u
#define TC_BIT       0x0200u
#define OPCODE_SHIFT 11u
#define OPCODE_MASK  0x0Fu
#define RCODE_MASK   0x0Fu

bool pin_dnsmsg_rr(struct pin_reader *reader, struct pin_dnsmsg_rr *ret_rr)
{
    if (!pin_name_read(reader, &ret_rr->name)) {
        return false;
    }
    ret_rr->type = pin_reader_get_u16(reader);
    ret_rr->class = pin_reader_get_u16(reader);
    ret_rr->ttl_s = pin_reader_get_u32(reader);
    ret_rr->rdata_bytes = pin_reader_get_u16(reader);
    return pin_reader_is_ok(reader) && pin_reader_left(reader) >= ret_rr->rdata_bytes;
}

static bool read_questions(struct pin_reader *reader, struct pin_dnsmsg *message)
{
    for (unsigned i = 0; i < message->counts[0]; i++) {
        struct pin_name name;
        if (!pin_name_read(reader, &name)) {
            return false;
        }
        uint16_t type = pin_reader_get_u16(reader);
        uint16_t class = pin_reader_get_u16(reader);
        if (i == 0) {
            message->name = name;
            message->type = type;
            message->class = class;
        }
    }
    return pin_reader_is_ok(reader);
}

bool pin_dnsmsg_read(const uint8_t *wire, size_t bytes, struct pin_dnsmsg *ret_message)
{
    struct pin_reader reader = pin_reader_init(wire, bytes);
    struct pin_dnsmsg message = {.id = pin_reader_get_u16(&reader)};
    uint16_t flags = pin_reader_get_u16(&reader);
    for (size_t i = 0; i < N_ELEMS(message.counts); i++) {
        message.counts[i] = pin_reader_get_u16(&reader);
    }
    message.is_answer = (flags & QR_BIT) != 0;
    message.is_truncated = (flags & TC_BIT) != 0;
    message.opcode = (uint8_t)(flags >> OPCODE_SHIFT & OPCODE_MASK);
    message.rcode = (uint8_t)(flags & RCODE_MASK);
    if (!pin_reader_is_ok(&reader) || !read_questions(&reader, &message)) {
        return false;
    }
    message.records_at = pin_reader_offset(&reader);
    size_t n_records = (size_t)message.counts[1] + message.counts[2] + message.counts[3];
    for (size_t i = 0; i < n_records; i++) {
        struct pin_dnsmsg_rr rr;
        size_t at = pin_reader_offset(&reader);
        if (!pin_dnsmsg_rr(&reader, &rr)) {
            return false;
        }
        (void)pin_reader_get_bytes(&reader, rr.rdata_bytes);
        if (rr.type == PIN_TYPE_TSIG && (i + 1 < n_records || message.counts[3] == 0)) {
            return false;
        }
        message.tsig_at = rr.type == PIN_TYPE_TSIG ? at : 0;
    }
    *ret_message = message;
    return pin_reader_left(&reader) == 0;
}

const char *pin_dnsmsg_rcode_text(unsigned rcode)
{
    static const char *const texts[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",
        "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE", NULL, NULL, NULL, NULL,
        NULL, "BADSIG", "BADKEY", "BADTIME", NULL, NULL, NULL, "BADTRUNC"};
    return rcode < N_ELEMS(texts) && texts[rcode] != NULL ? texts[rcode] : "an unknown error";
}

const char *pin_dnsmsg_tsig_text(unsigned error)
{
    switch (error) {
    case PIN_TSIG_BADSIG:
        return "BADSIG: the signature is not the key's: another secret, or a changed message";
    case PIN_TSIG_BADKEY:
        return "BADKEY: the other side does not know the key, or not with this algorithm";
    case PIN_TSIG_BADTIME:
        return "BADTIME: the clocks of both sides differ by more than 5 minutes";
    case PIN_TSIG_BADTRUNC:
        return "BADTRUNC: the signature is cut too short";
    default:
        return "the signature has an unknown error";
    }
}

enum pin_provider_fault pin_dnsmsg_fault(unsigned rcode, unsigned tsig_error)
{
    if (tsig_error != 0) {
        return PIN_PROVIDER_DENIED;
    }
    switch (rcode) {
    case PIN_DNSMSG_REFUSED:
    case PIN_DNSMSG_NOTIMP:
        return PIN_PROVIDER_DENIED;
    case PIN_DNSMSG_NOTAUTH:
    case PIN_DNSMSG_NOTZONE:
    case PIN_DNSMSG_NXDOMAIN:
        return PIN_PROVIDER_NO_ZONE;
    case PIN_DNSMSG_FORMERR:
        return PIN_PROVIDER_MALFORMED;
    default:
        return PIN_PROVIDER_FAILED;
    }
}
