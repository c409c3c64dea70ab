/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* expr.h - JMESPath (jmespath.org/specification.html): what of a JSON document, and in which shape.
 *
 * Compiled once, at load; evaluated on the workers, where an expression of the configuration meets
 * a document of a service: so its time is bounded by steps and its memory by the arena. Beyond the
 * language: `{id, total}` is short for `{id: id, total: total}`, and there are functions for what
 * shaping needs (docs/expressions.md). */
#include "base/err.h"
#include "json/value.h"

enum { EXPR_MAX_BYTES = 4096, EXPR_STEPS = 200000 };

struct expr;

/* In the arena, which is that of a configuration. NULL and a message that names the column. */
const struct expr *expr_compile(struct arena *a, struct str text, struct err *e) MUST_CHECK;
/* The names that it looks up in the document itself, each once: for expressions over several named
 * documents, those that it needs. */
size_t expr_roots(const struct expr *x, const struct str **ret_names);

struct expr_run {
    struct arena *arena; /* results are made in it (arena_new_bounded()) */
    unsigned steps;      /* left; EXPR_STEPS to begin with */
    const char *why;     /* after a failure; static text */
};

/* NULL: it cannot be evaluated; run->why says why. What is not there is null, and no failure. The
 * result may share parts with the document. Any thread. */
const struct value *expr_eval(const struct expr *x, const struct value *document,
                              struct expr_run *run) MUST_CHECK;
/* JMESPath's truth: not false, null or empty. */
bool expr_is_true(const struct value *v);
