/* SPDX-License-Identifier: Apache-2.0 */

/* Rows of a slice, read from its columns. */

#include "pintle/zones/slice.h"

#include <stdio.h>

struct pin_ip pin_slice_ip(const struct pin_slice_body *body, size_t row)
{
    size_t bytes = body->family == 4 ? 4 : 16;
    return pin_ip_from_bytes(body->ips + row * bytes, body->family);
}

const char *pin_slice_hostname(const struct pin_slice_body *body, size_t row)
{
    return body->hostnames == NULL ? NULL : body->hostnames[row];
}

const char *pin_slice_zone(const struct pin_slice_body *body, size_t row)
{
    uint16_t zone = body->zone_of == NULL ? 0 : body->zone_of[row];
    return zone == 0 ? NULL : body->zones[zone - 1];
}

const char *pin_slice_hints(const struct pin_slice_body *body, size_t row)
{
    return body->hints == NULL ? NULL : body->hints[row];
}

bool pin_slice_pod(const struct pin_slice_body *body, size_t row, char out[PIN_POD_NAME_MAX])
{
    uint32_t at = body->pod_of == NULL ? PIN_SLICE_POD_NONE : body->pod_of[row];
    out[0] = '\0';
    if (at == PIN_SLICE_POD_NONE) {
        return false;
    }
    (void)snprintf(out, PIN_POD_NAME_MAX, "%s%s", body->pod_prefix, body->pod_texts + at);
    return true;
}
