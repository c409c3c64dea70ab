/* SPDX-License-Identifier: Apache-2.0 */
#include "json/utf8.h"
#include "json/value.h"

#include <stdlib.h>

struct parser {
    struct arena *arena;
    const char *p, *end;
    unsigned depth_left;
    const char *why;
    /* Members of what is not complete yet, an item's without a name; owned. */
    struct member *stack;
    size_t n, cap;
};

static const struct value *parse_value(struct parser *s);

static void *fail(struct parser *s, const char *why)
{
    if (!s->why)
        s->why = why;
    return NULL;
}

static void skip_space(struct parser *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
        s->p++;
}

static bool take(struct parser *s, char c)
{
    skip_space(s);
    if (s->p == s->end || *s->p != c)
        return false;
    s->p++;
    return true;
}

static bool push(struct parser *s, struct str name, const struct value *v)
{
    if (!v)
        return false;
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 64;
        struct member *more = realloc(s->stack, cap * sizeof *more);

        if (!more)
            return fail(s, "is too large");
        s->stack = more;
        s->cap = cap;
    }
    s->stack[s->n++] = (struct member){name, v};
    return true;
}

static struct value *new_value(struct parser *s, enum value_kind kind)
{
    struct value *v = arena_try(s->arena, sizeof *v);

    if (!v)
        return fail(s, "is too large");
    v->kind = kind;
    return v;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* At a backslash; bytes of the escape, 0 = it is none. */
static size_t escape_length(const struct parser *s)
{
    size_t left = (size_t)(s->end - s->p);

    if (left < 2)
        return 0;
    if (s->p[1] != 'u')
        return s->p[1] && strchr("\"\\/bfnrt", s->p[1]) ? 2 : 0;
    for (size_t i = 2; i < 6; i++)
        if (left <= i || !is_hex(s->p[i]))
            return 0;
    return 6;
}

/* What is between the quotes, the first of which has been taken. */
static bool parse_text(struct parser *s, struct str *ret, bool *ret_escaped)
{
    const char *begin = s->p;

    *ret_escaped = false;
    while (s->p < s->end && *s->p != '"') {
        unsigned char c = (unsigned char)*s->p;
        size_t n = c == '\\' ? escape_length(s) : utf8_length(s->p, (size_t)(s->end - s->p));

        if (c < 0x20)
            return fail(s, "has a control character in a string");
        if (n == 0)
            return fail(s, c == '\\' ? "has an escape that is none" : "is not UTF-8");
        *ret_escaped |= c == '\\';
        s->p += n;
    }
    if (s->p == s->end)
        return fail(s, "ends within a string");
    *ret = (struct str){begin, (size_t)(s->p - begin)};
    s->p++;
    return true;
}

static const struct value *parse_string(struct parser *s)
{
    struct value *v = new_value(s, VALUE_STRING);

    return v && parse_text(s, &v->text, &v->escaped) ? v : NULL;
}

static bool take_digits(struct parser *s)
{
    const char *begin = s->p;

    while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
        s->p++;
    return s->p > begin;
}

static bool next_is(const struct parser *s, const char *set)
{
    return s->p < s->end && *s->p && strchr(set, *s->p);
}

static const struct value *parse_number(struct parser *s)
{
    const char *begin = s->p;
    struct value *v;

    s->p += next_is(s, "-");
    if (next_is(s, "0"))
        s->p++;
    else if (!take_digits(s))
        return fail(s, "has something that is no value");
    if (next_is(s, ".")) {
        s->p++;
        if (!take_digits(s))
            return fail(s, "has a number that is none");
    }
    if (next_is(s, "eE")) {
        s->p++;
        s->p += next_is(s, "+-");
        if (!take_digits(s))
            return fail(s, "has a number that is none");
    }
    v = new_value(s, VALUE_NUMBER);
    if (v)
        v->text = (struct str){begin, (size_t)(s->p - begin)};
    return v;
}

static const struct value *parse_word(struct parser *s)
{
    static const struct {
        struct str text;
        enum value_kind kind;
    } words[] = {{STR("null"), VALUE_NULL}, {STR("true"), VALUE_TRUE}, {STR("false"), VALUE_FALSE}};
    struct str rest = {s->p, (size_t)(s->end - s->p)};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_starts(rest, words[i].text)) {
            s->p += words[i].text.n;
            return words[i].kind == VALUE_NULL ? value_null()
                                               : value_bool(words[i].kind == VALUE_TRUE);
        }
    return fail(s, "has something that is no value");
}

/* "," or the closing bracket; true: another one follows. */
static bool goes_on(struct parser *s, char close, bool *ret_closed)
{
    *ret_closed = take(s, close);
    if (*ret_closed)
        return false;
    return take(s, ',') ? true : (bool)fail(s, "has no comma or bracket where one is needed");
}

static const struct value *parse_array(struct parser *s)
{
    size_t from = s->n;
    const struct value **items;
    bool closed = take(s, ']');

    while (!closed) {
        if (!push(s, STR_NULL, parse_value(s)))
            return NULL;
        if (!goes_on(s, ']', &closed) && !closed)
            return NULL;
    }
    items = arena_try(s->arena, (s->n - from) * sizeof *items);
    if (!items)
        return fail(s, "is too large");
    for (size_t i = from; i < s->n; i++)
        items[i - from] = s->stack[i].value;
    struct value *v = new_value(s, VALUE_ARRAY);
    if (!v)
        return NULL;
    v->items = items;
    v->n = s->n - from;
    s->n = from;
    return v;
}

static bool parse_member(struct parser *s)
{
    struct str name;
    bool escaped;

    if (!take(s, '"'))
        return fail(s, "has a member without a name");
    if (!parse_text(s, &name, &escaped))
        return false;
    if (escaped) {
        struct value v = {.kind = VALUE_STRING, .text = name, .escaped = true};

        name = value_text(s->arena, &v);
        if (!name.p)
            return fail(s, "is too large");
    }
    if (!take(s, ':'))
        return fail(s, "has a member without a value");
    return push(s, name, parse_value(s));
}

static const struct value *parse_object(struct parser *s)
{
    size_t from = s->n, n;
    struct member *members;
    const struct value *v;
    bool closed = take(s, '}');

    while (!closed)
        if (!parse_member(s) || (!goes_on(s, '}', &closed) && !closed))
            return NULL;
    n = s->n - from;
    members = arena_try(s->arena, n * sizeof *members);
    if (!members)
        return fail(s, "is too large");
    if (n > 0)
        memcpy(members, s->stack + from, n * sizeof *members);
    s->n = from;
    v = value_object(s->arena, members, n);
    if (!v)
        return fail(s, "is too large");
    return v->n == n ? v : fail(s, "has the same name twice in an object");
}

static const struct value *parse_nested(struct parser *s, char open)
{
    const struct value *v;

    if (s->depth_left == 0)
        return fail(s, "is nested too deeply");
    s->depth_left--;
    s->p++;
    v = open == '[' ? parse_array(s) : parse_object(s);
    s->depth_left++;
    return v;
}

static const struct value *parse_value(struct parser *s)
{
    skip_space(s);
    if (s->p == s->end)
        return fail(s, "ends too early");
    switch (*s->p) {
    case '{':
    case '[':
        return parse_nested(s, *s->p);
    case '"':
        s->p++;
        return parse_string(s);
    case 'n':
    case 't':
    case 'f':
        return parse_word(s);
    default:
        return parse_number(s);
    }
}

const struct value *value_parse(struct arena *a, struct str text, unsigned max_depth,
                                const char **ret_why)
{
    char *copy = arena_try(a, text.n + 1);
    struct parser s = {.arena = a,
                       .depth_left = max_depth < VALUE_MAX_DEPTH ? max_depth : VALUE_MAX_DEPTH};
    const struct value *v;

    *ret_why = "is too large";
    if (!copy)
        return NULL;
    if (text.n > 0)
        memcpy(copy, text.p, text.n);
    s.p = copy;
    s.end = copy + text.n;
    v = parse_value(&s);
    skip_space(&s);
    if (v && s.p != s.end)
        v = fail(&s, "goes on after its end");
    free(s.stack);
    *ret_why = s.why;
    return v;
}
