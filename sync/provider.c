/* SPDX-License-Identifier: Apache-2.0 */

/* What all providers share: the words for how things ended. */

#include "provider.h"

#include <string.h>

#include "pintle/base/macros.h"

const char *pin_provider_fault_text(enum pin_provider_fault fault)
{
    static const char *const texts[] = {
        [PIN_PROVIDER_NONE] = "none",
        [PIN_PROVIDER_UNREACHABLE] = "unreachable",
        [PIN_PROVIDER_DENIED] = "denied",
        [PIN_PROVIDER_THROTTLED] = "throttled",
        [PIN_PROVIDER_NO_ZONE] = "no-zone",
        [PIN_PROVIDER_MALFORMED] = "malformed",
        [PIN_PROVIDER_TOO_LARGE] = "too-large",
        [PIN_PROVIDER_FAILED] = "failed",
        [PIN_PROVIDER_MEMORY] = "memory",
    };
    return texts[fault];
}

const char *pin_provider_verdict_text(enum pin_provider_verdict verdict)
{
    static const char *const texts[] = {
        [PIN_PROVIDER_RETRY] = "retry",
        [PIN_PROVIDER_APPLIED] = "applied",
        [PIN_PROVIDER_REFUSED] = "refused",
        [PIN_PROVIDER_CONFLICT] = "conflict",
        [PIN_PROVIDER_UNKNOWN] = "unknown",
    };
    return texts[verdict];
}

void pin_provider_limit_to_dns(struct pin_provider_limits *ret_limits)
{
    static const char *const types[] = {"A", "AAAA", "CAA", "CNAME", "DNAME", "DS", "MX", "NAPTR",
        "NS", "PTR", "SPF", "SRV", "SSHFP", "TLSA", "TXT", "URI"};
    *ret_limits = (struct pin_provider_limits){.types = types, .n_types = N_ELEMS(types)};
}
