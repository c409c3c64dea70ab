/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/order.h"
#include "base/clock.h"
#include "config/value.h"

#include <jansson.h>
#include <string.h>

static const char states[] = "forced_open, forced_closed, disabled, shadow, auto or reset";

void order_text(char *ret, size_t cap, const char *text)
{
    size_t n = strlen(text);

    if (n >= cap) {
        n = cap - 1;
        while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
            n--;
    }
    for (size_t i = 0; i < n; i++)
        ret[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? ' ' : text[i];
    ret[n] = '\0';
}

/* Days too, which configuration files do not know: the longest time is a week. */
static bool ttl_of(const char *text, uint64_t *ret_ms)
{
    size_t n = strlen(text);
    char hours[16];

    if (n < 2 || n > 4 || text[n - 1] != 'd')
        return value_duration(text, ret_ms);
    memcpy(hours, text, n - 1);
    strcpy(hours + n - 1, "h");
    if (!value_duration(hours, ret_ms))
        return false;
    *ret_ms *= 24;
    return true;
}

static int read_state(const char *text, struct order *o, struct err *e)
{
    o->what = operation_parse(text);
    if (o->what == OPERATION_COUNT)
        return err_set(e, "state: expected %s, found \"%.40s\"", states, text);
    return 0;
}

static int read_ttl(const char *text, struct order *o, struct err *e)
{
    if (!ttl_of(text, &o->ttl_ms) || o->ttl_ms == 0)
        return err_set(e, "ttl: expected a duration such as 90s, 10m, 2h or 1d, found \"%.40s\"",
                       text);
    if (o->ttl_ms > OPERATE_TTL_MAX_MS)
        return err_set(e, "ttl: at most 7d; what must last longer belongs into the configuration");
    return 0;
}

static int read_scope(const char *text, struct order *o, struct err *e)
{
    o->fleet = strcmp(text, "fleet") == 0;
    if (!o->fleet && strcmp(text, "local") != 0)
        return err_set(e, "scope: expected local or fleet, found \"%.40s\"", text);
    return 0;
}

static int read_reason(const char *text, struct order *o, struct err *e)
{
    (void)e;
    order_text(o->why, sizeof o->why, text);
    return 0;
}

static int read_author(const char *text, struct order *o, struct err *e)
{
    (void)e;
    order_text(o->author, sizeof o->author, text);
    return 0;
}

static const struct {
    const char *key;
    int (*read)(const char *text, struct order *o, struct err *e);
} texts[] = {
    {"state", read_state},   {"ttl", read_ttl},     {"reason", read_reason},
    {"author", read_author}, {"scope", read_scope},
};

static int read_member(const char *key, const json_t *value, struct order *o, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (strcmp(key, texts[i].key) != 0)
            continue;
        if (!json_is_string(value))
            return err_set(e, "%s: expected a string", key);
        return texts[i].read(json_string_value(value), o, e);
    }
    if (strcmp(key, "even_last") != 0)
        return err_set(e,
                       "%.40s: unknown member; expected state, ttl, reason, author, scope or "
                       "even_last",
                       key);
    if (!json_is_boolean(value))
        return err_set(e, "even_last: expected true or false");
    o->even_last = json_is_true(value);
    return 0;
}

static int read_members(json_t *doc, struct order *o, struct err *e)
{
    const char *key;
    json_t *value;

    if (!json_is_object(doc))
        return err_set(e, "expected a JSON object such as {\"state\": \"forced_open\"}");
    json_object_foreach(doc, key, value)
    {
        if (read_member(key, value, o, e) < 0)
            return -1;
    }
    if (o->what == OPERATION_COUNT)
        return err_set(e, "state: missing; expected %s", states);
    if (o->ttl_ms && (o->what == OPERATE_AUTO || o->what == OPERATE_RESET))
        return err_set(e, "ttl: %s does not end by itself, only forced states do",
                       operation_word(o->what));
    return 0;
}

int order_parse(const char *text, size_t n, struct order *ret, struct err *e)
{
    struct order o = {.what = OPERATION_COUNT};
    json_error_t problem;
    json_t *doc = json_loadb(text, n, JSON_REJECT_DUPLICATES, &problem);
    int r;

    if (!doc)
        return err_set(e, "the body is no JSON: %s at byte %d", problem.text, problem.position);
    r = read_members(doc, &o, e);
    json_decref(doc);
    if (r == 0)
        *ret = o;
    return r;
}
