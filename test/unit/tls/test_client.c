/* SPDX-License-Identifier: Apache-2.0 */
#include "base/macros.h"
#include "tls/client.h"
#include "tls/alpn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "authority.h"

static char dir[] = "/tmp/frontdesk-tls-XXXXXX";
static char ca_file[64], other_file[64], cert_file[64], key_file[64];
static struct issued ca, other_ca, leaf, mine;
static struct tls_clients *all;

static int begin_all(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(ca_file, sizeof ca_file, "%s/ca.pem", dir);
    snprintf(other_file, sizeof other_file, "%s/other.pem", dir);
    snprintf(cert_file, sizeof cert_file, "%s/cert.pem", dir);
    snprintf(key_file, sizeof key_file, "%s/key.pem", dir);
    ca = issue("the authority", NULL, NULL);
    other_ca = issue("another authority", NULL, NULL);
    leaf = issue("cn.example", "DNS:orders.example,DNS:*.wild.example,IP:127.0.0.1,IP:::1", &ca);
    mine = issue("gateway", "DNS:gateway", &ca);
    return 0;
}

static int end_all(void **state)
{
    (void)state;
    issued_free(&ca);
    issued_free(&other_ca);
    issued_free(&leaf);
    issued_free(&mine);
    return rmdir(dir);
}

static int begin(void **state)
{
    (void)state;
    write_pem(ca_file, ca.cert, NULL);
    write_pem(other_file, other_ca.cert, NULL);
    write_pem(cert_file, mine.cert, NULL);
    write_pem(key_file, NULL, mine.key);
    all = tls_clients_new();
    return 0;
}

static int end(void **state)
{
    (void)state;
    tls_clients_free(all);
    unlink(ca_file);
    unlink(other_file);
    unlink(cert_file);
    unlink(key_file);
    return 0;
}

/* The other side, without sockets. */
struct server {
    SSL_CTX *ctx;
    SSL *ssl;
};

static int choose_h2(SSL *ssl, const unsigned char **out, unsigned char *outlen,
                     const unsigned char *in, unsigned inlen, void *arg)
{
    (void)ssl;
    return SSL_select_next_proto((unsigned char **)out, outlen, arg, 3, in, inlen) ==
                   OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static SSL_CTX *server_context(const struct issued *as, int max_version)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    SSL_CTX_set_max_proto_version(ctx, max_version);
    SSL_CTX_use_certificate(ctx, as->cert);
    SSL_CTX_use_PrivateKey(ctx, as->key);
    SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"t", 1);
    return ctx;
}

/* Joins the two and lets them talk. True when both are done. */
static bool handshake(SSL *client, SSL_CTX *ctx, SSL **ret_server)
{
    SSL *server = SSL_new(ctx);
    BIO *a, *b;
    int c = 0, s = 0;

    BIO_new_bio_pair(&a, 0, &b, 0);
    SSL_set_bio(client, a, a);
    SSL_set_bio(server, b, b);
    SSL_set_accept_state(server);
    for (int i = 0; i < 20 && (c != 1 || s != 1); i++) {
        c = SSL_do_handshake(client);
        if (c != 1 && SSL_get_error(client, c) == SSL_ERROR_SSL)
            break;
        s = SSL_do_handshake(server);
    }
    /* Tickets come after the handshake. */
    if (c == 1 && s == 1) {
        char byte;

        assert_int_equal(SSL_read(client, &byte, 1), -1);
    }
    *ret_server = server;
    return c == 1 && s == 1;
}

/* Frees the client. A session that is not shut down is not to be used again. */
static void part(SSL *client, SSL *server)
{
    SSL_shutdown(client);
    SSL_shutdown(server);
    SSL_free(client);
    SSL_free(server);
}

static struct tls_client *get(const struct upstream_tls_conf *c)
{
    struct err e = {""};
    struct tls_client *t = tls_clients_get(all, c, &e);

    if (!t)
        fail_msg("%s", e.text);
    return t;
}

struct talk {
    bool done, resumed, h2;
    char problem[200], sni[64], client_cert[64];
};

static struct talk talk_to(SSL_CTX *ctx, struct tls_client *t, const struct tls_peer_wanted *wanted,
                           struct tls_memory *memory)
{
    SSL *client = tls_client_session(t, wanted, memory), *server;
    struct talk r = {0};
    const char *sni;
    X509 *cert;

    assert_non_null(client);
    r.done = handshake(client, ctx, &server);
    r.resumed = SSL_session_reused(client);
    r.h2 = r.done && tls_chose_h2(client);
    if (!r.done)
        tls_client_problem(client, "something else", r.problem, sizeof r.problem);
    sni = SSL_get_servername(server, TLSEXT_NAMETYPE_host_name);
    snprintf(r.sni, sizeof r.sni, "%s", sni ? sni : "");
    cert = SSL_get0_peer_certificate(server);
    if (cert)
        X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, r.client_cert,
                                  sizeof r.client_cert);
    part(client, server);
    return r;
}

static void names_are_verified(void **state)
{
    const struct issued expired = issue_at("x", "DNS:orders.example", &ca, -7200, -3600);
    const struct issued strange = issue("x", "DNS:orders.example", &other_ca);
    const struct issued selfmade = issue("x", "DNS:orders.example", NULL);
    const struct {
        const struct issued *shows;
        const char *name;
        bool verify;
        const char *problem; /* NULL = believed */
        const char *sni;
    } rows[] = {
        {&leaf, "orders.example", true, NULL, "orders.example"},
        {&leaf, "ORDERS.example", true, NULL, "ORDERS.example"},
        {&leaf, "a.wild.example", true, NULL, "a.wild.example"},
        {&leaf, "a.b.wild.example", true, "hostname mismatch", "a.b.wild.example"},
        {&leaf, "orders.example.net", true, "hostname mismatch", "orders.example.net"},
        {&leaf, "cn.example", true, "hostname mismatch", "cn.example"}, /* a common name is none */
        {&leaf, "127.0.0.1", true, NULL, ""},
        {&leaf, "::1", true, NULL, ""},
        {&leaf, "127.0.0.2", true, "IP address mismatch", ""},
        {&strange, "orders.example", true, "unable to get local issuer", "orders.example"},
        {&selfmade, "orders.example", true, "self-signed", "orders.example"},
        {&expired, "orders.example", true, "expired", "orders.example"},
        {&strange, "whatever.example", false, NULL, "whatever.example"},
    };
    struct tls_client *t = get(&(struct upstream_tls_conf){.ca = ca_file, .verify = true});

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        SSL_CTX *ctx = server_context(rows[i].shows, 0);
        struct tls_peer_wanted wanted = {rows[i].name, rows[i].verify, TLS_ALPN_HTTP1};
        struct tls_memory memory = {0};
        struct talk r = talk_to(ctx, t, &wanted, &memory);

        if (r.done != !rows[i].problem || strcmp(r.sni, rows[i].sni) != 0)
            fail_msg("row %zu (%s): done %d, sni '%s', %s", i, rows[i].name, r.done, r.sni,
                     r.problem);
        if (rows[i].problem && !strstr(r.problem, rows[i].problem))
            fail_msg("row %zu: %s", i, r.problem);
        assert_true(r.done == !!memory.session);
        tls_memory_release(&memory);
        SSL_CTX_free(ctx);
    }
    tls_client_unref(&t);
    issued_free((struct issued *)&expired);
    issued_free((struct issued *)&strange);
    issued_free((struct issued *)&selfmade);
}

static void sessions_are_used_again(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct tls_client *t = get(&(struct upstream_tls_conf){.ca = ca_file, .verify = true});
    struct tls_peer_wanted wanted = {"orders.example", true, TLS_ALPN_HTTP1};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        SSL_CTX *ctx = server_context(&leaf, versions[i]);
        struct tls_memory memory = {0};

        assert_false(talk_to(ctx, t, &wanted, &memory).resumed);
        assert_true(talk_to(ctx, t, &wanted, &memory).resumed);
        assert_true(talk_to(ctx, t, &wanted, &memory).resumed);
        tls_memory_release(&memory);
        SSL_CTX_free(ctx);
    }
    tls_client_unref(&t);
}

/* With a session the certificate is not looked at again. */
static void a_session_proves_only_what_was_verified(void **state)
{
    struct tls_client *t = get(&(struct upstream_tls_conf){.ca = ca_file, .verify = true});
    struct tls_peer_wanted orders = {"orders.example", true, TLS_ALPN_HTTP1};
    struct tls_peer_wanted address = {"127.0.0.1", true, TLS_ALPN_HTTP1};
    struct tls_peer_wanted unverified = {"orders.example", false, TLS_ALPN_HTTP1};
    struct tls_memory memory = {0};
    SSL_CTX *ctx = server_context(&leaf, 0);

    (void)state;
    assert_true(talk_to(ctx, t, &unverified, &memory).done);
    assert_false(talk_to(ctx, t, &orders, &memory).resumed);
    assert_false(talk_to(ctx, t, &address, &memory).resumed);
    assert_true(talk_to(ctx, t, &address, &memory).resumed);
    /* Other authorities: what they do not know is not believed any more. */
    write_pem(ca_file, other_ca.cert, NULL);
    tls_clients_refresh(all);
    assert_false(talk_to(ctx, t, &address, &memory).done);
    write_pem(ca_file, ca.cert, NULL);
    tls_clients_refresh(all);
    assert_true(talk_to(ctx, t, &address, &memory).done);
    tls_memory_release(&memory);
    SSL_CTX_free(ctx);
    tls_client_unref(&t);
}

static void alpn(void **state)
{
    static const struct {
        enum tls_alpn asks;
        const char *server; /* its only protocol, as in ALPN; NULL = it knows no ALPN */
        bool done, h2;
    } rows[] = {
        {TLS_ALPN_H2, "\x02h2", true, true},      {TLS_ALPN_EITHER, "\x02h2", true, true},
        {TLS_ALPN_HTTP1, "\x02h2", false, false}, {TLS_ALPN_H2, NULL, true, false},
        {TLS_ALPN_EITHER, NULL, true, false},
    };
    struct tls_client *t = get(&(struct upstream_tls_conf){.ca = ca_file, .verify = true});

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct tls_peer_wanted wanted = {"orders.example", true, rows[i].asks};
        SSL_CTX *ctx = server_context(&leaf, 0);
        struct tls_memory memory = {0};
        struct talk r;

        if (rows[i].server)
            SSL_CTX_set_alpn_select_cb(ctx, choose_h2, (void *)rows[i].server);
        r = talk_to(ctx, t, &wanted, &memory);
        if (r.done != rows[i].done || r.h2 != rows[i].h2)
            fail_msg("row %zu: done %d, h2 %d", i, r.done, r.h2);
        tls_memory_release(&memory);
        SSL_CTX_free(ctx);
    }
    tls_client_unref(&t);
}

static void versions(void **state)
{
    static const struct {
        bool tls13;
        int max;
        bool done;
    } rows[] = {
        {false, TLS1_1_VERSION, false}, {false, TLS1_2_VERSION, true},
        {false, TLS1_3_VERSION, true},  {true, TLS1_2_VERSION, false},
        {true, TLS1_3_VERSION, true},
    };
    struct tls_peer_wanted wanted = {"orders.example", true, TLS_ALPN_HTTP1};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct tls_client *t =
            get(&(struct upstream_tls_conf){.ca = ca_file, .verify = true, .tls13 = rows[i].tls13});
        SSL_CTX *ctx = server_context(&leaf, rows[i].max);
        struct tls_memory memory = {0};

        SSL_CTX_set_min_proto_version(ctx, 0);
        if (talk_to(ctx, t, &wanted, &memory).done != rows[i].done)
            fail_msg("row %zu", i);
        tls_memory_release(&memory);
        SSL_CTX_free(ctx);
        tls_client_unref(&t);
    }
}

static void client_certificates(void **state)
{
    struct tls_client *with = get(&(struct upstream_tls_conf){
        .ca = ca_file, .cert = cert_file, .key = key_file, .verify = true});
    struct tls_client *without = get(&(struct upstream_tls_conf){.ca = ca_file, .verify = true});
    struct tls_peer_wanted wanted = {"orders.example", true, TLS_ALPN_HTTP1};
    struct issued renewed = issue("renewed", "DNS:gateway", &ca);
    struct tls_memory memory = {0};
    SSL_CTX *ctx = server_context(&leaf, TLS1_2_VERSION);

    (void)state;
    SSL_CTX_load_verify_file(ctx, ca_file);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    assert_string_equal(talk_to(ctx, with, &wanted, &memory).client_cert, "gateway");
    tls_memory_release(&memory);
    assert_false(talk_to(ctx, without, &wanted, &memory).done);
    /* The files change: half of a pair is not taken, a whole one is. */
    write_pem(cert_file, renewed.cert, NULL);
    tls_clients_refresh(all);
    assert_string_equal(talk_to(ctx, with, &wanted, &memory).client_cert, "gateway");
    write_pem(key_file, NULL, renewed.key);
    tls_clients_refresh(all);
    assert_string_equal(talk_to(ctx, with, &wanted, &memory).client_cert, "renewed");
    tls_memory_release(&memory);
    SSL_CTX_free(ctx);
    issued_free(&renewed);
    tls_client_unref(&with);
    tls_client_unref(&without);
}

static void bad_files_are_named(void **state)
{
    const struct {
        struct upstream_tls_conf conf;
        const char *says;
    } rows[] = {
        {{.ca = "/no/such/ca.pem"}, "/no/such/ca.pem"},
        {{.ca = key_file}, key_file},
        {{.ca = ca_file, .cert = "/no/cert.pem", .key = key_file}, "/no/cert.pem"},
        {{.ca = ca_file, .cert = cert_file, .key = "/no/key.pem"}, "/no/key.pem"},
        {{.ca = ca_file, .cert = ca_file, .key = key_file}, key_file}, /* does not match */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {""};

        assert_null(tls_clients_get(all, &rows[i].conf, &e));
        if (!strstr(e.text, rows[i].says))
            fail_msg("row %zu: %s", i, e.text);
    }
}

static void equal_settings_are_shared(void **state)
{
    struct upstream_tls_conf conf = {.ca = ca_file, .verify = true};
    struct upstream_tls_conf same = {.ca = ca_file, .server_name = "x"};
    struct tls_client *a = get(&conf), *b = get(&same), *c;

    (void)state;
    assert_ptr_equal(a, b);
    conf.tls13 = true;
    c = get(&conf);
    assert_ptr_not_equal(a, c);
    tls_client_unref(&a);
    tls_client_unref(&b);
    tls_client_unref(&c);
    assert_null(c);
    tls_client_unref(&c);
    tls_clients_refresh(all); /* nobody uses them: they are gone, which ASan and Valgrind see */
}

static void expected_names(void **state)
{
    static const struct {
        const char *server_name, *address, *name;
    } rows[] = {
        {NULL, "10.0.0.1", "10.0.0.1"},
        {NULL, "db.internal", "db.internal"},
        {"fixed.example", "10.0.0.1", "fixed.example"},
        {"{service}.service.consul", "10.0.0.1", "orders.service.consul"},
        {"x.{service}", "10.0.0.1", "x.orders"},
    };
    char buf[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct upstream_tls_conf c = {.server_name = rows[i].server_name};

        assert_string_equal(tls_client_name(&c, "orders", rows[i].address, buf, sizeof buf),
                            rows[i].name);
    }
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)
    const struct CMUnitTest tests[] = {
        T(names_are_verified),
        T(sessions_are_used_again),
        T(a_session_proves_only_what_was_verified),
        T(alpn),
        T(versions),
        T(client_certificates),
        T(bad_files_are_named),
        T(equal_settings_are_shared),
        T(expected_names),
    };
#undef T

    return cmocka_run_group_tests(tests, begin_all, end_all);
}
