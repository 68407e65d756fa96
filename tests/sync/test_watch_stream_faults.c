/* SPDX-License-Identifier: Apache-2.0 */

/* Streamed lists that come to no good end. */

#include "pintle/base/macros.h"

#include "fake.h"

#define STREAM_OF_SERVICES SERVICES "?sendInitialEvents=true"

/* What a streamed list can meet; pages come next. */
static struct stream_case {
    const char *name;
    const char *fault;
} cases[] = {
    {"a streamed list that the server refuses because it is busy comes in pages",
        "\"status\":429,\"headers\":{\"Retry-After\":\"1\"}"},
    {"a streamed list that asks for a version the server has not comes in pages",
        "\"status\":504,\"body\":\"{\\\"message\\\":\\\"Too large resource version\\\"}\""},
    {"a streamed list that is denied comes in pages", "\"status\":403"},
    {"a streamed list that is history comes in pages", "\"status\":410"},
    {"a streamed list that ends without its bookmark comes in pages",
        "\"status\":200,\"body\":\"\""},
    {"a streamed list that ends with an error comes in pages",
        "\"status\":200,\"body\":\"{\\\"type\\\":\\\"ERROR\\\",\\\"object\\\":{\\\"code\\\":500}}"
        "\\n\""},
    {"a streamed list whose end never comes is given up after ten seconds", "\"endless\":true"},
};

/* All at the same time: most of each is waiting. */
static void test_faults(void **state)
{
    struct box *boxes[N_ELEMS(cases)];
    (void)state;
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        char command[512];
        void *box = NULL;
        assert_int_equal(set_up(&box), 0);
        boxes[i] = box;
        order(boxes[i], "{\"do\":\"streams\",\"is\":true}");
        order(boxes[i], PUT("a"));
        order(boxes[i], PUT("b"));
        (void)snprintf(
            command, sizeof(command), FAULT(STREAM_OF_SERVICES, "\"times\":1,%s"), cases[i].fault);
        order(boxes[i], command);
        pin_sync_start(boxes[i]->rig.sync);
        rig_run(&boxes[i]->rig, 500);
    }
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        void *box = boxes[i];
        bool is_synced = rig_wait(&boxes[i]->rig, "SYNCED", (int64_t)3 * SOON_MS);
        const char *seen = pin_text_get(&boxes[i]->rig.seen);
        if (!is_synced || rig_count(&boxes[i]->rig, "LIST_END Service\n") != 1
            || strstr(seen, "LIST_BEGIN Service\nUPSERT Service d/a\nUPSERT Service d/b\n"
                            "LIST_END Service\n")
                   == NULL
            || count_requests(boxes[i], LIST_OF_SERVICES) != 1) {
            fail_msg("%s: %s", cases[i].name, seen);
        }
        (void)tear_down(&box);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("watch_stream_faults", tests, NULL, NULL);
}
