/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/server.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/str.h"
#include "tls/gate.h"
#include "tls/tickets.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
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
    const char *text; /* lower case, of the certificate; "*.shop.example" */
    struct group *group;
    UT_hash_handle hh;
};

struct tls_server {
    _Atomic int refs;
    struct group *groups; /* owned; the first is the default */
    size_t ngroups;
    struct name *names;                    /* owned */
    struct tls_certificate **certificates; /* owned; as in the configuration */
    size_t ncertificates;
    struct ticket_keys *tickets; /* ref */
    struct tls_gate *gate;       /* ref */
    uint64_t files_look;
    bool offers_h2;
};

struct making {
    struct tls_server *s;
    const struct tls_server *before;
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

/* Whoever offers nothing of what is spoken is told so (RFC 7301). */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
                   const unsigned char *in, unsigned in_n, void *arg)
{
    static const unsigned char both[] = "\x02h2\x08http/1.1";
    const struct tls_server *s = arg;
    unsigned skip = s->offers_h2 ? 0 : 3;

    (void)ssl;
    return SSL_select_next_proto((unsigned char **)out, out_n, both + skip,
                                 (unsigned)sizeof both - 1 - skip, in,
                                 in_n) == OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* Only what can be shown goes on; a client that asks for it can do without. */
static int on_status_request(SSL *ssl, void *arg)
{
    const struct ocsp_staple *staple = tls_certificate_staple(ssl);
    unsigned char *copy;

    (void)arg;
    if (!staple || !ocsp_staple_is_fresh(staple, clock_wall_ms() / 1000))
        return SSL_TLSEXT_ERR_NOACK;
    copy = OPENSSL_memdup(staple->der, staple->n);
    if (!copy)
        return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)staple->n); /* takes it over */
    return SSL_TLSEXT_ERR_OK;
}

static int on_new_ticket(SSL *ssl, void *arg)
{
    (void)ssl;
    (void)arg;
    return 1;
}

/* A ticket says who the client is; when its certificate has expired since, it is asked again. */
static SSL_TICKET_RETURN on_ticket(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
                                   size_t n, SSL_TICKET_STATUS status, void *arg)
{
    X509 *shown = session ? SSL_SESSION_get0_peer(session) : NULL;

    (void)ssl;
    (void)name;
    (void)n;
    (void)arg;
    if (shown && X509_cmp_current_time(X509_get0_notAfter(shown)) < 0)
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    switch (status) {
    case SSL_TICKET_SUCCESS:
        return SSL_TICKET_RETURN_USE;
    case SSL_TICKET_SUCCESS_RENEW:
        return SSL_TICKET_RETURN_USE_RENEW;
    default:
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    }
}

/* Sessions are good only among names that ask the same of clients, by the same authorities: not
 * the name of their file counts but what is in it. */
static int set_session_context(SSL_CTX *ctx, const struct tls_client_conf *c,
                               STACK_OF(X509) * authorities)
{
    unsigned char sum[2 * SSL_MAX_SID_CTX_LENGTH] = {(unsigned char)c->mode};
    unsigned n;

    for (int i = 0; i < sk_X509_num(authorities); i++)
        if (X509_digest(sk_X509_value(authorities, i), EVP_sha256(), sum + SSL_MAX_SID_CTX_LENGTH,
                        &n) != 1 ||
            EVP_Digest(sum, sizeof sum, sum, &n, EVP_sha256(), NULL) != 1)
            return 0;
    return SSL_CTX_set_session_id_context(ctx, sum, SSL_MAX_SID_CTX_LENGTH);
}

static int ask_clients(struct making *m, SSL_CTX *ctx, const struct tls_client_conf *c)
{
    STACK_OF(X509) *authorities = NULL;
    int mode = SSL_VERIFY_PEER, r = 0;
    struct err e;

    if (c->mode != TLS_CLIENT_NONE) {
        authorities = x509_read_file(c->ca, &e);
        if (!authorities)
            return err_set(m->e, "listener %s: client_ca: %.900s", m->address, e.text);
        for (int i = 0; r == 0 && i < sk_X509_num(authorities); i++) {
            X509 *x = sk_X509_value(authorities, i);

            if (X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), x) != 1 ||
                SSL_CTX_add_client_CA(ctx, x) != 1)
                r = bad(m, c->ca, "client_ca");
        }
        if (c->mode == TLS_CLIENT_REQUIRED)
            mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
        SSL_CTX_set_verify(ctx, mode, NULL);
    }
    if (r == 0 && set_session_context(ctx, c, authorities) != 1)
        r = bad(m, c->ca ? c->ca : "", "session context");
    sk_X509_pop_free(authorities, X509_free);
    return r;
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
    SSL_CTX_set_tlsext_status_cb(ctx, on_status_request);
    SSL_CTX_set_session_ticket_cb(ctx, on_new_ticket, on_ticket, NULL);
    SSL_CTX_set_timeout(ctx, (long)(m->conf->ticket_rotation_ms / 1000));
    if (!m->conf->tickets)
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    /* One: with two, which is OpenSSL's habit, a handshake costs 7 % more. Who resumes gets the
     * next one, and over HTTP/2 nobody needs connections side by side. */
    SSL_CTX_set_num_tickets(ctx, m->conf->tickets ? 1 : 0);
    if (SSL_CTX_set_min_proto_version(ctx, m->conf->tls13 ? TLS1_3_VERSION : TLS1_2_VERSION) == 1 &&
        SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384") == 1 &&
        ticket_keys_attach(m->s->tickets, ctx) == 0) {
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

static struct name *find_name(const struct tls_server *s, const char *text)
{
    struct name *found;

    HASH_FIND_STR(s->names, text, found);
    return found;
}

/* The one that it shares a name with, else a new one. NULL: the message says why. */
static struct group *group_for(struct making *m, const struct tls_certificate *c,
                               const struct tls_client_conf *client)
{
    struct group *g;

    for (size_t i = 0; i < c->nnames; i++) {
        struct name *known = find_name(m->s, c->names[i]);

        if (known && same_client(&known->group->client, client))
            return known->group;
    }
    g = &m->s->groups[m->s->ngroups];
    g->client = *client;
    g->ctx = make_ctx(m, client);
    if (!g->ctx)
        return NULL;
    m->s->ngroups++;
    return g;
}

static void add_names(struct tls_server *s, const struct tls_certificate *c, struct group *g)
{
    for (size_t i = 0; i < c->nnames; i++) {
        struct name *name;

        if (find_name(s, c->names[i]))
            continue;
        name = alloc_or_abort(sizeof *name);
        name->text = c->names[i];
        name->group = g;
        HASH_ADD_KEYPTR(hh, s->names, name->text, strlen(name->text), name);
    }
}

/* The same entry of the settings before: the one with that file. */
static const struct tls_certificate *entry_before(const struct making *m, size_t at)
{
    const struct tls_server *b = m->before;
    const char *file = m->conf->certificates[at].cert;

    if (b && at < b->ncertificates && strcmp(b->certificates[at]->file, file) == 0)
        return b->certificates[at];
    for (size_t i = 0; b && i < b->ncertificates; i++)
        if (strcmp(b->certificates[i]->file, file) == 0)
            return b->certificates[i];
    return NULL;
}

static int add_certificate(struct making *m, size_t at)
{
    const struct tls_certificate_conf *conf = &m->conf->certificates[at];
    struct tls_certificate *c;
    struct group *g;
    struct err e;

    c = tls_certificate_read(conf, entry_before(m, at), clock_wall_ms() / 1000, &e);
    if (!c)
        return err_set(m->e, "listener %s: %.900s", m->address, e.text);
    m->s->certificates[m->s->ncertificates++] = c;
    if (c->ocsp_problem)
        log_warn("tls", "listener %s: ocsp: %s; %s", m->address, c->ocsp_problem,
                 c->staple ? "the one from before is stapled" : "nothing is stapled");
    g = group_for(m, c, &conf->client);
    if (!g)
        return -1;
    add_names(m->s, c, g);
    return tls_certificate_use(c, g->ctx) < 0 ? bad(m, conf->cert, "certificate") : 0;
}

static uint64_t look_at(uint64_t look, const char *path)
{
    struct stat s;
    uint64_t facts[5] = {look};

    if (!path)
        return look;
    if (stat(path, &s) == 0) {
        facts[1] = (uint64_t)s.st_dev ^ (uint64_t)s.st_ino << 16;
        facts[2] = (uint64_t)s.st_size;
        facts[3] = (uint64_t)s.st_mtim.tv_sec;
        facts[4] = (uint64_t)s.st_mtim.tv_nsec;
    }
    return hash_bytes(facts, sizeof facts, 1);
}

uint64_t tls_files_look(const struct tls_conf *c)
{
    uint64_t look = 1;
    const char *ca = NULL;

    for (size_t i = 0; i < c->ncertificates; i++) {
        const struct tls_certificate_conf *one = &c->certificates[i];

        look = look_at(look, one->cert);
        look = look_at(look, one->key);
        look = look_at(look, one->ocsp);
        if (one->client.ca != ca)
            look = look_at(look, one->client.ca);
        ca = one->client.ca;
    }
    return look;
}

struct tls_server *tls_server_new(const char *address, const struct tls_conf *c,
                                  const struct tls_server *before, struct err *e)
{
    struct tls_server *s = alloc_or_abort(sizeof *s);
    struct making m = {s, before, address, c, e};

    s->refs = 1;
    s->offers_h2 = c->offers_h2;
    s->groups = alloc_or_abort(c->ncertificates * sizeof *s->groups);
    s->certificates = alloc_or_abort(c->ncertificates * sizeof *s->certificates);
    s->tickets = before ? ticket_keys_ref(before->tickets) : ticket_keys_new(c->ticket_rotation_ms);
    s->gate = before ? tls_gate_ref(before->gate) : tls_gate_new();
    ticket_keys_set_rotation(s->tickets, c->ticket_rotation_ms);
    /* Before they are read: what changes in between is read again. */
    s->files_look = tls_files_look(c);
    for (size_t i = 0; i < c->ncertificates; i++) {
        ERR_clear_error();
        if (add_certificate(&m, i) < 0) {
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
        free(n);
    }
    for (size_t i = 0; i < s->ngroups; i++)
        SSL_CTX_free(s->groups[i].ctx);
    for (size_t i = 0; i < s->ncertificates; i++)
        tls_certificate_free(&s->certificates[i]);
    ticket_keys_unref(&s->tickets);
    tls_gate_unref(&s->gate);
    free(s->certificates);
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

struct tls_gate *tls_server_gate(const struct tls_server *s)
{
    return s->gate;
}

uint64_t tls_server_files_look(const struct tls_server *s)
{
    return s->files_look;
}

struct tls_certificate *const *tls_server_certificates(const struct tls_server *s, size_t *ret_n)
{
    *ret_n = s->ncertificates;
    return s->certificates;
}
