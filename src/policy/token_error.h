/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* token_error.h - why a bearer token does not count: the rows of token_errors.def. */

enum token_error {
#define TOKEN_ERROR(name, word, text) TOKEN_##name,
#include "policy/token_errors.def"
#undef TOKEN_ERROR
    TOKEN_ERRORS
};

/* "signature_wrong", for metrics. */
const char *token_error_word(enum token_error e);
/* "the signature is wrong": static, for the client and the log; no quotes or backslashes. */
const char *token_error_text(enum token_error e);
