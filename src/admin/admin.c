/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/admin.h"
#include "admin/host_guard.h"
#include "admin/pages.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_HEADERS_BYTES = 16384, MAX_BODY_BYTES = 4096, TIMEOUT_S = 15 };

/* All of them, so that the answer to any is ours. */
enum {
    ALL_METHODS = EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT |
                  EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE | EVHTTP_REQ_CONNECT |
                  EVHTTP_REQ_PATCH
};

struct admin {
    struct evhttp *http;           /* owned */
    struct admin_sources *sources; /* borrowed */
};

static const char *phrase(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 503:
        return "Service Unavailable";
    }
    return "Internal Server Error";
}

static void add_fields(struct evhttp_request *req, const struct page_answer *a)
{
    static const char *const always[][2] = {
        {"Cache-Control", "no-store"},
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
    };
    struct evkeyvalq *fields = evhttp_request_get_output_headers(req);
    char length[32];

    for (size_t i = 0; i < ARRAY_LEN(always); i++)
        evhttp_add_header(fields, always[i][0], always[i][1]);
    snprintf(length, sizeof length, "%zu", evbuffer_get_length(a->body));
    evhttp_add_header(fields, "Content-Length", length);
    evhttp_add_header(fields, "Content-Type", a->type);
    evhttp_add_header(fields, "Content-Security-Policy", a->policy);
    if (a->status == 405)
        evhttp_add_header(fields, "Allow", "GET, HEAD");
}

static bool host_allowed(struct evhttp_request *req)
{
    const char *field = evhttp_find_header(evhttp_request_get_input_headers(req), "Host");
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
    const char *absolute = uri ? evhttp_uri_get_host(uri) : NULL;

    /* An absolute target's IPv6 address has lost its brackets here, and is refused: no client of
     * this endpoint sends one. */
    return host_guard_allows(field) && host_guard_allows(absolute);
}

static void answer(struct admin *admin, struct evhttp_request *req, struct page_answer *a)
{
    enum evhttp_cmd_type method = evhttp_request_get_command(req);
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
    const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
    const char *query = uri ? evhttp_uri_get_query(uri) : NULL;
    struct evkeyvalq pairs;
    struct look look;

    if (!host_allowed(req)) {
        pages_error(a, 403, "Host: expected an IP address or localhost");
        return;
    }
    if (method != EVHTTP_REQ_GET && method != EVHTTP_REQ_HEAD) {
        pages_error(a, 405, "this endpoint is read-only: GET or HEAD");
        return;
    }
    if (evhttp_parse_query_str(query ? query : "", &pairs) < 0) {
        pages_error(a, 400, "malformed query");
        return;
    }
    look = look_now(admin->sources);
    pages_answer(&look, &(struct page_request){path && path[0] ? path : "/", &pairs}, a);
    evhttp_clear_headers(&pairs);
}

static void on_request(struct evhttp_request *req, void *arg)
{
    struct page_answer a = {.body = evbuffer_new()};

    if (!a.body) {
        evhttp_send_error(req, 500, NULL);
        return;
    }
    answer(arg, req, &a);
    add_fields(req, &a);
    if (evhttp_request_get_command(req) == EVHTTP_REQ_HEAD)
        evbuffer_drain(a.body, evbuffer_get_length(a.body));
    evhttp_send_reply(req, a.status, phrase(a.status), a.body);
    evbuffer_free(a.body);
}

struct admin *admin_new(struct event_base *base, const char *host, uint16_t port,
                        struct admin_sources *s, struct err *e)
{
    struct admin *a = calloc(1, sizeof *a);

    if (!a || !(a->http = evhttp_new(base))) {
        free(a);
        err_set(e, "admin: out of memory");
        return NULL;
    }
    a->sources = s;
    evhttp_set_allowed_methods(a->http, ALL_METHODS);
    evhttp_set_max_headers_size(a->http, MAX_HEADERS_BYTES);
    evhttp_set_max_body_size(a->http, MAX_BODY_BYTES);
    evhttp_set_timeout(a->http, TIMEOUT_S);
    evhttp_set_gencb(a->http, on_request, a);
    if (!evhttp_bind_socket_with_handle(a->http, host, port)) {
        err_set(e, "admin: cannot listen on %s port %u: %s", host, port, strerror(errno));
        admin_free(a);
        return NULL;
    }
    return a;
}

void admin_free(struct admin *a)
{
    if (!a)
        return;
    evhttp_free(a->http);
    free(a);
}
