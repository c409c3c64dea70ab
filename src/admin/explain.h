/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* explain.h - what would the gateway do with this request, and why? Sends nothing, changes nothing.
 *
 * The request goes through the gateway's own parser, route table, split and balancer (on a copy of
 * what moves in it), with the state of this moment. The fields of the document are in
 * docs/status.md. */
#include "admin/look.h"
#include "http/message.h"
#include "route/route.h"
#include "snapshot/traffic_rules.h"

#include <netinet/in.h>

struct explain_query {
    const char *method;
    const char *url;            /* absolute (http, https) or a path */
    const char *const *headers; /* "Name: value"; a Host replaces that of the URL */
    size_t nheaders;
    const char *client; /* IP address; NULL = 127.0.0.1 */
};

/* NULL and a message when it is no request, or one that the gateway would refuse as such. */
json_t *explain_document(const struct look *l, const struct explain_query *q, struct err *e);

/* The rest is for the files of explain_*.c. */

enum { EXPLAIN_MAX_URL = 4096, EXPLAIN_MAX_HEADERS = 64, EXPLAIN_MAX_HEAD = 32 * 1024 };

struct explained {
    const struct look *look;
    bool https; /* the URL says so */
    struct in6_addr client;
    struct request req;
    struct route_match match;
    char head[EXPLAIN_MAX_HEAD]; /* what req points into */
};

/* Fills in all but match. */
int explain_parse(const struct explain_query *q, struct explained *ret, struct err *e) MUST_CHECK;

/* What the request would come to; words as in reason.def. */
struct explain_outcome {
    const char *kind; /* "forward" "wait" "redirect" "refuse" */
    enum reason reason;
    const char *service;            /* NULL = none */
    const char *instance;           /* NULL = none */
    bool certain;                   /* not left to chance, as things are now */
    const char *detail;             /* NULL or a sentence */
    const struct chain_route *rule; /* of Consul's router, that matched; NULL = none did */
    const char *fallback; /* what would be tried first in its place: "cache" "service" "static" */
};

/* The entry of one target of the route; `chosen`: the side that the request would take. That one's
 * outcome goes to *ret. */
json_t *explain_target(const struct explained *x, size_t target, bool chosen,
                       struct explain_outcome *ret);
/* Where the rules of a service that has some lead the request; false: nowhere. */
bool explain_walk(const struct explained *x, const struct service_view *v,
                  struct traffic_walk *ret);
/* Was nothing of it left to chance? */
bool explain_walk_certain(const struct traffic_walk *walk);
/* Can the path not be made what this route of Consul's router (or NULL) says? */
bool explain_rewrite_refused(const struct explained *x, const struct chain_route *rule);
/* The hops of such a walk. */
json_t *explain_rules(const struct service_view *v, const struct traffic_walk *walk);
/* What is in force for the request at this service: times, retries, fallbacks ... `rule`: of
 * Consul's router, or NULL. */
json_t *explain_policy(const struct explained *x, const struct service_view *v,
                       const struct chain_route *rule);
/* The policy of the route, with all that it is made of; null when there is none. */
json_t *explain_auth(const struct explained *x);
/* True when the route names one that does not exist. */
bool explain_auth_outcome(const struct explained *x, struct explain_outcome *ret);
/* The kind of the first fallback for a refusal; NULL = there is none. */
const char *explain_fallback(const struct explained *x, const struct service_view *v,
                             enum reason why);
/* Host as the service would get it; null when it depends on an instance and there is none. */
json_t *explain_host(const struct explained *x, const struct service_view *v, int instance);
/* The instances, how likely each is now, and *ret_pick the one that would be taken (-1 = none). */
json_t *explain_instances(const struct explained *x, const struct service_view *v, int *ret_pick,
                          bool *ret_certain, enum reason *ret_reason);
