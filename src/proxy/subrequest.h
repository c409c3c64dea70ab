/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* subrequest.h - a request of the gateway's own, on behalf of a client's: to a service of the
 * catalog, with its balancer, breaker, retries, hedges and limits.
 *
 * It is an ordinary exchange whose client is in memory (a conn over a sock of its own kind): the
 * text of the request is read from it, and the answer is collected. Of the steps only route and
 * access are others, since both are decided: it goes to one service, and asks nobody. So it cannot
 * cause another one, unless `route` has a policy or it is `as_client`.
 *
 * It counts in the statistics of its service and is not in the access log. The service sees the
 * client's address, request id and trace as with any request. */
#include "base/bytes.h"
#include "http/message.h"
#include "proxy/exchange.h"

struct subrequest_options {
    uint32_t slot; /* of the service */
    const struct route_conf
        *route;              /* copied: its name, cache, policy and header changes count; what
                                it points to must outlive the parent. NULL = a bare one */
    bool as_client;          /* in place of `slot`: by the route table and through the door,
                                with the credentials that are in `fields` */
    struct str method, path; /* path: with the query */
    struct str host;         /* n = 0: none, and the service gets the instance's address */
    struct str fields;       /* lines "Name: value\r\n": no Host, no framing, none inherited */
    struct str granted; /* lines that go on as they are, though no client may bring such fields */
    struct str body;
    uint64_t timeout_ms; /* of the whole, retries included; 0 = the service's */
    size_t max_answer;   /* bytes of head and body */
    bool detached;       /* it outlives the parent, and is nobody's but the gateway's */
    bool refresh;   /* goes by the route table in place of `slot`, for cache_refresh.c; the answer
                       is not kept */
    bool fallbacks; /* those of the service may stand in */
    bool held;      /* it begins with subrequest_go() */
};

struct subrequest_answer {
    enum reason fail;            /* REASON_NONE: the service has answered, whatever it says */
    const struct response *head; /* NULL when it has not */
    struct str body;
};

struct subrequest;
/* It is over, one way or the other: once, from the event loop, never from within
 * subrequest_start(). The answer lasts until subrequest_end(). */
typedef void subrequest_done_fn(void *arg, const struct subrequest_answer *a);

/* Begins on behalf of `parent`, which must outlive it. What the options point to is copied. NULL
 * when memory is out. Thread: the worker of the parent. */
struct subrequest *subrequest_start(struct exchange *parent, const struct subrequest_options *o,
                                    subrequest_done_fn *done, void *arg) MUST_CHECK;
void subrequest_go(struct subrequest *s);
/* Frees it; one that is under way is broken off and `done` is not called. At any time, also from
 * `done`. */
void subrequest_end(struct subrequest **s);

/* Is this a field that it takes over from its parent, X-Forwarded-For or traceparent? */
bool subrequest_inherits(const struct header *h);

struct refresh;
/* Whose refresh it is; NULL = it is none. */
struct refresh *subrequest_refresh(const struct subrequest *s);

struct identity;
/* For whom it asks; NULL = nobody, or a refresh. Borrowed from its parent. */
const struct identity *subrequest_identity(const struct subrequest *s);
/* Did its parent know who asks, when it was started? Then its service may have been told. */
bool subrequest_knows_who(const struct subrequest *s);
/* Was it started with this option? */
bool subrequest_as_client(const struct subrequest *s);

/* For the exchange: the request of this conn is one. It sees the snapshot that its parent sees. */
struct held_snapshot *subrequest_hold(struct subrequest *r);
void subrequest_adopt(struct exchange *x);
enum verdict subrequest_route(struct exchange *x);
/* The step access, where it is not `as_client`: the policy of its route, if it has one. */
enum verdict subrequest_access(struct exchange *x);
void subrequest_report(struct exchange *x);
struct writer;
void subrequest_write_granted(const struct exchange *x, struct writer *w);
