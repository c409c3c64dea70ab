/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* proxy_internal.h - what workers share through the proxy. */
#include "proxy/worker.h"

struct worker *proxy_worker(struct proxy *p, unsigned i);
/* Counts a client connection in or out; any worker. */
void proxy_count_connection(struct proxy *p, int delta);
uint64_t proxy_connections(const struct proxy *p);
/* True while the limit of the configuration allows another one. */
bool proxy_may_accept(const struct proxy *p, unsigned max_connections);
struct access_log *proxy_access_log(struct proxy *p);
/* Last good answers, for fallbacks; shared by the workers, never NULL while they run. */
struct cache *proxy_cache(struct proxy *p);
/* What is on its way into it. */
struct pending *proxy_pending(struct proxy *p);
/* It has come, or will not: who waits for it looks again. */
void proxy_fetched(struct proxy *p, uint64_t hash);
