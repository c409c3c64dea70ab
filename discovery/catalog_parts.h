/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* catalog_parts.h - private to catalog.c (which services there are, and what readers see of them),
 * catalog_answer.c (what Consul says, and what of it is believed) and catalog_status.c. */
#include "catalog.h"

struct entry {
    char *name;                /* owned; lower case */
    char *label;               /* owned; for the log and removals, or NULL */
    struct instance_set *set;  /* ref; what readers see */
    struct instance_set *told; /* ref; what is believed of Consul's word, or NULL; differs from
                                  `set` when hidden */
    struct belief belief;
    struct removal_ring removed;
    bool is_static, watched;
    bool gone; /* `told` shows instances that Consul no longer lists */
    uint64_t gone_until_ns;
    uint64_t answered_ns, changed_ns;
    unsigned skipped;
};

struct catalog {
    struct entry **entries; /* owned; sorted by name */
    size_t n, room;
    uint64_t keep_ms, version;
    uint64_t due_ns; /* before that no entry has anything to do in catalog_expire(); 0 = none has */
    struct belief_world world;
    struct removals removals;
    uint64_t holds;
    catalog_lookup_fn *lookup;
    void *lookup_arg;
};

/* 0 = none. */
static inline void earliest(uint64_t *at, uint64_t ns)
{
    if (ns != 0 && (*at == 0 || ns < *at))
        *at = ns;
}

/* catalog.c */
/* NULL when there is none of this name, in any case. */
struct entry *catalog_entry(const struct catalog *c, const char *name);
void catalog_resolve_items(const struct catalog *c, struct instance *items, unsigned n);
/* What is believed now. Takes the reference over. `gone`: it shows what Consul no longer lists. */
void entry_tell(struct catalog *c, struct entry *en, struct instance_set *s, bool gone,
                uint64_t now_ns);
/* Consul lists no instance any more: shows the last ones as gone. */
void entry_begin_gone(struct catalog *c, struct entry *en, uint64_t now_ns);

/* catalog_answer.c */
/* Weighs what Consul has said, and shows what is believed of it. */
void entry_judge(struct catalog *c, struct entry *en, uint64_t now_ns);
