/* SPDX-License-Identifier: Apache-2.0 */

/* As many descriptors as we may have. */

#include "resolver/limits.h"

#include <sys/resource.h>

#include "pintle/base/log.h"

void pin_limits_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) {
        return;
    }
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0) {
        pin_log_debug("app: the limit of open descriptors was %llu, it is %llu now",
            (unsigned long long)before, (unsigned long long)limit.rlim_max);
    }
}
