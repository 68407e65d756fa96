/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/** @file Settings of `compat`, by the words of a scenario. */

#include <stdbool.h>

#include "pintle/zones/settings.h"

/** Sets one of them away from its default; false when there is no such word. Texts are borrowed. */
bool pin_compat_set(struct pin_settings *settings, const char *key, const char *word);
