/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a bearer token, and as header and payload of one. Nobody here can sign, so no token
 * may be found good, and whatever is found wrong has a name. */
#include "policy/keyset.h"
#include "policy/token.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char jwks[] =
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"k\","
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},"
    "{\"kty\":\"oct\",\"kid\":\"s\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-"
    "1qS0gZH75aKtM"
    "N3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"}]}";

static void check(struct str text)
{
    static struct keyset *keys;
    static struct issuer_conf conf = {
        .name = "i", .issuer = "joe", .any_audience = true, .algorithms = ALGS_PUBLIC | ALGS_HMAC};
    struct jwk_rules rules = {.algorithms = ALGS_PUBLIC | ALGS_HMAC, .secrets = true};
    struct token t;
    struct err e;
    enum token_error result = token_read(text, &t);

    if (!keys)
        keys = keyset_from_jwks(str_of(jwks), &rules, &e);
    assert(result < TOKEN_ERRORS);
    if (result != TOKEN_OK)
        return;
    assert(t.text.n <= TOKEN_MAX && t.issuer && json_is_object(t.claims));
    assert(t.signed_of.n + 1 + t.signature.n == t.text.n);
    result = token_verify(&t, &conf, keys, 1700000000);
    /* Those of the seeds that the RFCs have signed have expired. */
    assert(result != TOKEN_OK);
    token_release(&t);
}

static size_t encode(const uint8_t *p, size_t n, char *out)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t at = 0;

    for (size_t i = 0; i < n; i += 3) {
        unsigned b =
            (unsigned)(p[i] << 16 | (i + 1 < n ? p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0));

        for (unsigned k = 0; k < 4 && (k < 2 || i + k - 1 < n); k++)
            out[at++] = letters[b >> (18 - 6 * k) & 63];
    }
    return at;
}

/* HEADER, a line break, PAYLOAD: as the parts of a token with a signature of zeros. */
static void check_parts(const uint8_t *data, size_t n)
{
    const uint8_t *end = memchr(data, '\n', n);
    size_t header = end ? (size_t)(end - data) : n, at;
    char *text = malloc(n * 2 + 120);

    if (!text)
        return;
    at = encode(data, header, text);
    text[at++] = '.';
    if (end)
        at += encode(end + 1, n - header - 1, text + at);
    text[at++] = '.';
    memset(text + at, 'A', 86);
    check((struct str){text, at + 86});
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] == '{' || data[0] == '[')
        check_parts(data, size);
    else
        check((struct str){(const char *)data, size});
    return 0;
}
