/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* access_introspect.h - whose opaque token does this request carry? The authority is asked
 * (policy/introspection.h) by a subrequest.
 *
 * Requests of one worker that carry the same token at the same time share one question: the first
 * asks, the others wait for its answer. When the one that asks goes away, the next one asks. */
#include "base/list.h"
#include "policy/answer_cache.h"
#include "policy/introspection.h"
#include "proxy/access_identity.h"
#include "proxy/subrequest.h"

/* Of one request; zeroed at first. */
struct access_introspect {
    struct list node; /* in w->token_askers, while listed: it asks, or waits for one that does */
    bool listed;
    bool appointed; /* the one that asked has gone: it will ask once it runs */
    struct exchange *x;
    const struct introspection_conf *conf;
    struct subrequest *call; /* owned; it is the one that asks */
    bool done;
    enum auth_outcome outcome; /* once done */
    const char *detail;
    struct identity *identity; /* ref */
    unsigned char digest[ANSWER_DIGEST];
};

access_auth_fn access_introspect_check;
/* The request waits no longer. Any number of times. */
void access_introspect_end(struct access_introspect *a);
void access_introspect_free(struct access_introspect *a);
