/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/composed.h"
#include "proxy/aggregated.h"
#include "proxy/batch.h"
#include "proxy/compress.h"
#include "proxy/head.h"
#include "proxy/reply.h"

enum verdict composed_run(struct exchange *x)
{
    const struct route_conf *c = x->match.route->conf;

    if (!x->composed && !c->aggregate && !c->batch)
        return V_NEXT;
    if (!x->composed)
        x->composed = c->aggregate ? aggregated_new(x) : batch_new(x);
    return x->composed ? x->composed->ops->run(x) : exchange_refuse(x, REASON_INTERNAL);
}

void composed_free(struct exchange *x)
{
    struct composed *c = x->composed;

    if (!c)
        return;
    bytes_free(&c->fields);
    bytes_free(&c->body);
    c->ops->free(x);
    x->composed = NULL;
}

struct str composed_reply(struct exchange *x)
{
    struct composed *c = x->composed;
    struct writer w = {x->out, false};
    size_t begin = x->out->end;
    const struct header json = {
        .name = STR("Content-Type"), .value = STR("application/json"), .id = HEADER_OTHER};
    struct str body = compress_whole(x, c->status, &json, 1, bytes_str(&c->body));

    x->status = c->status;
    reply_begin(x, &w);
    writer_field(&w, STR("Date"), worker_date(x->w));
    writer_str(&w, bytes_str(&c->fields));
    if (x->compress)
        compress_write_fields(x, NULL, 0, &w);
    head_write_changes(x, &w);
    reply_end(x, &w, body.n);
    writer_lit(&w, "\r\n");
    if (!w.overflow)
        return x->req.method == METHOD_HEAD || c->status == 304 ? STR_NULL : body;
    x->out->end = begin;
    x->fail = REASON_INTERNAL;
    reply_failure(x);
    return STR_NULL;
}
