/* SPDX-License-Identifier: Apache-2.0 */

/* From root to a user who may do little. */

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pintle/base/file.h"
#include "pintle/base/sandbox.h"

#define MAPS_MAX_BYTES  ((size_t)16 << 20)
#define USER_TEXT_BYTES 4096
#define STATE_MODE      0700

#ifdef PIN_INSTRUMENTED
#define INSTRUMENTED true
#else
#define INSTRUMENTED false
#endif

const char *pin_sandbox_obstacle(void)
{
    if (INSTRUMENTED) {
        return "a sanitizer or coverage";
    }
    char *maps = NULL;
    struct pin_why why = {0};
    bool is_guest = pin_file_read("/proc/self/maps", MAPS_MAX_BYTES, &maps, NULL, &why) == PIN_OK
                    && strstr(maps, "/vgpreload_") != NULL;
    free(maps);
    return is_guest ? "valgrind" : NULL;
}

static enum pin_err find_user(const char *user, uid_t *ret_uid, gid_t *ret_gid, struct pin_why *why)
{
    char text[USER_TEXT_BYTES];
    struct passwd entry;
    struct passwd *found = NULL;
    int failed = getpwnam_r(user, &entry, text, sizeof(text), &found);
    if (found == NULL) {
        return failed != 0 ? pin_why_errno(why, failed, "user %s", user)
                           : pin_why_set(why, PIN_ENOTFOUND, "there is no user \"%s\"", user);
    }
    if (entry.pw_uid == 0) {
        return pin_why_set(why, PIN_EINVAL, "user %s is root: name one who is not", user);
    }
    *ret_uid = entry.pw_uid;
    *ret_gid = entry.pw_gid;
    return PIN_OK;
}

/* Nothing but `mask`, of the first 32 capabilities. */
static bool set_capabilities(uint32_t mask)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
        {.effective = mask, .permitted = mask}};
    return syscall(SYS_capset, &header, data) == 0;
}

/* What programs could get of the file system's capabilities. */
static void empty_bounding_set(uint32_t kept)
{
    for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
        if (cap >= 32 || (kept & (UINT32_C(1) << cap)) == 0) {
            (void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); /* no_new_privs says it once more */
        }
    }
}

enum pin_err pin_privilege_drop(
    const char *user, const char *state_dir, bool binds_ports, struct pin_why *why)
{
    uid_t uid = 0;
    gid_t gid = 0;
    const uint32_t kept = binds_ports ? UINT32_C(1) << CAP_NET_BIND_SERVICE : 0;
    if (geteuid() != 0) {
        return PIN_OK;
    }
    enum pin_err err = find_user(user, &uid, &gid, why);
    if (err != PIN_OK) {
        return err;
    }
    if (state_dir != NULL && mkdir(state_dir, STATE_MODE) == 0 && chown(state_dir, uid, gid) != 0) {
        return pin_why_errno(why, errno, "give %s to user %s", state_dir, user);
    }
    empty_bounding_set(kept);
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 || setgroups(0, NULL) != 0
        || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0) {
        return pin_why_errno(why, errno, "become user %s", user);
    }
    if (!set_capabilities(kept) || prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) != 0) {
        return pin_why_errno(why, errno, "give up capabilities");
    }
    if (setuid(0) == 0 || geteuid() != uid || getegid() != gid) {
        return pin_why_set(why, PIN_EDENIED, "user %s could become root again", user);
    }
    return PIN_OK;
}

bool pin_privilege_no_new(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

void pin_privilege_hide(bool is_service)
{
    /* 0 would let programs of core_pattern have one; 1 does not, and no file is that short. */
    const struct rlimit none = {.rlim_cur = 1, .rlim_max = 1};
    (void)setrlimit(RLIMIT_CORE, &none); /* less is always allowed */
    if (is_service) {
        (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* likewise */
    }
}
