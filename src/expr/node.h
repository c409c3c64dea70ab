/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* node.h - the compiled form of an expression, between parser and evaluation. */
#include "expr/expr.h"

#include <stdint.h>

enum expr_node_kind {
    N_CURRENT,
    N_FIELD,             /* name */
    N_LITERAL,           /* value */
    N_INDEX,             /* index of left */
    N_SLICE,             /* slice of left */
    N_SUB,               /* right of left; N_PIPE is the same for evaluation */
    N_PROJECTION,        /* right of each item of left */
    N_VALUE_PROJECTION,  /* right of each value of left */
    N_FILTER_PROJECTION, /* right of each item of left that cond is true of */
    N_FLATTEN,           /* of left */
    N_OR,
    N_AND,
    N_NOT,
    N_COMPARE, /* op */
    N_LIST,    /* items */
    N_HASH,    /* items with names */
    N_CALL,    /* function with items */
    N_REF      /* &left */
};

enum compare_op { OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE };

struct function;

struct expr_node {
    enum expr_node_kind kind;
    const struct expr_node *left, *right, *cond;
    struct str name;
    const struct value *value;
    int64_t index;
    struct {
        int64_t start, stop, step;
        bool has_start, has_stop;
    } slice;
    enum compare_op op;
    const struct expr_node **items;
    struct str *names;
    size_t n;
    const struct function *function;
};

struct expr {
    const struct expr_node *root;
    const struct str *roots;
    size_t nroots;
};

/* Evaluation, for functions that take an expression. NULL = failed, run->why is set. */
const struct value *node_eval(const struct expr_node *n, const struct value *v,
                              struct expr_run *run);
/* NULL. */
const struct value *run_fail(struct expr_run *run, const char *why);
/* Counts n steps; false: there are none left, and run->why is set. */
bool run_step(struct expr_run *run, size_t n);

/* An argument: a value, or an expression (`&expr`). */
struct argument {
    const struct value *value;
    const struct expr_node *ref;
};

struct function {
    const char *name;
    unsigned min, max; /* arguments */
    const char *takes; /* one letter an argument, the last repeats: see function.c */
    const struct value *(*call)(struct expr_run *run, const struct argument *args, size_t n);
};

/* NULL when there is none of that name. */
const struct function *function_find(struct str name);
const struct value *function_call(const struct function *f, struct expr_run *run,
                                  const struct argument *args, size_t n);
