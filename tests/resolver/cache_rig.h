/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * A cache and a reply to put into it, for the test programs of the cache.
 */

#include "pintle/base/rcu.h"

#include "resolver/cache.h"

static struct pin_cache *cache;
static struct pin_reply *reply;

/** Makes both; the thread reads under RCU from now on. 0, or what cmocka takes for a failure. */
static inline int make_cache(const struct pin_cache_settings *settings)
{
    pin_rcu_register();
    reply = pin_reply_new();
    return reply == NULL ? -1 : (int)pin_cache_new(settings, &cache, NULL);
}

static inline int tear_down(void **state)
{
    (void)state;
    pin_cache_free(cache);
    pin_reply_free(reply);
    pin_rcu_unregister();
    return 0;
}
