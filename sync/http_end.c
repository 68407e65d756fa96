/* SPDX-License-Identifier: Apache-2.0 */

/* What the end of a request is called, counted as, and says. */

#include "http_end.h"

#include <stdio.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/json.h"
#include "pintle/base/tree.h"

#include "protobuf.h"

/* The `message` of a Status object, or the line of the answer that matters, or its first. */
void pin__http_read_message(const struct pin_text *body, char out[PIN_HTTP_MESSAGE_BYTES])
{
    struct pin_tree *tree = NULL;
    struct pin_arena *arena = pin_arena_new("error answer", (size_t)1 << 20);
    const char *text = pin_text_get(body);
    if (arena != NULL
        && (pin_protobuf_status(text, body->len, arena, &tree, NULL) == PIN_OK
            || pin_json_parse(text, body->len, arena, &tree, NULL) == PIN_OK)) {
        text = pin_tree_string(tree, "message", "");
    } else if (strstr(text, "\n[-]") != NULL) { /* the first check of /livez that failed */
        text = strstr(text, "\n[-]") + 1;
    }
    (void)snprintf(out, PIN_HTTP_MESSAGE_BYTES, "%.*s", (int)strcspn(text, "\r\n"), text);
    pin_arena_free(arena);
}

const char *pin_http_fault_text(enum pin_http_fault fault)
{
    static const char *const texts[] = {
        [PIN_HTTP_RESOLVE] = "resolve",
        [PIN_HTTP_REFUSED] = "refused",
        [PIN_HTTP_CLOSED] = "closed",
        [PIN_HTTP_TIMEOUT] = "timeout",
        [PIN_HTTP_CERT_NAME] = "certificate",
        [PIN_HTTP_CERT] = "certificate",
        [PIN_HTTP_CERT_TIME] = "certificate",
        [PIN_HTTP_OWN_CERT] = "own-certificate",
        [PIN_HTTP_TLS] = "tls",
        [PIN_HTTP_OTHER] = "other",
    };
    return texts[fault];
}

void pin__http_count(struct pin_sync_outcome *rows, const struct pin_http_result *result)
{
    const char *fault = pin_http_fault_text(result->fault);
    int status = fault == NULL ? result->status : 0;
    for (size_t i = 0; rows != NULL && i < PIN_SYNC_OUTCOMES; i++) {
        bool is_same =
            rows[i].status == status
            && (fault == NULL ? rows[i].fault == NULL
                              : rows[i].fault != NULL && strcmp(rows[i].fault, fault) == 0);
        if (rows[i].n == 0 || is_same) {
            rows[i].fault = fault;
            rows[i].status = status;
            rows[i].n++;
            return;
        }
    }
}
