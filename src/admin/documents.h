/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* documents.h - the JSON documents of /v1/..., one function each. Their fields are in
 * docs/status.md.
 *
 * All return a new reference. Those that take a name give NULL when there is no such service. */
#include "admin/look.h"
#include "admin/service_row.h"

json_t *status_document(const struct look *l);

json_t *services_document(const struct look *l);
json_t *service_document(const struct look *l, const char *name);

json_t *breakers_document(const struct look *l);
json_t *breaker_document(const struct look *l, const char *name);
/* The part that /v1/services shows too: no history. */
json_t *breaker_summary(const struct look *l, const struct service_row *row);

json_t *routes_document(const struct look *l);
json_t *route_summary(const struct route *r);
json_t *problems_list(const struct look *l);

/* Which route would a request take, and where could it go? NULL and a message when method or URL
 * make no request. `url` is absolute (http, https) or a path. */
json_t *explain_document(const struct look *l, const char *method, const char *url, struct err *e);
