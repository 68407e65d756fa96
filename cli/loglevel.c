/* SPDX-License-Identifier: Apache-2.0 */

/* pintlectl log level: shows and changes how much the daemon logs. */

#include <stdio.h>
#include <string.h>

#include "cli/api.h"
#include "cli/clusters.h"
#include "cli/emit.h"

#define PATH "/api/v1/log"

/* "debug for 10m, then info" */
static void show(const struct pin_tree *tree)
{
    const char *level = pin_tree_string(tree, "level", "?");
    const char *configured = pin_tree_string(tree, "configured", "?");
    long long left_s = pin_tree_int(tree, "secondsLeft", -1);
    struct pin_text text = {0};
    pin_text_puts(&text, level);
    if (left_s >= 0) {
        pin_text_puts(&text, " for ");
        pin_clusters_put_duration(&text, left_s);
        pin_text_putf(&text, ", then %s", configured);
    } else if (strcmp(level, configured) != 0) {
        pin_text_putf(&text, " until the next start, then %s", configured);
    }
    (void)printf("%s\n", pin_text_get(&text));
    pin_text_done(&text);
}

enum pin_ctl_exit pin_ctl_log_level(const struct pin_ctl *ctl)
{
    struct pin_api_reply reply = {0};
    struct pin_text body = {0};
    if (ctl->n_words == 0 && ctl->duration != NULL) {
        (void)fputs("pintlectl: --for wants a LEVEL\n", stderr);
        return PIN_CTL_USAGE;
    }
    if (ctl->n_words > 0) {
        struct pin_jsonout json = pin_jsonout_init(&body);
        pin_jsonout_object(&json);
        pin_jsonout_key_string(&json, "level", ctl->words[0]);
        pin_jsonout_key_string(&json, "for", ctl->duration);
        pin_jsonout_end(&json);
    }
    enum pin_ctl_exit exit_code =
        ctl->n_words == 0 ? pin_api_fetch(ctl, PATH, &reply)
                          : pin_api_order(ctl,
                              &(struct pin_api_order){"POST", PATH, pin_text_get(&body)}, &reply);
    if (exit_code == PIN_CTL_OK && !pin_emit_reply(ctl, &reply)) {
        show(reply.tree);
    }
    pin_api_reply_done(&reply);
    pin_text_done(&body);
    return exit_code;
}
