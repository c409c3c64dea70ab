/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/client.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum file { FILE_CA, FILE_CERT, FILE_KEY, FILES };

/* What a file looked like when it was read. */
struct stamp {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec changed;
};

struct tls_client {
    _Atomic int refs;
    struct list node;   /* in tls_clients.list */
    char *paths[FILES]; /* owned; NULL = none */
    struct stamp stamps[FILES];
    bool tls13;
    struct tls_certificate *certificate; /* shown to those who ask; owned, NULL = none. Control
                                            thread */
    pthread_mutex_t lock;                /* guards ctx and generation */
    SSL_CTX *ctx;
    uint64_t generation;
};

struct tls_clients {
    struct list list; /* refs */
    uint64_t generation;
};

/* Where an SSL keeps the struct memory_use of its connection. */
static int use_index;

struct memory_use {
    struct tls_memory *memory;
    uint64_t generation;
    bool verify;
    char name[];
};

static void free_use(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl, void *argp)
{
    (void)parent;
    (void)ad;
    (void)idx;
    (void)argl;
    (void)argp;
    free(ptr);
}

static void make_index(void)
{
    use_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, free_use);
}

void tls_memory_release(struct tls_memory *m)
{
    SSL_SESSION_free(m->session);
    free(m->name);
    memset(m, 0, sizeof *m);
}

/* A ticket came: with TLS 1.3 after the handshake, at any time while the connection is up. */
static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
    struct memory_use *use = SSL_get_ex_data(ssl, use_index);
    char *name;

    if (!use || !use->memory || !SSL_SESSION_is_resumable(session))
        return 0;
    name = strdup(use->name);
    if (!name)
        return 0;
    tls_memory_release(use->memory);
    *use->memory = (struct tls_memory){session, use->generation, name, use->verify};
    return 1; /* the reference is ours now */
}

static int file_error(const char *path, struct err *e)
{
    unsigned long code = ERR_peek_error();
    const char *why = code ? ERR_reason_error_string(code) : NULL;

    if (code && ERR_SYSTEM_ERROR(code))
        why = strerror(ERR_GET_REASON(code));
    ERR_clear_error();
    return err_set(e, "cannot use %s: %s", path, why ? why : "it holds nothing of the kind");
}

static int load_files(SSL_CTX *ctx, const struct tls_client *t, struct tls_certificate **ret,
                      struct err *e)
{
    struct tls_certificate_conf pair = {.cert = t->paths[FILE_CERT], .key = t->paths[FILE_KEY]};
    const char *ca = t->paths[FILE_CA];

    if (ca ? SSL_CTX_load_verify_file(ctx, ca) != 1 : SSL_CTX_set_default_verify_paths(ctx) != 1)
        return file_error(ca ? ca : "the system's authorities", e);
    if (!pair.cert)
        return 0;
    *ret = tls_certificate_read(&pair, NULL, clock_wall_ms() / 1000, e);
    if (!*ret)
        return -1;
    if (tls_certificate_use(*ret, ctx) < 0)
        return file_error(pair.cert, e);
    return 0;
}

static SSL_CTX *make_context(const struct tls_client *t, struct tls_certificate **ret,
                             struct err *e)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    if (!ctx)
        abort();
    ERR_clear_error();
    SSL_CTX_set_min_proto_version(ctx, t->tls13 ? TLS1_3_VERSION : TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(ctx, on_new_session);
    *ret = NULL;
    if (load_files(ctx, t, ret, e) == 0)
        return ctx;
    tls_certificate_free(ret);
    SSL_CTX_free(ctx);
    return NULL;
}

static struct stamp stamp_of(const char *path)
{
    struct stat s;

    if (!path || stat(path, &s) < 0)
        return (struct stamp){0};
    return (struct stamp){s.st_dev, s.st_ino, s.st_size, s.st_mtim};
}

static bool same_stamp(const struct stamp *a, const struct stamp *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* True when a file is not the one that was read. */
static bool take_stamps(struct tls_client *t)
{
    bool changed = false;

    for (int i = 0; i < FILES; i++) {
        struct stamp now = stamp_of(t->paths[i]);

        changed |= !same_stamp(&now, &t->stamps[i]);
        t->stamps[i] = now;
    }
    return changed;
}

struct tls_clients *tls_clients_new(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct tls_clients *all = calloc(1, sizeof *all);

    if (!all)
        abort();
    pthread_once(&once, make_index);
    list_init(&all->list);
    return all;
}

struct tls_client *tls_client_ref(struct tls_client *t)
{
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

void tls_client_unref(struct tls_client **tp)
{
    struct tls_client *t = *tp;

    *tp = NULL;
    if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) > 1)
        return;
    SSL_CTX_free(t->ctx);
    tls_certificate_free(&t->certificate);
    for (int i = 0; i < FILES; i++)
        free(t->paths[i]);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

static void forget(struct tls_client *t)
{
    list_remove(&t->node);
    tls_client_unref(&t);
}

void tls_clients_free(struct tls_clients *all)
{
    if (!all)
        return;
    while (!list_empty(&all->list))
        forget(CONTAINER_OF(all->list.next, struct tls_client, node));
    free(all);
}

static bool same_path(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool is_for(const struct tls_client *t, const struct upstream_tls_conf *c)
{
    return same_path(t->paths[FILE_CA], c->ca) && same_path(t->paths[FILE_CERT], c->cert) &&
           same_path(t->paths[FILE_KEY], c->key) && t->tls13 == c->tls13;
}

static char *copy(const char *text)
{
    char *result = text ? strdup(text) : NULL;

    if (text && !result)
        abort();
    return result;
}

static struct tls_client *make(struct tls_clients *all, const struct upstream_tls_conf *c,
                               struct err *e)
{
    struct tls_client *t = calloc(1, sizeof *t);

    if (!t)
        abort();
    t->refs = 1;
    list_init(&t->node);
    pthread_mutex_init(&t->lock, NULL);
    t->paths[FILE_CA] = copy(c->ca);
    t->paths[FILE_CERT] = copy(c->cert);
    t->paths[FILE_KEY] = copy(c->key);
    t->tls13 = c->tls13;
    /* Before they are read: what changes in between is read again. */
    take_stamps(t);
    t->ctx = make_context(t, &t->certificate, e);
    if (!t->ctx) {
        tls_client_unref(&t);
        return NULL;
    }
    t->generation = ++all->generation;
    list_push_back(&all->list, &t->node);
    return t;
}

struct tls_client *tls_clients_get(struct tls_clients *all, const struct upstream_tls_conf *c,
                                   struct err *e)
{
    struct tls_client *t;

    list_each(node, &all->list)
    {
        t = CONTAINER_OF(node, struct tls_client, node);
        if (is_for(t, c))
            return tls_client_ref(t);
    }
    t = make(all, c, e);
    return t ? tls_client_ref(t) : NULL;
}

static void refresh(struct tls_clients *all, struct tls_client *t)
{
    struct tls_certificate *certificate;
    struct err e;
    SSL_CTX *fresh, *old;

    if (!take_stamps(t))
        return;
    fresh = make_context(t, &certificate, &e);
    if (!fresh) {
        log_error("tls", "files of upstream TLS changed, the old ones stay in force: %s", e.text);
        return;
    }
    pthread_mutex_lock(&t->lock);
    old = t->ctx;
    t->ctx = fresh;
    t->generation = ++all->generation;
    pthread_mutex_unlock(&t->lock);
    SSL_CTX_free(old);
    tls_certificate_free(&t->certificate);
    t->certificate = certificate;
    log_info("tls", "read again for upstream TLS: %s%s%s",
             t->paths[FILE_CA] ? t->paths[FILE_CA] : "the system's authorities",
             t->paths[FILE_CERT] ? ", " : "", t->paths[FILE_CERT] ? t->paths[FILE_CERT] : "");
}

void tls_clients_refresh(struct tls_clients *all)
{
    struct list *node = all->list.next;

    while (node != &all->list) {
        struct tls_client *t = CONTAINER_OF(node, struct tls_client, node);

        node = node->next;
        if (atomic_load_explicit(&t->refs, memory_order_acquire) == 1)
            forget(t);
        else
            refresh(all, t);
    }
}

const struct tls_certificate *tls_clients_certificate(const struct tls_clients *all, unsigned i)
{
    list_each(node, &all->list)
    {
        const struct tls_client *t = CONTAINER_OF(node, struct tls_client, node);

        if (t->certificate && i-- == 0)
            return t->certificate;
    }
    return NULL;
}

const char *tls_client_name(const struct upstream_tls_conf *c, const char *service,
                            const char *address, char *buf, size_t cap)
{
    static const char hole[] = "{service}";
    const char *at = c->server_name ? strstr(c->server_name, hole) : NULL;

    if (!c->server_name)
        snprintf(buf, cap, "%s", address);
    else if (!at)
        snprintf(buf, cap, "%s", c->server_name);
    else
        snprintf(buf, cap, "%.*s%s%s", (int)(at - c->server_name), c->server_name, service,
                 at + strlen(hole));
    return buf;
}

static bool is_address(const char *name)
{
    struct in6_addr a;

    return inet_pton(AF_INET, name, &a) == 1 || inet_pton(AF_INET6, name, &a) == 1;
}

static bool set_name(SSL *ssl, const struct tls_peer_wanted *wanted)
{
    bool address = is_address(wanted->name);

    /* RFC 6066 section 3: no addresses in SNI. */
    if (!address && SSL_set_tlsext_host_name(ssl, wanted->name) != 1)
        return false;
    if (!wanted->verify)
        return true;
    SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    SSL_set_hostflags(ssl,
                      X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), wanted->name) == 1
                   : SSL_set1_host(ssl, wanted->name) == 1;
}

static bool set_alpn(SSL *ssl, enum tls_alpn alpn)
{
    static const struct {
        const char *list;
        unsigned n;
    } lists[] = {
        [TLS_ALPN_HTTP1] = {"\x08http/1.1", 9},
        [TLS_ALPN_H2] = {"\x02h2", 3},
        [TLS_ALPN_EITHER] = {"\x02h2\x08http/1.1", 12},
    };

    return SSL_set_alpn_protos(ssl, (const unsigned char *)lists[alpn].list, lists[alpn].n) == 0;
}

/* A session that began with another name, other authorities or no look at the certificate proves
 * nothing here: with it the certificate would not be looked at again. */
static void resume(SSL *ssl, const struct memory_use *use)
{
    const struct tls_memory *m = use->memory;

    if (m->session && m->generation == use->generation && m->verified == use->verify &&
        strcmp(m->name, use->name) == 0)
        SSL_set_session(ssl, m->session);
}

static struct memory_use *use_of(const struct tls_peer_wanted *wanted, struct tls_memory *memory,
                                 uint64_t generation)
{
    size_t n = strlen(wanted->name) + 1;
    struct memory_use *use = malloc(sizeof *use + n);

    if (!use)
        return NULL;
    use->memory = memory;
    use->generation = generation;
    use->verify = wanted->verify;
    memcpy(use->name, wanted->name, n);
    return use;
}

SSL *tls_client_session(struct tls_client *t, const struct tls_peer_wanted *wanted,
                        struct tls_memory *memory)
{
    struct memory_use *use;
    SSL *ssl;

    ERR_clear_error();
    pthread_mutex_lock(&t->lock);
    ssl = SSL_new(t->ctx);
    use = use_of(wanted, memory, t->generation);
    pthread_mutex_unlock(&t->lock);
    if (!ssl || !use || SSL_set_ex_data(ssl, use_index, use) != 1) {
        free(use);
        SSL_free(ssl);
        return NULL;
    }
    if (!set_name(ssl, wanted) || !set_alpn(ssl, wanted->alpn)) {
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_connect_state(ssl);
    resume(ssl, use);
    return ssl;
}

const char *tls_client_problem(const SSL *ssl, const char *other, char *buf, size_t cap)
{
    long verdict = SSL_get_verify_result(ssl);

    if (SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE && verdict != X509_V_OK)
        snprintf(buf, cap, "certificate refused: %s", X509_verify_cert_error_string(verdict));
    else
        snprintf(buf, cap, "%s", other);
    return buf;
}
