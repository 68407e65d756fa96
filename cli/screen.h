/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Screen: what a terminal is told besides the data. One thread.
 */

#include <stdbool.h>

#include "pintle/base/macros.h"

/** Says on standard error what is being done, over what was said before. Nothing where that is no
 * terminal, or one that cannot be drawn over (TERM). */
void pin_screen_tell(const char *fmt, ...) PIN_PRINTF(1, 2);

/** Takes away what was told. */
void pin_screen_clear(void);

/** Whether texts may hold more than ASCII: LC_ALL, LC_CTYPE or LANG says UTF-8. */
bool pin_screen_is_utf8(void);
