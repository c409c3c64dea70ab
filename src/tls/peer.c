/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/peer.h"
#include "tls/x509_text.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

struct growing {
    char *text; /* owned */
    size_t n;
};

static bool is_plain(const char *p, size_t n)
{
    if (n > X509_TEXT_MAX)
        return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)p[i] <= 0x20 || (unsigned char)p[i] >= 0x7f)
            return false;
    return n > 0;
}

static char *labelled(const char *label, const char *p, size_t n, bool lower)
{
    size_t begin = strlen(label);
    char *text = is_plain(p, n) ? malloc(begin + n + 1) : NULL;

    if (!text)
        return NULL;
    memcpy(text, label, begin);
    for (size_t i = 0; i < n; i++)
        text[begin + i] = lower ? ascii_lower(p[i]) : p[i];
    text[begin + n] = '\0';
    return text;
}

static char *string_text(const char *label, const ASN1_STRING *s, bool lower)
{
    return labelled(label, (const char *)ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s),
                    lower);
}

static char *address_text(const ASN1_STRING *s)
{
    const unsigned char *bytes = ASN1_STRING_get0_data(s);
    int n = ASN1_STRING_length(s);
    char text[INET6_ADDRSTRLEN];

    if ((n != 4 && n != 16) ||
        !inet_ntop(n == 4 ? AF_INET : AF_INET6, bytes, text, (socklen_t)sizeof text))
        return NULL;
    return labelled("ip:", text, strlen(text), false);
}

static char *san_text(const GENERAL_NAME *g)
{
    switch (g->type) {
    case GEN_DNS:
        return string_text("dns:", g->d.dNSName, true);
    case GEN_URI:
        return string_text("uri:", g->d.uniformResourceIdentifier, false);
    case GEN_EMAIL:
        return string_text("email:", g->d.rfc822Name, false);
    case GEN_IPADD:
        return address_text(g->d.iPAddress);
    default:
        return NULL;
    }
}

static bool take_sans(struct tls_peer *p)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(p->cert, NID_subject_alt_name, NULL, NULL);
    int n = sk_GENERAL_NAME_num(names);

    p->sans = calloc(PEER_MAX_NAMES, sizeof *p->sans);
    for (int i = 0; p->sans && i < n && p->nsans < PEER_MAX_NAMES; i++) {
        char *text = san_text(sk_GENERAL_NAME_value(names, i));

        if (text)
            p->sans[p->nsans++] = text;
    }
    GENERAL_NAMES_free(names);
    return p->sans != NULL;
}

/* Without the leaf and, at the end, the authority that the gateway has itself. */
static void take_chain(struct tls_peer *p, const SSL *ssl)
{
    STACK_OF(X509) *verified = SSL_get0_verified_chain(ssl);
    int n = sk_X509_num(verified);

    if (n > 2)
        p->chain = sk_X509_new_reserve(NULL, n - 2);
    for (int i = 1; p->chain && i < n - 1; i++) {
        X509 *link = sk_X509_value(verified, i);

        X509_up_ref(link);
        sk_X509_push(p->chain, link);
    }
}

struct tls_peer *tls_peer_new(const SSL *ssl)
{
    X509 *cert = SSL_get0_peer_certificate(ssl);
    struct tls_peer *p;

    if (!cert || SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE ||
        SSL_get_verify_result(ssl) != X509_V_OK)
        return NULL;
    p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    X509_up_ref(cert);
    p->cert = cert;
    p->subject = x509_name_text(X509_get_subject_name(cert));
    p->issuer = x509_name_text(X509_get_issuer_name(cert));
    p->serial = x509_serial_text(cert);
    take_chain(p, ssl);
    if (!p->subject || !p->issuer || !p->serial || !take_sans(p) ||
        !x509_fingerprint(cert, p->fingerprint) ||
        !x509_time(X509_get0_notAfter(cert), &p->not_after_s))
        tls_peer_free(&p);
    ERR_clear_error();
    return p;
}

void tls_peer_free(struct tls_peer **pp)
{
    struct tls_peer *p = *pp;

    *pp = NULL;
    if (!p)
        return;
    for (size_t i = 0; i < p->nsans; i++)
        free(p->sans[i]);
    free(p->sans);
    free(p->subject);
    free(p->issuer);
    free(p->serial);
    free(p->field);
    free(p->chain_field);
    X509_free(p->cert);
    sk_X509_pop_free(p->chain, X509_free);
    free(p);
}

/* Appends one byte sequence (RFC 9651 section 3.3.5), after a comma if it is not the first. */
static bool add_item(struct growing *g, X509 *cert)
{
    unsigned char *der = NULL;
    int n = i2d_X509(cert, &der);
    size_t most = n > 0 ? 4 * (((size_t)n + 2) / 3) + 5 : 0; /* ", " ":" ":" NUL */
    char *bigger = n > 0 ? realloc(g->text, g->n + most) : NULL;

    if (bigger) {
        char *at = bigger + g->n;

        if (g->n > 0)
            at = stpcpy(at, ", ");
        *at++ = ':';
        at += EVP_EncodeBlock((unsigned char *)at, der, n);
        at = stpcpy(at, ":");
        g->text = bigger;
        g->n = (size_t)(at - bigger);
    }
    OPENSSL_free(der);
    return bigger != NULL;
}

const char *tls_peer_field(struct tls_peer *p)
{
    struct growing g = {NULL, 0};

    if (!p->field && add_item(&g, p->cert))
        p->field = g.text;
    return p->field;
}

const char *tls_peer_chain_field(struct tls_peer *p)
{
    struct growing g = {NULL, 0};
    bool whole = true;

    if (p->chain_field)
        return p->chain_field;
    for (int i = 0; whole && i < sk_X509_num(p->chain); i++)
        whole = add_item(&g, sk_X509_value(p->chain, i));
    if (whole)
        p->chain_field = g.text;
    else
        free(g.text);
    return p->chain_field;
}
