/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/head.h"
#include "proxy/access.h"
#include "proxy/access_key.h"
#include "proxy/cached.h"
#include "proxy/client_cert.h"
#include "proxy/compress.h"
#include "proxy/fallback.h"
#include "proxy/forwarded.h"
#include "proxy/subrequest.h"
#include "proxy/traffic_fields.h"
#include "snapshot/traffic_rules.h"

#include <stdio.h>
#include <strings.h>

void writer_bytes(struct writer *w, const char *p, size_t n)
{
    if (n > buf_space(w->b)) {
        w->overflow = true;
        return;
    }
    if (n > 0)
        memcpy(w->b->data + w->b->end, p, n);
    w->b->end += n;
}

void writer_str(struct writer *w, struct str s)
{
    writer_bytes(w, s.p, s.n);
}

void writer_num(struct writer *w, uint64_t v)
{
    char text[20];
    size_t at = sizeof text;

    do
        text[--at] = (char)('0' + v % 10);
    while (v /= 10);
    writer_bytes(w, text + at, sizeof text - at);
}

void writer_field(struct writer *w, struct str name, struct str value)
{
    writer_str(w, name);
    writer_lit(w, ": ");
    writer_str(w, value);
    writer_lit(w, "\r\n");
}

static bool is_changed(const struct header_change *changes, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (changes[i].op != HEADER_ADD && str_ieq(str_of(changes[i].name), name))
            return true;
    return false;
}

static void write_changes(struct writer *w, const struct header_change *changes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (changes[i].op != HEADER_REMOVE)
            writer_field(w, str_of(changes[i].name), str_of(changes[i].value));
}

static void write_client_fields(struct exchange *x, struct writer *w, bool trusted)
{
    const struct route_conf *route = x->match.route->conf;

    for (unsigned i = 0; i < x->req.nheaders; i++) {
        const struct header *h = &x->req.headers[i];

        if (h->id == HEADER_HOST || h->id == HEADER_CONTENT_LENGTH || h->id == HEADER_EXPECT ||
            h->id == HEADER_X_REQUEST_ID || h->id == HEADER_VIA)
            continue;
        if (forwarded_is_provenance(h->id)
                ? !trusted || h->id == HEADER_X_FORWARDED_FOR || h->id == HEADER_FORWARDED
                : h->hop)
            continue;
        if (route->nrequest_headers > 0 &&
            is_changed(route->request_headers, route->nrequest_headers, h->name))
            continue;
        if (access_removes_request_field(x, h->name))
            continue;
        if (traffic_changes_fields(x) && traffic_drops_request_field(x, h->name))
            continue;
        if (x->cached && cached_replaces_request_field(x, h->name))
            continue;
        writer_field(w, h->name, h->value);
    }
    if (x->cached)
        cached_write_request_fields(x, w);
    write_changes(w, route->request_headers, route->nrequest_headers);
    traffic_write_request_fields(x, w);
    client_cert_write(x, w);
    if (x->access)
        access_write_request_fields(x, w);
    if (x->conn->inner)
        subrequest_write_granted(x, w);
}

static void write_host(struct exchange *x, struct writer *w)
{
    const struct route_conf *route = x->match.route->conf;
    const struct instance *in = &x->service->set->items[x->attempt->index];
    bool v6 = strchr(in->address, ':') != NULL;

    writer_lit(w, "Host: ");
    if (route->set_host && strcmp(route->set_host, "dst") != 0) {
        writer_str(w, str_of(route->set_host));
    } else if (!route->set_host && x->service->conf->preserve_host && x->req.host.n > 0) {
        writer_str(w, x->req.host);
    } else {
        if (v6)
            writer_lit(w, "[");
        writer_str(w, str_of(in->address));
        if (v6)
            writer_lit(w, "]");
        writer_lit(w, ":");
        writer_num(w, in->port);
    }
    writer_lit(w, "\r\n");
}

static int write_target(struct exchange *x, struct writer *w)
{
    char made[16 * 1024], ruled[16 * 1024];
    const struct route_conf *route = x->match.route->conf;
    struct str path = x->req.path;

    if (route->strip || route->prepend || route->rewrite) {
        if (route_target_path(x->match.route, &x->match, path, made, sizeof made, &path.n) < 0)
            return -1;
        path.p = made;
    }
    if (x->rule && x->rule->to.prefix_rewrite) {
        size_t n;

        if (traffic_route_path(x->rule, path, ruled, sizeof ruled, &n) < 0)
            return -1;
        path = (struct str){ruled, n};
    }
    writer_str(w, path);
    if (x->req.has_query)
        access_key_write_query(x, w);
    return 0;
}

static void write_request_framing(struct exchange *x, struct writer *w)
{
    if (x->body_buffered && x->req.framing != FRAMING_NONE) {
        writer_lit(w, "Content-Length: ");
        writer_num(w, x->body.n);
        writer_lit(w, "\r\n");
    } else if (x->req.framing == FRAMING_LENGTH) {
        writer_lit(w, "Content-Length: ");
        writer_num(w, x->req.content_length);
        writer_lit(w, "\r\n");
    } else if (x->req.framing == FRAMING_CHUNKED) {
        writer_lit(w, "Transfer-Encoding: chunked\r\n");
    }
    if (x->req.te_trailers && x->attempt->up && x->attempt->up->is_stream)
        writer_lit(w, "TE: trailers\r\n");
    if (x->req.upgrade_websocket)
        writer_lit(w, "Connection: upgrade\r\nUpgrade: websocket\r\n");
}

int head_write_request(struct exchange *x)
{
    struct attempt *a = x->attempt;
    struct writer w = {a->up_head, false};
    bool trusted = forwarded_peer_is_trusted(x);

    a->up_head->start = a->up_head->end = 0;
    writer_str(&w, x->req.method_name);
    writer_lit(&w, " ");
    if (write_target(x, &w) < 0)
        return -1;
    writer_lit(&w, " HTTP/1.1\r\n");
    write_host(x, &w);
    write_client_fields(x, &w, trusted);
    forwarded_write(x, &w, trusted);
    write_request_framing(x, &w);
    writer_lit(&w, "\r\n");
    return w.overflow ? -1 : 0;
}

/* A head that does not fit leaves nothing behind. */
static int written(struct writer *w, size_t begin)
{
    if (!w->overflow)
        return 0;
    w->b->end = begin;
    return -1;
}

static void write_status_line(struct writer *w, const struct response *r)
{
    writer_lit(w, "HTTP/1.1 ");
    writer_num(w, r->status);
    writer_lit(w, " ");
    writer_str(w, r->reason_phrase);
    writer_lit(w, "\r\n");
}

bool head_is_changed(const struct exchange *x, struct str name)
{
    const struct route_conf *route = x->match.route->conf;

    return is_changed(route->response_headers, route->nresponse_headers, name) ||
           traffic_drops_response_field(x, name);
}

void head_write_changes(const struct exchange *x, struct writer *w)
{
    const struct route_conf *route = x->match.route->conf;

    write_changes(w, route->response_headers, route->nresponse_headers);
    traffic_write_response_fields(x, w);
}

static bool write_response_fields(struct exchange *x, struct writer *w)
{
    const struct route_conf *route = x->match.route->conf;
    bool has_date = false;

    for (unsigned i = 0; i < x->attempt->resp.nheaders; i++) {
        const struct header *h = &x->attempt->resp.headers[i];

        if (h->hop || h->id == HEADER_CONTENT_LENGTH)
            continue;
        if ((route->nresponse_headers > 0 || traffic_changes_fields(x)) &&
            head_is_changed(x, h->name))
            continue;
        if (access_replaces_response_field(x, h->name) ||
            (x->compress && compress_replaces_field(x, h->name)))
            continue;
        has_date |= h->id == HEADER_DATE;
        writer_field(w, h->name, h->value);
    }
    head_write_changes(x, w);
    return has_date;
}

static void write_response_framing(struct exchange *x, struct writer *w)
{
    struct attempt *a = x->attempt;

    if (x->download.chunk_out) {
        writer_lit(w, "Transfer-Encoding: chunked\r\n");
    } else if (a->resp.has_content_length && !compress_codes(x) &&
               (a->resp.framing == FRAMING_LENGTH || a->resp.framing == FRAMING_NONE)) {
        writer_lit(w, "Content-Length: ");
        writer_num(w, a->resp.content_length);
        writer_lit(w, "\r\n");
    }
    if (x->tunnel)
        writer_lit(w, "Connection: upgrade\r\nUpgrade: websocket\r\n");
    else if (x->close_client)
        writer_lit(w, "Connection: close\r\n");
    else if (x->req.minor == 0)
        writer_lit(w, "Connection: keep-alive\r\n");
}

int head_write_response(struct exchange *x)
{
    struct writer w = {x->out, false};
    size_t begin = x->out->end;
    const struct config *c = exchange_config(x);

    write_status_line(&w, &x->attempt->resp);
    if (!write_response_fields(x, &w))
        writer_field(&w, STR("Date"), worker_date(x->w));
    if (c->via[0]) {
        writer_lit(&w, "Via: 1.1 ");
        writer_str(&w, str_of(c->via));
        writer_lit(&w, "\r\n");
    }
    if (x->fallback)
        fallback_write_fields(x, &w);
    if (x->compress)
        compress_write_fields(x, x->attempt->resp.headers, x->attempt->resp.nheaders, &w);
    if (x->cached)
        cached_write_response_fields(x, &w);
    access_write_response_fields(x, &w);
    write_response_framing(x, &w);
    writer_lit(&w, "\r\n");
    return written(&w, begin);
}

int head_write_interim(struct exchange *x)
{
    struct attempt *a = x->attempt;
    struct writer w = {x->out, false};
    size_t begin = x->out->end;

    write_status_line(&w, &a->resp);
    for (unsigned i = 0; i < a->resp.nheaders; i++)
        if (!a->resp.headers[i].hop)
            writer_field(&w, a->resp.headers[i].name, a->resp.headers[i].value);
    writer_lit(&w, "\r\n");
    return written(&w, begin);
}
