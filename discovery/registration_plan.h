/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* registration_plan.h - how a gateway becomes and stays a service of Consul's catalog: which call
 * to the agent comes next, and what follows from its outcome. Pure: the time is an argument, the
 * caller makes the calls, one at a time.
 *
 *   register -> report its own check, read what is registered, both again and again
 *   drain    -> maintenance (others stop sending), reports go on
 *   leave    -> deregister
 *
 * The agent keeps a registration over its own restart, but as critical until the next report, and
 * forgets it when its data is lost: so reports are tried often while it is away, and one that it
 * does not know what to do with means registering again; but ever more rarely when that does not
 * last (behind an address that leads to many agents, none knows what another was told). */
#include "base/macros.h"
#include "base/rng.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    REGISTRATION_TTL_S = 15,
    REGISTRATION_REPORT_MS = 5000,
    REGISTRATION_READ_MS = 30000,
};

enum registration_call {
    REGISTRATION_NONE, /* nothing is due */
    REGISTRATION_REGISTER,
    REGISTRATION_REPORT,
    REGISTRATION_READ,
    REGISTRATION_MAINTENANCE,
    REGISTRATION_DEREGISTER,
};

struct registration_plan {
    bool registered, draining, in_maintenance, leaving;
    bool changed;  /* what is reported is another than before */
    bool has_read; /* read_hash is that of the registration as the agent shows it */
    uint64_t read_hash;
    uint64_t report_at_ns, read_at_ns, retry_at_ns;
    unsigned failures; /* in a row */
    unsigned lost;     /* registrations, in a row, that the agent did not know when it was asked */
    uint64_t registrations;
};

void registration_plan_init(struct registration_plan *p);
/* The gateway's own check has something new to say. */
void registration_plan_changed(struct registration_plan *p);
void registration_plan_drain(struct registration_plan *p);
void registration_plan_leave(struct registration_plan *p);
/* After leave: nothing is left to do. */
bool registration_plan_gone(const struct registration_plan *p);

enum registration_call registration_plan_next(const struct registration_plan *p, uint64_t now_ns);

/* How a call ended. status 0 = no answer; the body of a 200. Returns NULL, or what is wrong in
 * words that on-call understands (static text). */
const char *registration_plan_done(struct registration_plan *p, enum registration_call call,
                                   int status, struct str body, uint64_t now_ns,
                                   struct rng *rng) MUST_CHECK;
