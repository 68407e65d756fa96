/* SPDX-License-Identifier: Apache-2.0 */

/* A request is a question or is refused with one status; an answer is kept for its smallest TTL. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"

#include "resolver/https_rules.h"

/* www.example.com A, with an id of 0, as RFC 8484 (section 4.1.1) has it. */
#define EXAMPLE       "AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB"
#define EXAMPLE_BYTES 33

static struct target_case {
    const char *name;
    enum pin_https_method method;
    const char *target;
    const char *type; /* NULL: none */
    const char *body;
    size_t body_bytes;
    unsigned want_status;
    size_t want_bytes;
} target_cases[] = {
    {"a GET brings its question in dns=", PIN_HTTPS_GET, "/dns-query?dns=" EXAMPLE, NULL, NULL, 0,
        200, EXAMPLE_BYTES},
    {"a HEAD does too", PIN_HTTPS_HEAD, "/dns-query?dns=" EXAMPLE, NULL, NULL, 0, 200,
        EXAMPLE_BYTES},
    {"other parameters are ignored", PIN_HTTPS_GET, "/dns-query?ct&x=dns=&dns=" EXAMPLE "&a=b",
        NULL, NULL, 0, 200, EXAMPLE_BYTES},
    {"a name that only ends in dns= is another one", PIN_HTTPS_GET, "/dns-query?xdns=" EXAMPLE,
        NULL, NULL, 0, 400, 0},
    {"two questions are none", PIN_HTTPS_GET, "/dns-query?dns=" EXAMPLE "&dns=" EXAMPLE, NULL, NULL,
        0, 400, 0},
    {"no parameters are no question", PIN_HTTPS_GET, "/dns-query", NULL, NULL, 0, 400, 0},
    {"an empty query is no question", PIN_HTTPS_GET, "/dns-query?", NULL, NULL, 0, 400, 0},
    {"an empty dns= is no question", PIN_HTTPS_GET, "/dns-query?dns=", NULL, NULL, 0, 400, 0},
    {"padding is a fault", PIN_HTTPS_GET, "/dns-query?dns=AAABAAABAAAAAAAAA3d3dwA=", NULL, NULL, 0,
        400, 0},
    {"so is escaped padding", PIN_HTTPS_GET, "/dns-query?dns=AAABAAABAAAAAAAAA3d3dwA%3D", NULL,
        NULL, 0, 400, 0},
    {"plain base64 is a fault where its letters differ", PIN_HTTPS_GET,
        "/dns-query?dns=AAABAAABAAAAAAAA+/AB", NULL, NULL, 0, 400, 0},
    {"both letters of base64url are known", PIN_HTTPS_GET, "/dns-query?dns=AAABAAABAAAAAAAA-_AB",
        NULL, NULL, 0, 200, 15},
    {"a lone letter is a fault", PIN_HTTPS_GET, "/dns-query?dns=AAABAAABAAAAAAAAA", NULL, NULL, 0,
        400, 0},
    {"bits that belong to no byte are a fault", PIN_HTTPS_GET, "/dns-query?dns=AAABAAABAAAAAAAAAB",
        NULL, NULL, 0, 400, 0},
    {"three bytes are no message", PIN_HTTPS_GET, "/dns-query?dns=AAAB", NULL, NULL, 0, 400, 0},
    {"twelve bytes may be one", PIN_HTTPS_GET, "/dns-query?dns=AAABAAABAAAAAAAA", NULL, NULL, 0,
        200, 12},
    {"another path is not found", PIN_HTTPS_GET, "/dns-quer?dns=" EXAMPLE, NULL, NULL, 0, 404, 0},
    {"a path below ours is another", PIN_HTTPS_GET, "/dns-query/?dns=" EXAMPLE, NULL, NULL, 0, 404,
        0},
    {"a path that goes on is another", PIN_HTTPS_GET, "/dns-queryx", NULL, NULL, 0, 404, 0},
    {"no path is another", PIN_HTTPS_GET, "", NULL, NULL, 0, 404, 0},
    {"another method is not allowed", PIN_HTTPS_OTHER, "/dns-query?dns=" EXAMPLE, NULL, NULL, 0,
        405, 0},
    {"elsewhere it is not found", PIN_HTTPS_OTHER, "/", NULL, NULL, 0, 404, 0},
    {"a POST brings its question as it is", PIN_HTTPS_POST, "/dns-query", PIN_HTTPS_TYPE,
        "0123456789ab", 12, 200, 12},
    {"a POST may have a query, which says nothing", PIN_HTTPS_POST, "/dns-query?dns=!",
        PIN_HTTPS_TYPE, "0123456789ab", 12, 200, 12},
    {"content types are compared without case", PIN_HTTPS_POST, "/dns-query",
        "Application/DNS-Message", "0123456789ab", 12, 200, 12},
    {"parameters of the content type are ignored", PIN_HTTPS_POST, "/dns-query",
        "application/dns-message ; a=b", "0123456789ab", 12, 200, 12},
    {"another content type is not read", PIN_HTTPS_POST, "/dns-query", "text/plain", "0123456789ab",
        12, 415, 0},
    {"a longer content type is another", PIN_HTTPS_POST, "/dns-query", "application/dns-messages",
        "0123456789ab", 12, 415, 0},
    {"an empty content type is another", PIN_HTTPS_POST, "/dns-query", "", "0123456789ab", 12, 415,
        0},
    {"a POST without content type is not read", PIN_HTTPS_POST, "/dns-query", NULL, "0123456789ab",
        12, 415, 0},
    {"an empty POST is no message", PIN_HTTPS_POST, "/dns-query", PIN_HTTPS_TYPE, NULL, 0, 400, 0},
    {"eleven bytes are no message", PIN_HTTPS_POST, "/dns-query", PIN_HTTPS_TYPE, "0123456789a", 11,
        400, 0},
};

static uint8_t wire[PIN_STREAM_MAX_BYTES];

static void test_target(void **state)
{
    const struct target_case *c = *state;
    struct pin_https_head head = {.method = c->method};
    if (c->type != NULL) {
        head.is_type_ours = pin_https_type_is_ours(c->type, strlen(c->type));
    }
    pin_https_read_target(&head, "/dns-query", c->target, strlen(c->target));
    struct pin_packet packet = {.wire = wire};
    assert_int_equal(
        pin_https_read_question(&head, (const uint8_t *)c->body, c->body_bytes, &packet),
        c->want_status);
    if (c->want_status == PIN_HTTPS_OK) {
        assert_int_equal(packet.bytes, c->want_bytes);
        assert_int_equal(packet.cap_bytes, PIN_STREAM_MAX_BYTES);
        assert_memory_equal(wire, c->body == NULL ? "\0\0\1\0\0\1" : c->body, 6);
    }
}

/* A GET whose dns= has `letters` letters. */
static unsigned status_of_long_get(size_t letters, size_t *ret_bytes)
{
    static char target[PIN_HTTPS_TARGET_MAX_BYTES * 16];
    int start = snprintf(target, sizeof(target), "/dns-query?dns=");
    memset(target + start, 'A', letters);
    struct pin_https_head head = {.method = PIN_HTTPS_GET};
    pin_https_read_target(&head, "/dns-query", target, (size_t)start + letters);
    memset(wire, 0xee, sizeof(wire));
    struct pin_packet packet = {.wire = wire};
    unsigned status = pin_https_read_question(&head, NULL, 0, &packet);
    *ret_bytes = packet.bytes;
    return status;
}

static void test_long_get_is_not_decoded(void **state)
{
    (void)state;
    size_t bytes = 0;
    assert_int_equal(status_of_long_get(5462, &bytes), 200);
    assert_int_equal(bytes, PIN_HTTPS_GET_MAX_BYTES);
    const size_t too_long[] = {5463, 5464, 8177, 8178, 90000};
    for (size_t i = 0; i < N_ELEMS(too_long); i++) {
        assert_int_equal(status_of_long_get(too_long[i], &bytes), 414);
        assert_int_equal(wire[0], 0xee);
    }
}

static void test_bodies_end_at_the_longest_message(void **state)
{
    (void)state;
    static const uint8_t body[PIN_STREAM_MAX_BYTES + 1];
    struct pin_https_head head = {
        .method = PIN_HTTPS_POST, .is_path_ours = true, .is_type_ours = true};
    struct pin_packet packet = {.wire = wire};
    assert_int_equal(pin_https_read_question(&head, body, sizeof(body) - 1, &packet), 200);
    assert_int_equal(pin_https_read_question(&head, body, sizeof(body), &packet), 413);
}

static void test_methods(void **state)
{
    (void)state;
    assert_int_equal(pin_https_method_parse("GET", 3), PIN_HTTPS_GET);
    assert_int_equal(pin_https_method_parse("HEAD", 4), PIN_HTTPS_HEAD);
    assert_int_equal(pin_https_method_parse("POST", 4), PIN_HTTPS_POST);
    assert_int_equal(pin_https_method_parse("get", 3), PIN_HTTPS_OTHER);
    assert_int_equal(pin_https_method_parse("PUT", 3), PIN_HTTPS_OTHER);
    assert_int_equal(pin_https_method_parse("", 0), PIN_HTTPS_OTHER);
}

/* --- age ---------------------------------------------------------------------------------- */

/* Parts of messages. */
#define HEADER(rcode, n_answer, n_authority)                                                       \
    "\0\0\x84" rcode "\0\1\0" n_answer "\0" n_authority "\0\0"
#define QUESTION "\1a\0\0\1\0\1"
#define A(ttl)                                                                                     \
    "\xc0\x0c"                                                                                     \
    "\0\1\0\1" ttl "\0\4\x0a\0\0\1"
#define SOA(ttl, minimum)                                                                          \
    "\0\0\6\0\1" ttl "\0\x16\0\0"                                                                  \
    "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4" minimum

static struct age_case {
    const char *name;
    const char *wire;
    size_t bytes;
    uint32_t want_s;
} age_cases[] = {
#define AGE(name, wire, want_s)                                                                    \
    {                                                                                              \
        name, wire, sizeof(wire) - 1, want_s                                                       \
    }
    AGE("one TTL counts", HEADER("\0", "\1", "\0") QUESTION A("\0\0\0\5"), 5),
    AGE("the smallest TTL counts", HEADER("\0", "\2", "\0") QUESTION A("\0\0\1\0") A("\0\0\0\7"),
        7),
    AGE("wherever it stands", HEADER("\0", "\2", "\0") QUESTION A("\0\0\0\0") A("\0\0\0\7"), 0),
    AGE("a negative TTL is 0", HEADER("\0", "\1", "\0") QUESTION A("\x80\0\0\0"), 0),
    AGE("the largest TTL is kept", HEADER("\0", "\1", "\0") QUESTION A("\x7f\xff\xff\xff"),
        0x7fffffff),
    AGE("a denial is kept for its SOA's minimum",
        HEADER("\3", "\0", "\1") QUESTION SOA("\0\0\1\0", "\0\0\0\5"), 5),
    AGE("or for its TTL, if that is smaller",
        HEADER("\0", "\0", "\1") QUESTION SOA("\0\0\0\2", "\0\0\0\5"), 2),
    AGE("behind an alias both count",
        HEADER("\3", "\1", "\1") QUESTION A("\0\0\0\x09") SOA("\0\0\1\0", "\0\0\0\4"), 4),
    AGE("other records of the authority section do not count",
        HEADER("\0", "\1", "\1") QUESTION A("\0\0\0\x09") A("\0\0\0\1"), 9),
    AGE("without records nothing is kept", HEADER("\0", "\0", "\0") QUESTION, 0),
    AGE("a failure is not kept", HEADER("\2", "\1", "\0") QUESTION A("\0\0\0\5"), 0),
    AGE("nor is a refusal", HEADER("\5", "\1", "\0") QUESTION A("\0\0\0\5"), 0),
    AGE("nor what is cut", HEADER("\0", "\2", "\0") QUESTION A("\0\0\0\5") "\xc0", 0),
    AGE("nor what has no records behind its counts", HEADER("\0", "\2", "\0") QUESTION, 0),
    AGE("nor an RR that ends in its middle", HEADER("\0", "\1", "\0") QUESTION "\xc0\x0c\0\1\0\1",
        0),
    AGE("nor a header in halves", "\0\0\x84\0", 0),
    AGE("an SOA too short for its numbers counts with its TTL",
        HEADER("\0", "\0", "\1") QUESTION "\0\0\6\0\1\0\0\0\x08\0\2\0\0", 8),
};

static void test_age(void **state)
{
    const struct age_case *c = *state;
    uint8_t *exact = malloc(c->bytes); /* so that ASan sees a byte too far */
    assert_non_null(exact);
    memcpy(exact, c->wire, c->bytes);
    assert_int_equal(pin_https_max_age_s(exact, c->bytes), c->want_s);
    free(exact);
}

static void test_numbers(void **state)
{
    (void)state;
    const uint32_t numbers[] = {0, 9, 10, 65535, UINT32_MAX};
    for (size_t i = 0; i < N_ELEMS(numbers); i++) {
        char text[PIN_HTTPS_NUMBER_BYTES];
        char want[16];
        int bytes = snprintf(want, sizeof(want), "%u", numbers[i]);
        assert_int_equal(pin_https_put_number(text, numbers[i]), bytes);
        assert_memory_equal(text, want, (size_t)bytes);
    }
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        {"a question too long for a GET is refused before it is decoded",
            test_long_get_is_not_decoded, NULL, NULL, NULL},
        {"a body ends at the longest message", test_bodies_end_at_the_longest_message, NULL, NULL,
            NULL},
        {"methods are told by their letters", test_methods, NULL, NULL, NULL},
        {"numbers are written in decimal", test_numbers, NULL, NULL, NULL},
    };
    struct CMUnitTest tests[N_ELEMS(target_cases) + N_ELEMS(age_cases) + N_ELEMS(others)] = {{0}};
    size_t n = 0;
    for (size_t i = 0; i < N_ELEMS(target_cases); i++) {
        tests[n++] = (struct CMUnitTest){.name = target_cases[i].name,
            .test_func = test_target,
            .initial_state = &target_cases[i]};
    }
    for (size_t i = 0; i < N_ELEMS(age_cases); i++) {
        tests[n++] = (struct CMUnitTest){
            .name = age_cases[i].name, .test_func = test_age, .initial_state = &age_cases[i]};
    }
    memcpy(tests + n, others, sizeof(others));
    return cmocka_run_group_tests_name("https_rules", tests, NULL, NULL);
}
