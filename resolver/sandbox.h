/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Sandbox: what `user` and `sandbox` of the configuration ask the process to give up, and what
 * files it goes on needing: those that the configuration names now, and what may come in their
 * place later.
 */

#include <stdbool.h>

#include "pintle/base/error.h"
#include "pintle/base/text.h"

#include "resolver/config.h"

/** What is on. */
struct pin_sandbox {
    struct pin_text text; /**< One line: "seccomp on, landlock ABI 3, no_new_privs, no dumps". */
};

/**
 * Gives it up, for good. Loud. Control's thread, before any other is started and after the
 * configuration and the files that it names have been read once.
 *
 * @param runs_programs  Exec plugins will be run, as far as one can know.
 * @param is_service     Nobody who started it by hand wants to look into it.
 * @param ret_sandbox  Zeroed; the text is the caller's, also after an error.
 * @return PIN_EUNSUPPORTED and others when something that has to be on cannot be had.
 */
enum pin_err pin_sandbox_start(const struct pin_config *config, bool runs_programs, bool is_service,
    struct pin_sandbox *ret_sandbox, struct pin_why *why);
