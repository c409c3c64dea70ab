/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* lexer.h - the words of a JMESPath expression. */
#include "expr/expr.h"

#include <stdint.h>

enum token_kind {
    T_END,
    T_NAME,
    T_QUOTED,
    T_NUMBER,
    T_LITERAL,
    T_DOT,
    T_STAR,
    T_LBRACKET,
    T_FILTER,  /* [? */
    T_FLATTEN, /* [] */
    T_RBRACKET,
    T_LBRACE,
    T_RBRACE,
    T_LPAREN,
    T_RPAREN,
    T_COMMA,
    T_COLON,
    T_CURRENT,
    T_AMPERSAND,
    T_PIPE,
    T_OR,
    T_AND,
    T_NOT,
    T_EQ,
    T_NE,
    T_LT,
    T_LE,
    T_GT,
    T_GE
};

struct token {
    enum token_kind kind;
    size_t at;                 /* of its first byte */
    struct str text;           /* a name, decoded; else as written */
    int64_t number;            /* T_NUMBER */
    const struct value *value; /* T_LITERAL */
};

struct lexer {
    struct arena *arena;
    struct str text;
    size_t at;
};

/* The next token; -1 and an error when what is there is none. */
int lexer_next(struct lexer *l, struct token *ret, struct err *e) MUST_CHECK;
