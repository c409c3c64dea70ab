/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* breakers_text.h - the documents of /v1/breakers for people. All of these return whether there is
 * a breaker, of a service or an instance, that is not closed or that is forced. */
#include "cli/term_text.h"

#include <jansson.h>

/* A table of the list; without `all`, of those that are worth a look. */
bool breakers_table(FILE *out, const struct term *t, const json_t *list, bool all);
/* One service: state, numbers, instances, and its transitions as a timeline. */
bool breakers_one(FILE *out, const struct term *t, const json_t *breaker);
/* 0 or 3, for either document. */
int breakers_exit(const json_t *doc);
