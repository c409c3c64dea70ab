/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/certificate.h"
#include "base/alloc.h"
#include "base/str.h"
#include "tls/x509_text.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { NAME_MAX_BYTES = 253 };

/* Where an X509 has its struct tls_certificate. */
static int certificate_index = -1;

static void make_index(void)
{
    certificate_index = X509_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

/* In OpenSSL's words, or the system's. */
static int unusable(struct err *e, const char *what, const char *path)
{
    unsigned long code = ERR_peek_last_error();
    const char *why = code ? ERR_reason_error_string(code) : NULL;

    if (code && ERR_SYSTEM_ERROR(code))
        why = strerror(ERR_GET_REASON(code));
    ERR_clear_error();
    return err_set(e, "%s %s: %s", what, path, why ? why : "it cannot be used");
}

/* Reading has ended: was it the end of the file? */
static bool is_end(void)
{
    unsigned long code = ERR_peek_last_error();

    return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

STACK_OF(X509) * x509_read_file(const char *path, struct err *e)
{
    BIO *in;
    STACK_OF(X509) *all = sk_X509_new_null();
    X509 *x;

    ERR_clear_error();
    in = BIO_new_file(path, "r");
    if (!all)
        abort();
    while (in && (x = PEM_read_bio_X509_AUX(in, NULL, NULL, NULL)))
        sk_X509_push(all, x);
    if (!in || sk_X509_num(all) == 0 || !is_end()) {
        unusable(e, "certificate", path);
        sk_X509_pop_free(all, X509_free);
        all = NULL;
    }
    BIO_free(in);
    ERR_clear_error();
    return all;
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

static int read_key(struct tls_certificate *c, const char *path, struct err *e)
{
    BIO *in = BIO_new_file(path, "r");

    c->key = in ? PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL) : NULL;
    BIO_free(in);
    if (!c->key || X509_check_private_key(c->cert, c->key) != 1)
        return unusable(e, "key", path);
    return 0;
}

static char *copy(const char *text)
{
    char *result = text ? strdup(text) : NULL;

    if (text && !result)
        abort();
    return result;
}

static void take_names(struct tls_certificate *c)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(c->cert, NID_subject_alt_name, NULL, NULL);
    int n = sk_GENERAL_NAME_num(all);

    c->names = alloc_or_abort((n > 0 ? (size_t)n : 1) * sizeof *c->names);
    for (int i = 0; i < n; i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);
        const ASN1_STRING *t = g->type == GEN_DNS ? g->d.dNSName : NULL;
        size_t len = t ? (size_t)ASN1_STRING_length(t) : 0;
        const char *p = t ? (const char *)ASN1_STRING_get0_data(t) : NULL;
        char *name;

        if (len == 0 || len > NAME_MAX_BYTES || memchr(p, '\0', len))
            continue;
        name = c->names[c->nnames++] = alloc_or_abort(len + 1);
        for (size_t k = 0; k < len; k++)
            name[k] = ascii_lower(p[k]);
    }
    GENERAL_NAMES_free(all);
}

/* RFC 7633 section 4: a list of TLS extensions; the one that counts is status_request. */
static bool wants_staple(const X509 *cert)
{
    TLS_FEATURE *features = X509_get_ext_d2i(cert, NID_tlsfeature, NULL, NULL);
    bool wants = false;

    for (int i = 0; i < sk_ASN1_INTEGER_num(features); i++)
        wants |= ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, i)) == TLSEXT_TYPE_status_request;
    TLS_FEATURE_free(features);
    return wants;
}

static bool take_facts(struct tls_certificate *c)
{
    const char *type = EVP_PKEY_get0_type_name(c->key);

    take_names(c);
    snprintf(c->key_type, sizeof c->key_type, "%.16s %d", type ? type : "key",
             EVP_PKEY_get_bits(c->key));
    c->must_staple = wants_staple(c->cert);
    c->subject = x509_name_text(X509_get_subject_name(c->cert));
    c->issuer = x509_name_text(X509_get_issuer_name(c->cert));
    c->serial = x509_serial_text(c->cert);
    return x509_fingerprint(c->cert, c->fingerprint) &&
           x509_time(X509_get0_notBefore(c->cert), &c->not_before_s) &&
           x509_time(X509_get0_notAfter(c->cert), &c->not_after_s);
}

/* Its signer, if the file holds it. */
static X509 *issuer_of(const struct tls_certificate *c)
{
    X509 *next = sk_X509_num(c->chain) > 0 ? sk_X509_value(c->chain, 0) : c->cert;

    return X509_check_issued(next, c->cert) == X509_V_OK ? next : NULL;
}

static void take_staple(struct tls_certificate *c, const struct tls_certificate *before,
                        int64_t now_wall_s)
{
    struct err e;

    if (!c->ocsp_file)
        return;
    c->staple = ocsp_staple_read(c->ocsp_file, c->cert, issuer_of(c), now_wall_s, &e);
    if (c->staple)
        return;
    c->ocsp_problem = copy(e.text);
    if (before && before->staple && strcmp(before->fingerprint, c->fingerprint) == 0 &&
        ocsp_staple_is_fresh(before->staple, now_wall_s))
        c->staple = ocsp_staple_ref(before->staple);
}

struct tls_certificate *tls_certificate_read(const struct tls_certificate_conf *conf,
                                             const struct tls_certificate *before,
                                             int64_t now_wall_s, struct err *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct tls_certificate *c = alloc_or_abort(sizeof *c);

    pthread_once(&once, make_index);
    c->file = copy(conf->cert);
    c->key_file = copy(conf->key);
    c->ocsp_file = copy(conf->ocsp);
    c->chain = x509_read_file(conf->cert, e);
    c->cert = c->chain ? sk_X509_shift(c->chain) : NULL;
    if (!c->cert || read_key(c, conf->key, e) < 0) {
        tls_certificate_free(&c);
        return NULL;
    }
    if (!take_facts(c) || X509_set_ex_data(c->cert, certificate_index, c) != 1) {
        err_set(e, "certificate %s: it cannot be read", conf->cert);
        tls_certificate_free(&c);
        return NULL;
    }
    take_staple(c, before, now_wall_s);
    return c;
}

void tls_certificate_free(struct tls_certificate **cp)
{
    struct tls_certificate *c = *cp;

    *cp = NULL;
    if (!c)
        return;
    for (size_t i = 0; i < c->nnames; i++)
        free(c->names[i]);
    free(c->names);
    free(c->file);
    free(c->key_file);
    free(c->ocsp_file);
    free(c->subject);
    free(c->issuer);
    free(c->serial);
    free(c->ocsp_problem);
    X509_free(c->cert);
    sk_X509_pop_free(c->chain, X509_free);
    EVP_PKEY_free(c->key);
    ocsp_staple_unref(&c->staple);
    free(c);
}

int tls_certificate_use(struct tls_certificate *c, SSL_CTX *ctx)
{
    return SSL_CTX_use_cert_and_key(ctx, c->cert, c->key, c->chain, 1) == 1 ? 0 : -1;
}

const struct ocsp_staple *tls_certificate_staple(SSL *ssl)
{
    X509 *cert = SSL_get_certificate(ssl);
    const struct tls_certificate *c = cert ? X509_get_ex_data(cert, certificate_index) : NULL;

    return c ? c->staple : NULL;
}
