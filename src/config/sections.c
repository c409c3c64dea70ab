/* SPDX-License-Identifier: Apache-2.0 */
/* sections.c - the top level and its small sections. Listeners, the admin endpoint, services and
 * routes have files of their own. */
#include "config/sections.h"

#include "config/value.h"

#include <stdlib.h>
#include <string.h>

static const char *const expose_words[] = {"none", "tagged", "all", NULL};

static const char *consul_address_problem(const char *text)
{
    static const char *const schemes[] = {"http://", "https://", "unix:///"};
    const char *rest = strstr(text, "://") ? NULL : text;

    if (strchr(text, '@'))
        return "holds user information; put a token into token_file";
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (strncmp(text, schemes[i], strlen(schemes[i])) == 0)
            rest = text + strlen(schemes[i]);
    if (!rest || rest[0] == '\0' || rest[0] == '/' || strpbrk(rest, " \t\r\n?#\""))
        return "is not an address such as http://127.0.0.1:8500 or unix:///run/consul.sock";
    return NULL;
}

static int consul_address_read(struct reader *r, const struct node *n, void *at)
{
    static const char expected[] =
        "an address such as http://127.0.0.1:8500 or unix:///run/consul.sock";
    const char *problem;

    if (n->kind != NODE_TEXT || node_is_null(n))
        return node_expected(n, r->err, expected);
    /* The text is not repeated: user information in it may be a secret. */
    problem = consul_address_problem(n->text);
    if (problem)
        return node_error(n, r->err, "the value %s", problem);
    *(const char **)at = arena_strdup(r->arena, n->text);
    return 0;
}

static const char *prefix_problem(const char *text)
{
    return text[strcspn(text, " \t\r\n=")] ? "holds a space or =" : NULL;
}

static const struct field consul_fields[] = {
    {.key = "address",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(consul_conf, address, const char *),
     .read = consul_address_read,
     .kind = "address",
     .dflt = "http://127.0.0.1:8500",
     .help = "The agent: `http://`, `https://`, `unix:///path`, or `host:port`. Else "
             "`CONSUL_HTTP_ADDR`."},
    STRING("token_file", consul_conf, token_file, NULL, value_file_problem,
           "File with the ACL token, read again when it changes. Else `CONSUL_HTTP_TOKEN_FILE`, "
           "else `CONSUL_HTTP_TOKEN`."),
    STRING("datacenter", consul_conf, datacenter, NULL, value_name_problem,
           "Datacenter to ask about; unset = the agent's."),
    STRING("ca_file", consul_conf, ca_file, NULL, value_file_problem,
           "Authorities that sign the agent's certificate. Else `CONSUL_CACERT`; unset = the "
           "system's."),
    STRING("cert_file", consul_conf, cert_file, NULL, value_file_problem,
           "Client certificate for the agent. Else `CONSUL_CLIENT_CERT`."),
    STRING("key_file", consul_conf, key_file, NULL, value_file_problem,
           "Its private key. Else `CONSUL_CLIENT_KEY`."),
    {.key = "expose",
     .type = FIELD_WORD,
     .offset = FIELD_AT(consul_conf, expose, enum expose_mode),
     .words = expose_words,
     .dflt = "tagged",
     .help = "Which services of the catalog bring routes along: none, those with tags, or every "
             "service under `/NAME/`."},
    STRING("tag_prefix", consul_conf, tag_prefix, "frontdesk.", prefix_problem,
           "What tags with routes begin with."),
    STRING("fabio_prefix", consul_conf, fabio_prefix, "urlprefix-", prefix_problem,
           "What fabio's tags begin with; `\"\"` = not read."),
    BOOLEAN("stale", consul_conf, stale, "true",
            "Let any Consul server answer, so that discovery lives on without a leader."),
    DURATION("wait", consul_conf, wait_ms, SECONDS, 10 * MINUTES, "60s",
             "How long the agent may hold a blocking query."),
    DURATION("keep_routes", consul_conf, keep_routes_ms, 0, 24 * HOURS, "1m",
             "How long the routes of a service that left the catalog answer 503 before they are "
             "gone (404)."),
};
static const struct section consul_section = {consul_fields, ARRAY_LEN(consul_fields)};

/* A variable that is set and not empty. */
static const char *environment(const char *name)
{
    const char *value = getenv(name);

    return value && value[0] ? value : NULL;
}

static void from_environment(struct reader *r, const char **at, const char *name)
{
    const char *value = environment(name);

    if (!*at && value)
        *at = arena_strdup(r->arena, value);
}

static int consul_address_finish(struct reader *r, const struct node *n, struct consul_conf *c)
{
    const char *env = environment("CONSUL_HTTP_ADDR"), *ssl = environment("CONSUL_HTTP_SSL");
    bool tls = ssl && (strcmp(ssl, "1") == 0 || strcmp(ssl, "true") == 0);
    size_t len;

    if (!node_get(n, "address") && env) {
        if (consul_address_problem(env))
            return node_error(n, r->err, "CONSUL_HTTP_ADDR %s", consul_address_problem(env));
        c->address = env;
    } else if (!node_get(n, "address") && tls) {
        c->address = "127.0.0.1:8500";
    }
    len = strlen(c->address);
    while (len > 1 && c->address[len - 1] == '/')
        len--;
    c->address = arena_printf(r->arena, "%s%.*s",
                              strstr(c->address, "://") ? "" : (tls ? "https://" : "http://"),
                              (int)len, c->address);
    return 0;
}

/* What the file does not say comes from Consul's own environment variables. A token file beats a
 * token, as in Consul's clients. */
static int consul_finish(struct reader *r, const struct node *n, void *at)
{
    struct consul_conf *c = at;

    c->enabled = true;
    if (consul_address_finish(r, n, c) < 0)
        return -1;
    from_environment(r, &c->token_file, "CONSUL_HTTP_TOKEN_FILE");
    if (!c->token_file)
        from_environment(r, &c->token, "CONSUL_HTTP_TOKEN");
    from_environment(r, &c->ca_file, "CONSUL_CACERT");
    from_environment(r, &c->cert_file, "CONSUL_CLIENT_CERT");
    from_environment(r, &c->key_file, "CONSUL_CLIENT_KEY");
    if (c->token && c->token[strcspn(c->token, "\r\n")])
        return node_error(n, r->err, "CONSUL_HTTP_TOKEN holds a line break");
    if (!c->cert_file != !c->key_file)
        return node_error(n, r->err, "cert_file and key_file belong together; one is missing");
    if (!c->tag_prefix[0])
        return node_error(n, r->err, "tag_prefix must not be empty");
    return 0;
}

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
    if (n->kind == NODE_MAP && node_get(n, "instances"))
        return node_error(node_get(n, "instances"), r->err, "instances belong to one service");
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
    DURATION("drain_timeout", config, drain_timeout_ms, 0, 24 * HOURS, "30s",
             "After SIGTERM: how long running requests may go on."),
    DURATION("drain_delay", config, drain_delay_ms, 0, HOURS, "0",
             "After SIGTERM: time between failing `/readyz` and closing the listeners."),
};
const struct section top_section = {top_fields, ARRAY_LEN(top_fields)};
