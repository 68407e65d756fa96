/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Links: doubly linked lists through the things they hold. The head is a link itself.
 */

#include <stdbool.h>

/** One link; a head or a member. */
struct pin_link {
    struct pin_link *prev;
    struct pin_link *next;
};

/** Makes an empty list. */
static inline void pin_link_init(struct pin_link *head)
{
    head->prev = head;
    head->next = head;
}

/** Whether nothing is in the list. */
static inline bool pin_link_is_empty(const struct pin_link *head)
{
    return head->next == head;
}

/** Takes a member out; it may go out once more, which does nothing. */
static inline void pin_link_remove(struct pin_link *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    pin_link_init(link);
}

/** Puts a member at the end. */
static inline void pin_link_append(struct pin_link *head, struct pin_link *link)
{
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

/** Moves a member to the end of the list it is in. */
static inline void pin_link_to_end(struct pin_link *head, struct pin_link *link)
{
    if (head->prev != link) {
        pin_link_remove(link);
        pin_link_append(head, link);
    }
}
