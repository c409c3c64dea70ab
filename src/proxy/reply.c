/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/reply.h"
#include "http/status.h"
#include "proxy/access.h"
#include "proxy/cached.h"
#include "proxy/composed.h"
#include "proxy/cors.h"
#include "proxy/fallback.h"
#include "proxy/grpc_reply.h"
#include "proxy/interim.h"
#include "proxy/request_body.h"
#include "proxy/secure.h"

#include <stdio.h>

/* Service names come from the catalog: anything may be in them. */
static void write_json_text(struct writer *w, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        char esc[8];

        if (c == '"' || c == '\\' || c < 0x20 || c >= 0x7f)
            writer_bytes(w, esc, (size_t)snprintf(esc, sizeof esc, "\\u%04x", c));
        else
            writer_bytes(w, text, 1);
    }
}

static void write_problem(struct exchange *x, struct writer *w)
{
    const struct reason_info *info = reason_info(x->fail);

    writer_lit(w, "{\"type\":\"about:blank\",\"title\":\"");
    write_json_text(w, info->title);
    writer_lit(w, "\",\"status\":");
    writer_num(w, x->status);
    writer_lit(w, ",\"reason\":\"");
    write_json_text(w, info->word);
    if (x->detail) {
        writer_lit(w, "\",\"detail\":\"");
        write_json_text(w, x->detail);
    }
    if (x->service) {
        writer_lit(w, "\",\"service\":\"");
        write_json_text(w, x->service->state->name);
    }
    if (x->request_id[0]) {
        writer_lit(w, "\",\"request_id\":\"");
        write_json_text(w, x->request_id);
    }
    writer_lit(w, "\"}\n");
}

/* Whole seconds, rounded up; at least one. 0 = the answer carries none. */
static uint64_t retry_after_s(const struct exchange *x)
{
    switch (x->fail) {
    case REASON_BREAKER_OPEN:
        return 1 + x->ticket.retry_after_ns / NS_PER_S;
    case REASON_NO_HEALTHY_INSTANCE:
        return 5;
    case REASON_OVERLOADED:
    case REASON_SHED:
    case REASON_SHUTTING_DOWN:
    case REASON_AUTH_UNAVAILABLE:
        return 1;
    default:
        return 0;
    }
}

void reply_begin(struct exchange *x, struct writer *w)
{
    writer_lit(w, "HTTP/1.1 ");
    writer_num(w, x->status);
    writer_lit(w, " ");
    writer_str(w, str_of(http_status_phrase(x->status)));
    writer_lit(w, "\r\n");
}

void reply_end(struct exchange *x, struct writer *w, uint64_t body_bytes)
{
    /* RFC 9110 section 8.6; a 304 speaks of no body here. */
    if (x->status != 204 && x->status != 304) {
        writer_lit(w, "Content-Length: ");
        writer_num(w, body_bytes);
        writer_lit(w, "\r\n");
    }
    if (x->request_id[0])
        writer_field(w, STR("X-Request-Id"), str_of(x->request_id));
    access_write_response_fields(x, w);
    if (x->close_client)
        writer_lit(w, "Connection: close\r\n");
    else if (x->req.minor == 0)
        writer_lit(w, "Connection: keep-alive\r\n");
}

static void write_head(struct exchange *x, struct writer *w, uint64_t body_bytes)
{
    reply_begin(x, w);
    writer_field(w, STR("Date"), worker_date(x->w));
    reply_end(x, w, body_bytes);
}

void reply_failure(struct exchange *x)
{
    struct writer w = {x->out, false};
    const struct reason_info *info = reason_info(x->fail);
    struct buf *body = bufpool_get(&x->w->bufs);
    struct writer bw = {body, false};
    uint64_t after = retry_after_s(x);

    /* A status that the service answered, and for which nothing could stand in, stays. */
    if (info->status)
        x->status = (unsigned)info->status;
    if (body)
        write_problem(x, &bw);
    write_head(x, &w, body ? buf_len(body) : 0);
    writer_lit(&w, "Content-Type: application/problem+json\r\nCache-Control: no-store\r\n");
    writer_field(&w, STR("Frontdesk-Reason"), str_of(info->word));
    if (x->match.allow)
        writer_field(&w, STR("Allow"), str_of(x->match.allow));
    if (after > 0) {
        writer_lit(&w, "Retry-After: ");
        writer_num(&w, after);
        writer_lit(&w, "\r\n");
    }
    writer_lit(&w, "\r\n");
    if (body && x->req.method != METHOD_HEAD)
        writer_bytes(&w, body->data, buf_len(body));
    bufpool_put(&x->w->bufs, &body);
}

static void redirect_reply(struct exchange *x)
{
    struct writer w = {x->out, false};
    char location[8192];
    size_t n;
    bool secure = secure_redirects(x);

    if ((secure ? secure_location(x, location, sizeof location, &n)
                : route_redirect_location(x->match.route, &x->match, &x->req,
                                          x->conn->secure ? "https" : "http", location,
                                          sizeof location, &n)) < 0) {
        x->fail = secure && x->req.host.n == 0 ? REASON_BAD_REQUEST : REASON_URI_TOO_LONG;
        reply_failure(x);
        return;
    }
    x->status = secure ? 308 : x->match.route->conf->redirect_status;
    write_head(x, &w, 0);
    writer_field(&w, STR("Location"), (struct str){location, n});
    writer_lit(&w, "\r\n");
}

/* The body that is not in x->out. */
static struct str failure_reply(struct exchange *x)
{
    struct str body = STR_NULL;

    if (x->access && x->access->asked && access_forward_reply(x, &body))
        return body;
    if (fallback_has_answer(x))
        return fallback_reply(x);
    if (grpc_reply_fits(x))
        grpc_reply_failure(x);
    else
        reply_failure(x);
    return body;
}

void reply_prepare(struct exchange *x)
{
    bool redirect = x->fail == REASON_NONE;
    struct str body = STR_NULL;

    if (!x->out)
        x->out = bufpool_get(&x->w->bufs);
    if (!x->out)
        return;
    interim_drop(x);
    x->replied = true;
    /* Where connections are what is short, the refused client gives its own back. */
    if (!request_body_consumed(x) || (x->fail == REASON_SHED && x->w->overload.crowded))
        x->close_client = true;
    if (redirect && cached_has_answer(x))
        body = cached_reply(x);
    else if (redirect && composed_has_answer(x))
        body = composed_reply(x);
    else if (redirect && x->preflight && !secure_redirects(x))
        cors_preflight_reply(x);
    else if (redirect)
        redirect_reply(x);
    else
        body = failure_reply(x);
    pump_init(&x->download, FRAMING_NONE, 0, false, NULL);
    pump_push(&x->download, x->out->data + x->out->start, buf_len(x->out));
    pump_push(&x->download, body.p, body.n);
    x->resp_started = true;
}
