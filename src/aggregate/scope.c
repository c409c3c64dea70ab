/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregate/scope.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What is no encoding stays as it is. */
static const struct value *decoded(struct arena *a, struct str s, bool plus)
{
    char *out = arena_try(a, s.n + 1);
    size_t n = 0;

    if (!out)
        return NULL;
    for (size_t i = 0; i < s.n; i++) {
        int high = s.p[i] == '%' && i + 2 < s.n ? hex_digit(s.p[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(s.p[i + 2]) : -1;

        if (low >= 0) {
            out[n++] = (char)(high << 4 | low);
            i += 2;
        } else {
            out[n++] = plus && s.p[i] == '+' ? ' ' : s.p[i];
        }
    }
    return value_string(a, (struct str){out, n});
}

static bool add(struct member *to, size_t *n, struct str name, const struct value *v)
{
    to[(*n)++] = (struct member){name, v};
    return v != NULL;
}

static const struct value *query_value(struct arena *a, struct str query)
{
    struct member *members = arena_try(a, SCOPE_MAX_QUERY * sizeof *members);
    struct str rest = query, pair;
    size_t n = 0;

    while (members && n < SCOPE_MAX_QUERY && str_next(&rest, '&', &pair)) {
        const char *equals = memchr(pair.p, '=', pair.n);
        size_t name_n = equals ? (size_t)(equals - pair.p) : pair.n;
        const struct value *name = decoded(a, (struct str){pair.p, name_n}, true);
        struct str value = equals ? (struct str){equals + 1, pair.n - name_n - 1} : STR("");
        struct str text = name ? value_text(a, name) : STR_NULL;

        if (!text.p || !add(members, &n, text, decoded(a, value, true)))
            return NULL;
    }
    return members ? value_object(a, members, n) : NULL;
}

const struct value *scope_request(struct arena *a, struct str method, struct str path,
                                  struct str query, const struct value *claims,
                                  const struct value *body)
{
    struct member *m = arena_try(a, 5 * sizeof *m);
    size_t n = 0;

    if (!m || !add(m, &n, STR("method"), value_string(a, method)) ||
        !add(m, &n, STR("path"), value_string(a, path)) ||
        !add(m, &n, STR("query"), query_value(a, query)) ||
        !add(m, &n, STR("claims"), claims ? claims : value_null()) ||
        !add(m, &n, STR("body"), body ? body : value_null()))
        return NULL;
    return value_object(a, m, n);
}

const struct value *scope_value(struct arena *a, const struct scope *s,
                                const struct aggregate_conf *c, const struct value *item)
{
    struct member *m = arena_try(a, (s->nparams + c->nparts + 2) * sizeof *m);
    size_t n = 0;

    if (!m)
        return NULL;
    for (unsigned i = 0; i < s->nparams; i++)
        if (!add(m, &n, s->params[i].name, decoded(a, s->params[i].value, false)))
            return NULL;
    for (size_t i = 0; i < c->nparts; i++)
        add(m, &n, str_of(c->parts[i].name), s->parts[i] ? s->parts[i] : value_null());
    add(m, &n, STR("request"), s->request);
    if (item)
        add(m, &n, STR("item"), item);
    return value_object(a, m, n);
}
