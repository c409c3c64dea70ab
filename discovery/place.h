/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* place.h - how a place is asked for, known and shown. Pure. Results are allocated. */
#include "base/macros.h"
#include "discovery.h"

/* Equal for places that ask for the same; no name of a service is like it. */
char *place_key(const struct discovery_place *p) MUST_CHECK;
/* "/v1/health/service/web", "/v1/query/web/execute". */
char *place_path(const struct discovery_place *p) MUST_CHECK;
/* "stale&dc=dc2&filter=...&"; `datacenter` is the usual one, or NULL. */
char *place_suffix(const struct discovery_place *p, bool stale, const char *datacenter) MUST_CHECK;
/* For people who read of the group `name`: "local", "dc2", "web-backup in dc2". */
char *place_label(const struct discovery_place *p, const char *name) MUST_CHECK;

/* More is asked than for an ordinary service, so an error may concern the place only. */
bool place_is_special(const struct discovery_place *p);
