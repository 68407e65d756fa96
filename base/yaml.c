/* SPDX-License-Identifier: Apache-2.0 */

/*
 * YAML into trees, event by event; the one door to libyaml.
 *
 * libyaml has no limits of its own: depth, anchors, copied nodes and bytes are counted here, and
 * the arena's cap bounds the rest. Open maps and lists stand on an explicit stack.
 */

#include "pintle/base/yaml.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "pintle/base/arena.h"
#include "pintle/base/macros.h"

/* Maps up to this size are checked for equal keys by comparing all pairs, larger ones by sorting.
 */
#define PAIRWISE_MAX 16U

/* A map or list whose end has not been seen. */
struct level {
    struct pin_tree *node;
    const char *key; /* the key that waits for its value; NULL: the next node is a key */
    uint32_t key_line;
    uint32_t key_col;
    bool is_merge_key;      /* that key is << */
    struct pin_tree *merge; /* the value of <<, not among the children */
};

struct anchor {
    const char *name;
    const struct pin_tree *node;
};

struct build {
    yaml_parser_t parser;
    struct pin_arena *arena;
    struct pin_why *why;
    struct pin_tree *docs;
    struct pin_tree *root; /* of the current document */
    struct level stack[PIN_TREE_DEPTH_MAX];
    size_t depth;
    struct anchor *anchors; /* heap, PIN_YAML_ANCHORS_MAX of them, made at the first use */
    size_t n_anchors;
    size_t n_aliased;
    bool is_done;
};

PIN_PRINTF(5, 6)
static enum pin_err fail(
    const struct build *b, enum pin_err err, uint32_t line, uint32_t col, const char *fmt, ...)
{
    char message[256];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    return pin_why_set(b->why, err, "%u:%u: %s", (unsigned)line, (unsigned)col, message);
}

static uint32_t line_of(yaml_mark_t mark)
{
    return (uint32_t)mark.line + 1;
}

static uint32_t col_of(yaml_mark_t mark)
{
    return (uint32_t)mark.column + 1;
}

static enum pin_err fail_at(
    const struct build *b, enum pin_err err, yaml_mark_t mark, const char *message)
{
    return fail(b, err, line_of(mark), col_of(mark), "%s", message);
}

static enum pin_err fail_full(const struct build *b, yaml_mark_t mark)
{
    return fail(b, PIN_ELIMIT, line_of(mark), col_of(mark), "too large: %s is full after %zu bytes",
        pin_arena_name(b->arena), pin_arena_used(b->arena));
}

/* --- Plain scalars: the core schema (YAML 1.2.2, section 10.3.2) -------------------------------
 */

static bool is_word(const char *text, const char *lower, const char *title, const char *upper)
{
    return strcmp(text, lower) == 0 || strcmp(text, title) == 0 || strcmp(text, upper) == 0;
}

static const char *skip_digits(const char *at)
{
    return at + strspn(at, "0123456789");
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool is_decimal(const char *at, bool *ret_is_whole)
{
    at += *at == '-' || *at == '+';
    const char *after = skip_digits(at);
    size_t n_digits = (size_t)(after - at);
    *ret_is_whole = *after == '\0';
    if (*after == '.') {
        at = after + 1;
        after = skip_digits(at);
        n_digits += (size_t)(after - at);
    }
    if (n_digits == 0) {
        return false;
    }
    if (*after == 'e' || *after == 'E') {
        at = after + 1;
        at += *at == '-' || *at == '+';
        after = skip_digits(at);
        if (after == at) {
            return false;
        }
    }
    return *after == '\0';
}

/* 0x1F and 0o17. */
static bool is_based(const char *text, int *ret_base)
{
    const char *digits = text[0] == '0' && text[1] == 'x'   ? "0123456789abcdefABCDEF"
                         : text[0] == '0' && text[1] == 'o' ? "01234567"
                                                            : NULL;
    if (digits == NULL || text[2] == '\0' || text[2 + strspn(text + 2, digits)] != '\0') {
        return false;
    }
    *ret_base = text[1] == 'x' ? 16 : 8;
    return true;
}

static bool resolve_number(struct pin_tree *node)
{
    const char *text = node->text;
    bool is_whole = false;
    int base = 10;
    bool has_base = is_based(text, &base);
    if (!has_base && !is_decimal(text, &is_whole)) {
        return false;
    }
    if (has_base || is_whole) {
        errno = 0;
        node->integer = strtoll(has_base ? text + 2 : text, NULL, base);
        node->number = (double)node->integer;
        node->kind = PIN_TREE_INT;
        if (errno == 0) {
            return true;
        }
    }
    node->kind = PIN_TREE_FLOAT; /* also whole numbers beyond 64 bits */
    node->number = strtod(text, NULL);
    bool fits = node->number > -9e18 && node->number < 9e18;
    node->integer = fits ? (long long)node->number : 0;
    return true;
}

static bool resolve_special(struct pin_tree *node)
{
    const char *text = node->text;
    const char *unsigned_text = text + (*text == '-' || *text == '+');
    if (is_word(unsigned_text, ".inf", ".Inf", ".INF")) {
        node->number = *text == '-' ? -INFINITY : INFINITY;
    } else if (is_word(text, ".nan", ".NaN", ".NAN")) {
        node->number = NAN;
    } else {
        return false;
    }
    node->kind = PIN_TREE_FLOAT;
    return true;
}

/*
 * yes, no, on and off were booleans in YAML 1.1. They stay strings here: namespaces, zones and
 * labels are called "on" or "no" in real clusters, kubectl quotes such strings in its dumps and
 * never writes a boolean that way, so reading the bare word as a string is right for every dump and
 * does no harm to anybody who meant true, which is an error later, not a silent change of a name.
 */
static void resolve_plain(struct pin_tree *node)
{
    const char *text = node->text;
    switch (text[0]) {
    case '\0':
        node->kind = PIN_TREE_NULL;
        return;
    case '~':
    case 'n':
    case 'N':
        if (strcmp(text, "~") == 0 || is_word(text, "null", "Null", "NULL")) {
            node->kind = PIN_TREE_NULL;
        }
        return;
    case 't':
    case 'T':
    case 'f':
    case 'F':
        node->boolean = is_word(text, "true", "True", "TRUE");
        if (node->boolean || is_word(text, "false", "False", "FALSE")) {
            node->kind = PIN_TREE_BOOL;
        }
        return;
    default:
        if (strchr("+-.0123456789", text[0]) != NULL && !resolve_number(node)) {
            (void)resolve_special(node);
        }
        return;
    }
}

#define TAG_PREFIX "tag:yaml.org,2002:"

/* Whether a scalar is resolved like a plain one. Unknown tags are refused rather than guessed at.
 */
static enum pin_err scalar_rule(
    const struct build *b, const yaml_event_t *event, bool *ret_is_resolved)
{
    const char *tag = (const char *)event->data.scalar.tag;
    *ret_is_resolved = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (tag == NULL) {
        return PIN_OK;
    }
    bool is_string = strcmp(tag, "!") == 0 || strcmp(tag, TAG_PREFIX "str") == 0
                     || strcmp(tag, TAG_PREFIX "binary") == 0
                     || strcmp(tag, TAG_PREFIX "timestamp") == 0;
    bool is_core = strcmp(tag, TAG_PREFIX "int") == 0 || strcmp(tag, TAG_PREFIX "float") == 0
                   || strcmp(tag, TAG_PREFIX "bool") == 0 || strcmp(tag, TAG_PREFIX "null") == 0;
    if (!is_string && !is_core) {
        return fail(b, PIN_EUNSUPPORTED, line_of(event->start_mark), col_of(event->start_mark),
            "tag '%s' is not supported", tag);
    }
    *ret_is_resolved = is_core;
    return PIN_OK;
}

static enum pin_err check_collection_tag(
    const struct build *b, const yaml_char_t *tag_chars, yaml_mark_t mark)
{
    const char *tag = (const char *)tag_chars;
    if (tag == NULL || strcmp(tag, "!") == 0 || strcmp(tag, TAG_PREFIX "map") == 0
        || strcmp(tag, TAG_PREFIX "seq") == 0) {
        return PIN_OK;
    }
    return fail(b, PIN_EUNSUPPORTED, line_of(mark), col_of(mark), "tag '%s' is not supported", tag);
}

/* --- Anchors and aliases
 * -------------------------------------------------------------------------- */

static enum pin_err remember(
    struct build *b, const yaml_char_t *name, const struct pin_tree *node, yaml_mark_t mark)
{
    if (name == NULL) {
        return PIN_OK;
    }
    if (b->anchors == NULL) {
        b->anchors = calloc(PIN_YAML_ANCHORS_MAX, sizeof(*b->anchors));
        if (b->anchors == NULL) {
            return fail_at(b, PIN_ENOMEM, mark, "out of memory");
        }
    }
    if (b->n_anchors == PIN_YAML_ANCHORS_MAX) {
        return fail_at(b, PIN_ELIMIT, mark, "too many anchors in one document");
    }
    const char *copy = pin_arena_strdup(b->arena, (const char *)name);
    if (copy == NULL) {
        return fail_full(b, mark);
    }
    b->anchors[b->n_anchors++] = (struct anchor){.name = copy, .node = node};
    return PIN_OK;
}

/* The last anchor of that name counts (YAML 1.2.2, section 7.1); NULL when there is none. */
static const struct pin_tree *recall(const struct build *b, const char *name)
{
    for (size_t i = b->n_anchors; i > 0; i--) {
        if (strcmp(b->anchors[i - 1].name, name) == 0) {
            return b->anchors[i - 1].node;
        }
    }
    return NULL;
}

static bool is_open(const struct build *b, const struct pin_tree *node)
{
    for (size_t i = 0; i < b->depth; i++) {
        if (b->stack[i].node == node) {
            return true;
        }
    }
    return false;
}

/* What a copy takes of the budget. Texts are shared here, but whoever reads the tree copies them.
 */
static size_t node_cost(const struct pin_tree *node)
{
    size_t key_bytes = node->key == NULL ? 0 : strlen(node->key);
    return 1 + (node->text_bytes + key_bytes) / PIN_YAML_ALIASED_TEXT_BYTES;
}

/* Copies a node with all below it; NULL with the reason in *err. Recursion ends at
 * PIN_TREE_DEPTH_MAX levels. */
static struct pin_tree *copy_tree(
    struct build *b, const struct pin_tree *from, size_t depth, yaml_mark_t mark, enum pin_err *err)
{
    if (depth > PIN_TREE_DEPTH_MAX) {
        *err = fail_at(b, PIN_ELIMIT, mark, "nested too deeply");
        return NULL;
    }
    if (b->n_aliased >= PIN_YAML_ALIASED_MAX) {
        *err = fail_at(b, PIN_ELIMIT, mark, "aliases expand to too many nodes");
        return NULL;
    }
    b->n_aliased += node_cost(from);
    struct pin_tree *copy = pin_arena_memdup(b->arena, from, sizeof(*from));
    if (copy == NULL) {
        *err = fail_full(b, mark);
        return NULL;
    }
    copy->first = NULL;
    copy->last = NULL;
    copy->next = NULL;
    copy->n_children = 0;
    PIN_TREE_EACH(child, from)
    {
        struct pin_tree *child_copy = copy_tree(b, child, depth + 1, mark, err);
        if (child_copy == NULL) {
            return NULL;
        }
        pin_tree_append(copy, child_copy);
    }
    return copy;
}

/* --- Maps: keys, merge keys, equal keys ----------------------------------------------------------
 */

/* One entry of a map while it is checked. */
struct entry {
    struct pin_tree *node;
    uint32_t order;
    bool is_merged; /* came through <<: an entry of the map itself hides it */
};

static int entry_cmp(const void *a_void, const void *b_void)
{
    const struct entry *a = a_void;
    const struct entry *b = b_void;
    int order = strcmp(a->node->key, b->node->key);
    return order != 0 ? order : a->order < b->order ? -1 : a->order > b->order;
}

static int entry_cmp_order(const void *a_void, const void *b_void)
{
    const struct entry *a = a_void;
    const struct entry *b = b_void;
    return a->order < b->order ? -1 : a->order > b->order;
}

static enum pin_err fail_duplicate(const struct build *b, const struct pin_tree *node)
{
    return fail(
        b, PIN_EPARSE, node->key_line, node->key_col, "key '%.100s' is given twice", node->key);
}

static enum pin_err check_pairwise(const struct build *b, const struct pin_tree *map)
{
    PIN_TREE_EACH(node, map)
    {
        PIN_TREE_EACH(before, map)
        {
            if (before == node) {
                break;
            }
            if (strcmp(before->key, node->key) == 0) {
                return fail_duplicate(b, node);
            }
        }
    }
    return PIN_OK;
}

/* Keeps the first of each group of equal keys; two of the map's own are an error. Returns the rest.
 */
static enum pin_err unique_entries(
    const struct build *b, struct entry *entries, size_t n, size_t *ret_n)
{
    size_t n_kept = 0;
    qsort(entries, n, sizeof(*entries), entry_cmp);
    for (size_t i = 0; i < n; i++) {
        bool is_repeat =
            n_kept > 0 && strcmp(entries[n_kept - 1].node->key, entries[i].node->key) == 0;
        if (is_repeat && !entries[i].is_merged) {
            return fail_duplicate(b, entries[i].node);
        }
        if (!is_repeat) {
            entries[n_kept++] = entries[i];
        }
    }
    qsort(entries, n_kept, sizeof(*entries), entry_cmp_order);
    *ret_n = n_kept;
    return PIN_OK;
}

static size_t gather(struct entry *entries, size_t n, const struct pin_tree *map, bool is_merged)
{
    for (struct pin_tree *node = map->first; node != NULL; node = node->next) {
        entries[n] = (struct entry){.node = node, .order = (uint32_t)n, .is_merged = is_merged};
        n++;
    }
    return n;
}

/* A merged node stays in its own map too, which an anchor may name: a copy of it moves. */
static enum pin_err append_entry(struct build *b, struct pin_tree *map, const struct entry *entry)
{
    struct pin_tree *node = entry->node;
    if (entry->is_merged) {
        node = pin_arena_memdup(b->arena, node, sizeof(*node));
        if (node == NULL) {
            return fail(b, PIN_ELIMIT, map->line, map->col, "%s is full", pin_arena_name(b->arena));
        }
    }
    pin_tree_append(map, node);
    return PIN_OK;
}

/* Checks keys by sorting and takes in what << brought, which is a map or a list of maps. */
static enum pin_err rebuild_map(struct build *b, struct pin_tree *map, const struct pin_tree *merge)
{
    size_t n_max = map->n_children;
    if (merge != NULL && merge->kind == PIN_TREE_MAP) {
        n_max += merge->n_children;
    } else {
        PIN_TREE_EACH(part, merge)
        {
            n_max += part->n_children;
        }
    }
    struct entry *entries = calloc(n_max + 1, sizeof(*entries));
    if (entries == NULL) {
        return fail(b, PIN_ENOMEM, map->line, map->col, "out of memory");
    }
    size_t n = gather(entries, 0, map, false);
    if (merge != NULL && merge->kind == PIN_TREE_MAP) {
        n = gather(entries, n, merge, true);
    } else {
        PIN_TREE_EACH(part, merge)
        {
            n = gather(entries, n, part, true);
        }
    }
    enum pin_err err = unique_entries(b, entries, n, &n);
    if (err == PIN_OK) {
        map->first = NULL;
        map->last = NULL;
        map->n_children = 0;
        for (size_t i = 0; i < n && err == PIN_OK; i++) {
            err = append_entry(b, map, &entries[i]);
        }
    }
    free(entries);
    return err;
}

static enum pin_err check_merge(const struct build *b, const struct pin_tree *merge)
{
    bool is_ok = merge->kind == PIN_TREE_MAP || merge->kind == PIN_TREE_LIST;
    if (merge->kind == PIN_TREE_LIST) {
        PIN_TREE_EACH(part, merge)
        {
            is_ok = is_ok && part->kind == PIN_TREE_MAP;
        }
    }
    return is_ok ? PIN_OK
                 : fail(b, PIN_EPARSE, merge->line, merge->col,
                     "the merge key << takes a map or a list of maps");
}

static enum pin_err finish_map(struct build *b, const struct level *level)
{
    if (level->merge != NULL) {
        enum pin_err err = check_merge(b, level->merge);
        return err != PIN_OK ? err : rebuild_map(b, level->node, level->merge);
    }
    return level->node->n_children <= PAIRWISE_MAX ? check_pairwise(b, level->node)
                                                   : rebuild_map(b, level->node, NULL);
}

/* --- Events
 * --------------------------------------------------------------------------------------- */

static bool wants_key(const struct build *b)
{
    const struct level *top = b->depth == 0 ? NULL : &b->stack[b->depth - 1];
    return top != NULL && top->node->kind == PIN_TREE_MAP && top->key == NULL;
}

static enum pin_err take_key(
    struct build *b, const char *key, bool is_plain, uint32_t line, uint32_t col)
{
    struct level *top = &b->stack[b->depth - 1];
    top->key = key;
    top->key_line = line;
    top->key_col = col;
    top->is_merge_key = is_plain && strcmp(key, "<<") == 0;
    if (top->is_merge_key && top->merge != NULL) {
        return fail(b, PIN_EPARSE, line, col, "the merge key << is given twice; use a list");
    }
    return PIN_OK;
}

/* Puts a finished or just opened node where the document is at. */
static enum pin_err place(struct build *b, struct pin_tree *node)
{
    if (b->depth == 0) {
        b->root = node;
        return PIN_OK;
    }
    struct level *top = &b->stack[b->depth - 1];
    if (top->node->kind == PIN_TREE_LIST) {
        node->key = NULL;
        pin_tree_append(top->node, node);
        return PIN_OK;
    }
    if (top->key == NULL) { /* an alias or a collection as a key */
        return node->kind == PIN_TREE_LIST || node->kind == PIN_TREE_MAP
                   ? fail(b, PIN_EUNSUPPORTED, node->line, node->col, "a key must be a scalar")
                   : take_key(b, node->text, false, node->line, node->col);
    }
    node->key = top->key;
    node->key_line = top->key_line;
    node->key_col = top->key_col;
    top->key = NULL;
    if (top->is_merge_key) {
        top->merge = node;
    } else {
        pin_tree_append(top->node, node);
    }
    return PIN_OK;
}

static enum pin_err on_scalar(struct build *b, const yaml_event_t *event)
{
    yaml_mark_t mark = event->start_mark;
    const char *value = (const char *)event->data.scalar.value;
    size_t bytes = event->data.scalar.length;
    bool is_resolved = false;
    enum pin_err err = scalar_rule(b, event, &is_resolved);
    if (err != PIN_OK) {
        return err;
    }
    if (memchr(value, '\0', bytes) != NULL) {
        return fail_at(b, PIN_EUNSUPPORTED, mark, "a NUL character is not supported");
    }
    const char *text = pin_arena_strndup(b->arena, value, bytes);
    if (text == NULL) {
        return fail_full(b, mark);
    }
    if (wants_key(b) && event->data.scalar.anchor == NULL) {
        return take_key(b, text, event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE, line_of(mark),
            col_of(mark));
    }
    struct pin_tree *node = pin_tree_new(b->arena, PIN_TREE_STRING);
    if (node == NULL) {
        return fail_full(b, mark);
    }
    node->line = line_of(mark);
    node->col = col_of(mark);
    node->text = text;
    node->text_bytes = bytes;
    if (is_resolved) {
        resolve_plain(node);
    }
    err = remember(b, event->data.scalar.anchor, node, mark);
    return err != PIN_OK ? err : place(b, node);
}

static enum pin_err on_open(struct build *b, enum pin_tree_kind kind, const yaml_char_t *tag,
    const yaml_char_t *anchor, yaml_mark_t mark)
{
    enum pin_err err = check_collection_tag(b, tag, mark);
    if (err != PIN_OK) {
        return err;
    }
    if (b->depth == PIN_TREE_DEPTH_MAX) {
        return fail_at(b, PIN_ELIMIT, mark, "nested too deeply");
    }
    struct pin_tree *node = pin_tree_new(b->arena, kind);
    if (node == NULL) {
        return fail_full(b, mark);
    }
    node->line = line_of(mark);
    node->col = col_of(mark);
    err = remember(b, anchor, node, mark);
    if (err == PIN_OK) {
        err = place(b, node);
    }
    if (err == PIN_OK) {
        b->stack[b->depth++] = (struct level){.node = node};
    }
    return err;
}

static enum pin_err on_alias(struct build *b, const yaml_event_t *event)
{
    yaml_mark_t mark = event->start_mark;
    const char *name = (const char *)event->data.alias.anchor;
    const struct pin_tree *node = recall(b, name);
    if (node == NULL) {
        return fail(
            b, PIN_EPARSE, line_of(mark), col_of(mark), "alias '*%.100s' has no anchor", name);
    }
    if (is_open(b, node)) {
        return fail(b, PIN_EPARSE, line_of(mark), col_of(mark),
            "alias '*%.100s' stands inside its own anchor", name);
    }
    enum pin_err err = PIN_OK;
    struct pin_tree *copy = copy_tree(b, node, b->depth, mark, &err);
    return copy == NULL ? err : place(b, copy);
}

static enum pin_err on_close(struct build *b)
{
    const struct level *level = &b->stack[--b->depth];
    return level->node->kind == PIN_TREE_MAP ? finish_map(b, level) : PIN_OK;
}

static enum pin_err on_event(struct build *b, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        b->n_anchors = 0;
        b->root = NULL;
        return PIN_OK;
    case YAML_DOCUMENT_END_EVENT:
        if (b->root != NULL && b->root->kind != PIN_TREE_NULL) {
            pin_tree_append(b->docs, b->root);
        }
        return PIN_OK;
    case YAML_SCALAR_EVENT:
        return on_scalar(b, event);
    case YAML_SEQUENCE_START_EVENT:
        return on_open(b, PIN_TREE_LIST, event->data.sequence_start.tag,
            event->data.sequence_start.anchor, event->start_mark);
    case YAML_MAPPING_START_EVENT:
        return on_open(b, PIN_TREE_MAP, event->data.mapping_start.tag,
            event->data.mapping_start.anchor, event->start_mark);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return on_close(b);
    case YAML_ALIAS_EVENT:
        return on_alias(b, event);
    default:
        b->is_done = event->type == YAML_STREAM_END_EVENT;
        return PIN_OK;
    }
}

/* libyaml knows only the byte offset of what it could not even read as characters. */
static enum pin_err fail_reader(const struct build *b, const char *text, size_t bytes)
{
    size_t offset = PIN_MIN(b->parser.problem_offset, bytes);
    uint32_t line = 1;
    size_t line_start = 0;
    for (size_t i = 0; i < offset; i++) {
        if (text[i] == '\n') {
            line++;
            line_start = i + 1;
        }
    }
    return fail(b, PIN_EPARSE, line, (uint32_t)(offset - line_start) + 1, "%s",
        b->parser.problem == NULL ? "malformed characters" : b->parser.problem);
}

/* Whether the mark is at a tab with nothing but white space before it in its line. */
static bool is_indented_by_tab(const char *text, size_t bytes, yaml_mark_t mark)
{
    const char *line = text;
    const char *end = text + bytes;
    for (size_t i = 0; i < mark.line && line != NULL; i++) {
        line = memchr(line, '\n', (size_t)(end - line));
        line = line != NULL ? line + 1 : NULL;
    }
    for (size_t i = 0; line != NULL && line + i < end && (line[i] == ' ' || line[i] == '\t'); i++) {
        if (i == mark.column) {
            return line[i] == '\t';
        }
    }
    return false;
}

static enum pin_err fail_parser(const struct build *b, const char *text, size_t bytes)
{
    const yaml_parser_t *parser = &b->parser;
    yaml_mark_t mark = parser->problem_mark;
    if (parser->error == YAML_MEMORY_ERROR) {
        return pin_why_set(b->why, PIN_ENOMEM, "out of memory");
    }
    if (parser->error == YAML_READER_ERROR) {
        return fail_reader(b, text, bytes);
    }
    const char *problem = parser->problem == NULL ? "malformed YAML" : parser->problem;
    if (is_indented_by_tab(text, bytes, mark)) {
        problem = "a tab, where YAML takes spaces alone";
    }
    if (parser->context == NULL) {
        return fail_at(b, PIN_EPARSE, mark, problem);
    }
    return fail(b, PIN_EPARSE, line_of(mark), col_of(mark), "%s (%s, line %u)", problem,
        parser->context, (unsigned)line_of(parser->context_mark));
}

enum pin_err pin_yaml_parse(const char *text, size_t bytes, struct pin_arena *arena,
    struct pin_tree **ret_docs, struct pin_why *why)
{
    enum pin_err err = PIN_OK;
    if (bytes > PIN_YAML_BYTES_MAX) {
        return pin_why_set(why, PIN_ELIMIT, "1:1: more than %zu bytes of YAML", PIN_YAML_BYTES_MAX);
    }
    struct build *b = calloc(1, sizeof(*b));
    if (b == NULL || yaml_parser_initialize(&b->parser) == 0) {
        free(b);
        return pin_why_set(why, PIN_ENOMEM, "out of memory");
    }
    b->arena = arena;
    b->why = why;
    b->docs = pin_tree_new(arena, PIN_TREE_LIST);
    if (b->docs == NULL) {
        err = pin_why_set(why, PIN_ELIMIT, "1:1: %s is full", pin_arena_name(arena));
    }
    yaml_parser_set_input_string(&b->parser, (const unsigned char *)text, bytes);
    while (err == PIN_OK && !b->is_done) {
        yaml_event_t event;
        if (yaml_parser_parse(&b->parser, &event) == 0) {
            err = fail_parser(b, text, bytes);
            break;
        }
        err = on_event(b, &event);
        yaml_event_delete(&event);
    }
    if (err == PIN_OK) {
        *ret_docs = b->docs;
    }
    yaml_parser_delete(&b->parser);
    free(b->anchors);
    free(b);
    return err;
}
