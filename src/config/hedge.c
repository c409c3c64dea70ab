/* SPDX-License-Identifier: Apache-2.0 */
/* hedge.c - when a second try is sent beside a slow first one: `hedge` of services and routes. */
#include "config/sections.h"
#include "config/value.h"

#include <string.h>

static const struct hedge_conf at_p95 = {.percent = 95, .at_least_ms = 2};

static int after_read(struct reader *r, const struct node *n, void *at)
{
    static const char expected[] = "off, p50 to p99, or a duration from 1ms to 1h such as 50ms";
    struct hedge_conf *h = at;
    uint64_t number;

    if (n->kind != NODE_TEXT)
        return node_expected(n, r->err, expected);
    if (strcmp(n->text, "off") == 0) {
        h->percent = 0;
        h->after_ms = 0;
        return 0;
    }
    if (n->text[0] == 'p') {
        if (!value_unsigned(n->text + 1, &number) || number < 50 || number > 99)
            return node_expected(n, r->err, expected);
        h->percent = (unsigned)number;
        h->after_ms = 0;
        return 0;
    }
    if (!value_duration(n->text, &number) || number < 1 || number > HOURS)
        return node_expected(n, r->err, expected);
    h->percent = 0;
    h->after_ms = number;
    return 0;
}

static const struct field hedge_fields[] = {
    {.key = "after",
     .type = FIELD_CUSTOM,
     .dflt = "off",
     .read = after_read,
     .kind = "`off`, `p50` to `p99`, or duration",
     .help = "How long the first try may take until the second is sent. `p95`: as long as 95 % of "
             "the service's answers took to begin, measured over the last minute."},
    DURATION("at_least", hedge_conf, at_least_ms, 0, HOURS, "2ms",
             "With `p50` to `p99`: never earlier than this."),
};
const struct section hedge_section = {hedge_fields, ARRAY_LEN(hedge_fields)};

int hedge_read_after(struct reader *r, const struct node *n, void *at)
{
    return key_read(r, &hedge_section, "after", n, at);
}

int hedge_read_route(struct reader *r, const struct node *n, void *at)
{
    bool yes = n->kind == NODE_TEXT && strcmp(n->text, "true") == 0;

    if (!yes && (n->kind != NODE_TEXT || strcmp(n->text, "false") != 0))
        return node_expected(n, r->err, "`false`, `true`");
    *(enum route_hedge *)at = yes ? ROUTE_HEDGES : ROUTE_NEVER_HEDGES;
    return 0;
}

const struct hedge_conf *hedge_conf_of(const struct route_conf *r, const struct service_conf *s)
{
    bool service_does = s->hedge.percent > 0 || s->hedge.after_ms > 0;

    if (r->hedge == ROUTE_NEVER_HEDGES)
        return NULL;
    if (service_does)
        return &s->hedge;
    return r->hedge == ROUTE_HEDGES ? &at_p95 : NULL;
}
