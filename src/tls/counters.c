/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/counters.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

static const char *const result_words[] = {
#define X(name, word) word,
    TLS_RESULT_ROWS(X)
#undef X
};

static const struct {
    uint16_t id;
    const char *name;
} ciphers[TLS_CIPHERS] = {
    {0x1301, "TLS_AES_128_GCM_SHA256"},        {0x1302, "TLS_AES_256_GCM_SHA384"},
    {0x1303, "TLS_CHACHA20_POLY1305_SHA256"},  {0xc02b, "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {0xc02c, "ECDHE-ECDSA-AES256-GCM-SHA384"}, {0xcca9, "ECDHE-ECDSA-CHACHA20-POLY1305"},
    {0xc02f, "ECDHE-RSA-AES128-GCM-SHA256"},   {0xc030, "ECDHE-RSA-AES256-GCM-SHA384"},
    {0xcca8, "ECDHE-RSA-CHACHA20-POLY1305"},   {0, "other"},
};

static void bump(_Atomic uint64_t *counter)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

void tls_count(struct tls_counters *c, enum tls_result r)
{
    bump(&c->results[r]);
}

void tls_count_good(struct tls_counters *c, const SSL *ssl)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
    uint16_t id = cipher ? SSL_CIPHER_get_protocol_id(cipher) : 0;
    unsigned i = 0;

    while (i < TLS_CIPHERS - 1 && ciphers[i].id != id)
        i++;
    bump(&c->ciphers[i]);
    bump(&c->versions[SSL_version(ssl) == TLS1_3_VERSION]);
    tls_count(c, SSL_session_reused(ssl) ? TLS_RESULT_RESUMED : TLS_RESULT_FULL);
}

enum tls_result tls_result_of(unsigned long code)
{
    int reason = ERR_GET_REASON(code);

    if (code == 0 || ERR_SYSTEM_ERROR(code))
        return TLS_RESULT_CLIENT_GONE;
    if (ERR_GET_LIB(code) != ERR_LIB_SSL)
        return TLS_RESULT_FAILED;
    /* Alerts that came from the other side. */
    if (reason > SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256)
        return TLS_RESULT_CLIENT_REFUSED;
    switch (reason) {
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
        return TLS_RESULT_CLIENT_GONE;
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_RECORD_LENGTH_MISMATCH:
        return TLS_RESULT_NOT_TLS;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_INAPPROPRIATE_FALLBACK:
        return TLS_RESULT_NO_VERSION;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
        return TLS_RESULT_NO_CIPHER;
    case SSL_R_NO_APPLICATION_PROTOCOL:
        return TLS_RESULT_NO_PROTOCOL;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
        return TLS_RESULT_BAD_CERTIFICATE;
    default:
        return TLS_RESULT_FAILED;
    }
}

static void add(uint64_t *sum, const _Atomic uint64_t *values, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        sum[i] += atomic_load_explicit(&values[i], memory_order_relaxed);
}

void tls_counts_add(struct tls_counts *sum, const struct tls_counters *c)
{
    add(sum->results, c->results, TLS_RESULTS);
    add(sum->versions, c->versions, TLS_VERSIONS);
    add(sum->ciphers, c->ciphers, TLS_CIPHERS);
}

const char *tls_result_word(enum tls_result r)
{
    return result_words[r];
}

const char *tls_version_word(unsigned i)
{
    return i ? "1.3" : "1.2";
}

const char *tls_cipher_word(unsigned i)
{
    return ciphers[i].name;
}
