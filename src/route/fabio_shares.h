/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* fabio_shares.h - how the targets of a route share its requests; private to fabio_merge.c.
 *
 * A weight is a share of the route. Shares that are more than the whole in sum are scaled down to
 * it, and so are those that are less when no target is without one; targets without a weight have
 * equal parts of what is left. Only instances that are healthy take part, unless none is. */
#include "route/fabio.h"

#include <uthash.h>

struct merge_service {
    const char *name;
    const struct instance_set *set; /* NULL = not in the catalog now */
    bool only;                      /* see struct fabio_service */
    bool health;
    bool weighted;        /* `weights` are of some route */
    uint32_t *weights;    /* by position in the set */
    uint64_t *keys;       /* the same: instance_key() */
    bool *present;        /* which instances some route has */
    const char *conflict; /* tag of a route with other weights; NULL = none */
    bool routed;          /* some route has decided on the weights, or on having none */
    UT_hash_handle hh;
};

struct merge_target {
    const struct fabio_target *of;
    struct merge_service *service;
    uint64_t hash; /* of its route */
    size_t order;
    unsigned at; /* in the set; UINT_MAX = it is not there */
    double weight, share;
    bool gone; /* by a command */
};

void merge_service_init(struct merge_service *s, const struct fabio_service *from, struct arena *a);
/* Sets `at`. */
void merge_target_find(struct merge_target *t);
/* Gives conf its services with their weights, and the services their instances'. What was not
 * obeyed, or NULL. */
const char *fabio_share(struct merge_target *t, size_t n, struct arena *a, struct route_conf *conf);
/* Those that differ from the catalog's. */
void fabio_service_weights(const struct merge_service *s, struct arena *a,
                           struct instance_weights *ret);
