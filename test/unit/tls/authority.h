/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* authority.h - a small certificate authority and files with what it has issued, for tests. Include
 * after <cmocka.h>. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Include-only helpers: each test uses what it needs. */
#define HELPER static inline

struct issued {
    EVP_PKEY *key;
    X509 *cert;
};

HELPER void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *e;

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(e);
    X509_add_ext(cert, e, -1);
    X509_EXTENSION_free(e);
}

/* `san` as OpenSSL writes it ("DNS:a.example,IP:127.0.0.1"); NULL = an authority. by NULL =
 * self-signed. Valid from `from_s` to `to_s`, seconds from now. */
HELPER struct issued issue_at(const char *cn, const char *san, const struct issued *by, long from_s,
                              long to_s)
{
    static long serial = 1;
    struct issued i = {EVP_EC_gen("P-256"), X509_new()};
    X509_NAME *name = X509_get_subject_name(i.cert);
    X509 *issuer = by ? by->cert : i.cert;

    X509_set_version(i.cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(i.cert), serial++);
    X509_gmtime_adj(X509_getm_notBefore(i.cert), from_s);
    X509_gmtime_adj(X509_getm_notAfter(i.cert), to_s);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
    X509_set_issuer_name(i.cert, X509_get_subject_name(issuer));
    X509_set_pubkey(i.cert, i.key);
    if (san)
        add_extension(i.cert, issuer, NID_subject_alt_name, san);
    else
        add_extension(i.cert, issuer, NID_basic_constraints, "critical,CA:TRUE");
    assert_true(X509_sign(i.cert, by ? by->key : i.key, EVP_sha256()) > 0);
    return i;
}

HELPER struct issued issue(const char *cn, const char *san, const struct issued *by)
{
    return issue_at(cn, san, by, -60, 3600);
}

HELPER void issued_free(struct issued *i)
{
    EVP_PKEY_free(i->key);
    X509_free(i->cert);
}

/* In place at once, as whoever renews certificates should do it. */
HELPER void write_pem(const char *path, const X509 *cert, const EVP_PKEY *key)
{
    char draft[256];
    FILE *f;

    snprintf(draft, sizeof draft, "%s.new", path);
    f = fopen(draft, "w");
    assert_non_null(f);
    if (cert)
        PEM_write_X509(f, cert);
    if (key)
        PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
    fclose(f);
    assert_int_equal(rename(draft, path), 0);
}
