/* SPDX-License-Identifier: Apache-2.0 */

/* The only file that asks the system for the time. */

#include "pintle/base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "pintle/base/macros.h"

/* Longest duration that is read. */
#define YEAR_S ((uint64_t)366 * 86400)

static _Atomic bool is_fake;
static _Atomic int64_t fake_mono_ms;
static _Atomic int64_t fake_wall_ms;

static int64_t read_ns(clockid_t id)
{
    struct timespec now = {0};
    (void)clock_gettime(id, &now); /* cannot fail for these clocks */
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t pin_clock_mono_ns(void)
{
    return atomic_load(&is_fake) ? atomic_load(&fake_mono_ms) * 1000000 : read_ns(CLOCK_MONOTONIC);
}

int64_t pin_clock_mono_ms(void)
{
    return pin_clock_mono_ns() / 1000000;
}

int64_t pin_clock_wall_ms(void)
{
    return atomic_load(&is_fake) ? atomic_load(&fake_wall_ms) : read_ns(CLOCK_REALTIME) / 1000000;
}

int64_t pin_clock_coarse_wall_s(void)
{
    return atomic_load(&is_fake) ? atomic_load(&fake_wall_ms) / 1000
                                 : read_ns(CLOCK_REALTIME_COARSE) / 1000000000;
}

int64_t pin_clock_coarse_mono_ms(void)
{
    return atomic_load(&is_fake) ? atomic_load(&fake_mono_ms)
                                 : read_ns(CLOCK_MONOTONIC_COARSE) / 1000000;
}

int64_t pin_clock_thread_cpu_ns(void)
{
    return read_ns(CLOCK_THREAD_CPUTIME_ID);
}

void pin_clock_set_fake(int64_t mono_ms, int64_t wall_ms)
{
    atomic_store(&fake_mono_ms, mono_ms);
    atomic_store(&fake_wall_ms, wall_ms);
    atomic_store(&is_fake, true);
}

void pin_clock_set_real(void)
{
    atomic_store(&is_fake, false);
}

struct timespec pin_clock_deadline(int64_t timeout_ms)
{
    int64_t at_ns = read_ns(CLOCK_MONOTONIC) + timeout_ms * 1000000;
    return (struct timespec){
        .tv_sec = (time_t)(at_ns / 1000000000), .tv_nsec = (long)(at_ns % 1000000000)};
}

void pin_clock_format(int64_t wall_ms, char out[PIN_CLOCK_TEXT_MAX])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    size_t used = 0;
    if (gmtime_r(&seconds, &tm) != NULL) {
        used = strftime(out, PIN_CLOCK_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
    }
    (void)snprintf(out + used, PIN_CLOCK_TEXT_MAX - used, ".%03dZ", (int)(wall_ms % 1000));
}

/* Reads exactly n digits at *at and moves past them; -1 when there are others. */
static int digits(const char **at, int n)
{
    int value = 0;
    for (int i = 0; i < n; i++) {
        char c = **at;
        if (c < '0' || c > '9') {
            return -1;
        }
        value = value * 10 + (c - '0');
        (*at)++;
    }
    return value;
}

static bool eat(const char **at, char c)
{
    if (**at != c) {
        return false;
    }
    (*at)++;
    return true;
}

/* ".678" -> 678; further digits are dropped. *ret_ms is 0 without a fraction. */
static bool fraction(const char **at, int *ret_ms)
{
    *ret_ms = 0;
    if (!eat(at, '.')) {
        return true;
    }
    int n = 0;
    for (; **at >= '0' && **at <= '9'; (*at)++, n++) {
        if (n < 3) {
            *ret_ms = *ret_ms * 10 + (**at - '0');
        }
    }
    for (int i = n; i < 3; i++) {
        *ret_ms *= 10;
    }
    return n > 0;
}

static bool zone_offset(const char **at, int *ret_seconds)
{
    *ret_seconds = 0;
    if (eat(at, 'Z') || eat(at, 'z')) {
        return true;
    }
    int sign = **at == '-' ? -1 : 1;
    if (!eat(at, '+') && !eat(at, '-')) {
        return false;
    }
    int hours = digits(at, 2);
    int minutes = hours >= 0 && eat(at, ':') ? digits(at, 2) : -1;
    *ret_seconds = sign * (hours * 3600 + minutes * 60);
    return hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60;
}

static bool date_and_time(const char **at, struct tm *tm)
{
    int year = digits(at, 4);
    int month = year >= 0 && eat(at, '-') ? digits(at, 2) : -1;
    int day = month >= 1 && eat(at, '-') ? digits(at, 2) : -1;
    if (day < 1 || month > 12 || day > 31 || !(eat(at, 'T') || eat(at, 't') || eat(at, ' '))) {
        return false;
    }
    int hour = digits(at, 2);
    int minute = hour >= 0 && eat(at, ':') ? digits(at, 2) : -1;
    int second = minute >= 0 && eat(at, ':') ? digits(at, 2) : -1;
    *tm = (struct tm){.tm_year = year - 1900,
        .tm_mon = month - 1,
        .tm_mday = day,
        .tm_hour = hour,
        .tm_min = minute,
        .tm_sec = second};
    return hour < 24 && minute < 60 && second >= 0 && second <= 60;
}

bool pin_clock_parse(const char *text, int64_t *ret_wall_ms)
{
    const char *at = text;
    struct tm tm;
    int ms = 0;
    int offset_s = 0;
    if (!date_and_time(&at, &tm) || !fraction(&at, &ms) || !zone_offset(&at, &offset_s)
        || *at != '\0') {
        return false;
    }
    *ret_wall_ms = ((int64_t)timegm(&tm) - offset_s) * 1000 + ms;
    return true;
}

bool pin_duration_parse(const char *text, uint64_t *ret_ms)
{
    static const struct {
        char letter;
        uint64_t seconds;
    } units[] = {{'\0', 1}, {'s', 1}, {'m', 60}, {'h', 3600}};
    uint64_t n = 0;
    const char *c = text;

    for (; *c >= '0' && *c <= '9'; c++) {
        n = n * 10 + (uint64_t)(*c - '0');
        if (n > YEAR_S) {
            return false;
        }
    }
    if (c == text || (*c != '\0' && c[1] != '\0')) {
        return false;
    }
    for (size_t i = 0; i < N_ELEMS(units); i++) {
        if (units[i].letter == *c && n * units[i].seconds <= YEAR_S) {
            *ret_ms = n * units[i].seconds * 1000;
            return true;
        }
    }
    return false;
}
