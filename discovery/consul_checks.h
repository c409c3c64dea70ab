/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* consul_checks.h - watches the checks that are in one state, and tells whose check entered or left
 * it. A hint of which polled services to ask about, much smaller than their instances. */
#include "base/macros.h"
#include "query.h"

struct consul_checks_watch;

/* `service` is lower case; "" = a check of a whole node, which may concern any service. */
typedef void consul_checks_changed_fn(void *arg, const char *service);
/* After every answer, good or bad. */
typedef void consul_checks_outcome_fn(void *arg, const struct query_outcome *o);

/* `path` is "/v1/health/state/STATE". Starts at once. */
struct consul_checks_watch *consul_checks_new(struct query_pool *p, const char *path,
                                              uint64_t wait_ms, consul_checks_changed_fn *changed,
                                              consul_checks_outcome_fn *outcome,
                                              void *arg) MUST_CHECK;
/* Accepts NULL. */
void consul_checks_free(struct consul_checks_watch *k);
void consul_checks_kick(struct consul_checks_watch *k);
