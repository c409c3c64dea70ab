/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/traffic_fields.h"
#include "proxy/access.h"

static bool drops(const struct chain_changes *c, struct str name)
{
    for (unsigned i = 0; i < c->n; i++)
        if (c->items[i].op != CHAIN_ADD && str_ieq(str_of(c->items[i].name), name))
            return true;
    return false;
}

bool traffic_drops_request_field(const struct exchange *x, struct str name)
{
    return (x->rule && drops(&x->rule->to.request, name)) ||
           (x->part && drops(&x->part->request, name));
}

bool traffic_drops_response_field(const struct exchange *x, struct str name)
{
    return (x->rule && drops(&x->rule->to.response, name)) ||
           (x->part && drops(&x->part->response, name));
}

/* The configuration has said what becomes of it. */
static bool is_settled(const struct exchange *x, struct str name, bool request)
{
    const struct route_conf *c = x->match.route->conf;
    const struct header_change *list = request ? c->request_headers : c->response_headers;
    size_t n = request ? c->nrequest_headers : c->nresponse_headers;

    for (size_t i = 0; i < n; i++)
        if (list[i].op != HEADER_ADD && str_ieq(str_of(list[i].name), name))
            return true;
    return request && access_removes_request_field(x, name);
}

/* What `later` says of a field counts more. */
static void write_changes(const struct chain_changes *c, const struct chain_changes *later,
                          const struct exchange *x, struct writer *w, bool request)
{
    for (unsigned i = 0; i < c->n; i++) {
        struct str name = str_of(c->items[i].name);

        if (c->items[i].op != CHAIN_REMOVE && !(later && drops(later, name)) &&
            !is_settled(x, name, request))
            writer_field(w, name, str_of(c->items[i].value));
    }
}

void traffic_write_request_fields(const struct exchange *x, struct writer *w)
{
    if (x->rule)
        write_changes(&x->rule->to.request, x->part ? &x->part->request : NULL, x, w, true);
    if (x->part)
        write_changes(&x->part->request, NULL, x, w, true);
}

void traffic_write_response_fields(const struct exchange *x, struct writer *w)
{
    if (x->rule)
        write_changes(&x->rule->to.response, x->part ? &x->part->response : NULL, x, w, false);
    if (x->part)
        write_changes(&x->part->response, NULL, x, w, false);
}
