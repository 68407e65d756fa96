/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * The inside of a thread of streams, for the files that make it up:
 *
 *     tcp.c           the loop: events, deadlines, late answers, ends; life
 *     tcp_accept.c    who is let in: accepting, limits of listeners, origins and all
 */

#include <pthread.h>

#include "conn.h"
#include "ids.h"
#include "links.h"
#include "origins.h"
#include "tcp.h"

/** What an epoll event is about: first member of each kind. */
enum pin_tcp_source {
    PIN_TCP_STOP,
    PIN_TCP_MAIL,
    PIN_TCP_LISTENER,
    PIN_TCP_STREAM,
};

/** One connection. */
struct pin_tcp_stream {
    enum pin_tcp_source source;
    uint32_t events;           /* what epoll was told to wait for */
    struct pin_link by_age;    /* in the list of its state, oldest first */
    struct pin_link by_origin; /* the one quiet for longest first */
    struct pin_link by_birth;  /* oldest first; in no list when its time does not end */
    struct pin_tcp_stream *next_dead;
    struct pin_tcp_listener *listener;
    struct pin_origin *origin; /* NULL until a PROXY header names it */
    bool has_shaken;           /* its TLS handshake was counted */
    int64_t born_ms;
    int64_t since_ms;       /* its wait began then */
    struct pin_return back; /* where its late answers go; stream_id is its own */
    struct pin_conn conn;
    union pin_proxy_peer peer;
};

/** A socket that is listened on. */
struct pin_tcp_listener {
    enum pin_tcp_source source;
    uint32_t n_open;
    struct pin_tcp_listen listen;
};

/** A thread and its streams. */
struct pin_tcp {
    struct pin_worker worker;
    struct pin_stream_limits limits;
    _Atomic uint32_t *n_open;
    struct pin_tcp_listener *listeners;
    size_t n_listeners;
    int epoll_fd;
    int stop_fd;
    enum pin_tcp_source stop_source;
    enum pin_tcp_source mail_source;
    bool is_stopping;
    bool is_retired;       /* accepts nobody any more */
    atomic_bool is_ending; /* what stop_fd is for: else to retire */
    int gate_fd;
    int64_t now_ms;
    uint64_t round;
    uint32_t n_handshakes;                  /* gone on with in this round */
    int64_t accept_again_ms;                /* 0: accepting */
    struct pin_link waits[PIN_CONN_CLOSED]; /* by state */
    struct pin_link births;                 /* all whose time ends some day */
    struct pin_tcp_stream *dead;            /* closed in this round; freed at its end */
    struct pin_origins origins;
    struct pin_ids ids;
    struct pin_mailbox mailbox;
    struct pin_https_shared *http; /* NULL: no listener speaks it */
    pthread_t thread;
    struct pin_conn_buffers buffers;
};

/* --- tcp.c --- */

/** The stream that waits for longest in the list of a state; NULL: none does. */
struct pin_tcp_stream *pin__tcp_oldest(struct pin_link *head);

/** Takes a stream out of its origin, if it has one. */
void pin__tcp_leave_origin(struct pin_tcp *tcp, struct pin_tcp_stream *stream);

/** Closes a stream now; its memory goes at the end of the round, since events may still name it. */
void pin__tcp_close(struct pin_tcp *tcp, struct pin_tcp_stream *stream);

/* --- tcp_accept.c --- */

/** Whoever has been quiet for longest makes room; whoever has ended first, then whoever is idle.
 * False: nobody is here. */
bool pin__tcp_evict(struct pin_tcp *tcp);

/** Lets a stream in as one of its peer's, within the limits of each. False: it has to go. */
bool pin__tcp_admit(struct pin_tcp *tcp, struct pin_tcp_stream *stream);

/** Has epoll wait for these events of all listeners. */
void pin__tcp_accept_from(struct pin_tcp *tcp, uint32_t events);

/** Accepts what waits at a listener, up to a bound. Loud. */
void pin__tcp_accept(struct pin_tcp *tcp, struct pin_tcp_listener *listener);
