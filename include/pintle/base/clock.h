/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Clock: the only file that asks the system for the time. Tests may replace it.
 *
 * Any thread; the monotonic clocks cost a vDSO call, about 20 ns.
 */

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/** Longest output of pin_clock_format(), with its NUL. */
#define PIN_CLOCK_TEXT_MAX 32

/** Milliseconds since some fixed point; never goes back. */
int64_t pin_clock_mono_ms(void);

/** Nanoseconds since the same point. */
int64_t pin_clock_mono_ns(void);

/** Milliseconds since 1970-01-01T00:00:00Z. Can jump. */
int64_t pin_clock_wall_ms(void);

/**
 * Seconds since 1970-01-01T00:00:00Z as of the last tick of the kernel, some milliseconds ago at
 * most. About 5 ns.
 */
int64_t pin_clock_coarse_wall_s(void);

/** Milliseconds since the point of pin_clock_mono_ms(), in the same way. About 5 ns. */
int64_t pin_clock_coarse_mono_ms(void);

/** CPU time (user + system) of the calling thread in nanoseconds. Never faked. */
int64_t pin_clock_thread_cpu_ns(void);

/**
 * Stops all clocks at the given values until called again; pin_clock_set_real() lets them run.
 * For tests; not while other threads read times that must agree.
 */
void pin_clock_set_fake(int64_t mono_ms, int64_t wall_ms);
void pin_clock_set_real(void);

/** The real CLOCK_MONOTONIC time `timeout_ms` from now, for condition variables. Never faked. */
struct timespec pin_clock_deadline(int64_t timeout_ms);

/** Writes e.g. 2026-11-21T03:04:05.678Z. */
void pin_clock_format(int64_t wall_ms, char out[PIN_CLOCK_TEXT_MAX]);

/**
 * Reads RFC 3339 as Kubernetes writes it: 2026-11-21T03:04:05[.fraction](Z|+hh:mm|-hh:mm).
 * Returns false for anything else.
 */
bool pin_clock_parse(const char *text, int64_t *ret_wall_ms);

/**
 * Reads a duration as configuration and flags write it: whole seconds, or a number with s, m or h.
 * Returns false for anything else and for more than a year (366 days).
 */
bool pin_duration_parse(const char *text, uint64_t *ret_ms);
