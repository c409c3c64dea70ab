/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/x509_text.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

char *x509_name_text(const X509_NAME *name)
{
    BIO *out = BIO_new(BIO_s_mem());
    char *p, *text = NULL;
    long n;

    if (out && X509_NAME_print_ex(out, name, 0, XN_FLAG_RFC2253) >= 0) {
        n = BIO_get_mem_data(out, &p);
        if (n <= X509_TEXT_MAX)
            text = strndup(n > 0 ? p : "", n > 0 ? (size_t)n : 0);
    }
    BIO_free(out);
    return text;
}

char *x509_serial_text(const X509 *cert)
{
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
    char *hex = number ? BN_bn2hex(number) : NULL;
    char *text = hex ? strdup(hex) : NULL;

    OPENSSL_free(hex);
    BN_free(number);
    return text;
}

bool x509_fingerprint(const X509 *cert, char ret[65])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n;

    if (X509_digest(cert, EVP_sha256(), digest, &n) != 1 || n != 32)
        return false;
    for (size_t i = 0; i < n; i++)
        snprintf(ret + 2 * i, 3, "%02x", digest[i]);
    return true;
}

bool x509_time(const ASN1_TIME *t, int64_t *ret_s)
{
    struct tm tm;

    if (ASN1_TIME_to_tm(t, &tm) != 1)
        return false;
    *ret_s = (int64_t)timegm(&tm);
    return true;
}
