/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* belief_traces.h - private to belief.c: what is remembered about single instances. Only those that
 * are missing or have fallen lately have a trace, so that a quiet service has none. */
#include "belief.h"

#include <uthash.h>

struct trace {
    UT_hash_handle hh;
    char *key;           /* owned; identity */
    uint64_t missing_ns; /* since when it is missing in complete answers; 0 = it is not */
    struct flap flap;
};

/* NULL when there is none. */
struct trace *trace_find(const struct belief *b, const struct instance *i);
struct trace *trace_get(struct belief *b, const struct instance *i);
void traces_free(struct belief *b);
void traces_tidy(struct belief *b, uint64_t now_ns);

/* Compares the last answer with this one, which is complete. */
void traces_compare(struct belief *b, const struct instance_set *before,
                    const struct instance_set *after, uint64_t now_ns);
