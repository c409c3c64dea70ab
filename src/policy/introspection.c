/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/introspection.h"
#include "policy/json_strict.h"
#include "policy/token_claims.h"

#include <openssl/evp.h>
#include <string.h>

enum { ANSWER_DEPTH = 16, LEEWAY_MS = 30 * 1000 };

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

static bool add_encoded(struct bytes *to, struct str s)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        char escaped[3] = {'%', digits[c >> 4], digits[c & 15]};

        if (!bytes_add(to, is_unreserved(s.p[i]) ? &s.p[i] : escaped,
                       is_unreserved(s.p[i]) ? 1 : sizeof escaped))
            return false;
    }
    return true;
}

bool introspection_form(struct bytes *to, struct str token)
{
    return bytes_add_str(to, STR("token_type_hint=access_token&token=")) && add_encoded(to, token);
}

bool introspection_credentials(struct bytes *to, const struct introspection_conf *c)
{
    struct bytes pair = {0};
    char text[6 * 1024]; /* id and secret at their longest fit */
    bool good = false;

    if (!c->client_id)
        return true;
    if (add_encoded(&pair, str_of(c->client_id)) && bytes_add_str(&pair, STR(":")) &&
        add_encoded(&pair, str_of(c->client_secret)) && pair.end * 4 / 3 + 4 < sizeof text) {
        int n =
            EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)pair.p, (int)pair.end);

        good = bytes_add_str(to, STR("Authorization: Basic ")) && bytes_add(to, text, (size_t)n) &&
               bytes_add_str(to, STR("\r\n"));
        OPENSSL_cleanse(text, sizeof text);
    }
    if (pair.p)
        OPENSSL_cleanse(pair.p, pair.end);
    bytes_free(&pair);
    return good;
}

bool introspection_conf_hides(const struct introspection_conf *c, struct str name)
{
    for (size_t i = 0; !c->forward_token && i < c->nplaces; i++)
        if (c->places[i].kind == PLACE_HEADER && str_ieq(name, str_of(c->places[i].name)))
            return true;
    return false;
}

/* The rules for tokens of issuers, as far as they fit an answer about one. */
static enum token_error check_claims(const struct introspection_conf *c, const json_t *claims,
                                     int64_t now_s)
{
    struct issuer_conf rules = {
        .audience = c->audience,
        .naudience = c->naudience,
        .any_audience = c->naudience == 0,
        .leeway_ms = LEEWAY_MS,
    };
    const json_t *issuer = json_object_get(claims, "iss");

    if (c->issuer && issuer &&
        (!json_is_string(issuer) || strcmp(json_string_value(issuer), c->issuer) != 0))
        return TOKEN_ISSUER_UNKNOWN;
    return token_claims_check(claims, &rules, now_s);
}

static uint64_t expiry(const json_t *claims)
{
    const json_t *exp = json_object_get(claims, "exp");
    json_int_t s = json_is_real(exp) ? (json_int_t)json_real_value(exp) : json_integer_value(exp);

    return s > 0 ? (uint64_t)s : 0;
}

enum introspection_verdict introspection_judge(const struct introspection_conf *c, struct str body,
                                               int64_t now_s, struct identity **ret,
                                               const char **ret_detail)
{
    json_t *claims = NULL;
    const json_t *active;
    enum token_error e;

    if (json_strict(body, ANSWER_DEPTH, &claims) != JSON_STRICT_OK)
        return TOKEN_UNTOLD;
    active = json_is_object(claims) ? json_object_get(claims, "active") : NULL;
    if (!json_is_boolean(active)) {
        json_decref(claims);
        return TOKEN_UNTOLD;
    }
    *ret_detail = "the token is not active";
    e = json_is_true(active) ? check_claims(c, claims, now_s) : TOKEN_OK;
    if (json_is_false(active) || e != TOKEN_OK) {
        if (e != TOKEN_OK)
            *ret_detail = token_error_text(e);
        json_decref(claims);
        return TOKEN_INACTIVE;
    }
    *ret = identity_new(IDENTITY_INTROSPECTION, c->name, claims, expiry(claims));
    return *ret ? TOKEN_ACTIVE : TOKEN_UNTOLD;
}
