/* SPDX-License-Identifier: Apache-2.0 */

/* Credentials out of what STS, a container's agent and the metadata service say. */

#include "pintle/base/arena.h"
#include "pintle/base/clock.h"
#include "pintle/base/json.h"
#include "pintle/base/tree.h"
#include "pintle/base/xml.h"

#include "aws_credentials.h"

#define ARENA_BYTES ((size_t)4 << 20)

/* Where an answer has its four texts. */
struct places {
    const char *access_key;
    const char *secret_key;
    const char *session_token;
    const char *until;
};

static enum pin_err take_keys(const struct pin_tree *tree, const struct places *places,
    struct pin_aws_credentials *keys, struct pin_why *why)
{
    const char *access_key = pin_tree_string(tree, places->access_key, "");
    const char *secret_key = pin_tree_string(tree, places->secret_key, "");
    const char *until = pin_tree_string(tree, places->until, NULL);
    int64_t until_wall_ms = 0;
    if (access_key[0] == '\0' || secret_key[0] == '\0'
        || (until != NULL && !pin_clock_parse(until, &until_wall_ms))) {
        return pin_why_set(why, PIN_EPARSE, "an answer that should hold AWS credentials has none");
    }
    enum pin_err err = pin_aws_credentials_set(
        keys, access_key, secret_key, pin_tree_string(tree, places->session_token, NULL));
    if (err != PIN_OK) {
        return pin_why_set(why, err, "credentials");
    }
    keys->until_wall_ms = until_wall_ms;
    return PIN_OK;
}

enum pin_err pin_aws_read_json(
    const char *text, size_t bytes, struct pin_aws_credentials *keys, struct pin_why *why)
{
    static const struct places places = {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"};
    struct pin_tree *tree = NULL;
    struct pin_arena *arena = pin_arena_new("aws credentials", ARENA_BYTES);
    if (arena == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "credentials");
    }
    /* why is not passed on: a parser's message may quote what it read */
    enum pin_err err = pin_json_parse(text, bytes, arena, &tree, NULL) != PIN_OK
                           ? pin_why_set(why, PIN_EPARSE, "AWS credentials that are no JSON")
                           : take_keys(tree, &places, keys, why);
    pin_arena_free(arena);
    return err;
}

enum pin_err pin_aws_read_sts(
    const char *text, size_t bytes, struct pin_aws_credentials *keys, struct pin_why *why)
{
    static const char at[] = "AssumeRoleWithWebIdentityResult.Credentials";
    static const struct places places = {
        "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"};
    struct pin_tree *tree = NULL;
    struct pin_arena *arena = pin_arena_new("aws credentials", ARENA_BYTES);
    if (arena == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "credentials");
    }
    enum pin_err err = pin_xml_parse(text, bytes, arena, &tree, NULL) != PIN_OK
                           ? pin_why_set(why, PIN_EPARSE, "AWS credentials that are no XML")
                           : take_keys(pin_tree_path(tree, at), &places, keys, why);
    pin_arena_free(arena);
    return err;
}
