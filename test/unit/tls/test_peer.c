/* SPDX-License-Identifier: Apache-2.0 */
#include "base/macros.h"
#include "tls/x509_text.h"
#include "tls/peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "authority.h"

static struct issued root, middle, server;

static int begin_all(void **state)
{
    (void)state;
    root = issue("the root", NULL, NULL);
    middle = issue("in between", NULL, &root);
    server = issue("server", "DNS:server", &root);
    return 0;
}

static int end_all(void **state)
{
    (void)state;
    issued_free(&root);
    issued_free(&middle);
    issued_free(&server);
    return 0;
}

static SSL_CTX *server_context(int verify, int version)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    SSL_CTX_set_max_proto_version(ctx, version);
    SSL_CTX_use_certificate(ctx, server.cert);
    SSL_CTX_use_PrivateKey(ctx, server.key);
    SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"t", 1);
    SSL_CTX_set_verify(ctx, verify, NULL);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), root.cert);
    return ctx;
}

static SSL_CTX *client_context(const struct issued *with)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    if (with) {
        SSL_CTX_use_certificate(ctx, with->cert);
        SSL_CTX_use_PrivateKey(ctx, with->key);
        SSL_CTX_add1_chain_cert(ctx, middle.cert);
    }
    return ctx;
}

/* What a server knows of a client. *session: to begin with, and the one that came of it. */
static struct tls_peer *peer_of(SSL_CTX *to, const struct issued *with, SSL_SESSION **session)
{
    SSL_CTX *from = client_context(with);
    SSL *client = SSL_new(from), *own = SSL_new(to);
    BIO *a, *b;
    int c = 0, s = 0;
    char byte;
    struct tls_peer *p;

    BIO_new_bio_pair(&a, 0, &b, 0);
    SSL_set_bio(client, a, a);
    SSL_set_bio(own, b, b);
    SSL_set_connect_state(client);
    SSL_set_accept_state(own);
    if (session && *session)
        SSL_set_session(client, *session);
    for (int i = 0; i < 20 && (c != 1 || s != 1); i++) {
        c = SSL_do_handshake(client);
        s = SSL_do_handshake(own);
    }
    assert_int_equal(s, 1);
    SSL_read(client, &byte, 1);
    p = tls_peer_new(own);
    if (session) {
        assert_int_equal(SSL_session_reused(own), *session != NULL);
        SSL_SESSION_free(*session);
        *session = SSL_get1_session(client);
    }
    SSL_shutdown(client);
    SSL_shutdown(own);
    SSL_free(client);
    SSL_free(own);
    SSL_CTX_free(from);
    return p;
}

static void facts(void **state)
{
    SSL_CTX *ctx = server_context(SSL_VERIFY_PEER, 0);
    struct issued leaf = issue(
        "web", "DNS:Web.Example,IP:10.0.0.1,IP:2001:db8::1,email:a@b.example,URI:spiffe://x/y",
        &middle);
    struct tls_peer *p = peer_of(ctx, &leaf, NULL);
    static const char *const sans[] = {"dns:web.example", "ip:10.0.0.1", "ip:2001:db8::1",
                                       "email:a@b.example", "uri:spiffe://x/y"};

    (void)state;
    assert_non_null(p);
    assert_string_equal(p->subject, "CN=web");
    assert_string_equal(p->issuer, "CN=in between");
    assert_int_equal(p->nsans, ARRAY_LEN(sans));
    for (size_t i = 0; i < p->nsans; i++)
        assert_string_equal(p->sans[i], sans[i]);
    assert_int_equal(strlen(p->fingerprint), 64);
    assert_int_equal(sk_X509_num(p->chain), 1);
    assert_int_equal(X509_cmp(sk_X509_value(p->chain, 0), middle.cert), 0);
    assert_false(tls_peer_expired(p, p->not_after_s));
    assert_true(tls_peer_expired(p, p->not_after_s + 1));
    tls_peer_free(&p);
    assert_null(p);
    issued_free(&leaf);
    SSL_CTX_free(ctx);
}

/* Control characters, spaces, NULs and what is not ASCII would be trouble in a header or a log. */
static void names_that_cannot_be_told(void **state)
{
    static const struct {
        const char *bytes;
        int n;
    } rows[] = {
        {"a\0b.example", 11}, {"a b", 3}, {"a\r\nX: y", 7}, {"\xc3\xa9.example", 10}, {"", 0}};
    SSL_CTX *ctx = server_context(SSL_VERIFY_PEER, 0);
    struct issued leaf = issue("web\r\nX: \xc3\xa9", "DNS:good.example", &middle);
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf.cert, NID_subject_alt_name, NULL, NULL);
    struct tls_peer *p;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        GENERAL_NAME *g = GENERAL_NAME_new();
        ASN1_IA5STRING *s = ASN1_IA5STRING_new();

        ASN1_STRING_set(s, rows[i].bytes, rows[i].n);
        GENERAL_NAME_set0_value(g, GEN_DNS, s);
        sk_GENERAL_NAME_push(names, g);
    }
    X509_add1_ext_i2d(leaf.cert, NID_subject_alt_name, names, 0, X509V3_ADD_REPLACE);
    GENERAL_NAMES_free(names);
    assert_true(X509_sign(leaf.cert, middle.key, EVP_sha256()) > 0);
    p = peer_of(ctx, &leaf, NULL);
    assert_int_equal(p->nsans, 1);
    assert_string_equal(p->sans[0], "dns:good.example");
    for (const char *c = p->subject; *c; c++)
        assert_in_range(*c, 0x20, 0x7e);
    assert_non_null(strstr(p->subject, "\\0D\\0A"));
    tls_peer_free(&p);
    issued_free(&leaf);
    SSL_CTX_free(ctx);
}

static int let_in(int ok, X509_STORE_CTX *ctx)
{
    (void)ok;
    (void)ctx;
    return 1;
}

static void who_is_nobody(void **state)
{
    struct issued stranger = issue("web", "DNS:web.example", NULL);
    SSL_CTX *ctx = server_context(SSL_VERIFY_PEER, 0);

    (void)state;
    assert_null(peer_of(ctx, NULL, NULL));
    /* Even if something let it through: */
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, let_in);
    assert_null(peer_of(ctx, &stranger, NULL));
    SSL_CTX_free(ctx);
    ctx = server_context(SSL_VERIFY_NONE, 0);
    assert_null(peer_of(ctx, &stranger, NULL));
    SSL_CTX_free(ctx);
    issued_free(&stranger);
}

static void a_resumed_session_knows_the_client(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct issued leaf = issue("web", "DNS:web.example", &middle);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        SSL_CTX *ctx = server_context(SSL_VERIFY_PEER, versions[i]);
        SSL_SESSION *session = NULL;
        struct tls_peer *first = peer_of(ctx, &leaf, &session);
        struct tls_peer *second = peer_of(ctx, &leaf, &session);

        assert_string_equal(first->fingerprint, second->fingerprint);
        assert_int_equal(second->nsans, 1);
        assert_null(second->chain);
        tls_peer_free(&first);
        tls_peer_free(&second);
        SSL_SESSION_free(session);
        SSL_CTX_free(ctx);
    }
    issued_free(&leaf);
}

static void much_is_cut(void **state)
{
    SSL_CTX *ctx = server_context(SSL_VERIFY_PEER, 0);
    char san[4096] = "DNS:a", wide[X509_TEXT_MAX + 8] = "";
    struct issued leaf;
    struct tls_peer *p;

    (void)state;
    for (int i = 0; i < 100; i++)
        snprintf(san + strlen(san), 32, ",DNS:n%d", i);
    leaf = issue("web", san, &middle);
    p = peer_of(ctx, &leaf, NULL);
    assert_int_equal(p->nsans, PEER_MAX_NAMES);
    tls_peer_free(&p);
    memset(wide, 'x', sizeof wide - 1);
    X509_NAME_add_entry_by_NID(X509_get_subject_name(leaf.cert), NID_description, MBSTRING_ASC,
                               (const unsigned char *)wide, -1, -1, 0);
    assert_true(X509_sign(leaf.cert, middle.key, EVP_sha256()) > 0);
    assert_null(peer_of(ctx, &leaf, NULL));
    issued_free(&leaf);
    SSL_CTX_free(ctx);
}

/* Is this text one byte sequence with that certificate in it? */
static bool holds(const char *item, size_t n, X509 *cert)
{
    unsigned char *der = malloc(n);
    const unsigned char *at = der;
    X509 *again = NULL;
    bool same;

    assert_int_equal(item[0], ':');
    assert_int_equal(item[n - 1], ':');
    if (EVP_DecodeBlock(der, (const unsigned char *)item + 1, (int)n - 2) > 0)
        again = d2i_X509(NULL, &at, (long)n);
    same = again && X509_cmp(again, cert) == 0;
    X509_free(again);
    free(der);
    return same;
}

static void fields(void **state)
{
    SSL_CTX *ctx = server_context(SSL_VERIFY_PEER, 0);
    struct issued leaf = issue("web", "DNS:web", &middle);
    struct tls_peer *p = peer_of(ctx, &leaf, NULL);
    const char *text = tls_peer_field(p);

    (void)state;
    assert_true(holds(text, strlen(text), leaf.cert));
    assert_ptr_equal(text, tls_peer_field(p));
    text = tls_peer_chain_field(p);
    assert_true(holds(text, strlen(text), middle.cert));
    /* Two of them. */
    free(p->chain_field);
    p->chain_field = NULL;
    X509_up_ref(root.cert);
    sk_X509_push(p->chain, root.cert);
    text = tls_peer_chain_field(p);
    assert_true(holds(text, strcspn(text, ","), middle.cert));
    text += strcspn(text, ",");
    assert_memory_equal(text, ", :", 3);
    assert_true(holds(text + 2, strlen(text + 2), root.cert));
    tls_peer_free(&p);
    issued_free(&leaf);
    leaf = issue("direct", "DNS:web", &root);
    p = peer_of(ctx, &leaf, NULL);
    assert_null(tls_peer_chain_field(p));
    tls_peer_free(&p);
    issued_free(&leaf);
    SSL_CTX_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts),         cmocka_unit_test(names_that_cannot_be_told),
        cmocka_unit_test(who_is_nobody), cmocka_unit_test(a_resumed_session_knows_the_client),
        cmocka_unit_test(much_is_cut),   cmocka_unit_test(fields),
    };

    return cmocka_run_group_tests(tests, begin_all, end_all);
}
