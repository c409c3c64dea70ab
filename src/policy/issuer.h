/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* issuer.h - one issuer of tokens while the process runs: its keys as known now, how fresh they
 * are, and what became of its tokens.
 *
 * Workers read the keys under a mutex and everything else from atomics; the keys themselves are
 * immutable. Only the control thread changes them. A set of keys that is empty or broken never
 * takes the place of a good one, and an issuer without keys lets nobody in.
 *
 * An issuer is the same over configurations as long as its name, the place of its keys and its
 * algorithms are; another one begins without keys. */
#include "base/err.h"
#include "config/issuers_conf.h"
#include "policy/keyset.h"
#include "policy/token_error.h"

#include <pthread.h>
#include <stdatomic.h>

typedef void issuer_ask_fn(void *arg);

struct issuer {
    _Atomic int refs;
    char *name, *source; /* owned; source: the place of the keys */
    unsigned algorithms;

    struct { /* written by the control thread, read by workers */
        pthread_mutex_t lock;
        struct keyset *keys;         /* ref, under the lock; NULL = none were ever there */
        _Atomic uint64_t generation; /* of keys; 0 = none */
        _Atomic uint64_t rounds;     /* times that it was asked for keys, and that is over */
        _Atomic bool can_ask;        /* asking makes sense: it was not asked a moment ago */
        _Atomic bool asked;          /* set by workers */
        _Atomic uint64_t results[TOKEN_ERRORS];
    } shared;

    /* Of the control thread alone. */
    uint64_t refreshes, failures; /* times that keys were read, or could not be */
    int64_t good_wall_ms;         /* when they were confirmed last; 0 = never */
    char error[256];              /* why the last time was in vain; "" = it was not */
    issuer_ask_fn *ask;
    void *ask_arg;
};

/* `ask` is called, on any thread, when a worker wants the issuer to be asked. */
struct issuer *issuer_new(const struct issuer_conf *c, issuer_ask_fn *ask, void *arg);
struct issuer *issuer_ref(struct issuer *i);
void issuer_unref(struct issuer **i);
/* Can this one go on under that configuration? */
bool issuer_is_for(const struct issuer *i, const struct issuer_conf *c);

/* Any thread: the keys in force (caller's reference), or NULL. */
struct keyset *issuer_keys(struct issuer *i) MUST_CHECK;
/* Any thread: it should be asked again. The number of the round that has to be over, or 0 when
 * there will be none soon. */
uint64_t issuer_wish(struct issuer *i);
static inline uint64_t issuer_generation(const struct issuer *i)
{
    return atomic_load_explicit(&i->shared.generation, memory_order_acquire);
}
static inline uint64_t issuer_rounds(const struct issuer *i)
{
    return atomic_load_explicit(&i->shared.rounds, memory_order_acquire);
}

/* Thread: control, as all below. Has a worker wished since the last call? */
bool issuer_wished(struct issuer *i);
void issuer_allow_wishes(struct issuer *i, bool can_ask);
/* What came of asking: keys, whose reference it takes over, or why not. Ends a round. Those that
 * are as before change nothing. True when this is news for the log. */
bool issuer_take(struct issuer *i, struct keyset *keys, int64_t wall_ms);
bool issuer_fail(struct issuer *i, const char *why);
