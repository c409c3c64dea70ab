/* SPDX-License-Identifier: Apache-2.0 */
/* tls.c - `tls:`, `hsts:` and `redirect_https:` of a listener. */
#include "config/sections.h"

#include "base/log.h"
#include "config/value.h"

#include <string.h>

static const char *const version_words[] = {"1.2", "1.3", NULL};
static const char *const client_words[] = {"none", "optional", "required", NULL};

/* A certificate's own `client_certificates` is read into a draft, to know whether it is there. */
static const struct field certificate_fields[] = {
    STRING("cert", tls_certificate_conf, cert, NULL, value_file_problem,
           "The certificate (PEM) with the intermediate ones behind it. The names in it are the "
           "names that it is shown for."),
    STRING("key", tls_certificate_conf, key, NULL, value_file_problem, "Its private key (PEM)."),
    STRING(
        "ocsp", tls_certificate_conf, ocsp, NULL, value_file_problem,
        "An OCSP response for it (DER), shown to clients that ask for one. One that has expired, "
        "or does not say that this certificate is good, is not shown."),
    {.key = "client_certificates",
     .type = FIELD_WORD,
     .offset = FIELD_AT(tls_certificate_conf, client.mode, enum tls_client_certificates),
     .words = client_words,
     .shown = "the listener's",
     .help = "As in `tls`, for the names of this certificate alone."},
    STRING("client_ca", tls_certificate_conf, client.ca, NULL, value_file_problem,
           "As in `tls`, for the names of this certificate alone; unset = the listener's."),
};
const struct section tls_certificate_section = {certificate_fields, ARRAY_LEN(certificate_fields)};

static int certificate_read(struct reader *r, const struct node *n, void *at)
{
    struct tls_certificate_conf *c = at;

    if (n->kind != NODE_MAP)
        return node_expected(n, r->err, "a map such as { cert: FILE, key: FILE }");
    if (section_read(r, &tls_certificate_section, n, c) < 0)
        return -1;
    if (!c->cert || !c->key)
        return node_error(n, r->err, "a certificate needs cert and key");
    return 0;
}

static int certificates_read(struct reader *r, const struct node *n, void *at)
{
    struct tls_conf *t = at;

    t->certificates = list_read(r, n, "a list of certificates", TLS_MAX_CERTIFICATES,
                                sizeof *t->certificates, certificate_read, &t->ncertificates);
    return t->certificates ? 0 : -1;
}

static const struct field tls_fields[] = {
    {.key = "certificates",
     .type = FIELD_CUSTOM,
     .section = &tls_certificate_section,
     .read = certificates_read,
     .kind = "list of maps",
     .shown = "required",
     .help = "The certificates. Which one a client sees is chosen by the name that it asks for; "
             "the first is for clients that ask for none of them."},
    {.key = "min_version",
     .type = FIELD_BOOL,
     .offset = FIELD_AT(tls_conf, tls13, bool),
     .words = version_words,
     .dflt = "1.2",
     .help = "Oldest version of TLS that is spoken."},
    STRING("ciphers", tls_conf, ciphers, NULL, value_file_problem,
           "Cipher suites of TLS 1.2, as `openssl ciphers` understands them; unset = those with "
           "ECDHE and AEAD. TLS 1.3 has good ones only."),
    {.key = "client_certificates",
     .type = FIELD_WORD,
     .offset = FIELD_AT(tls_conf, client.mode, enum tls_client_certificates),
     .words = client_words,
     .dflt = "none",
     .help = "Are clients asked for a certificate? With `required` those without one do not come "
             "in; a route can ask for one by `client_certificate: required`."},
    STRING("client_ca", tls_conf, client.ca, NULL, value_file_problem,
           "Authorities whose client certificates are believed (PEM)."),
    DURATION("handshake_timeout", tls_conf, handshake_timeout_ms, 100, HOURS, "10s",
             "Longest time from connecting to the end of the handshake."),
    UNSIGNED(
        "max_handshakes_per_second", tls_conf, max_handshakes_per_second, 0, 1000000, "0",
        "Handshakes of this listener, all workers together; 0 = no limit. After a pause as many "
        "at once; connections above that are closed."),
    UNSIGNED("max_concurrent_handshakes", tls_conf, max_concurrent_handshakes, 0, 1000000, "0",
             "Handshakes under way at once, all workers together; 0 = no limit. Connections above "
             "that are closed."),
    BOOLEAN("tickets", tls_conf, tickets, "true",
            "Lets clients resume a session without a full handshake."),
    DURATION("ticket_rotation", tls_conf, ticket_rotation_ms, SECONDS, 7 * 24 * HOURS, "12h",
             "How long a key protects new tickets, and how long a ticket is good for."),
};
const struct section tls_section = {tls_fields, ARRAY_LEN(tls_fields)};

/* What the certificate says, else what the listener does. */
static int client_finish(struct reader *r, const struct node *n, const struct node *said,
                         const struct tls_conf *t, struct tls_client_conf *c)
{
    if (!said)
        c->mode = t->client.mode;
    if (!c->ca)
        c->ca = t->client.ca;
    if (c->mode == TLS_CLIENT_NONE)
        c->ca = NULL;
    else if (!c->ca)
        return node_error(n, r->err, "client_certificates: %s needs a client_ca",
                          client_words[c->mode]);
    return 0;
}

static int certificates_finish(struct reader *r, const struct node *n, struct tls_conf *t)
{
    size_t i = 0;

    node_each(it, n)
    {
        if (client_finish(r, it, node_get(it, "client_certificates"), t,
                          &t->certificates[i++].client) < 0)
            return -1;
    }
    return 0;
}

int tls_finish(struct reader *r, const struct node *n, void *at)
{
    struct tls_conf *t = at;
    const struct node *certificates = node_get(n, "certificates");

    if (!certificates || t->ncertificates == 0)
        return node_error(n, r->err, "tls needs certificates");
    t->enabled = true;
    if (t->client.mode != TLS_CLIENT_NONE && !t->client.ca)
        return node_error(n, r->err, "client_certificates: %s needs a client_ca",
                          client_words[t->client.mode]);
    if (t->tls13 && t->ciphers)
        return node_error(n, r->err, "ciphers are those of TLS 1.2, which min_version excludes");
    return certificates_finish(r, certificates, t);
}

static const struct field hsts_fields[] = {
    DURATION("max_age", hsts_conf, max_age_ms, 0, 3650ll * 24 * HOURS, "4320h",
             "How long a browser that has seen the field uses nothing but TLS for the host."),
    BOOLEAN("include_subdomains", hsts_conf, include_subdomains, "false",
            "The same for all names below it."),
    BOOLEAN("preload", hsts_conf, preload, "false",
            "Asks browsers' makers to build the host in, which is hard to undo."),
};
const struct section hsts_section = {hsts_fields, ARRAY_LEN(hsts_fields)};

int hsts_finish(struct reader *r, const struct node *n, void *at)
{
    struct hsts_conf *h = at;

    (void)r;
    (void)n;
    h->enabled = true;
    return 0;
}

int hsts_switch_read(struct reader *r, const struct node *n, void *at)
{
    struct hsts_conf *h = at;

    h->enabled = strcmp(n->text, "true") == 0;
    if (!h->enabled && strcmp(n->text, "false") != 0)
        return node_expected(n, r->err, "true, false, or a map such as { max_age: 4320h }");
    return 0;
}

int redirect_https_read(struct reader *r, const struct node *n, void *at)
{
    unsigned *port = at;
    uint64_t value;

    if (n->kind != NODE_TEXT || node_is_null(n))
        return node_expected(n, r->err, "true, false or the port of the TLS listener");
    if (strcmp(n->text, "true") == 0 || strcmp(n->text, "false") == 0) {
        *port = n->text[0] == 't' ? 443 : 0;
        return 0;
    }
    if (!value_unsigned(n->text, &value) || value == 0 || value > 65535)
        return node_expected(n, r->err, "true, false or the port of the TLS listener");
    *port = (unsigned)value;
    return 0;
}

int listener_tls_check(struct reader *r, const struct node *n, struct listener_conf *l)
{
    if (l->tls.enabled && l->redirect_https)
        return node_error(node_get(n, "redirect_https"), r->err,
                          "is for listeners without tls: this one speaks it");
    if (!node_get(n, "hsts"))
        l->hsts.enabled = l->tls.enabled;
    if (!l->tls.enabled && l->hsts.enabled)
        return node_error(node_get(n, "hsts"), r->err,
                          "is for listeners with tls: browsers ignore it elsewhere");
    return 0;
}

void tls_guard(struct reader *r)
{
    guarded_add(r->arena, &r->config->guarded, "Client-Cert");
    guarded_add(r->arena, &r->config->guarded, "Client-Cert-Chain");
}

/* Could a client of this listener show a certificate? */
static bool asks_for_certificates(const struct listener_conf *l)
{
    for (size_t i = 0; i < l->tls.ncertificates; i++)
        if (l->tls.certificates[i].client.mode != TLS_CLIENT_NONE)
            return true;
    return false;
}

void tls_warn(const struct config *c)
{
    bool asked = false;

    for (size_t i = 0; i < c->nlisteners; i++)
        asked |= asks_for_certificates(&c->listeners[i]);
    for (size_t i = 0; !asked && i < c->nroutes; i++)
        if (c->routes[i].client_certificate)
            log_warn("config",
                     "%s: client_certificate: required, but no listener asks for one by "
                     "tls.client_certificates: every request will be refused",
                     c->routes[i].source);
}
