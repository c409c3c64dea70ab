/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/tls.h"

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>

static int tls_error(struct err *e, const char *key, const char *path)
{
    unsigned long code = ERR_peek_error();
    const char *why = code ? ERR_reason_error_string(code) : NULL;

    ERR_clear_error();
    return err_set(e, "admin.tls.%s: cannot use %s: %s", key, path, why ? why : "unknown error");
}

/* Never asks a terminal for a passphrase. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)arg;
    return 0;
}

static int load_files(SSL_CTX *ctx, const struct admin_conf *c, struct err *e)
{
    if (SSL_CTX_use_certificate_chain_file(ctx, c->tls_cert) != 1)
        return tls_error(e, "cert", c->tls_cert);
    if (SSL_CTX_use_PrivateKey_file(ctx, c->tls_key, SSL_FILETYPE_PEM) != 1)
        return tls_error(e, "key", c->tls_key);
    if (SSL_CTX_check_private_key(ctx) != 1)
        return tls_error(e, "key", c->tls_key);
    if (!c->tls_client_ca)
        return 0;
    if (SSL_CTX_load_verify_locations(ctx, c->tls_client_ca, NULL) != 1)
        return tls_error(e, "client_ca", c->tls_client_ca);
    SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(c->tls_client_ca));
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    return 0;
}

SSL_CTX *tls_context(const struct admin_conf *c, struct err *e)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    if (!ctx)
        abort();
    ERR_clear_error();
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    if (load_files(ctx, c, e) < 0) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

struct bufferevent *tls_accept(struct event_base *base, SSL_CTX *ctx)
{
    SSL *ssl = SSL_new(ctx);
    struct bufferevent *b = NULL;

    if (ssl)
        b = bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING,
                                           BEV_OPT_CLOSE_ON_FREE);
    /* libevent would take a NULL for "in the clear". */
    if (!b)
        abort();
    bufferevent_openssl_set_allow_dirty_shutdown(b, 1);
    return b;
}

bool tls_peer_name(struct bufferevent *b, char *ret, size_t cap)
{
    SSL *ssl = b ? bufferevent_openssl_get_ssl(b) : NULL;
    X509 *cert;

    ret[0] = '\0';
    if (!ssl || SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE)
        return false;
    cert = SSL_get0_peer_certificate(ssl);
    if (!cert || SSL_get_verify_result(ssl) != X509_V_OK)
        return false;
    if (X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, ret, (int)cap) < 0)
        ret[0] = '\0';
    return true;
}
