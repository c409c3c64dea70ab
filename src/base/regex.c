/* SPDX-License-Identifier: Apache-2.0 */
/* regex.c - a tree to a program, and the machine that runs it: all threads of the automaton at once
 * (Thompson 1968), a byte at a time. */
#include "base/regex_tree.h"

enum { MAX_PROGRAM = 2048, MAX_STEPS = 20000 };

enum op { OP_SET, OP_ASSERT, OP_SPLIT, OP_JUMP, OP_MATCH };

struct instruction {
    enum op op;
    enum regex_assert assert;
    uint16_t x, y;               /* where to go on: both (split), x (jump) */
    const struct regex_set *set; /* and then to the next instruction */
};

struct regex {
    uint16_t n;
    struct instruction *program;
};

struct compiler {
    struct arena *a;
    struct regex *re;
    unsigned steps; /* also of what leaves no instruction */
    bool too_large;
};

/* The text of a program that is too large is walked to its end all the same, on one spot. */
static uint16_t emit(struct compiler *c, enum op op)
{
    if (c->re->n == MAX_PROGRAM) {
        c->too_large = true;
        return MAX_PROGRAM - 1;
    }
    c->re->program[c->re->n].op = op;
    return c->re->n++;
}

static void emit_set(struct compiler *c, const struct regex_set *set)
{
    uint16_t at = emit(c, OP_SET);

    c->re->program[at].set = set;
}

static void emit_range(struct compiler *c, unsigned low, unsigned high)
{
    struct regex_set *set = ARENA_NEW(c->a, struct regex_set);

    regex_set_add(set, low, high);
    emit_set(c, set);
}

/* An ASCII byte of the set, or a longer sequence of UTF-8. */
static void compile_point(struct compiler *c, const struct regex_node *n)
{
    static const unsigned char leads[][2] = {{0xc2, 0xdf}, {0xe0, 0xef}, {0xf0, 0xf4}};
    struct regex_set *ascii = ARENA_NEW(c->a, struct regex_set);
    uint16_t jumps[3];

    ascii->bits[0] = n->set.bits[0];
    ascii->bits[1] = n->set.bits[1];
    for (unsigned i = 0; i < 3; i++) {
        uint16_t split = emit(c, OP_SPLIT);

        c->re->program[split].x = c->re->n;
        emit_range(c, leads[i][0], leads[i][1]);
        for (unsigned k = 0; k <= i; k++)
            emit_range(c, 0x80, 0xbf);
        jumps[i] = emit(c, OP_JUMP);
        c->re->program[split].y = c->re->n;
    }
    emit_set(c, ascii);
    for (unsigned i = 0; i < 3; i++)
        c->re->program[jumps[i]].x = c->re->n;
}

static void compile(struct compiler *c, const struct regex_node *n);

static void compile_alternative(struct compiler *c, const struct regex_node *n)
{
    uint16_t split = emit(c, OP_SPLIT), jump;

    c->re->program[split].x = c->re->n;
    compile(c, n->left);
    jump = emit(c, OP_JUMP);
    c->re->program[split].y = c->re->n;
    compile(c, n->right);
    c->re->program[jump].x = c->re->n;
}

static void compile_repeat(struct compiler *c, const struct regex_node *n)
{
    uint16_t split;

    for (int i = 0; i < n->min && !c->too_large; i++)
        compile(c, n->left);
    if (n->max == REGEX_FOREVER) {
        uint16_t jump;

        split = emit(c, OP_SPLIT);
        c->re->program[split].x = c->re->n;
        compile(c, n->left);
        jump = emit(c, OP_JUMP);
        c->re->program[jump].x = split;
        c->re->program[split].y = c->re->n;
        return;
    }
    for (int i = n->min; i < n->max && !c->too_large; i++) {
        split = emit(c, OP_SPLIT);
        c->re->program[split].x = c->re->n;
        compile(c, n->left);
        c->re->program[split].y = c->re->n;
    }
}

static void compile(struct compiler *c, const struct regex_node *n)
{
    uint16_t at;

    c->too_large |= c->steps++ > MAX_STEPS;
    if (c->too_large)
        return;
    switch (n->kind) {
    case REGEX_EMPTY:
        break;
    case REGEX_SET:
        emit_set(c, &n->set);
        break;
    case REGEX_POINT:
        compile_point(c, n);
        break;
    case REGEX_ASSERT:
        at = emit(c, OP_ASSERT);
        c->re->program[at].assert = n->assert;
        break;
    case REGEX_CAT:
        compile(c, n->left);
        compile(c, n->right);
        break;
    case REGEX_ALT:
        compile_alternative(c, n);
        break;
    case REGEX_REPEAT:
        compile_repeat(c, n);
        break;
    }
}

const struct regex *regex_compile(struct arena *a, struct str pattern, const char **ret_why)
{
    struct arena *scratch;
    struct compiler c = {.a = a};
    struct instruction *program;
    const struct regex_node *tree;

    *ret_why = "an expression that is too long";
    if (pattern.n > REGEX_MAX_PATTERN)
        return NULL;
    tree = regex_parse(a, pattern, ret_why);
    if (!tree)
        return NULL;
    scratch = arena_new();
    c.re = ARENA_NEW(a, struct regex);
    c.re->program = ARENA_ARRAY(scratch, struct instruction, MAX_PROGRAM);
    compile(&c, tree);
    emit(&c, OP_MATCH);
    program = ARENA_ARRAY(a, struct instruction, c.re->n);
    memcpy(program, c.re->program, c.re->n * sizeof *program);
    c.re->program = program;
    arena_free(scratch);
    *ret_why = "an expression that is too large";
    return c.too_large ? NULL : c.re;
}

/* A set of threads: the instructions they stand at. */
struct threads {
    uint16_t n;
    uint16_t at[MAX_PROGRAM];
    uint64_t has[MAX_PROGRAM / 64];
};

struct machine {
    const struct regex *re;
    struct str text;
    bool matched; /* some thread is at the end of the program */
    struct threads lists[2];
    uint16_t todo[MAX_PROGRAM];
};

static bool is_word(struct str s, size_t i)
{
    char c = i < s.n ? s.p[i] : ' ', low = ascii_lower(c);

    return (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

static bool holds(enum regex_assert what, struct str s, size_t at)
{
    bool edge = (at > 0 && is_word(s, at - 1)) != is_word(s, at);

    switch (what) {
    case REGEX_TEXT_BEGIN:
        return at == 0;
    case REGEX_TEXT_END:
        return at == s.n;
    case REGEX_LINE_BEGIN:
        return at == 0 || s.p[at - 1] == '\n';
    case REGEX_LINE_END:
        return at == s.n || s.p[at] == '\n';
    case REGEX_WORD:
        return edge;
    case REGEX_NO_WORD:
        return !edge;
    }
    return false;
}

static bool mark(struct threads *t, uint16_t pc)
{
    uint64_t bit = 1ull << (pc % 64);
    bool fresh = !(t->has[pc / 64] & bit);

    t->has[pc / 64] |= bit;
    return fresh;
}

/* Puts a thread at pc, and at all that follows from it without a byte. Each instruction is marked
 * before it is put on the stack, so that has room. */
static void add(struct machine *m, struct threads *t, uint16_t from, size_t at)
{
    unsigned ntodo = 0;

    if (mark(t, from))
        m->todo[ntodo++] = from;
    while (ntodo > 0) {
        uint16_t pc = m->todo[--ntodo];
        const struct instruction *i = &m->re->program[pc];

        switch (i->op) {
        case OP_SET:
            t->at[t->n++] = pc;
            break;
        case OP_ASSERT:
            if (holds(i->assert, m->text, at) && mark(t, pc + 1))
                m->todo[ntodo++] = pc + 1;
            break;
        case OP_SPLIT:
            if (mark(t, i->y))
                m->todo[ntodo++] = i->y;
            if (mark(t, i->x))
                m->todo[ntodo++] = i->x;
            break;
        case OP_JUMP:
            if (mark(t, i->x))
                m->todo[ntodo++] = i->x;
            break;
        case OP_MATCH:
            m->matched = true;
            break;
        }
    }
}

static void clear(const struct machine *m, struct threads *t)
{
    t->n = 0;
    memset(t->has, 0, (m->re->n + 63u) / 64 * sizeof *t->has);
}

static bool run(const struct regex *re, struct str text, bool anywhere)
{
    struct machine m;
    struct threads *now = &m.lists[0], *next = &m.lists[1], *swap;

    m.re = re;
    m.text = text;
    m.matched = false;
    clear(&m, now);
    add(&m, now, 0, 0);
    for (size_t i = 0; i < text.n; i++) {
        if (anywhere && m.matched)
            return true;
        if (now->n == 0 && !anywhere)
            return false;
        m.matched = false;
        clear(&m, next);
        for (uint16_t k = 0; k < now->n; k++)
            if (regex_set_has(re->program[now->at[k]].set, (unsigned char)text.p[i]))
                add(&m, next, now->at[k] + 1, i + 1);
        if (anywhere)
            add(&m, next, 0, i + 1);
        swap = now;
        now = next;
        next = swap;
    }
    return m.matched;
}

bool regex_matches(const struct regex *re, struct str text)
{
    return run(re, text, false);
}

bool regex_finds(const struct regex *re, struct str text)
{
    return run(re, text, true);
}
