/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/grpc_status.h"
#include "proxy/exchange.h"

bool grpc_media_type(struct str value)
{
    static const struct str type = STR("application/grpc");

    if (value.n < type.n || !str_ieq((struct str){value.p, type.n}, type))
        return false;
    return value.n == type.n || strchr("+; \t", value.p[type.n]);
}

uint64_t grpc_timeout_ns(struct str value)
{
    static const struct {
        char unit;
        uint64_t ns;
    } units[] = {{'H', 3600 * NS_PER_S}, {'M', 60 * NS_PER_S}, {'S', NS_PER_S},
                 {'m', NS_PER_MS},       {'u', 1000},          {'n', 1}};
    uint64_t n;

    if (value.n < 2 || value.n > 9 || !str_to_u64((struct str){value.p, value.n - 1}, &n))
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (units[i].unit == value.p[value.n - 1])
            return n < UINT64_MAX / 2 / units[i].ns ? n * units[i].ns : 0;
    return 0;
}

void grpc_look_at_request(struct exchange *x)
{
    const struct header *type, *timeout;
    uint64_t ns;

    /* Of every call, so others cost a compare. */
    if (x->req.method != METHOD_POST || !x->req.te_trailers)
        return;
    type = request_header_named(&x->req, STR("content-type"));
    if (!type || !grpc_media_type(type->value))
        return;
    x->grpc.is = true;
    timeout = request_header_named(&x->req, STR("grpc-timeout"));
    ns = timeout ? grpc_timeout_ns(timeout->value) : 0;
    if (ns)
        x->grpc.deadline_ns = x->begin_ns + ns;
}

static void take_status(struct exchange *x, struct str value)
{
    uint64_t n;

    x->grpc.ended = true;
    x->grpc.status = GRPC_UNKNOWN;
    if (str_to_u64(value, &n) && n < GRPC_CODES)
        x->grpc.status = (uint8_t)n;
}

void grpc_look_at_head(struct exchange *x)
{
    const struct response *r = &x->attempt->resp;

    x->grpc.ended = false;
    for (unsigned i = 0; i < r->nheaders && !x->grpc.ended; i++)
        if (str_ieq(r->headers[i].name, STR("grpc-status")))
            take_status(x, r->headers[i].value);
}

void grpc_look_at_trailers(struct exchange *x, struct str text)
{
    struct str line;

    while (str_next(&text, '\n', &line)) {
        const char *colon = memchr(line.p, ':', line.n);
        struct str name = {line.p, colon ? (size_t)(colon - line.p) : 0};

        if (!str_ieq(name, STR("grpc-status")))
            continue;
        if (line.p[line.n - 1] == '\r')
            line.n--;
        take_status(x, str_trim((struct str){colon + 1, line.n - name.n - 1}));
        return;
    }
}

bool grpc_is_failure(const struct exchange *x)
{
    return x->grpc.ended && (x->service->conf->breaker.failure_grpc_statuses >> x->grpc.status & 1);
}

bool grpc_may_retry(const struct exchange *x)
{
    return x->grpc.ended && x->attempt->resp.framing == FRAMING_NONE &&
           (x->service->conf->retries.grpc_statuses >> x->grpc.status & 1);
}
