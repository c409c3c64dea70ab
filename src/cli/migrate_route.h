/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* migrate_route.h - a route as the configuration would have it. */
#include "route/route.h"

#include <jansson.h>

/* The caller's reference. */
json_t *migrate_route(const struct route_conf *conf) MUST_CHECK;
/* A string of any bytes; what is no UTF-8 or no text becomes '?'. */
json_t *migrate_text(const char *text) MUST_CHECK;
