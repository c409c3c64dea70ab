/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* issuers.h - the issuers of a configuration, and the question of every request with a bearer
 * token: whose is it?
 *
 * An issuer (issuer.h) with its keys outlives configurations; a set is what one configuration makes
 * of them. The snapshot holds the set, so a worker finds the issuer of config.issuers entry i at
 * set->at[i].
 *
 *   token text -> cache -> known: done
 *              -> token_read (structure, header, payload) -> iss -> one of the allowed issuers
 *              -> its keys, its algorithms -> signature -> claims -> identity, cached
 *
 * A token that names a key which the issuer does not have makes the control thread ask the issuer
 * again, unless that was done a moment ago; the request may wait for it. */
#include "config/config.h"
#include "http/message.h"
#include "policy/identity.h"
#include "policy/issuer.h"
#include "policy/token_cache.h"
#include "policy/token_error.h"

struct issuer_entry {
    const struct issuer_conf *conf; /* borrowed from the set's configuration */
    struct issuer *issuer;          /* ref */
};

/* Immutable. Any thread. */
struct issuer_set {
    _Atomic int refs;
    struct config *config; /* ref */
    uint64_t id; /* another one for each configuration: what was cached under one ends with it */
    size_t n;
    struct issuer_entry at[];
};

struct issuer_set *issuer_set_ref(struct issuer_set *s);
void issuer_set_unref(struct issuer_set **s);

/* A request that waits until its issuer was asked again. Zeroed at first; nothing to free. */
struct issuer_wait {
    struct issuer *issuer; /* NULL = there is nothing to wait for. Borrowed from the set */
    uint64_t round;        /* that has to be over */
    uint64_t wait_ms;      /* at most so long */
};

/* Whose token does this request carry? `allowed`: indices of set->at, in the order of preference;
 * the claim iss chooses among them.
 *
 * TOKEN_OK: *ret is the caller's reference. TOKEN_MISSING: the request carries nothing for these
 * issuers. TOKEN_KEYS_UNAVAILABLE: the gateway's fault (503), not the client's.
 * TOKEN_KEY_UNKNOWN or TOKEN_KEYS_UNAVAILABLE with wait->issuer set: call again, with the same
 * `wait`, once issuer_wait_over(), or at the latest after wait->wait_ms; then wait->issuer is NULL.
 * `wait` may be NULL. Thread: the worker whose cache it is. */
enum token_error issuers_authenticate(struct issuer_set *set, struct token_cache *cache,
                                      const unsigned *allowed, size_t n, const struct request *r,
                                      int64_t now_s, struct identity **ret,
                                      struct issuer_wait *wait);
/* Has the issuer been asked since? */
bool issuer_wait_over(const struct issuer_wait *w);

/* Is this request field one that carries tokens of this issuer and stays here (forward_token)? */
bool issuer_conf_hides(const struct issuer_conf *c, struct str name);

/* All issuers of the process. Thread: control. */
struct issuers;

struct issuers *issuers_new(issuer_ask_fn *ask, void *arg);
void issuers_free(struct issuers **i);
/* The set for this configuration: the caller's reference. Keys in files are read: NULL and a
 * message when one of them does not do. Nothing has changed until it is used. */
struct issuer_set *issuers_prepare(const struct issuers *i, struct config *c,
                                   struct err *e) MUST_CHECK;
/* From now on these are the issuers. Takes a reference of its own. */
void issuers_use(struct issuers *i, struct issuer_set *set);
