/* SPDX-License-Identifier: Apache-2.0 */

/* Signatures against those that AWS published: its signing test suite, and the examples of the
 * user guides of IAM and S3. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/clock.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"

#include "sync/aws_sign.h"

#define SUITE_SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define S3_SECRET    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define EMPTY_HASH   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define UNRESERVED   "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define STS_TOKEN                                                                                  \
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSP" \
    "fIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT" \
    "7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlz" \
    "m8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="

static struct sign_case {
    const char *name;
    const char *method;
    const char *path;
    struct pin_aws_pair query[3];
    struct pin_aws_pair headers[4]; /* without host */
    const char *body;
    const char *token;
    const char *service; /* NULL: "service", and the suite's keys and date */
    const char *host;    /* NULL: the suite's */
    const char *want;    /* the signature */
} cases[] = {
    {.name = "get-vanilla",
        .method = "GET",
        .path = "/",
        .want = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {.name = "post-vanilla",
        .method = "POST",
        .path = "/",
        .want = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
    {.name = "get-unreserved: nothing of these is escaped",
        .method = "GET",
        .path = "/" UNRESERVED,
        .want = "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
    {.name = "get-space: the path is escaped",
        .method = "GET",
        .path = "/example space/",
        .want = "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
    {.name = "get-utf8: byte by byte",
        .method = "GET",
        .path = "/\xe1\x88\xb4",
        .want = "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
    {.name = "get-slash-pointless-dot: the path is made canonical",
        .method = "GET",
        .path = "/./example",
        .want = "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"},
    {.name = "get-relative: as is one that goes up",
        .method = "GET",
        .path = "/example/..",
        .want = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {.name = "get-vanilla-query-order-key-case: the query is sorted",
        .method = "GET",
        .path = "/",
        .query = {{"Param2", "value2"}, {"Param1", "value1"}},
        .want = "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
    {.name = "get-header-value-trim: blanks at the ends go, inside one stays",
        .method = "GET",
        .path = "/",
        .headers = {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\" "}},
        .want = "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
    {.name = "post-header-key-sort: names in lower case and sorted",
        .method = "POST",
        .path = "/",
        .headers = {{"My-Header1", "value1"}},
        .want = "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
    {.name = "post-x-www-form-urlencoded: the body counts",
        .method = "POST",
        .path = "/",
        .headers = {{"Content-Type", "application/x-www-form-urlencoded"}},
        .body = "Param1=value1",
        .want = "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
    {.name = "post-sts-header-before: the session token is signed",
        .method = "POST",
        .path = "/",
        .token = STS_TOKEN,
        .want = "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"},
    {.name = "get-vanilla-with-session-token",
        .method = "GET",
        .path = "/",
        .token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267",
        .want = "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"},
    {.name = "IAM's ListUsers",
        .method = "GET",
        .path = "/",
        .query = {{"Version", "2010-05-08"}, {"Action", "ListUsers"}},
        .headers = {{"content-type", "application/x-www-form-urlencoded; charset=utf-8"}},
        .service = "iam",
        .host = "iam.amazonaws.com",
        .want = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"},
    {.name = "S3's GET of a range",
        .method = "GET",
        .path = "/test.txt",
        .headers = {{"Range", "bytes=0-9"}, {"x-amz-content-sha256", EMPTY_HASH}},
        .service = "s3",
        .want = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
    {.name = "S3's PUT: a path that is escaped already",
        .method = "PUT",
        .path = "/test%24file.text",
        .headers = {{"Date", "Fri, 24 May 2013 00:00:00 GMT"},
            {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
            {"x-amz-content-sha256",
                "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"}},
        .body = "Welcome to Amazon S3.",
        .service = "s3",
        .want = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
    {.name = "S3's lifecycle: a parameter without a value",
        .method = "GET",
        .path = "/",
        .query = {{"lifecycle", ""}},
        .headers = {{"x-amz-content-sha256", EMPTY_HASH}},
        .service = "s3",
        .want = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
    {.name = "S3's list of objects",
        .method = "GET",
        .path = "/",
        .query = {{"prefix", "J"}, {"max-keys", "2"}},
        .headers = {{"x-amz-content-sha256", EMPTY_HASH}},
        .service = "s3",
        .want = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
};

static size_t count_pairs(const struct pin_aws_pair *pairs, size_t max)
{
    size_t n = 0;
    while (n < max && pairs[n].name != NULL) {
        n++;
    }
    return n;
}

static void test_sign(void **state)
{
    const struct sign_case *c = *state;
    struct pin_text query = {0};
    struct pin_text out = {0};
    struct pin_why why = {0};
    char date[PIN_AWS_DATE_BYTES];
    int64_t wall_ms = 0;
    bool is_s3 = c->service != NULL && strcmp(c->service, "s3") == 0;
    struct pin_aws_pair headers[5] = {{"Host", "example.amazonaws.com"}};
    headers[0].value = is_s3 ? "examplebucket.s3.amazonaws.com" : headers[0].value;
    headers[0].value = c->host != NULL ? c->host : headers[0].value;
    size_t n_headers = count_pairs(c->headers, N_ELEMS(c->headers));
    memcpy(&headers[1], c->headers, n_headers * sizeof(headers[0]));
    assert_true(pin_clock_parse(is_s3 ? "2013-05-24T00:00:00Z" : "2015-08-30T12:36:00Z", &wall_ms));
    assert_int_equal(
        pin_aws_put_query(&query, c->query, count_pairs(c->query, N_ELEMS(c->query)), &why),
        PIN_OK);
    struct pin_aws_keys keys = {.access_key = is_s3 ? "AKIAIOSFODNN7EXAMPLE" : "AKIDEXAMPLE",
        .secret_key = is_s3 ? S3_SECRET : SUITE_SECRET,
        .session_token = c->token};
    struct pin_aws_request request = {.method = c->method,
        .path = c->path,
        .query = pin_text_get(&query),
        .headers = headers,
        .n_headers = n_headers + 1,
        .body = c->body,
        .body_bytes = c->body == NULL ? 0 : strlen(c->body),
        .region = "us-east-1",
        .service = c->service == NULL ? "service" : c->service,
        .is_path_final = is_s3};
    assert_int_equal(pin_aws_sign(&keys, &request, wall_ms, date, &out, &why), PIN_OK);
    assert_string_equal(date, is_s3 ? "20130524T000000Z" : "20150830T123600Z");
    const char *signature = strstr(pin_text_get(&out), "Signature=");
    assert_non_null(signature);
    assert_string_equal(signature + strlen("Signature="), c->want);
    assert_null(strstr(pin_text_get(&out), keys.secret_key));
    pin_text_done(&query);
    pin_text_done(&out);
}

static void test_header_in_full(void **state)
{
    struct pin_text out = {0};
    char date[PIN_AWS_DATE_BYTES];
    int64_t wall_ms = 0;
    struct pin_aws_pair headers[] = {{"Host", "example.amazonaws.com"}, {"My-Header", "v"}};
    struct pin_aws_keys keys = {.access_key = "AKIDEXAMPLE", .secret_key = SUITE_SECRET};
    struct pin_aws_request request = {.method = "GET",
        .path = "/",
        .query = "",
        .headers = headers,
        .n_headers = 2,
        .region = "eu-west-1",
        .service = "route53"};
    (void)state;
    assert_true(pin_clock_parse("2015-08-30T12:36:00Z", &wall_ms));
    assert_int_equal(pin_aws_sign(&keys, &request, wall_ms, date, &out, NULL), PIN_OK);
    assert_non_null(strstr(pin_text_get(&out),
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-west-1/route53/aws4_request, "
        "SignedHeaders=host;my-header;x-amz-date, Signature="));
    pin_text_done(&out);
}

static void test_query_is_sorted_by_name(void **state)
{
    struct pin_text out = {0};
    struct pin_aws_pair pairs[] = {
        {"name-1", "x"}, {"name", "*.a b"}, {"maxitems", "300"}, {"name", "+"}};
    (void)state;
    assert_int_equal(pin_aws_put_query(&out, pairs, N_ELEMS(pairs), NULL), PIN_OK);
    assert_string_equal(pin_text_get(&out), "maxitems=300&name=%2A.a%20b&name=%2B&name-1=x");
    pin_text_done(&out);
}

static void test_limits(void **state)
{
    struct pin_text out = {0};
    struct pin_why why = {0};
    char secret[400];
    char date[PIN_AWS_DATE_BYTES];
    struct pin_aws_pair pairs[PIN_AWS_PAIRS_MAX + 1];
    struct pin_aws_keys keys = {.access_key = "a", .secret_key = secret};
    struct pin_aws_request request = {.method = "GET",
        .path = "/",
        .query = "",
        .headers = pairs,
        .n_headers = N_ELEMS(pairs),
        .region = "r",
        .service = "s"};
    (void)state;
    for (size_t i = 0; i < N_ELEMS(pairs); i++) {
        pairs[i] = (struct pin_aws_pair){"a", "b"};
    }
    assert_int_equal(pin_aws_put_query(&out, pairs, N_ELEMS(pairs), &why), PIN_ELIMIT);
    assert_int_equal(pin_aws_sign(&keys, &request, 0, date, &out, &why), PIN_ELIMIT);
    memset(secret, 'x', sizeof(secret) - 1);
    secret[sizeof(secret) - 1] = '\0';
    request.n_headers = 1;
    assert_int_equal(pin_aws_sign(&keys, &request, 0, date, &out, &why), PIN_ELIMIT);
    assert_null(strstr(why.text, "xxx"));
    assert_int_equal(out.len, 0);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + 3] = {{0}};
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_sign, .initial_state = &cases[i]};
    }
    tests[N_ELEMS(cases)] = (struct CMUnitTest)cmocka_unit_test(test_header_in_full);
    tests[N_ELEMS(cases) + 1] = (struct CMUnitTest)cmocka_unit_test(test_query_is_sorted_by_name);
    tests[N_ELEMS(cases) + 2] = (struct CMUnitTest)cmocka_unit_test(test_limits);
    return cmocka_run_group_tests_name("aws_sign", tests, NULL, NULL);
}
