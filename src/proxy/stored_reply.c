/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/stored_reply.h"
#include "proxy/access.h"
#include "proxy/compress.h"
#include "proxy/reply.h"

#include <stdio.h>

bool stored_reply_is_bare(const struct exchange *x)
{
    return x->req.method == METHOD_HEAD || x->status == 204 || x->status == 205 || x->status == 304;
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
static void write_age(struct exchange *x, struct writer *w, const struct cache_entry *e,
                      const char *detail)
{
    int64_t age = cache_age_s(e, x->w->now_ns);
    char text[160];
    int n =
        snprintf(text, sizeof text, "Age: %lld\r\nCache-Status: frontdesk; hit; ttl=%lld%s%s\r\n",
                 (long long)age, (long long)(e->fresh.lifetime_s - age), detail ? "; detail=" : "",
                 detail ? detail : "");

    writer_bytes(w, text, (size_t)n);
}

struct str stored_reply(struct exchange *x, struct writer *w, const struct cache_entry *e,
                        const char *detail)
{
    const char *via = exchange_config(x)->via;
    struct str body;
    bool has_date = false;

    x->status = rules_not_modified(&x->req, e->etag, e->last_modified) ? 304 : e->status;
    body = compress_whole(x, e->status, e->headers, e->nheaders, e->body);
    reply_begin(x, w);
    for (unsigned i = 0; i < e->nheaders; i++) {
        const struct header *h = &e->headers[i];

        if (h->id == HEADER_X_REQUEST_ID || head_is_changed(x, h->name) ||
            access_replaces_response_field(x, h->name) ||
            (x->compress && compress_replaces_field(x, h->name)) ||
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
    if (x->compress)
        compress_write_fields(x, e->headers, e->nheaders, w);
    write_age(x, w, e, detail);
    reply_end(x, w, body.n);
    return stored_reply_is_bare(x) ? STR_NULL : body;
}
