/* SPDX-License-Identifier: Apache-2.0 */

/* Reads MaxMind databases: one walk over the tree, which leaves the prefixes that rules ask for. */

#include "resolver/geo.h"

#include <errno.h>
#include <maxminddb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pintle/base/file.h"
#include "pintle/base/hash.h"
#include "pintle/base/ip.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"

#include "resolver/filewatch.h"
#include "resolver/geo_check.h"

#define FILE_MAX_BYTES ((size_t)1 << 30)
#define ENTRIES_MAX    ((size_t)1 << 22)
/* How often a node may be come by, in the mean: shared ones could make a walk without an end. */
#define VISITS_MAX 8u
/* How often the file is looked at; databases change by the week. */
#define LOOK_MS 2000
/* Values of a part of the tree beside positions of rules. */
#define NO_RULE UINT32_MAX
#define MIXED   (UINT32_MAX - 1)

/* A walk over one database. */
struct walk {
    MMDB_s db;
    const struct pin_settings *settings;
    struct pin_map known; /* offset of a record's data -> its rule + 1 */
    struct pin_geo_places places;
    size_t cap;
    uint64_t n_visits_left;
    uint64_t n_values_left; /* of records */
    uint8_t family;         /* of what is walked now */
    uint8_t first_bits;     /* where that begins in the tree: 96 for IPv4 in an IPv6 tree */
    enum pin_err err;
};

/* --- records -----------------------------------------------------------------------------------
 */

/* A text of a record, upper case; empty when it has none. */
static void read_code(MMDB_entry_s *entry, const char *const *path, char out[8])
{
    MMDB_entry_data_s data;
    size_t n = 0;
    int status = MMDB_aget_value(entry, &data, path);
    if (status == MMDB_SUCCESS && data.has_data && data.type == MMDB_DATA_TYPE_UTF8_STRING) {
        for (; n < data.data_size && n < 7; n++) {
            char c = data.utf8_string[n];
            out[n] = (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
        }
    }
    out[n] = '\0';
}

static bool has_code(const char *const *codes, size_t n, const char *code)
{
    for (size_t i = 0; i < n && code[0] != '\0'; i++) {
        if (strcmp(codes[i], code) == 0) {
            return true;
        }
    }
    return false;
}

static uint32_t find_rule(const struct pin_settings *settings, MMDB_entry_s *entry)
{
    static const char *const country_path[] = {"country", "iso_code", NULL};
    static const char *const continent_path[] = {"continent", "code", NULL};
    char country[8];
    char continent[8];
    read_code(entry, country_path, country);
    read_code(entry, continent_path, continent);
    for (size_t i = 0; i < settings->n_geo_rules; i++) {
        const struct pin_geo_rule *rule = &settings->geo_rules[i];
        if (has_code(rule->countries, rule->n_countries, country)) {
            return (uint32_t)i;
        }
    }
    for (size_t i = 0; i < settings->n_geo_rules; i++) {
        const struct pin_geo_rule *rule = &settings->geo_rules[i];
        if (has_code(rule->continents, rule->n_continents, continent)) {
            return (uint32_t)i;
        }
    }
    return NO_RULE;
}

/* The rule of a record; many records share their data. What the library should not go into has
 * none. */
static uint32_t rule_of(struct walk *walk, MMDB_entry_s *entry)
{
    const char *key = (const char *)&entry->offset;
    const struct pin_geo_rule *rules = walk->settings->geo_rules;
    const struct pin_geo_rule *known = pin_map_find(&walk->known, key, sizeof(entry->offset));
    if (known != NULL) {
        size_t at = (size_t)(known - rules);
        return at < walk->settings->n_geo_rules ? (uint32_t)at : NO_RULE;
    }
    bool is_bounded = pin_geo_is_bounded(
        walk->db.data_section, walk->db.data_section_size, entry->offset, &walk->n_values_left);
    if (walk->n_values_left == 0) {
        walk->err = PIN_ELIMIT;
    }
    uint32_t rule = is_bounded ? find_rule(walk->settings, entry) : NO_RULE;
    const struct pin_geo_rule *value =
        rules + (rule != NO_RULE ? rule : walk->settings->n_geo_rules);
    union {
        const struct pin_geo_rule *rule;
        void *value;
    } u = {.rule = value}; /* maps hold any pointer; nobody writes through this one */
    (void)pin_map_put(&walk->known, key, sizeof(entry->offset), u.value, NULL);
    return rule;
}

/* --- the tree ----------------------------------------------------------------------------------
 */

/* Keeps a prefix of `bits` bits, of which the tree's first ones may be left out. */
static void keep(struct walk *walk, const uint8_t bytes[16], unsigned bits, uint32_t rule)
{
    if (rule == NO_RULE || rule == MIXED || walk->err != PIN_OK) {
        return;
    }
    if (walk->places.n == walk->cap) {
        size_t cap = PIN_MAX(1024, 2 * walk->cap);
        struct pin_lpm_entry *grown =
            cap <= ENTRIES_MAX ? realloc(walk->places.entries, cap * sizeof(*grown)) : NULL;
        if (grown == NULL) {
            walk->err = cap <= ENTRIES_MAX ? PIN_ENOMEM : PIN_ELIMIT;
            return;
        }
        walk->places.entries = grown;
        walk->cap = cap;
    }
    struct pin_ip ip = pin_ip_from_bytes(bytes + walk->first_bits / 8, walk->family);
    walk->places.entries[walk->places.n++] = (struct pin_lpm_entry){
        .prefix = pin_prefix_of(&ip, (uint8_t)(bits - walk->first_bits)), .value = rule};
}

static uint32_t walk_node(struct walk *walk, uint32_t number, uint8_t bytes[16], unsigned bits);

/* The value of one side of a node, whose prefix has `bits` bits. */
static uint32_t walk_side(struct walk *walk, uint64_t record, int type, MMDB_entry_s *entry,
    uint8_t bytes[16], unsigned bits)
{
    if (type == MMDB_RECORD_TYPE_DATA) {
        return rule_of(walk, entry);
    }
    bool is_node = type == MMDB_RECORD_TYPE_SEARCH_NODE;
    if (type == MMDB_RECORD_TYPE_INVALID || (is_node && bits >= 128)) {
        walk->err = PIN_EPARSE;
    }
    /* An IPv6 tree names its IPv4 part in several places; it is walked once, by itself. */
    bool is_v4_part = walk->family == 6 && record == walk->db.ipv4_start_node.node_value;
    bool goes_on = is_node && !is_v4_part && walk->err == PIN_OK;
    return goes_on ? walk_node(walk, (uint32_t)record, bytes, bits) : NO_RULE;
}

/*
 * The rule of all addresses below a node, or MIXED. What is not mixed is kept by the first node
 * above that is, so that no prefix is longer than it has to be. Recursion ends at 128 bits.
 */
// NOLINTNEXTLINE(misc-no-recursion): a tree of 128 levels at most
static uint32_t walk_node(struct walk *walk, uint32_t number, uint8_t bytes[16], unsigned bits)
{
    MMDB_search_node_s node;
    if (walk->n_visits_left == 0 || MMDB_read_node(&walk->db, number, &node) != MMDB_SUCCESS) {
        walk->err = PIN_EPARSE;
        return NO_RULE;
    }
    walk->n_visits_left--;
    uint8_t bit = (uint8_t)(0x80u >> bits % 8);
    uint32_t left = walk_side(
        walk, node.left_record, node.left_record_type, &node.left_record_entry, bytes, bits + 1);
    bytes[bits / 8] = (uint8_t)(bytes[bits / 8] | bit);
    uint32_t right = walk_side(
        walk, node.right_record, node.right_record_type, &node.right_record_entry, bytes, bits + 1);
    if (left == right) {
        bytes[bits / 8] = (uint8_t)(bytes[bits / 8] & ~bit);
        return left;
    }
    keep(walk, bytes, bits + 1, right);
    bytes[bits / 8] = (uint8_t)(bytes[bits / 8] & ~bit);
    keep(walk, bytes, bits + 1, left);
    return MIXED;
}

/* Walks one family from where it begins. */
static void walk_family(struct walk *walk, uint8_t family, uint32_t node, uint8_t first_bits)
{
    uint8_t bytes[16] = {0};
    walk->family = family;
    walk->first_bits = first_bits;
    keep(walk, bytes, first_bits, walk_node(walk, node, bytes, first_bits));
}

static void walk_all(struct walk *walk)
{
    walk->n_visits_left = (uint64_t)walk->db.metadata.node_count * VISITS_MAX;
    walk->n_values_left = pin_geo_values_max(walk->db.data_section_size);
    if (walk->db.metadata.ip_version == 4) {
        walk_family(walk, 4, 0, 0);
        return;
    }
    walk_family(walk, 6, 0, 0);
    if (walk->db.ipv4_start_node.node_value < walk->db.metadata.node_count) {
        walk_family(walk, 4, walk->db.ipv4_start_node.node_value, 96);
    }
}

/* The library maps files. One that is written over meanwhile would end the process: a copy in
 * memory cannot be. The caller closes *ret_fd. */
static enum pin_err copy_file(const char *path, int *ret_fd, struct pin_why *why)
{
    char *text = NULL;
    size_t bytes = 0;
    size_t done = 0;
    enum pin_err err = pin_file_read(path, FILE_MAX_BYTES, &text, &bytes, why);
    if (err != PIN_OK) {
        return err;
    }
    err = pin_geo_check(text, bytes, why);
    if (err != PIN_OK) {
        free(text);
        pin_why_wrap(why, "geo database '%s'", path);
        return err;
    }
    int fd = memfd_create("geo", MFD_CLOEXEC);
    while (fd >= 0 && done < bytes) {
        ssize_t n = write(fd, text + done, bytes - done);
        if (n <= 0) {
            err = pin_why_errno(why, errno, "a copy of '%s'", path);
            break;
        }
        done += (size_t)n;
    }
    if (fd < 0) {
        err = pin_why_errno(why, errno, "a copy of '%s'", path);
    } else if (err != PIN_OK) {
        (void)close(fd);
    }
    free(text);
    *ret_fd = fd;
    return err;
}

enum pin_err pin_geo_read(const char *path, const struct pin_settings *settings,
    struct pin_geo_places *ret_places, struct pin_why *why)
{
    struct walk walk = {.settings = settings};
    int fd = -1;
    enum pin_err err = copy_file(path, &fd, why);
    if (err != PIN_OK) {
        return err;
    }
    char copy[32];
    (void)snprintf(copy, sizeof(copy), "/proc/self/fd/%d", fd);
    int status = MMDB_open(copy, MMDB_MODE_MMAP, &walk.db);
    (void)close(fd); /* the mapping stays */
    if (status != MMDB_SUCCESS) {
        return pin_why_set(why, PIN_EPARSE, "geo database '%s': %s", path, MMDB_strerror(status));
    }
    walk_all(&walk);
    MMDB_close(&walk.db);
    pin_map_done(&walk.known, NULL);
    if (walk.err != PIN_OK) {
        free(walk.places.entries);
        const char *reason = walk.err == PIN_EPARSE    ? "its tree is broken"
                             : walk.n_values_left == 0 ? "its records hold more than a file of its "
                                                         "size needs"
                                                       : "too large";
        return pin_why_set(why, walk.err, "geo database '%s': %s", path, reason);
    }
    *ret_places = walk.places;
    return PIN_OK;
}

/* --- the file ----------------------------------------------------------------------------------
 */

struct pin_geo {
    struct pin_timer *timer;
    const char *path;
    const struct pin_settings *settings;
    pin_geo_fn *fn;
    void *arg;
    struct stat seen; /* of the file that was read last, or could not be */
    bool has_looked;
};

/* Loud: reads the file when it is another one. */
static void look(void *arg)
{
    struct pin_geo *self = arg;
    struct stat now = {0};
    struct pin_geo_places places = {0};
    struct pin_why why = {0};
    (void)stat(self->path, &now); /* a file that is missing is told by the reader */
    if (self->has_looked && pin_filewatch_is_same(&now, &self->seen)) {
        return;
    }
    bool is_first = !self->has_looked;
    self->has_looked = true;
    self->seen = now;
    enum pin_err err = pin_geo_read(self->path, self->settings, &places, &why);
    if (err != PIN_OK) {
        pin_log_warn("geo: %s (%s), %s", why.text, pin_err_str(err),
            is_first ? "going on without it until it is there" : "keeping what it said before");
        return;
    }
    pin_log_info("geo: read '%s', %zu prefixes", self->path, places.n);
    places.settings = self->settings;
    self->fn(self->arg, &places);
}

struct pin_geo *pin_geo_start(struct pin_loop *loop, const char *path,
    const struct pin_settings *settings, pin_geo_fn *fn, void *arg)
{
    struct pin_geo *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NULL;
    }
    *self = (struct pin_geo){.path = path, .settings = settings, .fn = fn, .arg = arg};
    self->timer = pin_timer_new(loop, look, self);
    if (self->timer == NULL) {
        free(self);
        return NULL;
    }
    look(self);
    pin_timer_start(self->timer, LOOK_MS, true);
    return self;
}

void pin_geo_stop(struct pin_geo *geo)
{
    if (geo != NULL) {
        pin_timer_free(geo->timer);
        free(geo);
    }
}
