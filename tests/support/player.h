/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Player: plays one case of a scenario file on a stage and collects what was not as wanted.
 */

#include <stdbool.h>

#include "pintle/base/text.h"

#include "support/script.h"
#include "support/shorthand.h"
#include "support/stage.h"

/** The question asked last, for `ask again`. */
struct pin_question {
    char text[600];  /**< As written, for messages. */
    char name[1024]; /**< Letters as written. */
    uint16_t type;
    bool has_edns;
    uint16_t edns_bytes;
    uint8_t options[128]; /**< EDNS options: client subnet, namespace. */
    size_t options_bytes;
    size_t ecs_bytes; /**< Of the client subnet's data, which stands at options + 4; 0: none. */
    enum pin_transport transport;
    struct pin_stage_asker asker;
};

/** One case being played. */
struct pin_player {
    const struct pin_script *script;
    struct pin_stage stage;
    struct pin_shorthand shorthand;
    struct pin_question question;
    struct pin_arena *texts;  /**< Words of lines that settings point at. */
    struct pin_text failures; /**< "FILE:LINE: ..." lines. */
    unsigned n_failures;
    unsigned n_questions;
    unsigned n_names; /**< Names changed by publications since the last `changes`. */
    bool starts_unseen;
    bool is_broken; /**< A line could not be understood: the rest is not played. */
};

/** Plays a case from an empty stage, with heirs or without. False with `failures` filled when
 * something was not right. */
bool pin_player_play(struct pin_player *player, const struct pin_script *script,
    const struct pin_script_block *block, bool has_heirs);

/** Gives back what play took. */
void pin_player_done(struct pin_player *player);

/** Notes a failure of a line. */
void pin_player_fail(struct pin_player *player, const struct pin_script_line *line, const char *fmt,
    ...) PIN_PRINTF(3, 4);

/** Notes a line that cannot be understood and ends the case. */
void pin_player_break(struct pin_player *player, const struct pin_script_line *line,
    const char *fmt, ...) PIN_PRINTF(3, 4);

/**
 * Asks the question of the player and compares its answer with what the lines want.
 *
 * @param wants  Indented lines below the question.
 */
void pin_player_ask(struct pin_player *player, const struct pin_script_line *line,
    const struct pin_script_line *wants, size_t n_wants);

/** What is to be explained to whom. */
struct pin_tell {
    struct pin_stage_asker asker;
    const char *name;
    const char *namespace_name; /**< NULL: not said. */
    uint16_t type;
};

/** Compares what explain says with the lines: each is a part of it, or, behind "not ", none. */
void pin_player_tell(struct pin_player *player, const struct pin_tell *tell,
    const struct pin_script_line *line, const struct pin_script_line *lines, size_t n_lines);

/** The number of a record type's name, 0 when unknown. */
uint16_t pin_player_type(const char *text);
