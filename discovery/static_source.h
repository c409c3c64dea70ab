/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* static_source.h - instances that the configuration names. They count as passing; what they are
 * really like is for active checks and outlier detection to find out. */
#include "base/macros.h"
#include "discovery.h"

/* A set named `key`, sorted, not resolved; the caller may still write the items (ret_items). An
 * address that could not be used is left out and logged. */
struct instance_set *static_source_build(const struct discovery_static *s, const char *key,
                                         struct instance **ret_items) MUST_CHECK;
