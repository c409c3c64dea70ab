/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* limit_redis.h - one worker's connection to the Redis in which a fleet counts together.
 *
 * A request's shared limits are asked for in one script call, atomic in Redis and by Redis' clock:
 * all pass and are counted, or nothing is. The connection is made ahead of requests and again, ever
 * more rarely, after it broke; in the meantime limit_redis_ask() says no at once and costs nothing.
 * Answers that are late or errors, several in a row, count as a broken connection. So Redis may be
 * away, hang or refuse, and no worker waits for it.
 *
 * Keys hold the name of the limit and a SHA-256 of the client, no address, token or name.
 *
 * Belongs to one worker and its loop. */
#include "limits/limits.h"

struct event_base;
struct limit_redis;
struct limit_redis_call;

enum { LIMIT_REDIS_KEY_BYTES = 33 };

/* What is asked of one limit. */
struct limit_redis_ask {
    const struct limit_entry *entry;
    char client[LIMIT_REDIS_KEY_BYTES]; /* limit_redis_client() */
};

/* What Redis says: numbers as in the local table (limit_rule.h). */
struct limit_redis_answer {
    bool decided; /* false: it could not be asked */
    bool passes;
    bool each[MAX_REQUEST_LIMITS]; /* would this one let it pass? */
    uint64_t values[MAX_REQUEST_LIMITS];
};

typedef void limit_redis_done_fn(void *arg, const struct limit_redis_answer *a);

/* Does nothing until it is configured. NULL when memory is out. */
struct limit_redis *limit_redis_new(struct event_base *base) MUST_CHECK;
/* Connects when this is another Redis than before; no address = none. `status` outlives it. */
void limit_redis_configure(struct limit_redis *r, const struct redis_conf *c,
                           struct limit_redis_status *status);
/* Calls that are under way end undecided. */
void limit_redis_free(struct limit_redis **r);

/* The digest that stands for a client in a key. */
void limit_redis_client(const void *text, size_t n, char ret[LIMIT_REDIS_KEY_BYTES]);

/* `done` comes later, from the loop, once, unless the call is given up before. NULL when Redis
 * cannot be asked now. */
struct limit_redis_call *limit_redis_ask(struct limit_redis *r, const struct limit_redis_ask *asks,
                                         unsigned n, const struct limit_clock *clock,
                                         limit_redis_done_fn *done, void *arg) MUST_CHECK;
/* Nobody waits any more; `late`: because it took too long. Clears the caller's pointer. */
void limit_redis_give_up(struct limit_redis_call **call, bool late);
/* How long a call may take. */
uint64_t limit_redis_timeout_ms(const struct limit_redis *r);
