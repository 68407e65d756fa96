/* SPDX-License-Identifier: Apache-2.0 */

/* Feeds every file of the folders given to a fuzz target, so that plain ctest replays its seeds. */

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SEED_MAX_BYTES ((size_t)16 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Runs one seed from a heap block of exactly its size, so that ASan sees a read past its end. */
static bool replay_file(const char *path)
{
    bool is_read = false;
    uint8_t *data = NULL;
    struct stat st;

    FILE *file = fopen(path, "rb");
    if (file == NULL || fstat(fileno(file), &st) != 0) {
        goto out;
    }
    if (!S_ISREG(st.st_mode) || (size_t)st.st_size > SEED_MAX_BYTES) {
        errno = EFBIG;
        goto out;
    }
    data = malloc(st.st_size > 0 ? (size_t)st.st_size : 1);
    if (data == NULL || fread(data, 1, (size_t)st.st_size, file) != (size_t)st.st_size) {
        goto out;
    }
    is_read = true;
    (void)LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
out:
    if (!is_read) {
        (void)fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
    }
    free(data);
    if (file != NULL) {
        (void)fclose(file);
    }
    return is_read;
}

/* Returns how many seeds of the folder ran, or -1 when the folder or one of them cannot be read. */
static int replay_folder(const char *folder)
{
    int n_run = 0;
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        (void)fprintf(stderr, "replay: %s: %s\n", folder, strerror(errno));
        return -1;
    }
    for (struct dirent *entry = readdir(dir); entry != NULL && n_run >= 0; entry = readdir(dir)) {
        char path[4096];
        if (entry->d_name[0] == '.') {
            continue;
        }
        int len = snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        bool fits = len > 0 && (size_t)len < sizeof(path);
        n_run = fits && replay_file(path) ? n_run + 1 : -1;
    }
    (void)closedir(dir);
    return n_run;
}

int main(int argc, char **argv)
{
    int n_all = 0;
    for (int i = 1; i < argc; i++) {
        int n_run = replay_folder(argv[i]);
        if (n_run < 0) {
            return 1;
        }
        n_all += n_run;
    }
    (void)printf("replayed %d seeds\n", n_all);
    return n_all > 0 ? 0 : 1; /* a target without a seed proves nothing */
}
