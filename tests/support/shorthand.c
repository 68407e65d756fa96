/* SPDX-License-Identifier: Apache-2.0 */

/* One line of a scenario to the YAML of the objects it stands for. */

#include "support/shorthand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/macros.h"

#include "support/addresses.h"

/* The options of a line, still as words. */
struct options {
    struct pin_shorthand *shorthand;
    const char *cluster;
    const char *namespace_name;
    const char *name;
    char **rest; /* words that are no option: addresses or backends */
    size_t n_rest;
    const char *ip, *ports, *lb, *created, *slice, *from, *traffic, *session;
    bool is_headless, is_external, shows_unready;
    struct pin_text annotations; /* "key": "value", ... */
};

/* Annotations with a short name. */
static const struct {
    const char *word;
    const char *annotation;
} annotation_words[] = {
    {"global", "service.cilium.io/global"},
    {"shared", "service.cilium.io/shared"},
    {"affinity", "service.cilium.io/affinity"},
    {"weight", "pintle.dev/weight"},
    {"address", "pintle.dev/address"},
    {"answers", "pintle.dev/answers"},
    {"ttl", "pintle.dev/ttl"},
};

static void annotate(struct options *o, const char *key, const char *value)
{
    pin_text_putf(
        &o->annotations, "%s\"%s\": \"%s\"", o->annotations.len > 0 ? ", " : "", key, value);
}

/* check=TCP,port=80,intervalSeconds=10: the map of pintle.dev/health-check. */
static void annotate_check(struct options *o, const char *value)
{
    struct pin_text text = {0};
    pin_text_puts(&text, "{protocol: ");
    for (const char *at = value; *at != '\0'; at++) {
        pin_text_puts(&text, *at == ',' ? ", " : *at == '=' ? ": " : "");
        if (*at != ',' && *at != '=') {
            pin_text_putc(&text, *at);
        }
    }
    pin_text_putc(&text, '}');
    annotate(o, "pintle.dev/health-check", pin_text_get(&text));
    pin_text_done(&text);
}

static bool take_annotation(struct options *o, const char *key, const char *value)
{
    if (strcmp(key, "check") == 0) {
        annotate_check(o, value);
        return true;
    }
    for (size_t i = 0; i < N_ELEMS(annotation_words); i++) {
        if (strcmp(key, annotation_words[i].word) == 0) {
            annotate(o, annotation_words[i].annotation, value);
            return true;
        }
    }
    bool is_kind = key[0] >= 'A' && key[0] <= 'Z'; /* "Kind.group/name=weight" of a route */
    if (!is_kind && strchr(key, '.') != NULL && strchr(key, '/') != NULL) {
        annotate(o, key, value);
        return true;
    }
    return false;
}

static bool take_flag(struct options *o, const char *word)
{
    if (strcmp(word, "headless") == 0) {
        o->is_headless = true;
    } else if (strcmp(word, "external") == 0) {
        o->is_external = true;
    } else if (strcmp(word, "publishNotReady") == 0) {
        o->shows_unready = true;
    } else if (strcmp(word, "global") == 0) {
        annotate(o, "service.cilium.io/global", "true");
    } else {
        return false;
    }
    return true;
}

/* Takes a word as an option; false when it is an address or a backend. */
static bool take_option(struct options *o, char *word)
{
    const struct {
        const char *key;
        const char **value;
    } keys[] = {{"ip", &o->ip}, {"ports", &o->ports}, {"lb", &o->lb}, {"created", &o->created},
        {"slice", &o->slice}, {"from", &o->from}, {"trafficDistribution", &o->traffic},
        {"sessionAffinity", &o->session}};
    char *equals = strchr(word, '=');
    if (equals == NULL) {
        return take_flag(o, word);
    }
    *equals = '\0';
    for (size_t i = 0; i < N_ELEMS(keys); i++) {
        if (strcmp(word, keys[i].key) == 0) {
            *keys[i].value = equals + 1;
            return true;
        }
    }
    if (take_annotation(o, word, equals + 1)) {
        return true;
    }
    *equals = '=';
    return false;
}

static enum pin_err read_options(
    struct options *o, char **words, size_t n_words, struct pin_why *why)
{
    char *slash = n_words > 2 ? strchr(words[2], '/') : NULL;
    if (slash == NULL) {
        return pin_why_set(why, PIN_EPARSE, "expected: %s CLUSTER NAMESPACE/NAME ...", words[0]);
    }
    *slash = '\0';
    o->cluster = words[1];
    o->namespace_name = words[2];
    o->name = slash + 1;
    o->rest = words + 3;
    for (size_t i = 3; i < n_words; i++) {
        if (!take_option(o, words[i])) {
            o->rest[o->n_rest++] = words[i];
        }
    }
    return PIN_OK;
}

/* --- parts of objects ----------------------------------------------------------------------------
 */

static void put_head(struct pin_text *yaml, const struct options *o, const char *api_version,
    const char *kind, const char *suffix, const char *labels)
{
    pin_text_putf(yaml, "---\n{apiVersion: %s, kind: %s, metadata: {namespace: %s, name: \"%s%s\"",
        api_version, kind, o->namespace_name, o->name, suffix);
    if (o->created != NULL) {
        pin_text_putf(yaml, ", creationTimestamp: \"%s\"", o->created);
    }
    pin_text_putf(
        yaml, ", labels: {%s}, annotations: {%s}}", labels, pin_text_get(&o->annotations));
}

/* "a,b" as ["a", "b"]. */
static void put_list(struct pin_text *yaml, const char *list, const char *before, const char *after)
{
    while (list != NULL && *list != '\0') {
        size_t bytes = strcspn(list, ",");
        pin_text_putf(yaml, "%s\"%.*s\"%s, ", before, (int)bytes, list, after);
        list += bytes + (list[bytes] == ',');
    }
}

/* One of "name:port>target/PROTO=APP", APP being an appProtocol. */
struct port {
    char name[64];
    char port[16];
    char target[64];
    char protocol[8];
    char app[64];
};

static const char *read_port(const char *list, struct port *ret)
{
    size_t bytes = strcspn(list, ",");
    char text[160];
    (void)snprintf(text, sizeof(text), "%.*s", (int)bytes, list);
    char *equals = strchr(text, '=');
    (void)snprintf(ret->app, sizeof(ret->app), "%.63s", equals != NULL ? equals + 1 : "");
    if (equals != NULL) {
        *equals = '\0';
    }
    char *slash = strchr(text, '/');
    (void)snprintf(ret->protocol, sizeof(ret->protocol), "%s", slash != NULL ? slash + 1 : "TCP");
    if (slash != NULL) {
        *slash = '\0';
    }
    char *colon = strchr(text, ':');
    if (colon != NULL) {
        *colon = '\0';
    }
    (void)snprintf(ret->name, sizeof(ret->name), "%.63s", colon != NULL ? text : "");
    char *number = colon != NULL ? colon + 1 : text;
    char *target = strchr(number, '>');
    if (target != NULL) {
        *target = '\0';
    }
    (void)snprintf(ret->port, sizeof(ret->port), "%.15s", number);
    (void)snprintf(ret->target, sizeof(ret->target), "%.63s", target != NULL ? target + 1 : number);
    return list + bytes + (list[bytes] == ',');
}

static void put_ports(struct pin_text *yaml, const char *list, bool has_target)
{
    pin_text_puts(yaml, "ports: [");
    while (list != NULL && *list != '\0') {
        struct port port;
        list = read_port(list, &port);
        pin_text_putf(yaml, "{port: %s, protocol: %s", port.port, port.protocol);
        if (port.name[0] != '\0') {
            pin_text_putf(yaml, ", name: \"%s\"", port.name);
        }
        if (port.app[0] != '\0') {
            pin_text_putf(yaml, ", appProtocol: \"%s\"", port.app);
        }
        if (has_target) {
            pin_text_putf(yaml, ", targetPort: %s", port.target);
        }
        pin_text_puts(yaml, "}, ");
    }
    pin_text_puts(yaml, "]");
}

/* --- services and their endpoints ----------------------------------------------------------------
 */

static void remember_ports(const struct options *o)
{
    struct pin_shorthand *s = o->shorthand;
    char key[sizeof(s->known[0].key)];
    (void)snprintf(key, sizeof(key), "%s %s/%s", o->cluster, o->namespace_name, o->name);
    size_t at = 0;
    while (at < s->n_known && strcmp(s->known[at].key, key) != 0) {
        at++;
    }
    if (at == N_ELEMS(s->known)) {
        return;
    }
    s->n_known = PIN_MAX(s->n_known, at + 1);
    memcpy(s->known[at].key, key, sizeof(key));
    struct pin_text ports = {0};
    for (const char *list = o->ports; list != NULL && *list != '\0';) {
        struct port port;
        list = read_port(list, &port);
        pin_text_putf(&ports, "%s%s%s%s/%s", ports.len > 0 ? "," : "", port.name,
            port.name[0] != '\0' ? ":" : "", port.target, port.protocol);
    }
    (void)snprintf(s->known[at].ports, sizeof(s->known[at].ports), "%s", pin_text_get(&ports));
    pin_text_done(&ports);
}

static const char *known_ports(const struct options *o)
{
    char key[sizeof(o->shorthand->known[0].key)];
    (void)snprintf(key, sizeof(key), "%s %s/%s", o->cluster, o->namespace_name, o->name);
    for (size_t i = 0; i < o->shorthand->n_known; i++) {
        if (strcmp(o->shorthand->known[i].key, key) == 0) {
            return o->shorthand->known[i].ports;
        }
    }
    return NULL;
}

/* Fields that Services and imports have in common. */
static void put_spec(struct pin_text *yaml, const struct options *o)
{
    if (o->traffic != NULL) {
        pin_text_putf(yaml, "trafficDistribution: %s, ", o->traffic);
    }
    if (o->session != NULL) {
        pin_text_putf(yaml, "sessionAffinity: %s, ", o->session);
    }
}

static void write_service(struct pin_text *yaml, const struct options *o)
{
    put_head(yaml, o, "v1", "Service", "", "");
    pin_text_puts(yaml, ", spec: {");
    put_spec(yaml, o);
    if (o->is_external) {
        pin_text_puts(yaml, "type: ExternalName, externalName: elsewhere.test, ");
    } else if (o->is_headless) {
        pin_text_puts(yaml, "clusterIP: None, ");
    } else {
        pin_text_puts(yaml, "clusterIPs: [");
        put_list(yaml, o->ip, "", "");
        pin_text_puts(yaml, "], ");
    }
    pin_text_putf(yaml, "publishNotReadyAddresses: %s, ", o->shows_unready ? "true" : "false");
    put_ports(yaml, o->ports, true);
    pin_text_puts(yaml, "}, status: {loadBalancer: {ingress: [");
    put_list(yaml, o->lb, "{ip: ", "}");
    pin_text_puts(yaml, "]}}}\n");
    remember_ports(o);
}

/* Cuts what stands behind `mark` off a text; NULL when it is not there. */
static char *cut(char *text, char mark)
{
    char *at = strchr(text, mark);
    if (at != NULL) {
        *at++ = '\0';
    }
    return at;
}

/* "ADDRESS[@hostname][%zone][^hint,hint][!notready|!terminating|!gone]"; a range is several
 * endpoints. */
static bool put_endpoints(struct pin_text *yaml, const char *word, uint8_t family)
{
    static struct pin_addresses set;
    char text[160];
    char ip[PIN_IP_TEXT_MAX];
    (void)snprintf(text, sizeof(text), "%s", word);
    const char *state = cut(text, '!');
    const char *hints = cut(text, '^');
    const char *zone = cut(text, '%');
    const char *hostname = cut(text, '@');
    set.n = 0;
    if (!pin_addresses_add_word(&set, text)) {
        return false;
    }
    const char *conditions =
        state == NULL                       ? "ready: true"
        : strcmp(state, "terminating") == 0 ? "ready: false, serving: true, terminating: true"
        : strcmp(state, "gone") == 0        ? "ready: false, serving: false, terminating: true"
        : strcmp(state, "notready") == 0    ? "ready: false, serving: false"
                                            : NULL;
    for (size_t i = 0; i < set.n && conditions != NULL && set.ip[i].family == family; i++) {
        pin_text_putf(yaml, "\n  {addresses: [\"%s\"], conditions: {%s}",
            pin_ip_format(&set.ip[i], ip), conditions);
        if (hostname != NULL) {
            pin_text_putf(yaml, ", hostname: \"%s\"", hostname);
        }
        if (zone != NULL) {
            pin_text_putf(yaml, ", zone: \"%s\"", zone);
        }
        if (hints != NULL) {
            pin_text_puts(yaml, ", hints: {forZones: [");
            put_list(yaml, hints, "{name: ", "}");
            pin_text_puts(yaml, "]}");
        }
        pin_text_puts(yaml, "},");
    }
    return conditions != NULL;
}

static enum pin_err write_slices(
    struct pin_text *yaml, const struct options *o, struct pin_why *why)
{
    char labels[512];
    const char *ports = o->ports != NULL ? o->ports : known_ports(o);
    if (o->from != NULL) {
        (void)snprintf(labels, sizeof(labels),
            "multicluster.kubernetes.io/service-name: %s, "
            "multicluster.kubernetes.io/source-cluster: %s",
            o->name, o->from);
    } else {
        (void)snprintf(labels, sizeof(labels), "kubernetes.io/service-name: %s", o->name);
    }
    for (uint8_t family = 4; family <= 6; family = (uint8_t)(family + 2)) {
        char suffix[192];
        (void)snprintf(suffix, sizeof(suffix), "-%s%s%sv%u", o->from != NULL ? o->from : "",
            o->slice != NULL ? o->slice : "", o->from != NULL || o->slice != NULL ? "-" : "",
            family);
        put_head(yaml, o, "discovery.k8s.io/v1", "EndpointSlice", suffix, labels);
        pin_text_putf(yaml, ", addressType: IPv%u, ", family);
        put_ports(yaml, ports, false);
        pin_text_puts(yaml, ", endpoints: [");
        for (size_t i = 0; i < o->n_rest; i++) {
            if (strcmp(o->rest[i], "none") != 0 && !put_endpoints(yaml, o->rest[i], family)) {
                return pin_why_set(why, PIN_EPARSE,
                    "\"%s\" is no ADDRESS[@hostname][%%zone][^hint][!notready|!terminating|!gone]",
                    o->rest[i]);
            }
        }
        pin_text_puts(yaml, "]}\n");
    }
    return PIN_OK;
}

/* --- exports, imports, routes --------------------------------------------------------------------
 */

#define MCS "multicluster.x-k8s.io"
#define AWS "application-networking.k8s.aws"

static void write_import(struct pin_text *yaml, const struct options *o)
{
    put_head(yaml, o, MCS "/v1alpha1", "ServiceImport", "", "");
    pin_text_putf(yaml, ", spec: {type: %s, ips: [", o->is_headless ? "Headless" : "ClusterSetIP");
    put_list(yaml, o->ip, "", "");
    pin_text_puts(yaml, "], ");
    put_spec(yaml, o);
    put_ports(yaml, o->ports, false);
    pin_text_puts(yaml, "}}\n");
}

/* Backends are "Kind[.group]/name[=weight]". */
static enum pin_err write_route(struct pin_text *yaml, const struct options *o, struct pin_why *why)
{
    put_head(yaml, o, "gateway.networking.k8s.io/v1", "HTTPRoute", "", "");
    pin_text_puts(yaml, ", spec: {rules: [{matches: [{path: {type: PathPrefix, value: /}}], "
                        "backendRefs: [");
    for (size_t i = 0; i < o->n_rest; i++) {
        char *slash = strchr(o->rest[i], '/');
        if (slash == NULL) {
            return pin_why_set(
                why, PIN_EPARSE, "\"%s\" is no KIND[.GROUP]/NAME[=WEIGHT]", o->rest[i]);
        }
        *slash = '\0';
        char *group = strchr(o->rest[i], '.');
        char *weight = strchr(slash + 1, '=');
        if (group != NULL) {
            *group++ = '\0';
        }
        if (weight != NULL) {
            *weight++ = '\0';
        }
        pin_text_putf(yaml, "{kind: %s, name: %s", o->rest[i], slash + 1);
        if (group != NULL) {
            pin_text_putf(yaml, ", group: %s", group);
        }
        if (weight != NULL) {
            pin_text_putf(yaml, ", weight: %s", weight);
        }
        pin_text_puts(yaml, "}, ");
    }
    pin_text_puts(yaml, "]}]}}\n");
    return PIN_OK;
}

static void write_plain(
    struct pin_text *yaml, const struct options *o, const char *api_version, const char *kind)
{
    put_head(yaml, o, api_version, kind, "", "");
    pin_text_puts(yaml, ", spec: {}}\n");
}

static enum pin_err write_verb(
    struct pin_text *yaml, const char *verb, const struct options *o, struct pin_why *why)
{
    if (strcmp(verb, "service") == 0) {
        struct options slices = *o;
        slices.ports = NULL; /* the target ports, which were just remembered */
        write_service(yaml, o);
        return o->n_rest == 0 ? PIN_OK : write_slices(yaml, &slices, why);
    }
    if (strcmp(verb, "pods") == 0) {
        return write_slices(yaml, o, why);
    }
    if (strcmp(verb, "route") == 0) {
        return write_route(yaml, o, why);
    }
    if (strcmp(verb, "export") == 0) {
        write_plain(yaml, o, MCS "/v1alpha1", "ServiceExport");
    } else if (strcmp(verb, "import") == 0) {
        write_import(yaml, o);
    } else if (strcmp(verb, "aws-export") == 0) {
        write_plain(yaml, o, AWS "/v1alpha1", "ServiceExport");
    } else {
        write_plain(yaml, o, AWS "/v1alpha1", "ServiceImport");
    }
    return o->n_rest == 0 ? PIN_OK
                          : pin_why_set(why, PIN_EPARSE, "\"%s\" is no option", o->rest[0]);
}

enum pin_err pin_shorthand_write(struct pin_shorthand *shorthand, char **words, size_t n_words,
    struct pin_text *ret_yaml, struct pin_why *why)
{
    static const char *const verbs[] = {
        "service", "pods", "export", "import", "route", "aws-export", "aws-import"};
    struct options o = {.shorthand = shorthand};
    for (size_t i = 0; i < N_ELEMS(verbs); i++) {
        if (strcmp(words[0], verbs[i]) == 0) {
            enum pin_err err = read_options(&o, words, n_words, why);
            if (err == PIN_OK) {
                err = write_verb(ret_yaml, words[0], &o, why);
            }
            pin_text_done(&o.annotations);
            return err;
        }
    }
    return PIN_ENOTFOUND;
}
