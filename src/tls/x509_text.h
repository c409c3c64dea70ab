/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* x509_text.h - facts of a certificate as text. What is returned is owned by the caller; NULL = it
 * cannot be told so, or memory is out. */
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { X509_TEXT_MAX = 2048 }; /* longer names are not told */

/* RFC 4514, as OpenSSL writes it: "CN=web,O=Shop". ASCII: what is not comes out as \XX. */
char *x509_name_text(const X509_NAME *name);
/* Hex. */
char *x509_serial_text(const X509 *cert);
/* SHA-256 of the certificate, lower-case hex. */
bool x509_fingerprint(const X509 *cert, char ret[65]);
/* Seconds of the wall clock. */
bool x509_time(const ASN1_TIME *t, int64_t *ret_s);
