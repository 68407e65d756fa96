/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Listening sockets: one UDP and one TCP socket per worker for each address; for TLS, TCP alone.
 *
 * The first socket of an address is bound without SO_REUSEPORT, so that a second daemon on the same
 * port fails instead of taking half of the questions; only then is the port opened for the sockets
 * of the other workers.
 *
 * Sockets that a supervisor hands over for the address take the place of those that we would open.
 * Where there are fewer than workers, workers share them: we could not open more on the same port,
 * which belongs to the user who bound it.
 */

#include <stdbool.h>
#include <stddef.h>

#include "pintle/base/error.h"
#include "pintle/base/ip.h"

struct pin_handover;
struct pin_supervisor;

/** The sockets of one address. A zeroed one is closed. */
struct pin_listen {
    struct pin_addrport address; /**< With the port that it really has. */
    bool is_wildcard;            /**< 0.0.0.0 or ::, so answers must say where they come from. */
    size_t n_fds;                /**< Workers. */
    bool has_udp;                /**< Else it is for streams alone. */
    int *udp_fds;                /**< Blocking; -1 without UDP. */
    int *tcp_fds;                /**< Non-blocking, listening. */
};

/** Who may have sockets for us. Both borrowed; NULL: nobody. */
struct pin_listen_given {
    struct pin_handover *handover;     /**< The process before, which goes first. */
    struct pin_supervisor *supervisor; /**< What started us. */
};

/**
 * Opens `n_workers` TCP sockets, and as many for UDP if asked to, on one port; port 0 takes a free
 * one. `why` names the address, the transport and the way out. Nothing is left open after an error.
 *
 * @param given  Whose sockets are taken first; NULL: there are none.
 */
enum pin_err pin_listen_open(const struct pin_addrport *address, size_t n_workers, bool has_udp,
    const struct pin_listen_given *given, struct pin_listen *ret_listen, struct pin_why *why);

/** Closes all sockets. */
void pin_listen_close(struct pin_listen *listen);
