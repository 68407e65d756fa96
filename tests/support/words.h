/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/** @file Words of scenarios for the values of settings; one that is none gives the unset value. */

#include "pintle/zones/settings.h"

enum pin_address_mode pin_word_address(const char *text);
enum pin_answers_mode pin_word_answers(const char *text);
enum pin_stale pin_word_stale(const char *text);
enum pin_all_down pin_word_all_down(const char *text);
