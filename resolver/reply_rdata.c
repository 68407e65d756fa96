/* SPDX-License-Identifier: Apache-2.0 */

/* What RDATA is made of, type by type; all that is needed to check lengths and to move names. */

#include "pintle/base/hash.h"
#include "pintle/base/macros.h"
#include "pintle/zones/table.h"

#include "reply_work.h"

#define BYTES_IN_V6 16u
#define TYPE_WKS    11u

/*
 * A letter for each field:
 *
 *     b w d q   1, 2, 4, 16 bytes          n   name, may be compressed in both directions
 *     s         character string            N   name, may come compressed (RFC 3597, section 4)
 *     S         one or more of them         u   name, never compressed
 *     p         service parameters          *   all the rest
 */
struct layout {
    uint16_t type;
    const char *fields;
};

static const struct layout layouts[] = {
    {PIN_TYPE_A, "d"}, {PIN_TYPE_AAAA, "q"}, {PIN_TYPE_CNAME, "n"}, {PIN_TYPE_SOA, "nnddddd"},
    {PIN_TYPE_NS, "n"}, {PIN_TYPE_PTR, "n"}, {PIN_TYPE_MX, "wn"}, {PIN_TYPE_TXT, "S"},
    {PIN_TYPE_SRV, "wwwN"}, {PIN_TYPE_SVCB, "wup"}, {PIN_TYPE_HTTPS, "wup"},
    {PIN_TYPE_RRSIG, "wbbdddwu*"}, {PIN_TYPE_NSEC, "u*"}, {PIN_TYPE_NSEC3, "bbwss*"},
    {PIN_TYPE_DNAME, "N"}, {PIN_TYPE_DS, "wbb*"}, {PIN_TYPE_CAA, "bs*"}, {3, "n"}, /* MD */
    {4, "n"},                                                                      /* MF */
    {7, "n"},                                                                      /* MB */
    {8, "n"},                                                                      /* MG */
    {9, "n"},                                                                      /* MR */
    {TYPE_WKS, "db*"}, {13, "ss"},                                                 /* HINFO */
    {14, "nn"},                                                                    /* MINFO */
    {17, "NN"},                                                                    /* RP */
    {18, "wN"},                                                                    /* AFSDB */
    {19, "s"},                                                                     /* X25 */
    {20, "S"},                                                                     /* ISDN */
    {21, "wN"},                                                                    /* RT */
    {24, "wbbdddwN*"},                                                             /* SIG */
    {26, "wNN"},                                                                   /* PX */
    {30, "N*"},                                                                    /* NXT */
    {35, "wwsssN"},                                                                /* NAPTR */
    {36, "wN"},                                                                    /* KX */
    {37, "wwb*"},                                                                  /* CERT */
    {44, "bb*"},                                                                   /* SSHFP */
    {48, "wbb*"},                                                                  /* DNSKEY */
    {51, "bbws"},                                                                  /* NSEC3PARAM */
    {52, "bbb*"},                                                                  /* TLSA */
    {53, "bbb*"},                                                                  /* SMIMEA */
    {59, "wbb*"},                                                                  /* CDS */
    {60, "wbb*"},                                                                  /* CDNSKEY */
    {99, "S"},                                                                     /* SPF */
    {256, "ww*"},                                                                  /* URI */
};

/* Addresses look like that in class IN only (RFC 1035, section 3.4). */
static bool is_of_class_in(uint16_t type)
{
    return type == PIN_TYPE_A || type == PIN_TYPE_AAAA || type == TYPE_WKS;
}

static const char *fields_of(uint16_t type, uint16_t rr_class)
{
    if (rr_class != PIN_CLASS_IN && is_of_class_in(type)) {
        return "*";
    }
    for (size_t i = 0; i < N_ELEMS(layouts); i++) {
        if (layouts[i].type == type) {
            return layouts[i].fields;
        }
    }
    return "*";
}

/* Whether keys rise and values end where the parameters do (RFC 9460, section 2.2). */
static bool are_params_sound(const uint8_t *params, size_t bytes)
{
    int key_before = -1;
    while (bytes > 0) {
        if (bytes < 4) {
            return false;
        }
        int key = params[0] << 8 | params[1];
        size_t param_bytes = 4 + (size_t)(params[2] << 8 | params[3]);
        if (key <= key_before || param_bytes > bytes) {
            return false;
        }
        key_before = key;
        params += param_bytes;
        bytes -= param_bytes;
    }
    return true;
}

/* Bytes of a field that is no name, when there are `left`; false: it does not fit or is wrong. */
static bool plain_field_bytes(char field, const uint8_t *data, size_t left, size_t *ret_bytes)
{
    size_t bytes = left;
    switch (field) {
    case 'b':
        bytes = 1;
        break;
    case 'w':
        bytes = 2;
        break;
    case 'd':
        bytes = 4;
        break;
    case 'q':
        bytes = BYTES_IN_V6;
        break;
    case 's':
        if (left == 0) {
            return false;
        }
        bytes = (size_t)data[0] + 1;
        break;
    case 'S':
        if (left == 0) {
            return false;
        }
        for (size_t at = 0; at < left; at += (size_t)data[at] + 1) {
            bytes = at + (size_t)data[at] + 1; /* more than there is: refused below */
        }
        break;
    case 'p':
        if (!are_params_sound(data, left)) {
            return false;
        }
        break;
    default: /* the rest */
        break;
    }
    *ret_bytes = bytes;
    return bytes <= left;
}

static uint64_t mix(uint64_t hash, uint64_t more)
{
    static const uint64_t odd = UINT64_C(0x9E3779B97F4A7C15);
    hash = (hash ^ more) * odd;
    return hash ^ hash >> 29;
}

static bool is_name_field(char field)
{
    return field == 'n' || field == 'N' || field == 'u';
}

bool pin__reply_rdata(struct pin_reply_work *work, struct pin_reply *reply, struct pin_reply_rr *rr)
{
    size_t at = rr->rdata_at;
    size_t end = at + rr->rdata_bytes;
    uint64_t hash = mix(rr->owner_hash, rr->type);
    for (const char *field = fields_of(rr->type, work->asked->qclass); *field != '\0'; field++) {
        if (is_name_field(*field)) {
            struct pin_name name;
            if (!pin__reply_name(work, &at, end, *field != 'u', &name)) {
                return false;
            }
            if (reply != NULL) {
                pin__reply_put_name(work, reply, &name, *field == 'n');
            } else {
                hash = mix(hash, pin__reply_name_hash(&name));
            }
            continue;
        }
        size_t bytes = 0;
        if (!plain_field_bytes(*field, work->wire + at, end - at, &bytes)) {
            return false;
        }
        if (reply != NULL) {
            pin__reply_put(work, reply, work->wire + at, bytes);
        } else {
            hash = mix(hash, pin_hash64(work->wire + at, bytes));
        }
        at += bytes;
    }
    rr->rdata_hash = reply == NULL ? hash : rr->rdata_hash;
    return at == end;
}
