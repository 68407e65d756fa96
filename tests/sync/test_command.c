/* SPDX-License-Identifier: Apache-2.0 */

/* Programs end by themselves, or are ended: late, loud, cancelled; nothing of them stays. */

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/clock.h"
#include "pintle/base/loop.h"
#include "pintle/base/macros.h"

#include "sync/command.h"

#define SOON_MS 20000

struct box {
    struct pin_loop *loop;
    struct pin_commands *commands;
    char shown[256]; /* How the last one ended. */
    unsigned n_done;
};

static void on_done(void *arg, const struct pin_command_result *result)
{
    static const char *const ends[] = {"exited", "signaled", "late", "flooded"};
    struct box *self = arg;
    assert_int_equal(strlen(result->out), result->out_bytes);
    assert_int_equal(strlen(result->err), result->err_bytes);
    if (result->end == PIN_COMMAND_LATE || result->end == PIN_COMMAND_FLOODED) {
        (void)snprintf(self->shown, sizeof(self->shown), "%s", ends[result->end]);
    } else {
        (void)snprintf(self->shown, sizeof(self->shown), "%s %d out=%.60s err=%.60s",
            ends[result->end], result->code, result->out, result->err);
    }
    self->n_done++;
}

static enum pin_err run(
    struct box *self, const char *script, int64_t timeout_ms, struct pin_command **ret)
{
    char shell[] = "sh";
    char flag[] = "-c";
    char variable[] = "WORD=from the environment";
    char path[] = "PATH=/usr/bin:/bin";
    char *text = strdup(script);
    char *argv[] = {shell, flag, text, NULL};
    char *env[] = {variable, path, NULL};
    const struct pin_command_spec spec = {.argv = argv,
        .env = env,
        .timeout_ms = timeout_ms,
        .output_bytes_max = 100,
        .done = on_done,
        .arg = self};
    enum pin_err err = pin_command_start(self->commands, &spec, ret, NULL);
    free(text);
    return err;
}

static void wait_done(struct box *self, unsigned n)
{
    int64_t until_ms = pin_clock_mono_ms() + SOON_MS;
    while (self->n_done < n && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(self->loop, 20);
    }
    assert_int_equal(self->n_done, n);
}

static struct command_case {
    const char *name;
    const char *script;
    int64_t timeout_ms;
    const char *want;
} cases[] = {
    {"what it says comes back", "echo hello; echo oops >&2", SOON_MS,
        "exited 0 out=hello\n err=oops\n"},
    {"its exit code comes back", "exit 7", SOON_MS, "exited 7 out= err="},
    {"its environment is what was given", "echo \"$WORD$HOME\"", SOON_MS,
        "exited 0 out=from the environment\n err="},
    {"it reads nothing", "cat; echo end", SOON_MS, "exited 0 out=end\n err="},
    {"its signal comes back", "kill -TERM $$", SOON_MS, "signaled 15 out= err="},
    {"one that hangs is ended", "sleep 60", 100, "late"},
    {"output of the limit is taken", "printf '%0100d' 0 | tr 0 x | cut -c 1-60; printf '%039d' 7",
        SOON_MS, "exited 0 out=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx err="},
    {"one that says too much is ended", "yes", SOON_MS, "flooded"},
    {"errors beyond the limit are dropped", "head -c 100000 /dev/zero | tr '\\0' e >&2; echo end",
        SOON_MS,
        "exited 0 out=end\n err=eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"},
    {"one that complains without end is ended", "yes >&2", SOON_MS, "flooded"},
    {"what it leaves behind does not hold it up", "sleep 60 & echo end", SOON_MS,
        "exited 0 out=end\n err="},
};

static int set_up(struct box *self)
{
    *self = (struct box){.loop = pin_loop_new()};
    self->commands = pin_commands_new(self->loop, 2);
    return self->commands == NULL ? -1 : 0;
}

static void tear_down(struct box *self)
{
    pin_commands_free(self->commands);
    pin_loop_free(self->loop);
}

static void test_case(void **state)
{
    const struct command_case *c = *state;
    struct box self;
    struct pin_command *command = NULL;
    assert_int_equal(set_up(&self), 0);
    assert_int_equal(run(&self, c->script, c->timeout_ms, &command), PIN_OK);
    wait_done(&self, 1);
    assert_string_equal(self.shown, c->want);
    tear_down(&self);
}

static void test_no_more_run_than_may(void **state)
{
    struct box self;
    struct pin_command *commands[2];
    struct pin_command *more = NULL;
    (void)state;
    assert_int_equal(set_up(&self), 0);
    assert_int_equal(run(&self, "sleep 60", SOON_MS, &commands[0]), PIN_OK);
    assert_int_equal(run(&self, "exit 0", SOON_MS, &commands[1]), PIN_OK);
    assert_int_equal(run(&self, "exit 0", SOON_MS, &more), PIN_EBUSY);
    wait_done(&self, 1);
    assert_int_equal(run(&self, "exit 0", SOON_MS, &more), PIN_OK);
    wait_done(&self, 2);
    tear_down(&self); /* one runs still */
}

static void test_one_that_is_cancelled_says_nothing_any_more(void **state)
{
    struct box self;
    struct pin_command *command = NULL;
    (void)state;
    assert_int_equal(set_up(&self), 0);
    assert_int_equal(run(&self, "sleep 60", SOON_MS, &command), PIN_OK);
    pin_command_cancel(command);
    assert_int_equal(run(&self, "exit 3", SOON_MS, &command), PIN_OK);
    wait_done(&self, 1);
    assert_string_equal(self.shown, "exited 3 out= err=");
    tear_down(&self);
}

static void test_one_that_is_not_there_is_told(void **state)
{
    struct box self;
    struct pin_command *command = NULL;
    struct pin_why why = {0};
    char name[] = "no-such-program-of-pintle";
    char *argv[] = {name, NULL};
    char *env[] = {NULL};
    const struct pin_command_spec spec = {
        .argv = argv, .env = env, .timeout_ms = SOON_MS, .done = on_done};
    (void)state;
    assert_int_equal(set_up(&self), 0);
    assert_int_equal(pin_command_start(self.commands, &spec, &command, &why), PIN_ENOTFOUND);
    assert_string_equal(why.text, "start 'no-such-program-of-pintle': No such file or directory");
    tear_down(&self);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + 3] = {
        cmocka_unit_test(test_no_more_run_than_may),
        cmocka_unit_test(test_one_that_is_cancelled_says_nothing_any_more),
        cmocka_unit_test(test_one_that_is_not_there_is_told),
    };
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[3 + i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_case, .initial_state = &cases[i]};
    }
    return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
