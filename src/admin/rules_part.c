/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/rules_part.h"

#include <event2/buffer.h>

static json_t *targets_part(const struct chain *c)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < c->ntargets; i++)
        if (chain_resolver_of(c, i))
            json_array_append_new(list, json_text(c->targets[i].key));
    return list;
}

static json_t *notes_part(const struct chain *c)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < c->nnotes; i++)
        json_array_append_new(list, json_text(c->notes[i]));
    return list;
}

static const char *start_word(const struct chain *c)
{
    static const char *const words[] = {
        [CHAIN_ROUTER] = "router", [CHAIN_SPLITTER] = "splitter", [CHAIN_RESOLVER] = "resolver"};

    return words[c->nodes[c->start].kind];
}

json_t *rules_part(const struct look *l, const struct service_view *v)
{
    const struct chain *c = v->rules ? v->rules->chain : NULL;
    const char *problem = discovery_rules_problem(l->sources->discovery, v->state->name);

    if (!c && !problem)
        return json_null();
    return json_pack("{s:o,s:o,s:o,s:o}", "start", c ? json_string(start_word(c)) : json_null(),
                     "targets", c ? targets_part(c) : json_array(), "not_obeyed",
                     c ? notes_part(c) : json_array(), "problem", json_text(problem));
}

static void add(void *list, const char *service, const char *why)
{
    json_array_append_new(list, json_pack("{s:o,s:s,s:o}", "service", json_text(service), "subject",
                                          "traffic rules", "why", json_text(why)));
}

void rules_problems(const struct look *l, json_t *list)
{
    const struct discovery *d = l->sources->discovery;
    const char *error = discovery_rules_error(d);

    if (error)
        add(list, "", error);
    for (size_t i = 0; i < discovery_rules_count(d); i++) {
        const struct chain *c = discovery_rules_at(d, i);

        for (unsigned k = 0; k < c->nnotes; k++)
            add(list, c->service, c->notes[k]);
    }
    discovery_rules_problems(d, add, list);
}

static void ignore(void *arg, const char *service, const char *why)
{
    (void)arg;
    (void)service;
    (void)why;
}

void rules_metrics(const struct look *l, struct evbuffer *out)
{
    const struct discovery *d = l->sources->discovery;

    evbuffer_add_printf(out,
                        "# HELP frontdesk_traffic_rules Services with traffic rules of Consul in "
                        "force.\n# TYPE frontdesk_traffic_rules gauge\n"
                        "frontdesk_traffic_rules %zu\n",
                        discovery_rules_count(d));
    evbuffer_add_printf(out,
                        "# HELP frontdesk_traffic_rules_refused Services whose rules are not in "
                        "force as Consul has them now.\n"
                        "# TYPE frontdesk_traffic_rules_refused gauge\n"
                        "frontdesk_traffic_rules_refused %zu\n",
                        discovery_rules_problems(d, ignore, NULL));
}
