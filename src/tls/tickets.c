/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/tickets.h"
#include "base/clock.h"
#include "base/macros.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct ticket_key {
    unsigned char name[16], cipher[32], mac[32];
    uint64_t made_ns; /* 0 = there is none */
};

struct ticket_keys {
    _Atomic int refs;
    pthread_mutex_t lock; /* guards what follows */
    uint64_t rotation_ns;
    struct ticket_key keys[2]; /* newest first */
};

struct ticket_keys *ticket_keys_new(uint64_t rotation_ms)
{
    struct ticket_keys *k = calloc(1, sizeof *k);

    if (!k)
        abort();
    k->refs = 1;
    k->rotation_ns = rotation_ms * NS_PER_MS;
    pthread_mutex_init(&k->lock, NULL);
    return k;
}

struct ticket_keys *ticket_keys_ref(struct ticket_keys *k)
{
    atomic_fetch_add(&k->refs, 1);
    return k;
}

void ticket_keys_unref(struct ticket_keys **kp)
{
    struct ticket_keys *k = *kp;

    *kp = NULL;
    if (!k || atomic_fetch_sub(&k->refs, 1) > 1)
        return;
    pthread_mutex_destroy(&k->lock);
    OPENSSL_cleanse(k->keys, sizeof k->keys);
    free(k);
}

void ticket_keys_set_rotation(struct ticket_keys *k, uint64_t rotation_ms)
{
    pthread_mutex_lock(&k->lock);
    k->rotation_ns = rotation_ms * NS_PER_MS;
    pthread_mutex_unlock(&k->lock);
}

static int make(struct ticket_key *key, uint64_t now_ns)
{
    key->made_ns = now_ns;
    return RAND_bytes(key->name, sizeof key->name) == 1 &&
                   RAND_priv_bytes(key->cipher, sizeof key->cipher) == 1 &&
                   RAND_priv_bytes(key->mac, sizeof key->mac) == 1
               ? 0
               : -1;
}

/* A key that is older than twice its time opens nothing any more. Under the lock. */
static int rotate(struct ticket_keys *k, uint64_t now_ns)
{
    struct ticket_key *newest = &k->keys[0];

    if (newest->made_ns && now_ns - newest->made_ns < k->rotation_ns)
        return 0;
    k->keys[1] = *newest;
    if (k->keys[1].made_ns && now_ns - k->keys[1].made_ns >= 2 * k->rotation_ns)
        memset(&k->keys[1], 0, sizeof k->keys[1]);
    return make(newest, now_ns);
}

static int find(struct ticket_keys *k, const unsigned char *name, struct ticket_key *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(k->keys); i++) {
        if (!k->keys[i].made_ns || memcmp(k->keys[i].name, name, sizeof k->keys[i].name) != 0)
            continue;
        *ret = k->keys[i];
        return (int)i;
    }
    return -1;
}

static int set_mac(EVP_MAC_CTX *mac, const struct ticket_key *key)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key->mac, sizeof key->mac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_end(),
    };

    return EVP_MAC_CTX_set_params(mac, params);
}

static int keys_index = -1;

static void make_index(void)
{
    keys_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

/* As SSL_CTX_set_tlsext_ticket_key_evp_cb(3) has it: 1 = go on, 2 = and give a new ticket, 0 = not
 * ours, -1 = failed. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int encrypting)
{
    struct ticket_keys *k = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), keys_index);
    const EVP_CIPHER *aes = EVP_aes_256_cbc();
    struct ticket_key key;
    int at = 0, r, ok;

    pthread_mutex_lock(&k->lock);
    r = rotate(k, clock_now_ns());
    if (encrypting)
        key = k->keys[0];
    else
        at = find(k, name, &key);
    pthread_mutex_unlock(&k->lock);
    if (r < 0)
        return -1;
    if (at < 0)
        return 0;
    if (encrypting) {
        memcpy(name, key.name, sizeof key.name);
        ok = RAND_bytes(iv, EVP_CIPHER_get_iv_length(aes)) == 1 &&
             EVP_EncryptInit_ex(cipher, aes, NULL, key.cipher, iv) == 1 && set_mac(mac, &key) == 1;
    } else {
        ok = set_mac(mac, &key) == 1 && EVP_DecryptInit_ex(cipher, aes, NULL, key.cipher, iv) == 1;
    }
    OPENSSL_cleanse(&key, sizeof key);
    if (!ok)
        return -1;
    return at > 0 ? 2 : 1;
}

int ticket_keys_attach(struct ticket_keys *k, SSL_CTX *ctx)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, make_index);
    if (keys_index < 0 || SSL_CTX_set_ex_data(ctx, keys_index, k) != 1)
        return -1;
    return SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) == 1 ? 0 : -1;
}
