/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/security_headers.h"
#include "proxy/fallback.h"
#include "proxy/head.h"

static const struct security_headers_conf *conf_of(const struct exchange *x)
{
    const struct route_edge_conf *edge = x->match.route ? &x->match.route->conf->edge : NULL;

    return edge && edge->security ? edge->security : exchange_config(x)->security_headers;
}

static bool has_field(const struct header *headers, unsigned n, struct str name)
{
    for (unsigned i = 0; i < n; i++)
        if (!headers[i].hop && str_ieq(headers[i].name, name))
            return true;
    return false;
}

static bool has_text_field(const struct header_conf *headers, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_ieq(str_of(headers[i].name), name))
            return true;
    return false;
}

/* Does the answer that is being written bring the field along? */
static bool is_said(const struct exchange *x, struct str name)
{
    const struct fallback_conf *item = x->fallback ? x->fallback->item : NULL;

    if (!x->replied)
        return has_field(x->attempt->resp.headers, x->attempt->resp.nheaders, name);
    if (item && item->kind == FALLBACK_CACHE && x->fallback->entry)
        return has_field(x->fallback->entry->headers, x->fallback->entry->nheaders, name);
    return item && item->kind == FALLBACK_STATIC &&
           has_text_field(item->answer.headers, item->answer.nheaders, name);
}

void security_headers_write(const struct exchange *x, struct writer *w)
{
    const struct security_headers_conf *c = conf_of(x);

    for (size_t i = 0; c && i < c->n; i++) {
        struct str name = str_of(c->fields[i].name);

        /* What the route says about this very field counts more. */
        if (x->match.route && !x->replied && head_is_changed(x, name))
            continue;
        if (c->override || !is_said(x, name))
            writer_field(w, name, str_of(c->fields[i].value));
    }
}

bool security_headers_replace(const struct exchange *x, struct str name)
{
    const struct security_headers_conf *c = conf_of(x);

    if (!c)
        return false;
    for (const char *const *remove = c->remove; *remove; remove++)
        if (str_ieq(str_of(*remove), name))
            return true;
    return c->override && has_text_field(c->fields, c->n, name);
}
