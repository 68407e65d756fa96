/* SPDX-License-Identifier: Apache-2.0 */

/* The options of `writeBack:`. */

#include "resolver/config.h"
#include "resolver/config_options.h"

#define IN_CONFIG(field) offsetof(struct pin_config, field)
#define SWITCH(name, field, text)                                                                  \
    {                                                                                              \
        .key = (name), .kind = PIN_OPTION_BOOL, .offset = IN_CONFIG(writes.field),                 \
        .fallback = "false", .doc = (text)                                                         \
    }

static const struct pin_option lease_options[] = {
    {.key = "namespace",
        .kind = PIN_OPTION_LABEL,
        .offset = IN_CONFIG(lease_namespace),
        .fallback = "pintle-system",
        .doc = "Namespace of the Lease, in every cluster that is written to."},
    {.key = "name",
        .kind = PIN_OPTION_LABEL,
        .offset = IN_CONFIG(lease_name),
        .fallback = "pintle-writer",
        .doc = "Its name; daemons that share the work have the same."},
    {.key = NULL},
};

const struct pin_option pin_write_options[] = {
    SWITCH("annotations", annotations, "Assigned names as annotations of routes."),
    SWITCH("latticeAnnotation", lattice, "The same by the AWS controller's annotation."),
    SWITCH("mcs", mcs,
        "ServiceImports, derived Services and mirrored EndpointSlices of what is exported."),
    SWITCH("status", status,
        "Conditions of ServiceExports, of ServiceImports made by mcs, of Gateways of a class of "
        "ours, and of routes that come to them."),
    SWITCH("events", events,
        "Events on routes and exports: a hostname that is another's, an export that is not valid "
        "or differs, an annotation that cannot be used; and, from the daemon that keeps "
        "`records`, on the objects they come from: RecordReady, RecordDeleted, RecordError."),
    SWITCH("cleanup", cleans,
        "Takes away what is switched off; every other switch that is on does so, too."),
    {.key = "lease",
        .kind = PIN_OPTION_MAP,
        .children = lease_options,
        .doc = "The Lease that makes one daemon the writer of a cluster."},
    {.key = NULL},
};
