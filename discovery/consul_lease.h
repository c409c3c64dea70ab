/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* consul_lease.h - when to log in, and when to log in again. Pure: time and random numbers are
 * arguments.
 *
 * A token that ends is replaced after about 70 % of its life (65 to 75, so that gateways which
 * started together drift apart). A login that fails is tried again after 1 s, twice that, and so
 * on, up to a minute; the token of before stays in use meanwhile. A token that Consul does not know
 * any more is replaced at once, but not more often than every 10 s. */
#include "base/rng.h"

#include <stdbool.h>
#include <stdint.h>

struct consul_lease {
    bool has;          /* a token was granted */
    uint64_t got_ns;   /* when; */
    uint64_t life_ns;  /* how long it lives; 0 = for ever */
    uint64_t due_ns;   /* when to log in; UINT64_MAX = never */
    uint64_t begun_ns; /* the last login began; 0 = never */
    unsigned failures; /* in a row */
};

/* The first login is due at once. */
void consul_lease_init(struct consul_lease *l, uint64_t now_ns);
bool consul_lease_due(const struct consul_lease *l, uint64_t now_ns);
void consul_lease_begun(struct consul_lease *l, uint64_t now_ns);
void consul_lease_granted(struct consul_lease *l, uint64_t life_ns, uint64_t now_ns,
                          struct rng *rng);
void consul_lease_refused(struct consul_lease *l, uint64_t now_ns, struct rng *rng);
/* Consul does not know the token. True: a login is due now. */
bool consul_lease_doubted(struct consul_lease *l, uint64_t now_ns);
/* An operator wants it: due now. */
void consul_lease_hurry(struct consul_lease *l, uint64_t now_ns);
