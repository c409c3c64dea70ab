/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* documents.h - the JSON documents of /v1/..., one function each. Their fields are in
 * docs/status.md.
 *
 * All return a new reference. Those that take a name give NULL when there is no such service. */
#include "admin/look.h"
#include "admin/service_row.h"
#include "admin/target.h"
#include "snapshot/transition_json.h"

json_t *status_document(const struct look *l);
/* The same from rows that are there already, in any order: what the event stream does. */
json_t *status_document_of(const struct look *l, const struct service_row *rows, size_t n);

/* Each of `rate_limits`; and the Redis that shared ones are counted in, or null. */
json_t *limits_part(const struct look *l);
json_t *limits_redis_part(const struct look *l);
/* Each of `issuers`. */
json_t *issuers_part(const struct look *l);

json_t *services_document(const struct look *l);
json_t *service_document(const struct look *l, const char *name);
/* What of its configuration one wants to know when it fails. */
json_t *service_config(const struct service_conf *c);

json_t *breakers_document(const struct look *l);
/* The breaker of a service, or of one of its instances, with its history. */
json_t *breaker_document(const struct look *l, const struct breaker_target *t);
/* The part that /v1/services shows too: no history, no instances. */
json_t *breaker_summary(const struct look *l, const struct service_row *row);
/* The breaker of one instance, without its history. */
json_t *instance_breaker_part(const struct look *l, const struct service_view *v, unsigned i);

/* Those of a service and its instances, or of an instance, the newest first. */
json_t *history_part(struct history *h);
/* What an operator has forced, or null. `lock` is of the history that guards it. */
json_t *forced_part(const struct look *l, struct history *h, const struct forced *f,
                    const char *state);
/* Transitions with an id above `after`, the oldest first, at most `limit`; `service` NULL = all.
 * With after_given = false: the newest `limit`. */
json_t *transitions_document(const struct look *l, bool after_given, uint64_t after,
                             const char *service, size_t limit);

json_t *routes_document(const struct look *l);
json_t *route_summary(const struct route *r);
json_t *problems_list(const struct look *l);
