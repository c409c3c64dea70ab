/* SPDX-License-Identifier: Apache-2.0 */
/* sections.c - the top level and its small sections. Listeners, the admin endpoint, services and
 * routes have files of their own. */
#include "config/sections.h"

#include "config/value.h"

#include <stdlib.h>
#include <string.h>

static const struct field limits_fields[] = {
    SIZE("request_line", limits_conf, max_request_line, 64, 1 << 20, "8k",
         "Longest request line; beyond it 414 (`uri_too_long`)."),
    SIZE("header_bytes", limits_conf, max_header_bytes, 256, 1 << 20, "32k",
         "Largest header section; beyond it 431 (`headers_too_large`)."),
    UNSIGNED("headers", limits_conf, max_headers, 1, 10000, "100",
             "Most header fields of a request; beyond it 431."),
    BODY_SIZE("body", limits_conf, max_body, "10m",
              "Largest request body; beyond it 413 (`body_too_large`). `unlimited` = no limit."),
    DURATION("header_timeout", limits_conf, header_timeout_ms, 1, HOURS, "10s",
             "From the first byte of a request to the end of its header section."),
    DURATION("body_timeout", limits_conf, body_timeout_ms, 1, HOURS, "30s",
             "Longest silence while a client sends its body."),
    DURATION("write_timeout", limits_conf, write_timeout_ms, 1, HOURS, "30s",
             "Longest time in which a client takes nothing of an answer."),
    DURATION("keepalive_timeout", limits_conf, keepalive_timeout_ms, 1, 24 * HOURS, "75s",
             "Longest silence between two requests of a connection."),
    UNSIGNED("keepalive_requests", limits_conf, keepalive_requests, 0, 1000000000, "0",
             "Requests on one connection before it is closed; 0 = no limit."),
    UNSIGNED("connections", limits_conf, max_connections, 1, 10000000, "20000",
             "Client connections in all."),
    UNSIGNED("max_clients", limits_conf, max_clients, 8, 100000000, "131072",
             "Clients that a rate limit counts at once, 16 bytes each; beyond it the one that is "
             "nearest to being even is forgotten."),
    {.key = "redis",
     .type = FIELD_SECTION,
     .offset = offsetof(struct limits_conf, redis),
     .section = &redis_section,
     .read = redis_finish,
     .shown = "none",
     .help = "Where rate limits with `shared: true` are counted together with other gateways."},
};
static const struct section limits_section = {limits_fields, ARRAY_LEN(limits_fields)};

static int defaults_read(struct reader *r, const struct node *n, void *at)
{
    struct config *c = at;

    if (service_read(r, n, &c->defaults) < 0)
        return -1;
    c->defaults.says = 0;
    if (n->kind == NODE_MAP && node_get(n, "instances"))
        return node_error(node_get(n, "instances"), r->err, "instances belong to one service");
    if (n->kind == NODE_MAP && node_get(n, "traffic_rules"))
        return node_error(node_get(n, "traffic_rules"), r->err,
                          "traffic_rules belongs to one service; for all of them it is in consul");
    if (n->kind == NODE_MAP && (node_get(n, "datacenters") || node_get(n, "places")))
        return node_error(n, r->err, "datacenters and places belong to one service");
    return 0;
}

/* The entries are read by config.c once `defaults` is complete, whatever the order of the keys. */
static int read_later(struct reader *r, const struct node *n, void *at)
{
    (void)r;
    (void)n;
    (void)at;
    return 0;
}

static const char *via_problem(const char *text)
{
    return text[0] == '\0' || value_is_token(text) ? NULL : "is not one word (RFC 9110 token)";
}

static int access_log_read(struct reader *r, const struct node *n, void *at)
{
    static const char expected[] = "stdout, off, or the absolute path of a file";
    const char **path = at;

    if (n->kind != NODE_TEXT)
        return node_expected(n, r->err, expected);
    *path = NULL;
    if (strcmp(n->text, "off") == 0 || strcmp(n->text, "false") == 0)
        return 0;
    if (strcmp(n->text, "stdout") != 0 && n->text[0] != '/')
        return node_expected(n, r->err, expected);
    *path = arena_strdup(r->arena, n->text);
    return 0;
}

static const char *const log_levels[] = {"debug", "info", "warn", "error", NULL};

static const struct field top_fields[] = {
    UNSIGNED("workers", config, workers, 0, 256, "0",
             "Threads that serve requests; 0 = one for each CPU."),
    {.key = "listeners",
     .type = FIELD_CUSTOM,
     .section = &listener_section,
     .read = listeners_read,
     .kind = "list of maps",
     .dflt = "[{address: \"0.0.0.0:8080\"}]",
     .shown = "`0.0.0.0:8080`",
     .help = "Addresses that clients connect to."},
    {.key = "admin",
     .type = FIELD_SECTION,
     .offset = offsetof(struct config, admin),
     .section = &admin_section,
     .read_text = admin_off_read,
     .kind = "map or `false`",
     .shown = "on",
     .help = "The admin endpoint; `false` = none."},
    {.key = "consul",
     .type = FIELD_SECTION,
     .offset = offsetof(struct config, consul),
     .section = &consul_section,
     .read = consul_finish,
     .shown = "off",
     .help = "Discovery from Consul. The section alone switches it on: `consul: {}`."},
    {.key = "fleet",
     .type = FIELD_SECTION,
     .offset = offsetof(struct config, fleet),
     .section = &fleet_section,
     .read = fleet_finish,
     .read_text = fleet_switch_read,
     .kind = "map or `true`",
     .shown = "off",
     .help = "Several gateways that show each other their breakers and force states together. The "
             "section alone switches it on: `fleet: true`."},
    {.key = "resolver",
     .type = FIELD_SECTION,
     .offset = offsetof(struct config, resolver),
     .section = &resolver_section,
     .read = resolver_finish,
     .help = "Who is asked for the addresses of host names of instances."},
    {.key = "registration",
     .type = FIELD_SECTION,
     .offset = offsetof(struct config, registration),
     .section = &registration_section,
     .read = registration_finish,
     .read_text = registration_switch_read,
     .kind = "map or `true`",
     .shown = "on with `fleet`",
     .help = "The gateway as a service of Consul's catalog. The section alone switches it on: "
             "`registration: true`."},
    {.key = "webhooks",
     .type = FIELD_CUSTOM,
     .section = &webhook_section,
     .read = webhooks_read,
     .kind = "list of maps",
     .shown = "none",
     .help = "Who is told of transitions of breakers and instances."},
    {.key = "limits",
     .type = FIELD_SECTION,
     .offset = offsetof(struct config, limits),
     .section = &limits_section,
     .help = "What a client may send, and how slowly."},
    {.key = "overload",
     .type = FIELD_SECTION,
     .offset = offsetof(struct config, overload),
     .section = &overload_section,
     .help = "When the gateway itself is saturated and less important routes give way."},
    {.key = "fallback_cache",
     .type = FIELD_SECTION,
     .offset = offsetof(struct config, fallback_cache),
     .section = &fallback_cache_section,
     .read = fallback_cache_check,
     .help = "Memory for the last good answers that fallbacks may use."},
    {.key = "rate_limits",
     .type = FIELD_CUSTOM,
     .section = &rate_limit_section,
     .read = rate_limits_read,
     .kind = "map of maps",
     .help = "How often and how much clients may ask, by name."},
    {.key = "issuers",
     .type = FIELD_CUSTOM,
     .section = &issuer_section,
     .read = issuers_read,
     .kind = "map of maps",
     .help = "Whose bearer tokens (JWT) are believed, by name."},
    {.key = "policies",
     .type = FIELD_CUSTOM,
     .section = &policy_section,
     .read = policies_read,
     .kind = "map of maps",
     .help = "Who may ask, by name; the `auth` of a route names one."},
    {.key = "api_keys",
     .type = FIELD_CUSTOM,
     .section = &api_keys_section,
     .read = api_keys_read,
     .kind = "map of maps",
     .help = "Where API keys are known from, by name."},
    {.key = "basic",
     .type = FIELD_CUSTOM,
     .section = &basic_section,
     .read = basic_read,
     .kind = "map of maps",
     .help = "Users with passwords (HTTP basic authentication), by name."},
    {.key = "forward_auth",
     .type = FIELD_CUSTOM,
     .section = &forward_auth_section,
     .read = forward_auth_read,
     .kind = "map of maps",
     .help = "Services that are asked who may come in, by name."},
    {.key = "introspection",
     .type = FIELD_CUSTOM,
     .section = &introspection_section,
     .read = introspection_read,
     .kind = "map of maps",
     .help = "Services that are asked whose an opaque token is (RFC 7662), by name."},
    {.key = "defaults",
     .type = FIELD_CUSTOM,
     .section = &service_section,
     .read = defaults_read,
     .kind = "map",
     .help = "Settings of every service that does not say otherwise."},
    {.key = "services",
     .type = FIELD_CUSTOM,
     .section = &service_section,
     .read = read_later,
     .kind = "map of maps",
     .help = "Settings of single services, by name."},
    {.key = "routes",
     .type = FIELD_CUSTOM,
     .section = &route_section,
     .read = read_later,
     .kind = "list of maps",
     .help = "Which requests go to which service."},
    {.key = "allow_from",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(config, addresses.allow, struct cidr_list),
     .read = cidr_list_read,
     .kind = "list of addresses",
     .shown = "everybody",
     .help = "Clients that may ask at all: addresses and networks."},
    {.key = "deny_from",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(config, addresses.deny, struct cidr_list),
     .read = cidr_list_read,
     .kind = "list of addresses",
     .shown = "nobody",
     .help = "Clients that may not (403 `address_denied`), even if `allow_from` has them."},
    {.key = "cors",
     .type = FIELD_CUSTOM,
     .section = &cors_section,
     .read = cors_read,
     .kind = "map of maps",
     .shown = "none",
     .help = "Policies for pages of other origins, by name; routes refer to them."},
    {.key = "compression",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(config, compression, const struct compression_conf *),
     .section = &compression_section,
     .read = compression_read,
     .kind = "map, `true` or `false`",
     .shown = "off",
     .help = "Answers leave in a content coding that makes them smaller."},
    {.key = "security_headers",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(config, security_headers, const struct security_headers_conf *),
     .section = &security_section,
     .read = security_read,
     .kind = "map, `strict` or `none`",
     .shown = "none",
     .help = "Security headers of answers, written where the service does not say otherwise."},
    {.key = "trusted_proxies",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(config, trusted_proxies, struct cidr_list),
     .read = cidr_list_read,
     .kind = "list of addresses",
     .shown = "none",
     .help = "Whose `X-Forwarded-*` and `Forwarded` headers are believed: addresses and networks "
             "(`10.0.0.0/8`). The client is the last address there that is none of them."},
    BOOLEAN("forwarded_header", config, forwarded_header, "false",
            "Also send `Forwarded` (RFC 7239) to services."),
    STRING("via", config, via, "frontdesk", via_problem,
           "Name of this gateway in `Via`; `\"\"` = no `Via`."),
    {.key = "access_log",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(config, access_log, const char *),
     .read = access_log_read,
     .kind = "path, `stdout` or `off`",
     .dflt = "off",
     .help = "One line for each request."},
    CHOICE("log_level", config, log_level, log_levels, "info",
           "The least important message that is logged."),
    {.key = "state_dir",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(config, state_dir, const char *),
     .read = state_dir_read,
     .kind = "path or `off`",
     .shown = "`$STATE_DIRECTORY`",
     .help = "Directory for what is kept over a restart, such as the last known catalog. Unset: "
             "the one that systemd gives the unit, else nothing is kept."},
    DURATION("drain_timeout", config, drain_timeout_ms, 0, 24 * HOURS, "30s",
             "After SIGTERM: how long running requests may go on."),
    DURATION("drain_delay", config, drain_delay_ms, 0, HOURS, "0",
             "After SIGTERM: time between failing `/readyz` and closing the listeners."),
};
const struct section top_section = {top_fields, ARRAY_LEN(top_fields)};
