/* SPDX-License-Identifier: Apache-2.0 */

#include "pintle/base/thread.h"

#include <linux/sched.h>
#include <linux/sched/types.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The shortest there is. */
#define SLICE_NS UINT64_C(100000)

bool pin_thread_be_prompt(void)
{
    struct sched_attr attr = {.size = sizeof(attr)};
    if (syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0) != 0
        || attr.sched_policy != SCHED_NORMAL) {
        return false;
    }
    attr.sched_runtime = SLICE_NS;
    return syscall(SYS_sched_setattr, 0, &attr, 0) == 0
           && syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0) == 0
           && attr.sched_runtime == SLICE_NS;
}
