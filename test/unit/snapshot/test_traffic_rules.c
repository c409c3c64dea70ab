/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "snapshot/traffic_rules.h"

#include <stdio.h>

/* A chain with one route under test, which leads to "hit"; all else goes to "rest". */
#define BODY                                                                                       \
    "{\"Chain\":{\"StartNode\":\"R\",\"Nodes\":{\"R\":{\"Type\":\"router\",\"Routes\":["           \
    "{\"Definition\":{\"Match\":{\"HTTP\":{%s}},\"Destination\":{%s}},\"NextNode\":\"1\"},"        \
    "{\"Definition\":{},\"NextNode\":\"2\"}]},"                                                    \
    "\"1\":{\"Type\":\"resolver\",\"Resolver\":{\"Target\":\"hit\"}},"                             \
    "\"2\":{\"Type\":\"resolver\",\"Resolver\":{\"Target\":\"rest\"}}},"                           \
    "\"Targets\":{\"hit\":{\"Service\":\"hit\"},\"rest\":{\"Service\":\"rest\"}}}}"

static uint32_t slot_of(void *arg, const char *service)
{
    (void)arg;
    return (uint32_t)strlen(service);
}

static struct traffic_rules *rules_of(const char *body)
{
    struct err e = {.text = ""};
    struct chain *c = chain_parse(str_of(body), "web", &e);
    struct traffic_rules *r;

    if (!c)
        fail_msg("%s", e.text);
    r = traffic_rules_new(c, slot_of, NULL);
    chain_unref(&c);
    return r;
}

static struct traffic_rules *route(const char *match, const char *destination)
{
    char body[4096];

    snprintf(body, sizeof body, BODY, match, destination);
    return rules_of(body);
}

#define H1(test) "\"Header\":[{\"Name\":\"X-A\"," test "}]"
#define Q1(test) "\"QueryParam\":[{\"Name\":\"q\"," test "}]"
#define A(v)                                                                                       \
    {                                                                                              \
        .name = STR("x-a"), .value = STR(v)                                                        \
    }
#define B                                                                                          \
    {                                                                                              \
        .name = STR("x-b"), .value = STR("b")                                                      \
    }

static const struct {
    const char *match;
    const char *method, *path, *query;
    struct header headers[3];
    bool hit;
} rows[] = {
    {"", "GET", "/", NULL, {B}, true},
    {"\"PathExact\":\"/a\"", "GET", "/a", NULL, {B}, true},
    {"\"PathExact\":\"/a\"", "GET", "/a/", NULL, {B}, false},
    {"\"PathPrefix\":\"/a\"", "GET", "/ab", NULL, {B}, true},
    {"\"PathPrefix\":\"/a\"", "GET", "/b/a", NULL, {B}, false},
    {"\"PathPrefix\":\"/A\",\"CaseInsensitive\":true", "GET", "/ab", NULL, {B}, true},
    {"\"PathPrefix\":\"/A\"", "GET", "/ab", NULL, {B}, false},
    {"\"PathRegex\":\"/v[0-9]/.*\"", "GET", "/v2/x", NULL, {B}, true},
    {"\"PathRegex\":\"/v[0-9]\"", "GET", "/v2/x", NULL, {B}, false},
    {"\"PathRegex\":\"/V.*\",\"CaseInsensitive\":true", "GET", "/v2/x", NULL, {B}, true},
    {"\"Methods\":[\"get\",\"PUT\"]", "GET", "/", NULL, {B}, true},
    {"\"Methods\":[\"PUT\"]", "GET", "/", NULL, {B}, false},
    {H1("\"Exact\":\"1\""), "GET", "/", NULL, {A("1")}, true},
    {H1("\"Exact\":\"1\""), "GET", "/", NULL, {A("2")}, false},
    {H1("\"Exact\":\"1\""), "GET", "/", NULL, {B}, false},
    {H1("\"Exact\":\"1\",\"Invert\":true"), "GET", "/", NULL, {A("2")}, true},
    {H1("\"Exact\":\"1\",\"Invert\":true"), "GET", "/", NULL, {A("1")}, false},
    {H1("\"Exact\":\"1\",\"Invert\":true"), "GET", "/", NULL, {B}, false},
    {H1("\"Present\":true"), "GET", "/", NULL, {A("")}, true},
    {H1("\"Present\":true"), "GET", "/", NULL, {B}, false},
    {H1("\"Present\":true,\"Invert\":true"), "GET", "/", NULL, {B}, true},
    {H1("\"Present\":true,\"Invert\":true"), "GET", "/", NULL, {A("1")}, false},
    {H1("\"Prefix\":\"ab\""), "GET", "/", NULL, {A("abc")}, true},
    {H1("\"Suffix\":\"bc\""), "GET", "/", NULL, {A("abc")}, true},
    {H1("\"Suffix\":\"bc\""), "GET", "/", NULL, {A("c")}, false},
    {H1("\"Suffix\":\"BC\",\"IgnoreCase\":true"), "GET", "/", NULL, {A("abc")}, true},
    {H1("\"Contains\":\"b\""), "GET", "/", NULL, {A("abc")}, true},
    {H1("\"Contains\":\"d\""), "GET", "/", NULL, {A("abc")}, false},
    {H1("\"Contains\":\"B\",\"IgnoreCase\":true"), "GET", "/", NULL, {A("abc")}, true},
    {H1("\"Regex\":\"a.c\""), "GET", "/", NULL, {A("abc")}, true},
    {H1("\"Regex\":\"a\""), "GET", "/", NULL, {A("abc")}, false},
    {H1("\"Exact\":\"1,2\""), "GET", "/", NULL, {A("1"), B, A("2")}, true},
    {H1("\"Exact\":\"1\""), "GET", "/", NULL, {A("1"), A("2")}, false},
    {"\"Header\":[{\"Name\":\":authority\",\"Exact\":\"shop.example\"}]",
     "GET",
     "/",
     NULL,
     {B},
     true},
    {"\"Header\":[{\"Name\":\":method\",\"Exact\":\"PUT\"}]", "GET", "/", NULL, {B}, false},
    {"\"Header\":[{\"Name\":\":path\",\"Prefix\":\"/a\"}]", "GET", "/ab", NULL, {B}, true},
    {"\"Header\":[{\"Name\":\"x-a\",\"Exact\":\"1\"},{\"Name\":\"x-b\",\"Exact\":\"b\"}]",
     "GET",
     "/",
     NULL,
     {A("1"), B},
     true},
    {"\"Header\":[{\"Name\":\"x-a\",\"Exact\":\"1\"},{\"Name\":\"x-b\",\"Exact\":\"c\"}]",
     "GET",
     "/",
     NULL,
     {A("1"), B},
     false},
    {Q1("\"Present\":true"), "GET", "/", "a=1&q", {B}, true},
    {Q1("\"Present\":true"), "GET", "/", "a=1", {B}, false},
    {Q1("\"Present\":true"), "GET", "/", NULL, {B}, false},
    {Q1("\"Exact\":\"1\""), "GET", "/", "q=1", {B}, true},
    {Q1("\"Exact\":\"1\""), "GET", "/", "q=12", {B}, false},
    {Q1("\"Regex\":\"[0-9]+\""), "GET", "/", "q=12", {B}, true},
    {Q1("\"Regex\":\"[0-9]\""), "GET", "/", "q=12", {B}, false},
    {"\"PathPrefix\":\"/a\"," H1("\"Exact\":\"1\""), "GET", "/ab", NULL, {A("1")}, true},
    {"\"PathPrefix\":\"/b\"," H1("\"Exact\":\"1\""), "GET", "/ab", NULL, {A("1")}, false},
};

static void conditions(void **state)
{
    struct traffic_walk walk;
    struct rng rng = {1};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct traffic_rules *r = route(rows[i].match, "");
        struct request req = {.method_name = str_of(rows[i].method), .host = STR("shop.example")};
        struct traffic_query q = {.req = &req, .path = str_of(rows[i].path)};

        req.has_query = rows[i].query != NULL;
        req.query = str_of(rows[i].query);
        while (req.nheaders < ARRAY_LEN(rows[i].headers) && rows[i].headers[req.nheaders].name.n) {
            req.headers[req.nheaders] = rows[i].headers[req.nheaders];
            req.nheaders++;
        }
        assert_true(traffic_rules_walk(r, &q, &rng, &walk));
        if ((walk.hops[0].choice == 0) != rows[i].hit)
            fail_msg("%zu: %s on %s", i, rows[i].match, rows[i].path);
        assert_string_equal(walk.target->key, rows[i].hit ? "hit" : "rest");
        assert_int_equal(walk.slot, rows[i].hit ? 3 : 4);
        assert_ptr_equal(walk.route, &r->chain->nodes[r->chain->start].routes[!rows[i].hit]);
        traffic_rules_free(&r);
    }
}

#define SPLIT                                                                                      \
    "{\"Chain\":{\"StartNode\":\"S\",\"Nodes\":{\"S\":{\"Type\":\"splitter\",\"Splits\":["         \
    "{\"Weight\":%s,\"NextNode\":\"1\"},{\"Weight\":%s,\"NextNode\":\"2\"}]},"                     \
    "\"1\":{\"Type\":\"resolver\",\"Resolver\":{\"Target\":\"hit\"}},"                             \
    "\"2\":{\"Type\":\"resolver\",\"Resolver\":{\"Target\":\"rest\"}}},"                           \
    "\"Targets\":{\"hit\":{\"Service\":\"hit\"},\"rest\":{\"Service\":\"rest\"}}}}"

static struct traffic_rules *split(const char *one, const char *other)
{
    char body[2048];

    snprintf(body, sizeof body, SPLIT, one, other);
    return rules_of(body);
}

/* HTTP/1.0 has requests without Host. */
static void no_host(void **state)
{
    static const char match[] = "\"Header\":[{\"Name\":\":authority\",\"Suffix\":\".example\"}]";
    struct traffic_rules *r = route(match, "");
    struct request req = {.method_name = STR("GET")};
    struct traffic_query q = {.req = &req, .path = STR("/")};

    (void)state;
    assert_false(traffic_route_matches(&r->chain->nodes[r->chain->start].routes[0], &q));
    traffic_rules_free(&r);
}

static void shares(void **state)
{
    static const struct {
        const char *one, *other;
        unsigned low, high; /* of 10000 that go to the first */
    } table[] = {
        {"90", "10", 8800, 9200},   {"99.99", "0.01", 9970, 10000}, {"0", "100", 0, 0},
        {"100", "0", 10000, 10000}, {"50", "50", 4700, 5300},       {"1", "1", 4700, 5300},
    };
    struct request req = {.nheaders = 0};
    struct traffic_walk walk;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct traffic_rules *r = split(table[i].one, table[i].other);
        struct traffic_query q = {.req = &req};
        struct rng rng = {i};
        unsigned n = 0, sticky = 0;

        for (unsigned k = 0; k < 10000; k++) {
            assert_true(traffic_rules_walk(r, &q, &rng, &walk));
            n += walk.slot == 3;
        }
        assert_null(walk.route);
        assert_in_range(n, table[i].low, table[i].high);
        for (unsigned k = 0; k < 10000; k++) {
            struct traffic_walk again;

            q.sticky = true;
            q.hash = rng_next(&rng);
            assert_true(traffic_rules_walk(r, &q, &rng, &walk));
            assert_true(traffic_rules_walk(r, &q, &rng, &again));
            assert_int_equal(walk.slot, again.slot);
            assert_true(walk.hops[0].certain);
            sticky += walk.slot == 3;
        }
        assert_in_range(sticky, table[i].low, table[i].high);
        traffic_rules_free(&r);
    }
}

static void three_parts(void **state)
{
    struct traffic_rules *r = rules_of(
        "{\"Chain\":{\"StartNode\":\"S\",\"Nodes\":{\"S\":{\"Type\":\"splitter\",\"Splits\":["
        "{\"Weight\":50,\"NextNode\":\"1\"},{\"Weight\":20,\"NextNode\":\"2\"},"
        "{\"Weight\":30,\"NextNode\":\"3\"}]},"
        "\"1\":{\"Type\":\"resolver\",\"Resolver\":{\"Target\":\"a\"}},"
        "\"2\":{\"Type\":\"resolver\",\"Resolver\":{\"Target\":\"bb\"}},"
        "\"3\":{\"Type\":\"resolver\",\"Resolver\":{\"Target\":\"ccc\"}}},"
        "\"Targets\":{\"a\":{\"Service\":\"a\"},\"bb\":{\"Service\":\"bb\"},"
        "\"ccc\":{\"Service\":\"ccc\"}}}}");
    struct request req = {.nheaders = 0};
    struct traffic_query q = {.req = &req};
    unsigned got[4] = {0};
    struct traffic_walk walk;
    struct rng rng = {1};

    (void)state;
    for (unsigned k = 0; k < 10000; k++) {
        assert_true(traffic_rules_walk(r, &q, &rng, &walk));
        got[walk.slot]++;
    }
    assert_in_range(got[1], 4700, 5300);
    assert_in_range(got[2], 1800, 2200);
    assert_in_range(got[3], 2800, 3200);
    traffic_rules_free(&r);
}

static void certainty(void **state)
{
    struct request req = {.nheaders = 0};
    struct traffic_query q = {.req = &req};
    struct traffic_rules *one = split("0", "100"), *two = split("1", "99");
    struct traffic_walk walk;
    struct rng rng = {1};

    (void)state;
    assert_true(traffic_rules_walk(one, &q, &rng, &walk));
    assert_true(walk.hops[0].certain);
    assert_int_equal(walk.nhops, 2);
    assert_int_equal(walk.hops[1].choice, -1);
    assert_true(traffic_rules_walk(two, &q, &rng, &walk));
    assert_false(walk.hops[0].certain);
    traffic_rules_free(&one);
    traffic_rules_free(&two);
}

static void nothing_matches(void **state)
{
    struct traffic_rules *r =
        rules_of("{\"Chain\":{\"StartNode\":\"R\",\"Nodes\":{\"R\":{\"Type\":\"router\"}}}}");
    struct request req = {.nheaders = 0};
    struct traffic_walk walk;
    struct rng rng = {1};

    (void)state;
    assert_false(traffic_rules_walk(r, &(struct traffic_query){.req = &req}, &rng, &walk));
    assert_null(walk.target);
    assert_null(walk.route);
    traffic_rules_free(&r);
}

static void rewrites(void **state)
{
    static const struct {
        const char *match, *rewrite, *path, *becomes; /* NULL = refused */
    } table[] = {
        {"\"PathPrefix\":\"/admin\"", "/", "/admin/x", "/x"},
        {"\"PathPrefix\":\"/admin\"", "/", "/admin", "/"},
        {"\"PathPrefix\":\"/admin\"", "/", "/adminx", "/x"},
        {"\"PathPrefix\":\"/admin/\"", "/", "/admin/x", "/x"},
        {"\"PathPrefix\":\"/admin/\"", "/b", "/admin/x", "/bx"},
        {"\"PathPrefix\":\"/admin\"", "/b/c", "/admin/x", "/b/c/x"},
        {"\"PathPrefix\":\"/\"", "/b", "/x", "/bx"},
        {"\"PathExact\":\"/admin\"", "/b", "/admin", "/b"},
        {"\"PathRegex\":\"/a.*\"", "/b", "/admin/x", "/b"},
        {"", "/b", "/admin/x", "/b"},
        {"\"PathPrefix\":\"/a\"", "/files/", "/a../x", NULL},
        {"\"PathPrefix\":\"/a\"", "/files/", "/a..", NULL},
        {"\"PathPrefix\":\"/a\"", "/files/", "/a./x", NULL},
        {"\"PathPrefix\":\"/a\"", "/files/", "/a.../x", "/files/.../x"},
        {"\"PathPrefix\":\"/a\"", "/files", "/a../x", "/files../x"},
        {"\"PathPrefix\":\"/a\"", "/0123456789012345678901234567890", "/ax", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char destination[128], out[32];
        struct traffic_rules *r;
        size_t n = 0;
        int rc;

        snprintf(destination, sizeof destination, "\"PrefixRewrite\":\"%s\"", table[i].rewrite);
        r = route(table[i].match, destination);
        rc = traffic_route_path(&r->chain->nodes[r->chain->start].routes[0], str_of(table[i].path),
                                out, sizeof out, &n);
        if ((rc < 0) != !table[i].becomes ||
            (rc == 0 && !str_eq((struct str){out, n}, str_of(table[i].becomes))))
            fail_msg("%s for %s: %.*s", table[i].rewrite, table[i].path, (int)n, out);
        traffic_rules_free(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions),      cmocka_unit_test(shares),
        cmocka_unit_test(three_parts),     cmocka_unit_test(certainty),
        cmocka_unit_test(nothing_matches), cmocka_unit_test(rewrites),
        cmocka_unit_test(no_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
