/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregate/batch_document.h"

#include <stdio.h>

enum { MAX_DEPTH = 34, MAX_PATH_BYTES = 8192, MAX_FIELDS_BYTES = 8192 };

/* RFC 9110 section 5.6.2. */
static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c && strchr("!#$%&'*+-.^_`|~", c))))
            return false;
    }
    return s.n > 0;
}

/* Section 5.5: nothing that could end a line. */
static bool is_field_value(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c < 0x20 ? c != '\t' : c == 0x7f)
            return false;
    }
    return true;
}

static bool is_path(struct str s)
{
    if (s.n == 0 || s.n > MAX_PATH_BYTES || s.p[0] != '/')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~' || strchr("#\"<>\\^`{|}", s.p[i]))
            return false;
    return true;
}

static bool is_method(struct str s)
{
    static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_eq(s, str_of(known[i])))
            return true;
    return false;
}

/* Fields that frame the message, belong to the connection, say who asks and from where, or are that
 * of the batch as a whole. */
static bool is_never_taken(struct str name)
{
    static const char *const names[] = {"host",
                                        "connection",
                                        "content-length",
                                        "transfer-encoding",
                                        "te",
                                        "trailer",
                                        "upgrade",
                                        "keep-alive",
                                        "expect",
                                        "http2-settings",
                                        "authorization",
                                        "cookie",
                                        "forwarded",
                                        "via",
                                        "x-real-ip",
                                        "x-request-id",
                                        "traceparent",
                                        "tracestate",
                                        "accept-encoding",
                                        "origin",
                                        "content-encoding",
                                        "x-request-deadline",
                                        "client-cert",
                                        "client-cert-chain"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_ieq(name, str_of(names[i])))
            return true;
    return str_istarts(name, STR("proxy")) || str_istarts(name, STR("x-forwarded")) ||
           str_istarts(name, STR("sec-")) || memchr(name.p, '_', name.n) != NULL;
}

struct reading {
    struct arena *arena;
    batch_field_fn *may_bring;
    void *arg;
};

/* n = 0: it is no text, or empty. */
static struct str text_member(struct arena *a, const struct value *item, const char *name)
{
    const struct value *v = value_get(item, str_of(name));

    return v && v->kind == VALUE_STRING ? value_text(a, v) : STR_NULL;
}

static const char *read_fields(const struct reading *r, const struct value *headers,
                               struct batch_item *ret)
{
    char *out = arena_try(r->arena, MAX_FIELDS_BYTES);
    size_t n = 0;

    if (!out)
        return "memory is out";
    if (headers->kind != VALUE_OBJECT)
        return "headers is no object";
    for (size_t i = 0; i < headers->n; i++) {
        struct str name = headers->members[i].name, value;

        if (headers->members[i].value->kind != VALUE_STRING)
            return "a header is no text";
        value = str_trim(value_text(r->arena, headers->members[i].value));
        if (!value.p || !is_token(name) || !is_field_value(value))
            return "a header has a character that it cannot have";
        if (is_never_taken(name) || !r->may_bring(r->arg, name))
            return "a header is one that the requests of a batch cannot bring";
        if (n + name.n + value.n + 4 > MAX_FIELDS_BYTES)
            return "the headers are too large";
        ret->has_type |= str_ieq(name, STR("content-type"));
        n += (size_t)snprintf(out + n, MAX_FIELDS_BYTES - n, "%.*s: ", STR_FMT(name));
        memcpy(out + n, value.p, value.n);
        memcpy(out + n + value.n, "\r\n", 2);
        n += value.n + 2;
    }
    ret->fields = (struct str){out, n};
    return NULL;
}

static const char *read_item(const struct reading *r, const struct value *item,
                             struct batch_item *ret)
{
    const struct value *headers, *method;

    if (item->kind != VALUE_OBJECT)
        return "it is no object";
    ret->id = value_get(item, STR("id"));
    if (ret->id && ret->id->kind != VALUE_STRING && ret->id->kind != VALUE_NUMBER) {
        ret->id = NULL;
        return "its id is neither text nor number";
    }
    method = value_get(item, STR("method"));
    ret->method = method ? text_member(r->arena, item, "method") : STR("GET");
    if (!is_method(ret->method))
        return "its method is none of GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS";
    ret->path = text_member(r->arena, item, "path");
    if (!is_path(ret->path))
        return "its path does not begin with / or has a character that must be percent-encoded";
    ret->body = value_get(item, STR("body"));
    if (ret->body && (str_eq(ret->method, STR("GET")) || str_eq(ret->method, STR("HEAD"))))
        return "a GET has no body";
    headers = value_get(item, STR("headers"));
    return headers ? read_fields(r, headers, ret) : NULL;
}

static bool flag(const struct value *root, const char *name)
{
    const struct value *v = value_get(root, str_of(name));

    return v && v->kind == VALUE_TRUE;
}

static bool ids_differ(struct arena *a, const struct batch *b)
{
    for (size_t i = 0; i < b->n; i++)
        for (size_t k = 0; k < i && b->items[i].id; k++)
            if (b->items[k].id && value_equal(a, b->items[i].id, b->items[k].id))
                return false;
    return true;
}

bool batch_parse(struct arena *a, struct str text, size_t max_requests, batch_field_fn *may_bring,
                 void *arg, struct batch *ret, const char **ret_why)
{
    const struct value *root = value_parse(a, text, MAX_DEPTH, ret_why), *list;
    struct reading r = {a, may_bring, arg};

    memset(ret, 0, sizeof *ret);
    if (!root)
        return false;
    list = value_get(root, STR("requests"));
    *ret_why = !list || list->kind != VALUE_ARRAY || list->n == 0 ? "has no list of requests"
               : list->n > max_requests ? "has more requests than one may have"
                                        : NULL;
    if (*ret_why)
        return false;
    ret->sequential = flag(root, "sequential");
    ret->stop_on_error = flag(root, "stop_on_error");
    ret->items = arena_try(a, list->n * sizeof *ret->items);
    *ret_why = "is too large";
    if (!ret->items)
        return false;
    ret->n = list->n;
    for (size_t i = 0; i < list->n; i++)
        ret->items[i].wrong = read_item(&r, list->items[i], &ret->items[i]);
    *ret_why = "has two requests with the same id";
    return ids_differ(a, ret);
}

bool batch_write_problem(enum reason why, unsigned status, const char *detail, struct bytes *to)
{
    char text[400];
    int n = snprintf(
        text, sizeof text,
        "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%u,\"reason\":\"%s\"%s%s%s}",
        reason_info(why)->title, status, reason_info(why)->word, detail ? ",\"detail\":\"" : "",
        detail ? detail : "", detail ? "\"" : "");

    return bytes_add(to, text, (size_t)n);
}
