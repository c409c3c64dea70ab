/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/policy.h"

#include <string.h>

/* What one policy says; the grants are in the result that all share. */
struct finding {
    enum policy_verdict verdict;
    struct identity *identity;
    const char *detail;
    const struct policy_conf *blame;
    const struct word_list *scopes;
    bool outright;
};

struct weighing {
    const struct policy_request *q;
    struct policy_result *result;
};

static struct finding allows(struct identity *i)
{
    return (struct finding){.verdict = POLICY_ALLOWS, .identity = i};
}

static struct finding refuses(enum policy_verdict v, const struct policy_conf *p,
                              struct identity *i, const char *detail)
{
    return (struct finding){.verdict = v, .identity = i, .detail = detail, .blame = p};
}

static bool method_fits(const struct word_list *methods, struct str method)
{
    if (methods->n == 0)
        return true;
    for (size_t i = 0; i < methods->n; i++)
        if (str_eq(method, str_of(methods->words[i])) ||
            (str_eq(method, STR("HEAD")) && strcmp(methods->words[i], "GET") == 0))
            return true;
    return false;
}

static bool scopes_fit(const struct identity *i, const struct word_list *list, bool all)
{
    for (size_t k = 0; k < list->n; k++)
        if (identity_has_scope(i, list->words[k]) != all)
            return !all;
    return all || list->n == 0;
}

static bool roles_fit(const struct identity *i, const struct word_list *list, const char *claim,
                      bool all)
{
    for (size_t k = 0; k < list->n; k++)
        if (identity_has_role(i, list->words[k], claim) != all)
            return !all;
    return all || list->n == 0;
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Is `raw`, with its percent signs decoded once, just this text? */
static bool decodes_to(struct str raw, struct str text)
{
    size_t at = 0;

    for (size_t i = 0; i < raw.n; i++, at++) {
        char c = raw.p[i];

        if (c == '%') {
            if (i + 2 >= raw.n || hex(raw.p[i + 1]) < 0 || hex(raw.p[i + 2]) < 0)
                return false;
            c = (char)(hex(raw.p[i + 1]) << 4 | hex(raw.p[i + 2]));
            i += 2;
        }
        if (at >= text.n || text.p[at] != c)
            return false;
    }
    return at == text.n;
}

static bool is_path_parameter(const struct policy_request *q, const char *name, struct str text)
{
    for (unsigned i = 0; i < q->nparams; i++)
        if (str_eq(q->params[i].name, str_of(name)))
            return text.n > 0 && decodes_to(q->params[i].value, text);
    return false;
}

static bool is_one_of(const struct claim_rule *rule, struct str text)
{
    for (size_t i = 0; i < rule->nvalues; i++)
        if (str_eq(text, str_of(rule->values[i])))
            return true;
    return false;
}

bool policy_claim_fits(const struct claim_rule *rule, const json_t *claim,
                       const struct policy_request *q)
{
    char buf[32];
    struct str text;

    switch (rule->test) {
    case CLAIM_PRESENT:
        return claim != NULL;
    case CLAIM_ABSENT:
        return claim == NULL;
    case CLAIM_CONTAINS:
        return identity_list_has(claim, rule->values[0]);
    case CLAIM_EQUALS:
    case CLAIM_ONE_OF:
        return identity_text(claim, buf, sizeof buf, &text) && is_one_of(rule, text);
    case CLAIM_PATH_PARAMETER:
        return identity_text(claim, buf, sizeof buf, &text) &&
               is_path_parameter(q, rule->values[0], text);
    }
    return false;
}

static bool is_same_credential(enum mechanism_kind a, enum mechanism_kind b)
{
    return a == b || (a <= MECHANISM_INTROSPECTION && b <= MECHANISM_INTROSPECTION);
}

/* Who asks, by the mechanisms of this policy. */
static struct finding authenticate(const struct weighing *w, const struct policy_conf *p)
{
    struct finding wrong = {.verdict = POLICY_ALLOWS};
    enum mechanism_kind kind = MECHANISM_KINDS;
    bool is_foreign = false; /* `wrong` is no more than that */

    for (size_t i = 0; i < p->nmechanisms; i++) {
        const struct mechanism_conf *m = &p->mechanisms[i];
        struct auth_answer a;

        if (kind != MECHANISM_KINDS && !is_same_credential(kind, m->kind))
            continue;
        a = w->q->authenticate(w->q->arg, m);
        if (a.outcome == AUTH_ABSENT)
            continue;
        if (a.outcome == AUTH_KNOWN)
            return allows(a.identity);
        if (a.outcome == AUTH_WAITING)
            return refuses(POLICY_WAITS, p, NULL, a.detail);
        kind = m->kind;
        if (a.outcome == AUTH_UNAVAILABLE)
            wrong = refuses(POLICY_UNAVAILABLE, p, NULL, a.detail);
        else if (a.outcome == AUTH_REFUSED && wrong.verdict < POLICY_FORBIDS)
            wrong = refuses(POLICY_FORBIDS, p, NULL, a.detail);
        else if (wrong.verdict == POLICY_ALLOWS || is_foreign) {
            wrong = refuses(POLICY_UNAUTHENTICATED, p, NULL, a.detail);
            is_foreign = a.outcome == AUTH_FOREIGN;
        }
    }
    wrong.outright = true;
    if (kind == MECHANISM_KINDS && !p->optional)
        return refuses(POLICY_UNAUTHENTICATED, p, NULL,
                       "the request carries no credential that this route takes");
    return wrong;
}

static struct finding weigh_claims(const struct weighing *w, const struct policy_conf *p,
                                   struct identity *i)
{
    struct finding lacks = refuses(POLICY_FORBIDS, p, i, "a scope is missing");

    if (!scopes_fit(i, &p->scopes, true) || !scopes_fit(i, &p->any_scope, false)) {
        lacks.scopes = scopes_fit(i, &p->scopes, true) ? &p->any_scope : &p->scopes;
        return lacks;
    }
    if (!roles_fit(i, &p->roles, p->roles_claim, true) ||
        !roles_fit(i, &p->any_role, p->roles_claim, false))
        return refuses(POLICY_FORBIDS, p, i, "a role is missing");
    for (size_t c = 0; c < p->nclaims; c++)
        if (!policy_claim_fits(&p->claims[c], identity_claim(i, p->claims[c].claim), w->q))
            return refuses(POLICY_FORBIDS, p, i, "a claim is not what the policy asks for");
    return allows(i);
}

static struct finding weigh_rules(const struct weighing *w, const struct policy_conf *p,
                                  struct identity *enclosing)
{
    struct finding f = p->nmechanisms ? authenticate(w, p) : allows(enclosing);

    if (f.verdict != POLICY_ALLOWS)
        return f;
    if (!method_fits(&p->methods, w->q->method))
        return refuses(POLICY_FORBIDS, p, f.identity, "the policy does not allow this method");
    if (!p->asks_identity)
        return allows(f.identity);
    if (!f.identity)
        return refuses(POLICY_UNAUTHENTICATED, p, NULL, "nobody was authenticated");
    return weigh_claims(w, p, f.identity);
}

static struct finding weigh(const struct weighing *w, const struct policy_conf *p,
                            struct identity *enclosing);

static struct finding weigh_any(const struct weighing *w, const struct policy_conf *p,
                                struct identity *enclosing)
{
    struct finding gravest = {.verdict = POLICY_ALLOWS};

    for (size_t i = 0; i < p->nof; i++) {
        unsigned before = w->result->ngrants;
        struct finding f = weigh(w, p->of[i], enclosing);

        if (f.verdict == POLICY_ALLOWS || f.verdict == POLICY_WAITS)
            return f;
        w->result->ngrants = before;
        if (f.verdict > gravest.verdict)
            gravest = f;
    }
    return gravest;
}

static struct finding weigh_all(const struct weighing *w, const struct policy_conf *p,
                                struct identity *enclosing)
{
    struct identity *found = enclosing;

    for (int authenticating = 1; authenticating >= 0; authenticating--)
        for (size_t i = 0; i < p->nof; i++) {
            struct finding f;

            if (p->of[i]->authenticates != authenticating)
                continue;
            f = weigh(w, p->of[i], found);
            if (f.verdict != POLICY_ALLOWS)
                return f;
            if (f.identity)
                found = f.identity;
        }
    return allows(found);
}

static struct finding weigh_not(const struct weighing *w, const struct policy_conf *p,
                                struct identity *enclosing)
{
    unsigned before = w->result->ngrants;
    struct finding f = weigh(w, p->of[0], enclosing);

    w->result->ngrants = before;
    if (f.verdict == POLICY_ALLOWS)
        return refuses(POLICY_FORBIDS, p, f.identity, "the policy excludes this");
    if (f.verdict == POLICY_FORBIDS && !f.outright)
        return allows(f.identity);
    return f;
}

static struct finding weigh(const struct weighing *w, const struct policy_conf *p,
                            struct identity *enclosing)
{
    struct policy_result *r = w->result;
    struct finding f = p->kind == POLICY_RULES ? weigh_rules(w, p, enclosing)
                       : p->kind == POLICY_ANY ? weigh_any(w, p, enclosing)
                       : p->kind == POLICY_ALL ? weigh_all(w, p, enclosing)
                                               : weigh_not(w, p, enclosing);

    if (f.verdict == POLICY_ALLOWS && f.identity && p->nheaders && r->ngrants < MAX_POLICY_COST)
        r->grants[r->ngrants++] = (struct policy_grant){p, f.identity};
    return f;
}

void policy_weigh(const struct policy_conf *p, const struct policy_request *q,
                  struct policy_result *ret)
{
    struct weighing w = {q, ret};
    struct finding f;

    ret->ngrants = 0;
    f = weigh(&w, p, NULL);
    ret->verdict = f.verdict;
    ret->identity = f.identity;
    ret->detail = f.detail;
    ret->blame = f.blame;
    ret->scopes = f.scopes;
    ret->outright = f.outright;
}
