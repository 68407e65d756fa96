/* SPDX-License-Identifier: Apache-2.0 */

/* Secrets are read, used and overwritten; no copy stays. */

#include "pintle/base/secret.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pintle/base/crypto.h"
#include "pintle/base/file.h"

#define FILE_MAX_BYTES ((size_t)64 << 10)
#define MODE_MASK      07777u

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Moves the text to the front and ends it where white space begins that goes on to the end. */
static void trim(struct pin_secret *secret)
{
    size_t first = 0;
    size_t end = secret->bytes;
    while (end > 0 && is_space(secret->data[end - 1])) {
        end--;
    }
    while (first < end && is_space(secret->data[first])) {
        first++;
    }
    memmove(secret->data, secret->data + first, end - first);
    pin_crypto_wipe(secret->data + (end - first), secret->bytes - (end - first));
    secret->bytes = end - first;
}

/* From the heap to pages of its own; nothing stays behind, whatever comes of it. */
static enum pin_err seclude(struct pin_secret *secret, struct pin_why *why)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t n_mapped = (secret->bytes + page) / page * page; /* one NUL behind it */
    void *pages = mmap(NULL, n_mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) {
        pin_secret_done(secret);
        return pin_why_set(why, PIN_ENOMEM, "a secret");
    }
    (void)madvise(pages, n_mapped, MADV_DONTDUMP);   /* an old kernel keeps it as it is */
    (void)madvise(pages, n_mapped, MADV_WIPEONFORK); /* likewise */
    memcpy(pages, secret->data, secret->bytes);
    struct pin_secret secluded = {.data = pages, .bytes = secret->bytes, .n_mapped = n_mapped};
    pin_secret_done(secret);
    *secret = secluded;
    return PIN_OK;
}

enum pin_err pin_secret_read(const char *path, struct pin_secret *ret_secret, struct pin_why *why)
{
    struct stat st;
    char *text = NULL;
    size_t bytes = 0;
    if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & S_IRWXO) != 0) {
        return pin_why_set(why, PIN_EDENIED,
            "%s has mode %04o: others than its owner and group "
            "must not have access (chmod o= it)",
            path, (unsigned)st.st_mode & MODE_MASK);
    }
    enum pin_err err = pin_file_read(path, FILE_MAX_BYTES, &text, &bytes, why);
    if (err != PIN_OK) {
        return err;
    }
    struct pin_secret secret = {.data = (uint8_t *)text, .bytes = bytes};
    trim(&secret);
    if (secret.bytes == 0) {
        pin_secret_done(&secret);
        return pin_why_set(why, PIN_EPARSE, "%s is empty", path);
    }
    err = seclude(&secret, why);
    if (err == PIN_OK) {
        *ret_secret = secret;
    }
    return err;
}

enum pin_err pin_secret_read_base64(
    const char *path, struct pin_secret *ret_secret, struct pin_why *why)
{
    struct pin_secret text = {0};
    struct pin_secret secret = {0};
    enum pin_err err = pin_secret_read(path, &text, why);
    if (err != PIN_OK) {
        return err;
    }
    err = pin_base64_decode((const char *)text.data, text.bytes, &secret.data, &secret.bytes);
    pin_secret_done(&text);
    if (err != PIN_OK) {
        return pin_why_set(why, err, "%s holds no base64", path);
    }
    err = seclude(&secret, why);
    if (err == PIN_OK) {
        *ret_secret = secret;
    }
    return err;
}

void pin_secret_free(void *data, size_t bytes)
{
    if (data != NULL) {
        pin_crypto_wipe(data, bytes);
        free(data);
    }
}

void pin_secret_done(struct pin_secret *secret)
{
    if (secret->n_mapped > 0) {
        pin_crypto_wipe(secret->data, secret->bytes);
        (void)munmap(secret->data, secret->n_mapped);
    } else {
        pin_secret_free(secret->data, secret->bytes);
    }
    *secret = (struct pin_secret){0};
}
