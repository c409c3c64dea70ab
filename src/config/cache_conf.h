/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* cache_conf.h - `cache:` of a route: good answers are given again without asking the service (RFC
 * 9111). Part of config.h. The store is that of `fallback_cache:`. */
#include <stdbool.h>
#include <stdint.h>

enum cache_by { CACHE_BY_EVERYBODY, CACHE_BY_IDENTITY };

struct route_cache_conf {
    bool enabled;
    uint64_t ttl_ms;                    /* of answers that do not say how long they are fresh */
    uint64_t max_ttl_ms;                /* at most, whatever they say; 0 = no bound */
    uint64_t stale_while_revalidate_ms; /* of answers that do not say */
    uint64_t wait_ms;                   /* for the answer to an equal request; 0 = not at all */
    int by;                             /* enum cache_by */
    bool obeys_clients;                 /* Cache-Control of requests counts */
};
