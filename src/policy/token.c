/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/token.h"
#include "policy/base64url.h"
#include "policy/json_strict.h"
#include "policy/jws.h"
#include "policy/keyset.h"
#include "policy/token_claims.h"

#include <strings.h>

/* header.payload.signature */
struct parts {
    struct str header, payload, signature;
};

static enum token_error split(struct str text, struct parts *ret)
{
    const char *dots[4];
    size_t n = 0;

    for (const char *p = text.p; p < text.p + text.n; p++) {
        if (*p != '.')
            continue;
        if (n == ARRAY_LEN(dots))
            return TOKEN_STRUCTURE;
        dots[n++] = p;
    }
    if (n == 4)
        return TOKEN_ENCRYPTED;
    if (n != 2)
        return TOKEN_STRUCTURE;
    ret->header = (struct str){text.p, (size_t)(dots[0] - text.p)};
    ret->payload = (struct str){dots[0] + 1, (size_t)(dots[1] - dots[0] - 1)};
    ret->signature = (struct str){dots[1] + 1, (size_t)(text.p + text.n - dots[1] - 1)};
    return TOKEN_OK;
}

/* What can be wrong with a part, in the words of that part. */
struct part_errors {
    enum token_error encoding, depth, duplicate, json, object;
};

static enum token_error part_read(struct str text, const struct part_errors *e, json_t **ret)
{
    unsigned char buf[BASE64URL_BYTES(TOKEN_MAX)];
    json_t *value;
    size_t n;

    if (!base64url_decode(text, buf, &n))
        return e->encoding;
    switch (json_strict((struct str){(char *)buf, n}, TOKEN_DEPTH, &value)) {
    case JSON_STRICT_DEPTH:
        return e->depth;
    case JSON_STRICT_DUPLICATE:
        return e->duplicate;
    case JSON_STRICT_BROKEN:
        return e->json;
    case JSON_STRICT_OK:
        break;
    }
    if (!json_is_object(value)) {
        json_decref(value);
        return e->object;
    }
    *ret = value;
    return TOKEN_OK;
}

static enum token_error read_algorithm(const json_t *header, enum token_alg *ret)
{
    const json_t *alg = json_object_get(header, "alg");
    int known;

    if (!alg)
        return TOKEN_ALGORITHM_MISSING;
    if (!json_is_string(alg))
        return TOKEN_ALGORITHM_TYPE;
    if (strcasecmp(json_string_value(alg), "none") == 0)
        return TOKEN_ALGORITHM_NONE;
    known = token_alg_parse(json_string_value(alg), json_string_length(alg));
    if (known < 0)
        return TOKEN_ALGORITHM_UNKNOWN;
    *ret = (enum token_alg)known;
    return TOKEN_OK;
}

/* Members that would make something else of the token. */
static enum token_error check_extensions(const json_t *header)
{
    const json_t *cty = json_object_get(header, "cty");

    if (json_object_get(header, "crit"))
        return TOKEN_CRITICAL;
    if (json_object_get(header, "b64"))
        return TOKEN_UNENCODED;
    if (json_object_get(header, "zip"))
        return TOKEN_COMPRESSED;
    if (json_object_get(header, "enc"))
        return TOKEN_ENCRYPTION_HEADER;
    return cty ? TOKEN_NESTED : TOKEN_OK;
}

static enum token_error read_kid(const json_t *header, const char **ret)
{
    const json_t *kid = json_object_get(header, "kid");
    size_t n;

    if (!kid)
        return TOKEN_OK;
    if (!json_is_string(kid))
        return TOKEN_KEY_ID_TYPE;
    n = json_string_length(kid);
    if (n == 0 || n > TOKEN_KID_MAX)
        return TOKEN_KEY_ID_LENGTH;
    *ret = json_string_value(kid);
    for (const char *p = *ret; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return TOKEN_KEY_ID_CHARACTERS;
    return TOKEN_OK;
}

static enum token_error read_header(struct str text, struct token *t)
{
    static const struct part_errors errors = {TOKEN_HEADER_ENCODING, TOKEN_HEADER_DEPTH,
                                              TOKEN_HEADER_DUPLICATE, TOKEN_HEADER_JSON,
                                              TOKEN_HEADER_OBJECT};
    const json_t *type;
    enum token_error e;

    if (text.n > TOKEN_HEADER_MAX)
        return TOKEN_HEADER_TOO_LONG;
    if ((e = part_read(text, &errors, &t->header)) != TOKEN_OK ||
        (e = read_algorithm(t->header, &t->alg)) != TOKEN_OK ||
        (e = check_extensions(t->header)) != TOKEN_OK)
        return e;
    type = json_object_get(t->header, "typ");
    if (type && !json_is_string(type))
        return TOKEN_TYPE_INVALID;
    t->type = json_string_value(type);
    return read_kid(t->header, &t->kid);
}

static enum token_error read_payload(struct str text, struct token *t)
{
    static const struct part_errors errors = {TOKEN_PAYLOAD_ENCODING, TOKEN_PAYLOAD_DEPTH,
                                              TOKEN_PAYLOAD_DUPLICATE, TOKEN_PAYLOAD_JSON,
                                              TOKEN_PAYLOAD_OBJECT};
    enum token_error e = part_read(text, &errors, &t->claims);
    const json_t *issuer;

    if (e != TOKEN_OK)
        return e;
    issuer = json_object_get(t->claims, "iss");
    if (!issuer)
        return TOKEN_ISSUER_MISSING;
    if (!json_is_string(issuer))
        return TOKEN_ISSUER_TYPE;
    t->issuer = json_string_value(issuer);
    return TOKEN_OK;
}

enum token_error token_read(struct str text, struct token *ret)
{
    struct token t = {.text = text};
    struct parts parts;
    enum token_error e;

    if (text.n == 0)
        return TOKEN_EMPTY;
    if (text.n > TOKEN_MAX)
        return TOKEN_TOO_LONG;
    e = split(text, &parts);
    if (e == TOKEN_OK)
        e = read_header(parts.header, &t);
    if (e == TOKEN_OK && parts.signature.n == 0)
        e = TOKEN_SIGNATURE_MISSING;
    if (e == TOKEN_OK)
        e = read_payload(parts.payload, &t);
    if (e != TOKEN_OK) {
        token_release(&t);
        return e;
    }
    t.signature = parts.signature;
    t.signed_of = (struct str){text.p, (size_t)(parts.signature.p - 1 - text.p)};
    *ret = t;
    return TOKEN_OK;
}

void token_release(struct token *t)
{
    json_decref(t->header);
    json_decref(t->claims);
    t->header = t->claims = NULL;
}

/* Media types are compared without case, and "application/" may be left out (RFC 7515 4.1.9). */
static bool type_fits(const struct issuer_conf *c, enum token_alg alg, const char *type)
{
    /* libjwt, which verifies these, knows no other. */
    if ((ALG_BIT(alg) & ALGS_HMAC) && type && strcasecmp(type, "JWT") != 0)
        return false;
    if (c->ntypes == 0)
        return true;
    if (!type)
        return false;
    if (strncasecmp(type, "application/", 12) == 0)
        type += 12;
    for (size_t i = 0; i < c->ntypes; i++)
        if (strcasecmp(c->types[i], type) == 0)
            return true;
    return false;
}

enum token_error token_verify(const struct token *t, const struct issuer_conf *c,
                              const struct keyset *keys, int64_t now_s)
{
    enum token_error e;

    if (strcmp(t->issuer, c->issuer) != 0)
        return TOKEN_ISSUER_UNKNOWN;
    if (!type_fits(c, t->alg, t->type))
        return TOKEN_TYPE_REFUSED;
    if (!(c->algorithms & ALG_BIT(t->alg)))
        return TOKEN_ALGORITHM_REFUSED;
    e = jws_verify(t, keys);
    return e == TOKEN_OK ? token_claims_check(t->claims, c, now_s) : e;
}

int64_t token_expires(const struct token *t, const struct issuer_conf *c)
{
    return token_claims_expiry(t->claims, c);
}

struct identity *token_identity(struct token *t, const struct issuer_conf *c)
{
    int64_t expires = token_expires(t, c);
    json_t *claims = t->claims;

    t->claims = NULL;
    return identity_new(IDENTITY_JWT, c->name, claims, expires > 0 ? (uint64_t)expires : 0);
}
