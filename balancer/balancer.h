/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* balancer.h - chooses the instance for a request.
 *
 * A balancer is built once for each published set of instances and never changes; what moves (the
 * round-robin position, in-flight counts, latency averages, ejections) lives outside it in atomics
 * that all workers share. So a pick is a pure function of its arguments: no I/O, no allocation, no
 * clock of its own. It is O(1) as long as most instances can be chosen; a panic threshold or tiers
 * add one look at the ejection of (some of) the instances.
 *
 * Weights and slow start are honoured by every policy. An instance that is usable by Consul's word
 * can still be passed over here: tried before in this request, ejected, on probation with its one
 * request under way, or at its own concurrency limit. What a policy cannot find in a few tries is
 * chosen from all that remain, at random by weight (consistent_hash: by rendezvous hashing, so that
 * only the keys of the missing instance move, and each always to the same other one).
 *
 * An instance is in rotation when it is usable and not ejected; panic and tiers count these, as a
 * share of the usable and fallback targets. The preferred tier is a preference: a request that can
 * go nowhere in it (all tried, all full) goes elsewhere.
 */
#include "base/instance_load.h"
#include "base/macros.h"
#include "base/rng.h"

#include <stdbool.h>
#include <stdint.h>

enum balance_policy {
    BALANCE_ROUND_ROBIN,    /* smooth weighted round robin (nginx's), as a precomputed schedule */
    BALANCE_LEAST_REQUEST,  /* power of two choices on in-flight / weight (Mitzenmacher 2001); all
                               are compared when there are three or fewer; equals take turns */
    BALANCE_PEAK_EWMA,      /* the same on latency x (in-flight + 1) / weight (Finagle) */
    BALANCE_RANDOM,         /* weighted random */
    BALANCE_CONSISTENT_HASH /* Maglev table (Eisenbud et al., NSDI 2016, section 3.4) */
};
/* -1 when the word is not known. Words: round_robin least_request peak_ewma random consistent_hash
 */
int balance_policy_parse(const char *word);
const char *balance_policy_name(enum balance_policy p);

struct balance_target {
    uint32_t weight;  /* > 0 when usable; scaled by the balancer, ratios are kept */
    uint32_t tier;    /* 0 = preferred zone or node, 1 = elsewhere */
    bool usable;      /* Consul's word: passing or warning, resolved, weight > 0 */
    bool fallback;    /* may be used in panic mode though not usable (critical, not drained) */
    uint64_t id_hash; /* stable identity for the Maglev table */
    struct instance_load *load; /* borrowed; outlives the balancer */
};

struct balance_options {
    enum balance_policy policy;
    uint64_t slow_start_ns;    /* 0 = none: ramp from 10 % to full weight over this time */
    uint32_t panic_percent;    /* when fewer than this share of targets is in rotation, health and
                                  ejection are ignored (Envoy's panic threshold), and so is what was
                                  tried when nothing else is left; 0 = never */
    uint32_t tier_min_percent; /* stay in tier 0 while at least this share of it is in rotation */
};

struct balancer;

/* Copies the targets. NULL when memory is out. n may be 0. Free with balancer_free(). */
struct balancer *balancer_new(const struct balance_options *o, const struct balance_target *targets,
                              unsigned n) MUST_CHECK;
void balancer_free(struct balancer *b);

enum { BALANCE_MAX_TRIED = 8 };

struct balance_query {
    uint64_t now_ns;
    struct rng *rng;          /* the worker's */
    _Atomic uint64_t *cursor; /* the service's round-robin position, shared by all workers */
    bool has_hash;            /* without one, consistent_hash picks at random */
    uint64_t hash;
    unsigned ntried; /* instances that this request has been sent to already */
    struct instance_load *tried[BALANCE_MAX_TRIED]; /* named by their load: stable over snapshots */
    bool avoid_doubted; /* an instance that Consul no longer lists was not there: go to one that it
                           lists, if there is any */
};

enum balance_verdict {
    BALANCE_OK,
    BALANCE_NONE,      /* no usable instance at all */
    BALANCE_EXHAUSTED, /* usable ones exist, but all were tried, are ejected or on probation */
    BALANCE_FULL       /* usable ones exist, but those left are at their concurrency limit */
};

/* On BALANCE_OK sets *ret_index to the position in the array given to balancer_new(). Reserves
 * nothing: the caller counts in_flight up right after. */
enum balance_verdict balancer_pick(const struct balancer *b, const struct balance_query *q,
                                   unsigned *ret_index) MUST_CHECK;

/* For status pages: how many targets a request could go to now, ignoring what it has tried. */
unsigned balancer_available(const struct balancer *b, uint64_t now_ns);
/* True while the panic threshold is in force. */
bool balancer_in_panic(const struct balancer *b, uint64_t now_ns);
