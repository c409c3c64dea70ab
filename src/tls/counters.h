/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* counters.h - what became of the handshakes of clients. One worker writes, others may read. */
#include <stdatomic.h>
#include <stdint.h>

struct ssl_st; /* SSL, without OpenSSL's headers for all who include this */

#define TLS_RESULT_ROWS(X)                                                                         \
    X(FULL, "full")                                                                                \
    X(RESUMED, "resumed")                                                                          \
    X(RATE_LIMITED, "rate_limited") /* max_handshakes_per_second */                                \
    X(TOO_MANY, "too_many")         /* max_concurrent_handshakes */                                \
    X(TIMED_OUT, "timeout")                                                                        \
    X(CLIENT_GONE, "client_gone") /* closed or reset by the client */                              \
    X(NOT_TLS, "not_tls")         /* plain HTTP, garbage */                                        \
    X(NO_VERSION, "unsupported_version")                                                           \
    X(NO_CIPHER, "no_shared_cipher")         /* or group, or kind of signature */                  \
    X(NO_PROTOCOL, "no_shared_protocol")     /* of ALPN */                                         \
    X(BAD_CERTIFICATE, "client_certificate") /* missing or refused */                              \
    X(CLIENT_REFUSED, "client_alert")        /* the client says no: the certificate, mostly */     \
    X(FAILED, "failed")

enum tls_result {
#define X(name, word) TLS_RESULT_##name,
    TLS_RESULT_ROWS(X)
#undef X
        TLS_RESULTS
};

enum { TLS_VERSIONS = 2, TLS_CIPHERS = 10 };

struct tls_counters {
    _Atomic uint64_t results[TLS_RESULTS], versions[TLS_VERSIONS], ciphers[TLS_CIPHERS];
};

/* A sum of those. */
struct tls_counts {
    uint64_t results[TLS_RESULTS], versions[TLS_VERSIONS], ciphers[TLS_CIPHERS];
};

/* A handshake that is over and was good. */
void tls_count_good(struct tls_counters *c, const struct ssl_st *ssl);
void tls_count(struct tls_counters *c, enum tls_result r);
/* What an error of OpenSSL (0 = none: the connection ended) means here. */
enum tls_result tls_result_of(unsigned long code);
void tls_counts_add(struct tls_counts *sum, const struct tls_counters *c);

const char *tls_result_word(enum tls_result r);
const char *tls_version_word(unsigned i); /* "1.2" */
const char *tls_cipher_word(unsigned i);  /* OpenSSL's name; the last is "other" */
