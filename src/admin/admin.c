/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/admin.h"
#include "admin/doubt_part.h"
#include "admin/events.h"
#include "admin/host_guard.h"
#include "admin/pages.h"
#include "admin/purge.h"
#include "admin/series.h"
#include "admin/tls.h"
#include "admin/token.h"
#include "admin/write.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/status.h"
#include "tls/server.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A body that is only a little too long gets a better answer than evhttp's. */
enum { MAX_HEADERS_BYTES = 16384, MAX_BODY_BYTES = 65536, TIMEOUT_S = 15, NAME_MAX_BYTES = 256 };

/* All of them, so that the answer to any is ours. */
enum {
    ALL_METHODS = EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT |
                  EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE | EVHTTP_REQ_CONNECT |
                  EVHTTP_REQ_PATCH
};

struct admin {
    struct evhttp *http;           /* owned */
    struct admin_sources *sources; /* borrowed */
    struct token *token;           /* owned; NULL = no writes by token */
    SSL_CTX *tls;                  /* ref; NULL = in the clear */
    uint64_t tls_look;             /* how its files looked when they were read */
    bool client_certs;             /* a verified one may write */
    struct events *events;         /* owned */
    struct series *series;         /* owned; lent to the sources */
    struct event *sampler;         /* owned: a step of the series */
};

/* Fields of every answer, also of the event stream. */
static void add_common_fields(struct evhttp_request *req)
{
    static const char *const always[][2] = {
        {"Cache-Control", "no-store"},
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
    };
    struct evkeyvalq *fields = evhttp_request_get_output_headers(req);

    for (size_t i = 0; i < ARRAY_LEN(always); i++)
        evhttp_add_header(fields, always[i][0], always[i][1]);
}

static void add_fields(struct evhttp_request *req, const struct page_answer *a)
{
    struct evkeyvalq *fields = evhttp_request_get_output_headers(req);
    char number[32];

    snprintf(number, sizeof number, "%zu", evbuffer_get_length(a->body));
    evhttp_add_header(fields, "Content-Length", number);
    evhttp_add_header(fields, "Content-Type", a->type);
    evhttp_add_header(fields, "Content-Security-Policy", a->policy);
    if (a->status == 401)
        evhttp_add_header(fields, "WWW-Authenticate", "Bearer realm=\"frontdesk\"");
    if (a->allow)
        evhttp_add_header(fields, "Allow", a->allow);
    snprintf(number, sizeof number, "%u", a->retry_after);
    if (a->retry_after)
        evhttp_add_header(fields, "Retry-After", number);
}

static const char *input_field(struct evhttp_request *req, const char *name)
{
    return evhttp_find_header(evhttp_request_get_input_headers(req), name);
}

/* Over TLS a browser has compared the name with the certificate already: no rebinding gets here. */
static bool host_allowed(const struct admin *admin, struct evhttp_request *req)
{
    const char *field = input_field(req, "Host");
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
    const char *absolute = uri ? evhttp_uri_get_host(uri) : NULL;

    /* An absolute target's IPv6 address has lost its brackets here, and is refused: no client of
     * this endpoint sends one. */
    return admin->tls || (host_guard_allows(field) && host_guard_allows(absolute));
}

static bool may_write(const struct admin *admin)
{
    return admin->token || admin->client_certs;
}

static const char *peer_of(struct evhttp_request *req)
{
    char *peer = NULL;
    ev_uint16_t port;

    evhttp_connection_get_peer(evhttp_request_get_connection(req), &peer, &port);
    return peer ? peer : "?";
}

/* True when this request may write; else *a is the refusal. */
static bool authorized(struct admin *admin, struct evhttp_request *req, bool cert,
                       struct page_answer *a)
{
    uint64_t now = clock_now_ns();

    if (!may_write(admin)) {
        pages_refuse(a, 403, "writes_off",
                     "writes are off: the configuration has no admin.token_file and no "
                     "admin.tls.client_ca");
        return false;
    }
    if (cert)
        return true;
    switch (admin->token ? token_judge(admin->token, input_field(req, "Authorization"), now)
                         : TOKEN_ABSENT) {
    case TOKEN_GOOD:
        return true;
    case TOKEN_ABSENT:
        pages_refuse(a, 401, "unauthenticated",
                     admin->token ? "expected Authorization: Bearer TOKEN"
                                  : "expected a client certificate");
        return false;
    case TOKEN_WRONG:
        log_warn("admin", "a write with a wrong token from %s was refused", peer_of(req));
        pages_refuse(a, 401, "unauthenticated", "the token is wrong");
        return false;
    case TOKEN_TOO_MANY:
        pages_refuse(a, 429, "too_many_failures", "too many wrong tokens: wait");
        a->retry_after = token_wait_s(admin->token, now);
        return false;
    }
    return false;
}

static struct str body_of(struct evhttp_request *req)
{
    struct evbuffer *body = evhttp_request_get_input_buffer(req);
    size_t n = evbuffer_get_length(body);

    return (struct str){n ? (const char *)evbuffer_pullup(body, -1) : "", n};
}

static void write_page(struct admin *admin, struct evhttp_request *req, const char *path,
                       struct page_answer *a)
{
    struct evhttp_connection *conn = evhttp_request_get_connection(req);
    char name[NAME_MAX_BYTES];
    bool cert = tls_peer_name(evhttp_connection_get_bufferevent(conn), name, sizeof name);
    struct look look = look_now(admin->sources);
    struct write_request q;

    if (!write_origin_allowed(input_field(req, "Origin"), input_field(req, "Host"),
                              admin->tls != NULL)) {
        pages_refuse(a, 403, "cross_origin", "a page of another origin may not write here");
        return;
    }
    if (!authorized(admin, req, cert && admin->client_certs, a))
        return;
    q = (struct write_request){
        .rest = path + strlen(PAGES_BREAKER),
        .content_type = input_field(req, "Content-Type"),
        .body = body_of(req),
        .peer = peer_of(req),
        .cert_name = name,
    };
    if (strcmp(path, PAGES_PURGE) == 0)
        purge_answer(&look, &q, a);
    else if (strcmp(path, PAGES_ACCEPT) == 0)
        accept_answer(&look, &q, a);
    else
        write_answer(&look, &q, a);
}

/* False when the event stream has taken the request over. */
static bool read_page(struct admin *admin, struct evhttp_request *req, const char *path,
                      struct page_answer *a)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
    const char *query = uri ? evhttp_uri_get_query(uri) : NULL;
    bool answered = true;
    struct evkeyvalq pairs;
    struct look look;

    if (evhttp_parse_query_str(query ? query : "", &pairs) < 0) {
        pages_refuse(a, 400, "bad_request", "malformed query");
        return true;
    }
    if (strcmp(path, "/v1/events") == 0 && evhttp_request_get_command(req) == EVHTTP_REQ_GET) {
        answered = !events_open(admin->events, req, evhttp_find_header(&pairs, "service"),
                                input_field(req, "Last-Event-ID"), may_write(admin), a);
    } else {
        look = look_now(admin->sources);
        pages_answer(&look, &(struct page_request){path, &pairs}, a);
    }
    evhttp_clear_headers(&pairs);
    return answered;
}

static bool answer(struct admin *admin, struct evhttp_request *req, struct page_answer *a)
{
    enum evhttp_cmd_type method = evhttp_request_get_command(req);
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
    const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
    bool writable;

    path = path && path[0] ? path : "/";
    writable = strncmp(path, PAGES_BREAKER, strlen(PAGES_BREAKER)) == 0 ||
               strcmp(path, PAGES_PURGE) == 0 || strcmp(path, PAGES_ACCEPT) == 0;
    if (!host_allowed(admin, req)) {
        pages_refuse(a, 403, "host", "Host: expected an IP address or localhost");
    } else if (method == EVHTTP_REQ_GET || method == EVHTTP_REQ_HEAD) {
        return read_page(admin, req, path, a);
    } else if (method == EVHTTP_REQ_PUT && writable) {
        write_page(admin, req, path, a);
    } else {
        pages_refuse(a, 405, "method_not_allowed",
                     writable ? "expected GET, HEAD or PUT" : "expected GET or HEAD");
        a->allow = writable ? "GET, HEAD, PUT" : "GET, HEAD";
    }
    return true;
}

static void on_request(struct evhttp_request *req, void *arg)
{
    struct page_answer a = {.body = evbuffer_new()};

    if (!a.body) {
        evhttp_send_error(req, 500, NULL);
        return;
    }
    add_common_fields(req);
    if (answer(arg, req, &a)) {
        add_fields(req, &a);
        if (evhttp_request_get_command(req) == EVHTTP_REQ_HEAD)
            evbuffer_drain(a.body, evbuffer_get_length(a.body));
        evhttp_send_reply(req, a.status, http_status_phrase((unsigned)a.status), a.body);
    }
    evbuffer_free(a.body);
}

static uint64_t look_at_files(const struct admin_conf *c)
{
    struct tls_certificate_conf files = {
        .cert = c->tls_cert, .key = c->tls_key, .client = {.ca = c->tls_client_ca}};

    return tls_files_look(&(struct tls_conf){.certificates = &files, .ncertificates = 1});
}

/* Connections are few, so each looks whether the files have changed. Those that cannot be used are
 * tried again when they change once more. */
static void refresh_tls(struct admin *a)
{
    const struct admin_conf *c = &a->sources->config(a->sources->arg)->admin;
    uint64_t look = look_at_files(c);
    SSL_CTX *fresh;
    struct err e;

    if (!c->tls_cert || look == a->tls_look)
        return;
    a->tls_look = look;
    fresh = tls_context(c, &e);
    if (!fresh) {
        log_error("admin", "%s; the files from before stay in use", e.text);
        return;
    }
    SSL_CTX_free(a->tls);
    a->tls = fresh;
    log_info("admin", "the files of admin.tls have changed and are in force");
}

static struct bufferevent *on_accept(struct event_base *base, void *arg)
{
    struct admin *a = arg;

    if (a->tls)
        refresh_tls(a);
    return a->tls ? tls_accept(base, a->tls) : NULL;
}

static void on_sample(evutil_socket_t fd, short events, void *arg)
{
    struct admin *a = arg;

    (void)fd;
    (void)events;
    /* A second endpoint that came to nothing has taken its own away. */
    a->sources->series = a->series;
    series_sample(a->series, a->sources->snapshot(a->sources->arg));
}

int admin_check(const struct admin_conf *c, struct err *e)
{
    SSL_CTX *tls;

    if (!c->address)
        return 0;
    if (c->token_file && token_check(c->token_file, e) < 0)
        return -1;
    if (!c->tls_cert)
        return 0;
    tls = tls_context(c, e);
    SSL_CTX_free(tls);
    return tls ? 0 : -1;
}

int admin_configure(struct admin *a, const struct admin_conf *c, struct err *e)
{
    SSL_CTX *tls = NULL;
    uint64_t look = look_at_files(c); /* before they are read: what changes in between counts */

    if (c->token_file && token_check(c->token_file, e) < 0)
        return -1;
    if (c->tls_cert && !(tls = tls_context(c, e)))
        return -1;
    SSL_CTX_free(a->tls); /* connections hold references */
    a->tls = tls;
    a->tls_look = look;
    a->client_certs = c->tls_client_ca != NULL;
    token_free(a->token);
    a->token = c->token_file ? token_new(c->token_file) : NULL;
    return 0;
}

static struct admin *make(struct event_base *base, struct admin_sources *s)
{
    struct timeval step = {SERIES_STEP_S, 0};
    struct admin *a = alloc_or_abort(sizeof *a);

    a->sources = s;
    a->http = evhttp_new(base);
    a->sampler = event_new(base, -1, EV_PERSIST, on_sample, a);
    if (!a->http || !a->sampler)
        abort();
    a->series = s->series = series_new();
    a->events = events_new(base, s);
    event_add(a->sampler, &step);
    evhttp_set_allowed_methods(a->http, ALL_METHODS);
    evhttp_set_max_headers_size(a->http, MAX_HEADERS_BYTES);
    evhttp_set_max_body_size(a->http, MAX_BODY_BYTES);
    evhttp_set_timeout(a->http, TIMEOUT_S);
    evhttp_set_bevcb(a->http, on_accept, a);
    evhttp_set_gencb(a->http, on_request, a);
    return a;
}

struct admin *admin_new(struct event_base *base, const struct admin_conf *c,
                        struct admin_sources *s, struct err *e)
{
    struct admin *a = make(base, s);

    if (admin_configure(a, c, e) < 0) {
        admin_free(a);
        return NULL;
    }
    if (!evhttp_bind_socket_with_handle(a->http, c->host, c->port)) {
        err_set(e, "admin: cannot listen on %s: %s", c->address, strerror(errno));
        admin_free(a);
        return NULL;
    }
    return a;
}

void admin_wake(struct admin *a)
{
    if (a)
        events_wake(a->events);
}

void admin_free(struct admin *a)
{
    if (!a)
        return;
    evhttp_free(a->http);
    events_free(a->events);
    event_free(a->sampler);
    if (a->sources->series == a->series)
        a->sources->series = NULL;
    series_free(a->series);
    token_free(a->token);
    SSL_CTX_free(a->tls);
    free(a);
}
