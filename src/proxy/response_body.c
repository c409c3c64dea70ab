/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/response_body.h"
#include "proxy/capture.h"
#include "proxy/compress.h"
#include "proxy/head.h"
#include "proxy/request_body.h"

/* The end of a stream is that of the body (RFC 9113 section 8.1), and trailers may come before it.
 * A length that it gives was checked on the way. */
static enum framing source_framing(const struct exchange *x)
{
    const struct attempt *a = x->attempt;

    return a->up->is_stream && a->resp.framing != FRAMING_NONE ? FRAMING_CLOSE : a->resp.framing;
}

static void pass_trailers(struct exchange *x)
{
    struct str text = sock_trailers(&x->attempt->up->sock);

    if (x->grpc.is)
        grpc_look_at_trailers(x, text);
    sock_send_trailers(&x->conn->sock, text);
}

enum verdict response_body_start(struct exchange *x)
{
    struct attempt *a = x->attempt;
    struct response *r = &a->resp;
    bool unknown_length = r->framing == FRAMING_CHUNKED || r->framing == FRAMING_CLOSE;

    if (!x->out)
        x->out = bufpool_get(&x->w->bufs);
    if (!x->out)
        return exchange_refuse(x, REASON_INTERNAL);
    x->tunnel = r->status == 101;
    if (!a->upload_done || (unknown_length && x->req.minor == 0) || x->w->draining)
        x->close_client = true;
    a->up->in->start += a->resp_head_bytes;
    pump_init(&x->download, x->tunnel ? FRAMING_CLOSE : source_framing(x), r->content_length,
              unknown_length && !x->tunnel && !x->conn->is_stream && x->req.minor == 1, a->up->in);
    x->download.pipes = &x->w->pipes;
    if (x->match.route->conf->cache || (x->fallbacks && x->fallbacks->caches))
        capture_begin(x);
    if (!x->tunnel)
        compress_begin(x);
    if (head_write_response(x) < 0)
        return exchange_refuse(x, REASON_UPSTREAM_INVALID);
    pump_push(&x->download, x->out->data + x->out->start, buf_len(x->out));
    if (x->tunnel) {
        if (!x->body_buf && !(x->body_buf = request_body_copy_leftover(x)))
            return exchange_refuse(x, REASON_INTERNAL);
        pump_init(&a->upload, FRAMING_CLOSE, 0, false, x->body_buf);
        a->upload_done = false;
    }
    x->resp_started = true;
    x->status = r->status;
    return V_NEXT;
}

static enum verdict run_download(struct exchange *x)
{
    switch (pump_run(&x->download, &x->attempt->up->sock, &x->conn->sock)) {
    case PUMP_DONE:
        pass_trailers(x);
        if (x->conn->is_stream)
            sock_finish(&x->conn->sock);
        return V_NEXT;
    case PUMP_WAIT_SOURCE:
        exchange_wait(x, x->service->conf->idle_timeout_ms, REASON_UPSTREAM_CUT);
        return V_WAIT;
    case PUMP_WAIT_SINK:
        exchange_wait(x, exchange_config(x)->limits.write_timeout_ms, REASON_CLIENT_STALLED);
        return V_WAIT;
    case PUMP_YIELD:
        event_active(&x->conn->sock.ev, EV_TIMEOUT, 0);
        return V_WAIT;
    case PUMP_SINK_ERROR:
        return exchange_refuse(x, REASON_CLIENT_GONE);
    case PUMP_SOURCE_EOF:
    case PUMP_SOURCE_ERROR:
    case PUMP_SOURCE_BAD:
    case PUMP_TOO_LARGE:
        break;
    }
    return exchange_refuse(x, REASON_UPSTREAM_CUT);
}

/* Either side may end a tunnel; what was read is passed on first. */
static enum verdict run_tunnel(struct exchange *x)
{
    enum verdict down = run_download(x);
    enum pump_state up;

    if (down != V_WAIT)
        return x->fail == REASON_UPSTREAM_CUT ? (x->fail = REASON_NONE, V_FINISH) : V_FINISH;
    up = pump_run(&x->attempt->upload, &x->conn->sock, &x->attempt->up->sock);
    if (up == PUMP_YIELD)
        event_active(&x->conn->sock.ev, EV_TIMEOUT, 0);
    else if (up != PUMP_WAIT_SOURCE && up != PUMP_WAIT_SINK)
        return V_FINISH;
    x->step_deadline_ns = 0;
    return V_WAIT;
}

enum verdict response_body_run(struct exchange *x)
{
    return x->tunnel ? run_tunnel(x) : run_download(x);
}
