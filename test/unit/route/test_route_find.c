/* SPDX-License-Identifier: Apache-2.0 */
#include "route/route.h"

#include "base/arena.h"
#include "route/route_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* A route in short: "[METHOD,METHOD] HOST/PATH", a host of "-" is any. The name is the text. */
struct rule {
    const char *text;
    enum path_match match;
    int priority;
    bool from_tags;
    uint64_t create_index;
    const char *header; /* that must be present */
    enum route_scheme scheme;
    const char *not_host_regex;
};

static uint32_t slot(void *arg, const char *service)
{
    (void)arg;
    return (uint32_t)strlen(service);
}

static void never_bad(void *arg, const struct route_conf *conf, const char *why)
{
    (void)arg;
    fail_msg("%s: %s", conf->name, why);
}

static const char **split_methods(struct arena *a, struct str list)
{
    const char **methods = ARENA_ARRAY(a, const char *, 8);
    struct str item;

    for (size_t n = 0; str_next(&list, ',', &item); n++)
        methods[n] = arena_strndup(a, item.p, item.n);
    return methods;
}

static const struct route_conf *make_conf(struct arena *a, const struct rule *rule)
{
    static struct target_conf target = {"web", 1};
    struct route_conf *conf = ARENA_NEW(a, struct route_conf);
    const char *space = strchr(rule->text, ' '), *host = space ? space + 1 : rule->text;
    const char *slash = strchr(host, '/');

    *conf = (struct route_conf){.name = rule->text,
                                .source = "test",
                                .path = slash,
                                .path_match = rule->match,
                                .priority = rule->priority,
                                .scheme = rule->scheme,
                                .not_host_regex = rule->not_host_regex,
                                .targets = &target,
                                .ntargets = 1,
                                .max_body = -1};
    conf->host = *host == '-' ? "" : arena_strndup(a, host, (size_t)(slash - host));
    if (space)
        conf->methods = split_methods(a, (struct str){rule->text, (size_t)(space - rule->text)});
    if (rule->header) {
        conf->headers = ARENA_NEW(a, struct match_conf);
        conf->headers[0].name = rule->header;
        conf->nheaders = 1;
    }
    return conf;
}

static struct route_table *make_table(const struct rule *rules, size_t n)
{
    struct arena *a = arena_new();
    struct route_input *inputs = ARENA_ARRAY(a, struct route_input, n);

    for (size_t i = 0; i < n; i++)
        inputs[i] = (struct route_input){make_conf(a, &rules[i]), rules[i].from_tags,
                                         rules[i].create_index};
    struct route_table *t = route_table_build(inputs, n, slot, never_bad, NULL);
    arena_free(a); /* the table must not need it */
    return t;
}

static struct request request_for(const char *text)
{
    struct request r = {0};
    const char *space = strchr(text, ' '), *host = space ? space + 1 : text;
    const char *slash = strchr(host, '/'), *query = strchr(host, '?');

    r.method_name = space ? (struct str){text, (size_t)(space - text)} : STR("GET");
    int bit = route_method_bit(r.method_name);
    r.method = bit < 0 ? METHOD_OTHER : (enum method)bit;
    r.host = (struct str){host, (size_t)(slash - host)};
    r.path = (struct str){slash, query ? (size_t)(query - slash) : strlen(slash)};
    r.has_query = query != NULL;
    r.query = query ? str_of(query + 1) : STR_NULL;
    return r;
}

/* `wanted`: the text of the rule, "" for none, "405 METHODS". */
static void check(const struct route_table *t, const char *text, const char *wanted)
{
    struct request r = request_for(text);
    struct route_match m;
    char got[128];

    route_find(t, &r, &m);
    if (m.route)
        snprintf(got, sizeof(got), "%s", m.route->conf->name);
    else
        snprintf(got, sizeof(got), "%s%s", m.allow ? "405 " : "", m.allow ? m.allow : "");
    if (strcmp(got, wanted) != 0)
        fail_msg("%s: wanted '%s', got '%s'", text, wanted, got);
}

struct want {
    const char *request, *rule;
};

#define CHECK(rules, wants)                                                                        \
    do {                                                                                           \
        struct route_table *t = make_table(rules, ARRAY_LEN(rules));                               \
        for (size_t w = 0; w < ARRAY_LEN(wants); w++)                                              \
            check(t, (wants)[w].request, (wants)[w].rule);                                         \
        route_table_unref(&t);                                                                     \
    } while (0)

static void test_prefix(void **state)
{
    static const struct rule rules[] = {{.text = "-/orders/"},
                                        {.text = "-/orders/old"},
                                        {.text = "-/cart"},
                                        {.text = "-/caf%c3%a9"}};
    static const struct want wants[] = {
        {"a/orders", "-/orders/"},
        {"a/orders/", "-/orders/"},
        {"a/orders/1", "-/orders/"},
        {"a/orders/1/2/3", "-/orders/"},
        {"a/orders/old", "-/orders/old"},
        {"a/orders/old/1", "-/orders/old"},
        {"a/orders/older", "-/orders/"},
        {"a/ordersx", ""},
        {"a/order", ""},
        {"a/", ""},
        {"a/cart/", "-/cart"},
        {"a/Cart", ""},
        {"a/caf%C3%A9/x", "-/caf%c3%a9"},
    };

    (void)state;
    CHECK(rules, wants);
}

static void test_hosts(void **state)
{
    static const struct rule rules[] = {
        {.text = "shop.example/a"},
        {.text = "shop.example:8080/a"},
        {.text = "*.shop.example/a"},
        {.text = "*.eu.shop.example/a"},
        {.text = "*.shop.example:81/a"},
        {.text = "-/a"},
        {.text = "-/b"},
        {.text = "[::1]/a"},
    };
    static const struct want wants[] = {
        {"shop.example/a", "shop.example/a"},
        {"shop.example:80/a", "shop.example/a"},
        {"shop.example./a", "shop.example/a"},
        {"shop.example:8080/a", "shop.example:8080/a"},
        {"x.shop.example/a", "*.shop.example/a"},
        {"x.y.shop.example/a", "*.shop.example/a"},
        {"x.shop.example:9/a", "*.shop.example/a"},
        {"x.shop.example:81/a", "*.shop.example:81/a"},
        {"x.eu.shop.example/a", "*.eu.shop.example/a"},
        {"eu.shop.example/a", "*.shop.example/a"},
        {"xshop.example/a", "-/a"},
        {"other/a", "-/a"},
        {"/a", "-/a"},
        {"[::1]:80/a", "[::1]/a"},
        {"[::2]/a", "-/a"},
        {"shop.example/b", "-/b"},
        {"x.shop.example/b", "-/b"},
        {"shop.example/c", ""},
    };

    (void)state;
    CHECK(rules, wants);
}

static void test_host_globs(void **state)
{
    static const struct rule rules[] = {
        {.text = "shop.example/a"},
        {.text = "*.shop.example/a"},
        {.text = "api-*.shop.example/a"},
        {.text = "a*.shop.example/a"},
        {.text = "*shop.example/a"},
        {.text = "www.*/a"},
        {.text = "www.[a-c]?.test/a"},
        {.text = "www.[!a-c].test/a"},
        {.text = "m*.test:81/a"},
        {.text = "*/a"},
        {.text = "-/a"},
        {.text = "-/b"},
    };
    static const struct want wants[] = {
        {"shop.example/a", "shop.example/a"},
        {"api-1.shop.example/a", "api-*.shop.example/a"},
        {"api-1.x.shop.example:80/a", "api-*.shop.example/a"},
        {"apple.shop.example/a", "a*.shop.example/a"},
        {"b.shop.example/a", "*.shop.example/a"},
        {"myshop.example/a", "*shop.example/a"},
        {"www.bx.test/a", "www.[a-c]?.test/a"},
        {"www.x.test/a", "www.[!a-c].test/a"},
        {"www.dx.test/a", "www.*/a"},
        {"mail.test:81/a", "m*.test:81/a"},
        {"mail.test/a", "*/a"},
        {"/a", "-/a"},
        {"api-1.shop.example/b", "-/b"},
    };

    (void)state;
    CHECK(rules, wants);
}

static void test_scheme(void **state)
{
    static const struct rule rules[] = {{.text = "-/a", .scheme = SCHEME_HTTP},
                                        {.text = "-/a/", .scheme = SCHEME_HTTPS},
                                        {.text = "-/b", .scheme = SCHEME_HTTPS},
                                        {.text = "-/"}};
    struct route_table *t = make_table(rules, ARRAY_LEN(rules));
    struct route_match m;

    (void)state;
    check(t, "x/a", "-/a");
    check(t, "x/b", "-/");
    struct request r = request_for("x/a");
    r.secure = true;
    route_find(t, &r, &m);
    assert_string_equal(m.route->conf->name, "-/a/");
    route_table_unref(&t);
}

/* Only so many, as each costs time for every request. */
static void count_bad(void *arg, const struct route_conf *conf, const char *why)
{
    assert_non_null(strstr(why, "wildcards within"));
    assert_string_equal(conf->host, "h64*");
    ++*(int *)arg;
}

static uint32_t slot_of_none(void *arg, const char *service)
{
    (void)arg;
    (void)service;
    return 0;
}

static void test_too_many_globs(void **state)
{
    struct arena *a = arena_new();
    struct route_input inputs[66];
    int bad = 0;

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(inputs); i++) {
        struct rule rule = {.text = arena_printf(a, "h%u*/", i == 65 ? 3 : i)};
        inputs[i] = (struct route_input){make_conf(a, &rule), true, 0};
    }
    struct route_table *t =
        route_table_build(inputs, ARRAY_LEN(inputs), slot_of_none, count_bad, &bad);
    assert_int_equal(bad, 1);
    assert_int_equal(route_table_count(t), 65);
    route_table_unref(&t);
    arena_free(a);
}

static void test_kinds_of_paths(void **state)
{
    static const struct rule rules[] = {
        {.text = "-/o", .match = PATH_PREFIX},
        {.text = "-/o/new", .match = PATH_EXACT},
        {.text = "-/o/end/", .match = PATH_EXACT},
        {.text = "-/o/{id}", .match = PATH_PATTERN},
        {.text = "-/o/{id}/lines/{line}", .match = PATH_PATTERN},
        {.text = "-/o/{id}/files/{file...}", .match = PATH_PATTERN},
        {.text = "-/o/x/files/{file...}", .match = PATH_PATTERN},
        {.text = "-/plain", .match = PATH_PLAIN_PREFIX},
        {.text = "-/plain/longer", .match = PATH_PLAIN_PREFIX},
        {.text = "-/Fold", .match = PATH_PLAIN_IPREFIX},
        {.text = "-/glob/*/end", .match = PATH_GLOB},
        {.text = "-/glob/?", .match = PATH_GLOB},
    };
    static const struct want wants[] = {
        {"a/o", "-/o"},
        {"a/o/new", "-/o/new"},
        {"a/o/new/", "-/o"},
        {"a/o/end/", "-/o/end/"},
        {"a/o/end", "-/o/{id}"},
        {"a/o/7", "-/o/{id}"},
        {"a/o/", "-/o"},
        {"a/o/7/", "-/o"},
        {"a/o/7/lines/8", "-/o/{id}/lines/{line}"},
        {"a/o/7/lines/", "-/o"},
        {"a/o/7/lines/8/9", "-/o"},
        {"a/o/new/lines/8", "-/o/{id}/lines/{line}"},
        {"a/o/7/files/", "-/o/{id}/files/{file...}"},
        {"a/o/7/files/a/b", "-/o/{id}/files/{file...}"},
        {"a/o/7/files", "-/o"},
        {"a/o/x/files/a", "-/o/x/files/{file...}"},
        {"a/o/x/lines/a", "-/o/{id}/lines/{line}"},
        {"a/plain", "-/plain"},
        {"a/plainer", "-/plain"},
        {"a/plain/longerer", "-/plain/longer"},
        {"a/plai", ""},
        {"a/FOLDer", "-/Fold"},
        {"a/PLAIN", ""},
        {"a/glob/a/b/end", "-/glob/*/end"},
        {"a/glob//end", "-/glob/*/end"},
        {"a/glob/a/b/endx", ""},
        {"a/glob/x", "-/glob/?"},
        {"a/glob/xy", ""},
    };

    (void)state;
    CHECK(rules, wants);
}

/* All the names of a host are kept out, not only the one that is usual. */
static void test_not_a_host(void **state)
{
    static const struct rule rules[] = {{.text = "-/x", .not_host_regex = "^admin\\.a$"}};
    static const struct want wants[] = {{"b/x", "-/x"},     {"b.:81/x", "-/x"},
                                        {"admin.a/x", ""},  {"admin.a:81/x", ""},
                                        {"admin.a./x", ""}, {"admin.a.:81/x", ""}};

    (void)state;
    CHECK(rules, wants);
}

static void test_precedence(void **state)
{
    static const struct rule rules[] = {
        /* priority before everything but the host */
        {.text = "-/p", .priority = 1},
        {.text = "-/p/exact", .match = PATH_EXACT},
        {.text = "-/p/low", .match = PATH_EXACT, .priority = 2},
        {.text = "h/p/exact", .priority = -5},
        /* a pattern before a prefix of the same length; all kinds by length */
        {.text = "-/q/"},
        {.text = "-/q/{x}", .match = PATH_PATTERN},
        {.text = "-/q/lon", .match = PATH_PLAIN_PREFIX},
        {.text = "-/q/l*", .match = PATH_GLOB},
        /* more conditions */
        {.text = "GET -/r"},
        {.text = "-/r"},
        {.text = "-/r/", .header = "X-Beta"},
        /* configuration, the older service, the name */
        {.text = "-/s", .from_tags = true, .create_index = 1},
        {.text = "-/s/", .from_tags = false, .create_index = 9},
        {.text = "GET -/u", .from_tags = true},
        {.text = "GET,PUT -/u", .from_tags = true},
    };
    static const struct want wants[] = {
        {"a/p/exact", "-/p"},       {"a/p/low", "-/p/low"}, {"h/p/exact", "h/p/exact"},
        {"h/p/x", "-/p"},           {"a/q/x", "-/q/{x}"},   {"a/q/x/y", "-/q/"},
        {"a/q/long", "-/q/lon"},    {"a/q/lot", "-/q/l*"},  {"a/r", "GET -/r"},
        {"PUT a/r", "-/r"},         {"a/s/1", "-/s/"},      {"a/u", "GET -/u"},
        {"PUT a/u", "GET,PUT -/u"},
    };

    (void)state;
    CHECK(rules, wants);
}

static void test_config_and_older_service_win(void **state)
{
    static const struct rule rules[] = {
        {.text = "-/t/", .from_tags = true, .create_index = 8},
        {.text = "-/t", .from_tags = true, .create_index = 7},
        {.text = "-/t", .create_index = 9},
    };
    static const uint64_t order[] = {9, 7, 8};
    struct route_table *t = make_table(rules, 3);

    (void)state;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(((const struct compiled *)route_table_at(t, i))->create_index, order[i]);
    route_table_unref(&t);
}

static void test_methods(void **state)
{
    static const struct rule rules[] = {
        {.text = "GET,PUT -/a"}, {.text = "PURGE -/a"},         {.text = "DELETE h/a"},
        {.text = "POST -/"},     {.text = "PURGE,BREW -/only"},
    };
    static const struct want wants[] = {
        {"GET h/a", "GET,PUT -/a"},
        {"DELETE h/a", "DELETE h/a"},
        {"POST h/a", "POST -/"},
        {"PURGE h/a", "PURGE -/a"},
        {"PATCH h/a", "405 GET, HEAD, POST, PUT, DELETE"},
        {"BREW h/a", "405 GET, HEAD, POST, PUT, DELETE"},
        {"BREW h/only", "PURGE,BREW -/only"},
        {"GET h/b", "405 POST"},
    };
    static const struct rule unusual[] = {{.text = "PURGE,BREW -/only"}};
    static const struct want refused[] = {{"GET h/only", "405 PURGE, BREW"}, {"GET h/b", ""}};

    (void)state;
    CHECK(rules, wants);
    CHECK(unusual, refused);
}

static void test_params(void **state)
{
    static const struct rule rules[] = {
        {.text = "-/{a}/x/{b}/{rest...}", .match = PATH_PATTERN},
        {.text = "-/{z}/x/lit/y", .match = PATH_PATTERN},
    };
    struct route_table *t = make_table(rules, 2);
    struct request r = request_for("h/1/x/22/3/4");
    struct route_match m;

    (void)state;
    route_find(t, &r, &m);
    assert_int_equal(m.nparams, 3);
    assert_true(str_eq(m.params[0].name, STR("a")) && str_eq(m.params[0].value, STR("1")));
    assert_true(str_eq(m.params[1].name, STR("b")) && str_eq(m.params[1].value, STR("22")));
    assert_true(str_eq(m.params[2].name, STR("rest")) && str_eq(m.params[2].value, STR("3/4")));
    /* The literal branch is tried first and left again. */
    r = request_for("h/1/x/lit/n");
    route_find(t, &r, &m);
    assert_int_equal(m.nparams, 3);
    assert_true(str_eq(m.params[1].value, STR("lit")) && str_eq(m.params[2].value, STR("n")));
    route_table_unref(&t);
}

static void test_conditions(void **state)
{
    static struct target_conf target = {"web", 1};
    static const struct {
        const char *name;
        struct match_conf header, query;
        bool matches;
    } rows[] = {
        {"header present", {.name = "x-a"}, {0}, true},
        {"header missing", {.name = "x-b"}, {0}, false},
        {"header value", {.name = "X-A", .value = "one"}, {0}, true},
        {"second field of the name", {.name = "X-A", .value = "two"}, {0}, true},
        {"other value", {.name = "X-A", .value = "on"}, {0}, false},
        {"value prefix", {.name = "X-A", .value = "on", .prefix = true}, {0}, true},
        {"inverted", {.name = "X-A", .value = "one", .invert = true}, {0}, false},
        {"inverted, missing", {.name = "X-B", .invert = true}, {0}, true},
        {"query present", {0}, {.name = "q"}, true},
        {"query value", {0}, {.name = "q", .value = "1"}, true},
        {"query other value", {0}, {.name = "q", .value = "2"}, false},
        {"query missing", {0}, {.name = "p"}, false},
        {"query inverted", {0}, {.name = "p", .invert = true}, true},
        {"both", {.name = "X-A"}, {.name = "q"}, true},
        {"one of both", {.name = "X-A"}, {.name = "p"}, false},
    };
    struct request r = request_for("h/a?q=1");

    (void)state;
    r.nheaders = 2;
    r.headers[0] = (struct header){.name = STR("X-A"), .value = STR("one")};
    r.headers[1] = (struct header){.name = STR("x-a"), .value = STR("two")};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct match_conf header = rows[i].header, query = rows[i].query;
        struct route_conf conf = {.name = "n",
                                  .source = "s",
                                  .host = "",
                                  .path = "/",
                                  .targets = &target,
                                  .ntargets = 1,
                                  .headers = &header,
                                  .nheaders = header.name != NULL,
                                  .query = &query,
                                  .nquery = query.name != NULL};
        struct route_input input = {.conf = &conf};
        struct route_table *t = route_table_build(&input, 1, slot, never_bad, NULL);
        struct route_match m;

        route_find(t, &r, &m);
        if ((m.route != NULL) != rows[i].matches || m.allow)
            fail_msg("%s", rows[i].name);
        route_table_unref(&t);
    }
}

static void test_odd_requests(void **state)
{
    static const struct rule rules[] = {{.text = "-/"}, {.text = "*.a/b"}};
    struct route_table *t = make_table(rules, 2);
    struct route_match m;
    struct request r = request_for("h/a");
    char host[6000], path[9000];

    (void)state;
    r.path = STR("*");
    route_find(t, &r, &m);
    assert_null(m.route);
    memset(host, '.', sizeof(host));
    for (size_t i = 0; i < sizeof(path); i++)
        path[i] = i % 2 ? 'a' : '/';
    r.host = (struct str){host, sizeof(host)};
    r.path = (struct str){path, sizeof(path)};
    route_find(t, &r, &m);
    assert_non_null(m.route);
    route_table_unref(&t);
}

static void test_glob(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } rows[] = {
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"*", "/a/b", true},
        {"a*c", "abbc", true},
        {"a*c", "ac", true},
        {"a*c", "acb", false},
        {"a?c", "abc", true},
        {"a?c", "ac", false},
        {"*a*b", "xaxbxab", true},
        {"*a*b", "xaxbxa", false},
        {"**", "x", true},
        {"a", "ab", false},
        {"ab", "a", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (route_glob(str_of(rows[i].pattern), str_of(rows[i].text)) != rows[i].matches)
            fail_msg("%s on %s", rows[i].pattern, rows[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prefix),         cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_kinds_of_paths), cmocka_unit_test(test_precedence),
        cmocka_unit_test(test_not_a_host),     cmocka_unit_test(test_config_and_older_service_win),
        cmocka_unit_test(test_methods),        cmocka_unit_test(test_params),
        cmocka_unit_test(test_conditions),     cmocka_unit_test(test_odd_requests),
        cmocka_unit_test(test_glob),           cmocka_unit_test(test_host_globs),
        cmocka_unit_test(test_scheme),         cmocka_unit_test(test_too_many_globs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
