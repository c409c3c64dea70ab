/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/documents.h"
#include "http/h1_parse.h"

#include <stdio.h>
#include <string.h>

enum { MAX_METHOD = 32, MAX_URL = 4096, MAX_HEAD = MAX_METHOD + 2 * MAX_URL + 64 };

struct target {
    struct str scheme, authority, rest; /* rest: path and query */
};

/* Nothing that would end or split the head that is made of it. */
static bool visible_ascii(const char *s, size_t max)
{
    size_t n = 0;

    for (; s[n]; n++)
        if (n >= max || (unsigned char)s[n] <= 0x20 || (unsigned char)s[n] >= 0x7f)
            return false;
    return n > 0;
}

static int split_url(const char *url, struct target *ret, struct err *e)
{
    static const struct str schemes[] = {{"http", 4}, {"https", 5}};
    struct str all = str_of(url);

    *ret = (struct target){STR("http"), STR(""), all};
    if (url[0] == '/')
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        size_t n = schemes[i].n;

        if (!str_istarts(all, schemes[i]) || strncmp(url + n, "://", 3) != 0)
            continue;
        ret->scheme = schemes[i];
        ret->authority = (struct str){url + n + 3, strcspn(url + n + 3, "/?#")};
        ret->rest = str_of(ret->authority.p + ret->authority.n);
        if (ret->authority.n > 0)
            return 0;
    }
    return err_set(e, "url: expected http://HOST/PATH, https://HOST/PATH or /PATH");
}

static int parse(const char *method, const char *url, char *head, struct target *t,
                 struct request *ret, struct err *e)
{
    static const struct h1_limits limits = {
        .max_line = MAX_HEAD, .max_head = MAX_HEAD, .max_headers = 8};
    size_t scanned = 0, head_bytes;
    enum reason why = REASON_BAD_REQUEST;
    const char *slash;
    int n;

    if (!visible_ascii(method, MAX_METHOD))
        return err_set(e, "method: expected a word of at most %d characters", MAX_METHOD);
    if (!visible_ascii(url, MAX_URL))
        return err_set(e, "url: expected at most %d visible ASCII characters", MAX_URL);
    if (split_url(url, t, e) < 0)
        return -1;
    slash = t->rest.n > 0 && t->rest.p[0] == '/' ? "" : "/";
    /* A path alone is a request without Host, which only HTTP/1.0 may send. */
    if (t->authority.n > 0)
        n = snprintf(head, MAX_HEAD, "%s %s%.*s HTTP/1.1\r\nHost: %.*s\r\n\r\n", method, slash,
                     STR_FMT(t->rest), STR_FMT(t->authority));
    else
        n = snprintf(head, MAX_HEAD, "%s %.*s HTTP/1.0\r\n\r\n", method, STR_FMT(t->rest));
    if (h1_parse_request(head, (size_t)n, &limits, &scanned, ret, &head_bytes, &why) == H1_DONE)
        return 0;
    return err_set(e, "the gateway would refuse this request: %s", reason_info(why)->word);
}

static json_t *instance_part(const struct look *l, const struct service_view *v, unsigned i)
{
    const struct instance *in = &v->set->items[i];

    return json_pack("{s:o,s:o,s:i,s:s,s:b}", "id", json_text(in->id), "address",
                     json_text(in->address), "port", (int)in->port, "health",
                     health_name(in->health), "available",
                     instance_available(in, &v->states[i]->load, l->now_ns));
}

static json_t *service_part(const struct look *l, const struct target_conf *t, uint32_t slot)
{
    const struct snapshot *s = l->snapshot;
    const struct service_view *v = slot < s->nslots ? s->services[slot] : NULL;
    json_t *instances = json_array();
    struct service_row row = {0};

    for (unsigned i = 0; v && i < v->n; i++)
        json_array_append_new(instances, instance_part(l, v, i));
    if (v)
        service_row_fill(&row, v, l->now_ns);
    return json_pack("{s:o,s:i,s:s,s:I,s:o}", "name", json_text(t->service), "weight",
                     (int)t->weight, "breaker", breaker_state_name(row.breaker.state), "available",
                     (json_int_t)row.available, "instances", instances);
}

static json_t *services_part(const struct look *l, const struct route *r)
{
    json_t *list = json_array();

    for (size_t i = 0; r && i < r->conf->ntargets && i < ROUTE_MAX_TARGETS; i++)
        json_array_append_new(list, service_part(l, &r->conf->targets[i], r->slots[i]));
    return list;
}

static json_t *slice(struct str s)
{
    json_t *text = json_stringn(s.p ? s.p : "", s.n);

    return text ? text : json_null();
}

static json_t *forwarded_path(const struct route_match *m, struct str path)
{
    char out[2 * MAX_URL];
    size_t n;

    if (!m->route || m->route->conf->redirect_status ||
        route_target_path(m->route, m, path, out, sizeof out, &n) < 0)
        return json_null();
    return slice((struct str){out, n});
}

static json_t *location(const struct route_match *m, const struct request *r, struct str scheme)
{
    char out[2 * MAX_URL];
    size_t n;

    if (!m->route || !m->route->conf->redirect_status ||
        route_redirect_location(m->route, m, r, str_eq(scheme, STR("https")) ? "https" : "http",
                                out, sizeof out, &n) < 0)
        return json_null();
    return slice((struct str){out, n});
}

json_t *explain_document(const struct look *l, const char *method, const char *url, struct err *e)
{
    char head[MAX_HEAD];
    struct request r;
    struct route_match m = {0};
    struct target t = {STR_NULL, STR_NULL, STR_NULL};

    if (parse(method, url, head, &t, &r, e) < 0)
        return NULL;
    if (l->snapshot)
        route_find(l->snapshot->routes, &r, &m);
    return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "matched",
                     m.route ? route_summary(m.route) : json_null(), "allow",
                     m.route ? json_null() : json_text(m.allow), "host", slice(r.host), "path",
                     slice(r.path), "forwarded_path", forwarded_path(&m, r.path), "location",
                     location(&m, &r, t.scheme), "services", services_part(l, m.route));
}
