/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* kept_part.h - what is kept of the catalog for a later start, and what of an earlier run is still
 * served: as JSON. */
#include "admin/look.h"

/* null when nothing is kept; else
 * {"file","written","answers","bytes","refused","error","recalled"}, where "recalled" is null or
 * {"from","age_ms","services","list"}. */
json_t *kept_part(const struct look *l, const struct discovery_status *d);
/* How old the catalog of an earlier run is, in milliseconds, while some of it is served; else 0. */
int64_t kept_age_ms(const struct look *l, const struct discovery_status *d);
