/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Workers on the loopback that answer about the test world, and sockets to ask them with. A failure
 * of the machinery fails the running test.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "resolver/worker.h"
#include "support/message.h"
#include "support/world.h"

/** How long a client waits for what must come. */
#define SERVER_PATIENCE_MS 5000

/** A running server. */
struct server {
    struct world *world;
    struct pin_workers *workers;
    struct pin_addrport address; /**< Of its first listener. */
};

/** Starts workers on one address, e.g. "127.0.0.1:0". */
void server_start(struct server *server, const char *address, size_t n_workers,
    const struct pin_stream_limits *limits);

/** Stops them. */
void server_stop(struct server *server);

/** The counters now. */
struct pin_stats_sum server_stats(const struct server *server);

/** A socket connected to the server's port; `type` as for socket(2). `to` NULL: its own address. */
int server_connect(const struct server *server, int type, const char *to);

/** Sends all bytes. False when the connection is gone. */
bool server_send(int fd, const void *bytes, size_t n_bytes);

/** Receives exactly that many bytes. False at the end of the stream, or when patience is over. */
bool server_receive(int fd, void *ret_bytes, size_t n_bytes);

/** Waits until the peer has closed. False when patience is over. */
bool server_is_closed_by_peer(int fd);

/** Builds a query behind its length as streams carry it; returns the length of both. */
size_t server_frame(const struct message_query *query, uint8_t *ret_wire);

/** Reads one framed answer and parses it strictly. False when none comes. */
bool server_read_answer(int fd, struct message *ret_message);

/** Waits until `is_true` holds, polling. False when patience is over. */
bool server_wait(bool (*is_true)(const struct server *server), const struct server *server);
