/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

static void nowhere_in_particular_by_default(void **state)
{
    struct config *c = parse_ok("services: {a: {}}\n");

    (void)state;
    assert_int_equal(c->services[0].places.n, 0);
    assert_int_equal(c->services[0].places.min_healthy, 0);
    assert_int_equal(c->services[0].places.fail_back_ms, 30000);
    assert_true(c->services[0].places.on_breaker);
    config_unref(&c);
}

static void datacenters_in_order(void **state)
{
    struct config *c = parse_ok("defaults: {failover: {fail_back: 1m}}\n"
                                "services:\n"
                                "  a: {datacenters: [local, dc2], failover: {min_healthy: 30}}\n");
    const struct places_conf *p = &c->services[0].places;

    (void)state;
    assert_int_equal(p->n, 2);
    assert_string_equal(p->items[0].service, "a");
    assert_null(p->items[0].datacenter);
    assert_string_equal(p->items[1].service, "a");
    assert_string_equal(p->items[1].datacenter, "dc2");
    assert_int_equal(p->min_healthy, 30);
    assert_int_equal(p->fail_back_ms, 60000);
    config_unref(&c);
}

static void places_of_all_kinds(void **state)
{
    struct config *c = parse_ok("services:\n"
                                "  a:\n"
                                "    places:\n"
                                "      - {filter: 'Service.Meta.v == \"2\"', only_passing: true}\n"
                                "      - {service: b, datacenter: local}\n"
                                "      - {query: any, datacenter: dc2}\n"
                                "      - {peer: east, partition: p, namespace: n}\n");
    const struct place_conf *p = c->services[0].places.items;

    (void)state;
    assert_int_equal(c->services[0].places.n, 4);
    assert_string_equal(p[0].service, "a");
    assert_string_equal(p[0].filter, "Service.Meta.v == \"2\"");
    assert_true(p[0].only_passing);
    assert_string_equal(p[1].service, "b");
    assert_null(p[1].datacenter);
    assert_false(p[1].only_passing);
    assert_null(p[2].service);
    assert_string_equal(p[2].query, "any");
    assert_string_equal(p[2].datacenter, "dc2");
    assert_string_equal(p[3].peer, "east");
    assert_string_equal(p[3].partition, "p");
    assert_string_equal(p[3].ns, "n");
    config_unref(&c);
}

static void nonsense_is_refused(void **state)
{
    static const struct refusal rows[] = {
        {"services: {a: {datacenters: dc1}}\n", "a list of datacenters"},
        {"services: {a: {datacenters: []}}\n", "services.a.datacenters"},
        {"services: {a: {datacenters: [dc1, {}]}}\n", "services.a.datacenters"},
        {"services: {a: {datacenters: [dc1, dc2, dc1]}}\n", "number 1 of the list is there twice"},
        {"services: {a: {datacenters: [local, dc1], places: [{service: b}]}}\n", "short for"},
        {"services: {a: {datacenters: [dc1], instances: ['10.0.0.1:80']}}\n", "fixed instances"},
        {"services: {a: {places: [{service: a}, {}]}}\n", "there twice"},
        {"services: {a: {places: [{query: q, service: b}]}}\n", "a query says by itself"},
        {"services: {a: {places: [{peer: p, datacenter: dc2}]}}\n", "no datacenter"},
        {"services: {a: {places: [{dc: dc2}]}}\n", "services.a.places"},
        {"services: {a: {places: [{filter: ''}]}}\n", "1 to 500 characters"},
        {"services: {a: {failover: {min_healthy: 101}}}\n", "services.a.failover.min_healthy"},
        {"defaults: {datacenters: [dc1]}\n", "belong to one service"},
    };

    (void)state;
    parse_refused(rows, ARRAY_LEN(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nowhere_in_particular_by_default),
        cmocka_unit_test(datacenters_in_order),
        cmocka_unit_test(places_of_all_kinds),
        cmocka_unit_test(nonsense_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
