/* SPDX-License-Identifier: Apache-2.0 */
/* parser.c - from text to nodes: a Pratt parser. Binding powers give the precedence of the
 * specification's grammar. */
#include "expr/lexer.h"
#include "expr/node.h"

enum { MAX_NESTING = 64, MAX_ROOTS = 64, MAX_ITEMS = 64, BINDS_PROJECTION = 10 };

struct parse {
    struct lexer lexer;
    struct token now; /* the next one, not taken yet */
    struct arena *arena;
    struct err *err;
    unsigned depth;
};

static const struct expr_node *expression(struct parse *p, int binding);

static const struct expr_node current = {.kind = N_CURRENT};

static int binds(enum token_kind k)
{
    static const int powers[] = {
        [T_PIPE] = 1,      [T_OR] = 2,      [T_AND] = 3,  [T_EQ] = 5,   [T_NE] = 5,
        [T_LT] = 5,        [T_LE] = 5,      [T_GT] = 5,   [T_GE] = 5,   [T_FLATTEN] = 9,
        [T_STAR] = 20,     [T_FILTER] = 21, [T_DOT] = 40, [T_NOT] = 45, [T_LBRACE] = 50,
        [T_LBRACKET] = 55, [T_LPAREN] = 60,
    };

    return (size_t)k < ARRAY_LEN(powers) ? powers[k] : 0;
}

static void *fail(struct parse *p, const char *what)
{
    err_set(p->err, "column %zu: %s, found %.*s", p->now.at + 1, what,
            p->now.kind == T_LITERAL ? 9 : (int)p->now.text.n,
            p->now.kind == T_LITERAL ? "a literal" : p->now.text.p);
    return NULL;
}

static bool advance(struct parse *p)
{
    return lexer_next(&p->lexer, &p->now, p->err) == 0;
}

static bool match(struct parse *p, enum token_kind k, const char *what)
{
    if (p->now.kind != k)
        return fail(p, what);
    return advance(p);
}

static struct expr_node *make(struct parse *p, enum expr_node_kind kind,
                              const struct expr_node *left, const struct expr_node *right)
{
    struct expr_node *n = arena_alloc(p->arena, sizeof *n);

    n->kind = kind;
    n->left = left;
    n->right = right;
    return n;
}

/* NULL when one that it is made of is. */
static const struct expr_node *join(struct parse *p, enum expr_node_kind kind,
                                    const struct expr_node *left, const struct expr_node *right)
{
    return left && right ? make(p, kind, left, right) : NULL;
}

static const struct expr_node *field(struct parse *p)
{
    struct expr_node *n = make(p, N_FIELD, NULL, NULL);

    n->name = arena_str(p->arena, p->now.text);
    return advance(p) ? n : NULL;
}

/* Items until `close`, which is taken. */
static bool items(struct parse *p, struct expr_node *to, enum token_kind close, const char *what)
{
    to->items = arena_alloc(p->arena, MAX_ITEMS * sizeof *to->items);
    while (to->n < MAX_ITEMS) {
        const struct expr_node *item = expression(p, 0);

        if (!item)
            return false;
        to->items[to->n++] = item;
        if (p->now.kind != T_COMMA)
            return match(p, close, what);
        if (!advance(p))
            return false;
    }
    return fail(p, "expected 64 items at most");
}

static const struct expr_node *multi_list(struct parse *p)
{
    struct expr_node *n = make(p, N_LIST, NULL, NULL);

    return items(p, n, T_RBRACKET, "expected , or ]") ? n : NULL;
}

static bool hash_item(struct parse *p, struct expr_node *to)
{
    const struct expr_node *name;

    if (p->now.kind != T_NAME && p->now.kind != T_QUOTED)
        return fail(p, "expected a name");
    name = field(p);
    if (!name)
        return false;
    to->names[to->n] = name->name;
    to->items[to->n] = name;
    if (p->now.kind == T_COLON) {
        if (!advance(p))
            return false;
        to->items[to->n] = expression(p, 0);
    }
    return to->items[to->n++] != NULL;
}

/* After the brace. */
static const struct expr_node *multi_hash(struct parse *p)
{
    struct expr_node *n = make(p, N_HASH, NULL, NULL);

    n->items = arena_alloc(p->arena, MAX_ITEMS * sizeof *n->items);
    n->names = arena_alloc(p->arena, MAX_ITEMS * sizeof *n->names);
    while (n->n < MAX_ITEMS) {
        if (!hash_item(p, n))
            return NULL;
        if (p->now.kind != T_COMMA)
            return match(p, T_RBRACE, "expected : , or }") ? n : NULL;
        if (!advance(p))
            return NULL;
    }
    return fail(p, "expected 64 members at most");
}

static const struct expr_node *after_dot(struct parse *p, int binding)
{
    switch (p->now.kind) {
    case T_NAME:
    case T_QUOTED:
    case T_STAR:
        return expression(p, binding);
    case T_LBRACKET:
        return advance(p) ? multi_list(p) : NULL;
    case T_LBRACE:
        return advance(p) ? multi_hash(p) : NULL;
    default:
        return fail(p, "expected a name, *, [ or {");
    }
}

/* What a projection does to each item. */
static const struct expr_node *of_each(struct parse *p, int binding)
{
    if (binds(p->now.kind) < BINDS_PROJECTION)
        return &current;
    if (p->now.kind == T_LBRACKET || p->now.kind == T_FILTER)
        return expression(p, binding);
    if (p->now.kind == T_DOT)
        return advance(p) ? after_dot(p, binding) : NULL;
    return fail(p, "expected . or [");
}

/* "start:stop:step", each of which may be missing; after the first number, if there is one. */
static bool slice_parts(struct parse *p, struct expr_node *n, bool has_number, int64_t number)
{
    int64_t parts[3] = {has_number ? number : 0, 0, 1};
    bool has[3] = {has_number, false, false};
    int at = 0;

    while (p->now.kind == T_COLON || p->now.kind == T_NUMBER) {
        if (p->now.kind == T_COLON) {
            if (++at == 3)
                return fail(p, "expected ]");
        } else if (has[at]) {
            return fail(p, "expected : or ]");
        } else {
            parts[at] = p->now.number;
            has[at] = true;
        }
        if (!advance(p))
            return false;
    }
    if (parts[2] == 0)
        return fail(p, "expected a step other than 0");
    n->slice.start = parts[0];
    n->slice.stop = parts[1];
    n->slice.step = parts[2];
    n->slice.has_start = has[0];
    n->slice.has_stop = has[1];
    return match(p, T_RBRACKET, "expected ]");
}

/* After the bracket, at a number or a colon. */
static const struct expr_node *index_or_slice(struct parse *p, const struct expr_node *left)
{
    bool has_number = p->now.kind == T_NUMBER;
    int64_t number = p->now.number;
    struct expr_node *n = make(p, N_INDEX, left, NULL);

    n->index = number;
    if (has_number && !advance(p))
        return NULL;
    if (p->now.kind != T_COLON)
        return match(p, T_RBRACKET, "expected : or ]") ? n : NULL;
    n->kind = N_SLICE;
    if (!slice_parts(p, n, has_number, number))
        return NULL;
    return join(p, N_PROJECTION, n, of_each(p, binds(T_STAR)));
}

/* "*]" after the bracket. */
static const struct expr_node *each_item(struct parse *p, const struct expr_node *left)
{
    if (!advance(p) || !match(p, T_RBRACKET, "expected ]"))
        return NULL;
    return join(p, N_PROJECTION, left, of_each(p, binds(T_STAR)));
}

static const struct expr_node *filter(struct parse *p, const struct expr_node *left)
{
    const struct expr_node *cond = expression(p, 0), *right;
    struct expr_node *n;

    if (!cond || !match(p, T_RBRACKET, "expected ]"))
        return NULL;
    right = p->now.kind == T_FLATTEN ? &current : of_each(p, binds(T_FILTER));
    if (!right)
        return NULL;
    n = make(p, N_FILTER_PROJECTION, left, right);
    n->cond = cond;
    return n;
}

static const struct expr_node *flatten(struct parse *p, const struct expr_node *left)
{
    return join(p, N_PROJECTION, make(p, N_FLATTEN, left, NULL), of_each(p, binds(T_FLATTEN)));
}

/* After the parenthesis. */
static const struct expr_node *call(struct parse *p, struct str name, size_t at)
{
    struct expr_node *n = make(p, N_CALL, NULL, NULL);

    n->function = function_find(name);
    if (!n->function) {
        err_set(p->err, "column %zu: there is no function %.*s", at + 1, STR_FMT(name));
        return NULL;
    }
    if (p->now.kind == T_RPAREN ? !advance(p) : !items(p, n, T_RPAREN, "expected , or )"))
        return NULL;
    if (n->n >= n->function->min && n->n <= n->function->max)
        return n;
    err_set(p->err, "column %zu: %s takes %u%s argument%s, and here are %zu", at + 1,
            n->function->name, n->function->min,
            n->function->max > n->function->min ? " or more" : "", n->function->min == 1 ? "" : "s",
            n->n);
    return NULL;
}

static const struct expr_node *name_or_call(struct parse *p)
{
    bool quoted = p->now.kind == T_QUOTED;
    size_t at = p->now.at;
    const struct expr_node *n = field(p);

    if (!n || p->now.kind != T_LPAREN)
        return n;
    if (quoted)
        return fail(p, "a function's name is not quoted");
    return advance(p) ? call(p, n->name, at) : NULL;
}

static const struct expr_node *literal(struct parse *p)
{
    struct expr_node *n = make(p, N_LITERAL, NULL, NULL);

    n->value = p->now.value;
    return advance(p) ? n : NULL;
}

static const struct expr_node *in_brackets(struct parse *p)
{
    if (!advance(p))
        return NULL;
    if (p->now.kind == T_NUMBER || p->now.kind == T_COLON)
        return index_or_slice(p, &current);
    if (p->now.kind == T_STAR) {
        struct lexer ahead = p->lexer;
        struct token next;

        if (lexer_next(&ahead, &next, p->err) == 0 && next.kind == T_RBRACKET)
            return each_item(p, &current);
    }
    return multi_list(p);
}

static const struct expr_node *in_parentheses(struct parse *p)
{
    const struct expr_node *n;

    if (!advance(p) || !(n = expression(p, 0)))
        return NULL;
    return match(p, T_RPAREN, "expected )") ? n : NULL;
}

static const struct expr_node *unary(struct parse *p, enum expr_node_kind kind, int binding)
{
    const struct expr_node *n = advance(p) ? expression(p, binding) : NULL;

    return n ? make(p, kind, n, NULL) : NULL;
}

/* What an expression begins with. */
static const struct expr_node *prefix(struct parse *p)
{
    switch (p->now.kind) {
    case T_NAME:
    case T_QUOTED:
        return name_or_call(p);
    case T_LITERAL:
        return literal(p);
    case T_CURRENT:
        return advance(p) ? &current : NULL;
    case T_STAR:
        return advance(p) ? join(p, N_VALUE_PROJECTION, &current, of_each(p, binds(T_STAR))) : NULL;
    case T_FILTER:
        return advance(p) ? filter(p, &current) : NULL;
    case T_FLATTEN:
        return advance(p) ? flatten(p, &current) : NULL;
    case T_LBRACE:
        return advance(p) ? multi_hash(p) : NULL;
    case T_LBRACKET:
        return in_brackets(p);
    case T_LPAREN:
        return in_parentheses(p);
    case T_NOT:
        return unary(p, N_NOT, binds(T_NOT));
    case T_AMPERSAND:
        return unary(p, N_REF, 0);
    default:
        return fail(p, "expected an expression");
    }
}

static const struct expr_node *compare(struct parse *p, const struct expr_node *left,
                                       enum token_kind k)
{
    const struct expr_node *right = expression(p, binds(k));
    struct expr_node *n = right ? make(p, N_COMPARE, left, right) : NULL;

    if (n)
        n->op = k == T_EQ   ? OP_EQ
                : k == T_NE ? OP_NE
                : k == T_LT ? OP_LT
                : k == T_LE ? OP_LE
                : k == T_GT ? OP_GT
                            : OP_GE;
    return n;
}

static const struct expr_node *after_bracket(struct parse *p, const struct expr_node *left)
{
    if (p->now.kind == T_NUMBER || p->now.kind == T_COLON)
        return index_or_slice(p, left);
    if (p->now.kind == T_STAR)
        return each_item(p, left);
    return fail(p, "expected a number, : or *");
}

/* What goes on after `left`. */
static const struct expr_node *infix(struct parse *p, const struct expr_node *left)
{
    enum token_kind k = p->now.kind;

    if (!advance(p))
        return NULL;
    switch (k) {
    case T_DOT:
        if (p->now.kind != T_STAR)
            return join(p, N_SUB, left, after_dot(p, binds(T_DOT)));
        return advance(p) ? join(p, N_VALUE_PROJECTION, left, of_each(p, binds(T_DOT))) : NULL;
    case T_PIPE:
        return join(p, N_SUB, left, expression(p, binds(k)));
    case T_OR:
        return join(p, N_OR, left, expression(p, binds(k)));
    case T_AND:
        return join(p, N_AND, left, expression(p, binds(k)));
    case T_FILTER:
        return filter(p, left);
    case T_FLATTEN:
        return flatten(p, left);
    case T_LBRACKET:
        return after_bracket(p, left);
    case T_EQ:
    case T_NE:
    case T_LT:
    case T_LE:
    case T_GT:
    case T_GE:
        return compare(p, left, k);
    default:
        return fail(p, "expected an operator before this");
    }
}

static const struct expr_node *expression(struct parse *p, int binding)
{
    const struct expr_node *left;
    unsigned chain = 0;

    if (++p->depth > MAX_NESTING)
        return fail(p, "nested too deeply");
    left = prefix(p);
    while (left && binding < binds(p->now.kind)) {
        /* A long chain makes a deep tree. */
        if (++chain > MAX_NESTING)
            return fail(p, "a chain that is too long");
        left = infix(p, left);
    }
    p->depth--;
    return left;
}

struct names {
    struct str *list;
    size_t n;
};

static void add_root(struct names *to, struct str name)
{
    for (size_t i = 0; i < to->n; i++)
        if (str_eq(to->list[i], name))
            return;
    if (to->n < MAX_ROOTS)
        to->list[to->n++] = name;
}

/* `whole`: what n is evaluated on is the document itself. */
static void find_roots(const struct expr_node *n, bool whole, struct names *to)
{
    bool onto = n->kind == N_SUB || n->kind == N_PROJECTION || n->kind == N_VALUE_PROJECTION ||
                n->kind == N_FILTER_PROJECTION;
    /* "@.name" and "@ | name" still look into the document. */
    bool passes = onto && n->kind == N_SUB && n->left->kind == N_CURRENT;

    if (n->kind == N_FIELD && whole)
        add_root(to, n->name);
    if (n->left)
        find_roots(n->left, whole && n->kind != N_REF, to);
    if (n->right)
        find_roots(n->right, whole && (!onto || passes), to);
    for (size_t i = 0; i < n->n; i++)
        find_roots(n->items[i], whole, to);
}

const struct expr *expr_compile(struct arena *a, struct str text, struct err *e)
{
    struct parse p = {.lexer = {.arena = a, .text = text}, .arena = a, .err = e};
    struct names roots = {arena_alloc(a, MAX_ROOTS * sizeof(struct str)), 0};
    struct expr *x = arena_alloc(a, sizeof *x);

    if (text.n > EXPR_MAX_BYTES) {
        err_set(e, "the expression is longer than %d bytes", EXPR_MAX_BYTES);
        return NULL;
    }
    if (!advance(&p) || !(x->root = expression(&p, 0)))
        return NULL;
    if (p.now.kind != T_END)
        return fail(&p, "expected the end");
    if (x->root->kind == N_REF) {
        err_set(e, "column 1: &expression is an argument of functions alone");
        return NULL;
    }
    find_roots(x->root, true, &roots);
    x->roots = roots.list;
    x->nroots = roots.n;
    return x;
}

size_t expr_roots(const struct expr *x, const struct str **ret)
{
    *ret = x->roots;
    return x->nroots;
}
