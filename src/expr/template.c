/* SPDX-License-Identifier: Apache-2.0 */
#include "expr/template.h"

#include <stdlib.h>

enum { MAX_PIECES = 32, MAX_ROOTS = 64 };

struct piece {
    struct str text;         /* literal */
    const struct expr *expr; /* or this; NULL = literal */
};

struct template
{
    struct piece pieces[MAX_PIECES];
    size_t n;
    struct str *roots;
    size_t nroots;
};

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

/* After the brace: where the one that closes it is; quotes and literals may hold others. */
static size_t expression_end(struct str s)
{
    unsigned depth = 1;
    char quote = '\0';

    for (size_t i = 0; i < s.n; i++) {
        if (quote) {
            i += s.p[i] == '\\';
            quote = i < s.n && s.p[i] == quote ? '\0' : quote;
        } else if (s.p[i] == '\'' || s.p[i] == '"' || s.p[i] == '`') {
            quote = s.p[i];
        } else if (s.p[i] == '{') {
            depth++;
        } else if (s.p[i] == '}' && --depth == 0) {
            return i;
        }
    }
    return s.n;
}

static const char *literal_problem(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~' || strchr("#\"<>\\^`|}", s.p[i]))
            return "holds a character that must be percent-encoded in a path";
    return NULL;
}

static void add_roots(struct template *t, const struct expr *x)
{
    const struct str *names;
    size_t n = expr_roots(x, &names);

    for (size_t i = 0; i < n && t->nroots < MAX_ROOTS; i++)
        t->roots[t->nroots++] = names[i];
}

static struct piece *next_piece(struct template *t, struct err *e)
{
    if (t->n < MAX_PIECES)
        return &t->pieces[t->n++];
    err_set(e, "has more than %d pieces", MAX_PIECES);
    return NULL;
}

/* At a brace. Bytes of it, 0 = failed. */
static size_t take_expression(struct template *t, struct arena *a, struct str s, struct err *e)
{
    struct str inner = {s.p + 1, s.n - 1};
    size_t n = expression_end(inner);
    struct piece *p;

    if (n == inner.n) {
        err_set(e, "has a { without }");
        return 0;
    }
    p = next_piece(t, e);
    if (!p)
        return 0;
    p->expr = expr_compile(a, (struct str){inner.p, n}, e);
    if (!p->expr) {
        err_prefix(e, "in {%.*s}", (int)(n < 60 ? n : 60), inner.p);
        return 0;
    }
    add_roots(t, p->expr);
    return n + 2;
}

const struct template *template_compile(struct arena *a, struct str text, struct err *e)
{
    struct template *t = arena_alloc(a, sizeof *t);
    struct str s = arena_str(a, text);

    t->roots = arena_alloc(a, MAX_ROOTS * sizeof *t->roots);
    if (s.n == 0 || s.p[0] != '/' || s.n > EXPR_MAX_BYTES) {
        err_set(e, "is not a path of up to %d bytes that begins with /", EXPR_MAX_BYTES);
        return NULL;
    }
    while (s.n > 0) {
        const char *brace = memchr(s.p, '{', s.n);
        size_t n = brace ? (size_t)(brace - s.p) : s.n;
        struct piece *p;

        if (n == 0) {
            n = take_expression(t, a, s, e);
            if (n == 0)
                return NULL;
        } else {
            const char *problem = literal_problem((struct str){s.p, n});

            p = next_piece(t, e);
            if (problem)
                err_set(e, "%s", problem);
            if (!p || problem)
                return NULL;
            p->text = (struct str){s.p, n};
        }
        s = (struct str){s.p + n, s.n - n};
    }
    return t;
}

size_t template_roots(const struct template *t, const struct str **ret)
{
    *ret = t->roots;
    return t->nroots;
}

static bool add_encoded(struct str s, struct bytes *to)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        char coded[] = {'%', hex[c >> 4], hex[c & 15]};
        bool plain = is_unreserved(s.p[i]);

        if (!bytes_add(to, plain ? &s.p[i] : coded, plain ? 1 : 3))
            return false;
    }
    return true;
}

static bool fail(struct expr_run *run, const char *why)
{
    run->why = why;
    return false;
}

static bool add_scalar(const struct value *v, struct expr_run *run, struct bytes *to)
{
    struct str s;

    switch (v->kind) {
    case VALUE_STRING:
        s = value_text(run->arena, v);
        if (s.n == 0)
            return fail(run, "a value for the path is empty");
        break;
    case VALUE_NUMBER:
        s = v->text;
        break;
    case VALUE_TRUE:
    case VALUE_FALSE:
        s = v->kind == VALUE_TRUE ? STR("true") : STR("false");
        break;
    default:
        return fail(run, "a value for the path is not there");
    }
    return add_encoded(s, to) || fail(run, "memory is out");
}

static bool add_value(const struct value *v, struct expr_run *run, struct bytes *to)
{
    if (v->kind != VALUE_ARRAY)
        return add_scalar(v, run, to);
    if (v->n == 0)
        return fail(run, "a value for the path is not there");
    for (size_t i = 0; i < v->n; i++) {
        if (i > 0 && !bytes_add(to, ",", 1))
            return fail(run, "memory is out");
        if (!add_scalar(v->items[i], run, to))
            return false;
    }
    return true;
}

/* A value "..", between two slashes, would lead elsewhere. */
static bool leads_elsewhere(struct str path)
{
    struct str rest = path;

    rest.n = memchr(path.p, '?', path.n) ? (size_t)((char *)memchr(path.p, '?', path.n) - path.p)
                                         : path.n;
    while (rest.n > 0) {
        const char *slash = memchr(rest.p, '/', rest.n);
        size_t n = slash ? (size_t)(slash - rest.p) : rest.n;

        if ((n == 1 && rest.p[0] == '.') || (n == 2 && rest.p[0] == '.' && rest.p[1] == '.'))
            return true;
        rest = slash ? (struct str){slash + 1, rest.n - n - 1} : STR_NULL;
    }
    return false;
}

bool template_expand(const struct template *t, const struct value *scope, struct expr_run *run,
                     struct bytes *to)
{
    size_t begin = bytes_len(to);

    for (size_t i = 0; i < t->n; i++) {
        const struct piece *p = &t->pieces[i];
        const struct value *v = p->expr ? expr_eval(p->expr, scope, run) : NULL;

        if (p->expr && !v)
            return false;
        if (p->expr ? !add_value(v, run, to) : !bytes_add_str(to, p->text))
            return fail(run, run->why ? run->why : "memory is out");
    }
    if (leads_elsewhere((struct str){to->p + to->start + begin, bytes_len(to) - begin}))
        return fail(run, "a value for the path is a segment of dots");
    return true;
}
