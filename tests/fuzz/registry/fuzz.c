/* SPDX-License-Identifier: Apache-2.0 */

/* Whatever stands in a TXT record of somebody's zone: what is read of it can be written, and reads
 * the same then. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/macros.h"
#include "pintle/zones/registry.h"

#include "fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t key[PIN_AES_KEY_BYTES] = "0123456789abcdef0123456789abcdef";

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void check_labels(
    const struct pin_registry *registry, const char *value, struct pin_arena *arena)
{
    struct pin_registry_labels labels = {0};
    struct pin_registry_labels again = {0};
    struct pin_recordset_value values[] = {{.text = "192.0.2.1"}, {.text = "192.0.2.2"}};
    struct pin_recordset set = {.values = values, .n_values = 2};
    if (pin_registry_read(registry, value, arena, &labels) != PIN_OK) {
        return;
    }
    const char *written = pin_registry_write(registry, &labels, arena);
    require(written != NULL);
    require(pin_registry_read(registry, written, arena, &again) == PIN_OK);
    require(same_text(labels.owner, again.owner));
    require(same_text(labels.resource, again.resource));
    require(same_text(labels.origins, again.origins));
    require(labels.n_others == again.n_others);
    require(pin_registry_read_origins(labels.origins, &set, arena));
}

static void check_name(const struct pin_registry *registry, const char *text)
{
    char name[PIN_RECORDSET_NAME_MAX];
    char owned[PIN_RECORDSET_NAME_MAX];
    const char *type = NULL;
    if (pin_recordset_name(text, name, NULL) == PIN_OK
        && pin_registry_owned(registry, name, owned, &type)) {
        require(strlen(owned) > 0 && strlen(type) < 8);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct pin_registry registries[] = {{.owner = "demo"},
        {.owner = "demo", .prefix = "%{record_type}-x.", .key = key},
        {.owner = "demo", .suffix = "-%{record_type}.y", .wildcard = "any"}};
    struct pin_arena *arena = pin_arena_new("fuzz", (size_t)16 << 20);
    char *text = size > 4096 ? NULL : pin_arena_strndup(arena, (const char *)data, size);
    const char *value = NULL;
    for (size_t i = 0; text != NULL && i < N_ELEMS(registries); i++) {
        if (pin_recordset_value(arena, "TXT", text, &value, NULL) == PIN_OK) {
            check_labels(&registries[i], value, arena);
        }
        check_name(&registries[i], text);
    }
    pin_arena_free(arena);
    return 0;
}
