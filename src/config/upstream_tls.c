/* SPDX-License-Identifier: Apache-2.0 */
/* upstream_tls.c - `protocol:`, `tls:` and `send_proxy_protocol:` of a service. */
#include "base/log.h"
#include "config/sections.h"
#include "config/value.h"

#include <string.h>

const char *const upstream_protocol_words[] = {"catalog", "http1", "h2", "h2c", "auto", NULL};
const char *const send_proxy_words[] = {"off", "v1", "v2", NULL};

static const char *const version_words[] = {"1.2", "1.3", NULL};

/* A DNS name; "{service}" stands for the name of the service. */
static const char *server_name_problem(const char *text)
{
    char name[256];
    const char *hole = strstr(text, "{service}");
    size_t n = strlen(text);

    if (n > 200)
        return "is longer than 200 characters";
    memcpy(name, text, n + 1);
    if (hole) {
        name[hole - text] = 's';
        strcpy(name + (hole - text) + 1, hole + strlen("{service}"));
    }
    if (strpbrk(name, "{}:*") || !name[0] || value_authority_problem(name))
        return "is not a host name; {service} in it is the name of the service";
    return NULL;
}

static const struct field tls_fields[] = {
    {.key = "enabled",
     .type = FIELD_BOOL,
     .offset = FIELD_AT(upstream_tls_conf, enabled, bool),
     .shown = "`true`",
     .help = "false = these are only settings, for services that use TLS by their `protocol` or "
             "their tags."},
    STRING("ca", upstream_tls_conf, ca, NULL, value_file_problem,
           "Authorities whose certificates are believed (PEM); unset = the system's."),
    BOOLEAN("verify", upstream_tls_conf, verify, "true",
            "false = whoever answers at the address is believed. Only for a test."),
    STRING("server_name", upstream_tls_conf, server_name, NULL, server_name_problem,
           "The name that the certificate must have, also sent as SNI; `{service}` in it is the "
           "name of the service. Unset = the address of the instance, be it a name or an IP "
           "address."),
    STRING("cert", upstream_tls_conf, cert, NULL, value_file_problem,
           "The gateway's own certificate (PEM, with its chain), for services that ask for one."),
    STRING("key", upstream_tls_conf, key, NULL, value_file_problem, "Its private key (PEM)."),
    {.key = "min_version",
     .type = FIELD_BOOL,
     .offset = FIELD_AT(upstream_tls_conf, tls13, bool),
     .words = version_words,
     .dflt = "1.2",
     .help = "Oldest version of TLS that is spoken."},
};
const struct section upstream_tls_section = {tls_fields, ARRAY_LEN(tls_fields)};

int upstream_tls_finish(struct reader *r, const struct node *n, void *at)
{
    struct upstream_tls_conf *t = at;

    if (!t->cert != !t->key)
        return node_error(n, r->err, "cert and key belong together; one is missing");
    t->given = true;
    if (!node_get(n, "enabled"))
        t->enabled = true;
    return 0;
}

int upstream_tls_switch_read(struct reader *r, const struct node *n, void *at)
{
    struct upstream_tls_conf *t = at;
    bool yes = strcmp(n->text, "true") == 0;

    if (!yes && strcmp(n->text, "false") != 0)
        return node_expected(n, r->err, "true, false, or a map such as { ca: FILE }");
    t->enabled = yes;
    t->given = true;
    return 0;
}

static bool by_alpn(const struct service_conf *s)
{
    return s->protocol == PROTOCOL_H2 || s->protocol == PROTOCOL_AUTO;
}

int upstream_check(struct reader *r, const struct node *n, const struct service_conf *s)
{
    const struct node *tls = node_is_null(n) ? NULL : node_get(n, "tls");
    bool off = tls && tls->kind == NODE_TEXT && !s->tls.enabled;

    if (s->protocol == PROTOCOL_H2C && tls && s->tls.enabled)
        return node_error(tls, r->err,
                          "protocol: h2c is HTTP/2 without TLS; HTTP/2 over TLS is protocol: h2");
    if (off && by_alpn(s))
        return node_error(tls, r->err, "protocol: %s goes over TLS",
                          s->protocol == PROTOCOL_H2 ? "h2" : "auto");
    if (s->send_proxy_protocol != SEND_PROXY_OFF && (by_alpn(s) || s->protocol == PROTOCOL_H2C))
        return node_error(n, r->err,
                          "send_proxy_protocol needs protocol: http1: an HTTP/2 connection carries "
                          "requests of many clients");
    if (tls && !s->tls.verify)
        log_warn("config", "services: %s: tls.verify is false: anybody can pose as the service",
                 s->name ? s->name : "defaults");
    return 0;
}

struct transport transport_of(const struct service_conf *s, enum catalog_protocol said,
                              bool skip_verify)
{
    struct transport t = {.tls = s->tls.enabled, .verify = s->tls.verify};

    switch (s->protocol) {
    case PROTOCOL_HTTP1:
        return t;
    case PROTOCOL_H2:
        return (struct transport){.http = TRANSPORT_H2, .tls = true, .verify = t.verify};
    case PROTOCOL_AUTO:
        return (struct transport){.http = TRANSPORT_EITHER, .tls = true, .verify = t.verify};
    case PROTOCOL_H2C:
        return (struct transport){.http = TRANSPORT_H2, .verify = t.verify};
    case PROTOCOL_CATALOG:
        break;
    }
    if (said == CATALOG_H2 || said == CATALOG_H2C)
        t.http = s->send_proxy_protocol == SEND_PROXY_OFF ? TRANSPORT_H2 : TRANSPORT_HTTP1;
    t.tls |= said == CATALOG_HTTPS || said == CATALOG_H2;
    t.verify &= !(skip_verify && !s->tls.given);
    return t;
}

const char *transport_http_name(enum transport_http http)
{
    static const char *const names[] = {"http/1.1", "h2", "auto"};

    return names[http];
}

bool transport_may_use_tls(const struct service_conf *s)
{
    return s->tls.enabled || by_alpn(s) || s->protocol == PROTOCOL_CATALOG;
}
