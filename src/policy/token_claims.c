/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/token_claims.h"

#include <stdbool.h>
#include <string.h>

#define TIME_MAX (1ll << 53)

/* False when the claim is there and no time. */
static bool time_of(const json_t *claim, int64_t *ret)
{
    if (json_is_integer(claim)) {
        json_int_t v = json_integer_value(claim);

        *ret = v;
        return v >= 0 && v <= TIME_MAX;
    }
    if (json_is_real(claim)) {
        double v = json_real_value(claim);

        if (!(v >= 0 && v <= (double)TIME_MAX))
            return false;
        *ret = (int64_t)v;
        return true;
    }
    return false;
}

static enum token_error check_expiry(const json_t *claims, const struct issuer_conf *c,
                                     int64_t now_s, int64_t leeway_s)
{
    const json_t *exp = json_object_get(claims, "exp");
    int64_t at;

    if (!exp)
        return c->require_exp ? TOKEN_EXPIRY_MISSING : TOKEN_OK;
    if (!time_of(exp, &at))
        return TOKEN_EXPIRY_INVALID;
    return now_s >= at + leeway_s ? TOKEN_EXPIRED : TOKEN_OK;
}

/* A time that must not lie in the future. */
static enum token_error check_past(const json_t *claim, int64_t now_s, int64_t leeway_s,
                                   enum token_error invalid, enum token_error future)
{
    int64_t at;

    if (!claim)
        return TOKEN_OK;
    if (!time_of(claim, &at))
        return invalid;
    return at > now_s + leeway_s ? future : TOKEN_OK;
}

static bool is_wanted(const struct issuer_conf *c, const json_t *audience)
{
    for (size_t i = 0; i < c->naudience; i++)
        if (strcmp(json_string_value(audience), c->audience[i]) == 0)
            return true;
    return false;
}

static enum token_error check_audience(const json_t *aud, const struct issuer_conf *c)
{
    enum token_error e = TOKEN_AUDIENCE_WRONG;
    const json_t *one;
    size_t i;

    if (!aud)
        return c->any_audience ? TOKEN_OK : TOKEN_AUDIENCE_MISSING;
    if (json_is_string(aud))
        return c->any_audience || is_wanted(c, aud) ? TOKEN_OK : e;
    if (!json_is_array(aud))
        return TOKEN_AUDIENCE_INVALID;
    json_array_foreach(aud, i, one)
    {
        if (!json_is_string(one))
            return TOKEN_AUDIENCE_INVALID;
        if (is_wanted(c, one))
            e = TOKEN_OK;
    }
    return c->any_audience ? TOKEN_OK : e;
}

static enum token_error check_required(const json_t *claims, const struct issuer_conf *c)
{
    const json_t *sub = json_object_get(claims, "sub");

    if (sub && !json_is_string(sub))
        return TOKEN_SUBJECT_INVALID;
    for (size_t i = 0; i < c->nrequire; i++) {
        const json_t *claim = json_object_get(claims, c->require[i]);

        if (!claim || json_is_null(claim) ||
            (json_is_string(claim) && json_string_length(claim) == 0))
            return TOKEN_CLAIM_MISSING;
    }
    return TOKEN_OK;
}

enum token_error token_claims_check(const json_t *claims, const struct issuer_conf *c,
                                    int64_t now_s)
{
    int64_t leeway_s = (int64_t)(c->leeway_ms / 1000);
    enum token_error e;

    e = check_expiry(claims, c, now_s, leeway_s);
    if (e == TOKEN_OK)
        e = check_past(json_object_get(claims, "nbf"), now_s, leeway_s, TOKEN_NOT_BEFORE_INVALID,
                       TOKEN_NOT_YET_VALID);
    if (e == TOKEN_OK)
        e = check_past(json_object_get(claims, "iat"), now_s, leeway_s, TOKEN_ISSUED_AT_INVALID,
                       TOKEN_ISSUED_IN_FUTURE);
    if (e == TOKEN_OK)
        e = check_audience(json_object_get(claims, "aud"), c);
    return e == TOKEN_OK ? check_required(claims, c) : e;
}

int64_t token_claims_expiry(const json_t *claims, const struct issuer_conf *c)
{
    const json_t *exp = json_object_get(claims, "exp");
    int64_t at;

    return exp && time_of(exp, &at) ? at + (int64_t)(c->leeway_ms / 1000) : 0;
}
