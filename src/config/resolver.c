/* SPDX-License-Identifier: Apache-2.0 */
/* resolver.c - `resolver:`, name servers for the host names of instances. */
#include "config/sections.h"
#include "config/value.h"

enum { MAX_SERVERS = 8 };

static int server_read(struct reader *r, const struct node *n, void *at)
{
    const char *host;
    uint16_t port;

    if (n->kind != NODE_TEXT ||
        !(value_is_ip(n->text) ||
          (value_address(r->arena, n->text, &host, &port) && value_is_ip(host))))
        return node_expected(n, r->err, "an IP address such as 10.0.0.2 or 127.0.0.1:8600");
    *(const char **)at = arena_strdup(r->arena, n->text);
    return 0;
}

static int servers_read(struct reader *r, const struct node *n, void *at)
{
    struct resolver_conf *c = at;

    c->servers = list_read(r, n, "a list of IP addresses", MAX_SERVERS, sizeof *c->servers,
                           server_read, &c->nservers);
    return c->servers ? 0 : -1;
}

static const struct field resolver_fields[] = {
    {.key = "nameservers",
     .type = FIELD_CUSTOM,
     .read = servers_read,
     .kind = "list of addresses",
     .shown = "`/etc/resolv.conf`",
     .help = "Servers to ask, in place of those of the machine. Names are then complete: no domain "
             "is searched."},
    DURATION("timeout", resolver_conf, timeout_ms, 10, MINUTES, "2s",
             "A server that is silent for so long is asked again, or the next one."),
    UNSIGNED("attempts", resolver_conf, attempts, 1, 10, "2",
             "How often a question is sent before it has failed."),
    DURATION("min_ttl", resolver_conf, min_ttl_ms, 100, HOURS, "5s",
             "An answer is not asked for again before, whatever its time to live."),
    DURATION("max_ttl", resolver_conf, max_ttl_ms, SECONDS, 24 * HOURS, "1h",
             "It is asked for again after so long at the latest."),
};
const struct section resolver_section = {resolver_fields, ARRAY_LEN(resolver_fields)};

int resolver_finish(struct reader *r, const struct node *n, void *at)
{
    const struct resolver_conf *c = at;

    if (c->min_ttl_ms > c->max_ttl_ms)
        return node_error(n, r->err, "min_ttl is longer than max_ttl");
    return 0;
}
