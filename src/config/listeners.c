/* SPDX-License-Identifier: Apache-2.0 */
/* listeners.c - where frontdesk listens: `listeners:` for clients, `admin:` for people. */
#include "config/sections.h"

#include "config/value.h"

#include <string.h>

/* Listeners bind addresses, never names: what a name means may change under a running gateway. */
static int bind_address(struct reader *r, const struct node *n, const char **ret_host,
                        uint16_t *ret_port)
{
    static const char expected[] =
        "an IP address and port such as 0.0.0.0:8080, [::]:8080 or :8080";

    if (n->kind != NODE_TEXT || !value_address(r->arena, n->text, ret_host, ret_port))
        return node_expected(n, r->err, expected);
    if ((*ret_host)[0] == '\0')
        *ret_host = "0.0.0.0";
    else if (strcmp(*ret_host, "localhost") == 0)
        *ret_host = "127.0.0.1";
    if (!value_is_ip(*ret_host))
        return node_expected(n, r->err, expected);
    return 0;
}

static int listener_address_read(struct reader *r, const struct node *n, void *at)
{
    struct listener_conf *l = at;

    if (bind_address(r, n, &l->host, &l->port) < 0)
        return -1;
    l->address = arena_strdup(r->arena, n->text);
    return 0;
}

static const struct field listener_fields[] = {
    {.key = "address",
     .type = FIELD_CUSTOM,
     .read = listener_address_read,
     .kind = "address",
     .shown = "required",
     .help = "Where to listen: `0.0.0.0:8080`, `[::]:8080`; `:8080` is every IPv4 address."},
    {.key = "allow_from",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(listener_conf, addresses.allow, struct cidr_list),
     .read = cidr_list_read,
     .kind = "list of addresses",
     .shown = "everybody",
     .help = "Clients that may ask here: addresses and networks."},
    {.key = "deny_from",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(listener_conf, addresses.deny, struct cidr_list),
     .read = cidr_list_read,
     .kind = "list of addresses",
     .shown = "nobody",
     .help = "Clients that may not (403 `address_denied`), even if `allow_from` has them."},
    {.key = "proxy_protocol",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(listener_conf, proxy_protocol, const struct proxy_protocol_conf *),
     .section = &proxy_protocol_section,
     .read = listener_proxy_read,
     .kind = "map",
     .shown = "off",
     .help = "Every connection begins with a PROXY protocol header that names its client, before "
             "TLS; one without is closed."},
    {.key = "tls",
     .type = FIELD_SECTION,
     .offset = offsetof(struct listener_conf, tls),
     .section = &tls_section,
     .read = tls_finish,
     .shown = "off",
     .help = "Speaks TLS to clients."},
    {.key = "hsts",
     .type = FIELD_SECTION,
     .offset = offsetof(struct listener_conf, hsts),
     .section = &hsts_section,
     .read = hsts_finish,
     .read_text = hsts_switch_read,
     .kind = "map, `true` or `false`",
     .shown = "on with `tls`",
     .help = "Answers carry `Strict-Transport-Security`; a service's own is replaced."},
    {.key = "http2",
     .type = FIELD_SECTION,
     .offset = offsetof(struct listener_conf, http2),
     .section = &http2_section,
     .read = http2_finish,
     .read_text = http2_switch_read,
     .kind = "map, `true` or `false`",
     .shown = "on with `tls`",
     .help =
         "Speaks HTTP/2 too: over TLS with clients that choose it (ALPN), without TLS with those "
         "that begin with it."},
    {.key = "redirect_https",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(listener_conf, redirect_https, unsigned),
     .read = redirect_https_read,
     .kind = "`true`, `false` or a port",
     .shown = "`false`",
     .help = "Answers every request with a redirect (308) to the same address by `https:`; "
             "`true` = port 443."},
};
const struct section listener_section = {listener_fields, ARRAY_LEN(listener_fields)};

static int listener_read(struct reader *r, const struct node *n, void *at)
{
    struct listener_conf *l = at;

    if (n->kind != NODE_MAP)
        return node_expected(n, r->err, "a map such as { address: 0.0.0.0:8080 }");
    section_defaults(r, &listener_section, l);
    if (section_read(r, &listener_section, n, l) < 0)
        return -1;
    if (!l->address)
        return node_error(n, r->err, "a listener needs an address");
    http2_default(n, l);
    return listener_tls_check(r, n, l);
}

int listeners_read(struct reader *r, const struct node *n, void *at)
{
    struct config *c = at;

    if (node_is_null(n) || (n->kind == NODE_LIST && n->n == 0))
        return 0;
    c->listeners = list_read(r, n, "a list of listeners", MAX_LISTENERS, sizeof *c->listeners,
                             listener_read, &c->nlisteners);
    if (!c->listeners)
        return -1;
    for (size_t i = 0; i < c->nlisteners; i++)
        for (size_t j = 0; j < i; j++)
            if (c->listeners[i].port == c->listeners[j].port &&
                strcmp(c->listeners[i].host, c->listeners[j].host) == 0)
                return node_error(n, r->err, "the address %s is there twice",
                                  c->listeners[i].address);
    return 0;
}

static int admin_address_read(struct reader *r, const struct node *n, void *at)
{
    struct admin_conf *a = at;

    if (bind_address(r, n, &a->host, &a->port) < 0)
        return -1;
    a->address = arena_strdup(r->arena, n->text);
    return 0;
}

static int admin_tls_finish(struct reader *r, const struct node *n, void *at)
{
    struct admin_conf *a = at;

    if (!a->tls_cert || !a->tls_key)
        return node_error(n, r->err, "cert and key belong together; one is missing");
    return 0;
}

static const struct field admin_tls_fields[] = {
    STRING("cert", admin_conf, tls_cert, NULL, value_file_problem,
           "Certificate of the admin endpoint (PEM), with the chain behind it."),
    STRING("key", admin_conf, tls_key, NULL, value_file_problem, "Its private key (PEM)."),
    STRING("client_ca", admin_conf, tls_client_ca, NULL, value_file_problem,
           "Authorities of client certificates (PEM). Reads need none; a verified one is enough "
           "for writes."),
};
static const struct section admin_tls_section = {admin_tls_fields, ARRAY_LEN(admin_tls_fields)};

static const struct field admin_fields[] = {
    {.key = "address",
     .type = FIELD_CUSTOM,
     .read = admin_address_read,
     .kind = "address",
     .dflt = "127.0.0.1:9901",
     .help = "Where the admin endpoint listens. Whoever reaches it can read everything there."},
    STRING("token_file", admin_conf, token_file, NULL, value_file_problem,
           "File with the token that writes need, at least 16 bytes; read again when it changes. "
           "Unset = no writes by token."),
    {.key = "tls",
     .type = FIELD_SECTION,
     .section = &admin_tls_section,
     .read = admin_tls_finish,
     .shown = "off",
     .help = "Serves the admin endpoint over TLS (1.2 or newer)."},
};
const struct section admin_section = {admin_fields, ARRAY_LEN(admin_fields)};

int admin_off_read(struct reader *r, const struct node *n, void *at)
{
    if (strcmp(n->text, "false") != 0)
        return node_expected(n, r->err, "a map such as { address: 127.0.0.1:9901 }, or false");
    memset(at, 0, sizeof(struct admin_conf));
    return 0;
}
