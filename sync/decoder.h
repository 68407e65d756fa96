/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Decoder: the state of one pin_decode_as() call, and the getters its decode functions share.
 *
 * The first failure sticks: after it every getter returns nothing, so a decode function reads as
 * the object does and checks nothing. Getters treat absent and null alike.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/ip.h"

#include "decode.h"

/** Nesting of lists that messages can name: rules[1].backendRefs[0]. */
#define PIN_DECODER_LISTS_MAX     4
#define PIN_DECODER_COMPLAINT_MAX 2048

/** One list on the way to the current field. */
struct pin_decoder_list {
    const char *name;
    size_t i;
};

/** One call. */
struct pin_decoder {
    struct pin_object_key key;
    const char *where;
    const struct pin_tree *root;
    const struct pin_tree *spec; /**< The root's `spec`, or NULL. */
    struct pin_object *object;   /**< Being filled in. */
    enum pin_err err;
    struct pin_why *why;
    char *complaint; /**< PIN_DECODER_COMPLAINT_MAX bytes: annotations that are ignored, a line
                        each. */
    struct pin_decoder_list lists[PIN_DECODER_LISTS_MAX];
    size_t n_lists;
};

/** Notes that what is read from now on lies in item 0 of list `name` (static text). */
void pin__decoder_enter(struct pin_decoder *self, const char *name);

/** Goes on to the next item of the innermost list. */
void pin__decoder_next(struct pin_decoder *self);

/** Leaves the innermost list. */
void pin__decoder_leave(struct pin_decoder *self);

/** Fails with PIN_EINVAL: `field` (NULL: the item itself) at `at` (may be NULL) is wrong. */
void pin__decoder_fail(struct pin_decoder *self, const struct pin_tree *at, const char *field,
    const char *fmt, ...) PIN_PRINTF(4, 5);

/** Gives up without a word to the user: this object is not read. */
void pin__decoder_skip(struct pin_decoder *self, const char *reason);

/** A child that is a list or a map; NULL when absent or failed. */
const struct pin_tree *pin__decoder_list(
    struct pin_decoder *self, const struct pin_tree *map, const char *field);
const struct pin_tree *pin__decoder_map(
    struct pin_decoder *self, const struct pin_tree *map, const char *field);

/** A scalar child's text, still the tree's; NULL when absent, empty or failed. */
const char *pin__decoder_peek(
    struct pin_decoder *self, const struct pin_tree *map, const char *field);

/** The same, copied into the object. */
const char *pin__decoder_text(
    struct pin_decoder *self, const struct pin_tree *map, const char *field);

/** The same, and its absence is an error. */
const char *pin__decoder_name(
    struct pin_decoder *self, const struct pin_tree *map, const char *field);

/** true or false; anything else is an error. */
bool pin__decoder_bool(
    struct pin_decoder *self, const struct pin_tree *map, const char *field, bool fallback);

/** A whole number from `min` to `max`; `fallback` when absent. */
long long pin__decoder_int(struct pin_decoder *self, const struct pin_tree *map, const char *field,
    long long min, long long max, long long fallback);

/** TCP (also when absent), UDP or SCTP. */
enum pin_protocol pin__decoder_protocol(struct pin_decoder *self, const struct pin_tree *map);

/** Room for `n` elements in the object, zeroed; NULL when n is 0 or failed. */
void *pin__decoder_array(struct pin_decoder *self, size_t n, size_t element_bytes);

/** Reads one element of a list into zeroed room; false: it is left out. */
typedef bool pin__element_fn(struct pin_decoder *self, const struct pin_tree *item, void *element);

/**
 * The elements of a list that `read` does not leave out, as an array in the object; NULL when the
 * list is empty or failed. Messages call an element "list_name[i]".
 */
void *pin__decoder_elements(struct pin_decoder *self, const struct pin_tree *list,
    const char *list_name, size_t element_bytes, pin__element_fn *read, size_t *ret_n);

/**
 * Reads an address. False when it cannot be one of an endpoint (unspecified, loopback, link-local,
 * multicast): that is logged and the address is left out; and when the decoder failed.
 */
bool pin__decoder_ip(
    struct pin_decoder *self, const struct pin_tree *at, const char *field, struct pin_ip *ret_ip);

/** Reads an address that is an element of its own (pin__element_fn). */
bool pin__decoder_address(struct pin_decoder *self, const struct pin_tree *item, void *element);

/** Reads a port (pin__element_fn); 0 where it has no number. */
bool pin__decoder_port(struct pin_decoder *self, const struct pin_tree *item, void *element);

/** The same; it is wrong without a number. */
bool pin__decoder_needed_port(struct pin_decoder *self, const struct pin_tree *item, void *element);

/** An annotation's or label's text from metadata, still the tree's; NULL when absent. */
const char *pin__decoder_annotation(const struct pin_decoder *self, const char *key);
const char *pin__decoder_label(const struct pin_decoder *self, const char *key);

/** A label copied into the object. */
const char *pin__decoder_take_label(struct pin_decoder *self, const char *key);

/** Logs that an annotation's value cannot be used; `allowed` says what could be written. */
void pin__decoder_warn_annotation(
    const struct pin_decoder *self, const char *key, const char *value, const char *allowed);

/** Notes what is wrong with an annotation, as a line of the object's complaint. */
void pin__decoder_complain(const struct pin_decoder *self, const char *fmt, ...) PIN_PRINTF(2, 3);

/** decode_check.c: the check that an annotation describes, in the object's memory; NULL, told, when
 * it cannot be read. */
const struct pin_check *pin__decode_check(
    struct pin_decoder *self, const char *key, const char *text);

/** decode_steering.c: what annotations say, into the object's steering. */
void pin__decode_steering(struct pin_decoder *self);

/** Bytes that it takes in the object, texts aside; 0 where nothing is said. */
size_t pin__decode_steering_size(const struct pin_decoder *self);

/** decode_written.c: what the object shows of what Pintle writes; and the room that takes. */
void pin__decode_written(struct pin_decoder *self);
size_t pin__decode_written_size(const struct pin_decoder *self);

/** Room that an array may need between it and what stands before it in an object. */
#define PIN_DECODE_ALIGN_BYTES 8u

/** decode_asks.c: what the object asks of the DNS outside, NULL for nothing; and the room it takes,
 * 0 where it asks for nothing. */
const struct pin_asks *pin__decode_asks(struct pin_decoder *self);
size_t pin__decode_asks_size(const struct pin_decoder *self);

/** Reads the address of one of status.loadBalancer.ingress (pin__element_fn). */
bool pin__decode_balancer_ip(struct pin_decoder *self, const struct pin_tree *item, void *element);

/** Likewise, its host name. */
bool pin__decode_balancer_host(
    struct pin_decoder *self, const struct pin_tree *item, void *element);

/** Bytes that a child's text, if it has one, and that a list of ports take in an object. */
size_t pin__decode_text_bytes(const struct pin_tree *map, const char *key);
size_t pin__decode_ports_bytes(const struct pin_tree *ports);

/** The decode functions behind the rows of decode.c. */
void pin__decode_service(struct pin_decoder *self);
bool pin__decode_prefers_zone(struct pin_decoder *self);
void pin__decode_slice(struct pin_decoder *self);
size_t pin__decode_service_size(const struct pin_tree *object);
size_t pin__decode_slice_size(const struct pin_tree *object);
void pin__decode_namespace(struct pin_decoder *self);
void pin__decode_node(struct pin_decoder *self);
void pin__decode_pod(struct pin_decoder *self);
void pin__decode_service_cidr(struct pin_decoder *self);
void pin__decode_gateway(struct pin_decoder *self);
void pin__decode_gateway_class(struct pin_decoder *self);
void pin__decode_route(struct pin_decoder *self);
void pin__decode_reference_grant(struct pin_decoder *self);
void pin__decode_dns_endpoint(struct pin_decoder *self);
void pin__decode_ingress(struct pin_decoder *self);
void pin__decode_import(struct pin_decoder *self);
void pin__decode_aws_export(struct pin_decoder *self);
void pin__decode_aws_import(struct pin_decoder *self);
void pin__decode_iam_policy(struct pin_decoder *self);
void pin__decode_resolve_policy(struct pin_decoder *self);
void pin__decode_target_group_policy(struct pin_decoder *self);
