/* SPDX-License-Identifier: Apache-2.0 */

/* What of a configuration is not shown. */

#include <string.h>

#include "resolver/config_show.h"

#define MASK "***"

void pin_config_mask_url(struct pin_text *text, const char *value)
{
    const char *host = strstr(value, "://");
    host = host == NULL ? value : host + 3;
    size_t user = strcspn(host, "/?#");
    const char *at = memrchr(host, '@', user);
    if (at == NULL || host == value) {
        pin_text_puts(text, value);
        return;
    }
    pin_text_putn(text, value, (size_t)(host - value));
    pin_text_puts(text, MASK);
    pin_text_puts(text, at);
}

void pin_config_mask_argument(struct pin_text *text, const char *value)
{
    bool is_placed = strcmp(value, "{address}") == 0 || strcmp(value, "{port}") == 0;
    bool is_flag = value[0] == '-' && (value[1] == '-' || strlen(value) <= 2);
    size_t name = strcspn(value, "=");
    if (is_flag) {
        pin_text_putn(text, value, name);
        pin_text_puts(text, value[name] == '=' ? "=" MASK : "");
    } else {
        pin_text_puts(text, is_placed ? value : MASK);
    }
}
