/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* rules_part.h - Consul's traffic rules on the pages. */
#include "admin/look.h"

struct evbuffer;

/* `traffic_rules` of a service: null when it has none, and none that cannot be read. */
json_t *rules_part(const struct look *l, const struct service_view *v);
/* Adds the rules that are not in force, or not in full, to a list of problems. */
void rules_problems(const struct look *l, json_t *list);
void rules_metrics(const struct look *l, struct evbuffer *out);
