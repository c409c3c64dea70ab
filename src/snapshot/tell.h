/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* tell.h - what happens with every transition of a breaker or an instance: one log line, one entry
 * of the journal, one of the history of the service, and of the instance. Any thread. Private. */
#include "snapshot/registry.h"

void tell_breaker(struct service_state *s, const struct breaker_change *c);

/* One transition of an instance; the operator's name and reason are in i->forced. */
struct instance_change {
    enum outlier_state from, to;
    const char *cause;      /* a word of breaker.h or outlier.h */
    bool by_operator;       /* or the end of what one has said */
    bool expired;           /* that end came by itself */
    uint32_t total, failed; /* the numbers that decided */
    uint64_t window_ms;     /* 0 = a streak or a probe */
    uint64_t until_ns;      /* 0 = not known */
    enum reason last;       /* the last failure */
};
void tell_instance(struct instance_state *i, const struct instance_change *c, uint64_t now_ns);

/* Copies text that fits, cut between characters. */
void tell_copy(char *to, size_t size, const char *text);
