/* SPDX-License-Identifier: Apache-2.0 */
/* regex_parse.c - a pattern to a tree, by recursive descent. */
#include "base/regex_tree.h"

enum { MAX_DEPTH = 100, MAX_REPEAT = 1000 };

struct parser {
    struct arena *a;
    const char *at, *end, *why;
    bool fold, multi, dot_all; /* (?i) (?m) (?s) */
    unsigned depth;
};

static struct regex_node *alternatives(struct parser *p);

static struct regex_node *node(struct parser *p, enum regex_kind kind)
{
    struct regex_node *n = ARENA_NEW(p->a, struct regex_node);

    n->kind = kind;
    return n;
}

static struct regex_node *fail(struct parser *p, const char *why)
{
    p->why = why;
    return NULL;
}

static struct regex_node *pair(struct parser *p, enum regex_kind kind, struct regex_node *left,
                               struct regex_node *right)
{
    struct regex_node *n = node(p, kind);

    n->left = left;
    n->right = right;
    return n;
}

static struct regex_node *byte(struct parser *p, unsigned char c)
{
    struct regex_node *n = node(p, REGEX_SET);

    regex_set_add(&n->set, c, c);
    if (p->fold)
        regex_fold(&n->set);
    return n;
}

/* The bytes of one code point. */
static struct regex_node *code_point(struct parser *p, uint32_t c)
{
    static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    unsigned n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    struct regex_node *all;

    if (n == 1)
        return byte(p, (unsigned char)c);
    all = byte(p, (unsigned char)(leads[n] | c >> 6 * (n - 1)));
    for (unsigned i = n - 1; i-- > 0;)
        all = pair(p, REGEX_CAT, all, byte(p, (unsigned char)(0x80 | (c >> 6 * i & 0x3f))));
    return all;
}

/* What a set, or all that is not in it, says of a code point. */
static struct regex_node *of_set(struct parser *p, const struct regex_set *set, bool negated)
{
    struct regex_node *n = node(p, negated ? REGEX_POINT : REGEX_SET);

    n->set = *set;
    if (negated) {
        n->set.bits[0] = ~set->bits[0];
        n->set.bits[1] = ~set->bits[1];
    }
    return n;
}

static struct regex_node *dot(struct parser *p)
{
    struct regex_set newline = {{0}};

    if (!p->dot_all)
        regex_set_add(&newline, '\n', '\n');
    return of_set(p, &newline, true);
}

static struct regex_node *assertion(struct parser *p, enum regex_assert what)
{
    struct regex_node *n = node(p, REGEX_ASSERT);

    n->assert = what;
    return n;
}

/* A code point as it is written; bytes that are no UTF-8 are one each. */
static struct regex_node *literal(struct parser *p)
{
    unsigned char c = (unsigned char)*p->at++;
    struct regex_node *all = byte(p, c);
    unsigned more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;

    while (more-- > 0 && p->at < p->end && ((unsigned char)*p->at & 0xc0) == 0x80)
        all = pair(p, REGEX_CAT, all, byte(p, (unsigned char)*p->at++));
    return all;
}

/* \Q...\E */
static struct regex_node *quoted(struct parser *p)
{
    struct regex_node *all = node(p, REGEX_EMPTY);

    while (p->at < p->end && !(p->end - p->at >= 2 && p->at[0] == '\\' && p->at[1] == 'E'))
        all = pair(p, REGEX_CAT, all, literal(p));
    if (p->at < p->end)
        p->at += 2;
    return all;
}

static struct regex_node *escape(struct parser *p)
{
    struct regex_set set;
    uint32_t c;
    bool negated;

    if (p->at < p->end && regex_class_escape(*p->at, &set, &negated)) {
        p->at++;
        return of_set(p, &set, negated);
    }
    switch (p->at < p->end ? *p->at : '\0') {
    case 'A':
        p->at++;
        return assertion(p, REGEX_TEXT_BEGIN);
    case 'z':
        p->at++;
        return assertion(p, REGEX_TEXT_END);
    case 'b':
        p->at++;
        return assertion(p, REGEX_WORD);
    case 'B':
        p->at++;
        return assertion(p, REGEX_NO_WORD);
    case 'Q':
        p->at++;
        return quoted(p);
    default:
        p->at = regex_escape(p->at, p->end, &c, &p->why);
        return p->at ? code_point(p, c) : NULL;
    }
}

/* The flags of (?i-s) and (?i-s:...); `at` is behind the question mark. False: p->why. */
static bool flags(struct parser *p)
{
    bool on = true;

    for (; p->at < p->end && *p->at != ')' && *p->at != ':'; p->at++) {
        switch (*p->at) {
        case '-':
            p->why = "a bad flag";
            if (!on)
                return false;
            on = false;
            break;
        case 'i':
            p->fold = on;
            break;
        case 'm':
            p->multi = on;
            break;
        case 's':
            p->dot_all = on;
            break;
        case 'U': /* which of the ways to match is taken does not matter here */
            break;
        default:
            p->why = strchr("=!<#", *p->at) ? "a look-around or comment, which RE2 does not know"
                                            : "a bad flag";
            return false;
        }
    }
    p->why = "a group without its )";
    return p->at < p->end;
}

/* (?P<name> and (?<name> */
static bool group_name(struct parser *p)
{
    const char *at = p->at + (p->at < p->end && *p->at == 'P');

    if (p->end - at < 2 || at[0] != '<' || at[1] == '=' || at[1] == '!')
        return false;
    while (at < p->end && *at != '>')
        at++;
    if (at == p->end)
        return false;
    p->at = at + 1;
    return true;
}

/* `at` is behind the parenthesis. */
static struct regex_node *group(struct parser *p)
{
    struct parser outer = *p;
    struct regex_node *inside;

    if (p->depth++ == MAX_DEPTH)
        return fail(p, "groups nested too deep");
    if (p->at < p->end && *p->at == '?') {
        p->at++;
        if (!group_name(p)) {
            if (!flags(p))
                return NULL;
            if (*p->at++ == ')') {
                p->depth--;
                return node(p, REGEX_EMPTY); /* and the flags stay on to the end of the group */
            }
        }
    }
    inside = alternatives(p);
    if (!inside)
        return NULL;
    if (p->at == p->end || *p->at != ')')
        return fail(p, "a group without its )");
    p->at++;
    p->fold = outer.fold;
    p->multi = outer.multi;
    p->dot_all = outer.dot_all;
    p->depth = outer.depth;
    return inside;
}

static struct regex_node *class(struct parser *p)
{
    struct regex_set set;
    bool negated;

    p->at = regex_class(p->at, p->end, p->fold, &set, &negated, &p->why);
    return p->at ? of_set(p, &set, negated) : NULL;
}

static struct regex_node *atom(struct parser *p)
{
    switch (*p->at) {
    case '*':
    case '+':
    case '?':
        return fail(p, "a repetition of nothing");
    case '(':
        p->at++;
        return group(p);
    case '[':
        p->at++;
        return class(p);
    case '.':
        p->at++;
        return dot(p);
    case '^':
        p->at++;
        return assertion(p, p->multi ? REGEX_LINE_BEGIN : REGEX_TEXT_BEGIN);
    case '$':
        p->at++;
        return assertion(p, p->multi ? REGEX_LINE_END : REGEX_TEXT_END);
    case '\\':
        p->at++;
        return escape(p);
    default:
        return literal(p);
    }
}

static bool number(const char **at, const char *end, int *ret)
{
    const char *begin = *at;

    for (*ret = 0; *at < end && **at >= '0' && **at <= '9' && *ret <= MAX_REPEAT; (*at)++)
        *ret = *ret * 10 + (**at - '0');
    return *at > begin;
}

/* {2} {2,} {2,5}; anything else is text. */
static bool bounds(struct parser *p, int *ret_min, int *ret_max)
{
    const char *at = p->at + 1;

    if (!number(&at, p->end, ret_min))
        return false;
    *ret_max = *ret_min;
    if (at < p->end && *at == ',') {
        at++;
        if (!number(&at, p->end, ret_max))
            *ret_max = REGEX_FOREVER;
    }
    if (at == p->end || *at != '}')
        return false;
    p->at = at + 1;
    return true;
}

/* Takes an operator of repetition; false when there is none. */
static bool repetition(struct parser *p, int *ret_min, int *ret_max)
{
    char c = p->at < p->end ? *p->at : '\0';

    if (c == '{')
        return bounds(p, ret_min, ret_max);
    if (c != '*' && c != '+' && c != '?')
        return false;
    p->at++;
    *ret_min = c == '+';
    *ret_max = c == '?' ? 1 : REGEX_FOREVER;
    return true;
}

static struct regex_node *repeated(struct parser *p)
{
    struct regex_node *n = atom(p), *all;
    int min, max, ignored;

    if (!n || !repetition(p, &min, &max))
        return n;
    if (min > MAX_REPEAT || max > MAX_REPEAT || (max != REGEX_FOREVER && max < min))
        return fail(p, "a repetition with bad bounds");
    if (p->at < p->end && *p->at == '?')
        p->at++;
    if (repetition(p, &ignored, &ignored))
        return fail(p, "a repetition of a repetition");
    all = node(p, REGEX_REPEAT);
    all->left = n;
    all->min = min;
    all->max = max;
    return all;
}

static struct regex_node *sequence(struct parser *p)
{
    struct regex_node *all = node(p, REGEX_EMPTY);

    while (p->at < p->end && *p->at != '|' && *p->at != ')') {
        struct regex_node *next = repeated(p);

        if (!next)
            return NULL;
        all = all->kind == REGEX_EMPTY ? next : pair(p, REGEX_CAT, all, next);
    }
    return all;
}

static struct regex_node *alternatives(struct parser *p)
{
    struct regex_node *all = sequence(p);

    while (all && p->at < p->end && *p->at == '|') {
        struct regex_node *next;

        p->at++;
        next = sequence(p);
        all = next ? pair(p, REGEX_ALT, all, next) : NULL;
    }
    return all;
}

struct regex_node *regex_parse(struct arena *a, struct str pattern, const char **ret_why)
{
    struct parser p = {.a = a, .at = pattern.p, .end = pattern.p + pattern.n};
    struct regex_node *all = alternatives(&p);

    if (all && p.at < p.end)
        all = fail(&p, "a ) without its group");
    *ret_why = p.why;
    return all;
}
