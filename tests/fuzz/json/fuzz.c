/* SPDX-License-Identifier: Apache-2.0 */

/* Any text: JSON parses within its limits or explains itself, the tree hangs together, and cJSON,
 * which forgives more, reads the same in it. */

#include <cjson/cJSON.h>

#include "pintle/base/json.h"

#include "fuzz/tree.h"

/* cJSON reads no number beyond. */
#define NUMBER_BYTES_MAX 60

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void require(bool is_ok)
{
    if (!is_ok) {
        abort();
    }
}

static void check_scalar(const struct pin_tree *node, const cJSON *other)
{
    switch (node->kind) {
    case PIN_TREE_STRING:
        require(cJSON_IsString(other) && strcmp(node->text, other->valuestring) == 0);
        break;
    case PIN_TREE_INT:
    case PIN_TREE_FLOAT:
        require(cJSON_IsNumber(other) && !(node->number < other->valuedouble)
                && !(node->number > other->valuedouble));
        break;
    case PIN_TREE_BOOL:
        require(cJSON_IsBool(other) && node->boolean == cJSON_IsTrue(other));
        break;
    case PIN_TREE_NULL:
        require(cJSON_IsNull(other));
        break;
    default:
        break;
    }
}

static void check_same(const struct pin_tree *node, const cJSON *other)
{
    require((node->kind == PIN_TREE_MAP) == cJSON_IsObject(other));
    require((node->kind == PIN_TREE_LIST) == cJSON_IsArray(other));
    check_scalar(node, other);
    const cJSON *member = other->child;
    PIN_TREE_EACH(child, node)
    {
        if (member == NULL) {
            abort();
        }
        require(child->key == NULL || strcmp(child->key, member->string) == 0);
        check_same(child, member);
        member = member->next;
    }
    require(member == NULL);
}

/* Whether some number is longer than cJSON reads, or than a double tells apart. */
static bool has_long_number(const uint8_t *data, size_t bytes)
{
    size_t run = 0;
    for (size_t i = 0; i < bytes && run <= NUMBER_BYTES_MAX; i++) {
        run = data[i] != '\0' && strchr("+-.0123456789eE", data[i]) != NULL ? run + 1 : 0;
    }
    return run > NUMBER_BYTES_MAX;
}

static void compare(const uint8_t *data, size_t bytes)
{
    struct pin_tree *tree = NULL;
    struct pin_arena *arena = pin_arena_new("fuzz", (size_t)16 << 20);
    char *text = malloc(bytes + 1); /* cJSON 1.7.15 reads one byte too many */
    if (arena != NULL && text != NULL && !has_long_number(data, bytes)) {
        memcpy(text, data, bytes);
        text[bytes] = '\0';
        if (pin_json_parse(text, bytes, arena, &tree, NULL) == PIN_OK) {
            cJSON *other = cJSON_ParseWithLength(text, bytes + 1);
            require(other != NULL);
            check_same(tree, other);
            cJSON_Delete(other);
        }
    }
    free(text);
    pin_arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    pin_fuzz_tree(pin_json_parse, data, bytes, false);
    if (bytes > 0) {
        compare(data, bytes);
    }
    return 0;
}
