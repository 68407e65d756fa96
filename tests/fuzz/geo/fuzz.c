/* SPDX-License-Identifier: Apache-2.0 */

/* Any bytes are a geo database or none; what is read of one are prefixes of rules that there are.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pintle/base/macros.h"

#include "fuzz/require.h"
#include "resolver/geo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libmaxminddb 1.7.1 loses what it read of a broken description when MMDB_open() fails; its lists
 * are used nowhere else. */
/* NOLINTBEGIN(cert-dcl37-c,cert-dcl51-cpp,bugprone-reserved-identifier,readability-identifier-naming):
 * the sanitizer's name */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libmaxminddb";
}
/* NOLINTEND(cert-dcl37-c,cert-dcl51-cpp,bugprone-reserved-identifier,readability-identifier-naming)
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const countries[] = {"DE"};
    static const char *const continents[] = {"EU"};
    static const struct pin_geo_rule rules[] = {
        {.countries = countries, .n_countries = 1}, {.continents = continents, .n_continents = 1}};
    const struct pin_settings settings = {.geo_rules = rules, .n_geo_rules = N_ELEMS(rules)};
    struct pin_geo_places places = {0};
    char path[32];
    int fd = memfd_create("geo", MFD_CLOEXEC);
    require(fd >= 0);
    require(size == 0 || write(fd, data, size) == (ssize_t)size);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (pin_geo_read(path, &settings, &places, NULL) == PIN_OK) {
        for (size_t i = 0; i < places.n; i++) {
            const struct pin_prefix *prefix = &places.entries[i].prefix;
            require(places.entries[i].value < N_ELEMS(rules));
            require(prefix->bits <= (prefix->ip.family == 4 ? 32 : 128));
        }
        free(places.entries);
    }
    (void)close(fd);
    return 0;
}
