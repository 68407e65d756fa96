/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Zone files: directives, owners and TTLs are read here, RDATA by ldns. All ldns objects live
 * within one function but for a frame's `ldns_origin`, which frame_done() frees.
 */

#include "zones/zonefile.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ldns/ldns.h>

#include "pintle/base/buf.h"
#include "pintle/base/crypto.h"
#include "pintle/zones/table.h"

#include "zones/zonetext.h"

#define ARENA_MAX_BYTES ((size_t)2 << 30)
#define RDATA_MAX_BYTES 65535u

/* A zone being read. */
struct parser {
    const struct pin_zonefile_input *input;
    struct pin_zonefile *zonefile;
    struct pin_zonefile_faults faults;
    struct pin_zonefile_rr *rrs; /* heap */
    size_t n_rrs;
    size_t cap_rrs;
    size_t text_bytes;    /* of all files so far */
    struct pin_text line; /* what ldns is given */
    bool is_out_of_memory;
};

/* One file of it. */
struct frame {
    struct parser *parser;
    const char *path; /* the arena's */
    struct pin_zonetext text;
    struct pin_name origin;
    ldns_rdf *ldns_origin; /* the same; owned */
    struct pin_name owner;
    bool has_owner;
    bool has_default_ttl; /* $TTL */
    bool has_ttl;         /* ... or some RR said one */
    uint32_t ttl_s;
    unsigned depth;
};

/* --- faults -------------------------------------------------------------------------------- */

PIN_PRINTF(4, 0)
static void put_fault(
    struct pin_text *text, const char *path, uint32_t line, const char *fmt, va_list args)
{
    char message[768];
    (void)vsnprintf(message, sizeof(message), fmt, args);
    if (line > 0) {
        pin_text_putf(text, "%s:%u: %s\n", path, line, message);
    } else {
        pin_text_putf(text, "%s: %s\n", path, message);
    }
}

void pin_zonefile_fault(
    struct pin_zonefile_faults *faults, const char *path, uint32_t line, const char *fmt, ...)
{
    va_list args;
    if (faults->n_faults++ < PIN_ZONEFILE_FAULTS_MAX) {
        va_start(args, fmt);
        put_fault(faults->text, path, line, fmt, args);
        va_end(args);
    }
}

void pin_zonefile_warn(
    struct pin_zonefile_faults *faults, const char *path, uint32_t line, const char *fmt, ...)
{
    va_list args;
    if (faults->n_warnings++ < PIN_ZONEFILE_FAULTS_MAX) {
        va_start(args, fmt);
        put_fault(faults->text, path, line, fmt, args);
        va_end(args);
    }
}

/* A fault of the frame's present entry. Always false. */
static bool fault(struct frame *frame, const char *fmt, ...) PIN_PRINTF(2, 3);
static bool fault(struct frame *frame, const char *fmt, ...)
{
    char message[700];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    pin_zonefile_fault(&frame->parser->faults, frame->path, frame->text.entry_line, "%s", message);
    return false;
}

static bool out_of_memory(struct frame *frame)
{
    frame->parser->is_out_of_memory = true;
    return false;
}

/* --- names --------------------------------------------------------------------------------- */

bool pin_zonefile_is_name(const uint8_t *wire, size_t bytes, size_t *ret_bytes)
{
    size_t at = 0;
    while (at < bytes && at < PIN_NAME_MAX_BYTES) {
        if (wire[at] == 0) {
            *ret_bytes = at + 1;
            return true;
        }
        if (wire[at] > PIN_LABEL_MAX_BYTES) {
            return false;
        }
        at += (size_t)wire[at] + 1;
    }
    return false;
}

/* Whether the text ends with a dot that no backslash stands before. */
static bool is_absolute(const char *word)
{
    size_t bytes = strlen(word);
    size_t n_backslashes = 0;
    if (bytes == 0 || word[bytes - 1] != '.') {
        return false;
    }
    while (n_backslashes + 1 < bytes && word[bytes - 2 - n_backslashes] == '\\') {
        n_backslashes++;
    }
    return n_backslashes % 2 == 0;
}

/* Reads a name, relative to the frame's origin unless it ends with a dot. */
static bool read_name(struct frame *frame, const char *word, struct pin_name *ret)
{
    struct pin_name name;
    if (strcmp(word, "@") == 0) {
        *ret = frame->origin;
        return true;
    }
    if (pin_name_parse(word, &name) != PIN_OK) {
        return fault(frame, "\"%.255s\" is no domain name", word);
    }
    if (!is_absolute(word)) {
        size_t bytes = (size_t)name.bytes - 1 + frame->origin.bytes;
        if (bytes > PIN_NAME_MAX_BYTES) {
            return fault(frame, "\"%.255s\" and the origin are longer than a name may be", word);
        }
        memcpy(name.wire + name.bytes - 1, frame->origin.wire, frame->origin.bytes);
        name.bytes = (uint8_t)bytes;
    }
    *ret = name;
    return true;
}

static bool set_origin(struct frame *frame, const struct pin_name *origin)
{
    ldns_rdf_deep_free(frame->ldns_origin);
    frame->origin = *origin;
    size_t bytes = pin_name_wire_bytes(frame->origin.wire);
    frame->ldns_origin = ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, bytes, frame->origin.wire);
    return frame->ldns_origin != NULL || out_of_memory(frame);
}

static void frame_done(struct frame *frame)
{
    ldns_rdf_deep_free(frame->ldns_origin);
    pin_zonetext_done(&frame->text);
}

/* --- RDATA --------------------------------------------------------------------------------- */

/* Writes the RDATA of an RR that ldns read; its fields are in wire format already. */
static bool copy_rdata(struct frame *frame, const ldns_rr *rr, struct pin_zonefile_rr *ret)
{
    size_t bytes = 0;
    for (size_t i = 0; i < ldns_rr_rd_count(rr); i++) {
        bytes += ldns_rdf_size(ldns_rr_rdf(rr, i));
    }
    if (bytes > RDATA_MAX_BYTES) {
        return fault(frame, "the data of the record are longer than 65535 bytes");
    }
    uint8_t *to = pin_arena_alloc(frame->parser->zonefile->arena, bytes);
    if (to == NULL) {
        return out_of_memory(frame);
    }
    struct pin_buf w = pin_buf_init(to, bytes);
    for (size_t i = 0; i < ldns_rr_rd_count(rr); i++) {
        const ldns_rdf *rdf = ldns_rr_rdf(rr, i);
        pin_buf_put_bytes(&w, ldns_rdf_data(rdf), ldns_rdf_size(rdf));
    }
    ret->rdata = to;
    ret->rdata_bytes = (uint16_t)bytes;
    return true;
}

/* Reads the hexadecimal words of \# into `to`; false when they are not exactly `bytes` bytes. */
static bool read_hex(const char *text, uint8_t *to, size_t bytes)
{
    size_t n_digits = 0;
    for (; *text != '\0'; text++) {
        int digit = pin_hex_value(*text);
        if (*text == ' ') {
            continue;
        }
        if (digit < 0 || n_digits == 2 * bytes) {
            return false;
        }
        to[n_digits / 2] = (uint8_t)(to[n_digits / 2] << 4 | digit);
        n_digits++;
    }
    return n_digits == 2 * bytes;
}

/* Whether ldns, which knows the type, reads the same out of an RR with that RDATA. */
static bool is_sound(const struct pin_zonefile_rr *rr)
{
    size_t bytes = 11u + rr->rdata_bytes;
    uint8_t *wire = malloc(bytes);
    ldns_rr *read = NULL;
    size_t pos = 0;
    bool is_good = false;
    if (wire == NULL) {
        return false;
    }
    struct pin_buf w = pin_buf_init(wire, bytes);
    pin_buf_put_u8(&w, 0);
    pin_buf_put_u16(&w, rr->type);
    pin_buf_put_u16(&w, PIN_CLASS_IN);
    pin_buf_put_u32(&w, 0);
    pin_buf_put_u16(&w, rr->rdata_bytes);
    pin_buf_put_bytes(&w, rr->rdata, rr->rdata_bytes);
    if (ldns_wire2rr(&read, wire, bytes, &pos, LDNS_SECTION_ANSWER) == LDNS_STATUS_OK) {
        size_t at = 11;
        is_good = pos == bytes;
        for (size_t i = 0; is_good && i < ldns_rr_rd_count(read); i++) {
            const ldns_rdf *rdf = ldns_rr_rdf(read, i);
            is_good = at + ldns_rdf_size(rdf) <= bytes
                      && memcmp(wire + at, ldns_rdf_data(rdf), ldns_rdf_size(rdf)) == 0;
            at += ldns_rdf_size(rdf);
        }
        is_good = is_good && at == bytes;
        ldns_rr_free(read);
    }
    free(wire);
    return is_good;
}

/* "\# LENGTH HEX...": any type by its bytes (RFC 3597, section 5). */
static bool read_generic(struct frame *frame, char *rest, struct pin_zonefile_rr *ret)
{
    const char *length = pin_zonetext_word(&rest);
    char *end = NULL;
    unsigned long bytes = length != NULL ? strtoul(length, &end, 10) : 0;
    if (length == NULL || *length < '0' || *length > '9' || *end != '\0'
        || bytes > RDATA_MAX_BYTES) {
        return fault(
            frame, "\\# wants a length from 0 to 65535 and that many bytes in hexadecimal");
    }
    uint8_t *to = pin_arena_alloc(frame->parser->zonefile->arena, bytes);
    if (to == NULL) {
        return out_of_memory(frame);
    }
    if (!read_hex(rest, to, bytes)) {
        return fault(
            frame, "behind \\# %lu there are not exactly %lu bytes in hexadecimal", bytes, bytes);
    }
    ret->rdata = to;
    ret->rdata_bytes = (uint16_t)bytes;
    return is_sound(ret) || fault(frame, "these bytes are no data of the record's type");
}

/* Reads RDATA in the presentation format of its type. */
static bool read_known(
    struct frame *frame, const char *type, const char *rest, struct pin_zonefile_rr *ret)
{
    struct parser *parser = frame->parser;
    ldns_rr *rr = NULL;
    pin_text_cut(&parser->line, 0);
    pin_text_puts(&parser->line, ". 0 IN ");
    pin_text_puts(&parser->line, type);
    pin_text_putc(&parser->line, ' ');
    pin_text_puts(&parser->line, rest);
    if (parser->line.failed) {
        return out_of_memory(frame);
    }
    ldns_status status = ldns_rr_new_frm_str(&rr, parser->line.ptr, 0, frame->ldns_origin, NULL);
    if (status != LDNS_STATUS_OK) {
        return fault(frame, "%.20s: %s", type, ldns_get_errorstr_by_id(status));
    }
    bool is_ok = copy_rdata(frame, rr, ret);
    ldns_rr_free(rr);
    return is_ok;
}

size_t pin_zonefile_target_at(uint16_t type)
{
    switch (type) {
    case PIN_TYPE_NS:
    case PIN_TYPE_CNAME:
    case PIN_TYPE_PTR:
    case PIN_TYPE_DNAME:
    case PIN_TYPE_SOA:
        return 0;
    case PIN_TYPE_MX:
    case PIN_TYPE_SVCB:
    case PIN_TYPE_HTTPS:
        return 2;
    case PIN_TYPE_SRV:
        return 6;
    default:
        return SIZE_MAX;
    }
}

/* Names that answers are made with must be what they seem to be, wherever they came from. */
static bool check_target(struct frame *frame, const struct pin_zonefile_rr *rr)
{
    size_t at = pin_zonefile_target_at(rr->type);
    size_t bytes = 0;
    if (at == SIZE_MAX) {
        return true;
    }
    bool is_good =
        at < rr->rdata_bytes && pin_zonefile_is_name(rr->rdata + at, rr->rdata_bytes - at, &bytes);
    at += bytes;
    if (is_good && rr->type == PIN_TYPE_SOA) {
        is_good = at < rr->rdata_bytes
                  && pin_zonefile_is_name(rr->rdata + at, rr->rdata_bytes - at, &bytes);
        at += bytes + 20;
    }
    bool may_go_on = rr->type == PIN_TYPE_SVCB || rr->type == PIN_TYPE_HTTPS;
    is_good = is_good && (at == rr->rdata_bytes || (may_go_on && at < rr->rdata_bytes));
    return is_good || fault(frame, "the record's data hold no well-formed name");
}

static bool check_address(struct frame *frame, const struct pin_zonefile_rr *rr)
{
    bool is_good = (rr->type != PIN_TYPE_A || rr->rdata_bytes == 4)
                   && (rr->type != PIN_TYPE_AAAA || rr->rdata_bytes == 16);
    return is_good || fault(frame, "the record's data are no address");
}

/* --- records ------------------------------------------------------------------------------- */

static bool keep_rr(struct frame *frame, const struct pin_zonefile_rr *rr)
{
    struct parser *parser = frame->parser;
    if (parser->n_rrs >= PIN_ZONEFILE_RRS_MAX) {
        return fault(frame, "more than %u records", PIN_ZONEFILE_RRS_MAX);
    }
    if (parser->n_rrs == parser->cap_rrs) {
        size_t cap = parser->cap_rrs == 0 ? 64 : 2 * parser->cap_rrs;
        struct pin_zonefile_rr *grown = realloc(parser->rrs, cap * sizeof(*grown));
        if (grown == NULL) {
            return out_of_memory(frame);
        }
        parser->rrs = grown;
        parser->cap_rrs = cap;
    }
    parser->rrs[parser->n_rrs] = *rr;
    uint8_t *name =
        pin_arena_memdup(parser->zonefile->arena, frame->owner.wire, frame->owner.bytes);
    if (name == NULL) {
        return out_of_memory(frame);
    }
    parser->rrs[parser->n_rrs].name = name;
    parser->rrs[parser->n_rrs].name_bytes = frame->owner.bytes;
    parser->n_rrs++;
    return true;
}

/* Classes other than IN; "CLASS1" is IN. */
static bool is_other_class(const char *word)
{
    static const char *const classes[] = {"CH", "HS", "CS"};
    for (size_t i = 0; i < N_ELEMS(classes); i++) {
        if (strcasecmp(word, classes[i]) == 0) {
            return true;
        }
    }
    return strncasecmp(word, "CLASS", 5) == 0 && word[5] >= '0' && word[5] <= '9'
           && strcmp(word + 5, "1") != 0;
}

static bool is_class_in(const char *word)
{
    return strcasecmp(word, "IN") == 0 || strcasecmp(word, "CLASS1") == 0;
}

/* Types that never stand in a zone: OPT and the ones that only questions have (RFC 6895, 3.1). */
static bool is_meta_type(unsigned type)
{
    return type == 0 || type == PIN_TYPE_OPT || (type >= 128 && type <= 255);
}

/* Reads TTL and class in either order, then the type. NULL after a fault. */
static const char *read_head(struct frame *frame, char **cursor, struct pin_zonefile_rr *rr)
{
    bool has_ttl = false;
    bool has_class = false;
    const char *word = pin_zonetext_word(cursor);
    for (; word != NULL; word = pin_zonetext_word(cursor)) {
        if (!has_ttl && pin_zonetext_ttl(word, &rr->ttl_s)) {
            has_ttl = true;
        } else if (!has_class && is_class_in(word)) {
            has_class = true;
        } else if (!has_class && is_other_class(word)) {
            (void)fault(frame, "class %.20s: only class IN is served", word);
            return NULL;
        } else {
            break;
        }
    }
    if (word == NULL) {
        (void)fault(frame, "no record type");
        return NULL;
    }
    if (!has_ttl && !frame->has_ttl) {
        (void)fault(frame, "no TTL: write $TTL at the top of the file");
        return NULL;
    }
    if (!has_ttl) {
        rr->ttl_s = frame->ttl_s;
    } else if (!frame->has_default_ttl) {
        frame->ttl_s = rr->ttl_s; /* RFC 1035: the last one said goes on */
        frame->has_ttl = true;
    }
    return word;
}

static bool read_owner(struct frame *frame, char **cursor)
{
    if (!frame->text.is_indented) {
        const char *word = pin_zonetext_word(cursor);
        frame->has_owner = false;
        if (word == NULL || !read_name(frame, word, &frame->owner)) {
            return false;
        }
        frame->has_owner = true;
    }
    return frame->has_owner || fault(frame, "no owner name: no record stands before this one");
}

static bool read_rr(struct frame *frame, char *cursor)
{
    struct pin_zonefile_rr rr = {.path = frame->path, .line = frame->text.entry_line};
    const struct pin_name *apex = &frame->parser->zonefile->apex;
    if (!read_owner(frame, &cursor)) {
        return false;
    }
    const char *type = read_head(frame, &cursor, &rr);
    if (type == NULL) {
        return false;
    }
    unsigned number = (unsigned)ldns_get_rr_type_by_name(type);
    if (is_meta_type(number) || number > UINT16_MAX) {
        return fault(
            frame, "\"%.40s\" is no record type; unknown ones are written as TYPE12345", type);
    }
    rr.type = (uint16_t)number;
    if (!pin_name_is_below(&frame->owner, apex)) {
        char text[PIN_NAME_TEXT_MAX];
        pin_name_format(frame->owner.wire, text);
        return fault(
            frame, "%.255s lies outside the zone: is a dot missing or one too many?", text);
    }
    if (rr.type == PIN_TYPE_SOA && frame->owner.bytes != apex->bytes) {
        return fault(frame, "an SOA stands at the zone's own name only");
    }
    bool is_generic = strncmp(cursor + strspn(cursor, " "), "\\# ", 3) == 0;
    if (is_generic) {
        (void)pin_zonetext_word(&cursor);
    }
    bool is_ok =
        is_generic ? read_generic(frame, cursor, &rr) : read_known(frame, type, cursor, &rr);
    return is_ok && check_target(frame, &rr) && check_address(frame, &rr) && keep_rr(frame, &rr);
}

/* --- directives ---------------------------------------------------------------------------- */

static bool read_file(struct parser *parser, const struct pin_zonefile_text *text,
    const struct frame *from, const struct pin_name *origin);

/* A quoted word without its quotes. */
static char *unquoted(char *word)
{
    size_t bytes = word != NULL ? strlen(word) : 0;
    if (bytes >= 2 && word[0] == '"' && word[bytes - 1] == '"') {
        word[bytes - 1] = '\0';
        return word + 1;
    }
    return word;
}

static bool include(struct frame *frame, char *cursor)
{
    const struct pin_zonefile_input *input = frame->parser->input;
    const char *name = unquoted(pin_zonetext_word(&cursor));
    const char *word = pin_zonetext_word(&cursor);
    struct pin_name origin = frame->origin;
    struct pin_zonefile_text text = {0};
    struct pin_why why = {0};
    if (name == NULL || *name == '\0') {
        return fault(frame, "$INCLUDE wants a file, and an origin if it is another one");
    }
    if (word != NULL && !read_name(frame, word, &origin)) {
        return false;
    }
    if (input->open == NULL) {
        return fault(frame, "$INCLUDE is not possible here");
    }
    if (frame->depth + 1 >= PIN_ZONEFILE_DEPTH_MAX) {
        return fault(frame, "files include files more than %u deep", PIN_ZONEFILE_DEPTH_MAX);
    }
    if (input->open(input->open_arg, name, frame->path, &text, &why) != PIN_OK) {
        return fault(frame, "$INCLUDE: %s", why.text);
    }
    return read_file(frame->parser, &text, frame, &origin);
}

static bool read_directive(struct frame *frame, char *cursor)
{
    const char *directive = pin_zonetext_word(&cursor);
    if (strcasecmp(directive, "$INCLUDE") == 0) {
        return include(frame, cursor);
    }
    const char *word = pin_zonetext_word(&cursor);
    if (strcasecmp(directive, "$ORIGIN") == 0) {
        struct pin_name origin;
        if (word == NULL) {
            return fault(frame, "$ORIGIN wants a name");
        }
        return read_name(frame, word, &origin) && set_origin(frame, &origin);
    }
    if (strcasecmp(directive, "$TTL") == 0) {
        frame->has_default_ttl = frame->has_ttl =
            word != NULL && pin_zonetext_ttl(word, &frame->ttl_s);
        return frame->has_ttl || fault(frame, "$TTL wants a time: 3600 or 1h");
    }
    if (strcasecmp(directive, "$GENERATE") == 0) {
        return fault(frame, "$GENERATE is not read: write the records out");
    }
    return fault(frame, "\"%.40s\" is no directive: $ORIGIN, $TTL, $INCLUDE", directive);
}

/* --- files --------------------------------------------------------------------------------- */

static void read_entries(struct frame *frame)
{
    struct parser *parser = frame->parser;
    struct pin_why why = {0};
    for (;;) {
        enum pin_zonetext_found found = pin_zonetext_next(&frame->text, &why);
        if (found == PIN_ZONETEXT_END || parser->is_out_of_memory
            || parser->faults.n_faults > PIN_ZONEFILE_FAULTS_MAX) {
            return;
        }
        if (found == PIN_ZONETEXT_FAULT) {
            (void)fault(frame, "%s", why.text);
            continue;
        }
        char *entry = frame->text.entry.ptr;
        if (*entry == '$') {
            (void)read_directive(frame, entry);
        } else {
            (void)read_rr(frame, entry);
        }
    }
}

/* Reads one file; `from` includes it, or is NULL. */
static bool read_file(struct parser *parser, const struct pin_zonefile_text *text,
    const struct frame *from, const struct pin_name *origin)
{
    struct frame frame = {.parser = parser};
    frame.path = pin_arena_strdup(parser->zonefile->arena, text->path);
    parser->text_bytes += text->bytes;
    if (from != NULL) {
        frame.owner = from->owner;
        frame.has_owner = from->has_owner;
        frame.ttl_s = from->ttl_s;
        frame.has_ttl = from->has_ttl;
        frame.has_default_ttl = from->has_default_ttl;
        frame.depth = from->depth + 1;
    }
    if (frame.path == NULL || !set_origin(&frame, origin)) {
        return out_of_memory(&frame);
    }
    if (parser->text_bytes > PIN_ZONEFILE_MAX_BYTES) {
        frame_done(&frame);
        pin_zonefile_fault(&parser->faults, frame.path, 0, "the zone has more than %zu MiB of text",
            PIN_ZONEFILE_MAX_BYTES >> 20);
        return false;
    }
    pin_zonetext_init(&frame.text, text->text, text->bytes);
    read_entries(&frame);
    frame_done(&frame);
    return true;
}

enum pin_err pin_zonefile_parse(const struct pin_zonefile_input *input,
    struct pin_zonefile **ret_zonefile, struct pin_text *faults)
{
    struct parser parser = {.input = input, .faults = {.text = faults}};
    enum pin_err err = PIN_ENOMEM;
    parser.zonefile = calloc(1, sizeof(*parser.zonefile));
    if (parser.zonefile == NULL) {
        return PIN_ENOMEM;
    }
    parser.zonefile->arena = pin_arena_new("zone file", ARENA_MAX_BYTES);
    if (parser.zonefile->arena == NULL) {
        goto out;
    }
    if (pin_name_parse(input->zone, &parser.zonefile->apex) != PIN_OK) {
        pin_zonefile_fault(
            &parser.faults, input->text.path, 0, "\"%.255s\" is no domain name", input->zone);
    } else {
        (void)read_file(&parser, &input->text, NULL, &parser.zonefile->apex);
    }
    if (parser.is_out_of_memory) {
        goto out;
    }
    err = PIN_OK;
    if (parser.faults.n_faults == 0) {
        err = pin_zonefile_group(
            parser.zonefile, parser.rrs, parser.n_rrs, input->text.path, &parser.faults);
    }
    if (err == PIN_OK && parser.faults.n_faults > 0) {
        err = PIN_EPARSE;
    }
out:
    free(parser.rrs);
    pin_text_done(&parser.line);
    if (err != PIN_OK) {
        pin_zonefile_free(parser.zonefile);
        return err;
    }
    *ret_zonefile = parser.zonefile;
    return PIN_OK;
}

/* --- single records ------------------------------------------------------------------------ */

/* Whether a text is one line that holds nothing but its data. */
static bool is_plain(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ') {
            return false;
        }
    }
    return true;
}

enum pin_err pin_zonefile_rdata(struct pin_arena *arena, const char *path, const char *type,
    const char *text, struct pin_zonefile_rr *ret, struct pin_text *fault_text)
{
    struct pin_zonefile zonefile = {.arena = arena};
    struct parser parser = {.zonefile = &zonefile, .faults = {.text = fault_text}};
    struct frame frame = {.parser = &parser, .path = path};
    struct pin_name root;
    unsigned number = (unsigned)ldns_get_rr_type_by_name(type);
    bool is_ok = false;
    pin_name_root(&root);
    if (is_meta_type(number) || number > UINT16_MAX || !is_plain(type)) {
        (void)fault(&frame, "\"%.40s\" is no record type", type);
    } else if (!is_plain(text)) {
        (void)fault(&frame, "a control character in the data");
    } else if (set_origin(&frame, &root)) {
        ret->type = (uint16_t)number;
        is_ok = read_known(&frame, type, text, ret) && check_target(&frame, ret)
                && check_address(&frame, ret);
    }
    frame_done(&frame);
    pin_text_done(&parser.line);
    return is_ok ? PIN_OK : parser.is_out_of_memory ? PIN_ENOMEM : PIN_EPARSE;
}
