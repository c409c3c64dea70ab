/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/api_key.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <string.h>
#include <sys/random.h>

enum { SECRET_CHARS = 43, CHECK_CHARS = 6 };

static const char base62[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool all_alnum(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_alnum(s.p[i]))
            return false;
    return true;
}

bool api_key_id_ok(struct str id)
{
    if (id.n == 0 || id.n > API_KEY_ID_MAX)
        return false;
    for (size_t i = 0; i < id.n; i++)
        if (!is_alnum(id.p[i]) && id.p[i] != '-')
            return false;
    return true;
}

/* CRC-32 (IEEE), bit by bit: a key is short. */
static uint32_t crc32_of(struct str s)
{
    uint32_t crc = 0xffffffff;

    for (size_t i = 0; i < s.n; i++) {
        crc ^= (unsigned char)s.p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xedb88320 & (0u - (crc & 1)));
    }
    return ~crc;
}

/* 62^6 is more than 2^32. */
static void write_check(uint32_t crc, char *out)
{
    for (int i = CHECK_CHARS - 1; i >= 0; i--, crc /= 62)
        out[i] = base62[crc % 62];
}

bool api_key_parse(struct str key, struct str *ret_id)
{
    char check[CHECK_CHARS];
    struct str id, tail;

    if (!str_starts(key, STR("fdk_")) || key.n > API_KEY_MAX ||
        key.n <= 4 + 1 + SECRET_CHARS + 1 + CHECK_CHARS)
        return false;
    tail = (struct str){key.p + key.n - SECRET_CHARS - 2 - CHECK_CHARS,
                        SECRET_CHARS + 2 + CHECK_CHARS};
    id = (struct str){key.p + 4, key.n - 4 - tail.n};
    if (tail.p[0] != '_' || tail.p[1 + SECRET_CHARS] != '_' || !api_key_id_ok(id) ||
        !all_alnum((struct str){tail.p + 1, SECRET_CHARS}))
        return false;
    write_check(crc32_of((struct str){key.p, key.n - CHECK_CHARS - 1}), check);
    if (memcmp(check, key.p + key.n - CHECK_CHARS, CHECK_CHARS) != 0)
        return false;
    *ret_id = id;
    return true;
}

/* 256 bits as one number in base 62; 62^43 is more than 2^256. Leaves zeros in bits. */
static void write_secret(unsigned char bits[32], char *out)
{
    for (int i = SECRET_CHARS - 1; i >= 0; i--) {
        unsigned rest = 0;

        for (int b = 0; b < 32; b++) {
            rest = rest << 8 | bits[b];
            bits[b] = (unsigned char)(rest / 62);
            rest %= 62;
        }
        out[i] = base62[rest];
    }
    OPENSSL_cleanse(bits, 32);
}

int api_key_make(struct str id, char ret[API_KEY_MAX + 1])
{
    unsigned char bits[32];
    char *at = ret;

    if (!api_key_id_ok(id) || getrandom(bits, sizeof bits, 0) != sizeof bits)
        return -1;
    memcpy(at, "fdk_", 4);
    memcpy(at + 4, id.p, id.n);
    at += 4 + id.n;
    *at++ = '_';
    write_secret(bits, at);
    at += SECRET_CHARS;
    write_check(crc32_of((struct str){ret, (size_t)(at - ret)}), at + 1);
    *at = '_';
    at[1 + CHECK_CHARS] = '\0';
    return 0;
}

int api_key_make_id(char ret[9])
{
    static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789"; /* 32 of them */
    unsigned char bits[8];

    if (getrandom(bits, sizeof bits, 0) != sizeof bits)
        return -1;
    for (size_t i = 0; i < sizeof bits; i++)
        ret[i] = letters[bits[i] % 32];
    ret[8] = '\0';
    return 0;
}

int api_key_digest(struct str key, struct str pepper, unsigned char ret[API_KEY_DIGEST])
{
    if (pepper.n > 0)
        return HMAC(EVP_sha256(), pepper.p, (int)pepper.n, (const unsigned char *)key.p, key.n, ret,
                    NULL)
                   ? 0
                   : -1;
    return SHA256((const unsigned char *)key.p, key.n, ret) ? 0 : -1;
}
