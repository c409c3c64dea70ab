/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/access_rules.h"
#include "config/cidr.h"
#include "http/media_type.h"
#include "proxy/cors.h"
#include "proxy/head.h"
#include "proxy/security_headers.h"

bool access_rules_keep_out(const struct exchange *x)
{
    const struct in6_addr *client = exchange_client_address(x);

    return address_rules_keep_out(&exchange_config(x)->addresses, client) ||
           address_rules_keep_out(&x->conn->listener->conf->addresses, client);
}

static bool has_body(const struct request *r)
{
    return r->framing == FRAMING_LENGTH ? r->content_length > 0 : r->framing != FRAMING_NONE;
}

/* Exactly one Content-Type, well-formed, and of a type in the list. */
static bool type_is_taken(const struct request *r, const char *const *types)
{
    struct str type, value = STR("");
    unsigned found = 0;

    for (unsigned i = 0; i < r->nheaders; i++)
        if (str_ieq(r->headers[i].name, STR("content-type"))) {
            value = r->headers[i].value;
            found++;
        }
    if (found != 1 || !media_type_read(value, &type))
        return false;
    for (; *types; types++)
        if (media_type_matches(str_of(*types), type))
            return true;
    return false;
}

enum verdict access_rules_check(struct exchange *x)
{
    const struct route_edge_conf *edge = &x->match.route->conf->edge;
    enum verdict v;

    if (address_rules_keep_out(&edge->addresses, exchange_client_address(x)))
        return exchange_refuse(x, REASON_ADDRESS_DENIED);
    v = cors_check(x);
    if (v != V_NEXT)
        return v;
    if (edge->max_query && x->req.query.n > edge->max_query) {
        x->detail = "the query string is longer than this route takes";
        return exchange_refuse(x, REASON_URI_TOO_LONG);
    }
    if (edge->content_types && has_body(&x->req) && !type_is_taken(&x->req, edge->content_types))
        return exchange_refuse(x, REASON_MEDIA_TYPE);
    return V_NEXT;
}

void access_rules_write_response_fields(const struct exchange *x, struct writer *w)
{
    cors_write_response_fields(x, w);
    security_headers_write(x, w);
    /* RFC 9110 section 12.5.1: in an answer, what is preferred of later requests. */
    if (x->fail == REASON_MEDIA_TYPE)
        writer_field(w, STR("Accept"), str_of(x->match.route->conf->edge.accept));
}

bool access_rules_replace_response_field(const struct exchange *x, struct str name)
{
    return cors_replaces_response_field(x, name) || security_headers_replace(x, name);
}
