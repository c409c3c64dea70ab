/* SPDX-License-Identifier: Apache-2.0 */
#include "consul_rights.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

char *consul_rights_question(const struct consul_right *rights, size_t n)
{
    json_t *list = json_array();
    char *text;

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list,
                              json_pack("{s:s,s:s,s:s}", "Resource", rights[i].resource, "Access",
                                        rights[i].access, "Segment", rights[i].segment));
    text = json_dumps(list, JSON_COMPACT);
    json_decref(list);
    if (!text)
        abort();
    return text;
}

static const char *text(const json_t *object, const char *key)
{
    const char *z = json_string_value(json_object_get(object, key));

    return z ? z : "";
}

static bool is_about(const json_t *item, const struct consul_right *r)
{
    return strcmp(text(item, "Resource"), r->resource) == 0 &&
           strcmp(text(item, "Access"), r->access) == 0 &&
           strcmp(text(item, "Segment"), r->segment) == 0;
}

int consul_rights_answer(struct str body, const struct consul_right *rights, size_t n, bool *ret,
                         struct err *e)
{
    json_error_t je;
    json_t *list = json_loadb(body.p ? body.p : "", body.n, 0, &je);
    int result = 0;

    if (!json_is_array(list) || json_array_size(list) != n)
        result = err_set(e, "the answer about rights is not a list of %zu", n);
    for (size_t i = 0; result == 0 && i < n; i++) {
        const json_t *item = json_array_get(list, i);

        if (!is_about(item, &rights[i]))
            result = err_set(e, "the answer about rights is about other ones");
        else
            ret[i] = json_is_true(json_object_get(item, "Allow"));
    }
    json_decref(list);
    return result;
}

void consul_right_name(const struct consul_right *r, char *ret, size_t room)
{
    snprintf(ret, room, "%s:%s%s%s", r->resource, r->access, *r->segment ? " on " : "", r->segment);
}

void consul_right_rule(const struct consul_right *r, char *ret, size_t room)
{
    bool exact = *r->segment && strcmp(r->resource, "key") != 0;

    snprintf(ret, room, "%s%s \"%s\" { policy = \"%s\" }", r->resource, exact ? "" : "_prefix",
             r->segment, r->access);
}

static void add_names(const json_t *list, char *ret, size_t room)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        size_t used = strlen(ret);

        snprintf(ret + used, room - used, "%s%s", used ? ", " : "",
                 text(json_array_get(list, i), "Name"));
    }
}

int consul_token_facts(struct str body, struct consul_token_facts *ret, struct err *e)
{
    json_error_t je;
    json_t *token = json_loadb(body.p ? body.p : "", body.n, 0, &je);
    int64_t expires_ns;

    memset(ret, 0, sizeof *ret);
    if (!json_is_object(token)) {
        json_decref(token);
        return err_set(e, "the answer about the token is not an object");
    }
    snprintf(ret->accessor, sizeof ret->accessor, "%s", text(token, "AccessorID"));
    add_names(json_object_get(token, "Policies"), ret->policies, sizeof ret->policies);
    add_names(json_object_get(token, "Roles"), ret->policies, sizeof ret->policies);
    if (consul_time(text(token, "ExpirationTime"), &expires_ns))
        ret->expires_s = expires_ns / (int64_t)NS_PER_S;
    json_decref(token);
    return 0;
}

/* The zone of an RFC 3339 time in seconds east of Greenwich. */
static bool read_zone(const char *p, long *ret_s)
{
    int hours, minutes, used = 0;

    *ret_s = 0;
    if (strcmp(p, "Z") == 0)
        return true;
    if ((*p != '+' && *p != '-') || sscanf(p + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2 ||
        p[1 + used] != '\0')
        return false;
    *ret_s = (hours * 60L + minutes) * 60 * (*p == '-' ? -1 : 1);
    return true;
}

bool consul_time(const char *z, int64_t *ret_ns)
{
    struct tm tm = {0};
    const char *p = strptime(z, "%Y-%m-%dT%H:%M:%S", &tm);
    int64_t fraction_ns = 0, unit_ns = (int64_t)NS_PER_S / 10;
    int64_t seconds;
    long zone_s;

    if (!p)
        return false;
    if (*p == '.')
        for (p++; *p >= '0' && *p <= '9'; p++, unit_ns /= 10)
            fraction_ns += (*p - '0') * unit_ns;
    /* Consul writes the zero time when there is none. */
    if (!read_zone(p, &zone_s) || tm.tm_year < 70)
        return false;
    seconds = (int64_t)timegm(&tm) - zone_s;
    if (seconds >= INT64_MAX / (int64_t)NS_PER_S)
        return false;
    *ret_ns = seconds * (int64_t)NS_PER_S + fraction_ns;
    return true;
}
