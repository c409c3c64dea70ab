/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/pages.h"
#include "admin/dashboard.h"
#include "admin/documents.h"
#include "admin/explain.h"
#include "admin/metrics.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdlib.h>
#include <string.h>

#define NOTHING_ELSE "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

static const char closed_policy[] = "default-src 'none'; " NOTHING_ELSE;
static const char dashboard_policy[] = "default-src 'none'; script-src 'self'; style-src 'self'; "
                                       "img-src 'self'; connect-src 'self'; " NOTHING_ELSE;

static int add_to_body(const char *buffer, size_t size, void *data)
{
    return evbuffer_add(data, buffer, size);
}

static void answer_json(struct page_answer *a, int status, json_t *doc)
{
    a->status = status;
    a->type = "application/json";
    if (!doc || json_dump_callback(doc, add_to_body, a->body,
                                   JSON_INDENT(2) | JSON_REAL_PRECISION(6)) < 0) {
        a->status = 500;
        evbuffer_drain(a->body, evbuffer_get_length(a->body));
        evbuffer_add_printf(a->body, "{\"error\": \"the document could not be made\"}");
    }
    evbuffer_add(a->body, "\n", 1);
    json_decref(doc);
}

void pages_json(struct page_answer *a, int status, json_t *doc)
{
    a->policy = closed_policy;
    answer_json(a, status, doc);
}

void pages_error(struct page_answer *a, int status, const char *why)
{
    pages_json(a, status, json_pack("{s:o}", "error", json_text(why)));
}

void pages_refuse(struct page_answer *a, int status, const char *reason, const char *why)
{
    pages_json(a, status, json_pack("{s:o,s:s}", "error", json_text(why), "reason", reason));
}

static void answer_text(struct page_answer *a, int status, const char *text)
{
    a->status = status;
    a->type = "text/plain; charset=utf-8";
    evbuffer_add_printf(a->body, "%s\n", text);
}

static void answer_file(struct page_answer *a, const struct dashboard_file *file)
{
    a->status = 200;
    a->type = file->type;
    a->policy = dashboard_policy;
    evbuffer_add_reference(a->body, file->bytes.p, file->bytes.n, NULL, NULL);
}

struct page_input {
    const struct look *look;
    const struct evkeyvalq *query;
    const char *rest; /* of the path, not decoded: for pages of one service */
};

static void page_livez(const struct page_input *in, struct page_answer *a)
{
    (void)in;
    answer_text(a, 200, "ok");
}

static void page_readyz(const struct page_input *in, struct page_answer *a)
{
    const char *why = look_unready(in->look);

    answer_text(a, why ? 503 : 200, why ? why : "ok");
}

static void page_metrics(const struct page_input *in, struct page_answer *a)
{
    a->status = 200;
    a->type = "text/plain; version=0.0.4; charset=utf-8";
    metrics_write(in->look, a->body);
}

/* HEAD alone comes here; a GET is taken over before. */
static void page_events(const struct page_input *in, struct page_answer *a)
{
    (void)in;
    a->status = 200;
    a->type = "text/event-stream";
}

static void page_status(const struct page_input *in, struct page_answer *a)
{
    answer_json(a, 200, status_document(in->look));
}

static void page_services(const struct page_input *in, struct page_answer *a)
{
    answer_json(a, 200, services_document(in->look));
}

static void page_breakers(const struct page_input *in, struct page_answer *a)
{
    answer_json(a, 200, breakers_document(in->look));
}

static void page_routes(const struct page_input *in, struct page_answer *a)
{
    answer_json(a, 200, routes_document(in->look));
}

static void page_service(const struct page_input *in, struct page_answer *a)
{
    char *name = target_decode(in->rest, strlen(in->rest));
    json_t *doc = name ? service_document(in->look, name) : NULL;

    free(name);
    if (doc)
        answer_json(a, 200, doc);
    else
        pages_refuse(a, 404, "not_found", "there is no such service");
}

void pages_no_target(struct page_answer *a, enum target_result r)
{
    if (r == TARGET_AMBIGUOUS)
        pages_refuse(a, 409, "ambiguous_instance",
                     "several instances have this id: use NODE/ID, each percent-encoded");
    else
        pages_refuse(a, 404, "not_found",
                     r == TARGET_NO_SERVICE ? "there is no such service"
                                            : "the service has no such instance");
}

static void page_breaker(const struct page_input *in, struct page_answer *a)
{
    struct breaker_target t;
    enum target_result r = target_find(in->look->snapshot, in->rest, &t);

    if (r == TARGET_FOUND)
        answer_json(a, 200, breaker_document(in->look, &t));
    else
        pages_no_target(a, r);
}

/* A number of the query; `dflt` when it is not there. */
static bool query_number(const struct page_input *in, const char *key, uint64_t dflt, uint64_t *ret)
{
    const char *text = evhttp_find_header(in->query, key);

    *ret = dflt;
    return !text || str_to_u64(str_of(text), ret);
}

static void page_transitions(const struct page_input *in, struct page_answer *a)
{
    bool after_given = evhttp_find_header(in->query, "after") != NULL;
    uint64_t after, limit;

    if (!query_number(in, "after", 0, &after) || !query_number(in, "limit", 100, &limit) ||
        limit == 0) {
        pages_refuse(a, 400, "bad_request", "after and limit: expected a whole number");
        return;
    }
    answer_json(a, 200,
                transitions_document(in->look, after_given, after,
                                     evhttp_find_header(in->query, "service"),
                                     limit < JOURNAL_KEPT ? (size_t)limit : JOURNAL_KEPT));
}

static void page_fleet(const struct page_input *in, struct page_answer *a)
{
    const struct admin_sources *s = in->look->sources;

    answer_json(a, 200,
                s->fleet_document ? s->fleet_document(s->arg)
                                  : json_pack("{s:b}", "enabled", false));
}

static void page_explain(const struct page_input *in, struct page_answer *a)
{
    const char *method = evhttp_find_header(in->query, "method");
    const char *headers[EXPLAIN_MAX_HEADERS + 1]; /* one more is one too many */
    struct explain_query q = {.method = method ? method : "GET",
                              .url = evhttp_find_header(in->query, "url"),
                              .client = evhttp_find_header(in->query, "client"),
                              .headers = headers};
    const struct evkeyval *pair;
    struct err e;
    json_t *doc;

    if (!q.url) {
        pages_error(a, 400, "expected ?url=, and ?method= for anything but GET");
        return;
    }
    for (pair = in->query->tqh_first; pair; pair = pair->next.tqe_next)
        if (strcmp(pair->key, "header") == 0 && q.nheaders < ARRAY_LEN(headers))
            headers[q.nheaders++] = pair->value;
    doc = explain_document(in->look, &q, &e);
    if (doc)
        answer_json(a, 200, doc);
    else
        pages_error(a, 400, e.text);
}

/* A path that ends with '/' stands for that path and what follows. */
static const struct page {
    const char *path;
    void (*answer)(const struct page_input *in, struct page_answer *a);
} pages[] = {
    {"/livez", page_livez},          {"/readyz", page_readyz},
    {"/metrics", page_metrics},      {"/v1/events", page_events},
    {"/v1/status", page_status},     {"/v1/services", page_services},
    {"/v1/services/", page_service}, {"/v1/breakers", page_breakers},
    {PAGES_BREAKER, page_breaker},   {"/v1/transitions", page_transitions},
    {"/v1/fleet", page_fleet},       {"/v1/routes", page_routes},
    {"/v1/explain", page_explain},
};

/* The rest of `path` behind the page's own; NULL when it is another page's. */
static const char *rest_of(const struct page *p, const char *path)
{
    size_t n = strlen(p->path);

    if (strncmp(path, p->path, n) != 0)
        return NULL;
    if (path[n] == '\0')
        return p->path[n - 1] != '/' ? path + n : NULL;
    return p->path[n - 1] == '/' ? path + n : NULL;
}

void pages_answer(const struct look *l, const struct page_request *q, struct page_answer *ret)
{
    struct page_input in = {.look = l, .query = q->query};
    struct dashboard_file file;

    if (dashboard_find(q->path, &file)) {
        answer_file(ret, &file);
        return;
    }
    ret->policy = closed_policy;
    for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
        const char *rest = rest_of(&pages[i], q->path);

        if (!rest)
            continue;
        in.rest = rest;
        pages[i].answer(&in, ret);
        return;
    }
    pages_refuse(ret, 404, "not_found", "there is no such page");
}
