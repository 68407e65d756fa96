/* SPDX-License-Identifier: Apache-2.0 */

/* Cuts scenario files into lines and blocks. */

#include "support/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/file.h"

#define FILE_MAX_BYTES ((size_t)4 << 20)

static size_t count_lines(const char *text)
{
    size_t n = 1;
    for (; *text != '\0'; text++) {
        n += *text == '\n';
    }
    return n;
}

/* Takes one line in, unless it says nothing. Comments inside YAML are YAML's. */
static void take_line(struct pin_script *script, char *text, size_t bytes, unsigned number)
{
    struct pin_script_line line = {
        .raw = script->raw + (text - script->text), .raw_bytes = bytes, .number = number};
    while (bytes > 0 && (text[bytes - 1] == ' ' || text[bytes - 1] == '\t')) {
        text[--bytes] = '\0';
    }
    line.indent = strspn(text, " ");
    line.text = text + line.indent;
    if (line.text[0] != '\0' && line.text[0] != '#') {
        script->lines[script->n_lines++] = line;
    }
}

static void cut_lines(struct pin_script *script)
{
    unsigned number = 1;
    char *at = script->text;
    while (*at != '\0') {
        size_t bytes = strcspn(at, "\n");
        bool is_last = at[bytes] == '\0';
        at[bytes] = '\0';
        take_line(script, at, bytes, number++);
        at += bytes + !is_last;
    }
}

static bool starts_with(const struct pin_script_line *line, const char *word)
{
    return line->text != NULL && line->indent == 0 && strncmp(line->text, word, strlen(word)) == 0;
}

/* "case TITLE" and "fixture TITLE" open a block that goes on to the next one. */
static enum pin_err cut_blocks(struct pin_script *script, struct pin_why *why)
{
    for (size_t i = 0; i < script->n_lines; i++) {
        const struct pin_script_line *line = &script->lines[i];
        bool is_case = starts_with(line, "case ");
        if (is_case || starts_with(line, "fixture ")) {
            script->blocks[script->n_blocks++] = (struct pin_script_block){
                .is_case = is_case,
                .title = line->text + (is_case ? 5 : 8),
                .number = line->number,
                .first = i + 1,
                .end = i + 1,
            };
        } else if (script->n_blocks == 0) {
            return pin_why_set(why, PIN_EPARSE,
                "%s:%u: expected \"case TITLE\" or \"fixture NAME\"", script->name, line->number);
        } else {
            script->blocks[script->n_blocks - 1].end = i + 1;
        }
    }
    return PIN_OK;
}

enum pin_err pin_script_read(
    const char *path, const char *name, struct pin_script *ret_script, struct pin_why *why)
{
    struct pin_script script = {0};
    (void)snprintf(script.name, sizeof(script.name), "%s", name);
    enum pin_err err = pin_file_read(path, FILE_MAX_BYTES, &script.text, NULL, why);
    if (err != PIN_OK) {
        return err;
    }
    size_t n_lines = count_lines(script.text);
    script.raw = strdup(script.text);
    script.lines = calloc(n_lines, sizeof(*script.lines));
    script.blocks = calloc(n_lines, sizeof(*script.blocks));
    if (script.raw == NULL || script.lines == NULL || script.blocks == NULL) {
        pin_script_done(&script);
        return pin_why_set(why, PIN_ENOMEM, "%s", name);
    }
    cut_lines(&script);
    err = cut_blocks(&script, why);
    if (err != PIN_OK) {
        pin_script_done(&script);
        return err;
    }
    *ret_script = script;
    return PIN_OK;
}

void pin_script_done(struct pin_script *script)
{
    free(script->text);
    free(script->raw);
    free(script->lines);
    free(script->blocks);
    *script = (struct pin_script){0};
}

const struct pin_script_block *pin_script_fixture(
    const struct pin_script *script, const char *title)
{
    for (size_t i = 0; i < script->n_blocks; i++) {
        if (!script->blocks[i].is_case && strcmp(script->blocks[i].title, title) == 0) {
            return &script->blocks[i];
        }
    }
    return NULL;
}

size_t pin_script_words(char *text, char *words[SCRIPT_WORDS_MAX])
{
    size_t n = 0;
    while (n < SCRIPT_WORDS_MAX) {
        text += strspn(text, " ");
        if (*text == '\0') {
            break;
        }
        words[n++] = text;
        text += strcspn(text, " ");
        if (*text == '\0') {
            break;
        }
        *text++ = '\0';
    }
    return n;
}
