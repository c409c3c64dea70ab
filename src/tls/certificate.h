/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* certificate.h - one entry of `certificates`, as its files hold it: certificate, chain and key,
 * the response to be stapled, and what people want to know about it.
 *
 * Each file is read once, so that what was judged is what is used. Made by the control thread, then
 * immutable. */
#include "base/err.h"
#include "config/tls_conf.h"
#include "tls/ocsp.h"

#include <openssl/ssl.h>
#include <stdbool.h>

enum { CERTIFICATE_WARN_DAYS = 14 };

struct tls_certificate {
    char *file, *key_file, *ocsp_file; /* owned; ocsp_file NULL = none is wanted */
    X509 *cert;
    STACK_OF(X509) * chain; /* behind it in its file */
    EVP_PKEY *key;
    char **names; /* of type DNS, lower case; owned */
    size_t nnames;
    char *subject, *issuer, *serial; /* as in x509_text.h; owned, NULL = it cannot be told */
    char fingerprint[65];
    char key_type[24]; /* "EC 256", "RSA 2048" */
    int64_t not_before_s, not_after_s;
    bool must_staple;           /* clients insist on a response (RFC 7633) */
    struct ocsp_staple *staple; /* ref; NULL = there is none that could be shown */
    char *ocsp_problem;         /* "PATH: why" of the last look at the file; owned, NULL = none */
};

/* NULL, and what is wrong with certificate or key. A response that cannot be shown is a problem,
 * no failure: then that of `before` goes on while it is fresh, if it is about this certificate.
 * before: the same entry until now; NULL = there was none. */
struct tls_certificate *tls_certificate_read(const struct tls_certificate_conf *c,
                                             const struct tls_certificate *before,
                                             int64_t now_wall_s, struct err *e) MUST_CHECK;
void tls_certificate_free(struct tls_certificate **c);

/* Puts it into a context, beside what is there of other types of keys. */
int tls_certificate_use(struct tls_certificate *c, SSL_CTX *ctx) MUST_CHECK;
/* The response that goes with the certificate of this connection; NULL = none. Any thread. */
const struct ocsp_staple *tls_certificate_staple(SSL *ssl);

/* The certificates of a file, one after the other: at least one, and nothing that is broken. NULL,
 * and why. */
STACK_OF(X509) * x509_read_file(const char *path, struct err *e);
