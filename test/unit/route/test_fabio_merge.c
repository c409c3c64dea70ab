/* SPDX-License-Identifier: Apache-2.0 */
#include "route/fabio.h"

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const struct consul_conf consul = {
    .expose = EXPOSE_TAGGED, .tag_prefix = "frontdesk.", .fabio_prefix = "urlprefix-"};

/* An instance in short: "SERVICE HEALTH TAG|TAG|...", health + or -. Its port is its number. */
enum { MAX_INSTANCES = 6 };

struct row {
    const char *name;
    const char *instances[MAX_INSTANCES];
    const char *commands;
    const char *routes;  /* "SRC SERVICE=WEIGHT ..." */
    const char *weights; /* "PORT=WEIGHT ..." where they are not the catalog's */
    const char *problem; /* a part of the first one */
};

static const struct row rows[] = {
    {"alone", {"web + urlprefix-/a"}, "", "/a web=1", "", ""},
    {"two instances", {"web + urlprefix-/a", "web + urlprefix-/a"}, "", "/a web=1", "", ""},
    {"two services", {"a + urlprefix-/x", "b + urlprefix-/x"}, "", "/x a=5000 b=5000", "", ""},
    {"a part for each instance",
     {"a + urlprefix-/x", "a + urlprefix-/x", "a + urlprefix-/x", "b + urlprefix-/x"},
     "",
     "/x a=7500 b=2500",
     "",
     ""},
    {"only the healthy ones",
     {"a + urlprefix-/x", "a - urlprefix-/x", "b + urlprefix-/x"},
     "",
     "/x a=5000 b=5000",
     "",
     ""},
    {"none is healthy",
     {"a - urlprefix-/x", "a - urlprefix-/x", "b - urlprefix-/x"},
     "",
     "/x a=6667 b=3333",
     "",
     ""},
    {"no healthy one in a service",
     {"a - urlprefix-/x", "b + urlprefix-/x"},
     "",
     "/x a=0 b=10000",
     "",
     ""},
    {"weight of one",
     {"a + urlprefix-/x weight=0.2", "b + urlprefix-/x"},
     "",
     "/x a=2000 b=8000",
     "",
     ""},
    {"weights above the whole",
     {"a + urlprefix-/x weight=3", "b + urlprefix-/x weight=1", "c + urlprefix-/x"},
     "",
     "/x a=7500 b=2500 c=0",
     "",
     ""},
    {"weights below the whole",
     {"a + urlprefix-/x weight=0.1", "b + urlprefix-/x weight=0.3"},
     "",
     "/x a=2500 b=7500",
     "",
     ""},
    {"a small weight is not nothing",
     {"a + urlprefix-/x weight=0.00001", "b + urlprefix-/x"},
     "",
     "/x a=1 b=10000",
     "",
     ""},
    {"weights within a service",
     {"a + urlprefix-/x weight=0.1", "a + urlprefix-/x", "a + urlprefix-/x"},
     "",
     "/x a=1",
     "1=1000 2=4500 3=4500",
     ""},
    {"equal weights within a service",
     {"a + urlprefix-/x weight=0.5", "a + urlprefix-/x weight=0.5"},
     "",
     "/x a=1",
     "",
     ""},
    {"a weighted instance falls ill",
     {"a - urlprefix-/x weight=0.9", "a + urlprefix-/x"},
     "",
     "/x a=1",
     "",
     ""},
    {"no tag, no requests", {"a + urlprefix-/x", "a + v2"}, "", "/x a=1", "2=0", ""},
    {"one weight for all routes",
     {"a + urlprefix-/x weight=0.1|urlprefix-/y weight=0.1", "a + urlprefix-/x|urlprefix-/y"},
     "",
     "/x a=1; /y a=1",
     "1=1000 2=9000",
     ""},
    {"different weights for each route",
     {"a + urlprefix-/x weight=0.1|urlprefix-/y", "a + urlprefix-/x|urlprefix-/y"},
     "",
     "/x a=1; /y a=1",
     "1=1000 2=9000",
     "weights of an instance hold for all"},
    {"the same tag twice",
     {"a + urlprefix-/x|urlprefix-/x", "b + urlprefix-/x"},
     "",
     "/x a=5000 b=5000",
     "",
     ""},
    {"other options of one route",
     {"a + urlprefix-/x strip=/x", "b + urlprefix-/x"},
     "",
     "/x a=5000 b=5000",
     "",
     "another tag says something else"},
    {"one of them keeps people out",
     {"a + urlprefix-/x", "b + urlprefix-/x auth=staff allow=ip:10.0.0.0/8"},
     "",
     "/x auth=staff allow=1 a=5000 b=5000",
     "",
     "another tag says something else"},
    {"both keep people out",
     {"a + urlprefix-/x auth=staff", "b + urlprefix-/x auth=all deny=ip:10.0.0.0/8"},
     "",
     "/x auth=staff deny=1 a=5000 b=5000",
     "",
     "another tag says something else"},
    {"hosts and schemes are routes of their own",
     {"a + urlprefix-h/x", "b + urlprefix-h:80/x", "c + urlprefix-/x"},
     "",
     "/x c=1; h/x a=1; h/x b=1",
     "",
     ""},
    {"a redirect has no services",
     {"a + urlprefix-/x redirect=301,/y", "b + urlprefix-/z"},
     "",
     "/x; /z b=1",
     "",
     ""},
    {"add", {NULL}, "route add web h/x http://10.0.0.1:80/", "h/x web:kv=1", "", ""},
    {"add beside a tag",
     {"web + urlprefix-/x"},
     "route add web /x http://10.0.0.1:80/ weight 0.3",
     "/x web=7000 web:kv=3000",
     "",
     ""},
    {"add two",
     {NULL},
     "route add web /x http://10.0.0.1:80/ weight 0.3\nroute add web /x http://10.0.0.2:80/",
     "/x web:kv=1",
     "",
     ""},
    {"add a redirect",
     {NULL},
     "route add web h/ https://h$path opts \"redirect=301\"",
     "h/ http 301",
     "",
     ""},
    {"add with options that cannot be",
     {NULL},
     "route add web /x http://h/ opts \"allow=x\"",
     "",
     "",
     "ip:ADDRESS"},
    {"add without a path", {NULL}, "route add web x http://h/", "", "", "expected HOST/PATH"},
    {"del", {"a + urlprefix-/x|urlprefix-/y", "b + urlprefix-/x"}, "route del a", "/x b=1", "", ""},
    {"del source", {"a + urlprefix-/x|urlprefix-/y"}, "route del a /x", "/y a=1", "", ""},
    {"del source in any case of the host",
     {"a + urlprefix-H.x/P"},
     "route del a h.X/P",
     "",
     "",
     ""},
    {"del target",
     {"a + urlprefix-/x", "a + urlprefix-/x"},
     "route del a /x http://10.0.0.2:2",
     "/x a=1",
     "2=0",
     ""},
    {"del tags",
     {"a + urlprefix-/x|v1", "b + urlprefix-/x|v2|old"},
     "route del tags \"v2,old\"",
     "/x a=1",
     "",
     ""},
    {"del what was added",
     {NULL},
     "route add web /x http://h/\nroute del web /x\nroute add api /y http://h/",
     "/y api:kv=1",
     "",
     ""},
    {"del nothing", {"a + urlprefix-/x"}, "route del b", "/x a=1", "", "no such target"},
    {"weight by tag",
     {"a + urlprefix-/x|v1", "a + urlprefix-/x|v1", "a + urlprefix-/x|v2"},
     "route weight a /x weight 0.1 tags \"v2\"",
     "/x a=1",
     "1=4500 2=4500 3=1000",
     ""},
    {"a weight is shared by those that it is for",
     {"a + urlprefix-/x|v1", "a + urlprefix-/x|v2", "a + urlprefix-/x|v2"},
     "route weight a /x weight 0.1 tags \"v2\"",
     "/x a=1",
     "1=9000 2=500 3=500",
     ""},
    {"weight of a service",
     {"a + urlprefix-/x", "b + urlprefix-/x", "b + urlprefix-/x"},
     "route weight a /x weight 0.1",
     "/x a=1000 b=9000",
     "",
     ""},
    {"weight by tag of any service",
     {"a + urlprefix-/x|blue", "b + urlprefix-/x|green"},
     "route weight /x weight 1 tags \"green\"",
     "/x a=0 b=10000",
     "",
     ""},
    {"a bad command takes no other with it",
     {"a + urlprefix-/x", "b + urlprefix-/y"},
     "route\nroute del b",
     "/x a=1",
     "",
     "expected: route add"},
    /* What fabio does not get right. */
    {"a quote in a tag is no end of everything",
     {"a + urlprefix-/x|say \"hi\"", "b c + urlprefix-/y"},
     "",
     "/x a=1; /y b c=1",
     "",
     ""},
    {"an unhealthy service keeps its route",
     {"a - urlprefix-/x/y", "b + urlprefix-/x"},
     "",
     "/x b=1; /x/y a=1",
     "",
     ""},
};

struct scene {
    struct arena *arena;
    struct instance items[MAX_INSTANCES];
    struct instance_set sets[MAX_INSTANCES];
    struct fabio_service services[MAX_INSTANCES];
    size_t n;
    struct fabio_commands *commands; /* what is merged borrows from them */
    struct fabio_merged merged;
};

static void add_instance(struct scene *s, unsigned number, const char *text)
{
    const char *mark = strpbrk(text, "+-");
    struct instance *i = &s->items[number];
    struct str rest = str_of(mark + 1), tag;
    const char *service = arena_strndup(s->arena, text, (size_t)(mark - text - 1));
    const char **tags = ARENA_ARRAY(s->arena, const char *, 8);

    *i = (struct instance){.node = "n",
                           .id = arena_printf(s->arena, "%u", number + 1),
                           .address = arena_printf(s->arena, "10.0.0.%u", number + 1),
                           .port = (uint16_t)(number + 1),
                           .sockaddr_len = 1,
                           .weight = 1,
                           .tags = tags,
                           .health = *mark == '+' ? HEALTH_PASSING : HEALTH_CRITICAL};
    while (str_next(&rest, '|', &tag))
        tags[i->ntags++] = arena_strndup(s->arena, tag.p, tag.n);
    if (s->n == 0 || strcmp(s->sets[s->n - 1].service, service) != 0)
        s->sets[s->n++] = (struct instance_set){.service = service, .items = i};
    s->sets[s->n - 1].n++;
}

static void merge(struct scene *s, const struct row *row)
{
    struct fabio_text text = {"fabio/config", str_of(row->commands)};

    s->commands = fabio_commands_parse(&text, 1);
    for (unsigned i = 0; i < MAX_INSTANCES && row->instances[i]; i++)
        add_instance(s, i, row->instances[i]);
    for (size_t i = 0; i < s->n; i++) {
        struct tag_routes routes;

        tags_parse(&s->sets[i], &consul, s->arena, &routes);
        for (size_t k = 0; k < routes.nproblems; k++)
            assert_int_equal(routes.problems[k].kind, TAG_DIFFERS);
        s->services[i] = (struct fabio_service){&s->sets[i], routes.targets, true};
    }
    fabio_merge(s->services, s->n, s->commands, &consul, s->arena, &s->merged);
}

static void scene_end(struct scene *s)
{
    fabio_commands_unref(&s->commands);
    arena_free(s->arena);
}

static const char *routes_text(const struct scene *s)
{
    const char *all = "";

    for (size_t i = 0; i < s->merged.ninputs; i++) {
        const struct route_conf *c = s->merged.inputs[i].conf;

        all = arena_printf(s->arena, "%s%s%s%s", all, i > 0 ? "; " : "", c->host, c->path);
        if (c->scheme == SCHEME_HTTP && c->redirect_status)
            all = arena_printf(s->arena, "%s http %u", all, c->redirect_status);
        if (c->auth)
            all = arena_printf(s->arena, "%s auth=%s", all, c->auth);
        if (c->edge.addresses.allow.n > 0)
            all = arena_printf(s->arena, "%s allow=%zu", all, c->edge.addresses.allow.n);
        if (c->edge.addresses.deny.n > 0)
            all = arena_printf(s->arena, "%s deny=%zu", all, c->edge.addresses.deny.n);
        for (size_t k = 0; k < c->ntargets; k++)
            all = arena_printf(s->arena, "%s %s=%u", all, c->targets[k].service,
                               c->targets[k].weight);
    }
    return all;
}

static const char *weights_text(const struct scene *s)
{
    const char *all = "";

    for (unsigned i = 0; i < MAX_INSTANCES; i++)
        for (size_t w = 0; w < s->merged.nweights; w++)
            for (size_t k = 0; k < s->merged.weights[w].list.n; k++)
                if (s->items[i].port &&
                    s->merged.weights[w].list.items[k].instance == instance_key(&s->items[i]))
                    all = arena_printf(s->arena, "%s%s%u=%u", all, *all ? " " : "",
                                       s->items[i].port, s->merged.weights[w].list.items[k].weight);
    return all;
}

static void test_merge(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct scene s = {.arena = arena_new()};

        merge(&s, &rows[i]);
        const char *why = s.merged.nproblems > 0 ? s.merged.problems[0].why : "";
        if (strcmp(routes_text(&s), rows[i].routes) != 0)
            fail_msg("%s: '%s'", rows[i].name, routes_text(&s));
        if (strcmp(weights_text(&s), rows[i].weights) != 0)
            fail_msg("%s: weights '%s'", rows[i].name, weights_text(&s));
        if (s.merged.nproblems != (*rows[i].problem ? 1 : 0) || !strstr(why, rows[i].problem))
            fail_msg("%s: %zu problems, '%s'", rows[i].name, s.merged.nproblems, why);
        scene_end(&s);
    }
}

/* Others lead there too, so who has no tag is left in peace. */
static void test_not_only(void **state)
{
    struct row row = {"", {"a + urlprefix-/x", "a + v2"}, "", "", "", ""};
    struct scene s = {.arena = arena_new()};

    (void)state;
    merge(&s, &row);
    s.services[0].only = false;
    fabio_merge(s.services, s.n, NULL, &consul, s.arena, &s.merged);
    assert_int_equal(s.merged.nweights, 0);
    scene_end(&s);
}

/* Only where it matters is a change of health a change of routes. */
static void test_health_matters(void **state)
{
    static const struct row plain = {"", {"a + urlprefix-/x", "a + urlprefix-/x"}, "", "", "", ""};
    static const struct row shared = {"", {"a + urlprefix-/x", "b + urlprefix-/x"}, "", "", "", ""};
    struct scene s = {.arena = arena_new()}, t = {.arena = arena_new()};

    (void)state;
    merge(&s, &plain);
    assert_int_equal(s.merged.nweights, 0);
    merge(&t, &shared);
    assert_int_equal(t.merged.nweights, 2);
    assert_true(t.merged.weights[0].health && t.merged.weights[1].health);
    scene_end(&s);
    scene_end(&t);
}

static void test_seventeen_services(void **state)
{
    struct arena *a = arena_new();
    static const char *tag = "urlprefix-/x";
    struct fabio_service services[17];
    struct fabio_merged merged;

    (void)state;
    for (unsigned i = 0; i < 17; i++) {
        struct instance_set *set = ARENA_NEW(a, struct instance_set);
        struct instance *one = ARENA_NEW(a, struct instance);
        struct tag_routes routes;

        *one = (struct instance){.node = "n",
                                 .id = "i",
                                 .port = (uint16_t)i,
                                 .sockaddr_len = 1,
                                 .weight = 1,
                                 .tags = &tag,
                                 .ntags = 1};
        *set = (struct instance_set){.service = arena_printf(a, "s%u", i), .items = one, .n = 1};
        tags_parse(set, &consul, a, &routes);
        services[i] = (struct fabio_service){set, routes.targets, true};
    }
    fabio_merge(services, 17, NULL, &consul, a, &merged);
    assert_int_equal(merged.ninputs, 1);
    assert_int_equal(merged.inputs[0].conf->ntargets, 16);
    assert_int_equal(merged.nproblems, 1);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_not_only),
        cmocka_unit_test(test_health_matters),
        cmocka_unit_test(test_seventeen_services),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
