/* SPDX-License-Identifier: Apache-2.0 */

/* The codes of findings, and the list that findings are kept in. */

#include "pintle/zones/finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BYTES_MAX ((size_t)16 << 20)
#define MESSAGE_MAX     1024

const struct pin_finding_code pin_finding_codes[PIN_FINDING_MAX] = {
    [PIN_FINDING_NO_SERVICE] = {"PTL0101", PIN_SEVERITY_ERROR, "a backend's Service does not exist",
        "create the Service in the route's cluster, or correct the name in backendRefs"},
    [PIN_FINDING_NO_IMPORT] = {"PTL0102", PIN_SEVERITY_ERROR,
        "a backend's ServiceImport does not exist",
        "create the ServiceImport in the route's cluster, or correct the name in backendRefs"},
    [PIN_FINDING_NO_EXPORT] = {"PTL0103", PIN_SEVERITY_ERROR, "no cluster exports a backend",
        "create a ServiceExport of that namespace and name in a cluster that has the Service"},
    [PIN_FINDING_NOT_PERMITTED] = {"PTL0104", PIN_SEVERITY_ERROR,
        "a backend in another namespace is not permitted",
        "create a ReferenceGrant in the backend's namespace that lets this kind of route from the "
        "route's namespace refer to it"},
    [PIN_FINDING_BACKEND_NOT_READY] = {"PTL0105", PIN_SEVERITY_WARNING,
        "a backend has no ready endpoint",
        "look at its Pods and their readiness; until then the other backends take its share"},
    [PIN_FINDING_ALL_ZERO] = {"PTL0106", PIN_SEVERITY_ERROR,
        "every weight of a route or a shared Service is 0",
        "give at least one backend, or the Service in one cluster, a weight above 0"},
    [PIN_FINDING_NO_PORT] = {"PTL0107", PIN_SEVERITY_WARNING, "a backend has no such port",
        "correct the port in backendRefs, or add it to the Service"},
    [PIN_FINDING_NO_ADDRESS] = {"PTL0108", PIN_SEVERITY_WARNING,
        "a backend is of a kind that has no address",
        "refer to a Service with a selector, or to a ServiceImport"},
    [PIN_FINDING_NO_GATEWAY] = {"PTL0109", PIN_SEVERITY_WARNING, "a route's Gateway does not exist",
        "create the Gateway, or correct the name or namespace in parentRefs"},
    [PIN_FINDING_NOT_ACCEPTED] = {"PTL0110", PIN_SEVERITY_WARNING,
        "no listener of its Gateway takes a route",
        "change sectionName, port or hostnames of the route, or allowedRoutes of the listener"},
    [PIN_FINDING_GATEWAY_NO_ADDRESS] = {"PTL0111", PIN_SEVERITY_ERROR,
        "a route that needs its Gateways finds no address there",
        "a name cannot choose by path, header or method: let the Gateway get an address, or add a "
        "rule without matches"},
    [PIN_FINDING_NO_BACKEND] = {"PTL0112", PIN_SEVERITY_ERROR, "a route has no backend",
        "add backendRefs to its first rule without path, header or method match"},
    [PIN_FINDING_NO_SLICE] = {"PTL0201", PIN_SEVERITY_WARNING,
        "a shared Service has no EndpointSlice",
        "give the Service a selector, or write an EndpointSlice with the label "
        "kubernetes.io/service-name"},
    [PIN_FINDING_NO_ENDPOINT] = {"PTL0202", PIN_SEVERITY_WARNING,
        "a shared Service has no endpoint",
        "see that there are Pods (replicas above 0), and compare the Service's selector with their "
        "labels"},
    [PIN_FINDING_NOT_READY] = {"PTL0203", PIN_SEVERITY_WARNING,
        "a shared Service has no ready endpoint", "look at its Pods and their readiness probes"},
    [PIN_FINDING_EXPORT_NO_SERVICE] = {"PTL0204", PIN_SEVERITY_ERROR, "an export has no Service",
        "create the Service of the export's namespace and name in the same cluster, or remove the "
        "export"},
    [PIN_FINDING_EXPORTS_DIFFER] = {"PTL0205", PIN_SEVERITY_WARNING,
        "clusters export different Services under one name",
        "make ports, type and sessionAffinity of the Services the same; until then the oldest "
        "export decides"},
    [PIN_FINDING_PORTS_DIFFER] = {"PTL0206", PIN_SEVERITY_WARNING,
        "askers see endpoints on whose ports the Service does not listen",
        "make port and targetPort the same, set clusterIPs: routable on the network, or let "
        "clients ask SRV"},
    [PIN_FINDING_NO_TARGET_PORT] = {"PTL0207", PIN_SEVERITY_WARNING,
        "a port of a shared Service leads to no port of its endpoints",
        "correct targetPort: when it is a name, a container port of the Pods must have it"},
    [PIN_FINDING_IMPORT_NO_EXPORT] = {"PTL0208", PIN_SEVERITY_WARNING,
        "nobody exports what a ServiceImport stands for",
        "create the ServiceExport in the cluster that has the Service, or remove the import"},
    [PIN_FINDING_EXPORT_ALIAS] = {"PTL0209", PIN_SEVERITY_WARNING,
        "a Service of type ExternalName cannot be exported",
        "export a Service with endpoints, or write the alias as a DNSEndpoint"},
    [PIN_FINDING_HOST_OUTSIDE] = {"PTL0301", PIN_SEVERITY_WARNING,
        "a hostname lies in no zone that is answered",
        "add its zone to zones.custom or to an entry of records, or correct the hostname"},
    [PIN_FINDING_HOST_TAKEN] = {"PTL0302", PIN_SEVERITY_WARNING,
        "a hostname belongs to another object",
        "remove the hostname from one of the two: the oldest object has it"},
    [PIN_FINDING_HOST_STATIC] = {"PTL0303", PIN_SEVERITY_WARNING,
        "a hostname is in the zone's file",
        "remove the hostname from the route, or the name from the zone's file"},
    [PIN_FINDING_NO_NS_ADDRESS] = {"PTL0304", PIN_SEVERITY_INFO,
        "a zone's name server has no address",
        "say dns.addresses where resolvers are to reach the zone by delegation, or name servers "
        "elsewhere in dns.ns"},
    [PIN_FINDING_CLUSTER_UNSEEN] = {"PTL0401", PIN_SEVERITY_ERROR,
        "a cluster has never been listed",
        "let 'pintlectl clusters check' ask its API server what is missing"},
    [PIN_FINDING_CLUSTER_STALE] = {"PTL0402", PIN_SEVERITY_WARNING, "a cluster is out of reach",
        "let 'pintlectl clusters check' tell why; its last known state is served meanwhile"},
    [PIN_FINDING_LIST_HELD] = {"PTL0403", PIN_SEVERITY_WARNING,
        "a cluster's list names far less than before and is not believed yet",
        "wait for the second list half a minute later, or look at what was deleted"},
    [PIN_FINDING_TOO_MANY] = {"PTL0404", PIN_SEVERITY_ERROR,
        "a cluster has more objects than are read", "raise maxObjects, or give that cluster less"},
    [PIN_FINDING_NO_WAY_IN] = {"PTL0405", PIN_SEVERITY_WARNING,
        "other networks cannot reach the endpoints of a network",
        "give the network gateways, or the Services load-balancer addresses"},
    [PIN_FINDING_WAY_UNKNOWN] = {"PTL0406", PIN_SEVERITY_WARNING,
        "no address is known of a network's gateways",
        "look at the objects or host names that gateways: names"},
    [PIN_FINDING_RANGES_OVERLAP] = {"PTL0407", PIN_SEVERITY_WARNING,
        "an address range belongs to two clusters",
        "give the clusters ranges that differ, or a listener each: askers from there are unknown"},
    [PIN_FINDING_CLUSTER_PARTIAL] = {"PTL0408", PIN_SEVERITY_ERROR,
        "a part of a cluster cannot be read",
        "mend what its source tells; 'pintlectl clusters show' has each kind"},
    [PIN_FINDING_POLICY_UNREADABLE] = {"PTL0501", PIN_SEVERITY_ERROR,
        "a policy cannot be read and refuses everybody",
        "correct its rules: conditions on cluster, namespace and source address are understood"},
    [PIN_FINDING_POLICY_NOBODY] = {"PTL0502", PIN_SEVERITY_ERROR, "nobody can satisfy a policy",
        "let one of its Allow statements name a cluster that this daemon knows"},
    [PIN_FINDING_POLICY_NO_TARGET] = {"PTL0503", PIN_SEVERITY_WARNING, "a policy guards nothing",
        "correct kind and name of its target: it lies in the policy's own namespace"},
    [PIN_FINDING_ANNOTATION_VALUE] = {"PTL0601", PIN_SEVERITY_WARNING,
        "an annotation has a value that cannot be used", "write one of the values that are named"},
    [PIN_FINDING_ANNOTATION_UNKNOWN] = {"PTL0602", PIN_SEVERITY_WARNING,
        "an annotation of ours does not exist", "correct its name, or remove it"},
    [PIN_FINDING_ANNOTATION_CLUSTER] = {"PTL0603", PIN_SEVERITY_WARNING,
        "an affinity names a cluster that is not known",
        "write names as `pintlectl clusters list` has them"},
    [PIN_FINDING_RECORD_OUTSIDE] = {"PTL0701", PIN_SEVERITY_WARNING,
        "a DNSEndpoint's name lies in no zone that is answered",
        "add its zone to zones.custom or to an entry of records, or correct the name"},
    [PIN_FINDING_RECORD_REFUSED] = {"PTL0702", PIN_SEVERITY_WARNING,
        "a record of a DNSEndpoint cannot be served", "correct its type or its targets"},
    [PIN_FINDING_FILE_UNREAD] = {"PTL0801", PIN_SEVERITY_ERROR, "a manifest cannot be read",
        "correct the file: nothing of it counts until it can be read as a whole"},
    [PIN_FINDING_OBJECT_TWICE] = {"PTL0802", PIN_SEVERITY_WARNING,
        "two manifests hold the same object",
        "remove one of them: the file whose name sorts first counts"},
    [PIN_FINDING_NOTHING_READ] = {"PTL0803", PIN_SEVERITY_WARNING, "no object was read",
        "name a file or a directory with *.yaml, *.yml or *.json"},
    [PIN_FINDING_CONFIG] = {"PTL0804", PIN_SEVERITY_ERROR, "the configuration has a mistake",
        "correct it: pintled would refuse to start"},
    [PIN_FINDING_NOT_LOOKED_AT] = {"PTL0805", PIN_SEVERITY_INFO,
        "a cluster was left out because only a daemon can ask it",
        "let the running daemon look: 'pintlectl analyze --live'"},
    [PIN_FINDING_RESOLVER_SILENT] = {"PTL0901", PIN_SEVERITY_WARNING,
        "a resolver that names are forwarded to does not answer",
        "check its address in forward, and that the network lets questions through to it"},
    [PIN_FINDING_RESOLVER_LOOP] = {"PTL0902", PIN_SEVERITY_ERROR,
        "a resolver sends forwarded questions back",
        "forward to a resolver that does not ask this server, or keep it from doing so"},
};

const char *pin_severity_text(enum pin_severity severity)
{
    static const char *const texts[PIN_SEVERITY_MAX] = {
        [PIN_SEVERITY_INFO] = "info",
        [PIN_SEVERITY_WARNING] = "warning",
        [PIN_SEVERITY_ERROR] = "error",
    };
    return texts[severity];
}

/* --- the list --------------------------------------------------------------------------------- */

/* NULL when memory is out. */
static const char *copy(struct pin_analysis *analysis, const char *text)
{
    if (text == NULL || text[0] == '\0') {
        return "";
    }
    const char *kept = pin_arena_strdup(analysis->arena, text);
    analysis->is_out_of_memory = analysis->is_out_of_memory || kept == NULL;
    return kept;
}

/* Makes room for the first one. */
static bool begin(struct pin_analysis *analysis)
{
    if (analysis->arena == NULL) {
        analysis->arena = pin_arena_new("analysis", ARENA_BYTES_MAX);
    }
    if (analysis->arena != NULL && analysis->items == NULL) {
        analysis->items =
            pin_arena_alloc(analysis->arena, PIN_ANALYSIS_MAX * sizeof(*analysis->items));
    }
    return analysis->items != NULL;
}

void pin_analysis_add(
    struct pin_analysis *analysis, const struct pin_finding *finding, const char *fmt, ...)
{
    char message[MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    analysis->n_of[pin_finding_codes[finding->id].severity]++;
    if (analysis->n == PIN_ANALYSIS_MAX) {
        analysis->n_left_out++;
        return;
    }
    if (!begin(analysis)) {
        analysis->is_out_of_memory = true;
        return;
    }
    struct pin_finding kept = {.id = finding->id,
        .cluster = copy(analysis, finding->cluster),
        .kind = copy(analysis, finding->kind),
        .namespace_name = copy(analysis, finding->namespace_name),
        .name = copy(analysis, finding->name),
        .about = copy(analysis, finding->about),
        .message = copy(analysis, message)};
    if (!analysis->is_out_of_memory) {
        analysis->items[analysis->n++] = kept;
    }
}

static int compare(const void *a, const void *b)
{
    const struct pin_finding *x = a;
    const struct pin_finding *y = b;
    int severities =
        (int)pin_finding_codes[y->id].severity - (int)pin_finding_codes[x->id].severity;
    int orders[] = {severities, (x->id > y->id) - (x->id < y->id), strcmp(x->cluster, y->cluster),
        strcmp(x->namespace_name, y->namespace_name), strcmp(x->name, y->name),
        strcmp(x->kind, y->kind), strcmp(x->about, y->about), strcmp(x->message, y->message)};
    for (size_t i = 0; i < N_ELEMS(orders); i++) {
        if (orders[i] != 0) {
            return orders[i];
        }
    }
    return 0;
}

void pin_analysis_sort(struct pin_analysis *analysis)
{
    size_t n = 0;
    if (analysis->n > 1) {
        qsort(analysis->items, analysis->n, sizeof(*analysis->items), compare);
    }
    for (size_t i = 0; i < analysis->n; i++) {
        const struct pin_finding *item = &analysis->items[i];
        if (n > 0 && compare(item, &analysis->items[n - 1]) == 0) {
            analysis->n_of[pin_finding_codes[item->id].severity]--;
        } else {
            analysis->items[n++] = *item;
        }
    }
    analysis->n = n;
}

void pin_analysis_done(struct pin_analysis *analysis)
{
    pin_arena_free(analysis->arena);
    *analysis = (struct pin_analysis){0};
}
