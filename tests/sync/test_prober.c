/* SPDX-License-Identifier: Apache-2.0 */

/* Addresses are asked by connection, HTTP, HTTPS and command, against real servers on loopback. */

#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/clock.h"
#include "pintle/base/file.h"
#include "pintle/base/loop.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"
#include "pintle/sync/prober.h"

#include "zones/slots.h"

#define SOON_MS 30000

/* Doors of probe_server.py, in the order it prints their ports. */
enum door {
    PLAIN,
    TLS,
    SILENT,
    CLOSED,
    N_DOORS,
};

static struct {
    pid_t pid;
    FILE *to;
    FILE *from;
    uint16_t ports[N_DOORS];
} server;

static const char *const ok_argv[] = {
    "/bin/sh", "-c", "test \"$0\" = 127.0.0.1 -a -n \"$PINTLE_PORT\""};
static const char *const placed_argv[] = {"/bin/sh", "-c", "test x{address}y = x127.0.0.1y"};
static const char *const bad_argv[] = {"/bin/sh", "-c", "exit 3"};
static const char *const gone_argv[] = {"/nonexistent/program"};
/* Leaves a child behind that only its group's end takes along. */
static char linger_line[128] = "";
static const char *const linger_argv[] = {"/bin/sh", "-c", linger_line};

static const struct pin_prober_command commands[] = {
    {.name = "ok", .argv = ok_argv, .n_argv = N_ELEMS(ok_argv)},
    {.name = "placed", .argv = placed_argv, .n_argv = N_ELEMS(placed_argv)},
    {.name = "bad", .argv = bad_argv, .n_argv = N_ELEMS(bad_argv)},
    {.name = "gone", .argv = gone_argv, .n_argv = N_ELEMS(gone_argv)},
    {.name = "linger", .argv = linger_argv, .n_argv = N_ELEMS(linger_argv)},
};

/* --- the rig --------------------------------------------------------------------------------- */

struct rig {
    struct pin_loop *loop;
    struct pin_health *health;
    struct pin_prober *prober;
    struct pin_holding holding;
    struct pin_holds holds;
    unsigned n_flips;
};

static void on_flip(void *arg)
{
    struct rig *rig = arg;
    rig->n_flips++;
}

static void rig_init_few(struct rig *self, uint32_t max_per_second, uint32_t running_max)
{
    *self = (struct rig){.loop = pin_loop_new(), .health = pin_health_new()};
    struct pin_prober_config config = {.loop = self->loop,
        .health = self->health,
        .max_per_second = max_per_second,
        .commands = commands,
        .n_commands = N_ELEMS(commands),
        .running_max = running_max,
        .on_flip = on_flip,
        .arg = self};
    assert_int_equal(pin_prober_new(&config, &self->prober, NULL), PIN_OK);
    self->holding = pin_holding_begin(self->health, &self->holds, 1, true);
}

static void rig_init(struct rig *self, uint32_t max_per_second)
{
    rig_init_few(self, max_per_second, 0);
}

static void rig_done(struct rig *self)
{
    pin_holding_end(&self->holding, &self->holds, true);
    pin_holds_release(self->health, &self->holds);
    pin_prober_free(self->prober);
    pin_health_free(self->health);
    pin_loop_free(self->loop);
}

static uint32_t rig_check(struct rig *self, uint16_t port, const struct pin_check *check)
{
    struct pin_ip ip;
    assert_true(pin_ip_parse("127.0.0.1", &ip));
    uint32_t slot = pin_holding_take(&self->holding, &ip, port, check);
    assert_int_not_equal(slot, PIN_SLOT_NONE);
    return slot;
}

static struct pin_health_state state_of(const struct rig *self, uint32_t slot)
{
    return pin_health_unpack(pin_health_word(pin_health_words(self->health), slot));
}

/* Runs the loop until the slot has that verdict, or fails. */
static void wait_for(struct rig *self, uint32_t slot, enum pin_verdict verdict)
{
    int64_t until_ms = pin_clock_mono_ms() + SOON_MS;
    while (state_of(self, slot).verdict != verdict) {
        assert_true(pin_clock_mono_ms() < until_ms);
        pin_loop_poll(self->loop, 50);
    }
}

static void run_for(struct rig *self, int64_t ms)
{
    int64_t until_ms = pin_clock_mono_ms() + ms;
    while (pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(self->loop, 10);
    }
}

static void assert_explained(struct rig *self, uint32_t slot, const char *part)
{
    struct pin_text text = {0};
    struct pin_jsonout out = pin_jsonout_init(&text);
    pin_jsonout_object(&out);
    pin_health_json(self->health, slot, &out);
    pin_jsonout_end(&out);
    if (strstr(pin_text_get(&text), part) == NULL) {
        fail_msg("\"%s\" is not in %s", part, pin_text_get(&text));
    }
    pin_text_done(&text);
}

/* --- one probe ----------------------------------------------------------------------------------
 */

static struct probe_case {
    const char *name;
    enum pin_check_protocol protocol;
    enum door door;
    const char *path;
    const char *status; /* NULL: 200 */
    const char *host;
    const char *command;
    const char *want; /* NULL: up; else part of what explain says */
    bool is_http2;
} cases[] = {
    {"a port that accepts is up", PIN_CHECK_TCP, PLAIN, "/", NULL, NULL, NULL, NULL, false},
    {"a port that accepts and says nothing is up for TCP", PIN_CHECK_TCP, SILENT, "/", NULL, NULL,
        NULL, NULL, false},
    {"a closed port is down", PIN_CHECK_TCP, CLOSED, "/", NULL, NULL, NULL,
        "connect: Connection refused", false},
    {"HTTP 200 is up", PIN_CHECK_HTTP, PLAIN, "/200", NULL, NULL, NULL, NULL, false},
    {"HTTP 204 is down when 200 is wanted", PIN_CHECK_HTTP, PLAIN, "/204", NULL, NULL, NULL,
        "HTTP status 204, wanted 200", false},
    {"a status in a wanted range is up", PIN_CHECK_HTTP, PLAIN, "/404", "200-299,400-404", NULL,
        NULL, NULL, false},
    {"the wanted ranges are told", PIN_CHECK_HTTP, PLAIN, "/500", "200-299,304", NULL, NULL,
        "HTTP status 500, wanted 200-299,304", false},
    {"a redirection is a status like others", PIN_CHECK_HTTP, PLAIN, "/302", "302", NULL, NULL,
        NULL, false},
    {"the Host header is sent", PIN_CHECK_HTTP, PLAIN, "/host", NULL, "shop.example", NULL, NULL,
        false},
    {"without one the address is the host", PIN_CHECK_HTTP, PLAIN, "/host", "404", NULL, NULL, NULL,
        false},
    {"a server that says nothing is down after its time", PIN_CHECK_HTTP, SILENT, "/", NULL, NULL,
        NULL, "timed out", false},
    {"a server that is slow to answer is down after its time", PIN_CHECK_HTTP, PLAIN, "/silent",
        NULL, NULL, NULL, "timed out", false},
    {"a closed port is down for HTTP", PIN_CHECK_HTTP, CLOSED, "/", NULL, NULL, NULL,
        "Failed to connect", false},
    {"a body without end is not read", PIN_CHECK_HTTP, PLAIN, "/endless", NULL, NULL, NULL, NULL,
        false},
    {"a server of HTTP/1.1 is down when HTTP/2 is asked for", PIN_CHECK_HTTP, PLAIN, "/200", NULL,
        NULL, NULL, "\"state\":\"unhealthy\"", true},
    {"a certificate that nobody vouches for is up", PIN_CHECK_HTTPS, TLS, "/200", NULL, NULL, NULL,
        NULL, false},
    {"HTTPS sends the Host header", PIN_CHECK_HTTPS, TLS, "/host", NULL, "shop.example", NULL, NULL,
        false},
    {"HTTPS counts the status, too", PIN_CHECK_HTTPS, TLS, "/503", NULL, NULL, NULL,
        "HTTP status 503, wanted 200", false},
    {"HTTPS to a server without TLS is down", PIN_CHECK_HTTPS, PLAIN, "/200", NULL, NULL, NULL,
        "\"state\":\"unhealthy\"", false},
    {"a command gets the address as last argument and the port", PIN_CHECK_COMMAND, PLAIN, "/",
        NULL, NULL, "ok", NULL, false},
    {"a command gets the address where its place is", PIN_CHECK_COMMAND, PLAIN, "/", NULL, NULL,
        "placed", NULL, false},
    {"a command that ends with 3 is down", PIN_CHECK_COMMAND, PLAIN, "/", NULL, NULL, "bad",
        "command 'bad' ended with 3", false},
    {"a program that is not there is down", PIN_CHECK_COMMAND, PLAIN, "/", NULL, NULL, "gone",
        "start '/nonexistent/program'", false},
    {"a command that is not configured is down", PIN_CHECK_COMMAND, PLAIN, "/", NULL, NULL,
        "rm -rf", "no command 'rm -rf' in health.commands", false},
};

static void test_probe(void **state)
{
    const struct probe_case *c = *state;
    struct rig rig;
    struct pin_check check = pin_check_default();
    check.protocol = c->protocol;
    check.path = c->path;
    check.host = c->host;
    check.command = c->command;
    check.is_http2 = c->is_http2;
    bool is_slow = c->want != NULL && strcmp(c->want, "timed out") == 0;
    check.timeout_s = is_slow ? 1 : 10;
    check.fall = 1;
    assert_true(c->status == NULL || pin_check_read_status(&check, c->status));
    rig_init(&rig, 100);
    uint32_t slot = rig_check(&rig, server.ports[c->door], &check);
    assert_int_equal(state_of(&rig, slot).verdict, PIN_VERDICT_ASSUMED);
    pin_prober_take_orders(rig.prober);
    wait_for(&rig, slot, c->want == NULL ? PIN_VERDICT_UP : PIN_VERDICT_DOWN);
    assert_explained(&rig, slot, c->want == NULL ? "\"state\":\"healthy\"" : c->want);
    struct pin_health_stats stats = pin_prober_stats(rig.prober);
    assert_int_equal(
        stats.n_probes[c->protocol][c->want == NULL ? PIN_PROBE_OK : PIN_PROBE_FAILED], 1);
    assert_int_equal(stats.n_addresses[state_of(&rig, slot).verdict], 1);
    assert_int_equal(rig.n_flips, 1);
    assert_int_equal(stats.n_running, 0);
    rig_done(&rig);
}

/* --- many of them
 * ---------------------------------------------------------------------------------- */

static void test_rise_and_fall(void **state)
{
    (void)state;
    struct rig rig;
    char answer[8];
    struct pin_check check = pin_check_default();
    int64_t before_s = 0;
    check.path = "/flag";
    check.interval_s = 1;
    check.rise = 2;
    check.fall = 2;
    rig_init(&rig, 100);
    uint32_t slot = rig_check(&rig, server.ports[PLAIN], &check);
    pin_prober_take_orders(rig.prober);
    wait_for(&rig, slot, PIN_VERDICT_UP);
    assert_false(state_of(&rig, slot).is_turning);
    (void)fprintf(server.to, "down\n");
    (void)fflush(server.to);
    assert_non_null(fgets(answer, sizeof(answer), server.from));
    while (!state_of(&rig, slot).is_turning) {
        before_s = pin_clock_mono_ms() / 1000;
        pin_loop_poll(rig.loop, 50);
    }
    assert_int_equal(state_of(&rig, slot).verdict, PIN_VERDICT_UP);
    int64_t next_s = state_of(&rig, slot).next_s;
    assert_in_range(next_s, before_s, pin_clock_mono_ms() / 1000 + 2);
    wait_for(&rig, slot, PIN_VERDICT_DOWN);
    (void)fprintf(server.to, "up\n");
    (void)fflush(server.to);
    assert_non_null(fgets(answer, sizeof(answer), server.from));
    wait_for(&rig, slot, PIN_VERDICT_UP);
    assert_int_equal(pin_prober_stats(rig.prober).n_flips, 3);
    rig_done(&rig);
}

static void test_cap(void **state)
{
    (void)state;
    struct rig rig;
    struct pin_check check = pin_check_default();
    check.protocol = PIN_CHECK_TCP;
    rig_init(&rig, 20);
    for (uint16_t i = 0; i < 100; i++) {
        check.interval_s = (uint16_t)(30 + i); /* another check each */
        (void)rig_check(&rig, server.ports[SILENT], &check);
    }
    int64_t begin_ms = pin_clock_mono_ms();
    pin_prober_take_orders(rig.prober);
    run_for(&rig, 1000);
    struct pin_health_stats stats = pin_prober_stats(rig.prober);
    int64_t took_ms = pin_clock_mono_ms() - begin_ms;
    assert_in_range(stats.n_probes[PIN_CHECK_TCP][PIN_PROBE_OK], 5, 4 + 20 * took_ms / 1000);
    assert_in_range(stats.late_ms, 500, 5000);
    rig_done(&rig);
}

/* 100 probes at one a second would take longer than anybody waits here. */
static void test_pace_changes(void **state)
{
    (void)state;
    struct rig rig;
    struct pin_check check = pin_check_default();
    check.protocol = PIN_CHECK_TCP;
    rig_init(&rig, 1);
    for (uint16_t i = 0; i < 100; i++) {
        check.interval_s = (uint16_t)(600 + i); /* another check each */
        (void)rig_check(&rig, server.ports[SILENT], &check);
    }
    pin_prober_take_orders(rig.prober);
    pin_prober_pace(rig.prober, 1000);
    int64_t until_ms = pin_clock_mono_ms() + SOON_MS;
    while (pin_prober_stats(rig.prober).n_probes[PIN_CHECK_TCP][PIN_PROBE_OK] < 100) {
        assert_true(pin_clock_mono_ms() < until_ms);
        pin_loop_poll(rig.loop, 50);
    }
    rig_done(&rig);
}

static void test_equal_checks_share(void **state)
{
    (void)state;
    struct rig rig;
    struct pin_check check = pin_check_default();
    rig_init(&rig, 100);
    uint32_t slot = rig_check(&rig, 80, &check);
    char path[] = "/";
    check.path = path; /* the same text elsewhere */
    assert_int_equal(rig_check(&rig, 80, &check), slot);
    assert_int_not_equal(rig_check(&rig, 81, &check), slot);
    rig_done(&rig);
}

static void test_stopped_is_not_asked(void **state)
{
    (void)state;
    struct rig rig;
    struct pin_check check = pin_check_default();
    check.protocol = PIN_CHECK_TCP;
    rig_init(&rig, 100);
    (void)rig_check(&rig, server.ports[PLAIN], &check);
    pin_holding_end(&rig.holding, &rig.holds, true); /* gives it back */
    pin_prober_take_orders(rig.prober);
    run_for(&rig, 100);
    assert_int_equal(pin_prober_stats(rig.prober).n_probes[PIN_CHECK_TCP][PIN_PROBE_OK], 0);
    for (int i = 0; i <= PIN_VERDICT_UP; i++) {
        assert_int_equal(pin_prober_stats(rig.prober).n_addresses[i], 0);
    }
    rig_done(&rig);
}

/* Whether the process written down in `path` is there (not even a zombie). */
static bool is_running(const char *path)
{
    char *text = NULL;
    size_t bytes = 0;
    char stat[64];
    if (pin_file_read(path, 64, &text, &bytes, NULL) != PIN_OK || bytes == 0) {
        free(text);
        return false;
    }
    long pid = strtol(text, NULL, 10);
    free(text);
    (void)snprintf(stat, sizeof(stat), "/proc/%ld/stat", pid);
    if (pin_file_read(stat, 4096, &text, &bytes, NULL) != PIN_OK) {
        return false;
    }
    bool is_zombie = strstr(text, ") Z ") != NULL;
    free(text);
    return !is_zombie;
}

static void test_command_ends_with_its_group(void **state)
{
    (void)state;
    struct rig rig;
    char path[64];
    struct pin_check check = pin_check_default();
    (void)snprintf(path, sizeof(path), "/tmp/pintle-linger-%d", getpid());
    (void)snprintf(
        linger_line, sizeof(linger_line), "sleep 300 & echo $! >%s; sleep 300; wait", path);
    check.protocol = PIN_CHECK_COMMAND;
    check.command = "linger";
    check.timeout_s = 1;
    check.fall = 1;
    rig_init(&rig, 100);
    uint32_t slot = rig_check(&rig, 80, &check);
    pin_prober_take_orders(rig.prober);
    while (!is_running(path)) {
        pin_loop_poll(rig.loop, 20);
    }
    wait_for(&rig, slot, PIN_VERDICT_DOWN);
    assert_explained(&rig, slot, "took longer than 1 s");
    for (int i = 0; i < 100 && is_running(path); i++) {
        run_for(&rig, 20);
    }
    assert_false(is_running(path));
    rig_done(&rig);
    (void)unlink(path);
}

static void test_running_ones_end_with_the_prober(void **state)
{
    (void)state;
    struct rig rig;
    struct pin_check check = pin_check_default();
    rig_init(&rig, 100);
    (void)rig_check(&rig, server.ports[SILENT], &check);
    check.protocol = PIN_CHECK_COMMAND;
    check.command = "linger";
    (void)snprintf(linger_line, sizeof(linger_line), "sleep 300");
    (void)rig_check(&rig, server.ports[SILENT], &check);
    pin_prober_take_orders(rig.prober);
    int64_t until_ms = pin_clock_mono_ms() + SOON_MS;
    while (pin_prober_stats(rig.prober).n_running < 2 && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(rig.loop, 20);
    }
    assert_int_equal(pin_prober_stats(rig.prober).n_running, 2);
    rig_done(&rig);
}

/* Whoever has an hour for an answer cannot keep others from being asked; whoever has ten seconds
 * has them. */
static void test_patience_ends_while_others_wait(void **state)
{
    (void)state;
    struct rig rig;
    struct pin_check check = pin_check_default();
    struct pin_check patient = pin_check_default();
    rig_init_few(&rig, 100, 2);
    patient.protocol = PIN_CHECK_HTTP;
    patient.path = "/a";
    patient.timeout_s = PIN_CHECK_SECONDS_MAX;
    patient.interval_s = 1;
    patient.fall = 1;
    uint32_t hanging = rig_check(&rig, server.ports[SILENT], &patient);
    pin_prober_take_orders(rig.prober);
    patient.path = "/slow";
    patient.timeout_s = 60;
    patient.interval_s = 120;
    uint32_t slow = rig_check(&rig, server.ports[PLAIN], &patient);
    check.interval_s = 1;
    uint32_t other = rig_check(&rig, server.ports[PLAIN], &check);
    pin_prober_take_orders(rig.prober);
    run_for(&rig, 50);
    assert_int_equal(state_of(&rig, other).verdict, PIN_VERDICT_ASSUMED); /* it waits */
    patient.path = "/b";
    patient.timeout_s = PIN_CHECK_SECONDS_MAX;
    (void)rig_check(&rig, server.ports[SILENT], &patient); /* takes its place when that has ended */
    pin_prober_take_orders(rig.prober);
    wait_for(&rig, slow, PIN_VERDICT_UP);
    wait_for(&rig, other, PIN_VERDICT_UP);
    wait_for(&rig, hanging, PIN_VERDICT_DOWN);
    assert_explained(&rig, hanging, "no answer in 10 s, and others wait");
    uint64_t n_before = pin_prober_stats(rig.prober).n_probes[PIN_CHECK_HTTP][PIN_PROBE_FAILED];
    int64_t until_ms = pin_clock_mono_ms() + SOON_MS;
    while (pin_prober_stats(rig.prober).n_probes[PIN_CHECK_HTTP][PIN_PROBE_FAILED] == n_before) {
        assert_true(pin_clock_mono_ms() < until_ms);
        pin_loop_poll(rig.loop, 50);
    }
    assert_explained(&rig, hanging, "no answer in 5 s, and others wait");
    rig_done(&rig);
}

/* --- main
 * --------------------------------------------------------------------------------------------- */

static int start_server(void **state)
{
    int in[2];
    int out[2];
    char script[4096];
    char python[] = "python3";
    char *argv[] = {python, script, NULL};
    char line[64];
    posix_spawn_file_actions_t actions;
    const char *source = getenv("PINTLE_SOURCE_DIR");
    (void)state;
    (void)snprintf(
        script, sizeof(script), "%s/tests/sync/probe_server.py", source == NULL ? "." : source);
    if (pipe(in) != 0 || pipe(out) != 0) {
        return -1;
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_addclose(&actions, in[1]);
    posix_spawn_file_actions_addclose(&actions, out[0]);
    int failed = posix_spawnp(&server.pid, python, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    server.to = fdopen(in[1], "w");
    server.from = fdopen(out[0], "r");
    if (failed != 0 || fgets(line, sizeof(line), server.from) == NULL) {
        return -1;
    }
    char *at = line;
    for (size_t i = 0; i < N_DOORS; i++) {
        server.ports[i] = (uint16_t)strtoul(at, &at, 10);
    }
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    (void)kill(server.pid, SIGKILL);
    (void)waitpid(server.pid, NULL, 0);
    (void)fclose(server.to);
    (void)fclose(server.from);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        {"verdicts follow rise and fall", test_rise_and_fall, NULL, NULL, NULL},
        {"no more probes begin in a second than the cap says", test_cap, NULL, NULL, NULL},
        {"another cap holds at once", test_pace_changes, NULL, NULL, NULL},
        {"equal checks of an address share one slot", test_equal_checks_share, NULL, NULL, NULL},
        {"an address that is let go is not asked", test_stopped_is_not_asked, NULL, NULL, NULL},
        {"a command whose time is over ends with its whole group", test_command_ends_with_its_group,
            NULL, NULL, NULL},
        {"whoever may wait for an hour waits for 10 s while others are due, then for 5 s",
            test_patience_ends_while_others_wait, NULL, NULL, NULL},
        {"what still runs ends with the prober", test_running_ones_end_with_the_prober, NULL, NULL,
            NULL},
    };
    struct CMUnitTest tests[N_ELEMS(cases) + N_ELEMS(others)];
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_probe, .initial_state = &cases[i]};
    }
    memcpy(&tests[N_ELEMS(cases)], others, sizeof(others));
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("prober", tests, start_server, stop_server);
}
