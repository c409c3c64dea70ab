/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* token_file.h - a token that the gateway shows to others (Consul, receivers of webhooks): fixed,
 * or from a file that an operator may replace at any time.
 *
 * The text goes into one request header and nowhere else; token_file_mask() cleans what is to be
 * logged. A file that cannot be read, or that holds no plausible token, leaves the last one in use.
 */
#include "base/macros.h"

#include <stdbool.h>
#include <stddef.h>

struct token_file;

/* Either may be NULL; the file wins. Both are copied. `area` is for the log; borrowed for ever. */
struct token_file *token_file_new(const char *area, const char *file, const char *token) MUST_CHECK;
/* Overwrites the token before it frees it; accepts NULL. */
void token_file_free(struct token_file *t);

/* Reads the file again when its time of change differs, or in any case. True when the token is
 * another one now. */
bool token_file_refresh(struct token_file *t, bool in_any_case);

/* Another token, that came from elsewhere; for one without a file. False: it is not usable as a
 * header value, and the last one stays. */
bool token_file_put(struct token_file *t, const char *token) MUST_CHECK;

/* "" when there is none. Valid until the next refresh. */
const char *token_file_text(const struct token_file *t);

/* Replaces every occurrence of the token in `text` by stars. */
void token_file_mask(const struct token_file *t, char *text);
