/* SPDX-License-Identifier: Apache-2.0 */
/* policies.c - `policies:`. They are read in any order; then names become pointers, and what a
 * policy is made of is measured, so that no request can meet a circle or a tree without end. */
#include "config/sections.h"
#include "config/value.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct claim_draft {
    struct claim_rule rule;
    unsigned tests;
};

static int word_list_read(struct reader *r, const struct node *n, struct word_list *ret,
                          const char *what, field_read_fn *item)
{
    ret->words = list_read(r, n, what, MAX_WORDS, sizeof *ret->words, item, &ret->n);
    if (!ret->words)
        return -1;
    return ret->n ? 0 : node_error(n, r->err, "an empty list would let nobody in");
}

static const char *scope_problem(const char *text)
{
    if (!text[0] || strlen(text) > 128)
        return "must have 1 to 128 characters";
    for (const char *p = text; *p; p++)
        if (*p <= ' ' || *p > '~' || *p == '"' || *p == '\\')
            return "holds a character that a scope cannot have (RFC 6749)";
    return NULL;
}

static const char *text_problem(const char *text)
{
    return text[0] && strlen(text) <= 1024 ? NULL : "must have 1 to 1024 characters";
}

static int scope_read(struct reader *r, const struct node *n, void *at)
{
    *(const char **)at = text_read(r, n, "a scope", scope_problem);
    return *(const char **)at ? 0 : -1;
}

static int word_read(struct reader *r, const struct node *n, void *at)
{
    *(const char **)at = text_read(r, n, "a text", text_problem);
    return *(const char **)at ? 0 : -1;
}

static const char *method_problem(const char *text)
{
    return value_is_token(text) ? NULL : "is not a method";
}

static int method_read(struct reader *r, const struct node *n, void *at)
{
    *(const char **)at = text_read(r, n, "a method such as GET", method_problem);
    return *(const char **)at ? 0 : -1;
}

static int scopes_read(struct reader *r, const struct node *n, void *at)
{
    return word_list_read(r, n, at, "a list of scopes", scope_read);
}

static int roles_read(struct reader *r, const struct node *n, void *at)
{
    return word_list_read(r, n, at, "a list of roles", word_read);
}

static int methods_read(struct reader *r, const struct node *n, void *at)
{
    return word_list_read(r, n, at, "a list of methods", method_read);
}

/* One text in the place of a list of one. */
static int claim_text_read(struct reader *r, const struct node *n, void *at, enum claim_test test)
{
    struct claim_draft *d = at;

    d->tests++;
    d->rule.test = test;
    d->rule.values = ARENA_ARRAY(r->arena, const char *, 1);
    d->rule.nvalues = 1;
    return word_read(r, n, d->rule.values);
}

static int equals_read(struct reader *r, const struct node *n, void *at)
{
    return claim_text_read(r, n, at, CLAIM_EQUALS);
}

static int contains_read(struct reader *r, const struct node *n, void *at)
{
    return claim_text_read(r, n, at, CLAIM_CONTAINS);
}

static int path_parameter_read(struct reader *r, const struct node *n, void *at)
{
    return claim_text_read(r, n, at, CLAIM_PATH_PARAMETER);
}

static int one_of_read(struct reader *r, const struct node *n, void *at)
{
    struct claim_draft *d = at;
    struct word_list list;

    d->tests++;
    d->rule.test = CLAIM_ONE_OF;
    if (word_list_read(r, n, &list, "a list of values", word_read) < 0)
        return -1;
    d->rule.values = list.words;
    d->rule.nvalues = list.n;
    return 0;
}

static int present_read(struct reader *r, const struct node *n, void *at)
{
    struct claim_draft *d = at;
    bool yes = n->kind == NODE_TEXT && strcmp(n->text, "true") == 0;

    if (!yes && (n->kind != NODE_TEXT || strcmp(n->text, "false") != 0))
        return node_expected(n, r->err, "true or false");
    d->tests++;
    d->rule.test = yes ? CLAIM_PRESENT : CLAIM_ABSENT;
    return 0;
}

static const struct field claim_fields[] = {
    STRING("claim", claim_draft, rule.claim, NULL, text_problem,
           "Name of the claim; `a.b` is member `b` of `a`, unless a claim has the whole name. "
           "Required."),
    {.key = "equals",
     .type = FIELD_CUSTOM,
     .read = equals_read,
     .kind = "text",
     .help = "Its text is this; numbers and booleans are compared as JSON writes them. Exactly one "
             "of this and those below."},
    {.key = "one_of",
     .type = FIELD_CUSTOM,
     .read = one_of_read,
     .kind = "list of texts",
     .help = "Its text is one of these."},
    {.key = "contains",
     .type = FIELD_CUSTOM,
     .read = contains_read,
     .kind = "text",
     .help = "It is a list with this in it, or a text with this among its words."},
    {.key = "present",
     .type = FIELD_CUSTOM,
     .read = present_read,
     .kind = "`true`, `false`",
     .help = "It is there, and not null; `false`: it is not."},
    {.key = "path_parameter",
     .type = FIELD_CUSTOM,
     .read = path_parameter_read,
     .kind = "text",
     .help = "Its text is the part of the path that `{NAME}` of the route stands for."},
};
const struct section policy_claim_section = {claim_fields, ARRAY_LEN(claim_fields)};

static int claim_read(struct reader *r, const struct node *n, void *at)
{
    struct claim_draft d = {.tests = 0};

    if (n->kind != NODE_MAP)
        return node_expected(n, r->err, "a map such as { claim: tenant, equals: acme }");
    if (section_read(r, &policy_claim_section, n, &d) < 0)
        return -1;
    if (!d.rule.claim || d.tests != 1)
        return node_error(n, r->err,
                          "expected claim and exactly one of equals, one_of, contains, "
                          "present and path_parameter");
    *(struct claim_rule *)at = d.rule;
    return 0;
}

static int claims_read(struct reader *r, const struct node *n, void *at)
{
    struct policy_conf *p = at;

    p->claims = list_read(r, n, "a list of rules such as { claim: tenant, equals: acme }",
                          MAX_WORDS, sizeof *p->claims, claim_read, &p->nclaims);
    return p->claims ? 0 : -1;
}

/* Fields that mean more than who asks, or that requests need. */
static const char *claim_header_problem(const char *name)
{
    static const char *const kept[] = {
        "authorization", "cookie",           "x-forwarded-for", "x-forwarded-proto",
        "forwarded",     "x-forwarded-host", "x-request-id",    "via",
        "content-type",  "accept",           "user-agent",      "x-forwarded-port"};

    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        if (strcasecmp(name, kept[i]) == 0)
            return "has a meaning of its own: requests from outside would lose it";
    return value_header_problem(name);
}

static int headers_read(struct reader *r, const struct node *n, void *at)
{
    struct policy_conf *p = at;
    const char *problem;

    if (n->kind != NODE_MAP)
        return node_expected(n, r->err, "a map such as { X-User: sub }");
    if (n->n > MAX_POLICY_HEADERS)
        return node_error(n, r->err, "at most %d headers are allowed", MAX_POLICY_HEADERS);
    p->headers = ARENA_ARRAY(r->arena, struct claim_header, n->n);
    node_each(it, n)
    {
        struct claim_header *h = &p->headers[p->nheaders++];

        problem = claim_header_problem(it->key);
        if (problem)
            return node_error(it, r->err, "\"%.60s\" %s", it->key, problem);
        h->name = arena_strdup(r->arena, it->key);
        h->claim = text_read(r, it, "the name of a claim", text_problem);
        if (!h->claim)
            return -1;
        guarded_add(r->arena, &r->config->guarded, h->name);
    }
    return 0;
}

static int members_read(struct reader *r, const struct node *n, struct policy_conf *p,
                        enum policy_kind kind)
{
    if (p->kind != POLICY_RULES)
        return node_error(n, r->err, "any, all and not exclude each other");
    if (n->kind != NODE_LIST || n->n == 0)
        return node_expected(n, r->err, "a list of policies");
    p->kind = kind;
    return 0;
}

static int any_read(struct reader *r, const struct node *n, void *at)
{
    return members_read(r, n, at, POLICY_ANY);
}

static int all_read(struct reader *r, const struct node *n, void *at)
{
    return members_read(r, n, at, POLICY_ALL);
}

static int not_read(struct reader *r, const struct node *n, void *at)
{
    struct policy_conf *p = at;

    if (p->kind != POLICY_RULES)
        return node_error(n, r->err, "any, all and not exclude each other");
    if (n->kind != NODE_TEXT || node_is_null(n))
        return node_expected(n, r->err, "the name of a policy");
    p->kind = POLICY_NOT;
    return 0;
}

static int authenticate_read(struct reader *r, const struct node *n, void *at)
{
    struct policy_conf *p = at;

    p->mechanisms = list_read(r, n, "a list such as [{issuer: shop}]", MAX_POLICY_WAYS,
                              sizeof *p->mechanisms, mechanism_read, &p->nmechanisms);
    return p->mechanisms ? 0 : -1;
}

#define CUSTOM(key_, member_, read_, kind_, help_)                                                 \
    {                                                                                              \
        .key = key_, .type = FIELD_CUSTOM, .offset = offsetof(struct policy_conf, member_),        \
        .read = read_, .kind = kind_, .help = help_                                                \
    }

static const struct field policy_fields[] = {
    {.key = "authenticate",
     .type = FIELD_CUSTOM,
     .section = &mechanism_section,
     .read = authenticate_read,
     .kind = "list of maps",
     .help = "How a client may say who it is, tried in this order; what the request does not carry "
             "is passed over. Without it the rules are about whom an enclosing `all` found."},
    BOOLEAN("optional", policy_conf, optional, "false",
            "Let in who carries nothing, as nobody. What is carried and wrong is refused all the "
            "same."),
    CUSTOM("scopes", scopes, scopes_read, "list", "Scopes that it must have, all of them."),
    CUSTOM("any_scope", any_scope, scopes_read, "list", "Scopes of which it must have one."),
    CUSTOM("roles", roles, roles_read, "list", "Roles that it must have, all of them."),
    CUSTOM("any_role", any_role, roles_read, "list", "Roles of which it must have one."),
    {.key = "roles_claim",
     .type = FIELD_STRING,
     .offset = FIELD_AT(policy_conf, roles_claim, const char *),
     .check = text_problem,
     .shown = "`roles`, `realm_access.roles`",
     .help = "The claim that lists the roles."},
    {.key = "claims",
     .type = FIELD_CUSTOM,
     .section = &policy_claim_section,
     .read = claims_read,
     .kind = "list of maps",
     .help = "What must be true of claims, all of it."},
    CUSTOM("methods", methods, methods_read, "list of methods",
           "Methods that it is for; GET includes HEAD. Any other is refused."),
    {.key = "headers",
     .type = FIELD_CUSTOM,
     .read = headers_read,
     .kind = "map",
     .help = "Fields for the service and the claims they are made of. Requests from outside lose "
             "them, on every route."},
    {.key = "any",
     .type = FIELD_CUSTOM,
     .read = any_read,
     .kind = "list of names",
     .help = "Allows when one of these policies does, tried in this order."},
    {.key = "all",
     .type = FIELD_CUSTOM,
     .read = all_read,
     .kind = "list of names",
     .help = "Allows when all of these do."},
    {.key = "not",
     .type = FIELD_CUSTOM,
     .read = not_read,
     .kind = "name",
     .help = "Allows when this policy refuses somebody it knows, for lack of rights."},
};
const struct section policy_section = {policy_fields, ARRAY_LEN(policy_fields)};

static bool has_identity_rules(const struct policy_conf *p)
{
    return p->scopes.n || p->any_scope.n || p->roles.n || p->any_role.n || p->nclaims;
}

static int policy_check(struct reader *r, const struct node *n, struct policy_conf *p)
{
    bool rules = has_identity_rules(p) || p->methods.n > 0 || p->nmechanisms > 0;

    p->asks_identity = has_identity_rules(p);
    if (p->kind != POLICY_RULES && (rules || p->optional))
        return node_error(n, r->err, "any, all and not go with headers only");
    if (p->kind == POLICY_RULES && !rules)
        return node_error(n, r->err, "a policy without a rule would let everybody in");
    if (p->optional && p->nmechanisms == 0)
        return node_error(node_get(n, "optional"), r->err, "optional needs authenticate");
    if (p->optional && p->asks_identity)
        return node_error(node_get(n, "optional"), r->err,
                          "who may be nobody cannot be asked for scopes, roles or claims");
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct policy_conf *)a)->name, ((const struct policy_conf *)b)->name);
}

int policies_read(struct reader *r, const struct node *n, void *at)
{
    struct config *c = r->config;

    (void)at;
    if (node_is_null(n))
        return 0;
    if (n->kind != NODE_MAP)
        return node_expected(n, r->err, "policies by name");
    if (n->n > MAX_POLICIES)
        return node_error(n, r->err, "at most %d policies are allowed", MAX_POLICIES);
    c->policies = ARENA_ARRAY(r->arena, struct policy_conf, n->n);
    node_each(it, n)
    {
        struct policy_conf *p = &c->policies[c->npolicies++];

        if (value_name_problem(it->key))
            return node_error(it, r->err, "\"%.60s\" %s", it->key, value_name_problem(it->key));
        p->name = arena_strdup(r->arena, it->key);
        section_defaults(r, &policy_section, p);
        if (section_read(r, &policy_section, it, p) < 0 || policy_check(r, it, p) < 0)
            return -1;
    }
    qsort(c->policies, c->npolicies, sizeof *c->policies, by_name);
    return 0;
}

const struct policy_conf *config_policy(const struct config *c, const char *name)
{
    struct policy_conf key = {.name = name};

    return c->npolicies ? bsearch(&key, c->policies, c->npolicies, sizeof key, by_name) : NULL;
}

/* What members are called, in one form: `not` names one, the others a list. */
static const struct node *members_of(const struct node *n, const struct policy_conf *p)
{
    return node_get(n, p->kind == POLICY_ANY ? "any" : p->kind == POLICY_ALL ? "all" : "not");
}

static int link_one(struct reader *r, const struct node *it, const struct policy_conf **ret)
{
    const struct config *c = r->config;

    if (it->kind != NODE_TEXT || node_is_null(it))
        return node_expected(it, r->err, "the name of a policy");
    *ret = config_policy(c, it->text);
    if (!*ret) {
        const char *near = nearest_word(it->text, c->policies, c->npolicies, sizeof *c->policies);

        return node_error(it, r->err, "policies has no \"%.60s\"%s%s%s", it->text,
                          near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
    return 0;
}

static int link_members(struct reader *r, const struct node *n, struct policy_conf *p)
{
    const struct node *list = p->kind == POLICY_RULES ? NULL : members_of(n, p);

    if (!list)
        return 0;
    p->of =
        ARENA_ARRAY(r->arena, const struct policy_conf *, list->kind == NODE_LIST ? list->n : 1);
    if (list->kind == NODE_TEXT)
        return link_one(r, list, &p->of[p->nof++]);
    if (list->n > MAX_WORDS)
        return node_error(list, r->err, "at most %d policies are allowed here", MAX_WORDS);
    node_each(it, list) if (link_one(r, it, &p->of[p->nof++]) < 0) return -1;
    return 0;
}

static int link_mechanisms(struct reader *r, const struct node *n, struct policy_conf *p)
{
    const struct node *list = node_get(n, "authenticate");
    size_t i = 0;

    if (!list || p->nmechanisms == 0)
        return 0;
    node_each(it, list) if (mechanism_link(r, it, &p->mechanisms[i++]) < 0) return -1;
    return 0;
}

/* Sums up what a policy is made of; a circle is as deep as nothing else can be. */
static int measure(struct reader *r, const struct node *n, struct policy_conf *p, unsigned depth)
{
    if (depth > MAX_POLICY_DEPTH)
        return node_error(n, r->err, "policies refer to each other in a circle, or %d deep",
                          MAX_POLICY_DEPTH);
    if (p->cost)
        return 0;
    p->authenticates = p->nmechanisms > 0;
    unsigned cost = 1, ways = (unsigned)p->nmechanisms;

    for (size_t i = 0; i < p->nof; i++) {
        struct policy_conf *of = &r->config->policies[p->of[i] - r->config->policies];

        if (measure(r, n, of, depth + 1) < 0)
            return -1;
        cost += of->cost;
        ways += of->ways;
        p->authenticates |= of->authenticates;
        p->asks_identity |= of->asks_identity;
    }
    if (cost > MAX_POLICY_COST || ways > MAX_POLICY_WAYS)
        return node_error(n, r->err,
                          "is made of more than %d policies, or of more than %d ways to "
                          "authenticate",
                          MAX_POLICY_COST, MAX_POLICY_WAYS);
    p->cost = cost;
    p->ways = ways;
    return 0;
}

int policies_finish(struct reader *r, const struct node *root)
{
    const struct node *policies = node_get(root, "policies");
    struct config *c = r->config;

    for (size_t i = 0; i < c->npolicies; i++) {
        const struct node *n = node_get(policies, c->policies[i].name);

        if (link_members(r, n, &c->policies[i]) < 0 || link_mechanisms(r, n, &c->policies[i]) < 0)
            return -1;
    }
    for (size_t i = 0; i < c->npolicies; i++)
        if (measure(r, node_get(policies, c->policies[i].name), &c->policies[i], 0) < 0)
            return -1;
    return 0;
}

void policies_warn(const struct config *c)
{
    for (size_t i = 0; i < c->nroutes; i++) {
        const struct route_conf *route = &c->routes[i];
        const struct policy_conf *p = route->auth ? config_policy(c, route->auth) : NULL;

        if (route->auth && !p)
            log_warn("config",
                     "%s: auth: there is no policy \"%s\": all requests are refused (403)",
                     route->source, route->auth);
        if (p && p->asks_identity && !p->authenticates)
            log_warn("config", "%s: auth: policy %s asks who is there, and has no way to find out",
                     route->source, route->auth);
    }
}
