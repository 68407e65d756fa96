/* SPDX-License-Identifier: Apache-2.0 */

/* Follows the file of a fleet's cookie secret, without a cookie lost. */

#include "cookie_file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pintle/base/clock.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"

#include "filewatch.h"

#define SETTLE_MS 20
#define MS_PER_S  INT64_C(1000)

struct pin_cookie_file {
    char *path;
    uint32_t n_holders; /* beside the first */
    struct pin_filewatch *watch;
    struct stat seen;              /* when it was read */
    struct pin_cookie_secret last; /* what it said */
    struct pin_cookie_pair *pair;  /* what workers see */
    int64_t until_ms;              /* the former key is accepted; 0: as long as the file says so */
};

static void free_pair(struct pin_rcu_head *head)
{
    struct pin_cookie_pair *pair = container_of(head, struct pin_cookie_pair, rcu);
    explicit_bzero(pair->current, sizeof(pair->current));
    explicit_bzero(pair->former, sizeof(pair->former));
    free(pair);
}

/* Makes two keys what workers see. False: memory is out, nothing has changed. */
static bool publish(struct pin_cookie_file *file, const uint8_t current[PIN_SIPHASH_KEY_BYTES],
    const uint8_t former[PIN_SIPHASH_KEY_BYTES])
{
    struct pin_cookie_pair *before = file->pair;
    struct pin_cookie_pair *pair = calloc(1, sizeof(*pair));
    if (pair == NULL) {
        return false;
    }
    pair->turn = before != NULL ? before->turn + 1 : 1;
    memcpy(pair->current, current, sizeof(pair->current));
    memcpy(pair->former, former, sizeof(pair->former));
    pin_rcu_assign(file->pair, pair);
    if (before != NULL) {
        pin_rcu_defer(&before->rcu, free_pair);
    }
    return true;
}

static bool is_same_key(
    const uint8_t a[PIN_SIPHASH_KEY_BYTES], const uint8_t b[PIN_SIPHASH_KEY_BYTES])
{
    return memcmp(a, b, PIN_SIPHASH_KEY_BYTES) == 0;
}

/* Takes what the file says now. False: memory is out. */
static bool take(struct pin_cookie_file *file, const struct pin_cookie_secret *next)
{
    bool is_one = is_same_key(next->shared[0], next->shared[1]);
    bool is_new = !is_same_key(next->shared[0], file->pair->current);
    const uint8_t *former = is_one && is_new ? file->pair->current : next->shared[1];
    if (!publish(file, next->shared[0], former)) {
        return false;
    }
    file->until_ms =
        is_one && is_new ? pin_clock_mono_ms() + PIN_COOKIE_OLDEST_S * MS_PER_S : INT64_C(0);
    file->last = *next;
    return true;
}

static bool is_same_secret(const struct pin_cookie_secret *a, const struct pin_cookie_secret *b)
{
    return is_same_key(a->shared[0], b->shared[0]) && is_same_key(a->shared[1], b->shared[1]);
}

static void take_new(struct pin_cookie_file *file, const struct pin_cookie_secret *next)
{
    if (take(file, next)) {
        pin_log_info("cookies: new secret from '%s'%s", file->path,
            file->until_ms != 0 ? ", the one before is accepted for an hour" : "");
    } else {
        memset(&file->seen, 0, sizeof(file->seen)); /* the next look tries again */
    }
}

static void read_again(struct pin_cookie_file *file)
{
    struct pin_cookie_secret next = {0};
    struct pin_why why = {0};
    if (pin_cookie_secret_read(file->path, &next, &why) != PIN_OK) {
        pin_log_error("cookies: %s (the secret read before is used on)", why.text);
    } else if (!is_same_secret(&next, &file->last)) {
        take_new(file, &next);
    }
    explicit_bzero(&next, sizeof(next));
}

void pin_cookie_file_look(struct pin_cookie_file *file)
{
    if (pin_filewatch_has_changed(file->path, &file->seen)) {
        read_again(file);
    }
    if (file->until_ms != 0 && pin_clock_mono_ms() >= file->until_ms
        && publish(file, file->last.shared[0], file->last.shared[1])) {
        file->until_ms = 0;
    }
}

static void on_look(void *arg)
{
    struct pin_cookie_file *file = arg;
    pin_cookie_file_look(file);
    pin_filewatch_add(file->watch, file->path);
}

/* --- life ---------------------------------------------------------------------------------- */

enum pin_err pin_cookie_file_load(const char *path, struct pin_cookie_secret *ret_secret,
    struct pin_cookie_file **ret_file, struct pin_why *why)
{
    struct pin_cookie_file *file = calloc(1, sizeof(*file));
    if (file == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "'%s'", path);
    }
    file->path = strdup(path);
    if (file->path == NULL) {
        pin_cookie_file_free(file);
        return pin_why_set(why, PIN_ENOMEM, "'%s'", path);
    }
    (void)pin_filewatch_has_changed(file->path, &file->seen);
    enum pin_err err = pin_cookie_secret_read(path, &file->last, why);
    if (err == PIN_OK && !publish(file, file->last.shared[0], file->last.shared[1])) {
        err = pin_why_set(why, PIN_ENOMEM, "'%s'", path);
    }
    if (err != PIN_OK) {
        pin_cookie_file_free(file);
        return err;
    }
    *ret_secret = (struct pin_cookie_secret){.is_shared = true, .pair = &file->pair};
    *ret_file = file;
    return PIN_OK;
}

bool pin_cookie_file_is_same(const struct pin_cookie_file *a, const struct pin_cookie_file *b)
{
    return a != NULL && b != NULL && strcmp(a->path, b->path) == 0;
}

struct pin_cookie_file *pin_cookie_file_hold(struct pin_cookie_file *file)
{
    file->n_holders++;
    return file;
}

void pin_cookie_file_free(struct pin_cookie_file *file)
{
    if (file == NULL) {
        return;
    }
    if (file->n_holders > 0) {
        file->n_holders--;
        return;
    }
    free(file->path);
    if (file->pair != NULL) {
        free_pair(&file->pair->rcu);
    }
    explicit_bzero(file, sizeof(*file));
    free(file);
}

enum pin_err pin_cookie_file_watch(struct pin_cookie_file *file, struct pin_loop *loop,
    struct pin_dirwatch *dirwatch, struct pin_why *why)
{
    if (file == NULL) {
        return PIN_OK;
    }
    const struct pin_filewatch_config config = {.loop = loop,
        .dirwatch = dirwatch,
        .name = "cookies",
        .settle_ms = SETTLE_MS,
        .look = on_look,
        .arg = file};
    file->watch = pin_filewatch_new(&config);
    if (file->watch == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "the watch of '%s'", file->path);
    }
    pin_filewatch_add(file->watch, file->path);
    return PIN_OK;
}

void pin_cookie_file_unwatch(struct pin_cookie_file *file)
{
    if (file != NULL) {
        pin_filewatch_free(file->watch);
        file->watch = NULL;
    }
}
