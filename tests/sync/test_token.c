/* SPDX-License-Identifier: Apache-2.0 */

/* When bearer tokens end. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/crypto.h"
#include "pintle/base/macros.h"

#include "sync/token.h"

static const struct row {
    const char *title;
    const char *claims; /* as JSON; NULL: the token is `token` */
    const char *token;
    int64_t end_ms;
} rows[] = {
    {"as an API server gives it", "{\"aud\":[\"x\"],\"exp\":1795377600,\"sub\":\"s\"}", NULL,
        INT64_C(1795377600000)},
    {"letters that base64url alone has", "{\"sub\":\"\303\277\303\277>\357\277\275\",\"exp\":5}",
        NULL, 5000},
    {"without an end", "{\"sub\":\"s\"}", NULL, 0},
    {"an end that is none", "{\"exp\":\"soon\"}", NULL, 0},
    {"before 1970", "{\"exp\":-1}", NULL, 0},
    {"after the year 9999", "{\"exp\":253402300800}", NULL, 0},
    {"claims that are no map", "[1795377600]", NULL, 0},
    {"claims that are no JSON", "exp", NULL, 0},
    {"no claims", NULL, "a..b", 0},
    {"no base64", NULL, "a.%%%%.b", 0},
    {"two parts", NULL, "a.eyJleHAiOjV9", 0},
    {"a token of another kind", NULL, "0123456789abcdef", 0},
    {"none", NULL, "", 0},
};

static void test_ends(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        char text[256];
        char token[300];
        if (rows[i].claims != NULL) {
            (void)pin_base64_encode(rows[i].claims, strlen(rows[i].claims), text);
            for (char *at = text; *at != '\0'; at++) {
                *at = (char)(*at == '+' ? '-' : *at == '/' ? '_' : *at);
            }
            text[strcspn(text, "=")] = '\0';
            (void)snprintf(token, sizeof(token), "eyJhbGciOiJSUzI1NiJ9.%s.c2ln", text);
        }
        int64_t end_ms = pin_token_end(rows[i].claims != NULL ? token : rows[i].token);
        if (end_ms != rows[i].end_ms) {
            fail_msg("%s: %lld", rows[i].title, (long long)end_ms);
        }
    }
}

static void test_claims_without_end_are_not_read(void **state)
{
    (void)state;
    size_t bytes = (size_t)1 << 20;
    char *token = malloc(bytes);
    assert_non_null(token);
    memset(token, 'e', bytes - 1);
    token[1] = '.';
    token[bytes - 3] = '.';
    token[bytes - 1] = '\0';
    assert_int_equal(pin_token_end(token), 0);
    free(token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_claims_without_end_are_not_read),
    };
    return cmocka_run_group_tests_name("tokens", tests, NULL, NULL);
}
