/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Acts: what happens to a stage beside objects - lookups of gateways, orders of operators.
 */

#include "support/player.h"

/** Reads an address, a host name, gateway:CLUSTER/NS/NAME or service:CLUSTER/NS/NAME. */
bool pin_act_read_gateway(char *text, struct pin_gateway *gateway);

/** lookup HOST ADDRESS...|failed */
void pin_act_lookup(struct pin_player *player, const struct pin_script_line *line,
    char *const *words, size_t n_words);

/** drain|undrain WHAT NAME [for N s] [refused] */
void pin_act_drain(struct pin_player *player, const struct pin_script_line *line,
    char *const *words, size_t n_words);
