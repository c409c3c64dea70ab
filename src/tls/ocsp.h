/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* ocsp.h - an OCSP response out of a file, to be shown beside a certificate (RFC 6066 section 8).
 *
 * What is shown must be about this certificate, say that it is good, and be of now: clients that
 * insist on a response refuse the connection over a bad one. Who fetches the file is the operator's
 * choice (certbot, `openssl ocsp -respout`). Not checked over the network. */
#include "base/err.h"

#include <openssl/x509.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    OCSP_MAX_BYTES = 64 * 1024,
    OCSP_SKEW_S = 300,             /* clocks may differ by this much */
    OCSP_WITHOUT_END_S = 24 * 3600 /* how long one is good that does not say */
};

struct ocsp_staple {
    _Atomic unsigned refs;
    unsigned char *der;
    size_t n;
    int64_t this_update_s, next_update_s; /* wall clock */
};

/* NULL and "PATH: why". `issuer` is the certificate that has signed `cert`, from its chain; NULL =
 * not known: then the response's signature is not looked at. */
struct ocsp_staple *ocsp_staple_read(const char *path, X509 *cert, X509 *issuer, int64_t now_wall_s,
                                     struct err *e) MUST_CHECK;
struct ocsp_staple *ocsp_staple_ref(struct ocsp_staple *s);
void ocsp_staple_unref(struct ocsp_staple **s);

/* May it be shown? Any thread. */
static inline bool ocsp_staple_is_fresh(const struct ocsp_staple *s, int64_t now_wall_s)
{
    return now_wall_s <= s->next_update_s;
}
