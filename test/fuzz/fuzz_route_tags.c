/* SPDX-License-Identifier: Apache-2.0 */
/* Tags and meta of a service, one a line, and then a path to look up: whatever is registered, the
 * table builds, and what it would send on cannot end a line. A line "KEY: VALUE" is meta, a line
 * "@" starts the next instance, a line "? HOST/PATH" asks. */
#include "base/arena.h"
#include "http/uri.h"
#include "route/fabio.h"
#include "route/tags.h"
#include "route/tags_library.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_TAGS = 100, MAX_INSTANCES = 3 };

struct input {
    const char *tags[MAX_INSTANCES][MAX_TAGS];
    struct instance_meta meta[MAX_INSTANCES][MAX_TAGS];
    struct instance items[MAX_INSTANCES];
    unsigned n;
    const char *question;
};

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

static void read_line(struct input *in, struct arena *a, char *line)
{
    unsigned last = in->n - 1;
    struct instance *i = &in->items[last];
    char *colon = strstr(line, ": ");

    if (strcmp(line, "@") == 0) {
        if (in->n < MAX_INSTANCES)
            in->n++;
    } else if (line[0] == '?') {
        in->question = line + 1;
    } else if (colon && i->nmeta < MAX_TAGS) {
        *colon = '\0';
        in->meta[last][i->nmeta++] = (struct instance_meta){line, arena_strdup(a, colon + 2)};
    } else if (i->ntags < MAX_TAGS) {
        in->tags[last][i->ntags++] = line;
    }
}

static void check_text(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert(text[i] > ' ' && text[i] < 0x7f);
}

static void ask(const struct route_table *t, struct arena *a, const char *question)
{
    char *text = arena_strdup(a, question), *slash = strchr(text, '/'), out[4096];
    struct request r = {.method = METHOD_GET, .method_name = STR("GET")};
    size_t n = slash ? strlen(slash) : 0, host = slash ? (size_t)(slash - text) : 0, len = 0;
    struct route_match m;

    if (!slash || !uri_normalise_path(slash, &n) || (host && !uri_check_authority(text, host)))
        return;
    r.host = (struct str){text, host};
    r.path = (struct str){slash, n};
    route_find(t, &r, &m);
    if (!m.route)
        return;
    if (m.route->conf->redirect_status &&
        route_redirect_location(m.route, &m, &r, "http", out, sizeof(out), &len) == 0)
        check_text(out, len);
    if (route_target_path(m.route, &m, r.path, out, sizeof(out), &len) == 0) {
        assert(len > 0 && out[0] == '/');
        check_text(out, len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct input in;
    struct consul_conf consul = {.expose = EXPOSE_ALL,
                                 .tag_prefix = "frontdesk.",
                                 .fabio_prefix = "urlprefix-",
                                 .traefik_prefix = "traefik.",
                                 .datacenter = "dc1"};
    struct instance_set set = {.service = "web", .items = in.items};
    const char *router[] = {"traefik.http.routers.r.rule=PathPrefix(`/x`)",
                            "traefik.http.routers.r.middlewares=m"};
    struct instance one = {.node = "n", .id = "i", .tags = router, .ntags = 2};
    struct instance_set other = {.service = "other", .n = 1, .items = &one};
    struct arena *a = arena_new();
    char *text = arena_strndup(a, (const char *)data, size), *line;
    struct tag_routes routes;
    struct fabio_merged merged;

    memset(&in, 0, sizeof(in));
    in.n = 1;
    in.question = "/";
    while ((line = strsep(&text, "\n")) != NULL)
        read_line(&in, a, line);
    for (unsigned i = 0; i < in.n; i++) {
        in.items[i].tags = in.tags[i];
        in.items[i].meta = in.meta[i];
        in.items[i].create_index = in.n - i;
    }
    set.n = in.n;
    /* What it defines may be of use for another service, and is its own here. */
    const struct instance_set *sets[] = {&set, &other};
    struct tag_library *library = tags_library_new(sets, 2, &consul);
    bool uses;
    assert((tags_library_part(&set, &consul, &uses) == 0) ==
           (library->n + library->ndisputed == 0));
    tags_parse_with(&other, &consul, library, a, &routes);
    assert(routes.ninputs <= 64);
    tags_parse_with(&set, &consul, library, a, &routes);
    tags_library_free(&library);
    assert(routes.ninputs <= 64 && routes.nproblems <= 64);
    fabio_merge(&(struct fabio_service){&set, routes.targets, true}, 1, NULL, &consul, a, &merged);
    assert(merged.nweights <= 1);
    struct route_input *inputs =
        ARENA_ARRAY(a, struct route_input, routes.ninputs + merged.ninputs);
    for (size_t i = 0; i < routes.ninputs; i++)
        inputs[i] = routes.inputs[i];
    for (size_t i = 0; i < merged.ninputs; i++)
        inputs[routes.ninputs + i] = merged.inputs[i];
    struct route_table *t =
        route_table_build(inputs, routes.ninputs + merged.ninputs, slot, on_bad, NULL);
    ask(t, a, in.question);
    route_table_unref(&t);
    arena_free(a);
    return 0;
}
