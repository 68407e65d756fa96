/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Relay: a forwarder without threads of its own. The test is all at once: the worker that is asked,
 * the forward thread, turn by turn, and the resolvers on the loopback. The clock stands still until
 * relay_wait() moves it, so a test of seconds takes none and always goes the same way.
 *
 * A test defines __wrap_pin_worker_spawn() as relay_spawn(). A failure of the machinery fails the
 * running test.
 */

#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "resolver/forward_run.h"
#include "resolver/worker.h"
#include "support/message.h"
#include "support/world.h"

#define RELAY_UPSTREAMS_MAX 3u
#define RELAY_WIRE_MAX      1500u
/** Address of every answer. */
#define RELAY_GOOD "192.0.2.1"

/** What is to be started; zeroed but for n_upstreams is usual. */
struct relay_options {
    size_t n_upstreams;
    const char *other_zone; /**< Whose one resolver is the last of them; NULL: there is none. */
    uint32_t stale_max_s;
    struct pin_rate_config rate;
    struct pin_tapper *tapper; /**< Or NULL; outlives the relay. */
};

/** One resolver of the test's. */
struct relay_upstream {
    struct pin_upstream_spec spec;
    int udp_fd;
    int listen_fd;
    int stream_fd; /**< The connection to it; -1: none. */
};

/** All of it. */
struct relay {
    struct world *world;
    struct pin_forward *forward;
    struct pin_forward_thread *thread;
    struct pin_worker worker;
    struct pin_manners manners;
    struct pin_mailbox mailbox;       /**< Of the streams that ask. */
    struct pin_late *mail;            /**< Taken, not looked at yet. */
    struct pin_forward_zone zones[2]; /**< The root, and the other one. */
    struct relay_upstream upstreams[RELAY_UPSTREAMS_MAX];
    struct pin_upstream_spec specs[RELAY_UPSTREAMS_MAX];
    int64_t now_ms;
    int server_fd;      /**< The socket that UDP clients ask. */
    uint64_t n_streams; /**< So far: each query is on one of its own. */
};

/** A question that a resolver got. */
struct relay_question {
    struct relay_upstream *upstream;
    struct sockaddr_in from;
    bool is_stream;
    size_t bytes;
    uint8_t wire[RELAY_WIRE_MAX];
};

/** What a resolver says. Zeroed: the address RELAY_GOOD with TTL 0. */
struct relay_reply {
    uint16_t rcode;
    uint32_t ttl_s;
    unsigned n_records; /**< 0: one. */
    const char *alias;  /**< A CNAME to it, and with n_records one address of that name. */
    uint16_t ede;       /**< Why, in an OPT record; 0: there is none. */
    bool is_malformed;  /**< A record less than it says. */
    bool is_truncated;
    bool is_denial;   /**< Nothing but an SOA. */
    uint16_t id_xor;  /**< What is wrong with its id, */
    uint8_t case_xor; /**< with the first letter of its name. */
};

/** Starts it. */
void relay_start(struct relay *relay, const struct relay_options *options);

/** Ends it. */
void relay_stop(struct relay *relay);

/** In the place of pin_worker_spawn(): the forward thread ends at once. */
enum pin_err relay_spawn(pthread_t *ret_thread);

/** Lets the forward thread do what there is to do now. */
void relay_run(struct relay *relay);

/** Moves the clock on, with a turn for each millisecond in which something is due. */
void relay_wait(struct relay *relay, int64_t ms);

/**
 * Asks over a stream from 127.0.<client>; the answer, if it is there at once, is in *ret_answer.
 * Returns the number of the stream that a late one comes to; 0: it was answered.
 */
uint64_t relay_ask(struct relay *relay, uint16_t client, const struct message_query *query,
    struct message *ret_answer);

/** Asks over UDP from a socket of the client's. True: answered at once, and not sent. */
bool relay_ask_udp(struct relay *relay, int client_fd, const struct sockaddr_in *sender,
    const struct message_query *query);

/** Takes the next late answer, in the order they came. 0: none; else its stream. A stream's end
 * without an answer fails the test. */
uint64_t relay_take(struct relay *relay, struct message *ret_answer);

/** The next question over UDP that this resolver got. False: none has come. */
bool relay_hear(struct relay *relay, size_t upstream_i, struct relay_question *ret_question);

/** The next question over TCP. False: none has come. */
bool relay_hear_stream(struct relay *relay, size_t upstream_i, struct relay_question *ret_question);

/** Says something to a question; the forward thread has not looked at it yet. */
void relay_say(const struct relay_question *question, const struct relay_reply *reply);

/** How many questions over UDP this resolver got since last time; they are lost. */
unsigned relay_drop(struct relay *relay, size_t upstream_i);
