/* SPDX-License-Identifier: Apache-2.0 */
#include "expr/lexer.h"

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int fail(size_t at, struct err *e, const char *what)
{
    return err_set(e, "column %zu: %s", at + 1, what);
}

static char peek(const struct lexer *l, size_t ahead)
{
    return l->at + ahead < l->text.n ? l->text.p[l->at + ahead] : '\0';
}

static int take_name(struct lexer *l, struct token *t)
{
    size_t n = 1;

    while (is_name_start(peek(l, n)) || is_digit(peek(l, n)))
        n++;
    t->kind = T_NAME;
    t->text = (struct str){l->text.p + l->at, n};
    l->at += n;
    return 0;
}

static int take_number(struct lexer *l, struct token *t, struct err *e)
{
    bool minus = peek(l, 0) == '-';
    size_t begin = l->at;

    l->at += minus;
    if (!is_digit(peek(l, 0)))
        return fail(begin, e, "\"-\" without a number");
    for (t->number = 0; is_digit(peek(l, 0)); l->at++) {
        t->number = t->number * 10 + (peek(l, 0) - '0');
        if (t->number > INT32_MAX)
            return fail(begin, e, "the number is too large");
    }
    t->number = minus ? -t->number : t->number;
    t->kind = T_NUMBER;
    return 0;
}

/* What is between this quote and the next one that has no backslash before it. */
static int take_quoted(struct lexer *l, char quote, struct str *ret, struct err *e)
{
    size_t begin = l->at++;

    *ret = STR_NULL;
    while (l->at < l->text.n && l->text.p[l->at] != quote)
        l->at += l->text.p[l->at] == '\\' && l->at + 1 < l->text.n ? 2 : 1;
    if (l->at >= l->text.n)
        return fail(begin, e, "the quote is not closed");
    *ret = (struct str){l->text.p + begin + 1, l->at - begin - 1};
    l->at++;
    return 0;
}

static int take_json(struct lexer *l, struct str text, size_t at, const struct value **ret,
                     struct err *e)
{
    const char *why;

    *ret = value_parse(l->arena, text, VALUE_MAX_DEPTH, &why);
    return *ret ? 0 : err_set(e, "column %zu: the literal %s", at + 1, why);
}

/* Takes away the backslashes before this quote. */
static struct str without_escapes(struct lexer *l, struct str s, char quote, bool both)
{
    char *out = arena_alloc(l->arena, s.n + 1);
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\' && i + 1 < s.n && (s.p[i + 1] == quote || (both && s.p[i + 1] == '\\')))
            i++;
        out[n++] = s.p[i];
    }
    return (struct str){out, n};
}

static int take_quoted_name(struct lexer *l, struct token *t, struct err *e)
{
    const struct value *v;
    struct str inner;

    if (take_quoted(l, '"', &inner, e) < 0 ||
        take_json(l, (struct str){inner.p - 1, inner.n + 2}, t->at, &v, e) < 0)
        return -1;
    t->kind = T_QUOTED;
    t->text = value_text(l->arena, v);
    return 0;
}

static int take_literal(struct lexer *l, struct token *t, struct err *e)
{
    struct str inner;

    t->kind = T_LITERAL;
    if (take_quoted(l, '`', &inner, e) < 0)
        return -1;
    return take_json(l, without_escapes(l, inner, '`', false), t->at, &t->value, e);
}

static int take_raw_string(struct lexer *l, struct token *t, struct err *e)
{
    struct str inner;

    t->kind = T_LITERAL;
    if (take_quoted(l, '\'', &inner, e) < 0)
        return -1;
    t->value = value_string(l->arena, without_escapes(l, inner, '\'', true));
    return t->value ? 0 : fail(t->at, e, "the literal is too large");
}

static int take_sign(struct lexer *l, struct token *t, struct err *e)
{
    static const struct {
        struct str text;
        enum token_kind kind;
    } signs[] = {
        {STR("[?"), T_FILTER},  {STR("[]"), T_FLATTEN},  {STR("||"), T_OR},    {STR("&&"), T_AND},
        {STR("=="), T_EQ},      {STR("!="), T_NE},       {STR("<="), T_LE},    {STR(">="), T_GE},
        {STR("<"), T_LT},       {STR(">"), T_GT},        {STR("."), T_DOT},    {STR("*"), T_STAR},
        {STR("["), T_LBRACKET}, {STR("]"), T_RBRACKET},  {STR("{"), T_LBRACE}, {STR("}"), T_RBRACE},
        {STR("("), T_LPAREN},   {STR(")"), T_RPAREN},    {STR(","), T_COMMA},  {STR(":"), T_COLON},
        {STR("@"), T_CURRENT},  {STR("&"), T_AMPERSAND}, {STR("|"), T_PIPE},   {STR("!"), T_NOT},
    };
    struct str rest = {l->text.p + l->at, l->text.n - l->at};

    for (size_t i = 0; i < ARRAY_LEN(signs); i++)
        if (str_starts(rest, signs[i].text)) {
            t->kind = signs[i].kind;
            t->text = (struct str){rest.p, signs[i].text.n};
            l->at += signs[i].text.n;
            return 0;
        }
    return fail(l->at, e, "a character that has no meaning here");
}

int lexer_next(struct lexer *l, struct token *t, struct err *e)
{
    char c;

    while (l->at < l->text.n && strchr(" \t\r\n", l->text.p[l->at]) && l->text.p[l->at])
        l->at++;
    *t = (struct token){.kind = T_END, .at = l->at, .text = STR("the end")};
    if (l->at == l->text.n)
        return 0;
    c = peek(l, 0);
    if (is_name_start(c))
        return take_name(l, t);
    if (is_digit(c) || c == '-')
        return take_number(l, t, e);
    if (c == '"')
        return take_quoted_name(l, t, e);
    if (c == '`')
        return take_literal(l, t, e);
    return c == '\'' ? take_raw_string(l, t, e) : take_sign(l, t, e);
}
