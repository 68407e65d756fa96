/* SPDX-License-Identifier: Apache-2.0 */

#include "pintle/base/thread.h"

#include <linux/sched.h>
#include <linux/sched/types.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The shortest there is. */
#define PROMPT_NS UINT64_C(100000)
/* Others have 700 us or more. */
#define BRISK_NS UINT64_C(300000)

static bool set_slice(uint64_t slice_ns)
{
    struct sched_attr attr = {.size = sizeof(attr)};
    if (syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0) != 0
        || attr.sched_policy != SCHED_NORMAL) {
        return false;
    }
    attr.sched_runtime = slice_ns;
    return syscall(SYS_sched_setattr, 0, &attr, 0) == 0
           && syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0) == 0
           && attr.sched_runtime == slice_ns;
}

bool pin_thread_be_prompt(void)
{
    return set_slice(PROMPT_NS);
}

bool pin_thread_be_brisk(void)
{
    return set_slice(BRISK_NS);
}
