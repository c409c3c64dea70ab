/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* problems.h - tags and routes that are left out or not obeyed, as of the last time that routes
 * were compiled. Each is logged when it appears, not again while it stays. Thread: control. */
#include "route/tags.h"

struct route_problem {
    const char *service; /* "" for a route of the configuration */
    const char *subject; /* tag or route */
    const char *why;
};

struct problems;

struct problems *problems_new(void);
/* Accepts NULL. */
void problems_free(struct problems *p);

/* What was found before is forgotten, but for the log. */
void problems_begin(struct problems *p);
/* Copies; what merely differs does not count, nor does anything beyond 10,000. True when it is a
 * new one, and was logged. */
bool problems_add(struct problems *p, enum tag_problem_kind kind, const char *service,
                  const char *subject, const char *why);
void problems_end(struct problems *p);
/* Borrowed until the next problems_begin(). */
size_t problems_found(const struct problems *p, const struct route_problem **ret_list);
