/* SPDX-License-Identifier: Apache-2.0 */

/* Elements become maps and strings; what could blow up is refused. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/arena.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"
#include "pintle/base/xml.h"

#define LAUGHS "<!DOCTYPE a [<!ENTITY x \"xxxxxxxxxx\"><!ENTITY y \"&x;&x;&x;&x;\">]><a>&y;</a>"

static struct parse_case {
    const char *name;
    const char *text;
    enum pin_err err;
    const char *want; /* key=text, key(children), in order */
} cases[] = {
    {"a leaf is a string", "<a>x</a>", PIN_OK, "a=x"},
    {"an empty element is an empty string", "<a/>", PIN_OK, "a="},
    {"elements in elements are maps", "<a><b>1</b><c><d>2</d></c></a>", PIN_OK, "a(b=1 c(d=2))"},
    {"equal names stay in order", "<a><b>1</b><b>2</b><b/></a>", PIN_OK, "a(b=1 b=2 b=)"},
    {"text beside elements is left out", "<a>\n <b>1</b>\n text</a>", PIN_OK, "a(b=1)"},
    {"blanks in a leaf stay", "<a> x y </a>", PIN_OK, "a= x y "},
    {"prefixes and attributes are left out", "<n:a xmlns:n='urn:n' b='c'><n:d>1</n:d></n:a>",
        PIN_OK, "a(d=1)"},
    {"the five entities and numbers are read", "<a>&lt;&amp;&gt;&quot;&apos;&#65;</a>", PIN_OK,
        "a=<&>\"'A"},
    {"sections and comments too", "<?xml version='1.0'?><a><![CDATA[<b>]]><!-- c --></a>", PIN_OK,
        "a=<b>"},
    {"an entity of nobody's is refused", "<a>&nbsp;</a>", PIN_EPARSE, NULL},
    {"so is a document type", LAUGHS, PIN_EPARSE, NULL},
    {"so is half a document", "<a><b>1</b>", PIN_EPARSE, NULL},
    {"so is nothing", "", PIN_EPARSE, NULL},
    {"so is something behind it", "<a/><b/>", PIN_EPARSE, NULL},
    {"so are tags that cross", "<a><b></a></b>", PIN_EPARSE, NULL},
    {"so is what is no UTF-8", "<a>\xff</a>", PIN_EPARSE, NULL},
    {"so is a NUL written as a number", "<a>&#0;</a>", PIN_EPARSE, NULL},
};

static void put(struct pin_text *out, const struct pin_tree *node)
{
    pin_text_puts(out, node->key);
    if (node->kind == PIN_TREE_STRING) {
        pin_text_putf(out, "=%s", node->text);
        assert_int_equal(node->text_bytes, strlen(node->text));
        return;
    }
    pin_text_putc(out, '(');
    PIN_TREE_EACH(child, node)
    {
        pin_text_puts(out, child == node->first ? "" : " ");
        put(out, child);
    }
    pin_text_putc(out, ')');
}

static void test_parse(void **state)
{
    const struct parse_case *c = *state;
    struct pin_arena *arena = pin_arena_new("test", (size_t)1 << 20);
    struct pin_tree *tree = NULL;
    struct pin_text out = {0};
    struct pin_why why = {0};
    assert_int_equal(pin_xml_parse(c->text, strlen(c->text), arena, &tree, &why), c->err);
    if (c->err == PIN_OK) {
        put(&out, tree);
        assert_string_equal(out.ptr, c->want);
    } else {
        assert_null(tree);
        assert_true(why.text[0] != '\0');
    }
    pin_text_done(&out);
    pin_arena_free(arena);
}

static void test_limits(void **state)
{
    struct pin_arena *arena = pin_arena_new("test", (size_t)256 << 10);
    struct pin_tree *tree = NULL;
    struct pin_text text = {0};
    (void)state;
    for (size_t i = 0; i < PIN_TREE_DEPTH_MAX; i++) {
        pin_text_puts(&text, "<a>");
    }
    for (size_t i = 0; i < PIN_TREE_DEPTH_MAX; i++) {
        pin_text_puts(&text, "</a>");
    }
    assert_int_equal(pin_xml_parse(text.ptr, text.len, arena, &tree, NULL), PIN_OK);
    pin_text_cut(&text, 0);
    for (size_t i = 0; i <= PIN_TREE_DEPTH_MAX; i++) {
        pin_text_puts(&text, "<a>");
    }
    assert_int_equal(pin_xml_parse(text.ptr, text.len, arena, &tree, NULL), PIN_ELIMIT);
    pin_text_cut(&text, 0);
    pin_text_puts(&text, "<a>");
    for (size_t i = 0; i < 100000; i++) {
        pin_text_puts(&text, "<b/>");
    }
    pin_text_puts(&text, "</a>");
    assert_int_equal(pin_xml_parse(text.ptr, text.len, arena, &tree, NULL), PIN_ELIMIT);
    assert_int_equal(pin_xml_parse("", PIN_XML_BYTES_MAX + 1, arena, &tree, NULL), PIN_ELIMIT);
    pin_text_done(&text);
    pin_arena_free(arena);
}

static void test_what_is_written_is_read(void **state)
{
    struct pin_arena *arena = pin_arena_new("test", (size_t)256 << 10);
    struct pin_tree *tree = NULL;
    struct pin_text text = {0};
    (void)state;
    pin_xml_put_element(&text, "Value", "\"a<b>&amp;]]>\x01'");
    assert_int_equal(pin_xml_parse(text.ptr, text.len, arena, &tree, NULL), PIN_OK);
    assert_string_equal(tree->text, "\"a<b>&amp;]]> '");
    pin_text_done(&text);
    pin_arena_free(arena);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + 2] = {{0}};
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_parse, .initial_state = &cases[i]};
    }
    tests[N_ELEMS(cases)] = (struct CMUnitTest)cmocka_unit_test(test_limits);
    tests[N_ELEMS(cases) + 1] = (struct CMUnitTest)cmocka_unit_test(test_what_is_written_is_read);
    return cmocka_run_group_tests_name("xml", tests, NULL, NULL);
}
