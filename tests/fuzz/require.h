/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * What must hold, in fuzz targets.
 */

#include <stdbool.h>
#include <stdlib.h>

/** A check that holds in every build. */
static inline void require(bool holds)
{
    if (!holds) {
        abort();
    }
}
