/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Supervisor: what started us, systemd or something that speaks as it does, hands us and wants to
 * hear (sd_notify(3), sd_listen_fds(3)). Its protocol is the interface: no library is needed.
 *
 * Threads: one, the one that made it. Nothing here logs or waits.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/base/ip.h"

/** Most sockets that are taken over. */
#define PIN_SUPERVISOR_SOCKETS_MAX 256

struct pin_supervisor;

/**
 * Reads $NOTIFY_SOCKET, $WATCHDOG_USEC, $LISTEN_FDS and what goes with them, and removes them, so
 * that programs that we start do not take them for theirs. Before any other thread is started.
 * Sockets that were handed over are closed when we start programs.
 *
 * @return Without a supervisor one that says and has nothing; NULL when memory is out.
 */
struct pin_supervisor *pin_supervisor_new(void);

/**
 * In a process that starts another one in its parent's place: what that parent was told of its
 * supervisor is left for the other one, but the sockets, which go another way: of these it is told
 * that the supervisor keeps them.
 */
void pin_supervisor_pass_on(void);

/** Closes what nobody has taken, and frees. NULL is fine. */
void pin_supervisor_free(struct pin_supervisor *supervisor);

/** Whether somebody wants to hear from us. NULL is nobody. */
bool pin_supervisor_is_there(const struct pin_supervisor *supervisor);

/**
 * Sends lines such as "READY=1\nSTATUS=text". False: nobody wants to hear, or it could not be sent,
 * which has no consequence here. NULL is nobody.
 */
bool pin_supervisor_tell(const struct pin_supervisor *supervisor, const char *lines);

/** Within how many milliseconds "WATCHDOG=1" has to be said again and again; 0: it need not. */
int64_t pin_supervisor_watchdog_ms(const struct pin_supervisor *supervisor);

/** Whether sockets were handed over, taken since or not, to us or to a process whose place we took:
 * what is not read of them waits for the process that comes after us. NULL has none. */
bool pin_supervisor_has_sockets(const struct pin_supervisor *supervisor);

/**
 * Takes one of the sockets that were handed over for an address; from here on it is the caller's.
 *
 * @param type  SOCK_DGRAM or SOCK_STREAM.
 * @return -1 when there is none, or none any more. NULL has none.
 */
int pin_supervisor_take(
    struct pin_supervisor *supervisor, const struct pin_addrport *address, int type);

/**
 * The next socket that nobody has taken, which is closed by this; for a word to who set it up.
 *
 * @return False when there is none left.
 */
bool pin_supervisor_drop(struct pin_supervisor *supervisor, struct pin_addrport *ret_address);
