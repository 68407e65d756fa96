/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Plain text in manual pages (man(7)).
 */

#include "pintle/base/text.h"

/**
 * Appends `plain` so that it shows as it is written: nothing in it is a request or an escape.
 * What stands between backquotes is bold.
 */
void pin_man_put(struct pin_text *text, const char *plain);
