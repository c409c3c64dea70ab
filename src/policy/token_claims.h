/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* token_claims.h - what a token with a good signature must say to be good here and now: times,
 * audience, claims that the configuration asks for (RFC 7519 section 4.1). Pure.
 *
 * A time is a JSON number from 0 to 2^53, seconds since 1970; fractions are cut off. Texts are no
 * numbers. */
#include "base/macros.h"
#include "config/issuers_conf.h"
#include "policy/token_error.h"

#include <jansson.h>

enum token_error token_claims_check(const json_t *claims, const struct issuer_conf *c,
                                    int64_t now_s) MUST_CHECK;
/* The end of its life, leeway included; 0 = it has none. Of claims that were checked. */
int64_t token_claims_expiry(const json_t *claims, const struct issuer_conf *c);
