/* SPDX-License-Identifier: Apache-2.0 */

/* Why pintled does not start. */

#include "resolver/refuse.h"

#include <stdio.h>

#include "pintle/base/text.h"

enum pin_exit pin_refuse_findings(struct pin_findings *findings)
{
    enum pin_exit exit_code = findings->n_usage > 0 ? PIN_EXIT_USAGE : PIN_EXIT_FAILED;
    (void)fputs(pin_findings_text(findings), stderr);
    pin_findings_done(findings);
    return exit_code;
}

enum pin_exit pin_refuse_no_clusters(void)
{
    struct pin_text text = {0};
    pin_text_puts(&text, "pintled: no clusters were named. One of these:\n");
    pin_args_ways(&text);
    (void)fputs(pin_text_get(&text), stderr);
    pin_text_done(&text);
    return PIN_EXIT_USAGE;
}
