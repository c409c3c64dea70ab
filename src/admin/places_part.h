/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* places_part.h - of a service that comes from one of several places: which, why, and the others.
 */
#include "admin/look.h"
#include "admin/service_row.h"

struct evbuffer;

/* True when it is served from another place than the preferred one. */
bool places_away(const struct look *l, const char *service, struct discovery_group_status *ret,
                 struct discovery_place_status *ret_place);

/* `failover` of /v1/services; null when there is nothing to choose from. */
json_t *places_part(const struct look *l, const char *service);

void places_metrics(const struct look *l, const struct service_row *rows, size_t n,
                    struct evbuffer *out);
