/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* function.h - functions in files other than function.c, which has their table. */
#include "expr/node.h"

typedef const struct value *function_fn(struct expr_run *run, const struct argument *a, size_t n);

function_fn fn_avg, fn_sum, fn_max, fn_min, fn_max_by, fn_min_by, fn_sort, fn_sort_by, fn_join,
    fn_map;
function_fn fn_keys, fn_values, fn_merge, fn_omit, fn_pick, fn_index_by, fn_join_by;
