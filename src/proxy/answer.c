/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/answer.h"
#include "http/h1_parse.h"
#include "proxy/attempt.h"
#include "proxy/cached.h"
#include "proxy/fallback.h"
#include "proxy/h2_request.h"
#include "proxy/hedge.h"
#include "proxy/interim.h"

/* Interim (1xx) answers passed on before the final one; more is an attack or a fault. */
enum { MAX_INTERIM = 16 };

/* 100 is answered by the gateway itself; the others go to clients that know of them. */
static enum verdict pass_interim(struct exchange *x)
{
    struct attempt *a = x->attempt;
    enum reason why = ++a->interim > MAX_INTERIM ? REASON_UPSTREAM_INVALID : REASON_NONE;

    if (why == REASON_NONE && a->resp.status != 100 && x->req.minor > 0 && !hedge_running(x))
        why = interim_send(x);
    if (why != REASON_NONE)
        return reason_blames_service(why) ? exchange_attempt_failed(x, why)
                                          : exchange_refuse(x, why);
    a->up->in->start += a->resp_head_bytes;
    a->resp_scanned = 0;
    return V_NEXT;
}

/* A stream that ended with its head has no body, whatever HTTP/1.1 would make of the head. */
static void fit_framing(struct exchange *x)
{
    struct attempt *a = x->attempt;
    struct response *r = &a->resp;

    if (r->framing != FRAMING_CLOSE || buf_len(a->up->in) > a->resp_head_bytes ||
        !h2_request_is_bare(&a->up->sock))
        return;
    r->framing = FRAMING_NONE;
    r->content_length = 0;
    r->has_content_length = !x->conn->is_stream;
}

static enum verdict judge_head(struct exchange *x)
{
    struct attempt *a = x->attempt;
    bool wanted_upgrade = a->resp.upgrade_websocket && x->req.upgrade_websocket && a->upload_done;

    if (a->resp.status == 101 && !wanted_upgrade)
        return exchange_attempt_failed(x, REASON_UPSTREAM_INVALID);
    if (a->resp.status < 200 && a->resp.status != 101)
        return pass_interim(x);
    x->step_deadline_ns = 0;
    if (a->up->is_stream)
        fit_framing(x);
    if (!a->first_byte_ns)
        a->first_byte_ns = x->w->now_ns;
    if (x->grpc.is)
        grpc_look_at_head(x);
    if (x->cached && cached_validated(x))
        return V_FINISH;
    if (hedge_running(x) && attempt_retryable(x, REASON_UPSTREAM_STATUS))
        return exchange_attempt_failed(x, REASON_UPSTREAM_STATUS);
    if (attempt_may_retry(x, REASON_UPSTREAM_STATUS)) {
        attempt_end(x, REASON_UPSTREAM_STATUS);
        return V_RETRY;
    }
    hedge_decide(x);
    return x->fallbacks && fallback_replaces(x) ? V_FINISH : V_DONE;
}

enum verdict answer_read(struct exchange *x)
{
    struct attempt *a = x->attempt;
    static const struct h1_limits limits = {16 * 1024, BUF_BYTES, HTTP_MAX_HEADERS};

    while (buf_len(a->up->in) > 0) {
        struct buf *b = a->up->in;
        enum reason why;
        enum verdict v;

        switch (h1_parse_response(b->data + b->start, buf_len(b), &limits, &a->resp_scanned,
                                  x->req.method, &a->resp, &a->resp_head_bytes, &why)) {
        case H1_DONE:
            v = judge_head(x);
            if (v != V_NEXT)
                return v;
            continue;
        case H1_BAD:
            return exchange_attempt_failed(x, why);
        case H1_MORE:
            if (buf_space(b) == 0)
                return exchange_attempt_failed(x, REASON_UPSTREAM_INVALID);
            return V_NEXT;
        }
    }
    return V_NEXT;
}
