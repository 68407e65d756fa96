/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Faults: memory that runs out when a test wants it to. A test that includes this header is linked
 * so that malloc, calloc, realloc and aligned_alloc of our own code (not of libraries) pass through
 * here.
 */

/**
 * On the calling thread the next `n_good` allocations go well, then `n_bad` fail, then all go well
 * again.
 */
void pin_faults_start(unsigned n_good, unsigned n_bad);

/** All go well from now on; returns how many have failed since the start. */
unsigned pin_faults_stop(void);
