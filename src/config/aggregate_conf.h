/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* aggregate_conf.h - `aggregate:` of a route: several calls composed into one answer. Part of
 * config.h. Everything that it points to is in the configuration's arena. */
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MAX_PARTS = 16, MAX_PLACE_DEPTH = 8, MAX_EMPTY_STATUSES = 16 };

struct expr;
struct template;
struct route_conf;

/* What takes a write back that was done, when a later part that is required fails. */
struct compensation_conf {
    const char *method;
    const struct template *path;
    const struct expr *body; /* NULL = none */
};

struct part_conf {
    const char *name, *service, *method;
    const struct template *path;
    const struct route_conf *route; /* its cache, policy and header changes; named ROUTE#PART */
    uint32_t after;                 /* bit i: part i has to be there first */
    bool required;
    bool writes;                 /* its method changes something */
    const struct expr *select;   /* what of the answer is shown; NULL = all */
    const struct expr *when;     /* asked only if that holds; NULL = always */
    const struct expr *for_each; /* one call for each of these; NULL = one call */
    const struct expr *body;     /* JSON of the request; NULL = none */
    unsigned max_items;          /* calls of for_each */
    struct str fallback;         /* JSON in place of what is missing; n = 0: null */
    uint64_t timeout_ms;         /* 0 = what is left of the deadline, the service's at most */
    unsigned empty_on[MAX_EMPTY_STATUSES]; /* statuses that say there is nothing: no error */
    size_t nempty_on;
    struct str place[MAX_PLACE_DEPTH]; /* where in the answer; nplace = 0: merged at the root */
    size_t nplace;
    const struct compensation_conf *compensate; /* NULL = nothing takes it back */
};

struct aggregate_conf {
    struct part_conf *parts; /* as written: a later one wins where two say the same */
    size_t nparts;
    uint64_t deadline_ms;
    uint64_t compensation_ms;  /* for taking writes back, beyond the deadline */
    const struct expr *select; /* shape of the whole; NULL = as it is */
    const char *errors;        /* member that says what is missing; "" = none */
    unsigned partial_status;   /* when something is missing */
    const char *cache_control, *partial_cache_control; /* NULL = as the parts say */
    bool writes;
    bool reads_request; /* some expression refers to it, so that its body may be needed */
    size_t max_part, max_total, max_request;
    unsigned max_depth, concurrency;
};
