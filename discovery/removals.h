/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* removals.h - every instance that leaves rotation or the catalog, and why: the log lines, the
 * totals, and a short journal for each service.
 *
 * Lines are held back for REMOVALS_DELAY_MS, so that it is known whether anything is left on the
 * node, and limited to REMOVALS_LINES in REMOVALS_WINDOW_MS; what is beyond that is summed up in
 * one line. Control thread; time is an argument. */
#include "base/instance.h"

#include <uthash.h>

enum {
    REMOVALS_DELAY_MS = 200,
    REMOVALS_LINES = 20,
    REMOVALS_WINDOW_MS = 5000,
    REMOVALS_KEPT = 16 /* for each service */
};

enum removal_why {
    REMOVAL_DEREGISTERED, /* Consul does not list it any more */
    REMOVAL_NODE_GONE,    /* the same, and nothing that is known here is left on its node */
    REMOVAL_CRITICAL,
    REMOVAL_MAINTENANCE,
    REMOVAL_DRAINED, /* weight 0 for its present health */
    REMOVAL_WHYS
};
/* "deregistered" "node_gone" "critical" "maintenance" "drained" */
const char *removal_why_word(enum removal_why why);

struct removal {
    uint64_t at_ns;
    enum removal_why why; /* never NODE_GONE in a journal: ask removals_why() */
    uint64_t held_ms;     /* kept for so long before it was believed */
    bool accepted;        /* an operator said that it is true */
    uint16_t port;
    const char *service, *node, *id, *address, *check; /* owned, behind the struct */
};

/* The newest of one service. Zeroed = empty. */
struct removal_ring {
    struct removal *kept[REMOVALS_KEPT]; /* owned */
    unsigned n;                          /* ever */
};
void removal_ring_release(struct removal_ring *r);
/* The nth newest, from 0; NULL when there are not so many. */
const struct removal *removal_ring_at(const struct removal_ring *r, unsigned n);

struct removals_node;

/* Of all services. */
struct removals {
    uint64_t total[REMOVAL_WHYS];
    struct removals_node *nodes;             /* owned */
    struct removal *pending[REMOVALS_LINES]; /* owned; to be logged */
    unsigned npending;
    uint64_t pending_ns;           /* of the first */
    uint64_t window_ns;            /* start of the present window of lines */
    unsigned lines;                /* written or pending in it */
    unsigned untold[REMOVAL_WHYS]; /* beyond REMOVALS_LINES */
};
void removals_release(struct removals *r);

/* The service's instances count as known on their nodes; -1: no longer. */
void removals_count_nodes(struct removals *r, const struct instance_set *s, int by);

struct removal_facts {
    enum removal_why why;
    uint64_t held_ms;
    bool accepted;
};
void removals_add(struct removals *r, struct removal_ring *ring, const char *service,
                  const struct instance *i, const struct removal_facts *f, uint64_t now_ns);
/* Why, as it looks now. */
enum removal_why removals_why(const struct removals *r, const struct removal *x);
/* True when a line about the service may be written now; it counts. */
bool removals_may_log(struct removals *r, uint64_t now_ns);
/* Writes the lines that are due. Returns when to call again, or 0. */
uint64_t removals_flush(struct removals *r, uint64_t now_ns);
