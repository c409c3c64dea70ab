/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/keyset.h"
#include "base/alloc.h"
#include "policy/json_strict.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

enum { JSON_DEPTH = 8 };

static struct keyset *keyset_new(size_t room, struct str text)
{
    static _Atomic uint64_t last;
    struct keyset *s = alloc_or_abort(sizeof *s + room * sizeof s->keys[0]);

    s->refs = 1;
    s->generation = atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
    SHA256((const unsigned char *)text.p, text.n, s->digest);
    return s;
}

struct keyset *keyset_ref(struct keyset *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void keyset_unref(struct keyset **sp)
{
    struct keyset *s = *sp;

    *sp = NULL;
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < s->n; i++)
        jwk_release(&s->keys[i]);
    free(s);
}

bool keyset_same(const struct keyset *a, const struct keyset *b)
{
    return memcmp(a->digest, b->digest, sizeof a->digest) == 0;
}

static void skip(struct keyset *s, const char *why)
{
    if (s->skipped++ == 0)
        s->skipped_why = why;
}

/* Of a set from which all that does not do has been left out. */
static struct keyset *usable(struct keyset *s, struct err *e)
{
    if (s->n > 0)
        return s;
    if (s->skipped)
        err_set(e, "none of its %zu keys can be used; the first: %s", s->skipped, s->skipped_why);
    else
        err_set(e, "it holds no key");
    keyset_unref(&s);
    return NULL;
}

static struct keyset *from_list(const json_t *list, struct str text, const struct jwk_rules *rules,
                                struct err *e)
{
    struct keyset *s;
    const json_t *one;
    size_t i;

    if (!json_is_array(list)) {
        err_set(e, "it is no key set: there is no list \"keys\"");
        return NULL;
    }
    if (json_array_size(list) > KEYSET_MAX) {
        err_set(e, "it holds more than %d keys", KEYSET_MAX);
        return NULL;
    }
    s = keyset_new(json_array_size(list), text);
    json_array_foreach(list, i, one)
    {
        const char *why = jwk_from_json(one, rules, &s->keys[s->n]);

        if (why)
            skip(s, why);
        else
            s->n++;
    }
    return usable(s, e);
}

struct keyset *keyset_from_jwks(struct str text, const struct jwk_rules *rules, struct err *e)
{
    static const char *const problems[] = {
        [JSON_STRICT_DEPTH] = "it is nested too deeply",
        [JSON_STRICT_DUPLICATE] = "it has a member twice",
        [JSON_STRICT_BROKEN] = "it is not JSON",
    };
    struct keyset *s;
    enum json_strict result;
    json_t *json;

    if (text.n > KEYSET_JSON_MAX) {
        err_set(e, "it is larger than 256 KiB");
        return NULL;
    }
    result = json_strict(text, JSON_DEPTH, &json);
    if (result != JSON_STRICT_OK) {
        err_set(e, "%s", problems[result]);
        return NULL;
    }
    s = from_list(json_object_get(json, "keys"), text, rules, e);
    json_decref(json);
    return s;
}

static EVP_PKEY *key_of_block(const char *name, const unsigned char *der, long n, const char **why)
{
    EVP_PKEY *key = NULL;
    X509 *cert;

    *why = "a block cannot be read";
    if (strcmp(name, PEM_STRING_PUBLIC) == 0) {
        key = d2i_PUBKEY(NULL, &der, n);
    } else if (strcmp(name, PEM_STRING_X509) == 0) {
        cert = d2i_X509(NULL, &der, n);
        key = cert ? X509_get_pubkey(cert) : NULL;
        X509_free(cert);
    } else {
        *why = strstr(name, "PRIVATE KEY") ? "it holds a private key; the public one is needed"
                                           : "only PUBLIC KEY and CERTIFICATE are read";
    }
    return key;
}

/* One key more; false and a message when a block does not do. */
static bool add_block(struct keyset *s, const char *name, const unsigned char *der, long n,
                      const struct jwk_rules *rules, struct err *e)
{
    const char *why;
    EVP_PKEY *key = key_of_block(name, der, n, &why);

    if (key)
        why = s->n < KEYSET_MAX ? jwk_from_key(key, rules, &s->keys[s->n]) : "too many keys";
    if (key && s->n == KEYSET_MAX)
        EVP_PKEY_free(key);
    if (why) {
        err_set(e, "%s", why);
        return false;
    }
    s->n++;
    return true;
}

struct keyset *keyset_from_pem(struct str text, const struct jwk_rules *rules, struct err *e)
{
    struct keyset *s = keyset_new(KEYSET_MAX, text);
    BIO *bio = BIO_new_mem_buf(text.p, (int)text.n);
    char *name, *header;
    unsigned char *der;
    bool good = bio != NULL;
    long n;

    while (good && PEM_read_bio(bio, &name, &header, &der, &n) == 1) {
        good = add_block(s, name, der, n, rules, e);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(der);
    }
    BIO_free(bio);
    if (good && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
        err_set(e, "a block cannot be read");
        good = false;
    }
    ERR_clear_error();
    if (good)
        return usable(s, e);
    keyset_unref(&s);
    return NULL;
}

struct keyset *keyset_from_secret(struct str text, const struct jwk_rules *rules, struct err *e)
{
    struct keyset *s = keyset_new(1, text);
    const char *why;

    if (text.n > 0 && text.p[text.n - 1] == '\n')
        text.n--;
    if (text.n > 0 && text.p[text.n - 1] == '\r')
        text.n--;
    why = jwk_from_secret(text, rules, &s->keys[0]);
    if (!why) {
        s->n = 1;
        return s;
    }
    err_set(e, "%s", why);
    keyset_unref(&s);
    return NULL;
}

enum keyset_match keyset_find(const struct keyset *s, const char *kid, enum token_alg alg,
                              const struct jwk *ret[KEYSET_TRIES], size_t *ret_n)
{
    bool found = false;

    *ret_n = 0;
    for (size_t i = 0; i < s->n; i++) {
        const struct jwk *k = &s->keys[i];

        if (kid && k->kid && strcmp(k->kid, kid) != 0)
            continue;
        found = true;
        if (!(k->algorithms & ALG_BIT(alg)))
            continue;
        if (*ret_n == KEYSET_TRIES)
            return KEYSET_AMBIGUOUS;
        ret[(*ret_n)++] = k;
    }
    if (*ret_n > 0)
        return KEYSET_FOUND;
    return found ? KEYSET_MISMATCH : KEYSET_UNKNOWN;
}
