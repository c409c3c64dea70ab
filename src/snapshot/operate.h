/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* operate.h - what an operator does by hand to breakers and instances: forced states with a time to
 * live, a reason and an author. Everything is one log line and one entry of the journal.
 *
 * Lives in the registry, so it survives reloads and catalog changes, but not a restart. Thread:
 * control. */
#include "snapshot/registry.h"

/* What is asked; the words of the admin endpoint. */
enum operation {
    OPERATE_OPEN,    /* "forced_open"; an instance: ejected */
    OPERATE_CLOSE,   /* "forced_closed"; an instance: kept in rotation whatever it does */
    OPERATE_DISABLE, /* "disabled"; services only */
    OPERATE_SHADOW,  /* "shadow"; services only */
    OPERATE_AUTO,    /* "auto": ends what is forced. An instance: restored, an ejection ends too */
    OPERATE_RESET,   /* "reset": ends what is forced, closed, counts as new. A service: its
                        instances too */
    OPERATION_COUNT
};
const char *operation_word(enum operation o);
/* OPERATION_COUNT when the word is not known. */
enum operation operation_parse(const char *word);

struct operate_request {
    enum operation what;
    uint64_t ttl_ms;    /* for the first four; 0 = OPERATE_TTL_MS */
    const char *author; /* "" = not known; cut to AUTHOR_MAX */
    const char *why;    /* "" = none given; cut to WHY_MAX */
    bool fleet;         /* by the fleet's word, not by one given here */
    bool even_last;     /* eject the last instance in rotation too */
};

enum { OPERATE_TTL_MS = 10 * 60 * 1000 };
#define OPERATE_TTL_MAX_MS (7ull * 24 * 3600 * 1000)

enum operate_result {
    OPERATE_DONE,
    OPERATE_NOT_FOR_INSTANCES, /* disabled and shadow are of services */
    OPERATE_LAST_INSTANCE,     /* refused: the last one in rotation */
    OPERATE_TTL_TOO_LONG
};

enum operate_result operate_service(struct service_state *s, const struct operate_request *q,
                                    uint64_t now_ns);
enum operate_result operate_instance(struct instance_state *i, const struct operate_request *q,
                                     uint64_t now_ns);
