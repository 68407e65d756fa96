/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Protobuf: built-in kinds as API servers send them on request, made into the tree that their JSON
 * would be, of the fields that are read.
 *
 *     frame  = length u32 big-endian, WatchEvent {type, object {raw}}
 *     raw    = "k8s\0", Unknown {typeMeta {apiVersion, kind}, raw: the object's message}
 *
 * It costs the server a fifth of JSON, and us less too
 * (docs/decisions/0028-built-in-kinds-in-protobuf.md). Field numbers are those of the
 * `generated.proto` files of k8s.io/api and k8s.io/apimachinery; unknown fields are stepped over.
 */

#include <stdbool.h>
#include <stddef.h>

#include "pintle/base/error.h"
#include "pintle/base/text.h"
#include "pintle/zones/object.h"

#include "items.h"

struct pin_arena;
struct pin_tree;

/** Accept header for who reads both. */
#define PIN_PROTOBUF_ACCEPT "application/vnd.kubernetes.protobuf, application/json"

/** Whether objects of that kind are read in protobuf. */
bool pin_protobuf_knows(enum pin_kind kind);

/** Whether an answer that begins with that byte is frames: lengths of less than 150 MB, and no text
 * begins so. */
static inline bool pin_protobuf_is_frame(char first)
{
    return (unsigned char)first < '\t';
}

/**
 * Reads one event of a watch: {type, object}, as in JSON. The object of an ERROR is a Status.
 *
 * @param data   A frame without its length; not referenced afterwards.
 * @param kind   Of the objects; one that pin_protobuf_knows().
 * @return PIN_OK, PIN_EPARSE, PIN_EUNSUPPORTED (a NUL in a text) or PIN_ELIMIT (arena).
 */
enum pin_err pin_protobuf_event(const char *data, size_t bytes, enum pin_kind kind,
    struct pin_arena *arena, struct pin_tree **ret_tree, struct pin_why *why);

/** Reads a Status with its "k8s" in front, the answer to a request that failed; likewise. */
enum pin_err pin_protobuf_status(const char *data, size_t bytes, struct pin_arena *arena,
    struct pin_tree **ret_tree, struct pin_why *why);

/** Cuts a stream into frames. Zeroed but for the first three: at the beginning. */
struct pin_frames {
    pin_item_fn *on_frame; /**< text NULL: a frame of that many bytes is too long. */
    void *arg;
    size_t frame_bytes_max;
    struct pin_text piece; /**< Of the length or the frame that is not whole. */
    size_t frame_bytes;    /**< Of the frame at hand; 0: its length is awaited. */
    size_t n_skip;         /**< Of a frame that is too long. */
};

/** Takes the next bytes. PIN_ENOMEM, or PIN_EPARSE: a frame of no bytes. */
enum pin_err pin_frames_feed(
    struct pin_frames *self, const char *data, size_t bytes, struct pin_why *why);

/** Frees what it holds. */
void pin_frames_done(struct pin_frames *self);
