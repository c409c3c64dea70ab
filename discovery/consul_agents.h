/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* consul_agents.h - which of several agents is asked. Pure: time is an argument.
 *
 * The first one of the list is preferred. The one in use stays in use until it fails:
 * - at once when it refuses connections;
 * - after three errors in a row, over two seconds or more, of a query that leads (one event fails
 *   thousands of watches at a time, and counts once; an election of a leader is over sooner);
 * - after three questions who leads ("pulses") to which it said nothing: it hangs;
 * - after three that it answered with "nobody", once another one knows better: it is on the wrong
 *   side of a partition. Where nobody knows, moving would not help.
 * Then the first of the list that has not failed since the last good answer is next; when all have,
 * the round begins again.
 *
 * Every change makes all watches ask anew, so it goes back to the preferred one only when the
 * present one fails, or when the preferred one has answered every pulse for a calm while. */
#include <stdbool.h>
#include <stdint.h>

enum { CONSUL_AGENTS_MAX = 16, CONSUL_AGENT_ERRORS = 3, CONSUL_AGENT_ERRORS_MS = 2000 };

enum consul_outcome {
    CONSUL_ANSWERED, /* it speaks for Consul, whatever it says */
    CONSUL_FAILED,   /* no answer, or 5xx */
    CONSUL_REFUSED   /* nothing listens there */
};

enum consul_pulse { CONSUL_SILENT, CONSUL_LEADERLESS, CONSUL_WELL };

struct consul_agents {
    unsigned n, at;
    unsigned errors;        /* in a row, of the one in use; */
    uint64_t error_ns;      /* the first of them; */
    unsigned silent;        /* pulses in a row without an answer; */
    unsigned leaderless;    /* and with "nobody leads" */
    unsigned looked_at;     /* the last one that was asked in its place */
    uint32_t failed;        /* bit i: agent i has, since the last good answer */
    uint64_t since_ns;      /* when the one in use was taken */
    uint64_t calm_since_ns; /* the preferred one answers pulses; 0 = it does not */
    unsigned switches;
};

/* n in [1, CONSUL_AGENTS_MAX]. */
void consul_agents_init(struct consul_agents *a, unsigned n, uint64_t now_ns);

/* What came of a request to the one in use. True: another one is in use now. */
bool consul_agents_report(struct consul_agents *a, enum consul_outcome outcome, uint64_t now_ns);

/* Who is to be asked who leads, besides the one in use; a->at = nobody. */
unsigned consul_agents_look(struct consul_agents *a, uint64_t fail_back_ms);
/* What came of it, for agent i. fail_back_ms = 0: being well is no reason to go back. True: another
 * one is in use now. */
bool consul_agents_pulse(struct consul_agents *a, unsigned i, enum consul_pulse pulse,
                         uint64_t fail_back_ms, uint64_t now_ns);
