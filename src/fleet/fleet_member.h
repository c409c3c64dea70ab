/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* fleet_member.h - how a gateway becomes and stays a member of the fleet: which call to Consul
 * comes next, and what follows from its outcome. Pure: the time is an argument, the caller makes
 * the calls, one at a time.
 *
 *   session -> key (acquired with the session) -> renewing, writing
 *
 * The key is written when what it says has changed, at most once in FLEET_WRITE_EVERY_MS, the first
 * change at once. A session that Consul has lost is made again. */
#include "base/macros.h"
#include "base/rng.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    FLEET_WRITE_EVERY_MS = 1000,
    FLEET_SESSION_ID_MAX = 64,
    FLEET_MEMBER_NAME_MAX = 112,
    FLEET_SUFFIX_MAX = 9 /* NAME-2 to NAME-9 when others have the name */
};

enum fleet_call {
    FLEET_CALL_NONE, /* nothing is due */
    FLEET_CALL_SESSION,
    FLEET_CALL_KEY, /* acquire and write */
    FLEET_CALL_RENEW,
    FLEET_CALL_DESTROY /* leaving: the session, and the key with it */
};

struct fleet_member {
    char base[FLEET_MEMBER_NAME_MAX]; /* as configured */
    char name[FLEET_MEMBER_NAME_MAX + 4];
    unsigned suffix; /* 0 = none */
    uint64_t session_ttl_ms;
    char session[FLEET_SESSION_ID_MAX + 1]; /* "" = none */
    bool holds_key, leaving, dirty;
    uint64_t renew_at_ns, write_at_ns, retry_at_ns;
    uint64_t refused_since_ns; /* the key is someone else's; 0 = it is not */
    unsigned failures;         /* in a row */
    uint64_t writes;           /* of the key, since start */
};

/* `name` is cut to fit. */
void fleet_member_init(struct fleet_member *m, const char *name, uint64_t session_ttl_ms);
/* What the key says has changed. */
void fleet_member_changed(struct fleet_member *m);
/* From now on: destroy the session. */
void fleet_member_leave(struct fleet_member *m);

enum fleet_call fleet_member_next(const struct fleet_member *m, uint64_t now_ns);

/* How a call ended. status 0 = no answer; body of a 200. Returns NULL, or what is wrong in words
 * that on-call understands (static text). */
const char *fleet_member_done(struct fleet_member *m, enum fleet_call call, int status,
                              struct str body, uint64_t now_ns, struct rng *rng) MUST_CHECK;
