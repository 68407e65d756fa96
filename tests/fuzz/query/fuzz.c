/* SPDX-License-Identifier: Apache-2.0 */

/* Any bytes are a query: silence or a sound answer, over all transports, from any asker. */

#include <netinet/in.h>
#include <sanitizer/lsan_interface.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/zones/settings.h"

#include "resolver/answer.h"
#include "resolver/transfer.h"
#include "resolver/worker.h"
#include "support/message.h"
#include "support/world.h"

#define UDP_CAP_BYTES 1344u
#define FLAG_QR       0x8000u
/* A PROXY header where none is expected is met with silence. */
#define PROXY_SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define FLAG_Z          0x0060u /* Z, AD */
#define FLAG_RA         0x0080u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct world *world;
static struct pin_worker worker;
static struct pin_prefix anywhere = {.ip = {.family = 4}};
static struct pin_transfer_rule transfer_rule = {.ranges = &anywhere, .n_ranges = 1};
static struct pin_manners manners = {.has_cookies = true,
    .keepalive_ds = 100,
    .secret = {.is_shared = true},
    .identity = {.bytes = PIN_IDENTITY_MAX_BYTES},
    .version = {.bytes = 3, .text = "one"}};

/* A check that holds in every build. */
static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* There in builds with the leak sanitizer only. */
#pragma weak __lsan_disable
#pragma weak __lsan_enable

/* The world stays until the process ends. The index keeps its nodes in pages that the leak
 * sanitizer does not search, so it is told not to miss them. */
static void set_up(void)
{
    if (__lsan_disable != NULL) {
        __lsan_disable();
    }
    world = world_new();
    if (__lsan_enable != NULL) {
        __lsan_enable();
    }
    require(pin_worker_init(&worker, &world->live, PIN_TRANSPORT_UDP, 0) == PIN_OK);
    /* Whoever asks may have the zone, of which there is no edition: the query is read to its end.
     */
    require(pin_name_parse("t.example", &transfer_rule.zone) == PIN_OK);
    worker.transfers = pin_transfers_new(&transfer_rule, 1);
    require(worker.transfers != NULL);
    worker.manners = &manners;
}

/* Answers a copy in a block of exactly the room there is, so that ASan sees a byte too far. */
static void try_transport(const uint8_t *data, size_t size, enum pin_transport transport)
{
    static struct message reply;
    size_t cap_bytes = transport == PIN_TRANSPORT_UDP ? UDP_CAP_BYTES : PIN_STREAM_MAX_BYTES;
    if (size > cap_bytes) {
        return;
    }
    uint8_t *wire = malloc(cap_bytes);
    require(wire != NULL);
    if (size > 0) {
        memcpy(wire, data, size);
    }
    struct sockaddr_in peer = {.sin_family = AF_INET};
    memcpy(&peer.sin_addr, (const uint8_t[]){10, size % 4, 0, 1}, 4);
    struct pin_client client = {.peer = (const struct sockaddr *)&peer,
        .listen_cluster_id = PIN_CLUSTER_NONE,
        .transport = transport};
    struct pin_packet packet = {.wire = wire, .bytes = size, .cap_bytes = cap_bytes};
    size_t bytes = pin_answer(&worker, &client, &packet);

    bool is_query = size >= PIN_HEADER_BYTES && (data[2] & 0x80) == 0
                    && memcmp(data, PROXY_SIGNATURE, PIN_HEADER_BYTES) != 0;
    require((bytes > 0) == is_query);
    if (is_query) {
        size_t max_bytes = transport == PIN_TRANSPORT_UDP ? PIN_UDP_MAX_BYTES : cap_bytes;
        require(bytes <= max_bytes);
        require(message_parse(wire, bytes, &reply));
        require(memcmp(wire, data, 2) == 0);
        require((reply.flags & (FLAG_QR | FLAG_Z | FLAG_RA)) == FLAG_QR);
        require(((reply.flags >> 8) & 0x78) == (data[2] & 0x78));
        require(reply.n_question == 0
                || memcmp(wire + PIN_HEADER_BYTES, data + PIN_HEADER_BYTES, 5) == 0);
    }
    free(wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (world == NULL) {
        set_up();
    }
    /* The scene follows the input's size, so that one seed reaches one of them for certain. */
    world->live.scene->is_ready = size % 3 != 0;
    world->live.scene->has_unseen = size % 5 == 0;
    world->live.scene->has_down = size % 2 == 0;
    world->live.scene->down[0] = size % 2 == 0 ? 1 : 0;
    try_transport(data, size, PIN_TRANSPORT_UDP);
    try_transport(data, size, PIN_TRANSPORT_TCP);
    try_transport(data, size, PIN_TRANSPORT_TLS);
    try_transport(data, size, PIN_TRANSPORT_HTTPS);
    return 0;
}
