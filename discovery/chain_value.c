/* SPDX-License-Identifier: Apache-2.0 */
/* chain_value.c - members of a chain's JSON, each of the type that it must have. */
#include "chain_parts.h"

#include <stdarg.h>
#include <stdio.h>

enum { MAX_NOTES = 16, MAX_TEXT = 2048 };

bool chain_refuse(struct chain_reader *r, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    err_set(r->err, "%.200s: %s", r->where, text);
    return false;
}

void chain_note(struct chain_reader *r, const char *fmt, ...)
{
    struct chain *c = r->chain;
    char text[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    for (unsigned i = 0; i < c->nnotes; i++)
        if (strcmp(c->notes[i], text) == 0)
            return;
    if (!c->notes)
        c->notes = ARENA_ARRAY(r->arena, const char *, MAX_NOTES);
    if (c->nnotes < MAX_NOTES)
        c->notes[c->nnotes++] = arena_strdup(r->arena, text);
}

static const json_t *member(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);

    return json_is_null(v) ? NULL : v;
}

bool chain_text(struct chain_reader *r, const json_t *object, const char *key, const char **ret)
{
    const json_t *v = member(object, key);
    const char *z = json_string_value(v);

    *ret = NULL;
    if (!v)
        return true;
    if (!z || strlen(z) != json_string_length(v) || strlen(z) > MAX_TEXT)
        return chain_refuse(r, "%s is not a text of reasonable length", key);
    if (*z)
        *ret = arena_strdup(r->arena, z);
    return true;
}

bool chain_bool(struct chain_reader *r, const json_t *object, const char *key, bool *ret)
{
    const json_t *v = member(object, key);

    *ret = json_is_true(v);
    return !v || json_is_boolean(v) || chain_refuse(r, "%s is neither true nor false", key);
}

bool chain_count(struct chain_reader *r, const json_t *object, const char *key, unsigned *ret)
{
    const json_t *v = member(object, key);
    json_int_t n = json_integer_value(v);

    *ret = (unsigned)(n > 1000000 ? 1000000 : n < 0 ? 0 : n);
    return !v || json_is_integer(v) || chain_refuse(r, "%s is not a whole number", key);
}

/* One number with its unit; milliseconds. */
static bool duration_part(const char **at, double *ret_ms)
{
    static const struct {
        const char *unit;
        double ms;
    } units[] = {{"ns", 1e-6}, {"us", 1e-3}, {"\xc2\xb5s", 1e-3}, {"\xce\xbcs", 1e-3},
                 {"ms", 1},    {"s", 1e3},   {"m", 6e4},          {"h", 3.6e6}};
    double value = 0, scale = 1;
    const char *begin = *at;

    for (; **at >= '0' && **at <= '9'; (*at)++)
        value = value * 10 + (**at - '0');
    if (**at == '.')
        for ((*at)++; **at >= '0' && **at <= '9'; (*at)++)
            value += (**at - '0') * (scale /= 10);
    if (*at == begin)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        size_t n = strlen(units[i].unit);

        if (strncmp(*at, units[i].unit, n) == 0 && !((*at)[n] >= 'a' && (*at)[n] <= 'z')) {
            *at += n;
            *ret_ms = value * units[i].ms;
            return true;
        }
    }
    return false;
}

static bool go_duration(const char *text, double *ret_ms)
{
    bool negative = *text == '-';
    const char *at = text + negative;
    double part;

    *ret_ms = 0;
    if (strcmp(at, "0") == 0)
        return true;
    if (!*at)
        return false;
    while (*at) {
        if (!duration_part(&at, &part))
            return false;
        *ret_ms += negative ? -part : part;
    }
    return true;
}

bool chain_duration(struct chain_reader *r, const json_t *object, const char *key, uint64_t *ret)
{
    static const double max_ms = 24 * 3.6e6;
    const json_t *v = member(object, key);
    double ms = 0;

    if (json_is_string(v) ? !go_duration(json_string_value(v), &ms) : v && !json_is_integer(v))
        return chain_refuse(r, "%s is not a duration", key);
    if (json_is_integer(v))
        ms = (double)json_integer_value(v) / 1e6;
    if (!(ms < max_ms))
        ms = max_ms;
    *ret = ms <= 0 ? 0 : ms < 1 ? 1 : (uint64_t)ms;
    return true;
}

bool chain_array(struct chain_reader *r, const json_t *object, const char *key, size_t max,
                 const json_t **ret)
{
    *ret = member(object, key);
    if (*ret && !json_is_array(*ret))
        return chain_refuse(r, "%s is not a list", key);
    return json_array_size(*ret) <= max ||
           chain_refuse(r, "%s has more than %zu entries", key, max);
}

bool chain_object(struct chain_reader *r, const json_t *object, const char *key, const json_t **ret)
{
    *ret = member(object, key);
    return !*ret || json_is_object(*ret) || chain_refuse(r, "%s is not an object", key);
}

/* Consul leaves nothing out that is zero in some versions: that says nothing. */
static bool says_nothing(const json_t *v)
{
    return json_is_null(v) || json_is_false(v) ||
           (json_is_string(v) && json_string_length(v) == 0) ||
           (json_is_array(v) && json_array_size(v) == 0) ||
           (json_is_object(v) && json_object_size(v) == 0) ||
           (json_is_number(v) && json_number_value(v) == 0);
}

const char *chain_unknown(const json_t *object, const char *const *known)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)object, key, value)
    {
        const char *const *k = known;

        while (*k && strcmp(*k, key) != 0)
            k++;
        if (!*k && !says_nothing(value))
            return key;
    }
    return NULL;
}
