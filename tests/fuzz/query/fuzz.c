/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes are a query: silence or a sound answer, over all transports, from any asker, with
 * zones, a full cache and a forwarder behind them.
 *
 * The low byte of the query's id sets the scene: see KNOB_*. What is handed over to be asked
 * upstream this file takes, as the forward thread would, and answers until it is settled. The
 * forward thread itself has ended before the first query.
 */

#include <netinet/in.h>
#include <sanitizer/lsan_interface.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/bytes.h"
#include "pintle/base/clock.h"
#include "pintle/base/hash.h"
#include "pintle/base/rcu.h"
#include "pintle/zones/settings.h"

#include "fuzz/require.h"
#include "resolver/answer.h"
#include "resolver/forward.h"
#include "resolver/transfer.h"
#include "resolver/worker.h"
#include "support/message.h"
#include "support/upstream.h"
#include "support/world.h"

#define UDP_CAP_BYTES 1344u
#define FLAG_QR       0x8000u
/* A PROXY header where none is expected is met with silence. */
#define PROXY_SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define FLAG_Z          0x0040u
#define FLAG_AD         0x0020u
#define FLAG_RA         0x0080u
/* The low byte of the id. */
#define KNOB_TIME    0x03u /* Which of `times_ms` it is. */
#define KNOB_NO_BACK 0x04u /* No way for a late answer. */
#define KNOB_STALE   0x08u /* The upstream is slow: what is stale does. */
#define KNOB_FAILURE 0x10u /* It answers: with a failure, else nothing comes of it. */
#define KNOB_OFF     0x20u /* Nothing is forwarded. */
#define KNOB_ANSWER  0x40u /* It answers, and nothing of it may be kept. */
/* When the cache is filled; then answers of 60 s are fresh, about to expire, stale and gone. */
#define FILLED_MS 1000000
#define STALE_S   3600u
#define WALL_MS   1763700000000
/* Rounds of a chain that the forwarder goes; then it is settled. */
#define ROUNDS_MAX 17u

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

/* There in builds with the leak sanitizer only. */
#pragma weak __lsan_disable
#pragma weak __lsan_enable

/* --- what is known ---------------------------------------------------------------------------- */

/* What upstreams have said: the question, and lines of support/upstream.h. */
static const struct {
    const char *name;
    const char *type;
    uint8_t flags; /* PIN_KEY_* */
    const char *lines;
} cached[] = {
    {"www.cached.test", "A", 0, "an www.cached.test 60 A 192.0.2.1\n"},
    {"www.cached.test", "A", PIN_KEY_DO,
        "an www.cached.test 60 A 192.0.2.1\n"
        "an www.cached.test 60 RRSIG A cached.test\nopt 0\n"},
    {"www.trusted.test", "A", 0, "flags 81a0\nan www.trusted.test 60 A 192.0.2.2\n"},
    {"long.cached.test", "AAAA", 0, "an long.cached.test 604800 AAAA 2001:db8::1\n"},
    {"zero.cached.test", "A", 0, "an zero.cached.test 1 A 192.0.2.3\n"},
    {"alias.cached.test", "A", 0,
        "an alias.cached.test 60 CNAME www.cached.test\n"
        "an www.cached.test 60 A 192.0.2.1\n"},
    {"open.cached.test", "A", 0, "an open.cached.test 60 CNAME www.cached.test\n"},
    {"lost.cached.test", "A", 0, "an lost.cached.test 60 CNAME lost.test\n"},
    {"home.cached.test", "A", 0, "an home.cached.test 60 CNAME www.t.example\n"},
    {"ping.cached.test", "A", 0, "an ping.cached.test 60 CNAME pong.test\n"},
    {"pong.test", "A", 0, "an pong.test 60 CNAME ping.cached.test\n"},
    {"elsewhere.test", "A", 0, "an elsewhere.test 60 A 192.0.2.4\n"},
    {"nx.cached.test", "A", 0, "flags 8183\nau cached.test 60 SOA 60\n"},
    {"nodata.cached.test", "AAAA", 0, "au cached.test 60 SOA 60\n"},
    {"mx.cached.test", "MX", 0,
        "an mx.cached.test 60 MX 10 a.mx.cached.test\n"
        "an mx.cached.test 60 MX 20 b.mx.cached.test\n"},
    {"ede.cached.test", "A", 0, "an ede.cached.test 60 A 192.0.2.5\nopt 0 15 0006\n"},
};
#define BIG_RRS 90 /* TXT of big.cached.test: more than UDP takes */

static struct pin_forward *forward;
static struct pin_forward_port *port;
static struct pin_cache_entry *failure; /* One that no name has. */

/* The public answer path asks with the hash of a name, so does this. */
static void make_key(
    const struct pin_name *name, uint16_t type, uint8_t flags, struct pin_cache_key *key)
{
    *key = (struct pin_cache_key){.name = name->wire,
        .name_hash = pin_hash64(name->wire, name->bytes),
        .qtype = type,
        .qclass = 1,
        .group = pin_forward_group(forward, name->wire, name->bytes),
        .name_bytes = name->bytes,
        .flags = flags};
    pin_cache_key_finish(key);
}

static void put(const char *text, const char *type, uint8_t flags, const char *lines)
{
    struct pin_name name;
    struct pin_cache_key key;
    struct pin_reply *reply = pin_reply_new();
    bool is_do = (flags & PIN_KEY_DO) != 0;
    require(reply != NULL && pin_name_parse(text, &name) == PIN_OK);
    make_key(&name, upstream_type(type), flags, &key);
    require(upstream_hear(text, type, lines, is_do, reply) == PIN_REPLY_GOOD);
    (void)pin_cache_put(pin_forward_cache(forward), &key, reply, FILLED_MS);
    pin_reply_free(reply);
}

/* Failures: of a name without an answer, and of one that has a stale one by then. */
static void put_failures(void)
{
    static const char *const names[] = {"failed.test", "zero.cached.test"};
    const struct pin_cache_entry *entry = NULL;
    for (size_t i = 0; i < 2; i++) {
        struct pin_name name;
        struct pin_cache_key key;
        require(pin_name_parse(names[i], &name) == PIN_OK);
        make_key(&name, 1, 0, &key);
        entry = pin_cache_put_failure(
            pin_forward_cache(forward), &key, PIN_EDE_NO_REACHABLE_AUTHORITY, FILLED_MS);
    }
    size_t bytes = offsetof(struct pin_cache_entry, tail) + entry->name_bytes;
    require(entry->kind == PIN_BODY_FAILURE && pin_cache_n_ttls(entry) == 0);
    failure = malloc(sizeof(*failure) + PIN_NAME_MAX_BYTES);
    require(failure != NULL);
    memcpy(failure, entry, bytes);
}

static void fill_cache(void)
{
    static char big[BIG_RRS * 64];
    size_t used = 0;
    for (int i = 0; i < BIG_RRS; i++) {
        used += (size_t)snprintf(
            big + used, sizeof(big) - used, "an big.cached.test 60 TYPE16 0F%030d\n", i);
    }
    require(used < sizeof(big));
    for (size_t i = 0; i < sizeof(cached) / sizeof(cached[0]); i++) {
        put(cached[i].name, cached[i].type, cached[i].flags, cached[i].lines);
    }
    put("big.cached.test", "TXT", 0, big);
    put_failures();
}

/* A forwarder whose thread has ended: 10.0.0.0/15 may ask it. */
static void set_up_forward(void)
{
    static const struct pin_upstream_spec upstream = {
        .address = {.ip = {.family = 4, .bytes = {127, 0, 0, 1}}, .port = 9}};
    static struct pin_forward_zone zones[] = {{.upstreams = &upstream, .n_upstreams = 1},
        {.upstreams = &upstream, .n_upstreams = 1, .is_trusted = true}};
    static const struct pin_lpm_entry allowed = {
        .prefix = {.ip = {.family = 4, .bytes = {10}}, .bits = 15}};
    struct pin_why why = {0};
    require(pin_name_parse("test", &zones[0].name) == PIN_OK);
    require(pin_name_parse("trusted.test", &zones[1].name) == PIN_OK);
    const struct pin_forward_config config = {.live = &world->live,
        .zones = zones,
        .n_zones = 2,
        .cache = {.size_bytes = (size_t)8 << 20, .stale_max_s = STALE_S, .is_prefetching = true},
        .n_threads = 1,
        .n_ports = 1,
        .thread_i = 1};
    pin_rcu_offline(); /* its thread is waited for */
    require(pin_forward_start(&config, &forward, &why) == PIN_OK);
    pin_forward_halt(forward);
    pin_rcu_online();
    port = pin_forward_port(forward, 0);
    manners.recursion = pin_lpm_new(&allowed, 1);
    require(manners.recursion != NULL);
    fill_cache();
}

/* The world stays until the process ends. The index keeps its nodes in pages that the leak
 * sanitizer does not search, so it is told not to miss them. */
static void set_up(void)
{
    if (__lsan_disable != NULL) {
        __lsan_disable();
    }
    world = world_new();
    set_up_forward();
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

/* --- answers ---------------------------------------------------------------------------------- */

static bool may_recurse(const uint8_t *data, size_t size)
{
    return size % 4 < 2 && (data[1] & KNOB_OFF) == 0;
}

static void check_answer(const uint8_t *data, size_t size, const uint8_t *wire, size_t bytes)
{
    static struct message reply;
    require(message_parse(wire, bytes, &reply));
    require(memcmp(wire, data, 2) == 0);
    require((reply.flags & (FLAG_QR | FLAG_Z)) == FLAG_QR);
    require((reply.flags & (FLAG_RA | FLAG_AD)) == 0 || may_recurse(data, size));
    require(((reply.flags >> 8) & 0x78) == (data[2] & 0x78));
    require(
        reply.n_question == 0 || memcmp(wire + PIN_HEADER_BYTES, data + PIN_HEADER_BYTES, 5) == 0);
}

/* Takes what was handed over last; false: nothing was. Refreshes that nobody waits for go. */
static bool take_miss(struct pin_miss *ret_miss)
{
    bool is_there = false;
    const struct pin_miss *miss = pin_ring_take(port->rings[0]);
    for (; miss != NULL; miss = pin_ring_take(port->rings[0])) {
        require(miss->key.name_bytes > 0 && miss->key.group < 2 && miss->n_rounds <= ROUNDS_MAX);
        if (!miss->is_refresh) {
            require(!is_there);
            *ret_miss = *miss;
            is_there = true;
        }
        pin_ring_release(port->rings[0]);
    }
    return is_there;
}

/* An answer that is not kept: of A an address, of other types an alias to the next name. */
static const struct pin_cache_entry *make_answer(
    const struct pin_miss *miss, const struct pin_cache_key *key)
{
    static uint8_t wire[PIN_UDP_MIN_BYTES];
    static const uint8_t a[] = {0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 192, 0, 2, 6};
    uint8_t cname[] = {0xC0, 12, 0, 5, 0, 1, 0, 0, 0, 0, 0, 8, 1, 'a', 4, 't', 'e', 's', 't', 0};
    static struct pin_reply *reply;
    bool is_a = key->qtype == PIN_TYPE_A;
    const struct pin_asked asked = {.qname = key->name,
        .qname_bytes = key->name_bytes,
        .qtype = key->qtype,
        .qclass = 1,
        .is_do = (key->flags & PIN_KEY_DO) != 0};
    uint8_t *at = wire + PIN_HEADER_BYTES;
    reply = reply == NULL ? pin_reply_new() : reply;
    require(reply != NULL);
    cname[13] = (uint8_t)('a' + miss->n_rounds);
    memcpy(wire, (const uint8_t[PIN_HEADER_BYTES]){0, 0, 0x81, 0x80, 0, 1, 0, 1}, PIN_HEADER_BYTES);
    memcpy(at, key->name, key->name_bytes);
    at += key->name_bytes;
    pin_put_be16(at, key->qtype);
    pin_put_be16(at + 2, 1);
    memcpy(at + 4, is_a ? a : cname, is_a ? sizeof(a) : sizeof(cname));
    size_t bytes = (size_t)(at + 4 - wire) + (is_a ? sizeof(a) : sizeof(cname));
    if (pin_reply_read(wire, bytes, &asked, reply) != PIN_REPLY_GOOD) {
        return NULL;
    }
    return pin_cache_put(pin_forward_cache(forward), key, reply, port->now_ms);
}

/* What came of a question, as the id says. `name` holds what `key` borrows. */
static void set_outcome(uint8_t knobs, const struct pin_miss *miss, struct pin_name *name,
    struct pin_cache_key *key, struct pin_outcome *ret_outcome)
{
    name->bytes = miss->key.name_bytes;
    memcpy(name->wire, miss->key.name, name->bytes);
    make_key(name, miss->key.qtype, miss->key.flags, key);
    require(key->name_hash == miss->key.name_hash && key->group == miss->key.group);
    *ret_outcome = (struct pin_outcome){.key = key, .shows_stale = (knobs & KNOB_STALE) != 0};
    if ((knobs & KNOB_ANSWER) != 0) {
        ret_outcome->entry = make_answer(miss, key);
    } else if ((knobs & KNOB_FAILURE) != 0) {
        ret_outcome->entry = failure;
    }
}

/* The part of the forward thread: answers what it was handed until that is settled. */
static size_t settle(
    const uint8_t *data, size_t size, struct pin_client *client, struct pin_packet *packet)
{
    static struct pin_miss miss;
    const struct pin_return *back = client->back;
    size_t bytes = PIN_ANSWER_LATER;
    require(may_recurse(data, size) && memcmp(packet->wire, data, size) == 0);
    while (bytes == PIN_ANSWER_LATER) {
        struct pin_name name;
        struct pin_cache_key key;
        struct pin_outcome outcome;
        require(take_miss(&miss) && miss.bytes == size && memcmp(miss.wire, data, size) == 0);
        set_outcome(data[1], &miss, &name, &key, &outcome);
        port->outcome = &outcome;
        port->n_rounds = (uint8_t)(miss.n_rounds + 1);
        client->back = miss.n_rounds < ROUNDS_MAX - 1 ? back : NULL;
        packet->bytes = size;
        bytes = pin_answer(&worker, client, packet);
    }
    port->outcome = NULL;
    port->n_rounds = 0;
    return bytes;
}

/* Answers a copy in a block of exactly the room there is, so that ASan sees a byte too far. */
static void try_transport(const uint8_t *data, size_t size, enum pin_transport transport)
{
    static const struct pin_return back = {.fd = -1};
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
    uint8_t net = size % 8 == 7 ? 127 : 10; /* this machine may ask more */
    memcpy(&peer.sin_addr, (const uint8_t[]){net, size % 4, 0, 1}, 4);
    struct pin_client client = {.peer = (const struct sockaddr *)&peer,
        .listen_cluster_id = PIN_CLUSTER_NONE,
        .transport = transport,
        .back = size > 1 && (data[1] & KNOB_NO_BACK) == 0 ? &back : NULL};
    struct pin_packet packet = {.wire = wire, .bytes = size, .cap_bytes = cap_bytes};
    size_t bytes = pin_answer(&worker, &client, &packet);
    if (bytes == PIN_ANSWER_LATER) {
        bytes = settle(data, size, &client, &packet);
    }
    static struct pin_miss none;
    require(!take_miss(&none));

    bool is_query = size >= PIN_HEADER_BYTES && (data[2] & 0x80) == 0
                    && memcmp(data, PROXY_SIGNATURE, PIN_HEADER_BYTES) != 0;
    require((bytes > 0) == is_query);
    if (is_query) {
        require(bytes <= (transport == PIN_TRANSPORT_UDP ? PIN_UDP_MAX_BYTES : cap_bytes));
        check_answer(data, size, wire, bytes);
    }
    free(wire);
    pin_rcu_quiescent();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t times_ms[] = {1000, 57000, 100000, 4000000};
    if (world == NULL) {
        set_up();
    }
    uint8_t knobs = size > 1 ? data[1] : KNOB_OFF;
    worker.forward = (knobs & KNOB_OFF) == 0 ? port : NULL;
    pin_clock_set_fake(FILLED_MS + times_ms[knobs & KNOB_TIME], WALL_MS);
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
