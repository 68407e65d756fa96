/* SPDX-License-Identifier: Apache-2.0 */

/* Requests that change something: the method, the body and its type reach the server as given. */

#include "pintle/base/macros.h"

#include "fake.h"
#include "sync/http.h"

/* Longer than libcurl sends without asking first, unless it is told not to. */
#define LONG_BYTES (300u << 10)

struct answer {
    struct pin_text text;
    bool is_done;
    int status;
};

static void on_body(void *arg, const char *data, size_t bytes)
{
    pin_text_putn(&((struct answer *)arg)->text, data, bytes);
}

static void on_done(void *arg, const struct pin_http_result *result)
{
    struct answer *self = arg;
    self->is_done = true;
    self->status = result->status;
}

static char long_body[LONG_BYTES + 1];

static struct write_case {
    const char *name;
    const char *method;
    const char *body;
    const char *type;
    const char *want; /* What the server saw begins so. */
} cases[] = {
    {"a POST carries JSON when no type is given", "POST", "{}", NULL,
        "[\"POST\", \"application/json\", null, \"{}\"]"},
    {"a PATCH carries its type", "PATCH", "a: 1", "application/apply-patch+yaml",
        "[\"PATCH\", \"application/apply-patch+yaml\", null, \"a: 1\"]"},
    {"a PUT may have an empty body", "PUT", "", NULL,
        "[\"PUT\", \"application/json\", null, \"\"]"},
    {"a DELETE has no body", "DELETE", NULL, NULL, "[\"DELETE\", null, null, \"\"]"},
    {"a long body is sent without a question first", "POST", long_body, NULL,
        "[\"POST\", \"application/json\", null, \"xxxx"},
};

static void test_case(void **state)
{
    const struct write_case *c = *state;
    struct fake fake = {0};
    struct answer answer = {0};
    struct pin_loop *loop = pin_loop_new();
    struct pin_http *http = pin_http_new(loop);
    struct pin_http_transfer *transfer = NULL;
    char server[64];
    fake_start(&fake, NULL);
    (void)snprintf(server, sizeof(server), "http://127.0.0.1:%d", fake.port);
    struct pin_target target = {.server = server};
    struct pin_http_request request = {.target = &target,
        .method = c->method,
        .path = "/echo",
        .body = c->body,
        .body_bytes = c->body == NULL ? 0 : strlen(c->body),
        .body_type = c->type,
        .on_body = on_body,
        .on_done = on_done,
        .arg = &answer};
    assert_int_equal(pin_http_start(http, &request, &transfer, NULL), PIN_OK);
    int64_t until_ms = pin_clock_mono_ms() + SOON_MS;
    while (!answer.is_done && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(loop, 20);
    }
    assert_int_equal(answer.status, 200);
    assert_memory_equal(pin_text_get(&answer.text), c->want, strlen(c->want));
    assert_true(answer.text.len >= request.body_bytes);
    pin_text_done(&answer.text);
    pin_http_free(http);
    pin_loop_free(loop);
    fake_stop(&fake);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases)] = {{0}};
    memset(long_body, 'x', LONG_BYTES);
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_case, .initial_state = &cases[i]};
    }
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("http write", tests, NULL, NULL);
}
