/* SPDX-License-Identifier: Apache-2.0 */

/* Allocation that fails on demand; the linker's --wrap leads our allocations here. */

#include "support/faults.h"

#include <stdbool.h>
#include <stddef.h>

/* What the linker calls the real ones, and those that stand before them. */
void *real_malloc(size_t bytes) __asm__("__real_malloc");
void *real_calloc(size_t n, size_t bytes) __asm__("__real_calloc");
void *real_realloc(void *old, size_t bytes) __asm__("__real_realloc");
void *real_aligned_alloc(size_t alignment, size_t bytes) __asm__("__real_aligned_alloc");
void *pin_faults_malloc(size_t bytes) __asm__("__wrap_malloc");
void *pin_faults_calloc(size_t n, size_t bytes) __asm__("__wrap_calloc");
void *pin_faults_realloc(void *old, size_t bytes) __asm__("__wrap_realloc");
void *pin_faults_aligned_alloc(size_t alignment, size_t bytes) __asm__("__wrap_aligned_alloc");

static _Thread_local struct {
    unsigned n_good;
    unsigned n_bad;
    unsigned n_failed;
} plan;

void pin_faults_start(unsigned n_good, unsigned n_bad)
{
    plan.n_good = n_good;
    plan.n_bad = n_bad;
    plan.n_failed = 0;
}

unsigned pin_faults_stop(void)
{
    plan.n_bad = 0;
    return plan.n_failed;
}

static bool is_failing(void)
{
    if (plan.n_bad == 0) {
        return false;
    }
    if (plan.n_good > 0) {
        plan.n_good--;
        return false;
    }
    plan.n_bad--;
    plan.n_failed++;
    return true;
}

void *pin_faults_malloc(size_t bytes)
{
    return is_failing() ? NULL : real_malloc(bytes);
}

void *pin_faults_calloc(size_t n, size_t bytes)
{
    return is_failing() ? NULL : real_calloc(n, bytes);
}

void *pin_faults_realloc(void *old, size_t bytes)
{
    return is_failing() ? NULL : real_realloc(old, bytes);
}

void *pin_faults_aligned_alloc(size_t alignment, size_t bytes)
{
    return is_failing() ? NULL : real_aligned_alloc(alignment, bytes);
}
