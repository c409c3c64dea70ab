/* SPDX-License-Identifier: Apache-2.0 */
/* fabio's commands on a small catalog: whatever they are, the routes that come out build, and
 * shares are within bounds. */
#include "base/arena.h"
#include "route/fabio.h"
#include "route/route.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SERVICES = 3 };

static uint32_t slot(void *arg, const char *service)
{
    (void)arg;
    assert(*service);
    return 1;
}

static void on_bad(void *arg, const struct route_conf *conf, const char *why)
{
    (void)arg;
    assert(conf->path && *why);
}

static void check(const struct fabio_merged *m)
{
    for (size_t i = 0; i < m->ninputs; i++) {
        const struct route_conf *c = m->inputs[i].conf;
        uint32_t sum = 0;

        assert(c->ntargets <= ROUTE_MAX_TARGETS && (c->ntargets > 0) != (c->redirect_status != 0));
        for (size_t k = 0; k < c->ntargets; k++)
            sum += c->targets[k].weight;
        assert(c->redirect_status || sum > 0);
    }
    for (size_t i = 0; i < m->nweights; i++)
        for (size_t k = 0; k < m->weights[i].list.n; k++)
            assert(m->weights[i].list.items[k].weight <= 10000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const tags[SERVICES][2] = {{"urlprefix-a.example/x strip=/x", "v1"},
                                                  {"urlprefix-/x weight=0.2", "v2"},
                                                  {"urlprefix-a.example/x", "v2"}};
    static const char *const names[SERVICES] = {"web", "api", "old"};
    struct consul_conf consul = {
        .expose = EXPOSE_TAGGED, .tag_prefix = "frontdesk.", .fabio_prefix = "urlprefix-"};
    struct arena *a = arena_new();
    struct fabio_text text = {"fabio/config", {(const char *)data, size}};
    struct fabio_commands *commands = fabio_commands_parse(&text, 1);
    struct instance items[SERVICES];
    struct instance_set sets[SERVICES];
    struct fabio_service services[SERVICES];
    struct fabio_merged merged;

    for (unsigned i = 0; i < SERVICES; i++) {
        struct tag_routes routes;

        items[i] = (struct instance){.node = "n",
                                     .id = "i",
                                     .address = "10.0.0.1",
                                     .port = 80,
                                     .sockaddr_len = 1,
                                     .weight = 1,
                                     .tags = tags[i],
                                     .ntags = 2};
        sets[i] = (struct instance_set){.service = names[i], .n = 1, .items = &items[i]};
        tags_parse(&sets[i], &consul, a, &routes);
        services[i] = (struct fabio_service){&sets[i], routes.targets, true};
    }
    fabio_merge(services, SERVICES, commands, &consul, a, &merged);
    check(&merged);
    struct route_table *t = route_table_build(merged.inputs, merged.ninputs, slot, on_bad, NULL);
    route_table_unref(&t);
    fabio_commands_unref(&commands);
    arena_free(a);
    return 0;
}
