/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/tickets.h"
#include "base/clock.h"
#include "base/macros.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

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
    if (RAND_bytes(key->name, sizeof key->name) == 1 &&
        RAND_priv_bytes(key->cipher, sizeof key->cipher) == 1 &&
        RAND_priv_bytes(key->mac, sizeof key->mac) == 1) {
        key->made_ns = now_ns;
        return 0;
    }
    OPENSSL_cleanse(key, sizeof *key);
    return -1;
}

/* Is it younger than so many rotations? */
static bool is_good(const struct ticket_keys *k, const struct ticket_key *key, unsigned rotations,
                    uint64_t now_ns)
{
    return key->made_ns && now_ns - key->made_ns < rotations * k->rotation_ns;
}

/* Under the lock. */
static int rotate(struct ticket_keys *k, uint64_t now_ns)
{
    if (is_good(k, &k->keys[0], 1, now_ns))
        return 0;
    k->keys[1] = k->keys[0];
    return make(&k->keys[0], now_ns);
}

int ticket_keys_newest(struct ticket_keys *k, uint64_t now_ns, struct ticket_key *ret)
{
    int r;

    pthread_mutex_lock(&k->lock);
    r = rotate(k, now_ns);
    *ret = k->keys[0];
    pthread_mutex_unlock(&k->lock);
    return r;
}

int ticket_keys_find(struct ticket_keys *k, const unsigned char name[16], uint64_t now_ns,
                     struct ticket_key *ret)
{
    int found = -1;

    pthread_mutex_lock(&k->lock);
    if (rotate(k, now_ns) == 0)
        for (int i = 0; i < (int)ARRAY_LEN(k->keys) && found < 0; i++)
            if (is_good(k, &k->keys[i], 2, now_ns) &&
                memcmp(k->keys[i].name, name, sizeof k->keys[i].name) == 0)
                found = i;
    if (found >= 0)
        *ret = k->keys[found];
    pthread_mutex_unlock(&k->lock);
    return found;
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

static int protect(struct ticket_keys *k, unsigned char *name, unsigned char *iv,
                   EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    const EVP_CIPHER *aes = EVP_aes_256_cbc();
    struct ticket_key key;
    int ok;

    if (ticket_keys_newest(k, clock_now_ns(), &key) < 0)
        return -1;
    memcpy(name, key.name, sizeof key.name);
    ok = RAND_bytes(iv, EVP_CIPHER_get_iv_length(aes)) == 1 &&
         EVP_EncryptInit_ex(cipher, aes, NULL, key.cipher, iv) == 1 && set_mac(mac, &key) == 1;
    OPENSSL_cleanse(&key, sizeof key);
    return ok ? 1 : -1;
}

static int open_ticket(struct ticket_keys *k, const unsigned char *name, const unsigned char *iv,
                       EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    struct ticket_key key;
    int at = ticket_keys_find(k, name, clock_now_ns(), &key), ok;

    if (at < 0)
        return 0;
    ok = set_mac(mac, &key) == 1 &&
         EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.cipher, iv) == 1;
    OPENSSL_cleanse(&key, sizeof key);
    return !ok ? -1 : at > 0 ? 2 : 1;
}

/* As SSL_CTX_set_tlsext_ticket_key_evp_cb(3) has it: 1 = go on, 2 = and give a new ticket, 0 = not
 * ours, -1 = failed. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int encrypting)
{
    struct ticket_keys *k = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), keys_index);

    return encrypting ? protect(k, name, iv, cipher, mac) : open_ticket(k, name, iv, cipher, mac);
}

int ticket_keys_attach(struct ticket_keys *k, SSL_CTX *ctx)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, make_index);
    if (keys_index < 0 || SSL_CTX_set_ex_data(ctx, keys_index, k) != 1)
        return -1;
    return SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) == 1 ? 0 : -1;
}
