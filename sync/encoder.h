/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * What sync/encode.c and the kinds' own part of it have in common.
 */

#include "pintle/sync/encode.h"
#include "pintle/zones/check.h"

/** Opens a member that is an object, or an array. */
void pin__encode_open(struct pin_jsonout *out, const char *key);
void pin__encode_open_list(struct pin_jsonout *out, const char *key);

/** Key and text; nothing where the text is NULL. */
void pin__encode_text(struct pin_jsonout *out, const char *key, const char *text);

/** Key and list of texts; nothing where there is none. */
void pin__encode_texts(
    struct pin_jsonout *out, const char *key, const char *const *texts, size_t n_texts);

/** Key and list of addresses; nothing where there is none. */
void pin__encode_ips(struct pin_jsonout *out, const char *key, const struct pin_ip *ips, size_t n);

/** Key and list of ranges; nothing where there is none. */
void pin__encode_ranges(
    struct pin_jsonout *out, const char *key, const struct pin_prefix *ranges, size_t n);

/** The members of spec.healthCheck. */
void pin__encode_check(struct pin_jsonout *out, const struct pin_check *check);

/** The members of an object beside apiVersion, kind and metadata: spec, status and others. */
void pin__encode_body(struct pin_jsonout *out, const struct pin_object *object);

/** The same of routes, Gateways, their classes and grants. */
void pin__encode_gateway_body(struct pin_jsonout *out, const struct pin_object *object);

/** The same of policies. */
void pin__encode_policy_body(struct pin_jsonout *out, const struct pin_object *object);
