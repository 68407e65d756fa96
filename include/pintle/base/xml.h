/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * XML into a tree, as far as answers of web services need it; the one door to expat.
 *
 *     <A><B>x</B><B>y</B><C/></A>   a map with key A, its children: B "x", B "y", C ""
 *
 * An element with elements in it becomes a map, any other a string. Attributes, comments and text
 * beside elements are left out, and so are the prefixes of names. A document type is refused, so
 * there are no entities but the five of XML.
 */

#include <stddef.h>

#include "pintle/base/error.h"
#include "pintle/base/tree.h"

struct pin_arena;

/** Longest text accepted. */
#define PIN_XML_BYTES_MAX ((size_t)64 << 20)

/**
 * Parses one document.
 *
 * @param arena     Holds the tree.
 * @param ret_tree  The root element; its key is its name.
 * @return PIN_OK, PIN_EPARSE, PIN_ELIMIT (size, depth, arena) or PIN_ENOMEM.
 */
enum pin_err pin_xml_parse(const char *text, size_t bytes, struct pin_arena *arena,
    struct pin_tree **ret_tree, struct pin_why *why);

struct pin_text;

/** Appends text with what XML gives a meaning to escaped. Control characters become spaces. */
void pin_xml_put_text(struct pin_text *out, const char *text);

/** Appends <name>text</name>. */
void pin_xml_put_element(struct pin_text *out, const char *name, const char *text);
