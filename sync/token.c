/* SPDX-License-Identifier: Apache-2.0 */

/* Bearer tokens: the claims of a JSON Web Token. */

#include "token.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/crypto.h"
#include "pintle/base/json.h"
#include "pintle/base/tree.h"

/* Claims that are longer are not read; an API server's have some 700 bytes. */
#define CLAIMS_MAX_BYTES ((size_t)16 << 10)
#define ARENA_BYTES      ((size_t)256 << 10)
/* The end of the year 9999, in seconds. */
#define END_MAX_S INT64_C(253402300799)

/* The bytes of the part between the two dots; NULL, and none, when there is no such part. */
static const char *find_claims(const char *token, size_t *ret_bytes)
{
    const char *first = strchr(token, '.');
    const char *second = first != NULL ? strchr(first + 1, '.') : NULL;
    *ret_bytes = second != NULL ? (size_t)(second - first - 1) : 0;
    return second != NULL ? first + 1 : NULL;
}

static int64_t read_end(const uint8_t *json, size_t bytes)
{
    struct pin_arena *arena = pin_arena_new("token", ARENA_BYTES);
    struct pin_tree *tree = NULL;
    int64_t end_s = 0;
    if (arena != NULL && pin_json_parse((const char *)json, bytes, arena, &tree, NULL) == PIN_OK) {
        end_s = pin_tree_int(tree, "exp", 0);
    }
    pin_arena_free(arena);
    return end_s > 0 && end_s <= END_MAX_S ? end_s * 1000 : 0;
}

int64_t pin_token_end(const char *token)
{
    char text[CLAIMS_MAX_BYTES];
    uint8_t *json = NULL;
    size_t bytes = 0;
    size_t json_bytes = 0;
    int64_t end_ms = 0;
    const char *claims = find_claims(token, &bytes);
    if (claims == NULL || bytes > sizeof(text)) {
        return 0;
    }
    for (size_t i = 0; i < bytes; i++) { /* base64url is base64 with two other letters */
        text[i] = (char)(claims[i] == '-' ? '+' : claims[i] == '_' ? '/' : claims[i]);
    }
    if (pin_base64_decode(text, bytes, &json, &json_bytes) == PIN_OK) {
        end_ms = read_end(json, json_bytes);
    }
    free(json);
    return end_ms;
}
