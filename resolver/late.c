/* SPDX-License-Identifier: Apache-2.0 */

/* The mailbox: a stack that posters push on and the reader takes away whole, turned around. */

#include "late.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum pin_err pin_mailbox_init(struct pin_mailbox *mailbox, struct pin_why *why)
{
    atomic_init(&mailbox->newest, NULL);
    mailbox->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return mailbox->wake_fd >= 0 ? PIN_OK : pin_why_errno(why, errno, "open a mailbox");
}

void pin_mailbox_done(struct pin_mailbox *mailbox)
{
    struct pin_late *late = pin_mailbox_take(mailbox);
    while (late != NULL) {
        struct pin_late *next = late->next;
        free(late);
        late = next;
    }
    if (mailbox->wake_fd > 0) {
        (void)close(mailbox->wake_fd);
    }
    mailbox->wake_fd = 0;
}

void pin_mailbox_post(struct pin_mailbox *mailbox, struct pin_late *late)
{
    struct pin_late *newest = atomic_load_explicit(&mailbox->newest, memory_order_relaxed);
    do {
        late->next = newest;
    } while (!atomic_compare_exchange_weak_explicit(
        &mailbox->newest, &newest, late, memory_order_release, memory_order_relaxed));
    if (newest == NULL) {
        (void)eventfd_write(mailbox->wake_fd, 1); /* fails only when it is readable anyway */
    }
}

struct pin_late *pin_mailbox_take(struct pin_mailbox *mailbox)
{
    eventfd_t n_wakes;
    if (mailbox->wake_fd > 0) {
        (void)eventfd_read(mailbox->wake_fd, &n_wakes); /* before the mail: a post wakes again */
    }
    struct pin_late *newest =
        atomic_exchange_explicit(&mailbox->newest, NULL, memory_order_acquire);
    struct pin_late *oldest = NULL;
    while (newest != NULL) {
        struct pin_late *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}
