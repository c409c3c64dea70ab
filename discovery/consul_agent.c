/* SPDX-License-Identifier: Apache-2.0 */
/* consul_agent.c - the agent that is asked: on which node it is, and whether it was just restarted.
 * Until their checks have run again, a restarted agent calls the instances of its node critical,
 * and may not have them all: it is not believed about them for a while. */
#include "base/clock.h"
#include "base/log.h"
#include "consul_source_parts.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

enum {
    DEADLINE_MS = 10000,
    ANY_NODE_MS = 5000 /* while the name of its node is not known, nobody's bad news are believed,
                          but not for so long */
};

/* Who was held because the name was not known is let go unless it is on this node. */
static void note_node(struct consul_source *s, const char *node)
{
    struct agent *g = &s->agent;
    bool first = !g->node[0];

    snprintf(g->node, sizeof g->node, "%s", node);
    if (first && g->until_ns > clock_now_ns()) {
        catalog_agent_back(s->catalog, node, g->until_ns);
        catalog_agent_back(s->places, node, g->until_ns);
    }
}

static void on_self(void *arg, const struct consul_answer *a)
{
    struct consul_source *s = arg;
    struct agent *g = &s->agent;
    json_t *doc = a->error ? NULL : json_loadb(a->body.p ? a->body.p : "", a->body.n, 0, NULL);
    const char *node =
        json_string_value(json_object_get(json_object_get(doc, "Config"), "NodeName"));

    if (node)
        note_node(s, node);
    else if (!g->logged)
        log_info(
            "discovery",
            "the name of the agent's node is not known (%s): after a restart of it nothing bad "
            "is believed about any node, for %d s",
            a->error ? a->error : "it is not in the answer", ANY_NODE_MS / 1000);
    g->logged |= !node;
    g->asked = node || a->status != 0;
    json_decref(doc);
}

void agent_start(struct consul_source *s, uint64_t hold_ms)
{
    s->agent.hold_ms = hold_ms;
    s->agent.get = consul_get_new(s->http, on_self, s);
}

void agent_release(struct consul_source *s)
{
    consul_get_free(s->agent.get);
}

void agent_lost(struct consul_source *s)
{
    s->agent.away = true;
}

void agent_answered(struct consul_source *s)
{
    struct agent *g = &s->agent;
    uint64_t hold_ms = g->node[0] || g->hold_ms < ANY_NODE_MS ? g->hold_ms : ANY_NODE_MS;
    uint64_t until = clock_now_ns() + hold_ms * NS_PER_MS;

    if (g->hold_ms == 0)
        return;
    if (g->away) {
        g->until_ns = until;
        catalog_agent_back(s->catalog, g->node, until);
        catalog_agent_back(s->places, g->node, until);
        log_info(
            "discovery", "consul %s: back; for %" PRIu64 " s nothing bad is believed about node=%s",
            source_agent(s), hold_ms / 1000, g->node[0] ? g->node : "(any: its own is not known)");
    }
    /* After a move to another agent it is another node. */
    if ((g->away || !g->asked) && !consul_get_busy(g->get)) {
        g->asked = true;
        consul_get_start(g->get, "/v1/agent/self", DEADLINE_MS);
    }
    g->away = false;
}
