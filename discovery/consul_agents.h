/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* consul_agents.h - which of several agents is asked. Pure: time is an argument.
 *
 * The first one of the list is preferred. The one in use stays in use until it fails: at once when
 * it refuses connections, else after three errors in a row of a query that leads (one event fails
 * thousands of watches at a time, and counts once). Then the first of the list that has not failed
 * since the last good answer is next; when all have, the round begins again.
 *
 * Every change makes all watches ask anew, so it goes back to the preferred one only when the
 * present one fails, or when the preferred one has answered every probe for a calm while. */
#include <stdbool.h>
#include <stdint.h>

enum { CONSUL_AGENTS_MAX = 16, CONSUL_AGENT_ERRORS = 3 };

enum consul_outcome {
    CONSUL_ANSWERED, /* it speaks for Consul, whatever it says */
    CONSUL_FAILED,   /* no answer, or 5xx */
    CONSUL_REFUSED   /* nothing listens there */
};

struct consul_agents {
    unsigned n, at;
    unsigned errors;        /* in a row, of the one in use */
    uint32_t failed;        /* bit i: agent i has, since the last good answer */
    uint64_t since_ns;      /* when the one in use was taken */
    uint64_t calm_since_ns; /* the preferred one answers probes; 0 = it does not */
    unsigned switches;
};

/* n in [1, CONSUL_AGENTS_MAX]. */
void consul_agents_init(struct consul_agents *a, unsigned n, uint64_t now_ns);

/* What came of a request to the one in use. True: another one is in use now. */
bool consul_agents_report(struct consul_agents *a, enum consul_outcome outcome, uint64_t now_ns);

/* Is the preferred one to be probed? */
bool consul_agents_away(const struct consul_agents *a);
/* What came of a probe of the preferred one; fail_back_ms = 0: never go back for that. True: it is
 * in use again. */
bool consul_agents_probed(struct consul_agents *a, bool good, uint64_t fail_back_ms,
                          uint64_t now_ns);
