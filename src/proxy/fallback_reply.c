/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/access.h"
#include "proxy/fallback.h"
#include "proxy/reply.h"
#include "proxy/stored_reply.h"

void fallback_write_fields(const struct exchange *x, struct writer *w)
{
    const struct fallback *f = x->fallback;

    if (!f->item)
        return;
    writer_field(w, STR("Frontdesk-Fallback"), str_of(fallback_name(f->item->kind)));
    writer_field(w, STR("Frontdesk-Reason"), str_of(reason_info(f->reason)->word));
}

static struct str static_reply(struct exchange *x, struct writer *w)
{
    const struct fallback_conf *item = x->fallback->item;

    x->status = item->answer.status;
    reply_begin(x, w);
    writer_field(w, STR("Date"), worker_date(x->w));
    for (size_t i = 0; i < item->answer.nheaders; i++) {
        const struct header_conf *h = &item->answer.headers[i];

        if (!head_is_changed(x, str_of(h->name)) &&
            !access_replaces_response_field(x, str_of(h->name)))
            writer_field(w, str_of(h->name), str_of(h->value));
    }
    reply_end(x, w, item->answer.body.n);
    return stored_reply_is_bare(x) ? STR_NULL : item->answer.body;
}

struct str fallback_reply(struct exchange *x)
{
    struct writer w = {x->out, false};
    size_t begin = x->out->end;
    struct str body =
        x->fallback->item->kind == FALLBACK_CACHE
            ? stored_reply(x, &w, x->fallback->entry, reason_info(x->fallback->reason)->word)
            : static_reply(x, &w);

    head_write_changes(x, &w);
    fallback_write_fields(x, &w);
    writer_lit(&w, "\r\n");
    if (!w.overflow)
        return body;
    /* A stored head as large as the buffer, with what is added here. */
    x->out->end = begin;
    x->fallback->item = NULL;
    x->status = x->fallback->status;
    reply_failure(x);
    return STR_NULL;
}
