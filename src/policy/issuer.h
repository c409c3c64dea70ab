/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* issuer.h - one issuer of tokens while the process runs: its keys as known now, how fresh they
 * are, and what became of its tokens.
 *
 * Workers read the keys under a mutex and everything else from atomics; the keys themselves are
 * immutable. Only the control thread changes them. A set of keys that is empty or broken never
 * takes the place of a good one, and an issuer without keys lets nobody in. */
#include "base/err.h"
#include "config/issuers_conf.h"
#include "policy/keyset.h"
#include "policy/token_error.h"

#include <pthread.h>
#include <stdatomic.h>

struct issuer {
    _Atomic int refs;
    char *name; /* owned */

    struct { /* written by the control thread, read by workers */
        pthread_mutex_t lock;
        struct keyset *keys;         /* ref, under the lock; NULL = none were ever there */
        _Atomic uint64_t generation; /* of keys; 0 = none */
        _Atomic uint64_t rounds;     /* times that the issuer was asked and that is over */
        _Atomic bool can_ask;        /* asking makes sense now: there is a URL, and it was not asked
                                        a moment ago */
        _Atomic bool asked;          /* by a worker */
        _Atomic uint64_t results[TOKEN_ERRORS];
    } shared;

    /* Of the control thread alone. */
    uint64_t refreshes, failures; /* times keys were read; of these, in vain */
    int64_t good_wall_ms;         /* keys were last confirmed; 0 = never */
    uint64_t good_ns;
    char error[256]; /* why the last time was in vain; "" = it was not */
    void (*ask)(void *arg);
    void *ask_arg;
};

struct issuer *issuer_new(const char *name, void (*ask)(void *arg), void *arg);
struct issuer *issuer_ref(struct issuer *i);
void issuer_unref(struct issuer **i);

/* Any thread: the keys in force (caller's reference), or NULL. */
struct keyset *issuer_keys(struct issuer *i) MUST_CHECK;
/* Any thread: the control thread is to ask the issuer again. The number of the round that has to be
 * over, or 0 when it will not be asked. */
uint64_t issuer_ask(struct issuer *i);
static inline uint64_t issuer_generation(const struct issuer *i)
{
    return atomic_load_explicit(&i->shared.generation, memory_order_acquire);
}

/* Thread: control. Takes over the reference. Keys that are the same as before keep theirs. */
void issuer_set_keys(struct issuer *i, struct keyset *keys, uint64_t now_ns, int64_t wall_ms);
/* Keys could not be had; those before stay. True when this is worth a line in the log: the first
 * time, or another reason. */
bool issuer_set_error(struct issuer *i, const char *why);
/* Has a worker asked since the last call? */
bool issuer_asked(struct issuer *i);
