/* SPDX-License-Identifier: Apache-2.0 */

/* Why pintled does not start. */

#include "resolver/refuse.h"

#include <stdio.h>
#include <string.h>

#include "pintle/base/log.h"
#include "pintle/base/text.h"

/* To standard error; to the journal as errors, one for each line. */
static void print(const char *text)
{
    if (!pin_log_is_journal()) {
        (void)fputs(text, stderr);
        return;
    }
    for (size_t bytes = 0; *text != '\0'; text += bytes + (text[bytes] == '\n' ? 1 : 0)) {
        bytes = strcspn(text, "\n");
        pin_log_write(NULL, PIN_LOG_ERROR, "%.*s", (int)bytes, text);
    }
}

enum pin_exit pin_refuse_findings(struct pin_findings *findings)
{
    enum pin_exit exit_code = findings->n_usage > 0 ? PIN_EXIT_USAGE : PIN_EXIT_FAILED;
    print(pin_findings_text(findings));
    pin_findings_done(findings);
    return exit_code;
}

enum pin_exit pin_refuse_no_clusters(void)
{
    struct pin_text text = {0};
    pin_text_puts(&text, "pintled: no clusters were named. One of these:\n");
    pin_args_ways(&text);
    print(pin_text_get(&text));
    pin_text_done(&text);
    return PIN_EXIT_USAGE;
}
