/* SPDX-License-Identifier: Apache-2.0 */
#include "route/tags.h"

#include "tag_rows.h"

static struct consul_conf all = {
    .expose = EXPOSE_ALL, .tag_prefix = "frontdesk.", .fabio_prefix = "urlprefix-"};

static void test_auto_routes(void **state)
{
    static const struct tag_row rows[] = {
        {"no tags", {NULL}, {NULL}, "auto /web/ strip=/web/", ""},
        {"foreign tags", {"v1", "traefik.enable=true"}, {NULL}, "auto /web/ strip=/web/", ""},
        {"bare tag", {"frontdesk"}, {NULL}, "auto /web/ strip=/web/", ""},
        {"own route", {"frontdesk.path=/x"}, {NULL}, "/x /x", ""},
        {"own fabio route", {"urlprefix-/x"}, {NULL}, "/x plain /x", ""},
        {"meta without a tag", {NULL}, {"frontdesk-path", "/x"}, "/x /x", ""},
        {"a closed route is not opened",
         {"urlprefix-/x allow=ip:10.0.0.0/8 deny=ip:10.1.0.0/16"},
         {NULL},
         "",
         "exclude each other"},
        {"a bad route is not opened", {"frontdesk.path=x"}, {NULL}, "", "not a path"},
        {"a slip is not opened", {"frontdesk.authh=customer"}, {NULL}, "", "not a known key"},
        {"auth alone is not opened",
         {"frontdesk.auth=customer"},
         {NULL},
         "",
         "neither a path nor a host"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_tag_row(&rows[i], &all);
}

static size_t count_targets(const struct tag_routes *routes)
{
    size_t n = 0;

    for (const struct fabio_target *t = routes->targets; t; t = t->next)
        n++;
    return n;
}

static size_t count_for(const char *service, enum expose_mode mode, const char *tag)
{
    struct consul_conf consul = all;
    struct instance one = {.node = "n", .id = "i", .tags = &tag, .ntags = tag != NULL};
    struct instance_set set = {.service = service, .n = 1, .items = &one};
    struct arena *a = arena_new();
    struct tag_routes routes;

    consul.expose = mode;
    tags_parse(&set, &consul, a, &routes);
    size_t n = routes.ninputs + count_targets(&routes);
    arena_free(a);
    return n;
}

static void test_expose_modes(void **state)
{
    (void)state;
    assert_int_equal(count_for("web", EXPOSE_ALL, NULL), 1);
    assert_int_equal(count_for("consul", EXPOSE_ALL, NULL), 0);
    assert_int_equal(count_for("frontdesk", EXPOSE_ALL, NULL), 0);
    assert_int_equal(count_for("a/b", EXPOSE_ALL, NULL), 0);
    assert_int_equal(count_for("web", EXPOSE_TAGGED, NULL), 0);
    assert_int_equal(count_for("web", EXPOSE_TAGGED, "frontdesk.path=/x"), 1);
    assert_int_equal(count_for("web", EXPOSE_TAGGED, "urlprefix-/x"), 1);
    assert_int_equal(count_for("web", EXPOSE_NONE, "frontdesk.path=/x"), 0);
    assert_int_equal(count_for("web", EXPOSE_NONE, "urlprefix-/x"), 0);
}

static void test_several_instances(void **state)
{
    const char *old_tags[] = {"frontdesk.path=/x", "frontdesk.strip=true"};
    const char *new_tags[] = {"frontdesk.path=/x", "urlprefix-/y"};
    const struct instance items[] = {
        {.node = "a", .id = "1", .tags = new_tags, .ntags = 2, .create_index = 30},
        {.node = "b",
         .id = "2",
         .tags = old_tags,
         .ntags = 2,
         .create_index = 10,
         .health = HEALTH_CRITICAL,
         .check = "gone from the catalog"},
        {.node = "c", .id = "3", .tags = new_tags, .ntags = 2, .create_index = 20},
    };
    struct instance_set set = {.service = "web", .n = 3, .items = items};
    struct arena *a = arena_new();
    struct tag_routes routes;

    (void)state;
    tags_parse(&set, &all, a, &routes);
    assert_int_equal(routes.ninputs, 1);
    assert_int_equal(count_targets(&routes), 2);
    assert_string_equal(routes.inputs[0].conf->path, "/x");
    assert_string_equal(routes.inputs[0].conf->strip, "/x");
    assert_string_equal(routes.targets->conf->path, "/y");
    assert_string_equal(routes.targets->src, "/y");
    assert_int_equal(routes.inputs[0].create_index, 10);
    assert_int_equal(routes.targets->create_index, 10);
    assert_true(routes.inputs[0].from_tags);
    assert_int_equal(routes.nproblems, 1);
    assert_non_null(strstr(routes.problems[0].why, "older"));
    assert_string_equal(routes.problems[0].service, "web");
    assert_string_equal(routes.problems[0].tag, "frontdesk.path=/x");
    arena_free(a);
}

static void test_bounds(void **state)
{
    static char texts[200][32], longest[2000];
    static const char *tags[200];
    struct instance one = {.node = "n", .id = "i", .tags = tags, .ntags = 200};
    struct instance_set set = {.service = "web", .n = 1, .items = &one};
    struct arena *a = arena_new();
    struct tag_routes routes;

    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        snprintf(texts[i], sizeof(texts[i]), "urlprefix-/%u", i);
        tags[i] = texts[i];
    }
    tags_parse(&set, &all, a, &routes);
    assert_int_equal(count_targets(&routes), 64);
    assert_int_equal(routes.nproblems, 1);
    for (unsigned i = 0; i < 200; i++)
        snprintf(texts[i], sizeof(texts[i]), "frontdesk.g%u.path=/%u", i, i);
    tags_parse(&set, &all, a, &routes);
    assert_int_equal(routes.ninputs, 64);
    assert_int_equal(routes.nproblems, 64);

    memset(longest, 'a', sizeof(longest) - 1);
    memcpy(longest, "urlprefix-/", 11);
    tags[0] = longest;
    one.ntags = 1;
    tags_parse(&set, &all, a, &routes);
    assert_int_equal(count_targets(&routes), 0);
    assert_int_equal(routes.nproblems, 1);
    assert_in_range(strlen(routes.problems[0].tag), 1, 200);
    memcpy(longest, "frontdesk.path=/", 16);
    tags_parse(&set, &all, a, &routes);
    assert_int_equal(routes.ninputs, 0);
    assert_int_equal(routes.nproblems, 1);
    arena_free(a);
}

/* 10,000 tags of 64 KiB each, of every kind. */
static void test_monsters(void **state)
{
    static const char *const heads[] = {"urlprefix-/", "traefik.http.routers.r.rule=Path(`/",
                                        "frontdesk.path=/", "v1 "};
    enum { LONG = 65536, MANY = 10000 };
    struct consul_conf consul = all;
    struct arena *a = arena_new();
    const char **tags = ARENA_ARRAY(a, const char *, MANY);
    struct instance one = {.node = "n", .id = "i", .tags = tags, .ntags = MANY};
    struct instance_set set = {.service = "web", .n = 1, .items = &one};
    struct tag_routes routes;

    (void)state;
    consul.traefik_prefix = "traefik.";
    for (unsigned i = 0; i < ARRAY_LEN(heads); i++) {
        char *text = arena_alloc(a, LONG + 1);

        memset(text, 'x', LONG);
        memcpy(text, heads[i], strlen(heads[i]));
        for (unsigned k = 0; k < MANY; k++)
            tags[k] = k % 2 ? text : arena_printf(a, "%s%u%s", heads[i], k, i == 1 ? "`)" : "");
        tags_parse(&set, &consul, a, &routes);
        /* Of Traefik's, all must be read. */
        assert_in_range(routes.ninputs + count_targets(&routes), i == 0 || i == 2, i != 1 ? 64 : 0);
        assert_in_range(routes.nproblems, i < 3, 64);
    }
    arena_free(a);
}

static void test_shown_texts_are_printable(void **state)
{
    const char *tags[] = {"frontdesk.path=/\x1b[31m\xc3\xa9", "urlprefix-/x auth=\x01"};
    struct instance one = {.node = "n", .id = "i", .tags = tags, .ntags = 2};
    struct instance_set set = {.service = "web", .n = 1, .items = &one};
    struct arena *a = arena_new();
    struct tag_routes routes;

    (void)state;
    tags_parse(&set, &all, a, &routes);
    assert_string_equal(routes.problems[0].tag, "frontdesk.path=/?[31m??");
    assert_string_equal(routes.targets->conf->source, "tag urlprefix-/x auth=? of web");
    arena_free(a);
}

/* What keeps people out holds whichever of the instances says it. */
static void test_the_stricter_one(void **state)
{
    static const struct {
        const char *name, *older[3], *newer[3], *auth;
        size_t allow;
    } rows[] = {
        {"newer", {"frontdesk.path=/x"}, {"frontdesk.path=/x", "frontdesk.auth=a"}, "a", 0},
        {"older", {"frontdesk.path=/x", "frontdesk.auth=a"}, {"frontdesk.path=/x"}, "a", 0},
        {"both",
         {"frontdesk.path=/x", "frontdesk.auth=a"},
         {"frontdesk.path=/x", "frontdesk.auth=b"},
         "a",
         0},
        {"neither", {"frontdesk.path=/x"}, {"frontdesk.path=/x", "frontdesk.strip=true"}, NULL, 0},
        {"addresses",
         {"traefik.http.routers.r.rule=Path(`/x`)"},
         {"traefik.http.routers.r.rule=Path(`/x`)", "traefik.http.routers.r.middlewares=m",
          "traefik.http.middlewares.m.ipallowlist.sourcerange=10.0.0.0/8"},
         NULL,
         1},
    };
    struct consul_conf consul = all;

    (void)state;
    consul.traefik_prefix = "traefik.";
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct instance items[2] = {
            {.node = "a", .id = "1", .tags = rows[i].older, .create_index = 1},
            {.node = "b", .id = "2", .tags = rows[i].newer, .create_index = 2}};
        struct instance_set set = {.service = "web", .n = 2, .items = items};
        struct arena *a = arena_new();
        struct tag_routes routes;

        while (items[0].ntags < 3 && rows[i].older[items[0].ntags])
            items[0].ntags++;
        while (items[1].ntags < 3 && rows[i].newer[items[1].ntags])
            items[1].ntags++;
        tags_parse(&set, &consul, a, &routes);
        assert_int_equal(routes.ninputs, 1);
        const struct route_conf *conf = routes.inputs[0].conf;
        const char *wanted = rows[i].auth ? rows[i].auth : "", *got = conf->auth ? conf->auth : "";
        if (strcmp(wanted, got) != 0 || conf->edge.addresses.allow.n != rows[i].allow)
            fail_msg("%s: auth %s, allow %zu", rows[i].name, got, conf->edge.addresses.allow.n);
        assert_int_equal(routes.nproblems, 1);
        arena_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_auto_routes),       cmocka_unit_test(test_expose_modes),
        cmocka_unit_test(test_several_instances), cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_monsters),          cmocka_unit_test(test_shown_texts_are_printable),
        cmocka_unit_test(test_the_stricter_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
