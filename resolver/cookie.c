/* SPDX-License-Identifier: Apache-2.0 */

/* DNS cookies: keys, and what a client's cookie is worth. */

#include "cookie.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pintle/base/bytes.h"
#include "pintle/base/crypto.h"
#include "pintle/base/file.h"
#include "pintle/base/ip.h"
#include "pintle/base/macros.h"
#include "pintle/base/rand.h"

#define VERSION     1u
#define WHEN_AT     12u
#define HASH_AT     16u
#define HASH_BYTES  8u
#define V4_BYTES    4u
#define V6_BYTES    16u
#define HEX_DIGITS  ((size_t)2 * PIN_SIPHASH_KEY_BYTES)
#define FILE_MAX    1024u
#define OTHERS_MODE (S_IROTH | S_IWOTH)

/* --- secrets ------------------------------------------------------------------------------ */

void pin_cookie_secret_draw(struct pin_cookie_secret *ret_secret, uint32_t rollover_s)
{
    *ret_secret = (struct pin_cookie_secret){
        .rollover_s = PIN_MAX(rollover_s, (uint32_t)PIN_COOKIE_OLDEST_S)};
    pin_rand_secure(ret_secret->master, sizeof(ret_secret->master));
}

static bool read_key(const char *text, size_t text_bytes, uint8_t key[PIN_SIPHASH_KEY_BYTES])
{
    if (text_bytes != HEX_DIGITS) {
        return false;
    }
    for (size_t i = 0; i < PIN_SIPHASH_KEY_BYTES; i++) {
        int high = pin_hex_value(text[2 * i]);
        int low = pin_hex_value(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        key[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* Reads the lines of a secret's file; blank ones do not count. */
static bool read_keys(const char *text, struct pin_cookie_secret *ret_secret)
{
    size_t n = 0;
    while (*text != '\0') {
        size_t bytes = strcspn(text, "\r\n");
        if (bytes > 0 && (n == 2 || !read_key(text, bytes, ret_secret->shared[n++]))) {
            return false;
        }
        text += bytes;
        text += strspn(text, "\r\n");
    }
    if (n == 1) {
        memcpy(ret_secret->shared[1], ret_secret->shared[0], PIN_SIPHASH_KEY_BYTES);
    }
    return n > 0;
}

enum pin_err pin_cookie_secret_read(
    const char *path, struct pin_cookie_secret *ret_secret, struct pin_why *why)
{
    struct stat st;
    char *text = NULL;
    size_t bytes = 0;
    enum pin_err err = pin_file_read_now(path, FILE_MAX, &text, &bytes, why);
    if (err != PIN_OK) {
        return err;
    }
    *ret_secret = (struct pin_cookie_secret){.is_shared = true};
    if (stat(path, &st) == 0 && (st.st_mode & OTHERS_MODE) != 0) {
        err = pin_why_set(why, PIN_EDENIED,
            "'%s' has mode %04o: a secret that everybody may read; chmod 0640", path,
            (unsigned)(st.st_mode & (S_IRWXU | S_IRWXG | S_IRWXO)));
    } else if (strlen(text) != bytes || !read_keys(text, ret_secret)) {
        err = pin_why_set(why, PIN_EPARSE,
            "'%s': want one or two lines of %zu hex digits (openssl rand -hex 16)", path,
            HEX_DIGITS);
    }
    explicit_bzero(text, bytes);
    free(text);
    return err;
}

/* --- keys --------------------------------------------------------------------------------- */

static void put_word(uint8_t to[HASH_BYTES], uint64_t word)
{
    for (size_t i = 0; i < HASH_BYTES; i++) {
        to[i] = (uint8_t)(word >> (8 * i));
    }
}

/* The key of one turn: nobody who knows it can tell the next one. */
static void derive(
    const struct pin_cookie_secret *secret, uint64_t turn, uint8_t key[PIN_SIPHASH_KEY_BYTES])
{
    for (uint64_t half = 0; half < 2; half++) {
        uint64_t input[] = {turn, half};
        put_word(key + half * HASH_BYTES, pin_siphash(secret->master, input, sizeof(input)));
    }
}

/* Takes the keys of a file as it is now. */
static void follow_fleet(struct pin_cookie_keys *keys, const struct pin_cookie_secret *secret)
{
    const struct pin_cookie_pair *pair = secret->pair != NULL ? pin_rcu_deref(*secret->pair) : NULL;
    uint64_t turn = pair != NULL ? pair->turn : 1;
    if (pin_likely(keys->turn == turn)) {
        return;
    }
    keys->turn = turn;
    memcpy(keys->current, pair != NULL ? pair->current : secret->shared[0], sizeof(keys->current));
    memcpy(keys->former, pair != NULL ? pair->former : secret->shared[1], sizeof(keys->former));
}

void pin_cookie_keys_follow(
    struct pin_cookie_keys *keys, const struct pin_cookie_secret *secret, uint32_t wall_s)
{
    if (secret->is_shared) {
        follow_fleet(keys, secret);
        return;
    }
    uint64_t turn = (uint64_t)wall_s / secret->rollover_s + 1;
    if (pin_likely(keys->turn == turn)) {
        return;
    }
    keys->turn = turn;
    derive(secret, turn, keys->current);
    derive(secret, turn - 1, keys->former);
}

/* --- cookies ------------------------------------------------------------------------------ */

/* What is hashed: the cookie up to its hash, then the address. */
struct input {
    uint8_t wire[HASH_AT + V6_BYTES];
    size_t bytes;
};

static void hash(const struct input *input, const uint8_t key[PIN_SIPHASH_KEY_BYTES],
    uint8_t ret_hash[HASH_BYTES])
{
    put_word(ret_hash, pin_siphash(key, input->wire, input->bytes));
}

/* Writes our part: of now, with the current key. */
static void renew(struct input *input, const struct pin_cookie_keys *keys, uint32_t wall_s,
    uint8_t cookie[PIN_COOKIE_BYTES])
{
    pin_put_be32(cookie + PIN_COOKIE_CLIENT_BYTES, VERSION << 24);
    pin_put_be32(cookie + WHEN_AT, wall_s);
    memcpy(input->wire, cookie, HASH_AT);
    hash(input, keys->current, cookie + HASH_AT);
}

/* Whether the cookie's age lets it count at all. */
static bool is_timely(int32_t age_s)
{
    return age_s <= PIN_COOKIE_OLDEST_S && age_s >= -PIN_COOKIE_AHEAD_S;
}

enum pin_cookie_verdict pin_cookie_judge(const struct pin_cookie_keys *keys, uint32_t wall_s,
    const struct sockaddr *client, uint8_t cookie[PIN_COOKIE_BYTES], size_t bytes)
{
    struct pin_ip ip = pin_ip_from_sockaddr(client);
    struct input input = {.bytes = HASH_AT + (ip.family == 4 ? V4_BYTES : V6_BYTES)};
    memcpy(input.wire + HASH_AT, ip.bytes, V6_BYTES);
    if (bytes != PIN_COOKIE_BYTES) {
        renew(&input, keys, wall_s, cookie);
        return bytes == PIN_COOKIE_CLIENT_BYTES ? PIN_COOKIE_NEW : PIN_COOKIE_BAD;
    }
    uint8_t want[HASH_BYTES];
    int32_t age_s = (int32_t)(wall_s - pin_get_be32(cookie + WHEN_AT));
    memcpy(input.wire, cookie, HASH_AT);
    hash(&input, keys->current, want);
    bool is_ours = memcmp(want, cookie + HASH_AT, HASH_BYTES) == 0;
    bool is_current = is_ours;
    if (pin_unlikely(!is_ours)) {
        hash(&input, keys->former, want);
        is_ours = memcmp(want, cookie + HASH_AT, HASH_BYTES) == 0;
    }
    bool is_good = is_ours && is_timely(age_s) && cookie[PIN_COOKIE_CLIENT_BYTES] == VERSION;
    if (!is_good || !is_current || age_s > PIN_COOKIE_RENEW_S) {
        renew(&input, keys, wall_s, cookie);
    }
    return is_good ? PIN_COOKIE_GOOD : PIN_COOKIE_BAD;
}
