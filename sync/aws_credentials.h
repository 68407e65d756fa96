/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * AWS credentials: where a request's keys come from, in this order:
 *
 *     accessKeyFile, secretKeyFile of the settings        -> files
 *     $AWS_ACCESS_KEY_ID, _SECRET_ACCESS_KEY, _SESSION_TOKEN
 *     $AWS_ROLE_ARN, $AWS_WEB_IDENTITY_TOKEN_FILE         -> STS, AssumeRoleWithWebIdentity
 *     $AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials, $AWS_PROFILE
 *     $AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI  -> the container's agent
 *     the instance's metadata, version 2                  -> unless $AWS_EC2_METADATA_DISABLED
 *
 * What has to be asked for is asked by the caller: pin_aws_fetch_next() says what to send,
 * pin_aws_fetch_answer() takes what came. Secrets are wiped when they are replaced, and are in no
 * message. Reads small files; no other I/O. Threads: the control loop's.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/base/text.h"

#include "aws_sign.h"

struct pin_arena;

/** Keys that end in less than this are fetched anew. */
#define PIN_AWS_RENEW_MS 300000

/** Keys that are held. All heap; zeroed: none. */
struct pin_aws_credentials {
    char *access_key;
    char *secret_key;
    char *session_token;
    int64_t until_wall_ms; /**< 0: they do not end. */
};

/** Wipes and empties them. */
void pin_aws_credentials_done(struct pin_aws_credentials *keys);

/** Replaces them by copies, without an end. A token of NULL or "" is none. PIN_ENOMEM: as before.
 */
enum pin_err pin_aws_credentials_set(struct pin_aws_credentials *keys, const char *access_key,
    const char *secret_key, const char *session_token);

/** What a fetch is at. Private. */
enum pin_aws_step {
    PIN_AWS_START,
    PIN_AWS_STS,
    PIN_AWS_CONTAINER,
    PIN_AWS_IMDS_TOKEN,
    PIN_AWS_IMDS_ROLE,
    PIN_AWS_IMDS_KEYS,
    PIN_AWS_END,
};

/** One round of looking for keys. Init, next and answer by turns, done. */
struct pin_aws_fetch {
    const char *access_key_file; /**< Borrowed; NULL: the environment says. */
    const char *secret_key_file;
    const char *region; /**< For STS. */
    enum pin_aws_step step;
    char *token; /**< Of the metadata; heap. */
    char *role;
};

/** What to send. Zeroed before; done afterwards. */
struct pin_aws_ask {
    const char *method; /**< Static; NULL: GET. */
    char *server;       /**< "http://169.254.169.254"; heap. */
    struct pin_text path;
    struct pin_text body; /**< A form, where there is one. */
    const char *header;   /**< Name of a header; NULL: none. */
    char *value;          /**< Its value; heap, a secret. */
};

/** Frees what it holds, and wipes it. */
void pin_aws_ask_done(struct pin_aws_ask *ask);

/** Frees what it holds, and begins anew. */
void pin_aws_fetch_reset(struct pin_aws_fetch *fetch);

/**
 * Takes the next step.
 *
 * @param keys       Filled in when keys are found without asking.
 * @param ret_asks   Whether `ask` is to be sent.
 * @return PIN_OK; PIN_ENOTFOUND when there are no credentials anywhere; why a file cannot be read;
 *         PIN_ENOMEM.
 */
enum pin_err pin_aws_fetch_next(struct pin_aws_fetch *fetch, struct pin_aws_credentials *keys,
    struct pin_aws_ask *ask, bool *ret_asks, struct pin_why *why);

/**
 * Takes the answer to what was sent; then comes pin_aws_fetch_next() again, unless the keys are
 * there (keys->access_key).
 * @return PIN_OK, PIN_EPARSE, PIN_EDENIED, PIN_ENOMEM.
 */
enum pin_err pin_aws_fetch_answer(struct pin_aws_fetch *fetch, struct pin_aws_credentials *keys,
    int status, const char *text, size_t bytes, struct pin_why *why);

/** Reads the keys of a profile out of a shared credentials file's text. False: they are not there,
 * or memory is out. */
bool pin_aws_read_profile(const char *text, const char *profile, struct pin_aws_credentials *keys);

/** Reads the JSON of a container's agent or the metadata. PIN_EPARSE, PIN_ENOMEM. */
enum pin_err pin_aws_read_json(
    const char *text, size_t bytes, struct pin_aws_credentials *keys, struct pin_why *why);

/** Reads the XML of STS. PIN_EPARSE, PIN_ENOMEM. */
enum pin_err pin_aws_read_sts(
    const char *text, size_t bytes, struct pin_aws_credentials *keys, struct pin_why *why);
