/* SPDX-License-Identifier: Apache-2.0 */

/* Findings as JSON. */

#include "resolver/analysis_json.h"

#include <stdio.h>

#include "pintle/base/clock.h"
#include "pintle/base/jsonout.h"

/* Where the section of a code is: GitHub's anchor of its heading, in small letters. */
static void put_doc(struct pin_jsonout *json, const char *code)
{
    char anchor[16] = "";
    for (size_t i = 0; code[i] != '\0' && i + 1 < sizeof(anchor); i++) {
        bool is_capital = code[i] >= 'A' && code[i] <= 'Z';
        anchor[i] = (char)(is_capital ? code[i] - 'A' + 'a' : code[i]);
    }
    char doc[64];
    (void)snprintf(doc, sizeof(doc), "docs/codes.md#%s", anchor);
    pin_jsonout_key_string(json, "doc", doc);
}

static void put_code(struct pin_jsonout *json, const struct pin_finding_code *code, const char *fix)
{
    pin_jsonout_key_string(json, "code", code->code);
    pin_jsonout_key_string(json, "severity", pin_severity_text(code->severity));
    put_doc(json, code->code);
    pin_jsonout_key_string(json, "fix", fix[0] != '\0' ? fix : code->fix);
}

static void put_said(struct pin_jsonout *json, const char *key, const char *value)
{
    if (value[0] != '\0') {
        pin_jsonout_key_string(json, key, value);
    }
}

static void put_place(struct pin_jsonout *json, const struct pin_finding_place *place)
{
    if (place->file != NULL) {
        pin_jsonout_key_string(json, "file", place->file);
    }
    if (place->file != NULL && place->line > 0) {
        pin_jsonout_key_uint(json, "line", place->line);
    }
    if (place->detail != NULL) {
        pin_jsonout_key_string(json, "detail", place->detail);
    }
    if (place->since_wall_ms > 0) {
        int64_t age_ms = pin_clock_wall_ms() - place->since_wall_ms;
        pin_jsonout_key_micro_time(json, "since", place->since_wall_ms);
        pin_jsonout_key_int(json, "ageSeconds", age_ms > 0 ? age_ms / 1000 : 0);
    }
}

static void put_item(const struct pin_analysis_report *report, const struct pin_finding *item,
    struct pin_jsonout *json)
{
    struct pin_finding_place place = {0};
    if (report->place != NULL) {
        place = report->place(report->arg, item);
    }
    pin_jsonout_object(json);
    put_code(json, &pin_finding_codes[item->id], place.fix);
    put_said(json, "cluster", item->cluster);
    put_said(json, "kind", item->kind);
    put_said(json, "namespace", item->namespace_name);
    put_said(json, "name", item->name);
    put_said(json, "about", item->about);
    pin_jsonout_key_string(json, "message", item->message);
    put_place(json, &place);
    pin_jsonout_end(json);
}

void pin_analysis_put_json(const struct pin_analysis_report *report, struct pin_text *out)
{
    const struct pin_analysis *analysis = report->analysis;
    struct pin_jsonout json = pin_jsonout_init(out);
    pin_jsonout_object(&json);
    pin_jsonout_key_string(&json, "mode", report->mode);
    pin_jsonout_key_uint(&json, "clusters", report->n_clusters);
    pin_jsonout_key_uint(&json, "objects", report->n_objects);
    pin_jsonout_key(&json, "counts");
    pin_jsonout_object(&json);
    for (int severity = PIN_SEVERITY_MAX - 1; severity >= 0; severity--) {
        pin_jsonout_key_uint(
            &json, pin_severity_text((enum pin_severity)severity), analysis->n_of[severity]);
    }
    pin_jsonout_end(&json);
    pin_jsonout_key_uint(&json, "leftOut", analysis->n_left_out);
    pin_jsonout_key(&json, "items");
    pin_jsonout_array(&json);
    for (size_t i = 0; i < analysis->n; i++) {
        put_item(report, &analysis->items[i], &json);
    }
    pin_jsonout_end(&json);
    pin_jsonout_end(&json);
    pin_text_putc(out, '\n');
}

void pin_finding_codes_put_json(struct pin_text *out)
{
    struct pin_jsonout json = pin_jsonout_init(out);
    pin_jsonout_object(&json);
    pin_jsonout_key(&json, "items");
    pin_jsonout_array(&json);
    for (size_t i = 0; i < PIN_FINDING_MAX; i++) {
        pin_jsonout_object(&json);
        put_code(&json, &pin_finding_codes[i], "");
        pin_jsonout_key_string(&json, "title", pin_finding_codes[i].title);
        pin_jsonout_end(&json);
    }
    pin_jsonout_end(&json);
    pin_jsonout_end(&json);
    pin_text_putc(out, '\n');
}
