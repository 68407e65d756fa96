/* SPDX-License-Identifier: Apache-2.0 */

/* The one door to libseccomp: which system calls may be made. */

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "pintle/base/macros.h"
#include "pintle/base/sandbox.h"

/* libseccomp's own word for "look it up as a tree". */
#define OPTIMIZE_TREE 2

/* What pintled and its libraries call when no other program runs beside it. A name that the machine
 * does not have is skipped. */
static const char *const used[] = {
    /* packets and streams */
    "accept",
    "accept4",
    "bind",
    "connect",
    "getpeername",
    "getsockname",
    "getsockopt",
    "listen",
    "recvfrom",
    "recvmmsg",
    "recvmsg",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "setsockopt",
    "shutdown",
    "socketpair",
    /* waiting */
    "clock_getres",
    "clock_gettime",
    "clock_nanosleep",
    "epoll_create",
    "epoll_create1",
    "epoll_ctl",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_wait",
    "eventfd",
    "eventfd2",
    "gettimeofday",
    "nanosleep",
    "poll",
    "ppoll",
    "pselect6",
    "select",
    "time",
    "timerfd_create",
    "timerfd_settime",
    "timerfd_gettime",
    /* files */
    "access",
    "chdir",
    "chmod",
    "close",
    "close_range",
    "copy_file_range",
    "creat",
    "dup",
    "dup2",
    "dup3",
    "faccessat",
    "faccessat2",
    "fadvise64",
    "fallocate",
    "fchmod",
    "fchmodat",
    "fchown",
    "fcntl",
    "fdatasync",
    "flock",
    "fstat",
    "fstatfs",
    "fsync",
    "ftruncate",
    "getcwd",
    "getdents",
    "getdents64",
    "inotify_add_watch",
    "inotify_init",
    "inotify_init1",
    "inotify_rm_watch",
    "ioctl",
    "lseek",
    "lstat",
    "memfd_create",
    "mkdir",
    "mkdirat",
    "newfstatat",
    "open",
    "openat",
    "openat2",
    "pipe",
    "pipe2",
    "pread64",
    "preadv",
    "preadv2",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "read",
    "readlink",
    "readlinkat",
    "readv",
    "rename",
    "renameat",
    "renameat2",
    "rmdir",
    "sendfile",
    "stat",
    "statfs",
    "statx",
    "sync_file_range",
    "truncate",
    "umask",
    "unlink",
    "unlinkat",
    "utimensat",
    "write",
    "writev",
    /* memory */
    "brk",
    "madvise",
    "membarrier",
    "mincore",
    "mlock",
    "mlock2",
    "mremap",
    "msync",
    "munlock",
    "munmap",
    /* threads, signals, and who we are */
    "alarm",
    "arch_prctl",
    "capget",
    "exit",
    "exit_group",
    "futex",
    "futex_wait",
    "futex_waitv",
    "futex_wake",
    "get_robust_list",
    "getcpu",
    "getegid",
    "geteuid",
    "getgid",
    "getgroups",
    "getitimer",
    "getpgid",
    "getpgrp",
    "getpid",
    "getppid",
    "getpriority",
    "getrandom",
    "getresgid",
    "getresuid",
    "getrlimit",
    "getrusage",
    "getsid",
    "gettid",
    "getuid",
    "kill",
    "pidfd_open",
    "pidfd_send_signal",
    "prctl",
    "prlimit64",
    "restart_syscall",
    "rseq",
    "rt_sigaction",
    "rt_sigpending",
    "rt_sigprocmask",
    "rt_sigqueueinfo",
    "rt_sigreturn",
    "rt_sigsuspend",
    "rt_sigtimedwait",
    "sched_get_priority_max",
    "sched_get_priority_min",
    "sched_getaffinity",
    "sched_getattr",
    "sched_getparam",
    "sched_getscheduler",
    "sched_setaffinity",
    "sched_setattr",
    "sched_yield",
    "set_robust_list",
    "set_tid_address",
    "setitimer",
    "setrlimit",
    "sigaltstack",
    "sysinfo",
    "tgkill",
    "timer_create",
    "timer_delete",
    "timer_settime",
    "times",
    "uname",
    "wait4",
    "waitid",
};

/* What nobody needs who is no administrator, debugger or attacker; for when programs of others run
 * beside us, about which no more is known. */
static const char *const harmful[] = {
    "acct",
    "add_key",
    "adjtimex",
    "bpf",
    "chroot",
    "clock_adjtime",
    "clock_settime",
    "create_module",
    "delete_module",
    "fanotify_init",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "get_kernel_syms",
    "init_module",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "ioperm",
    "iopl",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "mbind",
    "migrate_pages",
    "mount",
    "mount_setattr",
    "move_mount",
    "move_pages",
    "name_to_handle_at",
    "nfsservctl",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "pivot_root",
    "process_madvise",
    "process_vm_readv",
    "process_vm_writev",
    "ptrace",
    "query_module",
    "quotactl",
    "quotactl_fd",
    "reboot",
    "request_key",
    "setdomainname",
    "setfsgid",
    "setfsuid",
    "sethostname",
    "setns",
    "settimeofday",
    "swapoff",
    "swapon",
    "sysfs",
    "syslog",
    "umount",
    "umount2",
    "unshare",
    "uselib",
    "userfaultfd",
    "ustat",
    "vhangup",
    "vm86",
    "vm86old",
};

/* 0, or the first failure. */
static int add(scmp_filter_ctx filter, int failed, uint32_t action, const char *name,
    unsigned n_tests, const struct scmp_arg_cmp *tests)
{
    int number = seccomp_syscall_resolve_name(name);
    if (failed != 0 || number == __NR_SCMP_ERROR) {
        return failed;
    }
    failed = seccomp_rule_add_array(filter, action, number, n_tests, tests);
    return failed == -EDOM ? 0 : failed; /* a call of other machines */
}

/* Families of sockets that there is a use for. */
static int allow_sockets(scmp_filter_ctx filter, int failed)
{
    static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
    for (size_t i = 0; i < N_ELEMS(families); i++) {
        const struct scmp_arg_cmp is_it = {
            .arg = 0, .op = SCMP_CMP_EQ, .datum_a = (uint64_t)families[i]};
        failed = add(filter, failed, SCMP_ACT_ALLOW, "socket", 1, &is_it);
    }
    return failed;
}

/* Memory that is written and run is what an attacker wants: mmap() lacks one or the other, and
 * mprotect() makes nothing runnable. */
static int allow_memory(scmp_filter_ctx filter, int failed)
{
    const struct scmp_arg_cmp is_not_run = {
        .arg = 2, .op = SCMP_CMP_MASKED_EQ, .datum_a = PROT_EXEC, .datum_b = 0};
    const struct scmp_arg_cmp is_not_written = {
        .arg = 2, .op = SCMP_CMP_MASKED_EQ, .datum_a = PROT_WRITE, .datum_b = 0};
    failed = add(filter, failed, SCMP_ACT_ALLOW, "mmap", 1, &is_not_run);
    failed = add(filter, failed, SCMP_ACT_ALLOW, "mmap", 1, &is_not_written);
    return add(filter, failed, SCMP_ACT_ALLOW, "mprotect", 1, &is_not_run);
}

/* Threads, and no processes. The flags of clone3() are out of sight; without it libc takes clone().
 */
static int allow_threads(scmp_filter_ctx filter, int failed)
{
    const struct scmp_arg_cmp is_thread = {
        .arg = 0, .op = SCMP_CMP_MASKED_EQ, .datum_a = CLONE_THREAD, .datum_b = CLONE_THREAD};
    failed = add(filter, failed, SCMP_ACT_ALLOW, "clone", 1, &is_thread);
    return add(filter, failed, SCMP_ACT_ERRNO(ENOSYS), "clone3", 0, NULL);
}

static int allow_used(scmp_filter_ctx filter)
{
    int failed = 0;
    for (size_t i = 0; i < N_ELEMS(used); i++) {
        failed = add(filter, failed, SCMP_ACT_ALLOW, used[i], 0, NULL);
    }
    failed = allow_sockets(filter, failed);
    failed = allow_memory(filter, failed);
    return allow_threads(filter, failed);
}

static int forbid_harmful(scmp_filter_ctx filter, uint32_t action)
{
    int failed = 0;
    for (size_t i = 0; i < N_ELEMS(harmful); i++) {
        failed = add(filter, failed, action, harmful[i], 0, NULL);
    }
    return failed;
}

enum pin_err pin_seccomp_start(bool runs_programs, enum pin_seccomp_end end, struct pin_why *why)
{
    uint32_t refuse = end == PIN_SECCOMP_KILLED ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(EPERM);
    scmp_filter_ctx filter = seccomp_init(runs_programs ? SCMP_ACT_ALLOW : refuse);
    if (filter == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "seccomp");
    }
    /* The kernel asks it at each call: as a tree it is short. */
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, OPTIMIZE_TREE);
    int failed = runs_programs ? forbid_harmful(filter, refuse) : allow_used(filter);
    failed = failed != 0 ? failed : seccomp_load(filter);
    seccomp_release(filter);
    return failed == 0
               ? PIN_OK
               : pin_why_set(why, PIN_EUNSUPPORTED, "seccomp: %s", strerrorname_np(-failed));
}
