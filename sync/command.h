/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Command: a program that runs beside the loop, with a limit in time and for what it says.
 *
 * The program leads a process group of its own, which is killed as a whole when the program ends,
 * takes too long or says too much. It inherits no descriptor, no signal mask and no ignored
 * signal, and reads /dev/null. It is watched through its pidfd, so nobody else's children are
 * waited for. Nothing here blocks, repeats or logs. Threads: the loop's.
 */

#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"

struct pin_command;
struct pin_commands;
struct pin_loop;

/** How a command ended. */
enum pin_command_end {
    PIN_COMMAND_EXITED,   /**< By itself; `code` is its exit code. */
    PIN_COMMAND_SIGNALED, /**< By a signal, `code`. */
    PIN_COMMAND_LATE,     /**< It was killed because its time was over. */
    PIN_COMMAND_FLOODED,  /**< It was killed because it wrote more than the limit, or more than a
                             MiB of errors. */
};

/** The end of a command. Texts are valid during the call and wiped after it. */
struct pin_command_result {
    enum pin_command_end end;
    int code;
    const char *out; /**< Standard output, with a NUL behind it; "" when it was not asked for. */
    size_t out_bytes;
    const char *err; /**< Standard error, its first PIN_COMMAND_ERROR_BYTES. */
    size_t err_bytes;
};

/** What is kept of standard error. */
#define PIN_COMMAND_ERROR_BYTES 4096u

/** What to run. Arguments and environment need to live during pin_command_start() only. */
struct pin_command_spec {
    char *const *argv; /**< Ends with NULL; a first one without '/' is looked up in our $PATH. */
    char *const *env;  /**< "NAME=value", ends with NULL. */
    int64_t timeout_ms;
    size_t output_bytes_max; /**< Of standard output; 0: both outputs go nowhere. */
    /** Called once, later, unless cancelled; the command is gone afterwards. */
    void (*done)(void *arg, const struct pin_command_result *result);
    void *arg;
};

/**
 * Makes the place where programs run.
 *
 * @param n_max  Programs at a time.
 * @return NULL when memory is out.
 */
struct pin_commands *pin_commands_new(struct pin_loop *loop, unsigned n_max);

/** Kills what runs, without `done`, and frees it. NULL is fine. */
void pin_commands_free(struct pin_commands *commands);

/**
 * Starts a program.
 *
 * @param ret_command  Valid until `done` or pin_command_cancel().
 * @return PIN_OK; PIN_EBUSY when as many run as may; PIN_ENOTFOUND, PIN_EDENIED and others when
 *         the program cannot be started, as `why` tells; PIN_ENOMEM.
 */
enum pin_err pin_command_start(struct pin_commands *commands, const struct pin_command_spec *spec,
    struct pin_command **ret_command, struct pin_why *why);

/** Kills it; `done` will not be called. NULL is fine. */
void pin_command_cancel(struct pin_command *command);
