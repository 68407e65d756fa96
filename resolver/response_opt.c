/* SPDX-License-Identifier: Apache-2.0 */

/* The OPT of an answer: which options it has room for, and how they are written. */

#include <string.h>

#include "pintle/base/bytes.h"
#include "pintle/base/macros.h"

#include "response.h"

#define EDE_BYTES       PIN_OPTION_EDE_BYTES
#define COOKIE_BYTES    (PIN_OPTION_HEAD_BYTES + PIN_COOKIE_BYTES)
#define KEEPALIVE_BYTES (PIN_OPTION_HEAD_BYTES + 2u)
#define EXPIRE_BYTES    (PIN_OPTION_HEAD_BYTES + 4u)
#define ECS_SCOPE_AT    3u
#define EDNS_DO         0x80u
/* EXPIRE and MINIMUM end an SOA. */
#define SOA_EXPIRE_FROM_END 8u
/* Answers over TLS are as long as a multiple of this (RFC 8467, section 4.1). */
#define PADDING_BLOCK_BYTES 468u

/* All options at once fit into the shortest answer, behind the longest question. */
_Static_assert(PIN_HEADER_BYTES + PIN_NAME_MAX_BYTES + PIN_QUESTION_TAIL_BYTES + PIN_OPT_BYTES
                       + EDE_BYTES + PIN_OPTION_HEAD_BYTES + PIN_ECS_MAX_BYTES + COOKIE_BYTES
                       + PIN_OPTION_HEAD_BYTES + PIN_IDENTITY_MAX_BYTES + KEEPALIVE_BYTES
                       + EXPIRE_BYTES
                   <= PIN_UDP_MIN_BYTES,
    "options");

/* --- which options ------------------------------------------------------------------------ */

static bool has_cookie(const struct pin_response *response, const struct pin_query *query)
{
    return (query->options & PIN_SAID_COOKIE) != 0 && response->manners->has_cookies;
}

static bool has_nsid(const struct pin_response *response, const struct pin_query *query)
{
    return (query->options & PIN_SAID_NSID) != 0 && response->manners->identity.bytes > 0;
}

/* Over UDP there is nothing to keep alive, and HTTP has its own way (RFC 7828, section 3.3.2). */
static bool has_keepalive(const struct pin_response *response, const struct pin_query *query)
{
    bool is_dns_stream =
        response->transport == PIN_TRANSPORT_TCP || response->transport == PIN_TRANSPORT_TLS;
    return (query->options & PIN_SAID_KEEPALIVE) != 0 && is_dns_stream
           && response->manners->keepalive_ds > 0;
}

static bool has_padding(const struct pin_response *response, const struct pin_query *query)
{
    bool is_encrypted =
        response->transport == PIN_TRANSPORT_TLS || response->transport == PIN_TRANSPORT_HTTPS;
    return (query->options & PIN_SAID_PADDING) != 0 && is_encrypted;
}

void pin_response_expect(struct pin_response *response, const struct pin_query *query,
    const struct pin_manners *manners, enum pin_transport transport)
{
    response->manners = manners;
    response->transport = (uint8_t)transport;
    size_t bytes = has_cookie(response, query) ? COOKIE_BYTES : 0u;
    bytes += has_nsid(response, query) ? PIN_OPTION_HEAD_BYTES + manners->identity.bytes : 0u;
    bytes += has_keepalive(response, query) ? KEEPALIVE_BYTES : 0u;
    bytes += (query->options & PIN_SAID_EXPIRE) != 0 ? EXPIRE_BYTES : 0u;
    response->options_bytes = (uint16_t)(response->options_bytes + bytes);
    response->limit_bytes -= bytes;
}

void pin_response_note_expire(struct pin_response *response, const struct pin_soa *soa)
{
    const uint8_t *expire = soa->rr + soa->rr_bytes - SOA_EXPIRE_FROM_END;
    response->has_expire = true;
    response->expire_s = pin_get_be32(expire);
}

/* --- how they are written ----------------------------------------------------------------- */

/* A sentence for people who look at the answer with dig; none where the code says it all. */
static size_t ede_text(uint16_t ede, const char **ret_text)
{
    static const char stale[] = "a cluster behind this answer is out of reach";
    static const char not_ready[] = "not every cluster has been seen yet";
    switch (ede) {
    case PIN_EDE_STALE_ANSWER:
        *ret_text = stale;
        return sizeof(stale) - 1;
    case PIN_EDE_NOT_READY:
        *ret_text = not_ready;
        return sizeof(not_ready) - 1;
    default:
        return 0;
    }
}

/* Writes the extended error; its text only where it fits beside all other options. Returns the end
 * of what was written, as all put_ functions do. */
static uint8_t *put_ede(const struct pin_response *response, uint8_t *to)
{
    const char *text = NULL;
    size_t text_bytes = ede_text(response->ede, &text);
    if (response->used_bytes + PIN_OPT_BYTES + EDE_BYTES + text_bytes + response->options_bytes
        > response->end_bytes) {
        text_bytes = 0;
    }
    pin_put_be16(to, PIN_OPTION_EDE);
    pin_put_be16(to + 2, (unsigned)(2 + text_bytes));
    pin_put_be16(to + 4, response->ede);
    if (text_bytes > 0) {
        memcpy(to + EDE_BYTES, text, text_bytes);
    }
    return to + EDE_BYTES + text_bytes;
}

static uint8_t *put_option(uint8_t *to, unsigned code, const void *data, size_t bytes)
{
    pin_put_be16(to, code);
    pin_put_be16(to + 2, (unsigned)bytes);
    memcpy(to + PIN_OPTION_HEAD_BYTES, data, bytes);
    return to + PIN_OPTION_HEAD_BYTES + bytes;
}

/* Repeats the query's ECS option with the scope of the answer (RFC 7871, section 7.2.1). */
static uint8_t *put_ecs(
    const struct pin_response *response, const struct pin_query *query, uint8_t *to)
{
    uint8_t *end = put_option(to, PIN_OPTION_ECS, query->ecs_copy, query->ecs.bytes);
    to[PIN_OPTION_HEAD_BYTES + ECS_SCOPE_AT] = response->ecs_scope;
    return end;
}

static uint8_t *put_keepalive(const struct pin_response *response, uint8_t *to)
{
    uint8_t timeout[2];
    pin_put_be16(timeout, response->manners->keepalive_ds);
    return put_option(to, PIN_OPTION_KEEPALIVE, timeout, sizeof(timeout));
}

static uint8_t *put_expire(const struct pin_response *response, uint8_t *to)
{
    uint8_t expire[4];
    pin_put_be16(expire, response->expire_s >> 16);
    pin_put_be16(expire + 2, response->expire_s & 0xFFFFu);
    return put_option(to, PIN_OPTION_EXPIRE, expire, sizeof(expire));
}

/* Fills the message up to a multiple of the block, or to what the client takes. */
static uint8_t *put_padding(const struct pin_response *response, uint8_t *to)
{
    size_t bytes = (size_t)(to - response->wire) + PIN_OPTION_HEAD_BYTES;
    if (bytes > response->end_bytes) {
        return to;
    }
    size_t behind = response->tsig != NULL ? pin_tsig_room(response->tsig) : 0;
    size_t whole = bytes + behind;
    size_t padded = (whole + PADDING_BLOCK_BYTES - 1) / PADDING_BLOCK_BYTES * PADDING_BLOCK_BYTES;
    size_t n = PIN_MIN(padded - behind, response->end_bytes) - bytes;
    pin_put_be16(to, PIN_OPTION_PADDING);
    pin_put_be16(to + 2, (unsigned)n);
    memset(to + PIN_OPTION_HEAD_BYTES, 0, n);
    return to + PIN_OPTION_HEAD_BYTES + n;
}

/* Writes what the query's own options ask for; padding goes last. */
static uint8_t *put_asked(
    const struct pin_response *response, const struct pin_query *query, uint8_t *to)
{
    if (query->ecs.bytes > 0) {
        to = put_ecs(response, query, to);
    }
    if (response->manners == NULL) {
        return to;
    }
    if (has_cookie(response, query)) {
        to = put_option(to, PIN_OPTION_COOKIE, query->cookie, PIN_COOKIE_BYTES);
    }
    if (has_nsid(response, query)) {
        const struct pin_manners_text *identity = &response->manners->identity;
        to = put_option(to, PIN_OPTION_NSID, identity->text, identity->bytes);
    }
    if (has_keepalive(response, query)) {
        to = put_keepalive(response, to);
    }
    if (response->has_expire && (query->options & PIN_SAID_EXPIRE) != 0) {
        to = put_expire(response, to);
    }
    return has_padding(response, query) ? put_padding(response, to) : to;
}

void pin_response_put_opt(struct pin_response *response, const struct pin_query *query)
{
    uint8_t *opt = response->wire + response->used_bytes;
    uint8_t *end = opt + PIN_OPT_BYTES;
    if (response->ede != PIN_EDE_NONE) {
        end = put_ede(response, end);
    }
    if (pin_unlikely(query->options != 0) && !response->is_bare) {
        end = put_asked(response, query, end);
    }
    opt[0] = 0;
    pin_put_be16(opt + 1, PIN_TYPE_OPT);
    pin_put_be16(opt + 3, PIN_UDP_MAX_BYTES);
    opt[5] = (uint8_t)(response->rcode >> 4);
    opt[6] = 0;
    opt[7] = query->is_do ? EDNS_DO : 0;
    opt[8] = 0;
    pin_put_be16(opt + 9, (unsigned)(end - opt - PIN_OPT_BYTES));
    response->used_bytes = (size_t)(end - response->wire);
    response->n_rr[PIN_SECTION_ADDITIONAL]++;
}
