/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/token_error.h"

static const struct {
    const char *word, *text;
} rows[TOKEN_ERRORS] = {
#define TOKEN_ERROR(name, word, text) [TOKEN_##name] = {word, text},
#include "policy/token_errors.def"
#undef TOKEN_ERROR
};

const char *token_error_word(enum token_error e)
{
    return rows[e].word;
}

const char *token_error_text(enum token_error e)
{
    return rows[e].text;
}
