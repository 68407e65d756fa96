/* SPDX-License-Identifier: Apache-2.0 */

/* What a process has given up, it does not have: each test gives it up in a child and looks. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/file.h"
#include "pintle/base/sandbox.h"

#define PAGE_BYTES 4096

static char dir[] = "/tmp/test_sandbox.XXXXXX";

/* Runs fn() in a child: 0 when it returns true, 1 when not, or minus the signal that ended it. */
static int in_child(bool (*fn)(void))
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(fn() ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* A sanitizer's own calls are not on any list; the daemon leaves its sandbox off then, too. */
static bool is_instrumented(void)
{
    const char *obstacle = pin_sandbox_obstacle();
    return obstacle != NULL;
}

static bool refuses(int result)
{
    return result < 0 && errno == EPERM;
}

static void *say_hello(void *arg)
{
    *(int *)arg = 1;
    return NULL;
}

static bool start_calls(bool runs_programs, enum pin_seccomp_end end)
{
    struct pin_why why = {0};
    return pin_privilege_no_new() && pin_seccomp_start(runs_programs, end, &why) == PIN_OK;
}

static bool only_what_we_use(void)
{
    pthread_t thread;
    int said = 0;
    if (!start_calls(false, PIN_SECCOMP_REFUSED)) {
        return false;
    }
    return refuses((int)ptrace(PTRACE_TRACEME, 0, NULL, NULL))
           && refuses(socket(AF_PACKET, SOCK_RAW, 0)) && refuses(execl("/bin/true", "true", NULL))
           && refuses(chroot("/")) && refuses(setuid(1)) && refuses(fork())
           && mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                  == MAP_FAILED
           && socket(AF_INET, SOCK_DGRAM, 0) >= 0 && socket(AF_INET6, SOCK_STREAM, 0) >= 0
           && pthread_create(&thread, NULL, say_hello, &said) == 0
           && pthread_join(thread, NULL) == 0 && said == 1;
}

static bool programs_still_run(void)
{
    int status = 0;
    if (!start_calls(true, PIN_SECCOMP_REFUSED)
        || !refuses((int)ptrace(PTRACE_TRACEME, 0, NULL, NULL))) {
        return false;
    }
    pid_t pid = fork();
    if (pid == 0) {
        (void)execl("/bin/sh", "sh", "-c", "test \"$(echo 1 | cat)\" = 1", NULL);
        _exit(1);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static bool a_forbidden_call_kills(void)
{
    return start_calls(false, PIN_SECCOMP_KILLED) && ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0;
}

static void test_calls(void **state)
{
    (void)state;
    if (is_instrumented()) {
        return;
    }
    assert_int_equal(in_child(only_what_we_use), 0);
    assert_int_equal(in_child(programs_still_run), 0);
    assert_int_equal(in_child(a_forbidden_call_kills), -SIGSYS);
}

/* --- Files ---------------------------------------------------------------------------------- */

static char *below(const char *name)
{
    char *path = pin_path_join(dir, name);
    assert_non_null(path);
    return path;
}

static bool can_open(const char *name, int flags)
{
    char *path = below(name);
    int fd = open(path, flags | O_CLOEXEC, 0600);
    bool is_denied = fd < 0 && errno == EACCES;
    free(path);
    if (fd >= 0) {
        (void)close(fd);
    }
    return !is_denied;
}

static bool only_named_files(void)
{
    struct pin_why why = {0};
    char *read = below("read");
    char *write = below("write");
    char *later = below("read/later/file");
    const struct pin_landlock_path paths[] = {{read, PIN_LANDLOCK_READ},
        {write, PIN_LANDLOCK_READ | PIN_LANDLOCK_WRITE}, {later, PIN_LANDLOCK_READ}, {NULL, 0}};
    bool is_started =
        pin_privilege_no_new()
        && pin_landlock_start(paths, sizeof(paths) / sizeof(paths[0]), false, &why) == PIN_OK;
    bool as_said = can_open("read/old", O_RDONLY) && !can_open("read/old", O_WRONLY)
                   && !can_open("read/new", O_WRONLY | O_CREAT) && !can_open("other", O_RDONLY)
                   && can_open("write/new", O_RDWR | O_CREAT | O_TRUNC);
    char *replaced = below("write/state");
    as_said = as_said && pin_file_write_atomic(replaced, "1", 1, 0600, &why) == PIN_OK
              && pin_file_write_atomic(replaced, "2", 1, 0600, &why) == PIN_OK;
    as_said = as_said && execl("/bin/true", "true", NULL) < 0 && errno == EACCES;
    free(replaced);
    free(read);
    free(write);
    free(later);
    return is_started && as_said;
}

static void make(const char *name, bool is_dir)
{
    char *path = below(name);
    if (is_dir) {
        assert_int_equal(mkdir(path, 0700), 0);
    } else {
        struct pin_why why = {0};
        assert_int_equal(pin_file_write_atomic(path, "x", 1, 0600, &why), PIN_OK);
    }
    free(path);
}

static void test_files(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(dir));
    make("read", true);
    make("write", true);
    make("read/old", false);
    make("other", false);
    struct pin_why why = {0};
    bool is_known = !is_instrumented() && pin_landlock_abi() > 0;
    if (is_known) {
        assert_int_equal(in_child(only_named_files), 0);
    } else if (!is_instrumented()) { /* then it says so, and the daemon goes on without */
        assert_int_equal(pin_landlock_start(NULL, 0, false, &why), PIN_EUNSUPPORTED);
    }
    char *command = NULL;
    assert_true(asprintf(&command, "rm -r %s", dir) > 0);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c,concurrency-mt-unsafe): a test */
    free(command);
}

/* --- Who we are ----------------------------------------------------------------------------- */

static uint64_t capabilities(void)
{
    char *status = NULL;
    struct pin_why why = {0};
    if (pin_file_read("/proc/self/status", (size_t)1 << 20, &status, NULL, &why) != PIN_OK) {
        return UINT64_MAX;
    }
    const char *at = strstr(status, "CapEff:");
    uint64_t value = at == NULL ? UINT64_MAX : strtoull(at + strlen("CapEff:"), NULL, 16);
    free(status);
    return value;
}

static bool becomes_nobody(void)
{
    struct pin_why why = {0};
    return pin_privilege_drop("nobody", NULL, false, &why) == PIN_OK && geteuid() != 0
           && getegid() != 0 && getgroups(0, NULL) == 0 && capabilities() == 0 && setuid(0) != 0;
}

static bool keeps_ports(void)
{
    struct pin_why why = {0};
    return pin_privilege_drop("nobody", NULL, true, &why) == PIN_OK && geteuid() != 0
           && capabilities() == UINT64_C(1) << 10;
}

static bool hides(void)
{
    struct rlimit core;
    pin_privilege_hide(false);
    bool may_look = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1;
    pin_privilege_hide(true);
    return may_look && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 && getrlimit(RLIMIT_CORE, &core) == 0
           && core.rlim_cur == 1 && core.rlim_max == 1;
}

static void test_root_goes_and_does_not_come_back(void **state)
{
    (void)state;
    struct pin_why why = {0};
    assert_int_equal(in_child(hides), 0);
    if (geteuid() != 0) { /* there is nothing to give up, and nothing is looked up */
        assert_int_equal(pin_privilege_drop("no such user", NULL, false, &why), PIN_OK);
        return;
    }
    assert_int_equal(pin_privilege_drop("no such user", NULL, false, &why), PIN_ENOTFOUND);
    assert_string_equal(why.text, "there is no user \"no such user\"");
    assert_int_equal(pin_privilege_drop("root", NULL, false, &why), PIN_EINVAL);
    assert_int_equal(in_child(becomes_nobody), 0);
    assert_int_equal(in_child(keeps_ports), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_root_goes_and_does_not_come_back),
    };
    return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}
