/* SPDX-License-Identifier: Apache-2.0 */
#include "control_fleet.h"
#include "control_discovery.h"

#include <string.h>

struct fleet *control_fleet_new(const struct fleet_options *o, const struct config *c,
                                struct err *e)
{
    struct discovery_options consul = control_discovery_options(c);
    struct fleet_options full = *o;

    e->text[0] = '\0';
    if (!c->fleet.enabled)
        return NULL;
    full.consul = &consul;
    full.conf = &c->fleet;
    full.address = c->nlisteners ? c->listeners[0].address : "";
    return fleet_new(&full, e);
}

static const char *first_listener(const struct config *c)
{
    return c->nlisteners ? c->listeners[0].address : "";
}

bool control_fleet_same(const struct config *a, const struct config *b)
{
    const struct fleet_conf *x = &a->fleet, *y = &b->fleet;

    if (!x->enabled && !y->enabled)
        return true;
    return x->enabled == y->enabled && str_same(x->name, y->name) &&
           str_same(x->prefix, y->prefix) && str_same(x->address, y->address) &&
           x->session_ttl_ms == y->session_ttl_ms && control_discovery_same(a, b) &&
           str_same(first_listener(a), first_listener(b));
}
