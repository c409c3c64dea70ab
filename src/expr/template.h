/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* template.h - the path of a request with expressions in it: "/orders?user={id}&limit=5".
 *
 * Each {EXPRESSION} stands for a text, a number or a boolean, percent-encoded but for what RFC 3986
 * section 2.3 calls unreserved; of a list the items with commas between. So a value can never
 * become another segment, parameter or host. */
#include "expr/expr.h"

struct template;

/* NULL and a message when it is no path and query with valid expressions. Braces within an
 * expression are counted. */
const struct template *template_compile(struct arena *a, struct str text, struct err *e) MUST_CHECK;
/* As expr_roots(), of all expressions. */
size_t template_roots(const struct template *t, const struct str **ret_names);
/* False: a value is not there or cannot stand in a path, or would make a segment "." or "..";
 * run->why says so. */
bool template_expand(const struct template *t, const struct value *scope, struct expr_run *run,
                     struct bytes *to) MUST_CHECK;
