/* SPDX-License-Identifier: Apache-2.0 */

/* From a configuration's text to a provider, as the daemon goes. */

#include "providers/open.h"

#include <string.h>

#include "pintle/sync/providers.h"

#include "resolver/app_providers.h"
#include "resolver/config.h"

enum pin_err open_provider(const struct pin_provider_tools *tools, const char *text,
    struct pin_provider **ret_provider, struct pin_why *why)
{
    const struct pin_args args = {.program = "driver"};
    struct pin_findings findings = {0};
    struct pin_provider_settings settings;
    enum pin_err err = PIN_ENOMEM;
    struct pin_config *config = pin_config_load(&args, NULL, &findings);
    if (config == NULL) {
        goto out;
    }
    pin_config_read(config, "config", text, strlen(text), &findings);
    pin_config_records(config, &findings);
    pin_config_check(config, &findings);
    if (findings.n > 0 || config->n_records != 1) {
        err = pin_why_set(why, PIN_EINVAL, "%s", pin_findings_text(&findings));
    } else if (pin_app_provider_settings(config, &config->records[0], &settings)) {
        err = pin_providers_open(tools, &settings, ret_provider, why);
    }
out:
    pin_findings_done(&findings);
    pin_config_free(config);
    return err;
}
