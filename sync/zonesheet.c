/* SPDX-License-Identifier: Apache-2.0 */

/* Zone sheets: lines of records, and changes of what they say. */

#include "zonesheet.h"

#include <string.h>

#include "pintle/base/buf.h"
#include "pintle/zones/name.h"
#include "pintle/zones/rdata.h"
#include "pintle/zones/table.h"

#define HEADER     "; pintle records v1 "
#define REMARK     "; Written whole by Pintle: what is changed here by hand is lost.\n"
#define ORIGIN     "$ORIGIN .\n"
#define SOA_TIMES  "3600 600 1209600 60"
#define RDATA_ROOM 65535u

/* --- Order ---------------------------------------------------------------------------------- */

/* Where a set of that name and type is, or would be. */
static size_t place_of(
    const struct pin_zonesheet *sheet, const char *name, const char *type, bool *ret_is_there)
{
    const struct pin_recordset wanted = {.name = name, .type = type, .set_id = ""};
    size_t low = 0;
    size_t high = sheet->n_sets;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (pin_recordset_cmp(&sheet->sets[middle], &wanted) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *ret_is_there = low < sheet->n_sets && pin_recordset_cmp(&sheet->sets[low], &wanted) == 0;
    return low;
}

/* Room for one more set. */
static bool grow(struct pin_zonesheet *sheet)
{
    if (sheet->n_sets < sheet->cap_sets) {
        return true;
    }
    size_t cap = sheet->cap_sets == 0 ? 64 : sheet->cap_sets * 2;
    struct pin_recordset *sets = pin_arena_alloc(sheet->arena, cap * sizeof(*sets));
    if (sets == NULL) {
        return false;
    }
    if (sheet->n_sets > 0) {
        memcpy(sets, sheet->sets, sheet->n_sets * sizeof(*sets));
    }
    sheet->sets = sets;
    sheet->cap_sets = cap;
    return true;
}

static bool put_set(struct pin_zonesheet *sheet, const struct pin_recordset *set)
{
    bool is_there = false;
    size_t at = place_of(sheet, set->name, set->type, &is_there);
    struct pin_recordset copy;
    if (!pin_recordset_copy(sheet->arena, set, &copy)) {
        return false;
    }
    if (!is_there) {
        if (!grow(sheet)) {
            return false;
        }
        memmove(
            &sheet->sets[at + 1], &sheet->sets[at], (sheet->n_sets - at) * sizeof(sheet->sets[0]));
        sheet->n_sets++;
    }
    copy.n_sources = 0;
    copy.n_holds = 0;
    copy.n_properties = 0;
    sheet->sets[at] = copy;
    return true;
}

static void remove_set(struct pin_zonesheet *sheet, const struct pin_recordset *set)
{
    bool is_there = false;
    size_t at = place_of(sheet, set->name, set->type, &is_there);
    if (is_there) {
        sheet->n_sets--;
        memmove(
            &sheet->sets[at], &sheet->sets[at + 1], (sheet->n_sets - at) * sizeof(sheet->sets[0]));
    }
}

/* --- Reading -------------------------------------------------------------------------------- */

/* One record, as its line has it. The fields are in the arena. */
struct row {
    const char *name;
    uint32_t ttl_s;
    const char *type;
    const char *value;
};

/* The next word of a line, ended with NUL; NULL: there is none. */
static char *take_word(char **line)
{
    char *word = *line;
    char *end = strchr(word, ' ');
    if (end == NULL || end == word) {
        return NULL;
    }
    *end = '\0';
    *line = end + 1;
    return word;
}

static bool read_ttl(const char *word, uint32_t *ret_ttl_s)
{
    uint64_t ttl_s = 0;
    if (word == NULL) {
        return false;
    }
    for (; *word != '\0'; word++) {
        if (*word < '0' || *word > '9' || ttl_s > INT32_MAX) {
            return false;
        }
        ttl_s = ttl_s * 10 + (uint64_t)(*word - '0');
    }
    *ret_ttl_s = (uint32_t)ttl_s;
    return ttl_s <= INT32_MAX;
}

/* Whether the text is what we would write of that type. PIN_OK, PIN_EPARSE, PIN_ENOMEM. */
static enum pin_err check_value(const char *type, const char *value)
{
    uint8_t room[RDATA_ROOM];
    struct pin_buf buf = pin_buf_init(room, sizeof(room));
    struct pin_text text = {0};
    uint16_t number = pin_rdata_type(type);
    if (number == 0 || pin_rdata_parse(number, value, &buf, NULL) != PIN_OK) {
        return PIN_EPARSE;
    }
    struct pin_reader reader = pin_reader_init(room, pin_buf_used(&buf));
    bool is_same = pin_rdata_format(&reader, pin_buf_used(&buf), number, &text)
                   && strcmp(pin_text_get(&text), value) == 0;
    enum pin_err err = text.failed ? PIN_ENOMEM : is_same ? PIN_OK : PIN_EPARSE;
    pin_text_done(&text);
    return err;
}

/* Cuts a line up. PIN_EPARSE when it is none of ours. */
static enum pin_err cut_row(char *line, struct row *ret_row)
{
    char name[PIN_RECORDSET_NAME_MAX];
    ret_row->name = take_word(&line);
    if (ret_row->name == NULL || !read_ttl(take_word(&line), &ret_row->ttl_s)) {
        return PIN_EPARSE;
    }
    const char *class = take_word(&line);
    ret_row->type = class == NULL ? NULL : take_word(&line);
    ret_row->value = line;
    if (ret_row->type == NULL || strcmp(class, "IN") != 0
        || pin_recordset_name(ret_row->name, name, NULL) != PIN_OK
        || strcmp(name, ret_row->name) != 0) {
        return PIN_EPARSE;
    }
    return check_value(ret_row->type, ret_row->value);
}

/* Adds a value to a set, whose room doubles whenever it is full. False: memory is out. */
static bool add_value(struct pin_arena *arena, struct pin_recordset *set, const char *value)
{
    size_t n = set->n_values;
    if ((n & (n - 1)) == 0) { /* none yet, or a power of two */
        struct pin_recordset_value *values =
            pin_arena_alloc(arena, (n == 0 ? 1 : 2 * n) * sizeof(*values));
        if (values == NULL) {
            return false;
        }
        if (n > 0) {
            memcpy(values, set->values, n * sizeof(*values));
        }
        set->values = values;
    }
    set->values[set->n_values++].text = value;
    return true;
}

/* Adds a value to the set of the line before, or begins a new one. */
static enum pin_err add_row(struct pin_zonesheet *sheet, const struct row *row, struct pin_why *why)
{
    struct pin_recordset *last = sheet->n_sets == 0 ? NULL : &sheet->sets[sheet->n_sets - 1];
    struct pin_recordset set = {
        .name = row->name, .type = row->type, .set_id = "", .ttl_s = row->ttl_s};
    int order = last == NULL ? -1 : pin_recordset_cmp(last, &set);
    bool is_more = order == 0 && last->ttl_s == row->ttl_s
                   && strcmp(last->values[last->n_values - 1].text, row->value) < 0;
    if (order >= 0 && !is_more) {
        return pin_why_set(why, PIN_EPARSE, "it is not in order");
    }
    if (!add_value(sheet->arena, is_more ? last : &set, row->value) || !grow(sheet)) {
        return pin_why_set(why, PIN_ENOMEM, "no memory for the zone");
    }
    if (!is_more) {
        sheet->sets[sheet->n_sets++] = set;
    }
    return PIN_OK;
}

/* Takes a line; a SOA gives the serial, the zone's own NS are the frame's. */
static enum pin_err take_line(
    struct pin_zonesheet *sheet, const char *zone, char *line, struct pin_why *why)
{
    struct row row = {0};
    enum pin_err err = cut_row(line, &row);
    if (err != PIN_OK) {
        return pin_why_set(why, err,
            err == PIN_ENOMEM ? "no memory for the zone" : "it is no record that Pintle wrote");
    }
    bool is_apex = strcmp(row.name, zone) == 0;
    if (is_apex && strcmp(row.type, "SOA") == 0) {
        const char *serial = strchr(row.value, ' ');
        serial = serial == NULL ? "" : strchr(serial + 1, ' ');
        for (serial = serial == NULL ? "" : serial + 1; *serial >= '0' && *serial <= '9';
             serial++) {
            sheet->serial = sheet->serial * 10 + (uint32_t)(*serial - '0');
        }
        return PIN_OK;
    }
    if (is_apex && strcmp(row.type, "NS") == 0) {
        return PIN_OK;
    }
    return add_row(sheet, &row, why);
}

/* Whether the text begins with our line for that zone; leaves *text behind it. */
static bool take_header(char **text, const char *zone)
{
    size_t zone_bytes = strlen(zone);
    char *at = *text;
    if (strncmp(at, HEADER, sizeof(HEADER) - 1) != 0) {
        return false;
    }
    at += sizeof(HEADER) - 1;
    if (strncmp(at, zone, zone_bytes) != 0 || at[zone_bytes] != '\n') {
        return false;
    }
    *text = at + zone_bytes + 1;
    return true;
}

enum pin_err pin_zonesheet_read(const char *zone, const char *text, size_t bytes,
    struct pin_zonesheet *ret_sheet, struct pin_why *why)
{
    struct pin_zonesheet sheet = {.arena = ret_sheet->arena};
    char *at = pin_arena_strndup(sheet.arena, text, bytes);
    if (at == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "no memory for the zone");
    }
    if (strlen(at) != bytes || !take_header(&at, zone)) {
        return pin_why_set(why, PIN_EDENIED,
            "it does not begin with '" HEADER "%s', so it is not ours: move it away", zone);
    }
    unsigned n_lines = 1;
    while (*at != '\0') {
        char *end = strchr(at, '\n');
        n_lines++;
        if (end == NULL) {
            return pin_why_set(why, PIN_EPARSE, "line %u: its end is missing", n_lines);
        }
        *end = '\0';
        enum pin_err err = at[0] == ';' || at[0] == '$' ? PIN_OK : take_line(&sheet, zone, at, why);
        if (err != PIN_OK) {
            pin_why_wrap(why, "line %u", n_lines);
            return err;
        }
        at = end + 1;
    }
    if (sheet.serial == 0) {
        return pin_why_set(why, PIN_EPARSE, "it has no SOA with a serial");
    }
    *ret_sheet = sheet;
    return PIN_OK;
}

/* --- Writing -------------------------------------------------------------------------------- */

bool pin_zonesheet_write(const struct pin_zonesheet *sheet, const struct pin_zonesheet_frame *frame,
    struct pin_text *text)
{
    uint32_t ttl_s = frame->default_ttl_s;
    pin_text_putf(text, HEADER "%s\n" REMARK ORIGIN, frame->zone);
    pin_text_putf(text, "%s %u IN SOA %s %s %u " SOA_TIMES "\n", frame->zone, ttl_s,
        frame->servers[0], frame->hostmaster, sheet->serial);
    for (size_t i = 0; i < frame->n_servers; i++) {
        pin_text_putf(text, "%s %u IN NS %s\n", frame->zone, ttl_s, frame->servers[i]);
    }
    for (size_t i = 0; i < sheet->n_sets; i++) {
        const struct pin_recordset *set = &sheet->sets[i];
        for (size_t k = 0; k < set->n_values; k++) {
            pin_text_putf(text, "%s %u IN %s ", set->name, set->ttl_s, set->type);
            pin_text_puts(text, set->values[k].text);
            pin_text_putc(text, '\n');
        }
    }
    return !text->failed;
}

/* --- Changing ------------------------------------------------------------------------------- */

/* PIN_OK; PIN_EINVAL for what cannot be written at all; PIN_ENOMEM. */
static enum pin_err check_set(
    const struct pin_zonesheet_frame *frame, const struct pin_recordset *set, struct pin_why *why)
{
    struct pin_name zone;
    struct pin_name name;
    if (set == NULL) {
        return pin_why_set(why, PIN_EINVAL, "an edit of nothing");
    }
    uint16_t type = pin_rdata_type(set->type);
    if (pin_name_parse(frame->zone, &zone) != PIN_OK || pin_name_parse(set->name, &name) != PIN_OK
        || !pin_name_is_below(&name, &zone)) {
        return pin_why_set(why, PIN_EINVAL, "'%.200s' is not in this zone", set->name);
    }
    if (!pin_rdata_has_form(type) || type == PIN_TYPE_SOA
        || (type == PIN_TYPE_NS && name.bytes == zone.bytes)) {
        return pin_why_set(
            why, PIN_EINVAL, "records of type %.20s are not written there", set->type);
    }
    if (set->set_id[0] != '\0' || set->n_values == 0
        || (type == PIN_TYPE_CNAME && set->n_values > 1)) {
        return pin_why_set(why, PIN_EINVAL, "%zu values of type %.20s, set identifier '%.60s'",
            set->n_values, set->type, set->set_id);
    }
    for (size_t i = 0; i < set->n_values; i++) {
        enum pin_err err = check_value(set->type, set->values[i].text);
        if (err != PIN_OK) {
            return pin_why_set(why, err == PIN_ENOMEM ? err : PIN_EINVAL,
                "'%.200s' is no value of type %.20s", set->values[i].text, set->type);
        }
    }
    return PIN_OK;
}

/* Whether the change takes that set away. */
static bool takes_away(const struct pin_provider_change *change, const struct pin_recordset *set)
{
    for (size_t i = 0; i < change->n_edits; i++) {
        const struct pin_recordset *was = change->edits[i].was;
        if (was != NULL && strcmp(was->name, set->name) == 0 && strcmp(was->type, set->type) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether other sets of the name leave room: a CNAME stands alone. */
static bool has_room(const struct pin_zonesheet *sheet, const struct pin_provider_change *change,
    const struct pin_recordset *will)
{
    bool is_there = false;
    bool is_cname = strcmp(will->type, "CNAME") == 0;
    for (size_t i = place_of(sheet, will->name, "", &is_there);
         i < sheet->n_sets && strcmp(sheet->sets[i].name, will->name) == 0; i++) {
        const struct pin_recordset *other = &sheet->sets[i];
        bool is_same = strcmp(other->type, will->type) == 0;
        if (!is_same && (is_cname || strcmp(other->type, "CNAME") == 0)
            && !takes_away(change, other)) {
            return false;
        }
    }
    return true;
}

/* Whether the zone is as the edit expects. */
static bool is_as_expected(const struct pin_zonesheet *sheet,
    const struct pin_provider_change *change, const struct pin_provider_edit *edit)
{
    bool is_there = false;
    if (edit->was != NULL) {
        size_t at = place_of(sheet, edit->was->name, edit->was->type, &is_there);
        return is_there && pin_recordset_same_values(&sheet->sets[at], edit->was)
               && (edit->will == NULL || has_room(sheet, change, edit->will));
    }
    if (edit->will == NULL) {
        return false;
    }
    (void)place_of(sheet, edit->will->name, edit->will->type, &is_there);
    return !is_there && has_room(sheet, change, edit->will);
}

bool pin_zonesheet_apply(struct pin_zonesheet *sheet, const struct pin_zonesheet_frame *frame,
    const struct pin_provider_change *change, enum pin_provider_verdict *ret_verdict,
    struct pin_why *why)
{
    for (size_t i = 0; i < change->n_edits; i++) {
        const struct pin_provider_edit *edit = &change->edits[i];
        enum pin_err err = check_set(frame, edit->will != NULL ? edit->will : edit->was, why);
        if (err != PIN_OK) {
            *ret_verdict = PIN_PROVIDER_REFUSED;
            return err != PIN_ENOMEM;
        }
    }
    for (size_t i = 0; i < change->n_edits; i++) {
        if (!is_as_expected(sheet, change, &change->edits[i])) {
            (void)pin_why_set(why, PIN_EEXISTS, "the zone is not as it was listed");
            *ret_verdict = PIN_PROVIDER_CONFLICT;
            return true;
        }
    }
    *ret_verdict = PIN_PROVIDER_APPLIED;
    for (size_t i = 0; i < change->n_edits; i++) {
        if (change->edits[i].was != NULL) {
            remove_set(sheet, change->edits[i].was);
        }
    }
    for (size_t i = 0; i < change->n_edits; i++) {
        const struct pin_recordset *will = change->edits[i].will;
        struct pin_recordset set = will == NULL ? (struct pin_recordset){0} : *will;
        set.ttl_s = set.ttl_s == 0 ? frame->default_ttl_s : set.ttl_s;
        if (will != NULL && !put_set(sheet, &set)) {
            return false;
        }
    }
    return true;
}
