/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* policy.h - may this request come in? Weighs a policy; pure.
 *
 * How credentials are checked is for the caller, who is asked for one mechanism at a time. It may
 * say that it has to wait; then the policy is weighed again from the start when it knows, and so it
 * must remember what it has answered.
 *
 * A policy of rules: the mechanisms in their order; what the request does not carry is passed over.
 * The first one that knows who asks ends the search. A credential that is wrong refuses, whatever
 * else the request carries; only another mechanism for the same credential (a second issuer, a
 * second key store) may still know it. Then methods, scopes, roles and claims; without mechanisms
 * they are about whom an enclosing `all` has found.
 *   any  in order, the first that allows. When none does: the gravest reason (not known at the
 *        moment, then lack of rights, then nobody was authenticated).
 *   all  first the members that authenticate, in order, then the others. Who asks is whom the last
 *        of them found.
 *   not  allows when the inner one refuses for lack of rights. Who was not authenticated, or was
 *        refused by an authority (forward auth), stays refused. */
#include "config/config.h"
#include "policy/identity.h"

enum auth_outcome {
    AUTH_ABSENT,      /* the request carries nothing for this mechanism */
    AUTH_KNOWN,       /* it is `identity` */
    AUTH_FOREIGN,     /* what it carries is for another mechanism: wrong, if no other takes it */
    AUTH_WRONG,       /* what it carries is wrong */
    AUTH_REFUSED,     /* the authority knows, and says no */
    AUTH_UNAVAILABLE, /* it cannot be found out at the moment */
    AUTH_WAITING      /* ask again */
};

struct auth_answer {
    enum auth_outcome outcome;
    struct identity *identity; /* AUTH_KNOWN; borrowed from the caller until it is done */
    const char *detail;        /* why not, in words for the client; static text */
};

struct policy_request {
    struct str method;
    const struct {
        struct str name, value; /* value: as in the path, percent-encoded */
    } * params;
    unsigned nparams;
    struct auth_answer (*authenticate)(void *arg, const struct mechanism_conf *m);
    void *arg;
};

/* From here on a higher one is graver. */
enum policy_verdict {
    POLICY_ALLOWS,
    POLICY_UNAUTHENTICATED,
    POLICY_FORBIDS,
    POLICY_UNAVAILABLE,
    POLICY_WAITS
};

/* Fields for the service: the policy that has them and who they are about. */
struct policy_grant {
    const struct policy_conf *policy;
    struct identity *identity;
};

struct policy_result {
    enum policy_verdict verdict;
    struct identity *identity;       /* who asks, refused or not; NULL = nobody. Borrowed */
    const char *detail;              /* static text */
    const struct policy_conf *blame; /* whose rule refused */
    const struct word_list *scopes;  /* what the token lacked one of: insufficient_scope */
    bool outright;                   /* `not` does not turn it */
    unsigned ngrants;
    struct policy_grant grants[MAX_POLICY_COST]; /* a later one replaces fields of earlier ones */
};

void policy_weigh(const struct policy_conf *p, const struct policy_request *q,
                  struct policy_result *ret);
/* Does this claim satisfy the rule? NULL = there is no such claim. */
bool policy_claim_fits(const struct claim_rule *rule, const json_t *claim,
                       const struct policy_request *q);
