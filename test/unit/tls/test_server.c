/* SPDX-License-Identifier: Apache-2.0 */
#include "base/macros.h"
#include "tls/counters.h"
#include "tls/gate.h"
#include "tls/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "authority.h"

static char dir[] = "/tmp/frontdesk-server-XXXXXX";
static char cert_file[64], key_file[64], ca_file[64], other_cert[64], other_key[64];
static struct issued ca, other_ca, web, shop;

static int begin_all(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(cert_file, sizeof cert_file, "%s/cert.pem", dir);
    snprintf(key_file, sizeof key_file, "%s/key.pem", dir);
    snprintf(ca_file, sizeof ca_file, "%s/ca.pem", dir);
    snprintf(other_cert, sizeof other_cert, "%s/other.pem", dir);
    snprintf(other_key, sizeof other_key, "%s/other.key", dir);
    ca = issue("the authority", NULL, NULL);
    other_ca = issue("another authority", NULL, NULL);
    web = issue("web", "DNS:Web.Example,DNS:*.web.example", &ca);
    shop = issue("shop", "DNS:shop.example", &ca);
    return 0;
}

static int begin(void **state)
{
    (void)state;
    write_pem(cert_file, web.cert, NULL);
    write_pem(key_file, NULL, web.key);
    write_pem(ca_file, ca.cert, NULL);
    write_pem(other_cert, shop.cert, NULL);
    write_pem(other_key, NULL, shop.key);
    return 0;
}

static int end_all(void **state)
{
    struct issued *all[] = {&ca, &other_ca, &web, &shop};
    const char *files[] = {cert_file, key_file, ca_file, other_cert, other_key};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        issued_free(all[i]);
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        unlink(files[i]);
    return rmdir(dir);
}

struct setting {
    struct tls_certificate_conf entries[2];
    struct tls_conf conf;
};

/* Both certificates; the second asks clients as `mode` says. */
static struct tls_conf *setting(struct setting *s, enum tls_client_certificates mode)
{
    s->entries[0] = (struct tls_certificate_conf){.cert = cert_file, .key = key_file};
    s->entries[1] = (struct tls_certificate_conf){
        .cert = other_cert, .key = other_key, .client = {mode, mode ? ca_file : NULL}};
    s->conf = (struct tls_conf){.enabled = true,
                                .certificates = s->entries,
                                .ncertificates = 2,
                                .tickets = true,
                                .ticket_rotation_ms = 3600000};
    return &s->conf;
}

static struct tls_server *make(const struct tls_conf *c, const struct tls_server *before)
{
    struct err e = {""};
    struct tls_server *s = tls_server_new("here", c, before, &e);

    if (!s)
        fail_msg("%s", e.text);
    return s;
}

struct talk {
    bool done, resumed, serves_web;
    char shown[64]; /* common name of the certificate */
};

/* A client that asks for a name. *session: to begin with, and the one that came of it. */
static struct talk talk(struct tls_server *s, const char *name, const struct issued *with,
                        SSL_SESSION **session, struct tls_counters *counters)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *client, *server = tls_server_session(s);
    struct talk t = {0};
    BIO *a, *b;
    int c = 0, r = 0;
    char byte;

    if (with) {
        SSL_CTX_use_certificate(ctx, with->cert);
        SSL_CTX_use_PrivateKey(ctx, with->key);
    }
    client = SSL_new(ctx);
    SSL_set_tlsext_host_name(client, name);
    BIO_new_bio_pair(&a, 0, &b, 0);
    SSL_set_bio(client, a, a);
    SSL_set_bio(server, b, b);
    SSL_set_connect_state(client);
    SSL_set_accept_state(server);
    if (session && *session)
        SSL_set_session(client, *session);
    for (int i = 0; i < 20 && (c != 1 || r != 1); i++) {
        c = SSL_do_handshake(client);
        r = SSL_do_handshake(server);
    }
    t.done = c == 1 && r == 1;
    if (t.done) {
        SSL_read(client, &byte, 1);
        t.resumed = SSL_session_reused(server);
        t.serves_web = tls_server_serves(s, server, "web.example", 11);
        X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(client)),
                                  NID_commonName, t.shown, sizeof t.shown);
        if (counters)
            tls_count_good(counters, server);
        if (session) {
            SSL_SESSION_free(*session);
            *session = SSL_get1_session(client);
        }
        SSL_shutdown(client);
        SSL_shutdown(server);
    }
    SSL_free(client);
    SSL_free(server);
    SSL_CTX_free(ctx);
    return t;
}

static void names(void **state)
{
    static const struct {
        const char *asked, *shown;
        bool serves_web;
    } rows[] = {
        {"web.example", "web", true},    {"WEB.EXAMPLE", "web", true},
        {"a.web.example", "web", true},  {"a.b.web.example", "web", true}, /* nobody's: the first */
        {"shop.example", "shop", false}, {"elsewhere.example", "web", true},
    };
    struct setting set;
    struct tls_server *s = make(setting(&set, TLS_CLIENT_OPTIONAL), NULL);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct talk t = talk(s, rows[i].asked, NULL, NULL, NULL);

        if (!t.done || strcmp(t.shown, rows[i].shown) != 0 || t.serves_web != rows[i].serves_web)
            fail_msg("%s: %s", rows[i].asked, t.shown);
    }
    tls_server_unref(&s);
}

static void bad_files_are_named(void **state)
{
    struct issued broken = issue("broken", "DNS:x", &ca);
    const struct {
        const char *name, *says;
        const char *cert, *key, *ca;
        size_t cut; /* bytes that are left of cert_file; 0 = all */
    } rows[] = {
        {"no certificate", "here: certificate /no/such", "/no/such", key_file, NULL, 0},
        {"no key", "here: key /no/such", cert_file, "/no/such", NULL, 0},
        {"another's key", "here: key", cert_file, other_key, NULL, 0},
        {"a key in place of a certificate", "here: certificate", key_file, key_file, NULL, 0},
        {"a certificate in place of a key", "here: key", cert_file, cert_file, NULL, 0},
        {"half a certificate", "here: certificate", cert_file, key_file, NULL, 300},
        {"no authorities", "here: client_ca: certificate /no/such", cert_file, key_file, "/no/such",
         0},
        {"empty authorities", "here: client_ca: certificate", cert_file, key_file, key_file, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct tls_certificate_conf entry = {.cert = rows[i].cert, .key = rows[i].key};
        struct tls_conf c = {.certificates = &entry, .ncertificates = 1};
        struct err e = {""};

        begin(NULL);
        if (rows[i].cut)
            assert_int_equal(truncate(cert_file, (off_t)rows[i].cut), 0);
        if (rows[i].ca)
            entry.client = (struct tls_client_conf){TLS_CLIENT_OPTIONAL, rows[i].ca};
        assert_null(tls_server_new("here", &c, NULL, &e));
        if (!strstr(e.text, rows[i].says))
            fail_msg("%s: %s", rows[i].name, e.text);
    }
    issued_free(&broken);
}

/* A chain whose second certificate is broken is half written, not short. */
static void a_broken_chain(void **state)
{
    struct setting set;
    struct err e;
    FILE *f = fopen(cert_file, "a");

    (void)state;
    fputs("-----BEGIN CERTIFICATE-----\nMIIB\n", f);
    fclose(f);
    assert_null(tls_server_new("here", setting(&set, TLS_CLIENT_NONE), NULL, &e));
    assert_non_null(strstr(e.text, cert_file));
}

static void files_look_different(void **state)
{
    struct setting set;
    const struct tls_conf *c = setting(&set, TLS_CLIENT_OPTIONAL);
    const char *files[] = {cert_file, key_file, ca_file, other_cert, other_key};
    uint64_t look = tls_files_look(c);
    struct tls_server *s = make(c, NULL);

    (void)state;
    assert_int_equal(look, tls_files_look(c));
    assert_int_equal(look, tls_server_files_look(s));
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        begin(NULL); /* new inodes */
        assert_int_not_equal(look, tls_files_look(c));
        look = tls_files_look(c);
        unlink(files[i]);
        assert_int_not_equal(look, tls_files_look(c));
        look = tls_files_look(c);
    }
    tls_server_unref(&s);
}

static void sessions_of_clients(void **state)
{
    struct setting set;
    const struct tls_conf *c = setting(&set, TLS_CLIENT_OPTIONAL);
    struct issued partner = issue("partner", "DNS:x", &ca);
    struct tls_server *s = make(c, NULL), *next;
    SSL_SESSION *session = NULL;

    (void)state;
    assert_true(talk(s, "shop.example", &partner, &session, NULL).done);
    /* The next configuration of the same listener opens its tickets, */
    next = make(c, s);
    assert_ptr_equal(tls_server_gate(s), tls_server_gate(next));
    assert_true(talk(next, "shop.example", &partner, &session, NULL).resumed);
    /* where nobody asks for a certificate they are not taken, */
    assert_false(talk(next, "web.example", &partner, &session, NULL).resumed);
    tls_server_unref(&s);
    /* nor when other authorities are believed. */
    assert_true(talk(next, "shop.example", &partner, &session, NULL).done);
    write_pem(ca_file, other_ca.cert, NULL);
    s = make(c, next);
    assert_false(talk(s, "shop.example", &partner, &session, NULL).done);
    SSL_SESSION_free(session);
    tls_server_unref(&s);
    tls_server_unref(&next);
    issued_free(&partner);
}

static void a_ticket_of_an_expired_client(void **state)
{
    struct setting set;
    struct issued partner = issue_at("partner", "DNS:x", &ca, -60, 1);
    struct tls_server *s = make(setting(&set, TLS_CLIENT_OPTIONAL), NULL);
    SSL_SESSION *session = NULL;
    time_t begun = time(NULL);

    (void)state;
    /* It may have expired already, on a slow machine: then there is nothing to see. */
    if (talk(s, "shop.example", &partner, &session, NULL).done) {
        while (X509_cmp_current_time(X509_get0_notAfter(partner.cert)) > 0 &&
               time(NULL) < begun + 10)
            continue;
        assert_false(talk(s, "shop.example", &partner, &session, NULL).resumed);
    }
    SSL_SESSION_free(session);
    tls_server_unref(&s);
    issued_free(&partner);
}

static void counts(void **state)
{
    struct setting set;
    struct tls_server *s = make(setting(&set, TLS_CLIENT_NONE), NULL);
    struct tls_counters counters = {0};
    struct tls_counts sum = {0};
    SSL_SESSION *session = NULL;
    uint64_t ciphers = 0;

    (void)state;
    talk(s, "web.example", NULL, &session, &counters);
    talk(s, "web.example", NULL, &session, &counters);
    tls_count(&counters, TLS_RESULT_TIMED_OUT);
    tls_counts_add(&sum, &counters);
    tls_counts_add(&sum, &counters);
    assert_int_equal(sum.results[TLS_RESULT_FULL], 2);
    assert_int_equal(sum.results[TLS_RESULT_RESUMED], 2);
    assert_int_equal(sum.results[TLS_RESULT_TIMED_OUT], 2);
    assert_int_equal(sum.versions[1], 4);
    for (int i = 0; i < TLS_CIPHERS; i++)
        ciphers += sum.ciphers[i];
    assert_int_equal(ciphers, 4);
    assert_int_equal(sum.ciphers[TLS_CIPHERS - 1], 0);
    assert_string_equal(tls_result_word(TLS_RESULT_NO_CIPHER), "no_shared_cipher");
    SSL_SESSION_free(session);
    tls_server_unref(&s);
}

static void facts(void **state)
{
    struct setting set;
    struct tls_server *s = make(setting(&set, TLS_CLIENT_NONE), NULL);
    struct tls_certificate *const *all;
    size_t n;

    (void)state;
    all = tls_server_certificates(s, &n);
    assert_int_equal(n, 2);
    assert_string_equal(all[0]->file, cert_file);
    assert_string_equal(all[0]->subject, "CN=web");
    assert_string_equal(all[0]->issuer, "CN=the authority");
    assert_string_equal(all[0]->key_type, "EC 256");
    assert_int_equal(all[0]->nnames, 2);
    assert_string_equal(all[0]->names[0], "web.example");
    assert_in_range(all[0]->not_after_s - time(NULL), 3500, 3601);
    assert_null(all[0]->staple);
    tls_server_unref(&s);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup(fn, begin)
    const struct CMUnitTest tests[] = {
        T(names),
        T(bad_files_are_named),
        T(a_broken_chain),
        T(files_look_different),
        T(sessions_of_clients),
        T(a_ticket_of_an_expired_client),
        T(counts),
        T(facts),
    };

    return cmocka_run_group_tests(tests, begin_all, end_all);
}
