/* SPDX-License-Identifier: Apache-2.0 */

/* Credentials out of profiles and answers; what a round asks for, step by step. Where they come
 * from in a running provider tests/providers/route53.py looks at. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/clock.h"
#include "pintle/base/macros.h"

#include "sync/aws_credentials.h"

static const char *const variables[] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_PROFILE",
    "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_ENDPOINT_URL_STS", "HOME"};

static int clear(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMS(variables); i++) {
        (void)unsetenv(variables[i]); /* NOLINT(concurrency-mt-unsafe): one thread */
    }
    return 0;
}

static void set(const char *name, const char *value)
{
    assert_int_equal(setenv(name, value, 1), 0); /* NOLINT(concurrency-mt-unsafe): one thread */
}

static struct profile_case {
    const char *name;
    const char *text;
    const char *profile;
    const char *want[3]; /* NULL: no keys */
} profiles[] = {
    {"the profile that is asked for",
        "[a]\naws_access_key_id=1\naws_secret_access_key=2\n[b]\naws_access_key_id=3\n"
        "aws_secret_access_key=4\naws_session_token=5\n",
        "b", {"3", "4", "5"}},
    {"blanks, comments, ends of lines",
        "# x\r\n[ a ]\r\n aws_access_key_id = 1 \r\n;y\r\n"
        "\taws_secret_access_key\t=\t2=3 \r\nregion = x\r\n",
        "a", {"1", "2=3", NULL}},
    {"the last one counts",
        "[a]\naws_access_key_id=1\naws_access_key_id=9\naws_secret_access_key=2", "a",
        {"9", "2", NULL}},
    {"a section that comes twice is one",
        "[a]\naws_access_key_id=1\n[b]\n[a]\naws_secret_access_key=2", "a", {"1", "2", NULL}},
    {"a token of nothing is none",
        "[a]\naws_access_key_id=1\naws_secret_access_key=2\naws_session_token=\n", "a",
        {"1", "2", NULL}},
    {"one key is no key", "[a]\naws_access_key_id=1\n", "a", {NULL}},
    {"nor is an empty one", "[a]\naws_access_key_id=1\naws_secret_access_key=\n", "a", {NULL}},
    {"nor are those of another profile", "[a]\naws_access_key_id=1\naws_secret_access_key=2\n", "b",
        {NULL}},
    {"nor what stands before all of them", "aws_access_key_id=1\naws_secret_access_key=2\n", "",
        {NULL}},
    {"nor nothing", "", "default", {NULL}},
};

static void check_keys(const struct pin_aws_credentials *keys, const char *const want[3])
{
    const char *seen[] = {keys->access_key, keys->secret_key, keys->session_token};
    for (size_t i = 0; i < N_ELEMS(seen); i++) {
        if (want[i] == NULL) {
            assert_null(seen[i]);
        } else {
            assert_non_null(seen[i]);
            assert_string_equal(seen[i], want[i]);
        }
    }
}

static void test_profile(void **state)
{
    const struct profile_case *c = *state;
    struct pin_aws_credentials keys = {0};
    assert_int_equal(pin_aws_read_profile(c->text, c->profile, &keys), c->want[0] != NULL);
    check_keys(&keys, c->want);
    pin_aws_credentials_done(&keys);
}

#define STS(inner)                                                                                 \
    "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>" inner      \
    "</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"

static struct answer_case {
    const char *name;
    bool is_xml;
    const char *text;
    const char *want[3]; /* NULL: PIN_EPARSE */
    const char *until;
} answers[] = {
    {"what an agent says", false,
        "{\"AccessKeyId\":\"1\",\"SecretAccessKey\":\"2\",\"Token\":\"3\",\"Expiration\":"
        "\"2030-01-02T03:04:05Z\"}",
        {"1", "2", "3"}, "2030-01-02T03:04:05Z"},
    {"keys that do not end", false, "{\"AccessKeyId\":\"1\",\"SecretAccessKey\":\"2\"}",
        {"1", "2", NULL}, NULL},
    {"an end that is no time", false,
        "{\"AccessKeyId\":\"1\",\"SecretAccessKey\":\"2\",\"Expiration\":\"soon\"}", {NULL}, NULL},
    {"one key", false, "{\"AccessKeyId\":\"1\"}", {NULL}, NULL},
    {"a list", false, "[]", {NULL}, NULL},
    {"no JSON", false, "<html>", {NULL}, NULL},
    {"what STS says", true,
        STS("<AccessKeyId>1</AccessKeyId><SecretAccessKey>2</SecretAccessKey><SessionToken>3"
            "</SessionToken><Expiration>2030-01-02T03:04:05Z</Expiration>"),
        {"1", "2", "3"}, "2030-01-02T03:04:05Z"},
    {"nothing inside", true, STS(""), {NULL}, NULL},
    {"another answer", true, "<ErrorResponse/>", {NULL}, NULL},
    {"no XML", true, "{}", {NULL}, NULL},
};

static void test_answer(void **state)
{
    const struct answer_case *c = *state;
    struct pin_aws_credentials keys = {0};
    struct pin_why why = {0};
    int64_t until_wall_ms = 0;
    size_t bytes = strlen(c->text);
    enum pin_err err = c->is_xml ? pin_aws_read_sts(c->text, bytes, &keys, &why)
                                 : pin_aws_read_json(c->text, bytes, &keys, &why);
    assert_int_equal(err, c->want[0] != NULL ? PIN_OK : PIN_EPARSE);
    check_keys(&keys, c->want);
    assert_true(c->until == NULL || pin_clock_parse(c->until, &until_wall_ms));
    assert_int_equal(keys.until_wall_ms, until_wall_ms);
    pin_aws_credentials_done(&keys);
}

/* One step; what it asks as "METHOD server path header: value body", "" when it asks nothing. */
static void step(struct pin_aws_fetch *fetch, struct pin_aws_credentials *keys,
    enum pin_err want_err, const char *want)
{
    struct pin_aws_ask ask = {0};
    struct pin_text seen = {0};
    struct pin_why why = {0};
    bool asks = false;
    assert_int_equal(pin_aws_fetch_next(fetch, keys, &ask, &asks, &why), want_err);
    if (asks) {
        pin_text_putf(&seen, "%s %s %s %s: %s %s", ask.method == NULL ? "GET" : ask.method,
            ask.server, pin_text_get(&ask.path), ask.header == NULL ? "" : ask.header,
            ask.value == NULL ? "" : ask.value, pin_text_get(&ask.body));
    }
    assert_string_equal(pin_text_get(&seen), want);
    pin_aws_ask_done(&ask);
    pin_text_done(&seen);
}

static void answer(struct pin_aws_fetch *fetch, struct pin_aws_credentials *keys, const char *text)
{
    assert_int_equal(pin_aws_fetch_answer(fetch, keys, 200, text, strlen(text), NULL), PIN_OK);
}

static void test_variables_come_first(void **state)
{
    struct pin_aws_fetch fetch = {.region = "eu-west-1"};
    struct pin_aws_credentials keys = {0};
    (void)state;
    set("AWS_ACCESS_KEY_ID", "1");
    set("AWS_SECRET_ACCESS_KEY", "2");
    set("AWS_SESSION_TOKEN", "3");
    set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x");
    step(&fetch, &keys, PIN_OK, "");
    check_keys(&keys, (const char *const[]){"1", "2", "3"});
    pin_aws_credentials_done(&keys);
}

static void test_metadata_takes_three_steps(void **state)
{
    struct pin_aws_fetch fetch = {.region = "eu-west-1"};
    struct pin_aws_credentials keys = {0};
    (void)state;
    step(&fetch, &keys, PIN_OK,
        "PUT http://169.254.169.254 /latest/api/token X-aws-ec2-metadata-token-ttl-seconds: 300 ");
    answer(&fetch, &keys, "tok==\n");
    step(&fetch, &keys, PIN_OK,
        "GET http://169.254.169.254 /latest/meta-data/iam/security-credentials/ "
        "X-aws-ec2-metadata-token: tok== ");
    answer(&fetch, &keys, "role\nanother");
    step(&fetch, &keys, PIN_OK,
        "GET http://169.254.169.254 /latest/meta-data/iam/security-credentials/role "
        "X-aws-ec2-metadata-token: tok== ");
    answer(&fetch, &keys, "{\"AccessKeyId\":\"1\",\"SecretAccessKey\":\"2\"}");
    check_keys(&keys, (const char *const[]){"1", "2", NULL});
    pin_aws_fetch_reset(&fetch);
    pin_aws_credentials_done(&keys);
}

static void test_whom_the_container_may_name(void **state)
{
    static const struct {
        const char *uri;
        const char *want; /* NULL: refused */
    } rows[] = {
        {"http://169.254.170.23/v1/credentials",
            "GET http://169.254.170.23 /v1/credentials Authorization: t "},
        {"http://[fd00:ec2::23]:80/x", "GET http://[fd00:ec2::23]:80 /x Authorization: t "},
        {"http://localhost:99", "GET http://localhost:99 / Authorization: t "},
        {"https://keys.example/x?y=z", "GET https://keys.example /x?y=z Authorization: t "},
        {"http://keys.example/x", NULL},
        {"http://127.0.0.1.example/x", NULL},
        {"http://127.0.0.1@keys.example/x", NULL},
        {"https://a@keys.example/x", NULL},
        {"file:///etc/passwd", NULL},
    };
    (void)state;
    set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "t");
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        struct pin_aws_fetch fetch = {.region = "eu-west-1"};
        struct pin_aws_credentials keys = {0};
        set("AWS_CONTAINER_CREDENTIALS_FULL_URI", rows[i].uri);
        step(&fetch, &keys, rows[i].want == NULL ? PIN_EINVAL : PIN_OK,
            rows[i].want == NULL ? "" : rows[i].want);
        pin_aws_fetch_reset(&fetch);
    }
}

static void test_nothing_anywhere(void **state)
{
    struct pin_aws_fetch fetch = {.region = "eu-west-1"};
    struct pin_aws_credentials keys = {0};
    (void)state;
    set("AWS_EC2_METADATA_DISABLED", "true");
    step(&fetch, &keys, PIN_ENOTFOUND, "");
    step(&fetch, &keys, PIN_ENOTFOUND, "");
}

static void test_answers_that_are_none(void **state)
{
    struct pin_aws_fetch fetch = {.region = "r", .step = PIN_AWS_IMDS_TOKEN};
    struct pin_aws_credentials keys = {0};
    struct pin_why why = {0};
    (void)state;
    assert_int_equal(pin_aws_fetch_answer(&fetch, &keys, 403, "x", 1, &why), PIN_EDENIED);
    assert_non_null(strstr(why.text, "metadata service"));
    assert_int_equal(pin_aws_fetch_answer(&fetch, &keys, 200, "", 0, &why), PIN_EPARSE);
    fetch.step = PIN_AWS_IMDS_ROLE;
    assert_int_equal(pin_aws_fetch_answer(&fetch, &keys, 200, "/../x", 5, &why), PIN_EPARSE);
    fetch.step = PIN_AWS_STS;
    assert_int_equal(pin_aws_fetch_answer(&fetch, &keys, 200, "se<cret", 7, &why), PIN_EPARSE);
    assert_null(strstr(why.text, "cret"));
    pin_aws_fetch_reset(&fetch);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(profiles) + N_ELEMS(answers) + 5] = {{0}};
    size_t n = 0;
    for (size_t i = 0; i < N_ELEMS(profiles); i++) {
        tests[n++] = (struct CMUnitTest){
            .name = profiles[i].name, .test_func = test_profile, .initial_state = &profiles[i]};
    }
    for (size_t i = 0; i < N_ELEMS(answers); i++) {
        tests[n++] = (struct CMUnitTest){
            .name = answers[i].name, .test_func = test_answer, .initial_state = &answers[i]};
    }
    tests[n++] = (struct CMUnitTest)cmocka_unit_test_setup(test_variables_come_first, clear);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test_setup(test_metadata_takes_three_steps, clear);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test_setup(test_whom_the_container_may_name, clear);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test_setup(test_nothing_anywhere, clear);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test_setup(test_answers_that_are_none, clear);
    return cmocka_run_group_tests_name("aws_credentials", tests, NULL, NULL);
}
