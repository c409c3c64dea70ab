/* SPDX-License-Identifier: Apache-2.0 */
/* function.c - the functions of JMESPath on numbers, strings and any value; the table of all. Those
 * on arrays and objects are in function_array.c and function_object.c. */
#include "expr/function.h"
#include "json/utf8.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_TEXT = 1 << 20 };

static const struct value *made(struct expr_run *run, const struct value *v)
{
    return v ? v : run_fail(run, "the result is too large");
}

static struct str text_of(struct expr_run *run, const struct value *v)
{
    struct str s = value_text(run->arena, v);

    if (!s.p)
        run_fail(run, "the result is too large");
    return s;
}

static const struct value *fn_abs(struct expr_run *run, const struct argument *a, size_t n)
{
    (void)n;
    return made(run, value_number(run->arena, fabs(value_double(a[0].value))));
}

static const struct value *fn_ceil(struct expr_run *run, const struct argument *a, size_t n)
{
    (void)n;
    return made(run, value_number(run->arena, ceil(value_double(a[0].value))));
}

static const struct value *fn_floor(struct expr_run *run, const struct argument *a, size_t n)
{
    (void)n;
    return made(run, value_number(run->arena, floor(value_double(a[0].value))));
}

static const struct value *fn_contains(struct expr_run *run, const struct argument *a, size_t n)
{
    const struct value *in = a[0].value, *what = a[1].value;
    struct str s, t;

    (void)n;
    if (in->kind == VALUE_ARRAY) {
        for (size_t i = 0; i < in->n; i++) {
            if (!run_step(run, 1 + in->items[i]->n))
                return NULL;
            if (value_equal(run->arena, in->items[i], what))
                return value_bool(true);
        }
        return value_bool(false);
    }
    if (what->kind != VALUE_STRING)
        return value_bool(false);
    s = text_of(run, in);
    t = text_of(run, what);
    if (!s.p || !t.p)
        return NULL;
    return value_bool(t.n == 0 || memmem(s.p, s.n, t.p, t.n) != NULL);
}

static const struct value *fn_starts_with(struct expr_run *run, const struct argument *a, size_t n)
{
    struct str s = text_of(run, a[0].value), t = text_of(run, a[1].value);

    (void)n;
    return s.p && t.p ? value_bool(str_starts(s, t)) : NULL;
}

static const struct value *fn_ends_with(struct expr_run *run, const struct argument *a, size_t n)
{
    struct str s = text_of(run, a[0].value), t = text_of(run, a[1].value);

    (void)n;
    if (!s.p || !t.p)
        return NULL;
    return value_bool(s.n >= t.n && memcmp(s.p + s.n - t.n, t.p, t.n) == 0);
}

/* Characters, not bytes. */
static size_t count_characters(struct str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static const struct value *fn_length(struct expr_run *run, const struct argument *a, size_t n)
{
    const struct value *v = a[0].value;
    struct str s;

    (void)n;
    if (v->kind != VALUE_STRING)
        return made(run, value_number(run->arena, (double)v->n));
    s = text_of(run, v);
    return s.p ? made(run, value_number(run->arena, (double)count_characters(s))) : NULL;
}

static const struct value *reverse_text(struct expr_run *run, const struct value *v)
{
    struct str s = text_of(run, v);
    char *out = s.p ? arena_try(run->arena, s.n + 1) : NULL;
    size_t at = s.n;

    if (!out)
        return run_fail(run, "the result is too large");
    for (size_t i = 0; i < s.n;) {
        unsigned len = utf8_length(s.p + i, s.n - i);

        len = len ? len : 1;
        at -= len;
        memcpy(out + at, s.p + i, len);
        i += len;
    }
    return made(run, value_string(run->arena, (struct str){out, s.n}));
}

static const struct value *fn_reverse(struct expr_run *run, const struct argument *a, size_t n)
{
    const struct value *v = a[0].value;
    const struct value **items;

    (void)n;
    if (v->kind == VALUE_STRING)
        return reverse_text(run, v);
    items = arena_try(run->arena, v->n * sizeof *items);
    if (!items || !run_step(run, v->n))
        return run_fail(run, "the result is too large");
    for (size_t i = 0; i < v->n; i++)
        items[i] = v->items[v->n - 1 - i];
    return made(run, value_array(run->arena, items, v->n));
}

static const struct value *fn_not_null(struct expr_run *run, const struct argument *a, size_t n)
{
    (void)run;
    for (size_t i = 0; i < n; i++)
        if (a[i].value->kind != VALUE_NULL)
            return a[i].value;
    return value_null();
}

static const struct value *fn_to_array(struct expr_run *run, const struct argument *a, size_t n)
{
    const struct value **items;

    (void)n;
    if (a[0].value->kind == VALUE_ARRAY)
        return a[0].value;
    items = arena_try(run->arena, sizeof *items);
    if (!items)
        return run_fail(run, "the result is too large");
    items[0] = a[0].value;
    return made(run, value_array(run->arena, items, 1));
}

static const struct value *fn_to_string(struct expr_run *run, const struct argument *a, size_t n)
{
    struct bytes text = {0};
    const struct value *v = NULL;

    (void)n;
    if (a[0].value->kind == VALUE_STRING)
        return a[0].value;
    if (value_write(a[0].value, MAX_TEXT, &text))
        v = value_string(run->arena, bytes_str(&text));
    bytes_free(&text);
    return made(run, v);
}

/* Text that is a number of JSON; all else is null. */
static const struct value *fn_to_number(struct expr_run *run, const struct argument *a, size_t n)
{
    const struct value *v = a[0].value;
    const char *why;
    struct str s;

    (void)n;
    if (v->kind == VALUE_NUMBER)
        return v;
    if (v->kind != VALUE_STRING)
        return value_null();
    s = text_of(run, v);
    if (!s.p)
        return NULL;
    v = value_parse(run->arena, s, 1, &why);
    return v && v->kind == VALUE_NUMBER ? v : value_null();
}

static const struct value *fn_type(struct expr_run *run, const struct argument *a, size_t n)
{
    (void)n;
    return made(run, value_string(run->arena, str_of(value_kind_name(a[0].value))));
}

/* `takes`: a anything, n number, s string, l array, o object, L array or string, M array, string or
 * object, N array of numbers, S array of strings, X array of numbers or of strings, & expression.
 */
static const struct function functions[] = {
    {"abs", 1, 1, "n", fn_abs},
    {"avg", 1, 1, "N", fn_avg},
    {"ceil", 1, 1, "n", fn_ceil},
    {"contains", 2, 2, "La", fn_contains},
    {"default", 2, 2, "aa", fn_not_null},
    {"ends_with", 2, 2, "ss", fn_ends_with},
    {"floor", 1, 1, "n", fn_floor},
    {"index_by", 2, 2, "&l", fn_index_by},
    {"join", 2, 2, "sS", fn_join},
    {"join_by", 4, 4, "ll&&", fn_join_by},
    {"keys", 1, 1, "o", fn_keys},
    {"length", 1, 1, "M", fn_length},
    {"map", 2, 2, "&l", fn_map},
    {"max", 1, 1, "X", fn_max},
    {"max_by", 2, 2, "l&", fn_max_by},
    {"merge", 1, 16, "o", fn_merge},
    {"min", 1, 1, "X", fn_min},
    {"min_by", 2, 2, "l&", fn_min_by},
    {"not_null", 1, 16, "a", fn_not_null},
    {"omit", 2, 2, "oS", fn_omit},
    {"pick", 2, 2, "oS", fn_pick},
    {"reverse", 1, 1, "L", fn_reverse},
    {"sort", 1, 1, "X", fn_sort},
    {"sort_by", 2, 2, "l&", fn_sort_by},
    {"starts_with", 2, 2, "ss", fn_starts_with},
    {"sum", 1, 1, "N", fn_sum},
    {"to_array", 1, 1, "a", fn_to_array},
    {"to_number", 1, 1, "a", fn_to_number},
    {"to_string", 1, 1, "a", fn_to_string},
    {"type", 1, 1, "a", fn_type},
    {"values", 1, 1, "o", fn_values},
};

const struct function *function_find(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(functions); i++)
        if (str_eq(str_of(functions[i].name), name))
            return &functions[i];
    return NULL;
}

static bool all_are(const struct value *v, enum value_kind kind)
{
    for (size_t i = 0; v->kind == VALUE_ARRAY && i < v->n; i++)
        if (v->items[i]->kind != kind)
            return false;
    return v->kind == VALUE_ARRAY;
}

static bool fits(char type, const struct argument *a)
{
    const struct value *v = a->value;

    if (type == '&' || !v)
        return type == '&' && a->ref;
    switch (type) {
    case 'n':
        return v->kind == VALUE_NUMBER;
    case 's':
        return v->kind == VALUE_STRING;
    case 'l':
        return v->kind == VALUE_ARRAY;
    case 'o':
        return v->kind == VALUE_OBJECT;
    case 'L':
        return v->kind == VALUE_ARRAY || v->kind == VALUE_STRING;
    case 'M':
        return v->kind >= VALUE_STRING;
    case 'N':
        return all_are(v, VALUE_NUMBER);
    case 'S':
        return all_are(v, VALUE_STRING);
    case 'X':
        return all_are(v, VALUE_NUMBER) || all_are(v, VALUE_STRING);
    default:
        return true;
    }
}

const struct value *function_call(const struct function *f, struct expr_run *run,
                                  const struct argument *args, size_t n)
{
    size_t last = strlen(f->takes) - 1;

    for (size_t i = 0; i < n; i++) {
        const struct value *v = args[i].value;

        if (!run_step(run, v && v->kind == VALUE_ARRAY ? v->n : 1))
            return NULL;
        if (!fits(f->takes[i < last ? i : last], &args[i]))
            return run_fail(run, "an argument of a function has the wrong type");
    }
    return f->call(run, args, n);
}
