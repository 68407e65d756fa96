/* SPDX-License-Identifier: Apache-2.0 */

/* Addresses, prefixes and addresses with ports: text, bytes, socket addresses. */

#include "pintle/base/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "pintle/base/macros.h"

static uint8_t bits_of_family(uint8_t family)
{
    return family == 4 ? 32 : family == 6 ? 128 : 0;
}

bool pin_ip_parse(const char *text, struct pin_ip *ret_ip)
{
    struct pin_ip ip = {0};
    if (inet_pton(AF_INET, text, ip.bytes) == 1) {
        ip.family = 4;
    } else if (inet_pton(AF_INET6, text, ip.bytes) == 1) {
        ip.family = 6;
    } else {
        return false;
    }
    *ret_ip = ip;
    return true;
}

/* Four numbers with `between` after all but the last. By hand: each endpoint is written many times,
 * and inet_ntop() goes through printf(). */
static void write_v4(const uint8_t bytes[4], char between, char *to)
{
    for (int i = 0; i < 4; i++) {
        unsigned value = bytes[i];
        if (value >= 100) {
            *to++ = (char)('0' + value / 100);
        }
        if (value >= 10) {
            *to++ = (char)('0' + value / 10 % 10);
        }
        *to++ = (char)('0' + value % 10);
        if (i < 3) {
            *to++ = between;
        }
    }
    *to = '\0';
}

const char *pin_ip_format(const struct pin_ip *ip, char out[PIN_IP_TEXT_MAX])
{
    out[0] = '\0';
    if (ip->family == 4) {
        write_v4(ip->bytes, '.', out);
    } else if (ip->family == 6) {
        (void)inet_ntop(AF_INET6, ip->bytes, out, PIN_IP_TEXT_MAX); /* large enough: cannot fail */
    }
    return out;
}

int pin_ip_cmp(const struct pin_ip *a, const struct pin_ip *b)
{
    if (a->family != b->family) {
        return a->family < b->family ? -1 : 1;
    }
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool pin_ip_equal(const struct pin_ip *a, const struct pin_ip *b)
{
    return pin_ip_cmp(a, b) == 0;
}

const char *pin_ip_dashed(const struct pin_ip *ip, char out[PIN_IP_DASHED_MAX])
{
    char text[PIN_IP_TEXT_MAX];
    if (ip->family == 4) {
        write_v4(ip->bytes, '-', out);
        return out;
    }
    (void)pin_ip_format(ip, text);
    char *dot = strchr(text, '.');
    if (dot != NULL) { /* the system writes ::1.2.3.4; a label wants hex */
        char *tail = strrchr(text, ':') + 1;
        unsigned high = (unsigned)ip->bytes[12] << 8 | ip->bytes[13];
        unsigned low = (unsigned)ip->bytes[14] << 8 | ip->bytes[15];
        (void)snprintf(tail, sizeof(text) - (size_t)(tail - text), "%x:%x", high, low);
    }
    size_t bytes = strlen(text);
    const char *before = text[0] == ':' ? "0" : "";
    const char *after = bytes > 0 && text[bytes - 1] == ':' ? "0" : "";
    (void)snprintf(out, PIN_IP_DASHED_MAX, "%s%s%s", before, text, after);
    for (char *at = out; *at != '\0'; at++) {
        if (*at == '.' || *at == ':') {
            *at = '-';
        }
    }
    return out;
}

bool pin_ip_from_dashed(const char *label, size_t bytes, struct pin_ip *ret_ip)
{
    char text[PIN_IP_DASHED_MAX];
    if (bytes == 0 || bytes >= sizeof(text) || memchr(label, '.', bytes) != NULL
        || memchr(label, ':', bytes) != NULL || memchr(label, '\0', bytes) != NULL) {
        return false;
    }
    /* Four groups cannot be a whole IPv6 address, so trying both never reads one as the other. */
    for (const char *separator = ".:"; *separator != '\0'; separator++) {
        for (size_t i = 0; i < bytes; i++) {
            text[i] = label[i];
            if (text[i] == '-') {
                text[i] = *separator;
            }
        }
        text[bytes] = '\0';
        if (pin_ip_parse(text, ret_ip)) {
            return true;
        }
    }
    return false;
}

struct pin_ip pin_ip_from_bytes(const void *bytes, uint8_t family)
{
    struct pin_ip ip = {.family = family};
    memcpy(ip.bytes, bytes, family == 4 ? 4 : 16);
    return ip;
}

struct pin_ip pin_ip_from_sockaddr(const struct sockaddr *addr)
{
    return pin_addrport_from_sockaddr(addr).ip;
}

bool pin_ip_is_loopback(const struct pin_ip *ip)
{
    static const uint8_t loopback6[16] = {[15] = 1};
    return (ip->family == 4 && ip->bytes[0] == 127)
           || (ip->family == 6 && memcmp(ip->bytes, loopback6, sizeof(loopback6)) == 0);
}

/* Of 169.254/16 only 169.254.171/24 is others': there VPC Lattice has its services, on every link
 * that is associated with it. */
static bool is_others4(const uint8_t b[4])
{
    static const uint8_t broadcast[4] = {255, 255, 255, 255};
    bool is_multicast = b[0] >= 224 && b[0] < 240;
    bool is_of_link = b[0] == 169 && b[1] == 254 && b[2] != 171;
    /* 240/4 is reserved, and in use for the virtual addresses of ServiceImports */
    return b[0] != 0 && b[0] != 127 && !is_of_link && !is_multicast
           && memcmp(b, broadcast, sizeof(broadcast)) != 0;
}

static bool is_others6(const struct pin_ip *ip)
{
    static const struct pin_prefix nobodys[] = {
        {.ip = {.family = 6}, .bits = 96}, /* ::, ::1 and IPv4-compatible ones */
        {.ip = {.family = 6, .bytes = {[10] = 0xff, [11] = 0xff}}, .bits = 96}, /* IPv4-mapped */
        {.ip = {.family = 6, .bytes = {0xfe, 0x80}}, .bits = 10},
        {.ip = {.family = 6, .bytes = {0xff}}, .bits = 8},
        {.ip = {.family = 6, .bytes = {0xfd, 0, 0x0e, 0xc2}}, .bits = 64}, /* EC2's credentials */
    };
    static const struct pin_prefix nat64 = {
        .ip = {.family = 6, .bytes = {0, 0x64, 0xff, 0x9b}}, .bits = 96};
    for (size_t i = 0; i < N_ELEMS(nobodys); i++) {
        if (pin_prefix_has(&nobodys[i], ip)) {
            return false;
        }
    }
    return !pin_prefix_has(&nat64, ip) || is_others4(ip->bytes + 12);
}

bool pin_ip_is_others(const struct pin_ip *ip)
{
    return ip->family == 4 ? is_others4(ip->bytes) : is_others6(ip);
}

struct pin_prefix pin_prefix_of(const struct pin_ip *ip, uint8_t bits)
{
    struct pin_prefix prefix = {.ip = *ip, .bits = PIN_MIN(bits, bits_of_family(ip->family))};
    for (unsigned i = 0; i < sizeof(prefix.ip.bytes); i++) {
        unsigned kept = prefix.bits > i * 8 ? prefix.bits - i * 8 : 0;
        if (kept < 8) {
            prefix.ip.bytes[i] &= (uint8_t)(0xFF00U >> kept);
        }
    }
    return prefix;
}

/* A whole decimal number from 0 to max, without sign or space; -1 for anything else. */
static long parse_number(const char *text, long max)
{
    long value = 0;
    if (*text == '\0') {
        return -1;
    }
    for (const char *at = text; *at != '\0'; at++) {
        if (*at < '0' || *at > '9') {
            return -1;
        }
        value = value * 10 + (*at - '0');
        if (value > max) {
            return -1;
        }
    }
    return value;
}

bool pin_prefix_parse(const char *text, struct pin_prefix *ret_prefix)
{
    char addr[PIN_IP_TEXT_MAX];
    struct pin_ip ip;
    const char *slash = strchr(text, '/');
    size_t bytes = slash == NULL ? strlen(text) : (size_t)(slash - text);
    if (bytes >= sizeof(addr)) {
        return false;
    }
    memcpy(addr, text, bytes);
    addr[bytes] = '\0';
    if (!pin_ip_parse(addr, &ip)) {
        return false;
    }
    long max = bits_of_family(ip.family);
    long bits = slash == NULL ? max : parse_number(slash + 1, max);
    if (bits < 0) {
        return false;
    }
    *ret_prefix = pin_prefix_of(&ip, (uint8_t)bits);
    return true;
}

const char *pin_prefix_format(const struct pin_prefix *prefix, char out[PIN_PREFIX_TEXT_MAX])
{
    char addr[PIN_IP_TEXT_MAX];
    out[0] = '\0';
    if (prefix->ip.family != 0) {
        (void)snprintf(out, PIN_PREFIX_TEXT_MAX, "%s/%u", pin_ip_format(&prefix->ip, addr),
            (unsigned)prefix->bits);
    }
    return out;
}

bool pin_prefix_has(const struct pin_prefix *prefix, const struct pin_ip *ip)
{
    if (ip->family == 0 || ip->family != prefix->ip.family) {
        return false;
    }
    struct pin_prefix around = pin_prefix_of(ip, prefix->bits);
    return pin_ip_equal(&around.ip, &prefix->ip);
}

bool pin_addrport_parse(const char *text, uint16_t default_port, struct pin_addrport *ret_addrport)
{
    char addr[PIN_IP_TEXT_MAX];
    const char *start = text;
    const char *end = NULL;
    const char *rest = NULL; /* what follows the address: "" or ":PORT" */
    if (text[0] == '[') {
        start++;
        end = strchr(text, ']');
        rest = end == NULL ? NULL : end + 1;
    } else {
        const char *colon = strchr(text, ':');
        bool is_v6 = colon != NULL && strchr(colon + 1, ':') != NULL;
        end = colon == NULL || is_v6 ? text + strlen(text) : colon;
        rest = end;
    }
    if (end == NULL || (size_t)(end - start) >= sizeof(addr)) {
        return false;
    }
    memcpy(addr, start, (size_t)(end - start));
    addr[end - start] = '\0';
    struct pin_ip ip;
    long port = *rest == '\0' ? default_port : *rest == ':' ? parse_number(rest + 1, 65535) : -1;
    if (port < 0 || !pin_ip_parse(addr, &ip) || (text[0] == '[' && ip.family != 6)) {
        return false;
    }
    *ret_addrport = (struct pin_addrport){.ip = ip, .port = (uint16_t)port};
    return true;
}

const char *pin_addrport_format(
    const struct pin_addrport *addrport, char out[PIN_ADDRPORT_TEXT_MAX])
{
    char addr[PIN_IP_TEXT_MAX];
    (void)pin_ip_format(&addrport->ip, addr);
    if (addrport->ip.family == 6) {
        (void)snprintf(out, PIN_ADDRPORT_TEXT_MAX, "[%s]:%u", addr, (unsigned)addrport->port);
    } else {
        (void)snprintf(out, PIN_ADDRPORT_TEXT_MAX, "%s:%u", addr, (unsigned)addrport->port);
    }
    return out;
}

socklen_t pin_addrport_to_sockaddr(
    const struct pin_addrport *addrport, struct sockaddr_storage *ret_addr)
{
    *ret_addr = (struct sockaddr_storage){0};
    if (addrport->ip.family == 4) {
        struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(addrport->port)};
        memcpy(&addr.sin_addr, addrport->ip.bytes, 4);
        memcpy(ret_addr, &addr, sizeof(addr));
        return sizeof(addr);
    }
    if (addrport->ip.family == 6) {
        struct sockaddr_in6 addr = {.sin6_family = AF_INET6, .sin6_port = htons(addrport->port)};
        memcpy(&addr.sin6_addr, addrport->ip.bytes, 16);
        memcpy(ret_addr, &addr, sizeof(addr));
        return sizeof(addr);
    }
    return 0;
}

struct pin_addrport pin_addrport_from_sockaddr(const struct sockaddr *addr)
{
    static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF}; /* RFC 4291, section 2.5.5.2 */
    struct pin_addrport result = {0};
    if (addr->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, addr, sizeof(in));
        result.ip = pin_ip_from_bytes(&in.sin_addr, 4);
        result.port = ntohs(in.sin_port);
    } else if (addr->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, addr, sizeof(in6));
        const uint8_t *bytes = in6.sin6_addr.s6_addr;
        bool is_mapped = memcmp(bytes, mapped, sizeof(mapped)) == 0;
        result.ip = is_mapped ? pin_ip_from_bytes(bytes + 12, 4) : pin_ip_from_bytes(bytes, 6);
        result.port = ntohs(in6.sin6_port);
    }
    return result;
}
