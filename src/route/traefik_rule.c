/* SPDX-License-Identifier: Apache-2.0 */
#include "route/traefik_rule.h"

/* The rule as a tree. */
struct node {
    enum { TEST, AND, OR } kind;
    bool inverse;
    enum traefik_matcher matcher; /* TEST */
    struct str args[TRAEFIK_MAX_ARGS];
    unsigned nargs;
    struct node *left, *right; /* AND, OR */
};

struct parser {
    struct arena *arena;
    struct str rest;
    unsigned depth;
    const char *why;
};

/* How the arguments of a test are to be understood. */
enum shape {
    ANY_OF,  /* each is a test of its own, one of which must hold */
    ALL_OF,  /* "name=value", all of which must hold, or one name and its value */
    NAME_AND /* a name and a value */
};

static const struct {
    struct str name;
    enum traefik_matcher matcher;
    enum shape shape;
} matchers[] = {
    {{"Host", 4}, TRAEFIK_HOST, ANY_OF},
    {{"HostHeader", 10}, TRAEFIK_HOST, ANY_OF},
    {{"HostRegexp", 10}, TRAEFIK_HOST_REGEXP, ANY_OF},
    {{"Path", 4}, TRAEFIK_PATH, ANY_OF},
    {{"PathPrefix", 10}, TRAEFIK_PATH_PREFIX, ANY_OF},
    {{"PathRegexp", 10}, TRAEFIK_PATH_REGEXP, ANY_OF},
    {{"Method", 6}, TRAEFIK_METHOD, ANY_OF},
    {{"Header", 6}, TRAEFIK_HEADER, NAME_AND},
    {{"Headers", 7}, TRAEFIK_HEADER, NAME_AND},
    {{"HeaderRegexp", 12}, TRAEFIK_HEADER_REGEXP, NAME_AND},
    {{"HeadersRegexp", 13}, TRAEFIK_HEADER_REGEXP, NAME_AND},
    {{"Query", 5}, TRAEFIK_QUERY, ALL_OF},
    {{"QueryRegexp", 11}, TRAEFIK_QUERY_REGEXP, NAME_AND},
    {{"ClientIP", 8}, TRAEFIK_CLIENT_IP, ANY_OF},
};

static enum shape shape_of(enum traefik_matcher m)
{
    for (size_t i = 0; i < ARRAY_LEN(matchers); i++)
        if (matchers[i].matcher == m)
            return matchers[i].shape;
    return ANY_OF;
}

static void skip_spaces(struct parser *p)
{
    while (p->rest.n > 0 && strchr(" \t\r\n", p->rest.p[0]))
        p->rest = (struct str){p->rest.p + 1, p->rest.n - 1};
}

/* Takes the token, if it is the next one. */
static bool take(struct parser *p, struct str token)
{
    skip_spaces(p);
    if (!str_starts(p->rest, token))
        return false;
    p->rest = (struct str){p->rest.p + token.n, p->rest.n - token.n};
    return true;
}

static struct node *fail(struct parser *p, const char *why)
{
    if (!p->why)
        p->why = why;
    return NULL;
}

static const char too_long[] = "an argument that is longer than 1 KiB";

/* Between double quotes, where a backslash stands before another one or a quote. */
static bool read_quoted(struct parser *p, struct str *ret)
{
    char out[TRAEFIK_MAX_ARG + 1];
    size_t n = 0;

    for (size_t i = 1; i < p->rest.n; i++) {
        char c = p->rest.p[i];

        if (c == '"') {
            *ret = (struct str){arena_strndup(p->arena, out, n), n};
            p->rest = (struct str){p->rest.p + i + 1, p->rest.n - i - 1};
            return true;
        }
        if (c == '\\') {
            if (++i == p->rest.n || (p->rest.p[i] != '"' && p->rest.p[i] != '\\'))
                return false;
            c = p->rest.p[i];
        }
        if (n == sizeof out)
            return fail(p, too_long) != NULL;
        out[n++] = c;
    }
    return false;
}

static bool read_text(struct parser *p, struct str *ret)
{
    const char *end;

    skip_spaces(p);
    if (p->rest.n > 0 && p->rest.p[0] == '"')
        return read_quoted(p, ret);
    if (p->rest.n == 0 || p->rest.p[0] != '`')
        return false;
    end = memchr(p->rest.p + 1, '`', p->rest.n - 1);
    if (!end)
        return false;
    *ret = (struct str){p->rest.p + 1, (size_t)(end - p->rest.p) - 1};
    p->rest = (struct str){end + 1, p->rest.n - ret->n - 2};
    return true;
}

static bool read_args(struct parser *p, struct node *n)
{
    do {
        if (n->nargs == TRAEFIK_MAX_ARGS)
            return fail(p, "more than 16 arguments of a matcher") != NULL;
        if (!read_text(p, &n->args[n->nargs]))
            return fail(p, "arguments stand between backticks or double quotes") != NULL;
        if (n->args[n->nargs].n > TRAEFIK_MAX_ARG)
            return fail(p, too_long) != NULL;
        n->nargs++;
    } while (take(p, STR(",")));
    return take(p, STR(")")) || fail(p, "a parenthesis is not closed") != NULL;
}

static const char *count_problem(const struct node *n)
{
    if (shape_of(n->matcher) == NAME_AND && n->nargs != 2)
        return "headers and QueryRegexp take a name and a value";
    return NULL;
}

static struct node *read_test(struct parser *p)
{
    struct node *n = ARENA_NEW(p->arena, struct node);
    size_t len = 0;

    while (len < p->rest.n && ascii_lower(p->rest.p[len]) >= 'a' &&
           ascii_lower(p->rest.p[len]) <= 'z')
        len++;
    struct str name = {p->rest.p, len};
    for (size_t i = 0; i < ARRAY_LEN(matchers); i++) {
        if (!str_ieq(name, matchers[i].name))
            continue;
        p->rest = (struct str){p->rest.p + len, p->rest.n - len};
        n->matcher = matchers[i].matcher;
        if (!take(p, STR("(")))
            return fail(p, "a matcher is followed by its arguments in parentheses");
        if (!read_args(p, n))
            return NULL;
        return count_problem(n) ? fail(p, count_problem(n)) : n;
    }
    return fail(p, len > 0 ? "a matcher that is not known here" : "a matcher was expected");
}

static struct node *read_or(struct parser *p);

static struct node *read_unary(struct parser *p)
{
    bool inverse = false;
    struct node *n;

    while (take(p, STR("!")))
        inverse = !inverse;
    if (!take(p, STR("("))) {
        n = read_test(p);
    } else {
        if (++p->depth > TRAEFIK_MAX_DEPTH)
            return fail(p, "parentheses are nested deeper than 16 times");
        n = read_or(p);
        p->depth--;
        if (n && !take(p, STR(")")))
            return fail(p, "a parenthesis is not closed");
    }
    if (n)
        n->inverse ^= inverse;
    return n;
}

static struct node *join(struct parser *p, int kind, struct node *left, struct node *right)
{
    struct node *n = ARENA_NEW(p->arena, struct node);

    *n = (struct node){.kind = kind, .left = left, .right = right};
    return n;
}

static struct node *read_and(struct parser *p)
{
    struct node *n = read_unary(p);

    while (n && take(p, STR("&&"))) {
        struct node *right = read_unary(p);
        n = right ? join(p, AND, n, right) : NULL;
    }
    return n;
}

static struct node *read_or(struct parser *p)
{
    struct node *n = read_and(p);

    while (n && take(p, STR("||"))) {
        struct node *right = read_and(p);
        n = right ? join(p, OR, n, right) : NULL;
    }
    return n;
}

static struct traefik_rule none(void)
{
    return (struct traefik_rule){NULL, 0};
}

static struct traefik_rule either(struct parser *p, struct traefik_rule x, struct traefik_rule y)
{
    struct traefik_rule all = {NULL, x.n + y.n};

    if (all.n > TRAEFIK_MAX_CASES)
        return fail(p, "it stands for more than 32 routes"), none();
    all.cases = ARENA_ARRAY(p->arena, struct traefik_case, all.n);
    for (unsigned i = 0; i < all.n; i++)
        all.cases[i] = i < x.n ? x.cases[i] : y.cases[i - x.n];
    return all;
}

static struct traefik_rule both(struct parser *p, struct traefik_rule x, struct traefik_rule y)
{
    struct traefik_rule all = {NULL, 0};

    if (x.n * y.n > TRAEFIK_MAX_CASES)
        return fail(p, "it stands for more than 32 routes"), none();
    unsigned most = x.n * y.n;

    all.cases = ARENA_ARRAY(p->arena, struct traefik_case, most);
    for (unsigned i = 0; i < x.n; i++) {
        for (unsigned k = 0; k < y.n; k++) {
            struct traefik_case *c = &all.cases[all.n++];

            *c = x.cases[i];
            if (c->n + y.cases[k].n > TRAEFIK_MAX_TESTS)
                return fail(p, "more than 16 tests for one route"), none();
            memcpy(c->tests + c->n, y.cases[k].tests, y.cases[k].n * sizeof c->tests[0]);
            c->n += y.cases[k].n;
        }
    }
    return all;
}

static struct traefik_rule one_test(struct parser *p, const struct node *n, bool inverse,
                                    struct str first, const struct str *second)
{
    struct traefik_rule one = {ARENA_NEW(p->arena, struct traefik_case), 1};
    struct traefik_test *t = &one.cases[0].tests[0];

    *t = (struct traefik_test){.matcher = n->matcher, .inverse = inverse, .nargs = 1};
    t->args[0] = first;
    if (second) {
        t->args[1] = *second;
        t->nargs = 2;
    }
    one.cases[0].n = 1;
    return one;
}

/* "name=value" or "name" alone. */
static struct traefik_rule pair(struct parser *p, const struct node *n, bool inverse,
                                struct str arg)
{
    const char *equals = memchr(arg.p, '=', arg.n);
    struct str value;

    if (!equals)
        return one_test(p, n, inverse, arg, NULL);
    value = (struct str){equals + 1, arg.n - (size_t)(equals + 1 - arg.p)};
    return one_test(p, n, inverse, (struct str){arg.p, (size_t)(equals - arg.p)}, &value);
}

static struct traefik_rule cases_of_test(struct parser *p, const struct node *n, bool inverse)
{
    enum shape shape = shape_of(n->matcher);
    struct traefik_rule all;

    if (shape == NAME_AND ||
        (shape == ALL_OF && n->nargs == 2 && !memchr(n->args[0].p, '=', n->args[0].n)))
        return one_test(p, n, inverse, n->args[0], &n->args[1]);
    all = shape == ALL_OF ? pair(p, n, inverse, n->args[0])
                          : one_test(p, n, inverse, n->args[0], NULL);
    for (unsigned i = 1; i < n->nargs && !p->why; i++) {
        struct traefik_rule next = shape == ALL_OF ? pair(p, n, inverse, n->args[i])
                                                   : one_test(p, n, inverse, n->args[i], NULL);
        all = (shape == ALL_OF) != inverse ? both(p, all, next) : either(p, all, next);
    }
    return all;
}

/* The cases of the tree, negations at the tests. */
static struct traefik_rule cases_of(struct parser *p, const struct node *n, bool inverse)
{
    struct traefik_rule left, right;

    inverse ^= n->inverse;
    if (n->kind == TEST)
        return cases_of_test(p, n, inverse);
    left = cases_of(p, n->left, inverse);
    right = p->why ? none() : cases_of(p, n->right, inverse);
    if (p->why)
        return none();
    return (n->kind == AND) != inverse ? both(p, left, right) : either(p, left, right);
}

const char *traefik_rule_parse(struct arena *a, struct str text, struct traefik_rule *ret)
{
    struct parser p = {.arena = a, .rest = text};
    struct node *n;

    *ret = none();
    if (text.n > TRAEFIK_MAX_RULE)
        return "longer than 4 KiB";
    n = read_or(&p);
    skip_spaces(&p);
    if (n && p.rest.n > 0)
        fail(&p, "&& or || was expected");
    if (!p.why)
        *ret = cases_of(&p, n, false);
    return p.why;
}
