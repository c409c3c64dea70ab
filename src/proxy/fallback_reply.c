/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/access.h"
#include "proxy/fallback.h"
#include "proxy/reply.h"

#include <stdio.h>

void fallback_write_fields(const struct exchange *x, struct writer *w)
{
    const struct fallback *f = x->fallback;

    if (!f->item)
        return;
    writer_field(w, STR("Frontdesk-Fallback"), str_of(fallback_name(f->item->kind)));
    writer_field(w, STR("Frontdesk-Reason"), str_of(reason_info(f->reason)->word));
}

static bool has_no_body(const struct exchange *x)
{
    return x->req.method == METHOD_HEAD || x->status == 204 || x->status == 205 || x->status == 304;
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
    return has_no_body(x) ? STR_NULL : item->answer.body;
}

/* RFC 9110 section 15.4.5: what a 304 must repeat, and no other words about the body. */
static bool goes_with_304(struct str name)
{
    static const struct str names[] = {STR("cache-control"), STR("content-location"), STR("date"),
                                       STR("etag"),          STR("expires"),          STR("vary")};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_ieq(name, names[i]))
            return true;
    return false;
}

/* RFC 9111 section 5.1 and RFC 9211: how old it is and why it is used all the same. */
static void write_age(struct exchange *x, struct writer *w)
{
    const struct cache_entry *e = x->fallback->entry;
    int64_t age = cache_age_s(e, x->w->now_ns);
    char text[160];
    int n = snprintf(text, sizeof text,
                     "Age: %lld\r\nCache-Status: frontdesk; hit; ttl=%lld; detail=%s\r\n",
                     (long long)age, (long long)(e->fresh.lifetime_s - age),
                     reason_info(x->fallback->reason)->word);

    writer_bytes(w, text, (size_t)n);
}

static struct str cache_reply(struct exchange *x, struct writer *w)
{
    const struct cache_entry *e = x->fallback->entry;
    const char *via = exchange_config(x)->via;
    bool has_date = false;

    x->status = rules_not_modified(&x->req, e->etag, e->last_modified) ? 304 : e->status;
    reply_begin(x, w);
    for (unsigned i = 0; i < e->nheaders; i++) {
        const struct header *h = &e->headers[i];

        if (h->id == HEADER_X_REQUEST_ID || head_is_changed(x, h->name) ||
            access_replaces_response_field(x, h->name) ||
            (x->status == 304 && !goes_with_304(h->name)))
            continue;
        has_date |= h->id == HEADER_DATE;
        writer_field(w, h->name, h->value);
    }
    if (!has_date)
        writer_field(w, STR("Date"), worker_date(x->w));
    if (via[0]) {
        writer_lit(w, "Via: 1.1 ");
        writer_str(w, str_of(via));
        writer_lit(w, "\r\n");
    }
    write_age(x, w);
    reply_end(x, w, e->body.n);
    return has_no_body(x) ? STR_NULL : e->body;
}

struct str fallback_reply(struct exchange *x)
{
    struct writer w = {x->out, false};
    size_t begin = x->out->end;
    struct str body =
        x->fallback->item->kind == FALLBACK_CACHE ? cache_reply(x, &w) : static_reply(x, &w);

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
