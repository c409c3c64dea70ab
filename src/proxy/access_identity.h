/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* access_identity.h - who asks, and may they: the check of the access step that weighs the policy
 * of the route (policy/policy.h).
 *
 * Each kind of credential is checked in a file of its own. What one has answered is remembered for
 * the rest of the request, so the policy can be weighed again when somebody who was asked over the
 * network has answered. */
#include "policy/policy.h"
#include "proxy/exchange.h"

struct writer;

/* Checks the credential of one mechanism. AUTH_WAITING: it has arranged to be called again, as
 * access_run() says, and is then asked for the same mechanism; of a request at most one waits. */
typedef struct auth_answer access_auth_fn(struct exchange *x, const struct mechanism_conf *m);

/* Of one request to a route with a policy. */
struct access_identity {
    const struct policy_conf *policy;
    unsigned nways; /* all mechanisms that the policy names, each once */
    const struct mechanism_conf *ways[MAX_POLICY_WAYS];
    bool known[MAX_POLICY_WAYS]; /* answers[i] is the answer of ways[i] */
    struct auth_answer answers[MAX_POLICY_WAYS];
    unsigned nkept;
    struct identity *kept[MAX_POLICY_WAYS]; /* refs */
    struct policy_result result;
};

enum verdict access_identity_check(struct exchange *x);
/* Takes over a reference to an identity that an answer shows, until the request is over. */
void access_identity_keep(struct exchange *x, struct identity *i);
/* AUTH_KNOWN, or AUTH_UNAVAILABLE when i is NULL (memory is out). Takes over the reference. */
struct auth_answer access_identity_known(struct exchange *x, struct identity *i);
void access_identity_free(struct access_identity **a);

/* Claims as fields for the service, as the policies say that have allowed the request. */
void access_identity_write_request_fields(const struct exchange *x, struct writer *w);
/* Does this field carry a credential that stays here? */
bool access_identity_hides(const struct exchange *x, struct str name);
/* WWW-Authenticate, when the request was refused for who asks (RFC 9110 section 11.6.1). */
void access_identity_write_challenges(const struct exchange *x, struct writer *w);
