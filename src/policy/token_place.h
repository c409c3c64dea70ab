/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* token_place.h - finds the bearer token in a request, where the issuer's configuration says.
 *
 * Two tokens in one place are refused: who reads the first and who reads the last would see
 * different people. */
#include "base/macros.h"
#include "config/issuers_conf.h"
#include "http/message.h"
#include "policy/token_error.h"

/* TOKEN_OK and a slice of the request; TOKEN_MISSING, TOKEN_REPEATED. Other schemes in the field
 * are other credentials: TOKEN_MISSING. */
enum token_error token_find(const struct request *r, const struct issuer_conf *c,
                            struct str *ret) MUST_CHECK;
/* The same of one place. */
enum token_error token_find_at(const struct request *r, const struct token_place *p,
                               struct str *ret) MUST_CHECK;
