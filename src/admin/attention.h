/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* attention.h - what someone who was woken up should look at first, and a sentence about it. */
#include "admin/look.h"
#include "admin/service_row.h"

enum attention {
    ATTENTION_NONE,
    ATTENTION_NOTE,    /* an operator has disabled the breaker, a shadow would reject, or the
                          service comes from another place than the preferred one */
    ATTENTION_SUSPECT, /* an instance is ejected, or more than 5 % of the answers are errors */
    ATTENTION_LIMITED, /* half-open, forced by an operator, panic */
    ATTENTION_DOWN     /* open, or no instance in rotation */
};

/* Errors are those of the last half minute, when sources->series is there. */
enum attention attention_of(const struct look *l, const struct service_row *row);

/* [{"service","level","state","since","until","text"}]: at most 20 services, the worst first, then
 * certificates with `service` null. */
json_t *attention_list(const struct look *l, const struct service_row *rows, size_t n);

/* The sentence; always ends within ret. */
void attention_text(const struct look *l, const struct service_row *row, char *ret, size_t cap);
