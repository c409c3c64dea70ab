/* SPDX-License-Identifier: Apache-2.0 */
/* control_sources.c - where the admin endpoint has from what it shows. */
#include "base/clock.h"
#include "control_parts.h"
#include "proxy/proxy.h"

bool control_traffic(void *arg, const char *service)
{
    const struct control *c = arg;
    const struct service_state *s = registry_find(c->registry, service);

    for (unsigned w = 0; s && w < s->nworkers; w++)
        if (atomic_load_explicit(&s->stats[w].requests, memory_order_relaxed) > 0)
            return true;
    return false;
}

struct snapshot *control_snapshot(void *arg)
{
    return ((struct control *)arg)->snapshot;
}

static struct config *give_config(void *arg)
{
    return ((struct control *)arg)->config;
}

static json_t *give_documents(void *arg)
{
    return control_config_document(((struct control *)arg)->documents);
}

static const char *give_awaited(void *arg)
{
    return control_config_awaited(((struct control *)arg)->documents);
}

static void give_workers(void *arg, struct admin_workers *ret)
{
    struct control *c = arg;
    struct proxy_counters n;

    proxy_counters(c->proxy, &n);
    *ret = (struct admin_workers){
        .workers = c->nworkers,
        .draining = control_drain_begun(c->drain),
        .accepted = n.accepted,
        .connections = n.connections,
        .refused_connections = n.refused_connections,
        .requests = n.requests,
        .upstream_connects = n.upstream_connects,
        .upstream_reuses = n.upstream_reuses,
        .accept_errors = n.accept_errors,
        .bad_proxy_headers = n.bad_proxy_headers,
        .h2_connections = n.h2_connections,
        .h2_requests = n.h2_requests,
        .h2_resets = n.h2_resets,
        .h2_floods = n.h2_floods,
        .unrouted = n.unrouted,
        .bad_requests = n.bad_requests,
        .auth_failed_open = n.auth_failed_open,
        .access_log_dropped = n.access_log_dropped,
        .stored_bytes = n.stored_bytes,
        .stored_answers = n.stored_answers,
        .stored_evicted = n.stored_evicted,
        .tls = n.tls,
        .coded = {n.coded[0], n.coded[1], n.coded[2], n.coded[3]},
        .coded_in = n.coded_in,
        .coded_out = n.coded_out,
        .cached = {n.cached[0], n.cached[1], n.cached[2], n.cached[3]},
    };
    proxy_overload(c->proxy, &ret->overload);
}

static size_t purge(void *arg, const struct cache_purge_order *o)
{
    struct control *c = arg;

    return proxy_purge(c->proxy, c->snapshot, o);
}

static int force_fleet(void *arg, const char *service, const struct operate_request *q,
                       struct err *e)
{
    return fleet_force(((struct control *)arg)->fleet, service, q, e);
}

static json_t *give_fleet(void *arg)
{
    return fleet_document(((struct control *)arg)->fleet);
}

static bool is_fleet_connected(void *arg)
{
    return fleet_connected(((struct control *)arg)->fleet);
}

void control_sources_fleet(struct control *c)
{
    c->sources.fleet_force = c->fleet ? force_fleet : NULL;
    c->sources.fleet_document = c->fleet ? give_fleet : NULL;
    c->sources.fleet_connected = c->fleet ? is_fleet_connected : NULL;
}

static json_t *give_webhooks(void *arg)
{
    return webhooks_document(((struct control *)arg)->webhooks);
}

static void count_webhooks(void *arg, struct admin_webhooks *ret)
{
    struct webhook_counters n;

    webhooks_counters(((struct control *)arg)->webhooks, &n);
    *ret = (struct admin_webhooks){n.delivered, n.failed, n.dropped};
}

static bool give_registration(void *arg, struct registration_status *ret)
{
    return control_registration_status(((struct control *)arg)->registration, ret);
}

void control_sources_fill(struct control *c)
{
    c->sources = (struct admin_sources){
        .proxy = c->proxy,
        .registry = c->registry,
        .discovery = c->discovery,
        .builder = c->builder,
        .snapshot = control_snapshot,
        .config = give_config,
        .workers = give_workers,
        .purge = purge,
        .started_ns = clock_now_ns(),
        .started_wall_ms = clock_wall_ms(),
        .version = FRONTDESK_VERSION,
        .arg = c,
        .consul_config_document = give_documents,
        .awaited = give_awaited,
        .webhooks_document = give_webhooks,
        .webhooks_counters = count_webhooks,
        .registration = give_registration,
    };
}
