/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/subrequest.h"
#include "http/h1_parse.h"
#include "proxy/access.h"
#include "proxy/attempt.h"
#include "proxy/fallback.h"
#include "proxy/finish.h"
#include "proxy/forwarded.h"
#include "proxy/head.h"
#include "proxy/request_body.h"
#include "proxy/traffic.h"

#include <stdio.h>
#include <stdlib.h>

struct subrequest {
    struct exchange *parent;            /* NULL = detached */
    struct listener_settings *listener; /* ref, of one that is detached */
    char request_id[REQUEST_ID_MAX + 1];
    struct in6_addr client;
    struct conn *conn; /* of its exchange; NULL when that is over */
    struct bytes text; /* of the request, as it is read */
    struct bytes answer;
    size_t max_answer;
    uint32_t slot;
    bool fallbacks, refresh, as_client, knows_who;
    enum method method;
    struct bytes granted;
    bool too_large;
    bool finished; /* the answer was written to its end */
    bool ending;
    enum reason fail;
    struct route route;
    struct route_conf conf;
    struct response head;
    subrequest_done_fn *done;
    void *arg;
};

static enum io memory_read(struct sock *s, void *p, size_t cap, size_t *ret_n)
{
    struct subrequest *r = s->impl;

    *ret_n = bytes_take(&r->text, p, cap);
    return *ret_n > 0 ? IO_OK : IO_EOF;
}

static enum io memory_write(struct sock *s, const struct iovec *iov, int n, size_t *ret_n)
{
    struct subrequest *r = s->impl;
    size_t taken = 0;

    for (int i = 0; i < n; i++) {
        if (r->refresh) {
            taken += iov[i].iov_len;
            continue;
        }
        r->too_large |= bytes_len(&r->answer) + iov[i].iov_len > r->max_answer;
        if (r->too_large || !bytes_add(&r->answer, iov[i].iov_base, iov[i].iov_len))
            return IO_ERROR;
        taken += iov[i].iov_len;
    }
    *ret_n = taken;
    return IO_OK;
}

/* Nobody can leave here: whoever does not want it any more ends it. */
static enum io memory_peek(struct sock *s)
{
    s->readable = false;
    return IO_AGAIN;
}

static void memory_finish(struct sock *s)
{
    struct subrequest *r = s->impl;

    r->finished = true;
}

/* Interim answers come before the one that counts. */
static bool read_answer(struct subrequest *r, struct subrequest_answer *ret)
{
    static const struct h1_limits limits = {16 * 1024, BUF_BYTES, HTTP_MAX_HEADERS};

    for (;;) {
        size_t scanned = 0, n;
        enum reason why;

        if (bytes_len(&r->answer) == 0 ||
            h1_parse_response(r->answer.p + r->answer.start, bytes_len(&r->answer), &limits,
                              &scanned, r->method, &r->head, &n, &why) != H1_DONE)
            return false;
        r->answer.start += n;
        if (r->head.status >= 200)
            break;
    }
    ret->head = &r->head;
    ret->body = bytes_str(&r->answer);
    return true;
}

static void memory_close(struct sock *s)
{
    struct subrequest *r = s->impl;
    struct subrequest_answer a = {.fail = r->fail};

    s->impl = NULL;
    r->conn = NULL;
    if (r->ending)
        return;
    if (r->too_large)
        a.fail = REASON_UPSTREAM_INVALID;
    else if (r->as_client && r->finished && read_answer(r, &a))
        a.fail = REASON_NONE; /* the gateway's own answers, too */
    else if (!r->refresh && a.fail == REASON_NONE && (!r->finished || !read_answer(r, &a)))
        a.fail = REASON_UPSTREAM_CUT;
    r->done(r->arg, &a);
}

static const struct sock_ops memory_ops = {
    .read = memory_read,
    .write = memory_write,
    .peek = memory_peek,
    .finish = memory_finish,
    .close = memory_close,
    .abort = memory_close,
};

bool subrequest_inherits(const struct header *h)
{
    return forwarded_is_provenance(h->id) || str_ieq(h->name, STR("traceparent")) ||
           str_ieq(h->name, STR("tracestate"));
}

/* Of the parent: where it came from, and what its trace is. */
static bool write_inherited(struct bytes *to, const struct request *r)
{
    for (unsigned i = 0; i < r->nheaders; i++) {
        const struct header *h = &r->headers[i];

        if (subrequest_inherits(h) && (!h->hop || forwarded_is_provenance(h->id)) &&
            !(bytes_add_str(to, h->name) && bytes_add_str(to, STR(": ")) &&
              bytes_add_str(to, h->value) && bytes_add_str(to, STR("\r\n"))))
            return false;
    }
    return true;
}

/* Methods that usually have a body say so when they have none (RFC 9110 section 8.6). */
static bool says_length(const struct subrequest_options *o)
{
    return o->body.n > 0 || str_eq(o->method, STR("POST")) || str_eq(o->method, STR("PUT")) ||
           str_eq(o->method, STR("PATCH"));
}

/* Only the older version can go without a host. */
static bool write_version(struct bytes *to, struct str host)
{
    if (host.n == 0)
        return bytes_add_str(to, STR(" HTTP/1.0\r\n"));
    return bytes_add_str(to, STR(" HTTP/1.1\r\nHost: ")) && bytes_add_str(to, host) &&
           bytes_add_str(to, STR("\r\n"));
}

static bool write_text(struct bytes *to, const struct request *parent,
                       const struct subrequest_options *o)
{
    char length[64];

    snprintf(length, sizeof length, "Content-Length: %zu\r\n", o->body.n);
    return bytes_add_str(to, o->method) && bytes_add_str(to, STR(" ")) &&
           bytes_add_str(to, o->path) && write_version(to, o->host) &&
           (o->detached || write_inherited(to, parent)) && bytes_add_str(to, o->fields) &&
           (!says_length(o) || bytes_add_str(to, str_of(length))) &&
           bytes_add_str(to, STR("\r\n")) && bytes_add_str(to, o->body);
}

static void set_route(struct subrequest *r, const struct exchange *parent,
                      const struct subrequest_options *o)
{
    if (o->route)
        r->conf = *o->route;
    else
        r->conf.name = "(gateway)";
    r->conf.host = r->conf.source = "";
    r->conf.path = "/";
    r->conf.max_body = INT64_MAX;
    r->conf.timeout_ms = o->timeout_ms;
    r->conf.importance = parent->match.route->conf->importance;
    r->route.conf = &r->conf;
    r->route.slots[0] = o->slot;
}

/* What is borrowed from the client's connection goes with that. */
static void detach(struct subrequest *r)
{
    r->listener = listener_settings_ref(r->conn->listener);
    r->conn->ssl = NULL;
    r->conn->tls_peer = NULL;
}

struct subrequest *subrequest_start(struct exchange *parent, const struct subrequest_options *o,
                                    subrequest_done_fn *done, void *arg)
{
    struct subrequest *r = calloc(1, sizeof *r);

    if (!r)
        return NULL;
    r->parent = o->detached ? NULL : parent;
    r->refresh = o->refresh;
    memcpy(r->request_id, parent->request_id, sizeof r->request_id);
    r->client = parent->client;
    r->slot = o->slot;
    r->max_answer = o->max_answer;
    r->fallbacks = o->fallbacks;
    r->as_client = o->as_client;
    r->knows_who = parent->access && parent->access->identity;
    r->method = str_eq(o->method, STR("HEAD")) ? METHOD_HEAD : METHOD_GET;
    r->done = done;
    r->arg = arg;
    set_route(r, parent, o);
    if (!write_text(&r->text, &parent->req, o) || !bytes_add_str(&r->granted, o->granted) ||
        !(r->conn = conn_new_stream(parent->conn))) {
        bytes_free(&r->text);
        bytes_free(&r->granted);
        free(r);
        return NULL;
    }
    if (o->detached)
        detach(r);
    r->conn->inner = r;
    r->conn->sock.ops = &memory_ops;
    r->conn->sock.impl = r;
    r->conn->sock.readable = r->conn->sock.writable = true;
    if (!o->held)
        subrequest_go(r);
    return r;
}

void subrequest_go(struct subrequest *r)
{
    event_active(&r->conn->sock.ev, EV_READ, 0);
}

void subrequest_end(struct subrequest **rp)
{
    struct subrequest *r = *rp;

    *rp = NULL;
    if (!r)
        return;
    r->ending = true;
    if (r->conn)
        conn_close(r->conn);
    if (r->listener)
        listener_settings_unref(&r->listener);
    bytes_free(&r->text);
    bytes_free(&r->granted);
    bytes_free(&r->answer);
    free(r);
}

struct held_snapshot *subrequest_hold(struct subrequest *r)
{
    if (!r->parent)
        return worker_hold(r->conn->w);
    r->parent->held->users++;
    return r->parent->held;
}

void subrequest_adopt(struct exchange *x)
{
    const struct subrequest *r = x->conn->inner;

    memcpy(x->request_id, r->request_id, sizeof x->request_id);
    x->client = r->client;
}

struct refresh *subrequest_refresh(const struct subrequest *r)
{
    return r->refresh ? r->arg : NULL;
}

const struct identity *subrequest_identity(const struct subrequest *r)
{
    return r->parent && !r->as_client && r->parent->access ? r->parent->access->identity : NULL;
}

bool subrequest_knows_who(const struct subrequest *r)
{
    return r->knows_who;
}

bool subrequest_as_client(const struct subrequest *r)
{
    return r->as_client;
}

/* As a client's request, but for whom it would have to let in. */
static enum verdict find_route(struct exchange *x)
{
    const struct snapshot *s = x->held->snapshot;

    x->req.secure = x->conn->secure;
    route_find(s->routes, &x->req, &x->match);
    if (!x->match.route || x->match.route->conf->redirect_status)
        return exchange_refuse(x, REASON_NO_ROUTE);
    x->service = s->services[attempt_choose_target(x)];
    x->fail = traffic_lead(x);
    return x->fail == REASON_NONE ? V_NEXT : V_FINISH;
}

enum verdict subrequest_route(struct exchange *x)
{
    const struct subrequest *r = x->conn->inner;
    const struct snapshot *s = x->held->snapshot;

    /* A policy may ask for the parameters of the path that the client's request has. */
    if (r->parent)
        x->match = r->parent->match;
    x->match.route = &r->route;
    x->max_body = UINT64_MAX;
    x->close_client = true;
    x->fail = request_body_prepare(x);
    if (x->fail != REASON_NONE)
        return V_FINISH;
    if (r->refresh)
        return find_route(x);
    x->service = s->services[r->slot];
    x->fail = traffic_lead(x);
    if (x->fail != REASON_NONE)
        return V_FINISH;
    if (r->fallbacks)
        x->fallbacks = x->service->conf->fallback;
    return V_NEXT;
}

enum verdict subrequest_access(struct exchange *x)
{
    if (subrequest_as_client(x->conn->inner))
        return access_run(x);
    return x->match.route->conf->auth ? access_identity_check(x) : V_NEXT;
}

void subrequest_write_granted(const struct exchange *x, struct writer *w)
{
    writer_str(w, bytes_str(&x->conn->inner->granted));
}

void subrequest_report(struct exchange *x)
{
    struct subrequest *r = x->conn->inner;

    /* What stands in is an answer. */
    r->fail = x->fallback && x->fallback->item ? REASON_NONE : x->fail;
}
