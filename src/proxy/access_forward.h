/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* access_forward.h - forward authentication: a service of the catalog is asked whether a request
 * may come in, as nginx's auth_request and its kin do.
 *
 *   2xx        it may. Fields of the answer go to the service of the route, as claims of the
 *              identity, which policies may have rules about
 *   401, 403   it may not: the client gets this answer. Redirects too where that is configured
 *   5xx, none  a failure: refused (503) or let in as nobody, as configured
 *   others     refused (503): a request could bring them about
 *
 * Good answers are remembered by each worker for fields of the request that are named, unless the
 * request carries another credential that the authority saw. */
#include "policy/answer_cache.h"
#include "proxy/access_identity.h"
#include "proxy/subrequest.h"

/* Of one request; zeroed at first. */
struct access_forward {
    struct subrequest *call; /* owned; kept for the answer that the client gets */
    bool done;
    bool remembers;            /* its answer may be: `digest` is the key */
    enum auth_outcome outcome; /* once done */
    const char *detail;
    struct identity *identity;             /* ref */
    const struct subrequest_answer *reply; /* in `answer`, when the client gets it; NULL = not */
    struct subrequest_answer answer;
    unsigned char digest[ANSWER_DIGEST];
    const struct forward_auth_conf *conf;
};

access_auth_fn access_forward_check;
/* The request waits no longer. Any number of times. */
void access_forward_end(struct access_forward *f);
void access_forward_free(struct access_forward *f);

/* The authority's own answer, as that to the client: writes its head to x->out and says what its
 * body is. False when there is none to be handed on. */
bool access_forward_reply(struct exchange *x, struct str *ret_body);
/* Is this a field that the authority's answer sets? */
bool access_forward_replaces(const struct forward_auth_conf *c, struct str name);
/* Fields of good answers, for the service of the route. */
void access_forward_write(const struct exchange *x, struct writer *w);
