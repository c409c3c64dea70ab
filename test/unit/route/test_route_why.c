/* SPDX-License-Identifier: Apache-2.0 */
#include "route/route_why.h"

#include "base/arena.h"
#include "base/rng.h"
#include "route/route_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static uint32_t slot(void *arg, const char *service)
{
    (void)arg;
    (void)service;
    return 0;
}

static void never_bad(void *arg, const struct route_conf *conf, const char *why)
{
    (void)arg;
    fail_msg("%s: %s", conf->path, why);
}

static struct target_conf target = {"web", 1};

static struct request request_for(const char *method, const char *host, const char *path)
{
    struct request r = {0};
    int bit = route_method_bit(str_of(method));

    r.method_name = str_of(method);
    r.method = bit < 0 ? METHOD_OTHER : (enum method)bit;
    r.host = str_of(host);
    r.path = str_of(path);
    return r;
}

/* One route of everything that can be wrong, asked with one request. */
struct rule {
    const char *name, *host, *path;
    enum path_match match;
    int priority;
    bool from_tags;
    uint64_t create_index;
    const char **methods;
    struct match_conf *header, *query;
    enum route_scheme scheme;
    const char *path_regex, *host_regex, *not_path_regex, *not_host_regex;
};

#define R(n, h, p) .name = n, .host = h, .path = p

static struct route_table *make_table(const struct rule *rules, size_t n)
{
    struct arena *a = arena_new();
    struct route_input *inputs = ARENA_ARRAY(a, struct route_input, n);

    for (size_t i = 0; i < n; i++) {
        struct route_conf *c = ARENA_NEW(a, struct route_conf);

        *c = (struct route_conf){.name = rules[i].name,
                                 .source = "test",
                                 .host = rules[i].host,
                                 .path = rules[i].path,
                                 .path_match = rules[i].match,
                                 .priority = rules[i].priority,
                                 .methods = rules[i].methods,
                                 .scheme = rules[i].scheme,
                                 .path_regex = rules[i].path_regex,
                                 .host_regex = rules[i].host_regex,
                                 .not_path_regex = rules[i].not_path_regex,
                                 .not_host_regex = rules[i].not_host_regex,
                                 .headers = rules[i].header,
                                 .nheaders = rules[i].header != NULL,
                                 .query = rules[i].query,
                                 .nquery = rules[i].query != NULL,
                                 .targets = &target,
                                 .ntargets = 1};
        inputs[i] = (struct route_input){c, rules[i].from_tags, rules[i].create_index};
    }
    struct route_table *t = route_table_build(inputs, n, slot, never_bad, NULL);
    arena_free(a);
    return t;
}

static const char *get_only[] = {"GET", NULL};
static struct match_conf betas = {.name = "X-Beta", .value = "^b+$", .regex = true};
static struct match_conf beta = {.name = "X-Beta"}, version = {.name = "v", .value = "2"};

static void test_each_loss(void **state)
{
    static const struct {
        struct rule loser;
        const char *loss, *field;
    } rows[] = {
        {{R("host", "other.example", "/orders/")}, "host", NULL},
        {{R("wildcard", "*.example", "/orders/")}, "more_specific_host", NULL},
        {{R("any host", "", "/orders/")}, "more_specific_host", NULL},
        {{R("path", "shop.example", "/orders/8")}, "path", NULL},
        {{R("case of the path", "shop.example", "/oRDERS/7")}, "path", NULL},
        {{R("exact", "shop.example", "/orders/"), .match = PATH_EXACT}, "path", NULL},
        {{R("pattern", "shop.example", "/orders/{b}/{c}"), .match = PATH_PATTERN}, "path", NULL},
        {{R("glob", "shop.example", "/o*x"), .match = PATH_GLOB}, "path", NULL},
        {{R("scheme", "shop.example", "/orders/"), .scheme = SCHEME_HTTPS}, "scheme", NULL},
        {{R("glob host", "s*p.exam[a-z]le", "/orders/")}, "more_specific_host", NULL},
        {{R("other glob host", "s*p.exam[!p]le", "/orders/")}, "host", NULL},
        {{R("path regex", "shop.example", "/orders/"), .path_regex = "/[a-f]+$"}, "path", NULL},
        {{R("not path regex", "shop.example", "/orders"), .not_path_regex = "ders/\\d$"}, "path", NULL},
        {{R("host regex", "", "/orders/"), .host_regex = "^hop"}, "host", NULL},
        {{R("not host regex", "", "/orders/"), .not_host_regex = "p.example$"}, "host", NULL},
        {{R("regexes fit", "", "/orders/"), .host_regex = "^s.*e$", .path_regex = "/7$"},
         "more_specific_host",
         NULL},
        {{R("header regex", "shop.example", "/orders/"), .header = &betas}, "header", "X-Beta"},
        {{R("header", "shop.example", "/orders/"), .header = &beta}, "header", "X-Beta"},
        {{R("query", "shop.example", "/orders/"), .query = &version}, "query", "v"},
        {{R("method", "shop.example", "/orders/"), .methods = get_only}, "method", NULL},
        {{R("priority", "shop.example", "/orders/7"), .match = PATH_EXACT, .priority = -1},
         "priority",
         NULL},
        {{R("shorter", "shop.example", "/")}, "more_specific_path", NULL},
        {{R("tags", "shop.example", "/orders/"), .from_tags = true}, "configuration_first", NULL},
        {{R("younger", "shop.example", "/orders/"), .create_index = 9}, "older_service", NULL},
        {{R("zzz", "shop.example", "/orders/")}, "name_order", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rule both[] = {{R("winner", "shop.example", "/orders/")}, rows[i].loser};
        struct route_table *t = make_table(both, 2);
        struct request r = request_for("PUT", "shop.example:80", "/orders/7");
        struct route_loser out[2];
        struct route_match m;

        route_find(t, &r, &m);
        assert_non_null(m.route);
        assert_string_equal(m.route->conf->name, "winner");
        if (route_losers(t, &r, m.route, out, 2) != 1 ||
            strcmp(out[0].route->conf->name, rows[i].loser.name) != 0 ||
            strcmp(route_loss_name(out[0].loss), rows[i].loss) != 0 ||
            strcmp(out[0].field ? out[0].field : "", rows[i].field ? rows[i].field : "") != 0)
            fail_msg("%s: %s", rows[i].loser.name, route_loss_name(out[0].loss));
        route_table_unref(&t);
    }
}

static void test_more_conditions_win(void **state)
{
    struct rule rules[] = {{R("plain", "", "/a")}, {R("with", "", "/a"), .methods = get_only}};
    struct route_table *t = make_table(rules, 2);
    struct request r = request_for("GET", "h", "/a");
    struct route_loser out[1];
    struct route_match m;

    (void)state;
    route_find(t, &r, &m);
    assert_string_equal(m.route->conf->name, "with");
    assert_int_equal(route_losers(t, &r, m.route, out, 1), 1);
    assert_int_equal(out[0].loss, ROUTE_BEATEN_CONDITIONS);
    route_table_unref(&t);
}

static void test_nearest_first(void **state)
{
    struct rule rules[] = {
        {R("far", "other", "/elsewhere")},
        {R("nothing in common", "", "/x/")},
        {R("a little", "", "/or")},
        {R("more", "", "/orders/7/lines")},
        {R("host", "other", "/orders/")},
        {R("query", "", "/orders/"), .query = &version},
        {R("method", "", "/orders/7"), .methods = get_only},
        {R("shorter", "", "/")},
        {R("winner", "", "/orders/")},
    };
    static const char *const order[] = {"shorter", "method", "query", "host", "more", "a little"};
    struct route_table *t = make_table(rules, ARRAY_LEN(rules));
    struct request r = request_for("PUT", "h", "/orders/7");
    struct route_loser out[20];
    struct route_match m;

    (void)state;
    route_find(t, &r, &m);
    assert_string_equal(m.route->conf->name, "winner");
    assert_int_equal(route_losers(t, &r, m.route, out, 20), ARRAY_LEN(order));
    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        assert_string_equal(out[i].route->conf->name, order[i]);
    assert_int_equal(route_losers(t, &r, m.route, out, 2), 2);
    assert_string_equal(out[1].route->conf->name, "method");
    route_table_unref(&t);
}

/* A 404 shows what there is, in the order of likeness. */
static void test_nobody_wins(void **state)
{
    struct rule rules[] = {
        {R("x", "", "/x/")}, {R("cart", "", "/cart")}, {R("far", "other", "/y")}};
    struct route_table *t = make_table(rules, 3);
    struct request r = request_for("GET", "h", "/carts");
    struct route_loser out[20];
    struct route_match m;

    (void)state;
    route_find(t, &r, &m);
    assert_null(m.route);
    assert_int_equal(route_losers(t, &r, NULL, out, 20), 2);
    assert_string_equal(out[0].route->conf->name, "cart");
    assert_string_equal(out[1].route->conf->name, "x");
    r.path = STR("*");
    assert_int_equal(route_losers(t, &r, NULL, out, 20), 2);
    route_table_unref(&t);
}

/* The rest: tables at random, where route_find() and the judge of single routes must agree. */

enum { ROUTES = 24, TABLES = 60, REQUESTS = 150 };

static const char *one_of(struct rng *g, const char *const *words, size_t n)
{
    return words[rng_below(g, (uint32_t)n)];
}

#define ONE_OF(g, words) one_of(g, words, ARRAY_LEN(words))

static const char *random_path(struct rng *g, struct arena *a, enum path_match match)
{
    static const char *const segments[] = {"a", "b", "ab", "A", "a.b"};
    unsigned n = 1 + rng_below(g, 3);
    char *path = arena_strdup(a, "");

    for (unsigned i = 0; i < n; i++) {
        const char *segment = ONE_OF(g, segments);

        if (match == PATH_PATTERN && rng_below(g, 2))
            segment = arena_printf(a, "{p%u%s}", i, i + 1 == n && rng_below(g, 2) ? "..." : "");
        if (match == PATH_GLOB && rng_below(g, 2))
            segment = rng_below(g, 2) ? "*" : "a?";
        path = arena_printf(a, "%s/%s", path, segment);
    }
    if (match != PATH_PATTERN && rng_below(g, 3) == 0)
        path = arena_printf(a, "%s/", path);
    return rng_below(g, 12) == 0 && match != PATH_PATTERN ? "/" : path;
}

static struct route_table *random_table(struct rng *g)
{
    static const char *const hosts[] = {"",  "",      "h.x", "h.x:80", "*.x",  "*.h.x",   "*.x:80",
                                        "x", "[::1]", "*x",  "g*",     "?.*x", "[gh]*:80"};
    static const enum path_match kinds[] = {PATH_PREFIX,       PATH_PREFIX,       PATH_EXACT,
                                            PATH_PATTERN,      PATH_PATTERN,      PATH_GLOB,
                                            PATH_PLAIN_PREFIX, PATH_PLAIN_IPREFIX};
    static const char *put_brew[] = {"PUT", "BREW", NULL};
    static struct match_conf no_beta = {.name = "X-Beta", .invert = true};
    struct arena *a = arena_new();
    struct rule *rules = ARENA_ARRAY(a, struct rule, ROUTES);

    for (unsigned i = 0; i < ROUTES; i++) {
        enum path_match match = kinds[rng_below(g, ARRAY_LEN(kinds))];

        rules[i] = (struct rule){.name = arena_printf(a, "r%u", rng_below(g, ROUTES)),
                                 .host = ONE_OF(g, hosts),
                                 .path = random_path(g, a, match),
                                 .match = match,
                                 .priority = (int)rng_below(g, 8) / 6,
                                 .from_tags = rng_below(g, 2),
                                 .create_index = rng_below(g, 3)};
        if (rng_below(g, 5) == 0)
            rules[i].scheme = 1 + rng_below(g, 2);
        if (rng_below(g, 3) == 0)
            rules[i].methods = rng_below(g, 2) ? get_only : put_brew;
        if (rng_below(g, 4) == 0)
            rules[i].header = rng_below(g, 2) ? &beta : &no_beta;
        if (rng_below(g, 6) == 0)
            rules[i].path_regex = "[a-f]/?$";
        if (rng_below(g, 6) == 0)
            rules[i].not_host_regex = "^[gy].*x$";
        if (rng_below(g, 5) == 0)
            rules[i].query = &version;
    }
    struct route_table *t = make_table(rules, ROUTES);
    arena_free(a);
    return t;
}

static struct request random_request(struct rng *g, struct arena *a)
{
    static const char *const methods[] = {"GET", "HEAD", "PUT", "BREW", "POST"};
    static const char *const hosts[] = {"",     "h.x",    "h.x:80", "h.x.",    "g.h.x", "g.h.x:80",
                                        "x:80", "y.x:81", "[::1]",  "[::1]:9", "other"};
    struct request r =
        request_for(ONE_OF(g, methods), ONE_OF(g, hosts), random_path(g, a, PATH_PREFIX));

    if (rng_below(g, 2)) {
        r.nheaders = 1;
        r.headers[0] = (struct header){.name = STR("x-beta"), .value = STR("1")};
    }
    r.secure = rng_below(g, 2);
    r.has_query = rng_below(g, 2);
    if (r.has_query)
        r.query = rng_below(g, 2) ? STR("v=2") : STR("v=1");
    return r;
}

static void agree(const struct route_table *t, const struct request *r)
{
    struct route_loser out[ROUTES];
    const char *field;
    struct route_match m;
    size_t n;

    route_find(t, r, &m);
    if (m.route)
        assert_int_equal(route_judge(t, m.route, r, &field), ROUTE_FITS);
    n = route_losers(t, r, m.route, out, ROUTES);
    bool method_only = false;
    for (size_t i = 0; i < n; i++) {
        enum route_loss alone = route_judge(t, out[i].route, r, &field);

        assert_ptr_not_equal(out[i].route, m.route);
        assert_int_not_equal(out[i].loss, ROUTE_FITS);
        assert_int_equal(alone == ROUTE_FITS, out[i].loss >= ROUTE_BEATEN_HOST);
        method_only = method_only || alone == ROUTE_LOST_METHOD;
        /* What is beaten is so in one direction only. */
        if (alone == ROUTE_FITS && out[i].loss > ROUTE_BEATEN_HOST)
            assert_true(out[i].route->id > m.route->id);
    }
    for (size_t i = 0; i < route_table_count(t); i++)
        if (route_judge(t, route_table_at(t, i), r, &field) == ROUTE_FITS)
            assert_non_null(m.route);
    if (!m.route)
        assert_int_equal(m.allow != NULL, method_only);
}

static void test_the_winner_is_the_one_that_route_find_names(void **state)
{
    struct rng g = {.state = 20261125};

    (void)state;
    for (unsigned i = 0; i < TABLES; i++) {
        struct route_table *t = random_table(&g);

        for (unsigned k = 0; k < REQUESTS; k++) {
            struct arena *a = arena_new();
            struct request r = random_request(&g, a);

            agree(t, &r);
            arena_free(a);
        }
        route_table_unref(&t);
    }
}

/* Take the winner away, and the next of those that fit wins: the one that it has beaten. */
static void test_without_the_winner_a_beaten_one_wins(void **state)
{
    struct rule rules[] = {{R("first", "h", "/a/b")},
                           {R("second", "h", "/a")},
                           {R("third", "", "/a/b"), .match = PATH_EXACT}};
    struct request r = request_for("GET", "h", "/a/b");

    (void)state;
    for (size_t skip = 0; skip < 3; skip++) {
        struct route_table *t = make_table(rules + skip, 3 - skip);
        struct route_loser out[3];
        struct route_match m;

        route_find(t, &r, &m);
        assert_string_equal(m.route->conf->name, rules[skip].name);
        size_t n = route_losers(t, &r, m.route, out, 3);
        assert_int_equal(n, 2 - skip);
        if (n > 0)
            assert_string_equal(out[0].route->conf->name, rules[skip + 1].name);
        route_table_unref(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_loss),
        cmocka_unit_test(test_more_conditions_win),
        cmocka_unit_test(test_nearest_first),
        cmocka_unit_test(test_nobody_wins),
        cmocka_unit_test(test_the_winner_is_the_one_that_route_find_names),
        cmocka_unit_test(test_without_the_winner_a_beaten_one_wins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
