/* SPDX-License-Identifier: Apache-2.0 */

/* Manifests of objects: apiVersion, kind and metadata, where annotations and labels are. */

#include "pintle/sync/encode.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pintle/base/clock.h"
#include "pintle/zones/claims.h"
#include "pintle/zones/write.h"

#include "decode.h"
#include "encoder.h"

#define OWN         "pintle.dev/"
#define CILIUM      "service.cilium.io/"
#define AWS         "application-networking.k8s.aws/"
#define NUMBER_MAX  32
#define LABEL_BYTES 384

/* --- Helpers -------------------------------------------------------------------------------- */

void pin__encode_open(struct pin_jsonout *out, const char *key)
{
    pin_jsonout_key(out, key);
    pin_jsonout_object(out);
}

void pin__encode_open_list(struct pin_jsonout *out, const char *key)
{
    pin_jsonout_key(out, key);
    pin_jsonout_array(out);
}

void pin__encode_text(struct pin_jsonout *out, const char *key, const char *text)
{
    if (text != NULL) {
        pin_jsonout_key_string(out, key, text);
    }
}

void pin__encode_texts(
    struct pin_jsonout *out, const char *key, const char *const *texts, size_t n_texts)
{
    if (n_texts == 0) {
        return;
    }
    pin__encode_open_list(out, key);
    for (size_t i = 0; i < n_texts; i++) {
        pin_jsonout_string(out, texts[i]);
    }
    pin_jsonout_end(out);
}

void pin__encode_ips(struct pin_jsonout *out, const char *key, const struct pin_ip *ips, size_t n)
{
    if (n == 0) {
        return;
    }
    pin__encode_open_list(out, key);
    for (size_t i = 0; i < n; i++) {
        char text[PIN_IP_TEXT_MAX];
        pin_jsonout_string(out, pin_ip_format(&ips[i], text));
    }
    pin_jsonout_end(out);
}

void pin__encode_ranges(
    struct pin_jsonout *out, const char *key, const struct pin_prefix *ranges, size_t n)
{
    if (n == 0) {
        return;
    }
    pin__encode_open_list(out, key);
    for (size_t i = 0; i < n; i++) {
        char text[PIN_PREFIX_TEXT_MAX];
        pin_jsonout_string(out, pin_prefix_format(&ranges[i], text));
    }
    pin_jsonout_end(out);
}

/* --- Annotations that steer ----------------------------------------------------------------- */

/* Key and number as a text, with what follows it. */
static void put_number(
    struct pin_jsonout *out, const char *key, uint64_t number, const char *behind)
{
    char text[NUMBER_MAX];
    (void)snprintf(text, sizeof(text), "%" PRIu64 "%s", number, behind);
    pin_jsonout_key_string(out, key, text);
}

/* Key and the word of a value; nothing for 0, which is "unset". */
static void put_word(
    struct pin_jsonout *out, const char *key, unsigned value, const char *const *words)
{
    if (value != 0) {
        pin_jsonout_key_string(out, key, words[value]);
    }
}

void pin__encode_check(struct pin_jsonout *out, const struct pin_check *check)
{
    struct pin_text status = {0};
    for (size_t i = 0; i < check->n_status; i++) {
        pin_text_putf(
            &status, "%s%u-%u", i == 0 ? "" : ",", check->status[i].low, check->status[i].high);
    }
    pin_jsonout_key_bool(out, "enabled", check->is_enabled);
    pin_jsonout_key_uint(out, "intervalSeconds", check->interval_s);
    pin_jsonout_key_uint(out, "timeoutSeconds", check->timeout_s);
    pin_jsonout_key_uint(out, "healthyThresholdCount", check->rise);
    pin_jsonout_key_uint(out, "unhealthyThresholdCount", check->fall);
    if (check->port != 0) {
        pin_jsonout_key_uint(out, "port", check->port);
    }
    pin_jsonout_key_string(out, "protocol", pin_check_protocol_text(check->protocol));
    pin_jsonout_key_string(out, "protocolVersion", check->is_http2 ? "HTTP2" : "HTTP1");
    if (check->n_status > 0) {
        pin_jsonout_key_string(out, "statusMatch", pin_text_get(&status));
    }
    pin__encode_text(out, "path", check->path);
    pin__encode_text(out, "host", check->host);
    pin__encode_text(out, "command", check->command);
    pin_text_done(&status);
}

static void put_check(struct pin_jsonout *out, const struct pin_check *check)
{
    struct pin_text text = {0};
    struct pin_jsonout inner = pin_jsonout_init(&text);
    if (check == NULL) {
        return;
    }
    pin_jsonout_object(&inner);
    pin__encode_check(&inner, check);
    pin_jsonout_end(&inner);
    pin_jsonout_key_string(out, OWN "health-check", pin_text_get(&text));
    pin_text_done(&text);
}

static void put_affinity(struct pin_jsonout *out, const struct pin_steering *steering)
{
    static const char *const words[] = {[PIN_AFFINITY_NONE] = "none",
        [PIN_AFFINITY_LOCAL] = "local",
        [PIN_AFFINITY_REMOTE] = "remote"};
    if (steering->affinity == PIN_AFFINITY_LIST) {
        pin__encode_text(out, OWN "affinity", steering->affinity_list);
    } else {
        put_word(out, OWN "affinity", steering->affinity, words);
    }
    if (steering->threshold != PIN_THRESHOLD_UNSET) {
        put_number(out, OWN "affinity-threshold", steering->threshold,
            steering->is_threshold_share ? "%" : "");
    }
}

static void put_steering(struct pin_jsonout *out, const struct pin_steering *steering)
{
    static const char *const addresses[] = {[PIN_ADDRESS_AUTO] = "auto",
        [PIN_ADDRESS_ENDPOINTS] = "endpoints",
        [PIN_ADDRESS_CLUSTER_IP] = "clusterIP",
        [PIN_ADDRESS_LOAD_BALANCER] = "loadBalancer",
        [PIN_ADDRESS_GATEWAY] = "gateway"};
    static const char *const answers[] = {[PIN_ANSWERS_SUBSET] = "subset",
        [PIN_ANSWERS_SINGLE] = "single",
        [PIN_ANSWERS_ALL] = "all",
        [PIN_ANSWERS_GROUP] = "group"};
    static const char *const stale[] = {
        [PIN_STALE_KEEP] = "keep", [PIN_STALE_DROP] = "drop", [PIN_STALE_PROBE] = "probe"};
    static const char *const all_down[] = {[PIN_ALL_DOWN_ALL] = "all",
        [PIN_ALL_DOWN_NONE] = "none",
        [PIN_ALL_DOWN_LAST_GOOD] = "lastGood"};
    if (steering == &pin_steering_unset) {
        return;
    }
    put_word(out, OWN "address", steering->address, addresses);
    put_word(out, OWN "answers", steering->answers, answers);
    put_word(out, OWN "stale", steering->stale, stale);
    put_word(out, OWN "all-down", steering->all_down, all_down);
    put_affinity(out, steering);
    if (steering->ttl_s != PIN_TTL_UNSET) {
        put_number(out, OWN "ttl", steering->ttl_s, "");
    }
    if (steering->weight != PIN_WEIGHT_UNSET) {
        put_number(out, OWN "weight", steering->weight, "");
    }
    if (steering->stale_after_ms != 0) {
        put_number(out, OWN "stale-after", steering->stale_after_ms / 1000, "s");
    }
    if (steering->up_percent != 0) {
        put_number(out, OWN "up-threshold", steering->up_percent, "%");
    }
    put_check(out, steering->check);
    pin__encode_text(out, CILIUM "global", steering->is_global ? "true" : NULL);
    pin__encode_text(out, CILIUM "shared", steering->is_unshared ? "false" : NULL);
}

/* --- Other annotations, and labels ---------------------------------------------------------- */

/* What Pintle wrote on it, and what it asks of external-dns. */
static void put_written(struct pin_jsonout *out, const struct pin_written *written)
{
    if (written == NULL) {
        return;
    }
    if (written->applied != 0) {
        char applied[NUMBER_MAX];
        (void)snprintf(applied, sizeof(applied), "%016" PRIx64, written->applied);
        pin_jsonout_key_string(out, PIN_WRITE_APPLIED, applied);
    }
    pin__encode_text(out, PIN_WRITE_ASSIGNED, written->assigned);
    pin__encode_text(out, PIN_WRITE_LATTICE, written->lattice);
    pin__encode_text(out, PIN_WRITE_EXPORTERS, written->exporters);
    for (size_t i = 0; written->asks != NULL && i < written->asks->n_notes; i++) {
        pin_jsonout_key_string(out, written->asks->notes[i].key, written->asks->notes[i].value);
    }
}

static void put_annotations(struct pin_jsonout *out, const struct pin_object *object)
{
    pin__encode_open(out, "annotations");
    put_steering(out, object->steering);
    put_written(out, object->written);
    if (object->trigger_wall_ms != 0) {
        char text[PIN_CLOCK_TEXT_MAX];
        pin_clock_format(object->trigger_wall_ms, text);
        pin_jsonout_key_string(out, "endpoints.kubernetes.io/last-change-trigger-time", text);
    }
    if (object->kind == PIN_KIND_AWS_SERVICE_EXPORT) {
        pin__encode_text(out, AWS "service-name", object->as.aws_export.service);
    } else if (object->kind == PIN_KIND_AWS_SERVICE_IMPORT) {
        pin__encode_text(out, AWS "export-name", object->as.aws_import.export_name);
        pin__encode_text(out, AWS "aws-eks-cluster-name", object->as.aws_import.cluster);
        pin__encode_text(out, AWS "aws-vpc", object->as.aws_import.network);
    }
    pin_jsonout_end(out);
}

/* "key=value" */
static void put_label(struct pin_jsonout *out, const char *label)
{
    char key[LABEL_BYTES];
    size_t len = strcspn(label, "=");
    if (label[len] == '=' && len < sizeof(key)) {
        memcpy(key, label, len);
        key[len] = '\0';
        pin_jsonout_key_string(out, key, label + len + 1);
    }
}

static void put_labels(struct pin_jsonout *out, const struct pin_object *object)
{
    const struct pin_slice_body *slice = &object->as.slice;
    pin__encode_open(out, "labels");
    switch (object->kind) {
    case PIN_KIND_ENDPOINT_SLICE:
        pin__encode_text(out, "kubernetes.io/service-name", slice->service);
        pin__encode_text(out, "multicluster.kubernetes.io/service-name", slice->import_service);
        pin__encode_text(out, "multicluster.kubernetes.io/source-cluster", slice->source_cluster);
        break;
    case PIN_KIND_NODE:
        pin__encode_text(out, "topology.kubernetes.io/zone", object->as.node.zone);
        pin__encode_text(out, "topology.kubernetes.io/region", object->as.node.region);
        break;
    case PIN_KIND_NAMESPACE:
        for (size_t i = 0; i < object->as.namespace_.n_labels; i++) {
            put_label(out, object->as.namespace_.labels[i]);
        }
        break;
    case PIN_KIND_SERVICE:
        pin__encode_text(out, "multicluster.kubernetes.io/service-name",
            object->written == NULL ? NULL : object->written->service);
        break;
    default:
        break;
    }
    pin_jsonout_end(out);
}

void pin_encode(const struct pin_object *object, struct pin_jsonout *out)
{
    const struct pin_kind_row *row = pin_decode_row(object->kind);
    char version[128];
    (void)snprintf(version, sizeof(version), "%s%s%s", row->group, row->group[0] == '\0' ? "" : "/",
        row->versions[0]);
    pin_jsonout_object(out);
    pin_jsonout_key_string(out, "apiVersion", version);
    pin_jsonout_key_string(out, "kind", row->kind_text);
    pin__encode_open(out, "metadata");
    pin_jsonout_key_string(out, "name", object->name);
    if (row->is_namespaced) {
        pin_jsonout_key_string(out, "namespace", object->namespace_name);
    }
    if (object->created_s != 0) {
        char text[PIN_CLOCK_TEXT_MAX];
        pin_clock_format(object->created_s * 1000, text);
        pin_jsonout_key_string(out, "creationTimestamp", text);
    }
    put_labels(out, object);
    put_annotations(out, object);
    pin_jsonout_end(out);
    pin__encode_body(out, object);
    pin_jsonout_end(out);
}
