/* SPDX-License-Identifier: Apache-2.0 */
#include "json/value.h"
#include "json/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { LARGE_OBJECT = 8 };

static const struct value null_value = {.kind = VALUE_NULL}, false_value = {.kind = VALUE_FALSE},
                          true_value = {.kind = VALUE_TRUE};

const struct value *value_null(void)
{
    return &null_value;
}

const struct value *value_bool(bool b)
{
    return b ? &true_value : &false_value;
}

static size_t escape_byte(unsigned char c, char out[6])
{
    static const char short_from[] = "\"\\\b\f\n\r\t", short_to[] = "\"\\bfnrt";
    const char *known = c ? strchr(short_from, c) : NULL;

    if (known) {
        out[0] = '\\';
        out[1] = short_to[known - short_from];
        return 2;
    }
    if (c >= 0x20) {
        out[0] = (char)c;
        return 1;
    }
    memcpy(out, "\\u00", 4);
    out[4] = "0123456789abcdef"[c >> 4];
    out[5] = "0123456789abcdef"[c & 15];
    return 6;
}

/* Bytes of s as the inside of a JSON string; written to `out` unless that is NULL. */
static size_t escape(struct str s, char *out)
{
    char scratch[6];
    size_t n = 0;

    for (size_t i = 0; i < s.n;) {
        unsigned len = utf8_length(s.p + i, s.n - i);
        char *to = out ? out + n : scratch;

        if (len == 0) {
            memcpy(to, "\xef\xbf\xbd", 3);
            n += 3;
            i++;
        } else if (len == 1) {
            n += escape_byte((unsigned char)s.p[i++], to);
        } else {
            memcpy(to, s.p + i, len);
            n += len;
            i += len;
        }
    }
    return n;
}

const struct value *value_string(struct arena *a, struct str s)
{
    size_t n = escape(s, NULL);
    struct value *v = n < SIZE_MAX / 2 ? arena_try(a, sizeof *v + n) : NULL;
    char *out = (char *)(v + 1);

    if (!v)
        return NULL;
    escape(s, out);
    v->kind = VALUE_STRING;
    v->text = (struct str){out, n};
    v->escaped = n > 0 && memchr(out, '\\', n) != NULL;
    return v;
}

const struct value *value_number(struct arena *a, double d)
{
    struct value *v;
    char text[32];
    int n = 0;

    if (!isfinite(d))
        return &null_value;
    for (int digits = 15; digits <= 17; digits++) {
        n = snprintf(text, sizeof text, "%.*g", digits, d);
        if (strtod(text, NULL) == d)
            break;
    }
    v = arena_try(a, sizeof *v + (size_t)n);
    if (!v)
        return NULL;
    v->kind = VALUE_NUMBER;
    memcpy(v + 1, text, (size_t)n);
    v->text = (struct str){(const char *)(v + 1), (size_t)n};
    return v;
}

const struct value *value_array(struct arena *a, const struct value **items, size_t n)
{
    struct value *v = arena_try(a, sizeof *v);

    if (!v)
        return NULL;
    v->kind = VALUE_ARRAY;
    v->items = items;
    v->n = n;
    return v;
}

static int compare_names(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int d = n > 0 ? memcmp(a.p, b.p, n) : 0;

    return d ? d : (a.n > b.n) - (a.n < b.n);
}

/* By name, equal ones as they came. */
static int compare_order(const void *x, const void *y, void *arg)
{
    const struct member *members = arg;
    uint32_t i = *(const uint32_t *)x, k = *(const uint32_t *)y;
    int d = compare_names(members[i].name, members[k].name);

    return d ? d : (i > k) - (i < k);
}

static uint32_t *sort_members(struct arena *a, struct member *members, size_t n)
{
    uint32_t *order = n <= UINT32_MAX ? arena_try(a, n * sizeof *order) : NULL;

    if (!order)
        return NULL;
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    qsort_r(order, n, sizeof *order, compare_order, members);
    return order;
}

/* The later value goes to the earlier place; the places after it close up. */
static size_t join_twins(struct member *members, const uint32_t *order, size_t n)
{
    size_t kept = 0;
    uint32_t first = n > 0 ? order[0] : 0;

    for (size_t i = 1; i < n; i++) {
        if (compare_names(members[order[i]].name, members[first].name) != 0) {
            first = order[i];
            continue;
        }
        members[first].value = members[order[i]].value;
        members[order[i]].value = NULL;
    }
    for (size_t i = 0; i < n; i++)
        if (members[i].value)
            members[kept++] = members[i];
    return kept;
}

const struct value *value_object(struct arena *a, struct member *members, size_t n)
{
    struct value *v = arena_try(a, sizeof *v);
    uint32_t *order = sort_members(a, members, n);
    size_t kept;

    if (!v || !order)
        return NULL;
    v->kind = VALUE_OBJECT;
    v->members = members;
    kept = join_twins(members, order, n);
    if (kept < n)
        order = sort_members(a, members, kept);
    if (!order)
        return NULL;
    v->n = kept;
    v->order = kept > LARGE_OBJECT ? order : NULL;
    return v;
}

const struct value *value_get(const struct value *v, struct str name)
{
    size_t low = 0, high = v->n;

    if (v->kind != VALUE_OBJECT)
        return NULL;
    for (size_t i = 0; !v->order && i < v->n; i++)
        if (str_eq(v->members[i].name, name))
            return v->members[i].value;
    while (v->order && low < high) {
        size_t middle = low + (high - low) / 2;
        const struct member *m = &v->members[v->order[middle]];
        int d = compare_names(name, m->name);

        if (d == 0)
            return m->value;
        if (d < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

struct str value_text(struct arena *a, const struct value *v)
{
    char *out;

    if (!v->escaped)
        return v->text.p ? v->text : STR("");
    out = arena_try(a, v->text.n + 1);
    if (!out)
        return STR_NULL;
    return (struct str){out, utf8_unescape(v->text, out)};
}

double value_double(const struct value *v)
{
    char text[64], *copy = v->text.n < sizeof text ? text : malloc(v->text.n + 1);
    double d;

    if (!copy)
        return 0;
    memcpy(copy, v->text.p, v->text.n);
    copy[v->text.n] = '\0';
    d = strtod(copy, NULL);
    if (copy != text)
        free(copy);
    return d;
}

static bool equal_objects(struct arena *a, const struct value *x, const struct value *y)
{
    for (size_t i = 0; i < x->n; i++) {
        const struct value *other = value_get(y, x->members[i].name);

        if (!other || !value_equal(a, x->members[i].value, other))
            return false;
    }
    return true;
}

static bool equal_strings(struct arena *a, const struct value *x, const struct value *y)
{
    struct str p, q;

    if (!x->escaped && !y->escaped)
        return str_eq(x->text, y->text);
    p = value_text(a, x);
    q = value_text(a, y);
    return p.p && q.p && str_eq(p, q);
}

bool value_equal(struct arena *a, const struct value *x, const struct value *y)
{
    if (x == y)
        return true;
    if (x->kind != y->kind || x->n != y->n)
        return false;
    switch (x->kind) {
    case VALUE_NUMBER:
        return str_eq(x->text, y->text) || value_double(x) == value_double(y);
    case VALUE_STRING:
        return equal_strings(a, x, y);
    case VALUE_ARRAY:
        for (size_t i = 0; i < x->n; i++)
            if (!value_equal(a, x->items[i], y->items[i]))
                return false;
        return true;
    case VALUE_OBJECT:
        return equal_objects(a, x, y);
    default:
        return true;
    }
}

const char *value_kind_name(const struct value *v)
{
    static const char *const names[] = {"null",   "boolean", "boolean", "number",
                                        "string", "array",   "object"};

    return names[v->kind];
}
