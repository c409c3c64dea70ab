/* SPDX-License-Identifier: Apache-2.0 */
#include "route/route_split.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct request sample(void)
{
    struct request r = {.has_query = true, .query = STR("user=7&x=1"), .nheaders = 2};

    r.headers[0] = (struct header){.name = STR("X-Tenant"), .value = STR("acme")};
    r.headers[1] =
        (struct header){.name = STR("Cookie"), .value = STR("id=42"), .id = HEADER_COOKIE};
    return r;
}

static void test_sources(void **state)
{
    static const struct {
        const char *name;
        enum hash_source source;
        const char *field;
        bool found;
    } rows[] = {
        {"none", HASH_NONE, NULL, false},
        {"header, any case", HASH_HEADER, "x-tenant", true},
        {"no such header", HASH_HEADER, "X-Other", false},
        {"cookie", HASH_COOKIE, "id", true},
        {"no such cookie", HASH_COOKIE, "ids", false},
        {"query", HASH_QUERY, "user", true},
        {"no such parameter", HASH_QUERY, "usr", false},
        {"part of the path", HASH_PATH_PARAM, "order", true},
        {"no such part", HASH_PATH_PARAM, "line", false},
        {"client", HASH_CLIENT_ADDRESS, NULL, true},
    };
    struct request r = sample();
    struct route_match m = {.nparams = 1};
    struct in6_addr client = IN6ADDR_LOOPBACK_INIT;

    (void)state;
    m.params[0].name = STR("order");
    m.params[0].value = STR("99");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t a = 0, b = 1;

        if (route_hash(rows[i].source, rows[i].field, &r, &m, &client, &a) != rows[i].found)
            fail_msg("%s", rows[i].name);
        if (rows[i].found &&
            (!route_hash(rows[i].source, rows[i].field, &r, &m, &client, &b) || a != b))
            fail_msg("%s: another hash", rows[i].name);
    }
}

static void shares(const struct route *route, const struct request *r, unsigned *ret_counts)
{
    struct route_match m = {.nparams = 0};
    struct in6_addr client = IN6ADDR_LOOPBACK_INIT;
    struct rng rng = {.state = 5};

    for (unsigned i = 0; i < 10000; i++)
        ret_counts[route_split(route, r, &m, &client, &rng)]++;
}

static void test_split(void **state)
{
    struct target_conf targets[] = {{"old", 90}, {"off", 0}, {"new", 10}};
    struct route_conf conf = {.targets = targets, .ntargets = 3};
    struct route route = {.conf = &conf, .weight_sum = 100};
    struct request r = sample();
    unsigned at_random[3] = {0}, sticky[3] = {0}, without[3] = {0};

    (void)state;
    shares(&route, &r, at_random);
    assert_in_range(at_random[0], 8800, 9200);
    assert_int_equal(at_random[1], 0);
    conf.sticky_source = HASH_HEADER;
    conf.sticky_name = "X-Tenant";
    shares(&route, &r, sticky);
    assert_true(sticky[0] == 10000 || sticky[2] == 10000);
    /* A client without the value goes by chance. */
    conf.sticky_name = "X-Other";
    shares(&route, &r, without);
    assert_in_range(without[2], 800, 1200);
    conf.ntargets = 1;
    route.weight_sum = 0;
    assert_int_equal(route_split(&route, &r, NULL, NULL, NULL), 0);
}

/* Sticky values spread by weight, too. */
static void test_sticky_shares(void **state)
{
    struct target_conf targets[] = {{"a", 1}, {"b", 3}};
    struct route_conf conf = {
        .targets = targets, .ntargets = 2, .sticky_source = HASH_QUERY, .sticky_name = "u"};
    struct route route = {.conf = &conf, .weight_sum = 4};
    struct route_match m = {.nparams = 0};
    unsigned second = 0;

    (void)state;
    for (unsigned i = 0; i < 4000; i++) {
        char query[32];
        int n = snprintf(query, sizeof query, "u=%u", i);
        struct request r = {.has_query = true, .query = {query, (size_t)n}};

        second += route_split(&route, &r, &m, NULL, NULL);
    }
    assert_in_range(second, 2850, 3150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_sticky_shares),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
