/* SPDX-License-Identifier: Apache-2.0 */

/* Record sets as lines of text. */

#include "support/recordworld.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/text.h"

#define WORDS_MAX 16

static size_t split(char *line, char separator, char **ret_words, size_t n_max)
{
    size_t n = 0;
    char *rest = line;
    while (rest != NULL && n < n_max) {
        char *word = rest;
        rest = n + 1 == n_max ? NULL : strchr(word, separator); /* the last one is all the rest */
        if (rest != NULL) {
            *rest++ = '\0';
        }
        if (*word != '\0') {
            ret_words[n++] = word;
        }
    }
    return n;
}

/* "@owner:resource:origins" as the registry writes it. */
static const char *ownership(struct pin_arena *arena, char *text)
{
    char *parts[WORDS_MAX] = {0};
    struct pin_text out = {0};
    size_t n = split(text + 1, ':', parts, 3);
    pin_text_putf(&out, "\"heritage=external-dns,external-dns/owner=%s", parts[0]);
    if (n > 2) {
        pin_text_putf(&out, ",external-dns/pintle-origins=%s", parts[2]);
    }
    pin_text_putf(&out, ",external-dns/resource=%s\"", parts[1]);
    const char *value = pin_arena_strdup(arena, out.ptr);
    pin_text_done(&out);
    return value;
}

static void read_values(struct pin_arena *arena, struct pin_recordset *set, char *word)
{
    char *parts[300] = {0};
    size_t n = strcmp(word, "-") == 0 ? 0 : split(word, ',', parts, 300);
    set->values = pin_arena_alloc(arena, n * sizeof(*set->values));
    for (size_t i = 0; i < n; i++) {
        struct pin_why why = {0};
        const char *value = parts[i];
        if (parts[i][0] == '@') {
            value = ownership(arena, parts[i]);
        }
        enum pin_err err = pin_recordset_value(arena, set->type, value, &set->values[i].text, &why);
        if (err != PIN_OK) {
            fail_msg("%s", why.text);
        }
    }
    set->n_values = n;
}

static void read_source(struct pin_arena *arena, struct pin_recordset *set, char **words)
{
    char *parts[WORDS_MAX] = {0};
    assert_int_equal(split(words[2], '/', parts, 3), 3);
    const char **cluster = pin_arena_alloc(arena, sizeof(*cluster));
    *cluster = words[1];
    set->sources = pin_arena_alloc(arena, sizeof(*set->sources));
    set->sources[0] = (struct pin_recordset_source){.cluster = words[1],
        .kind = parts[0],
        .namespace_name = parts[1],
        .name = parts[2],
        .created_s = strtoll(words[3], NULL, 10)};
    set->n_sources = 1;
    for (size_t i = 0; i < set->n_values; i++) {
        set->values[i].clusters = cluster;
        set->values[i].n_clusters = 1;
    }
}

static struct pin_recordset read_line(struct pin_arena *arena, char *line)
{
    static char nothing[1];
    char *words[WORDS_MAX];
    struct pin_recordset set = {.set_id = ""};
    for (size_t i = 0; i < WORDS_MAX; i++) {
        words[i] = nothing;
    }
    size_t n = split(line, ' ', words, WORDS_MAX);
    assert_true(n >= 4);
    size_t at = 2;
    set.name = words[0];
    set.type = words[1];
    if (words[at][0] == '[') {
        words[at][strlen(words[at]) - 1] = '\0';
        set.set_id = words[at++] + 1;
    }
    set.ttl_s = (uint32_t)strtoul(words[at++], NULL, 10);
    read_values(arena, &set, words[at++]);
    set.properties = pin_arena_alloc(arena, WORDS_MAX * sizeof(*set.properties));
    for (; at < n; at++) {
        char *equal = strchr(words[at], '=');
        if (strcmp(words[at], "from") == 0) {
            read_source(arena, &set, words + at);
            at += 3;
        } else if (strcmp(words[at], "holds") == 0) {
            const char **holds = pin_arena_alloc(arena, sizeof(*holds));
            *holds = words[++at];
            set.holds = holds;
            set.n_holds = 1;
        } else {
            assert_non_null(equal);
            *equal = '\0';
            set.properties[set.n_properties++] =
                (struct pin_recordset_property){words[at], equal + 1};
        }
    }
    assert_true(pin_recordset_tidy(&set, arena));
    return set;
}

struct pin_recordset *pin_recordworld_read(
    struct pin_arena *arena, const char *lines, size_t *ret_n)
{
    struct pin_recordset *sets = pin_arena_alloc(arena, RECORDWORLD_SETS_MAX * sizeof(*sets));
    char *rest = pin_arena_strdup(arena, lines);
    size_t n = 0;
    while (rest != NULL) {
        char *line = rest;
        rest = strchr(line, '\n');
        if (rest != NULL) {
            *rest++ = '\0';
        }
        if (*line != '\0') {
            assert_true(n < RECORDWORLD_SETS_MAX);
            sets[n++] = read_line(arena, line);
        }
    }
    *ret_n = n;
    return sets;
}

/* Writes one ownership short, and leaves *text behind it. */
static void put_ownership(struct pin_text *out, const char **text)
{
    static const char *const keys[] = {"owner=", "resource=", "pintle-origins="};
    const char *end = strchr(*text + 1, '"');
    for (size_t i = 0; i < 3; i++) {
        const char *at = strstr(*text, keys[i]);
        if (at != NULL && at < end) {
            at += strlen(keys[i]);
            pin_text_puts(out, i == 0 ? "@" : ":");
            pin_text_putn(out, at, strcspn(at, ",\""));
        }
    }
    *text = end + 1;
}

const char *pin_recordworld_show(struct pin_arena *arena, const struct pin_recordplan *plan)
{
    static const char heritage[] = "\"heritage=external-dns";
    struct pin_text out = {0};
    const char *at = plan->text;
    while (*at != '\0') {
        if (strncmp(at, heritage, sizeof(heritage) - 1) == 0) {
            put_ownership(&out, &at);
        } else {
            pin_text_putc(&out, *at++);
        }
    }
    for (size_t i = 0; i < plan->n_conflicts; i++) {
        const struct pin_recordplan_conflict *conflict = &plan->conflicts[i];
        pin_text_putf(&out, "! %s %s %s %s/%s/%s of %s\n",
            pin_recordplan_conflict_str(conflict->kind), conflict->name, conflict->type,
            conflict->source.kind, conflict->source.namespace_name, conflict->source.name,
            conflict->source.cluster);
    }
    const char *shown = pin_arena_strdup(arena, pin_text_get(&out));
    pin_text_done(&out);
    return shown;
}
