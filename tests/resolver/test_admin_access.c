/* SPDX-License-Identifier: Apache-2.0 */

/* Who may see and change what over the admin listener. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pintle/base/macros.h"

#include "resolver/admin_access.h"

static uint8_t token[] = "correct-horse-battery";
#define TOKEN                                                                                      \
    {                                                                                              \
        .data = token, .bytes = sizeof(token) - 1                                                  \
    }
#define BEARER        "Bearer correct-horse-battery"
#define BASIC         "Basic bWU6Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5" /* me:correct-horse-battery */
#define BASIC_NO_USER "Basic Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5"     /* without a colon */
#define STATUS        "/api/v1/status"

static struct access_case {
    const char *name;
    struct pin_admin_access access;
    struct pin_admin_caller caller;
    const char *path;
    bool is_change;
    int want;
} cases[] = {
    {"this machine sees all", {.is_open = false}, {.is_local = true, .host = "127.0.0.1:9153"},
        STATUS, false, 200},
    {"by an IPv6 address, too", {.is_open = false}, {.is_local = true, .host = "[::1]:9153"},
        STATUS, false, 200},
    {"and as localhost", {.is_open = false}, {.is_local = true, .host = "LocalHost:9153"}, STATUS,
        false, 200},
    {"a name that somebody gave this machine shows nothing", {.is_open = false},
        {.is_local = true, .host = "evil.example:9153"}, STATUS, false, 403},
    {"nor one that begins well", {.is_open = false}, {.is_local = true, .host = "localhost.evil"},
        STATUS, false, 403},
    {"other machines see nothing", {.is_open = false}, {.is_local = false}, STATUS, false, 403},
    {"but metrics", {.is_open = false}, {.is_local = false}, "/metrics", false, 200},
    {"but health", {.is_open = false}, {.is_local = false}, "/readyz", false, 200},
    {"but the page, which holds nothing", {.is_open = false}, {.is_local = false}, "/", false, 200},
    {"where it is open they see all", {.is_open = true}, {.is_local = false, .host = "a.example"},
        STATUS, false, 200},
    {"and change nothing", {.is_open = true}, {.is_local = false}, STATUS, true, 403},
    {"a path that only begins like one of those is none", {.is_open = false}, {.is_local = false},
        "/metricsx", false, 403},

    {"a token is asked for of this machine, too", {.token = TOKEN}, {.is_local = true}, STATUS,
        false, 401},
    {"who has it sees all, by whatever name", {.token = TOKEN},
        {.authorization = BEARER, .host = "a.example"}, STATUS, false, 200},
    {"its scheme is in any case", {.token = TOKEN},
        {.authorization = "bearer correct-horse-battery"}, STATUS, false, 200},
    {"a longer one is wrong", {.token = TOKEN}, {.authorization = BEARER "x"}, STATUS, false, 401},
    {"a part of it is wrong", {.token = TOKEN}, {.authorization = "Bearer correct"}, STATUS, false,
        401},
    {"none is wrong", {.token = TOKEN}, {.authorization = "Bearer "}, STATUS, false, 401},
    {"it may be a password", {.token = TOKEN}, {.authorization = BASIC}, STATUS, false, 200},
    {"not a user", {.token = TOKEN}, {.authorization = BASIC_NO_USER}, STATUS, false, 401},
    {"what is no base64 is wrong", {.token = TOKEN}, {.authorization = "Basic %%"}, STATUS, false,
        401},
    {"open does not matter beside a token", {.token = TOKEN, .is_open = true}, {.is_local = true},
        STATUS, false, 401},
    {"health wants no token", {.token = TOKEN}, {.is_local = false}, "/livez", false, 200},

    {"programs on this machine change things", {.is_open = false}, {.is_local = true}, STATUS, true,
        200},
    {"web pages on this machine do not", {.is_open = false},
        {.is_local = true, .origin = "http://127.0.0.1:9153"}, STATUS, true, 403},
    {"a change of what everybody sees wants the token", {.token = TOKEN}, {.is_local = true}, "/",
        true, 401},
    {"with the token from elsewhere nothing is changed", {.token = TOKEN},
        {.authorization = BEARER}, STATUS, true, 403},
    {"unless that is said", {.token = TOKEN, .changes = PIN_ADMIN_CHANGES_TOKEN},
        {.authorization = BEARER}, STATUS, true, 200},
    {"and not by a web page", {.token = TOKEN, .changes = PIN_ADMIN_CHANGES_TOKEN},
        {.authorization = BEARER, .origin = "http://a.example"}, STATUS, true, 403},
    {"without a token that says nothing", {.changes = PIN_ADMIN_CHANGES_TOKEN}, {.is_local = false},
        STATUS, true, 403},
    {"a page of another site has its browser ask in vain", {.is_open = false},
        {.is_local = true, .is_foreign = true, .host = "127.0.0.1:9153"}, STATUS, false, 403},
    {"even with the token", {.token = TOKEN}, {.is_foreign = true, .authorization = BEARER}, STATUS,
        false, 403},
    {"what is for everybody it gets", {.is_open = false}, {.is_foreign = true}, "/metrics", false,
        200},
    {"a change asked by somebody else's name is none", {.is_open = false},
        {.is_local = true, .host = "evil.example:9153"}, STATUS, true, 403},
    {"where certificates are taken, this machine wants one, too", {.takes_certificates = true},
        {.is_local = true, .host = "127.0.0.1:9153"}, STATUS, false, 403},
    {"who shows one sees all, by whatever name", {.takes_certificates = true},
        {.has_certificate = true, .host = "a.example"}, STATUS, false, 200},
    {"open does not matter beside certificates", {.takes_certificates = true, .is_open = true},
        {.is_local = true}, STATUS, false, 403},
    {"health wants no certificate", {.takes_certificates = true}, {.is_local = false}, "/livez",
        false, 200},
    {"beside a token either will do: the token", {.takes_certificates = true, .token = TOKEN},
        {.authorization = BEARER}, STATUS, false, 200},
    {"or the certificate", {.takes_certificates = true, .token = TOKEN}, {.has_certificate = true},
        STATUS, false, 200},
    {"who has neither is asked for the token", {.takes_certificates = true, .token = TOKEN},
        {.is_local = true}, STATUS, false, 401},
    {"with a certificate from elsewhere nothing is changed", {.takes_certificates = true},
        {.has_certificate = true}, STATUS, true, 403},
    {"unless that is said", {.takes_certificates = true, .changes = PIN_ADMIN_CHANGES_TOKEN},
        {.has_certificate = true}, STATUS, true, 200},
    {"and not by a web page, whose browser shows the certificate by itself",
        {.takes_certificates = true, .changes = PIN_ADMIN_CHANGES_TOKEN},
        {.has_certificate = true, .origin = "https://a.example"}, STATUS, true, 403},
    {"a certificate where none is asked for is nothing", {.is_open = false},
        {.has_certificate = true}, STATUS, false, 403},
    {"nobody changes anything where that is said", {.changes = PIN_ADMIN_CHANGES_NONE},
        {.is_local = true}, STATUS, true, 403},
};

static void test_judge(void **state)
{
    const struct access_case *c = *state;
    const char *why = NULL;
    int status = pin_admin_judge(&c->access, &c->caller, c->path, c->is_change, &why);
    assert_int_equal(status, c->want);
    assert_int_equal(why == NULL, status == 200);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases)] = {{0}};
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_judge, .initial_state = &cases[i]};
    }
    return cmocka_run_group_tests_name("admin_access", tests, NULL, NULL);
}
