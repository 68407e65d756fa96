/* SPDX-License-Identifier: Apache-2.0 */

/* PROXY headers: who asks, and what is no header. */

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/ip.h"
#include "pintle/base/macros.h"

#include "resolver/proxy.h"

#define SIGNATURE   "\r\n\r\n\0\r\nQUIT\n"
#define V4          "\xC0\x00\x02\x01\xC6\x33\x64\x02\x9C\x40\x00\x35"
#define V6_SOURCE   "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x01"
#define V6_OTHER    "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x02"
#define PORTS       "\x9C\x40\x00\x35"
#define BYTES(text) (text), sizeof(text) - 1

static struct proxy_case {
    const char *name; /* reads as a sentence in the test report */
    const char *bytes;
    size_t n_bytes;
    enum pin_proxy_verdict want;
    const char *source; /* INNER: its address */
    size_t header_bytes;
} cases[] = {
    {"a stream over IPv4", BYTES(SIGNATURE "\x21\x11\0\x0C" V4 "rest"), PIN_PROXY_INNER,
        "192.0.2.1:40000", 28},
    {"a datagram over IPv4", BYTES(SIGNATURE "\x21\x12\0\x0C" V4), PIN_PROXY_INNER,
        "192.0.2.1:40000", 28},
    {"a stream over IPv6", BYTES(SIGNATURE "\x21\x21\0\x24" V6_SOURCE V6_OTHER PORTS),
        PIN_PROXY_INNER, "[2001:db8::1]:40000", 52},
    {"a datagram over IPv6", BYTES(SIGNATURE "\x21\x22\0\x24" V6_SOURCE V6_OTHER PORTS),
        PIN_PROXY_INNER, "[2001:db8::1]:40000", 52},
    {"what stands behind the addresses is skipped",
        BYTES(SIGNATURE "\x21\x11\0\x12" V4 "\x01\0\x03"
                        "dot"
                        "rest"),
        PIN_PROXY_INNER, "192.0.2.1:40000", 34},
    {"a health check speaks for itself", BYTES(SIGNATURE "\x20\0\0\0"), PIN_PROXY_OUTER, NULL, 16},
    {"a health check's addresses do not count", BYTES(SIGNATURE "\x20\x11\0\x0C" V4),
        PIN_PROXY_OUTER, NULL, 28},
    {"an unspecified family tells nothing", BYTES(SIGNATURE "\x21\0\0\0"), PIN_PROXY_OUTER, NULL,
        16},
    {"nothing yet", "", 0, PIN_PROXY_MORE, NULL, 0},
    {"half a signature", SIGNATURE, 7, PIN_PROXY_MORE, NULL, 0},
    {"a signature alone", BYTES(SIGNATURE), PIN_PROXY_MORE, NULL, 0},
    {"addresses cut short by the segment", BYTES(SIGNATURE "\x21\x11\0\x0C\xC0\0\x02"),
        PIN_PROXY_MORE, NULL, 0},
    {"addresses longer than the header", BYTES(SIGNATURE "\x21\x11\0\x0B" V4), PIN_PROXY_BAD, NULL,
        0},
    {"IPv6 addresses longer than the header",
        BYTES(SIGNATURE "\x21\x21\0\x0C" V6_SOURCE V6_OTHER PORTS), PIN_PROXY_BAD, NULL, 0},
    {"a Unix socket has no address here", BYTES(SIGNATURE "\x21\x31\0\0"), PIN_PROXY_BAD, NULL, 0},
    {"an unknown transport", BYTES(SIGNATURE "\x21\x13\0\x0C" V4), PIN_PROXY_BAD, NULL, 0},
    {"an unknown command", BYTES(SIGNATURE "\x22\x11\0\x0C" V4), PIN_PROXY_BAD, NULL, 0},
    {"an unknown version", BYTES(SIGNATURE "\x31\x11\0\x0C" V4), PIN_PROXY_BAD, NULL, 0},
    {"a header that is too long is not waited for", BYTES(SIGNATURE "\x21\x11\xFF\xFF" V4),
        PIN_PROXY_BAD, NULL, 0},
    {"version 1", BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 40000 53\r\n"), PIN_PROXY_BAD, NULL, 0},
    {"a query", BYTES("\0\x1D\x12\x34\x01\0\0\x01\0\0\0\0\0\0"), PIN_PROXY_BAD, NULL, 0},
};

static void test_read(void **state)
{
    const struct proxy_case *c = *state;
    struct pin_proxy proxy = {0};
    char text[PIN_ADDRPORT_TEXT_MAX];
    assert_int_equal(pin_proxy_read((const uint8_t *)c->bytes, c->n_bytes, &proxy), c->want);
    if (c->header_bytes > 0) {
        assert_int_equal(proxy.bytes, c->header_bytes);
    }
    if (c->source != NULL) {
        struct pin_addrport source = pin_addrport_from_sockaddr(&proxy.source.any);
        assert_string_equal(pin_addrport_format(&source, text), c->source);
    }
}

static void test_is_header(void **state)
{
    (void)state;
    assert_true(pin_proxy_is_header((const uint8_t *)SIGNATURE "\x21", 13));
    assert_true(pin_proxy_is_header((const uint8_t *)SIGNATURE, 12));
    assert_false(pin_proxy_is_header((const uint8_t *)SIGNATURE, 11));
    assert_false(pin_proxy_is_header((const uint8_t *)"\r\n\r\n\0\r\nQUIT\r", 12));
    assert_false(pin_proxy_is_header((const uint8_t *)"\0\x1D\x12\x34\x01\0\0\x01\0\0\0\0", 12));
}

static void test_is_trusted(void **state)
{
    static struct pin_prefix prefixes[2];
    const struct pin_proxy_trust nobody = {0};
    const struct pin_proxy_trust some = {.prefixes = prefixes, .n = 2};
    struct pin_prefix peer;
    (void)state;
    assert_true(pin_prefix_parse("192.0.2.0/24", &prefixes[0]));
    assert_true(pin_prefix_parse("2001:db8::/32", &prefixes[1]));
    assert_true(pin_prefix_parse("2001:db8::7/128", &peer));
    assert_true(pin_proxy_is_trusted(&some, &peer.ip));
    assert_false(pin_proxy_is_trusted(&nobody, &peer.ip));
    assert_true(pin_prefix_parse("198.51.100.1/32", &peer));
    assert_false(pin_proxy_is_trusted(&some, &peer.ip));
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + 2] = {{0}};
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_read, .initial_state = &cases[i]};
    }
    tests[N_ELEMS(cases)] = (struct CMUnitTest)cmocka_unit_test(test_is_header);
    tests[N_ELEMS(cases) + 1] = (struct CMUnitTest)cmocka_unit_test(test_is_trusted);
    return cmocka_run_group_tests_name("proxy", tests, NULL, NULL);
}
