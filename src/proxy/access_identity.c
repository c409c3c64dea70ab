/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/access_identity.h"
#include "policy/challenge.h"
#include "policy/claim_text.h"
#include "proxy/access.h"
#include "proxy/access_certificate.h"
#include "proxy/access_key.h"
#include "proxy/access_token.h"
#include "proxy/head.h"

#include <stdlib.h>
#include <strings.h>

static struct auth_answer by_token(struct exchange *x, const struct mechanism_conf *m)
{
    const unsigned allowed[] = {m->index};
    struct identity *who = NULL;
    bool waits;
    enum token_error e =
        access_token_check(x, &x->access->token, allowed, ARRAY_LEN(allowed), &who, &waits);

    if (waits)
        return (struct auth_answer){.outcome = AUTH_WAITING};
    switch (e) {
    case TOKEN_OK:
        return access_identity_known(x, who);
    case TOKEN_MISSING:
        return (struct auth_answer){.outcome = AUTH_ABSENT};
    case TOKEN_KEYS_UNAVAILABLE:
    case TOKEN_MEMORY:
        return (struct auth_answer){.outcome = AUTH_UNAVAILABLE, .detail = token_error_text(e)};
    case TOKEN_ISSUER_UNKNOWN:
        return (struct auth_answer){.outcome = AUTH_FOREIGN, .detail = token_error_text(e)};
    default:
        return (struct auth_answer){.outcome = AUTH_WRONG, .detail = token_error_text(e)};
    }
}

static access_auth_fn *const kinds[MECHANISM_KINDS] = {
    [MECHANISM_ISSUER] = by_token,
    [MECHANISM_API_KEYS] = access_key_check,
    [MECHANISM_BASIC] = access_basic_check,
    [MECHANISM_CERTIFICATE] = access_certificate,
    [MECHANISM_FORWARD_AUTH] = access_forward_check,
    [MECHANISM_INTROSPECTION] = access_introspect_check,
};

void access_identity_keep(struct exchange *x, struct identity *i)
{
    struct access_identity *a = x->access->asked;

    a->kept[a->nkept++] = i;
}

struct auth_answer access_identity_known(struct exchange *x, struct identity *i)
{
    if (!i)
        return (struct auth_answer){.outcome = AUTH_UNAVAILABLE, .detail = "memory is out"};
    access_identity_keep(x, i);
    return (struct auth_answer){.outcome = AUTH_KNOWN, .identity = i};
}

/* Two policies may name the same mechanism; certificates differ by their rules. */
static bool is_same(const struct mechanism_conf *a, const struct mechanism_conf *b)
{
    return a == b ||
           (a->kind == b->kind && a->kind != MECHANISM_CERTIFICATE && a->index == b->index);
}

static unsigned find_way(struct access_identity *a, const struct mechanism_conf *m)
{
    unsigned i = 0;

    while (i < a->nways && !is_same(a->ways[i], m))
        i++;
    if (i == a->nways && i < MAX_POLICY_WAYS)
        a->ways[a->nways++] = m;
    return i;
}

static void collect_ways(struct access_identity *a, const struct policy_conf *p)
{
    for (size_t i = 0; i < p->nmechanisms; i++)
        find_way(a, &p->mechanisms[i]);
    for (size_t i = 0; i < p->nof; i++)
        collect_ways(a, p->of[i]);
}

static struct auth_answer authenticate(void *arg, const struct mechanism_conf *m)
{
    struct exchange *x = arg;
    struct access_identity *a = x->access->asked;
    unsigned i = find_way(a, m);
    struct auth_answer answer;

    if (i == MAX_POLICY_WAYS || !kinds[m->kind])
        return (struct auth_answer){.outcome = AUTH_UNAVAILABLE,
                                    .detail = "this gateway cannot check such a credential"};
    if (a->known[i])
        return a->answers[i];
    answer = kinds[m->kind](x, m);
    if (answer.outcome == AUTH_WAITING)
        return answer;
    /* The wait that it was about is over, in time or not. */
    x->access->timed_out = false;
    x->step_deadline_ns = 0;
    a->known[i] = true;
    a->answers[i] = answer;
    return answer;
}

static struct access_identity *begin(struct exchange *x)
{
    struct access *access = access_of(x);

    if (!access || access->asked)
        return access ? access->asked : NULL;
    access->asked = calloc(1, sizeof *access->asked);
    if (!access->asked)
        return NULL;
    access->asked->policy = config_policy(exchange_config(x), x->match.route->conf->auth);
    if (access->asked->policy)
        collect_ways(access->asked, access->asked->policy);
    return access->asked;
}

static bool has_challenge(const struct access_identity *a)
{
    for (unsigned i = 0; i < a->nways; i++)
        if (a->ways[i]->kind != MECHANISM_CERTIFICATE && a->ways[i]->kind != MECHANISM_FORWARD_AUTH)
            return true;
    return false;
}

static enum verdict refuse(struct exchange *x, const struct access_identity *a)
{
    x->detail = a->result.detail;
    switch (a->result.verdict) {
    case POLICY_UNAUTHENTICATED:
        /* RFC 9110 section 15.5.2: a 401 has to say how one could do better. Nothing that is said
         * in HTTP makes up for a certificate that was not shown. */
        return exchange_refuse(x, has_challenge(a) ? REASON_UNAUTHENTICATED : REASON_FORBIDDEN);
    case POLICY_UNAVAILABLE:
        return exchange_refuse(x, REASON_AUTH_UNAVAILABLE);
    default:
        return exchange_refuse(x, REASON_FORBIDDEN);
    }
}

static enum verdict weigh(struct exchange *x, struct access_identity *a)
{
    struct policy_request q = {
        .method = x->req.method_name,
        .params = (const void *)x->match.params,
        .nparams = x->match.nparams,
        .authenticate = authenticate,
        .arg = x,
    };

    policy_weigh(a->policy, &q, &a->result);
    if (a->result.verdict == POLICY_WAITS)
        return V_WAIT;
    identity_unref(&x->access->identity);
    if (a->result.identity)
        x->access->identity = identity_ref(a->result.identity);
    return a->result.verdict == POLICY_ALLOWS ? V_NEXT : refuse(x, a);
}

enum verdict access_identity_check(struct exchange *x)
{
    struct access_identity *a;

    if (!x->match.route->conf->auth)
        return V_NEXT;
    a = begin(x);
    if (!a)
        return exchange_refuse(x, REASON_INTERNAL);
    if (a->policy)
        return weigh(x, a);
    x->detail = "the route names a policy that does not exist";
    return exchange_refuse(x, REASON_FORBIDDEN);
}

void access_identity_free(struct access_identity **a)
{
    if (!*a)
        return;
    for (unsigned i = 0; i < (*a)->nkept; i++)
        identity_unref(&(*a)->kept[i]);
    free(*a);
    *a = NULL;
}

/* Is the field set again by a policy that has more to say? */
static bool is_replaced(const struct policy_result *r, unsigned grant, const char *name)
{
    for (unsigned g = grant + 1; g < r->ngrants; g++)
        for (size_t i = 0; i < r->grants[g].policy->nheaders; i++)
            if (strcasecmp(r->grants[g].policy->headers[i].name, name) == 0)
                return true;
    return false;
}

void access_identity_write_request_fields(const struct exchange *x, struct writer *w)
{
    const struct policy_result *r = &x->access->asked->result;

    access_forward_write(x, w);
    for (unsigned g = 0; g < r->ngrants; g++) {
        const struct policy_conf *p = r->grants[g].policy;

        for (size_t i = 0; i < p->nheaders; i++) {
            char buf[CLAIM_TEXT_MAX];
            struct str value;

            if (!is_replaced(r, g, p->headers[i].name) &&
                claim_text(identity_claim(r->grants[g].identity, p->headers[i].claim), buf, &value))
                writer_field(w, str_of(p->headers[i].name), value);
        }
    }
}

bool access_identity_hides(const struct exchange *x, struct str name)
{
    const struct access_identity *a = x->access->asked;
    const struct config *c = exchange_config(x);

    for (unsigned i = 0; i < a->nways; i++) {
        unsigned index = a->ways[i]->index;

        if ((a->ways[i]->kind == MECHANISM_ISSUER && issuer_conf_hides(&c->issuers[index], name)) ||
            (a->ways[i]->kind == MECHANISM_INTROSPECTION &&
             introspection_conf_hides(&c->introspection[index], name)) ||
            (a->ways[i]->kind == MECHANISM_FORWARD_AUTH &&
             access_forward_replaces(&c->forward_auth[index], name)) ||
            (a->ways[i]->kind == MECHANISM_API_KEYS && !c->api_keys[index].pass &&
             str_ieq(name, str_of(c->api_keys[index].header))) ||
            (a->ways[i]->kind == MECHANISM_BASIC && !c->basic[index].pass &&
             str_ieq(name, STR("Authorization"))))
            return true;
    }
    return false;
}

/* What is wrong with the bearer token that was shown; NULL = none was. */
static const struct auth_answer *wrong_token(const struct access_identity *a)
{
    for (unsigned i = 0; i < a->nways; i++)
        if (a->known[i] && a->ways[i]->kind <= MECHANISM_INTROSPECTION &&
            (a->answers[i].outcome == AUTH_WRONG || a->answers[i].outcome == AUTH_FOREIGN))
            return &a->answers[i];
    return NULL;
}

static struct str bearer(const struct exchange *x, const struct access_identity *a,
                         const char *realm, char buf[CHALLENGE_MAX])
{
    const struct auth_answer *wrong = wrong_token(a);
    struct bearer_challenge c = {.realm = realm};

    if (x->fail == REASON_FORBIDDEN) {
        c.error = "insufficient_scope";
        c.description = a->result.detail;
        c.scopes = a->result.scopes;
    } else if (wrong) {
        c.error = "invalid_token";
        c.description = a->result.detail ? a->result.detail : wrong->detail;
    }
    return challenge_bearer(&c, buf);
}

/* In buf; n = 0: there is none. */
static struct str challenge_of(const struct exchange *x, const struct access_identity *a,
                               const struct mechanism_conf *m, char buf[CHALLENGE_MAX])
{
    const struct config *c = exchange_config(x);

    switch (m->kind) {
    case MECHANISM_ISSUER:
        return bearer(x, a, c->issuers[m->index].realm, buf);
    case MECHANISM_INTROSPECTION:
        return bearer(x, a, c->introspection[m->index].realm, buf);
    case MECHANISM_API_KEYS:
        return challenge_key(m->name, buf);
    case MECHANISM_BASIC:
        return challenge_basic(c->basic[m->index].realm, buf);
    case MECHANISM_CERTIFICATE:
    case MECHANISM_FORWARD_AUTH:
    case MECHANISM_KINDS:
        break;
    }
    return STR_NULL;
}

void access_identity_write_challenges(const struct exchange *x, struct writer *w)
{
    const struct access_identity *a = x->access->asked;
    bool lacks_scope = x->fail == REASON_FORBIDDEN && a->result.scopes;
    char bufs[2][CHALLENGE_MAX];
    struct str last = STR_NULL;

    if (x->fail != REASON_UNAUTHENTICATED && !lacks_scope)
        return;
    for (unsigned i = 0, b = 0; i < a->nways; i++) {
        struct str one;

        if (lacks_scope && a->ways[i]->kind > MECHANISM_INTROSPECTION)
            continue;
        one = challenge_of(x, a, a->ways[i], bufs[b]);
        /* Issuers of one realm make the same one. */
        if (one.n == 0 || str_eq(one, last))
            continue;
        writer_field(w, STR("WWW-Authenticate"), one);
        last = one;
        b ^= 1;
    }
}
