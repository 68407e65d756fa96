/* SPDX-License-Identifier: Apache-2.0 */

/* Annotations that steer answers: our own, and Cilium's, over which our own go. */

#include <string.h>
#include <strings.h>

#include "pintle/base/clock.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"
#include "pintle/base/nearest.h"
#include "pintle/zones/name.h"
#include "pintle/zones/write.h"

#include "decoder.h"

#define OWN_PREFIX  "pintle.dev/"
#define TTL_S_MAX   3600
#define WORDS_MAX   6
#define ALLOWED_MAX 96
/* Of a list of clusters. */
#define LIST_MAX_BYTES 4096

/* A word that an annotation may hold, and what it means. */
struct word {
    const char *text;
    unsigned value;
};

static const struct word address_words[WORDS_MAX] = {
    {"auto", PIN_ADDRESS_AUTO},
    {"endpoints", PIN_ADDRESS_ENDPOINTS},
    {"clusterIP", PIN_ADDRESS_CLUSTER_IP},
    {"loadBalancer", PIN_ADDRESS_LOAD_BALANCER},
    {"gateway", PIN_ADDRESS_GATEWAY},
};
static const struct word answers_words[WORDS_MAX] = {
    {"subset", PIN_ANSWERS_SUBSET},
    {"single", PIN_ANSWERS_SINGLE},
    {"all", PIN_ANSWERS_ALL},
    {"group", PIN_ANSWERS_GROUP},
};
static const struct word affinity_words[WORDS_MAX] = {
    {"local", PIN_AFFINITY_LOCAL},
    {"remote", PIN_AFFINITY_REMOTE},
    {"none", PIN_AFFINITY_NONE},
};
static const struct word stale_words[WORDS_MAX] = {
    {"keep", PIN_STALE_KEEP},
    {"drop", PIN_STALE_DROP},
    {"probe", PIN_STALE_PROBE},
};
static const struct word all_down_words[WORDS_MAX] = {
    {"all", PIN_ALL_DOWN_ALL},
    {"none", PIN_ALL_DOWN_NONE},
    {"lastGood", PIN_ALL_DOWN_LAST_GOOD},
};
static const struct word bool_words[WORDS_MAX] = {
    {"false", false},
    {"true", true},
};

/* Cilium's names, its present one before the one it replaced. */
static const char *const global_keys[] = {"service.cilium.io/global", "io.cilium/global-service"};
static const char *const shared_keys[] = {"service.cilium.io/shared", "io.cilium/shared-service"};
static const char *const affinity_keys[] = {
    "service.cilium.io/affinity", "io.cilium/service-affinity"};

/* The annotations of one object; absent ones are NULL. */
struct annotations {
    const char *address, *answers, *ttl, *weight, *affinity, *threshold;
    const char *stale, *stale_after, *all_down, *up_threshold, *check;
    const char *global[2], *shared[2], *cilium_affinity[2];
};

/* "a, b or c" for messages. */
static void list_words(const struct word *words, char out[ALLOWED_MAX])
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < WORDS_MAX && words[i].text != NULL; i++) {
        bool is_last = i + 1 == WORDS_MAX || words[i + 1].text == NULL;
        const char *glue = i == 0 ? "" : is_last ? " or " : ", ";
        size_t need = strlen(glue) + strlen(words[i].text);
        if (used + need >= ALLOWED_MAX) {
            return;
        }
        memcpy(out + used, glue, strlen(glue));
        memcpy(out + used + strlen(glue), words[i].text, strlen(words[i].text) + 1);
        used += need;
    }
}

/* Letter case does not matter. An unknown word is told and leaves *ret as it was. */
static bool read_word(const struct pin_decoder *self, const char *key, const char *value,
    const struct word *words, unsigned *ret)
{
    for (size_t i = 0; i < WORDS_MAX && words[i].text != NULL; i++) {
        if (strcasecmp(value, words[i].text) == 0) {
            *ret = words[i].value;
            return true;
        }
    }
    char allowed[ALLOWED_MAX];
    list_words(words, allowed);
    pin__decoder_warn_annotation(self, key, value, allowed);
    return false;
}

/* The first of two keys that is there. */
static bool read_first_word(const struct pin_decoder *self, const char *const keys[2],
    const char *const values[2], const struct word *words, unsigned *ret)
{
    for (size_t i = 0; i < 2; i++) {
        if (values[i] != NULL) {
            return read_word(self, keys[i], values[i], words, ret);
        }
    }
    return false;
}

/* Digits only, up to `max`. */
static bool read_number(const char *text, size_t bytes, uint32_t max, uint32_t *ret_value)
{
    uint64_t value = 0;
    if (bytes == 0 || bytes > 10) {
        return false;
    }
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    if (value > max) {
        return false;
    }
    *ret_value = (uint32_t)value;
    return true;
}

static bool read_ttl(const char *text, uint32_t *ret_ttl_s)
{
    uint64_t ms = 0;
    if (!pin_duration_parse(text, &ms) || ms > (uint64_t)TTL_S_MAX * 1000) {
        return false;
    }
    *ret_ttl_s = (uint32_t)(ms / 1000);
    return true;
}

/* What follows our prefix in the annotations that are read. */
static const char *const own_names[] = {"address", "answers", "ttl", "weight", "affinity",
    "affinity-threshold", "stale", "stale-after", "all-down", "up-threshold", "health-check"};

/* A key of ours that nobody reads: misspelt, or of another version. */
static void note_own(const struct pin_decoder *self, const char *key)
{
    static const char *const silent[] = {
        PIN_WRITE_ASSIGNED, PIN_WRITE_APPLIED, PIN_WRITE_EXPORTERS};
    for (size_t i = 0; i < N_ELEMS(silent); i++) {
        if (strcmp(key, silent[i]) == 0) {
            return;
        }
    }
    const char *near = pin_nearest(key + strlen(OWN_PREFIX), own_names, N_ELEMS(own_names));
    const char *end = near != NULL ? "?" : "";
    const char *hint = near != NULL ? ", did you mean " OWN_PREFIX : "";
    near = near != NULL ? near : "";
    pin_log_warn("decode: %s: %s %s/%s: annotation %s is not known%s%s%s; ignored", self->where,
        self->key.row->kind_text, self->key.namespace_name, self->key.name, key, hint, near, end);
    pin__decoder_complain(
        self, "annotation %.200s is not known%s%s%s; ignored", key, hint, near, end);
}

static void take_own(
    const struct pin_decoder *self, const char *key, const char *value, struct annotations *all)
{
    const char **slots[N_ELEMS(own_names)] = {&all->address, &all->answers, &all->ttl, &all->weight,
        &all->affinity, &all->threshold, &all->stale, &all->stale_after, &all->all_down,
        &all->up_threshold, &all->check};
    for (size_t i = 0; i < N_ELEMS(own_names); i++) {
        if (strcmp(key + strlen(OWN_PREFIX), own_names[i]) == 0) {
            *slots[i] = value;
            return;
        }
    }
    note_own(self, key);
}

static void take_cilium(const char *key, const char *value, struct annotations *all)
{
    for (size_t i = 0; i < 2; i++) {
        if (strcmp(key, global_keys[i]) == 0) {
            all->global[i] = value;
        } else if (strcmp(key, shared_keys[i]) == 0) {
            all->shared[i] = value;
        } else if (strcmp(key, affinity_keys[i]) == 0) {
            all->cilium_affinity[i] = value;
        }
    }
}

/* What happens when the object's cluster is out of reach. */
static void read_stale(
    const struct pin_decoder *self, const struct annotations *all, struct pin_steering *to)
{
    unsigned value = 0;
    uint64_t ms = 0;
    if (all->stale != NULL
        && read_word(self, OWN_PREFIX "stale", all->stale, stale_words, &value)) {
        to->stale = (enum pin_stale)value;
    }
    if (all->stale_after == NULL) {
        return;
    }
    if (pin_duration_parse(all->stale_after, &ms) && ms >= 1000) {
        to->stale_after_ms = ms;
    } else {
        pin__decoder_warn_annotation(self, OWN_PREFIX "stale-after", all->stale_after,
            "1 second or more: seconds, or a number with s, m or h");
    }
}

static void read_health(
    struct pin_decoder *self, const struct annotations *all, struct pin_steering *to)
{
    unsigned value = 0;
    if (all->all_down != NULL
        && read_word(self, OWN_PREFIX "all-down", all->all_down, all_down_words, &value)) {
        to->all_down = (enum pin_all_down)value;
    }
    if (all->up_threshold != NULL) {
        size_t bytes = strlen(all->up_threshold);
        uint32_t percent = 0;
        if (bytes > 1 && all->up_threshold[bytes - 1] == '%'
            && read_number(all->up_threshold, bytes - 1, 100, &percent)) {
            to->up_percent = (uint8_t)percent;
        } else {
            pin__decoder_warn_annotation(self, OWN_PREFIX "up-threshold", all->up_threshold,
                "a share of the addresses as in 50%");
        }
    }
    if (all->check != NULL) {
        to->check = pin__decode_check(self, OWN_PREFIX "health-check", all->check);
    }
}

static void read_own(
    const struct pin_decoder *self, const struct annotations *all, struct pin_steering *to)
{
    unsigned value = 0;
    if (all->address != NULL
        && read_word(self, OWN_PREFIX "address", all->address, address_words, &value)) {
        to->address = (enum pin_address_mode)value;
    }
    if (all->answers != NULL
        && read_word(self, OWN_PREFIX "answers", all->answers, answers_words, &value)) {
        to->answers = (enum pin_answers_mode)value;
    }
    if (all->ttl != NULL && !read_ttl(all->ttl, &to->ttl_s)) {
        pin__decoder_warn_annotation(
            self, OWN_PREFIX "ttl", all->ttl, "0 to 3600 seconds, or a number with s, m or h");
    }
    if (all->weight != NULL
        && !read_number(all->weight, strlen(all->weight), PIN_WEIGHT_MAX, &to->weight)) {
        pin__decoder_warn_annotation(
            self, OWN_PREFIX "weight", all->weight, "a whole number from 0 to 1000000");
    }
}

/* "c2,c3" with any blanks: a copy without them. NULL, told, when a part is no cluster's name. */
static const char *read_list(const struct pin_decoder *self, const char *value)
{
    char list[LIST_MAX_BYTES];
    size_t used = 0;
    for (const char *at = value; *at != '\0' && used < sizeof(list) - 1; at++) {
        if (*at != ' ') {
            list[used++] = *at;
        }
    }
    list[used] = '\0';
    for (const char *part = list; part != NULL; part = strchr(part, ',')) {
        part += part != list;
        char label[PIN_LABEL_MAX_BYTES + 1];
        size_t bytes = strcspn(part, ",");
        bool is_short = bytes < sizeof(label);
        memcpy(label, part, is_short ? bytes : 0);
        label[is_short ? bytes : 0] = '\0';
        if (!pin_name_is_rfc1123_label(label) || used == sizeof(list) - 1) {
            pin__decoder_warn_annotation(self, OWN_PREFIX "affinity", value,
                "local, remote, none or a list of clusters as in c2,c3");
            return NULL;
        }
    }
    return pin_object_text(self->object, list, used);
}

/* "2" endpoints or "50%" of them. */
static void read_threshold(
    const struct pin_decoder *self, const char *value, struct pin_steering *to)
{
    size_t bytes = strlen(value);
    bool is_share = bytes > 0 && value[bytes - 1] == '%';
    if (!read_number(value, bytes - is_share, is_share ? 100 : PIN_WEIGHT_MAX, &to->threshold)) {
        pin__decoder_warn_annotation(self, OWN_PREFIX "affinity-threshold", value,
            "a number of endpoints as in 2 or a share as in 50%");
        return;
    }
    to->is_threshold_share = is_share;
}

static void read_affinity(
    const struct pin_decoder *self, const struct annotations *all, struct pin_steering *to)
{
    const char *own = all->affinity;
    unsigned value = PIN_AFFINITY_UNSET;
    if (all->threshold != NULL) {
        read_threshold(self, all->threshold, to);
    }
    for (size_t i = 0; own != NULL && affinity_words[i].text != NULL; i++) {
        if (strcasecmp(own, affinity_words[i].text) == 0) {
            to->affinity = (enum pin_affinity)affinity_words[i].value;
            return;
        }
    }
    to->affinity_list = own != NULL ? read_list(self, own) : NULL;
    if (to->affinity_list != NULL) {
        to->affinity = PIN_AFFINITY_LIST;
        return;
    }
    (void)read_first_word(self, affinity_keys, all->cilium_affinity, affinity_words, &value);
    to->affinity = (enum pin_affinity)value;
}

/* All annotations that are about steering; complains of ours that are about nothing. */
static void collect(
    const struct pin_decoder *self, const struct pin_tree *annotations, struct annotations *ret_all)
{
    PIN_TREE_EACH(item, annotations)
    {
        const char *value = pin_tree_text(item, NULL);
        if (value == NULL) {
            continue;
        }
        if (strncmp(item->key, OWN_PREFIX, strlen(OWN_PREFIX)) == 0) {
            take_own(self, item->key, value, ret_all);
        } else {
            take_cilium(item->key, value, ret_all);
        }
    }
}

size_t pin__decode_steering_size(const struct pin_decoder *self)
{
    PIN_TREE_EACH(item, pin_tree_map(self->root, "metadata.annotations"))
    {
        if (strncmp(item->key, OWN_PREFIX, strlen(OWN_PREFIX)) == 0
            || strstr(item->key, "cilium") != NULL) {
            return sizeof(struct pin_steering);
        }
    }
    return 0;
}

void pin__decode_steering(struct pin_decoder *self)
{
    static const struct annotations none;
    struct annotations all = {0};
    unsigned is_global = false;
    unsigned is_shared = true;
    const struct pin_tree *metadata = pin_tree_find(self->root, "metadata");
    collect(self, pin__decoder_map(self, metadata, "annotations"), &all);
    if (self->err != PIN_OK || memcmp(&all, &none, sizeof(all)) == 0) {
        return;
    }
    struct pin_steering *to = pin_object_steer(self->object);
    if (to == NULL) {
        self->err = pin_why_set(self->why, PIN_ENOMEM, "no memory for '%s'", self->key.name);
        return;
    }
    (void)read_first_word(self, global_keys, all.global, bool_words, &is_global);
    (void)read_first_word(self, shared_keys, all.shared, bool_words, &is_shared);
    to->is_global = is_global != 0;
    to->is_unshared = is_shared == 0;
    read_own(self, &all, to);
    read_stale(self, &all, to);
    read_health(self, &all, to);
    read_affinity(self, &all, to);
}
