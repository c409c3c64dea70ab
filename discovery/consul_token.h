/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* consul_token.h - the ACL token, fixed or from a file that an operator may replace at any time.
 *
 * The text goes into one request header and nowhere else; consul_token_mask() cleans what is to be
 * logged. A file that cannot be read, or that holds no plausible token, leaves the last one in use.
 */
#include "base/macros.h"

#include <stdbool.h>
#include <stddef.h>

struct consul_token;

/* Either may be NULL; the file wins. Both are copied. */
struct consul_token *consul_token_new(const char *file, const char *token) MUST_CHECK;
/* Overwrites the token before it frees it; accepts NULL. */
void consul_token_free(struct consul_token *t);

/* Reads the file again when its time of change differs, or in any case. True when the token is
 * another one now. */
bool consul_token_refresh(struct consul_token *t, bool in_any_case);

/* "" when there is none. Valid until the next refresh. */
const char *consul_token_text(const struct consul_token *t);

/* Replaces every occurrence of the token in `text` by stars. */
void consul_token_mask(const struct consul_token *t, char *text);
