/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/server.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/macros.h"
#include "tls/tickets.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <uthash.h>

enum { NAME_MAX_BYTES = 253 };

/* ECDHE and AEAD alone (RFC 9325 section 4.2). */
static const char default_ciphers[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

/* Certificates with a name in common that ask the same of clients. */
struct group {
    SSL_CTX *ctx; /* owned */
    struct tls_client_conf client;
};

struct name {
    char *text; /* lower case, owned; "*.shop.example" */
    struct group *group;
    UT_hash_handle hh;
};

struct tls_server {
    _Atomic int refs;
    struct group *groups; /* owned; the first is the default */
    size_t ngroups;
    struct name *names;          /* owned */
    struct ticket_keys *tickets; /* ref */
};

struct making {
    struct tls_server *s;
    const char *address;
    const struct tls_conf *conf;
    struct err *e;
};

static const char *openssl_reason(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;

    return text ? text : "it cannot be used";
}

static int bad(const struct making *m, const char *file, const char *what)
{
    return err_set(m->e, "listener %s: %s %s: %s", m->address, what, file, openssl_reason());
}

/* "www.shop.example" -> itself, then "*.shop.example". */
static struct group *find_group(const struct tls_server *s, const char *host, size_t n)
{
    char name[NAME_MAX_BYTES + 2];
    struct name *found;
    const char *dot;

    if (n == 0 || n > NAME_MAX_BYTES || memchr(host, '\0', n))
        return NULL;
    for (size_t i = 0; i < n; i++)
        name[i] = ascii_lower(host[i]);
    name[n] = '\0';
    HASH_FIND(hh, s->names, name, n, found);
    if (found)
        return found->group;
    dot = memchr(name, '.', n);
    if (!dot || dot == name)
        return NULL;
    name[dot - name - 1] = '*';
    HASH_FIND(hh, s->names, dot - 1, n - (size_t)(dot - name) + 1, found);
    return found ? found->group : NULL;
}

/* The name that a ClientHello asks for (RFC 6066 section 3); false when there is none. */
static bool asked_name(SSL *ssl, const char **ret, size_t *ret_n)
{
    const unsigned char *p;
    size_t n, list, len;

    if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &n) || n < 5)
        return false;
    list = (size_t)p[0] << 8 | p[1];
    len = (size_t)p[3] << 8 | p[4];
    if (list + 2 != n || p[2] != TLSEXT_NAMETYPE_host_name || len + 5 > n)
        return false;
    *ret = (const char *)p + 5;
    *ret_n = len;
    return true;
}

static int on_client_hello(SSL *ssl, int *alert, void *arg)
{
    const struct tls_server *s = arg;
    const char *host;
    size_t n;
    struct group *g;

    (void)alert;
    if (!asked_name(ssl, &host, &n) || !(g = find_group(s, host, n)) || g == &s->groups[0])
        return SSL_CLIENT_HELLO_SUCCESS;
    SSL_set_SSL_CTX(ssl, g->ctx);
    /* What SSL_set_SSL_CTX() leaves as it was. */
    SSL_set_verify(ssl, SSL_CTX_get_verify_mode(g->ctx), SSL_CTX_get_verify_callback(g->ctx));
    return SSL_CLIENT_HELLO_SUCCESS;
}

/* HTTP/1.1 is what is spoken: whoever offers something else alone is told so (RFC 7301). */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
                   const unsigned char *in, unsigned in_n, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";

    (void)ssl;
    (void)arg;
    return SSL_select_next_proto((unsigned char **)out, out_n, ours, sizeof ours - 1, in, in_n) ==
                   OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int ask_clients(struct making *m, SSL_CTX *ctx, const struct tls_client_conf *c)
{
    STACK_OF(X509_NAME) * names;
    int mode = SSL_VERIFY_PEER;

    if (c->mode == TLS_CLIENT_NONE)
        return 0;
    if (SSL_CTX_load_verify_locations(ctx, c->ca, NULL) != 1)
        return bad(m, c->ca, "client_ca");
    names = SSL_load_client_CA_file(c->ca);
    if (!names)
        return bad(m, c->ca, "client_ca");
    SSL_CTX_set_client_CA_list(ctx, names);
    if (c->mode == TLS_CLIENT_REQUIRED)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(ctx, mode, NULL);
    return 0;
}

/* Sessions are good only among names that ask the same of clients. */
static int set_session_context(SSL_CTX *ctx, const struct tls_client_conf *c)
{
    uint64_t id[2] = {hash_str(str_of(c->ca ? c->ca : ""), 1), (uint64_t)c->mode};

    return SSL_CTX_set_session_id_context(ctx, (const unsigned char *)id, sizeof id);
}

static SSL_CTX *make_ctx(struct making *m, const struct tls_client_conf *client)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    const char *ciphers = m->conf->ciphers ? m->conf->ciphers : default_ciphers;

    if (!ctx) {
        err_set(m->e, "listener %s: no memory", m->address);
        return NULL;
    }
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_client_hello_cb(ctx, on_client_hello, m->s);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, m->s);
    SSL_CTX_set_timeout(ctx, (long)(m->conf->ticket_rotation_ms / 1000));
    if (!m->conf->tickets)
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    /* One: with two, which is OpenSSL's habit, a handshake costs 7 % more. Who resumes gets the
     * next one, and over HTTP/2 nobody needs connections side by side. */
    SSL_CTX_set_num_tickets(ctx, m->conf->tickets ? 1 : 0);
    if (SSL_CTX_set_min_proto_version(ctx, m->conf->tls13 ? TLS1_3_VERSION : TLS1_2_VERSION) == 1 &&
        SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384") == 1 &&
        set_session_context(ctx, client) == 1 && ticket_keys_attach(m->s->tickets, ctx) == 0) {
        if (SSL_CTX_set_cipher_list(ctx, ciphers) == 1) {
            if (ask_clients(m, ctx, client) == 0)
                return ctx;
        } else {
            bad(m, ciphers, "ciphers");
        }
    } else {
        err_set(m->e, "listener %s: %s", m->address, openssl_reason());
    }
    SSL_CTX_free(ctx);
    return NULL;
}

static bool same_client(const struct tls_client_conf *a, const struct tls_client_conf *b)
{
    return a->mode == b->mode && (a->mode == TLS_CLIENT_NONE || strcmp(a->ca, b->ca) == 0);
}

static X509 *read_certificate(struct making *m, const char *file)
{
    BIO *in = BIO_new_file(file, "r");
    X509 *x = in ? PEM_read_bio_X509_AUX(in, NULL, NULL, NULL) : NULL;

    BIO_free(in);
    if (!x)
        bad(m, file, "certificate");
    return x;
}

typedef int name_fn(struct making *m, const char *text, size_t n, void *arg);

static int each_name(struct making *m, X509 *x, name_fn *fn, void *arg)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    int r = 0;

    for (int i = 0; r == 0 && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
        const ASN1_STRING *t = g->type == GEN_DNS ? g->d.dNSName : NULL;

        if (t)
            r = fn(m, (const char *)ASN1_STRING_get0_data(t), (size_t)ASN1_STRING_length(t), arg);
    }
    GENERAL_NAMES_free(names);
    return r;
}

static struct name *find_name(const struct tls_server *s, const char *text, size_t n)
{
    struct name *found = NULL;

    for (struct name *i = s->names; i; i = i->hh.next)
        if (strlen(i->text) == n && strncasecmp(i->text, text, n) == 0)
            found = i;
    return found;
}

struct looking {
    const struct tls_client_conf *client;
    struct group *group;
};

static int look_for_group(struct making *m, const char *text, size_t n, void *arg)
{
    struct looking *l = arg;
    struct name *known = find_name(m->s, text, n);

    if (known && same_client(&known->group->client, l->client))
        l->group = known->group;
    return 0;
}

static int add_name(struct making *m, const char *text, size_t n, void *arg)
{
    struct name *name;

    if (n == 0 || n > NAME_MAX_BYTES || memchr(text, '\0', n) || find_name(m->s, text, n))
        return 0;
    name = calloc(1, sizeof *name);
    if (!name || !(name->text = strndup(text, n)))
        abort();
    for (char *p = name->text; *p; p++)
        *p = ascii_lower(*p);
    name->group = arg;
    HASH_ADD_KEYPTR(hh, m->s->names, name->text, n, name);
    return 0;
}

static int add_certificate(struct making *m, const struct tls_certificate_conf *c)
{
    X509 *x = read_certificate(m, c->cert);
    struct looking l = {&c->client, NULL};
    int r = -1;

    if (!x)
        return -1;
    each_name(m, x, look_for_group, &l);
    if (!l.group) {
        l.group = &m->s->groups[m->s->ngroups];
        l.group->client = c->client;
        l.group->ctx = make_ctx(m, &c->client);
        m->s->ngroups += l.group->ctx != NULL;
    }
    if (l.group->ctx && SSL_CTX_use_certificate_chain_file(l.group->ctx, c->cert) != 1)
        bad(m, c->cert, "certificate");
    else if (l.group->ctx &&
             SSL_CTX_use_PrivateKey_file(l.group->ctx, c->key, SSL_FILETYPE_PEM) != 1)
        bad(m, c->key, "key");
    else if (l.group->ctx)
        r = each_name(m, x, add_name, l.group);
    X509_free(x);
    return r;
}

struct tls_server *tls_server_new(const char *address, const struct tls_conf *c,
                                  const struct tls_server *before, struct err *e)
{
    struct tls_server *s = calloc(1, sizeof *s);
    struct making m = {s, address, c, e};

    if (!s || !(s->groups = calloc(c->ncertificates, sizeof *s->groups)))
        abort();
    s->refs = 1;
    s->tickets = before ? ticket_keys_ref(before->tickets) : ticket_keys_new(c->ticket_rotation_ms);
    ticket_keys_set_rotation(s->tickets, c->ticket_rotation_ms);
    for (size_t i = 0; i < c->ncertificates; i++) {
        ERR_clear_error();
        if (add_certificate(&m, &c->certificates[i]) < 0) {
            tls_server_unref(&s);
            return NULL;
        }
    }
    return s;
}

struct tls_server *tls_server_ref(struct tls_server *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void tls_server_unref(struct tls_server **sp)
{
    struct tls_server *s = *sp;
    struct name *n, *next;

    *sp = NULL;
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) > 1)
        return;
    HASH_ITER(hh, s->names, n, next)
    {
        HASH_DEL(s->names, n);
        free(n->text);
        free(n);
    }
    for (size_t i = 0; i < s->ngroups; i++)
        SSL_CTX_free(s->groups[i].ctx);
    ticket_keys_unref(&s->tickets);
    free(s->groups);
    free(s);
}

SSL *tls_server_session(struct tls_server *s)
{
    return SSL_new(s->groups[0].ctx);
}

bool tls_server_serves(const struct tls_server *s, const SSL *ssl, const char *host, size_t n)
{
    const struct group *wanted = find_group(s, host, n), *has = &s->groups[0];

    if (!wanted)
        wanted = &s->groups[0];
    for (size_t i = 0; i < s->ngroups; i++)
        if (s->groups[i].ctx == SSL_get_SSL_CTX(ssl))
            has = &s->groups[i];
    return same_client(&wanted->client, &has->client);
}
