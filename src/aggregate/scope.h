/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* scope.h - what the expressions of an aggregate can refer to, as one JSON object:
 *
 *   {"id": "7", ..., "request": {"method": ..., "path": ..., "query": {...}, "claims": {...},
 *    "body": ...}, "user": {...}, ..., "item": ...}
 *
 * the parameters of the route's path, the request, each part by its name (its whole answer, before
 * `select`; null while it is not there), and the item of a for_each. */
#include "config/config.h"
#include "json/value.h"

enum { SCOPE_MAX_PARAMS = 8, SCOPE_MAX_QUERY = 64 };

struct scope {
    struct {
        struct str name, value; /* as in the path */
    } params[SCOPE_MAX_PARAMS];
    unsigned nparams;
    const struct value *request;          /* scope_request() */
    const struct value *parts[MAX_PARTS]; /* NULL = not there */
};

/* The query is that of the URL: `+` and percent-encodings are taken off, the last of several
 * parameters of one name counts. claims, body: NULL = none. NULL = memory. */
const struct value *scope_request(struct arena *a, struct str method, struct str path,
                                  struct str query, const struct value *claims,
                                  const struct value *body) MUST_CHECK;
/* item: NULL = none. NULL = memory. */
const struct value *scope_value(struct arena *a, const struct scope *s,
                                const struct aggregate_conf *c,
                                const struct value *item) MUST_CHECK;
