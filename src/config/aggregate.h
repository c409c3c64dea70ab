/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* aggregate.h - what the files of `aggregate:` share: aggregate.c (the whole), aggregate_part.c (a
 * part), aggregate_graph.c (what has to come before what). */
#include "config/config.h"
#include "config/schema.h"
#include "config/value.h"

/* A part as it is read. */
struct part_draft {
    struct part_conf conf;
    struct route_conf route;
    const struct node *node;
    const char **after;
    size_t nafter;
    bool safe, placed, compensates;
};

extern const struct section part_section, compensation_section;

/* `at` is a const struct expr *. */
int aggregate_expr_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
int part_read(struct reader *r, const struct node *n, struct part_draft *d) MUST_CHECK;

/* Sets part_conf.after from what is written and what the expressions refer to. Refuses references
 * to nothing, cycles, and writes whose order or compensation is left open. */
int graph_make(struct reader *r, struct part_draft *parts, size_t nparts,
               const struct value_params *params, struct aggregate_conf *c) MUST_CHECK;
