/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* aggregated.h - the answer of a route with `aggregate`: asks the services for the parts, side by
 * side where they do not depend on each other, and composes what they say.
 *
 * aggregated.c has the order of things, aggregate_part.c one part, aggregate_call.c one call to a
 * service, aggregate_undo.c and compensation.c what takes writes back. The documents are made in
 * one bounded arena by aggregate/, which is pure. */
#include "aggregate/compose.h"
#include "proxy/composed.h"
#include "proxy/subrequest.h"
#include "proxy/whole_body.h"

struct aggregated;

/* One request to a service. */
struct aggregate_call {
    struct aggregated *g;
    unsigned part, index;     /* index: in its for_each */
    const struct value *item; /* of that; NULL = there is none */
    struct subrequest *sub;   /* owned; NULL = not under way */
    bool started, over;
    bool empty;           /* there is nothing, and that is no failure */
    bool reached;         /* the service may have acted on it */
    enum reason reason;   /* REASON_NONE: `value` is the answer */
    unsigned status;      /* of the service; 0 = it gave none */
    const char *detail;   /* static */
    const char *fallback; /* of the service, that has stood in; static, NULL = none */
    enum reason fallback_reason;
    uint64_t began_ns, took_ms;
    const struct value *value;
};

enum part_stage { PART_WAITS, PART_RUNS, PART_OVER };

struct aggregate_part {
    enum part_stage stage;
    struct aggregate_call *calls; /* owned */
    unsigned n, over;
    const struct value *shown; /* once it is over */
    const char *word;          /* what became of it, for the access log; NULL = it is not over */
    uint64_t took_ms;
};

struct aggregated {
    struct composed composed; /* first */
    struct exchange *x;
    const struct aggregate_conf *conf;
    struct arena *arena; /* owned; all values are in it */
    struct scope scope;
    struct aggregate_part parts[MAX_PARTS];
    uint32_t over; /* bits */
    unsigned running;
    uint64_t deadline_ns;
    struct whole_body body;
    struct bytes fields, door_fields, granted; /* lines of each request */
    struct part_failure *failures;             /* owned */
    size_t nfailures, cap_failures;
    struct {
        bool no_store, is_private, unsaid;
        int64_t max_age;
    } told;                    /* what the answers say of caches, the strictest */
    struct compensation *undo; /* owned; what is being taken back */
    bool begun, failed;
    enum reason why; /* while that is so and something is being taken back */
    char detail[400], log[400];
};

/* NULL when memory is out. */
struct composed *aggregated_new(struct exchange *x) MUST_CHECK;

/* Of aggregate_call.c: */

/* Starts it. When that cannot be, it is over at once and says why. */
void aggregate_call_start(struct aggregate_call *call);
/* It ends here, if it has not, for this reason. */
void aggregate_call_end(struct aggregate_call *call, enum reason why, const char *detail);
/* Path and body of a request as the configuration says. False and run->why when something that they
 * refer to is not there. */
bool aggregate_request(struct aggregated *g, const struct template *path, const struct expr *body,
                       const struct value *item, struct expr_run *run, struct bytes *ret_path,
                       struct bytes *ret_body) MUST_CHECK;

/* Of aggregate_part.c: */

/* All that it comes after is over. Makes its calls, or it is over at once. */
void aggregate_part_begin(struct aggregated *g, unsigned i);
/* All its calls are over. When it is required and missing, the whole has failed: g->failed,
 * x->fail. */
void aggregate_part_end(struct aggregated *g, unsigned i);
/* It is over without a call; REASON_NONE: and nothing is missing. */
void aggregate_part_skip(struct aggregated *g, unsigned i, enum reason why, const char *detail);
/* What became of the parts, for the access log. */
void aggregate_log(struct aggregated *g);

/* Of aggregate_undo.c: */

/* Ends what is under way. */
void aggregate_break_off(struct aggregated *g);
/* Makes the requests that take the writes back, the last one first. True: there are some, in
 * g->undo; what cannot be taken back is in g->detail. */
bool aggregate_undo_prepare(struct aggregated *g) MUST_CHECK;
/* What became of them, into g->detail. */
void aggregate_undo_say(struct aggregated *g);
/* The client has left: if it was in the middle, what was written is taken back all the same. */
void aggregate_undo_leave(struct aggregated *g);
