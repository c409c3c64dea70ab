/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* access.h - the door: may this request come in? Who asks, what they may do, how often.
 *
 * The step between route and admit: an ordered list of checks, each in a file of its own. What they
 * find out is in x->access, which a request gets when the first check needs it; a route that asks
 * for nothing costs some comparisons. */
#include "proxy/access_basic.h"
#include "proxy/access_forward.h"
#include "proxy/access_identity.h"
#include "proxy/access_introspect.h"
#include "proxy/access_limits.h"
#include "proxy/access_token.h"
#include "proxy/exchange.h"

struct identity;
struct writer;

/* Belongs to one exchange. Each check keeps what it needs in a struct named after its file. */
struct access {
    unsigned at;    /* the check that goes on after a wait */
    bool timed_out; /* the wait that exchange_wait() bounded took too long; the check clears it */
    char *who;      /* the same, as a key (access_who()); owned, NULL = not asked */
    struct identity *identity;     /* who asks; ref, NULL = nobody has said */
    struct access_identity *asked; /* owned; NULL = the route has no policy */
    struct access_token token;
    struct access_basic basic;
    struct access_forward forward;
    struct access_introspect introspect;
    struct access_limits limits;
};

/* V_NEXT: let in. V_WAIT: a check waits for something: whoever brings it calls conn_run(x->conn)
 * or, when that may be inside a step, sets x->woken by exchange_upstream_event(x). V_FINISH:
 * refused, or answered. */
enum verdict access_run(struct exchange *x);
/* x->access, made when it is not there yet. NULL when memory is out. */
struct access *access_of(struct exchange *x) MUST_CHECK;
/* Who asks, as a text that is another one for anybody else; n = 0: it is not known. It lasts as
 * long as the exchange. */
struct str access_who(struct exchange *x);
/* The request is over: what it held is given back. Once, at settle. */
void access_end(struct exchange *x);
void access_free(struct exchange *x);

/* Fields of the gateway's own on the request to the service: who asks, as the policies say. */
void access_write_request_fields(const struct exchange *x, struct writer *w);
/* Is this a field that only the gateway may set? It is taken off every request from outside. */
bool access_removes_request_field(const struct exchange *x, struct str name);
/* Fields on every answer to the client, relayed or the gateway's own: challenges, limits, CORS,
 * security headers. */
void access_write_response_fields(struct exchange *x, struct writer *w);
/* Fields of the service's answer that those replace. */
bool access_replaces_response_field(const struct exchange *x, struct str name);
