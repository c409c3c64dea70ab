/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

static void off_by_default(void **state)
{
    struct config *c = parse_ok("routes: [{service: a}]\n");

    (void)state;
    assert_null(hedge_conf_of(&c->routes[0], &c->defaults));
    config_unref(&c);
}

static void words_and_times(void **state)
{
    static const struct {
        const char *text;
        unsigned percent;
        uint64_t after_ms, at_least_ms;
    } rows[] = {
        {"off", 0, 0, 2},
        {"p95", 95, 0, 2},
        {"p50", 50, 0, 2},
        {"p99", 99, 0, 2},
        {"50ms", 0, 50, 2},
        {"{after: p90, at_least: 10ms}", 90, 0, 10},
        {"{after: 1s}", 0, 1000, 2},
        {"{after: p95, at_least: 0}", 95, 0, 0},
    };
    char text[200];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct config *c;
        const struct hedge_conf *h;

        snprintf(text, sizeof text, "services: {a: {hedge: %s}}\n", rows[i].text);
        c = parse_ok(text);
        h = &c->services[0].hedge;
        assert_int_equal(h->percent, rows[i].percent);
        assert_int_equal(h->after_ms, rows[i].after_ms);
        assert_int_equal(h->at_least_ms, rows[i].at_least_ms);
        config_unref(&c);
    }
}

static void services_change_what_defaults_say(void **state)
{
    struct config *c = parse_ok("defaults: {hedge: {after: p90, at_least: 5ms}}\n"
                                "services:\n"
                                "  a: {hedge: off}\n"
                                "  b: {hedge: 30ms}\n"
                                "  c: {hedge: {at_least: 7ms}}\n");

    (void)state;
    assert_int_equal(config_service(c, "other")->hedge.percent, 90);
    assert_int_equal(config_service(c, "a")->hedge.percent, 0);
    assert_int_equal(config_service(c, "a")->hedge.after_ms, 0);
    assert_int_equal(config_service(c, "b")->hedge.percent, 0);
    assert_int_equal(config_service(c, "b")->hedge.after_ms, 30);
    assert_int_equal(config_service(c, "c")->hedge.percent, 90);
    assert_int_equal(config_service(c, "c")->hedge.at_least_ms, 7);
    config_unref(&c);
}

static void routes_have_the_last_word(void **state)
{
    struct config *c = parse_ok("services: {with: {hedge: 30ms}, without: {}}\n"
                                "routes:\n"
                                "  - {path: /a, service: with}\n"
                                "  - {path: /b, service: with, hedge: false}\n"
                                "  - {path: /c, service: with, hedge: true}\n");
    const struct service_conf *with = config_service(c, "with");
    const struct service_conf *without = config_service(c, "without");

    (void)state;
    assert_ptr_equal(hedge_conf_of(&c->routes[0], with), &with->hedge);
    assert_null(hedge_conf_of(&c->routes[0], without));
    assert_null(hedge_conf_of(&c->routes[1], with));
    assert_ptr_equal(hedge_conf_of(&c->routes[2], with), &with->hedge);
    assert_int_equal(hedge_conf_of(&c->routes[2], without)->percent, 95);
    assert_int_equal(hedge_conf_of(&c->routes[2], without)->at_least_ms, 2);
    config_unref(&c);
}

static void nonsense_is_refused(void **state)
{
    static const struct refusal rows[] = {
        {"services: {a: {hedge: p49}}\n", "services.a.hedge"},
        {"services: {a: {hedge: p100}}\n", "p50 to p99"},
        {"services: {a: {hedge: p}}\n", "p50 to p99"},
        {"services: {a: {hedge: p9x}}\n", "p50 to p99"},
        {"services: {a: {hedge: 0}}\n", "1ms to 1h"},
        {"services: {a: {hedge: 2h}}\n", "1ms to 1h"},
        {"services: {a: {hedge: true}}\n", "p50 to p99"},
        {"services: {a: {hedge: {after: [p95]}}}\n", "p50 to p99"},
        {"services: {a: {hedge: {at_least: 2h}}}\n", "at_least"},
        {"services: {a: {hedge: {befor: 2h}}}\n", "unknown key"},
        {"routes: [{service: a, hedge: p95}]\n", "`false`, `true`"},
        {"routes: [{service: a, hedge: {}}]\n", "`false`, `true`"},
    };

    (void)state;
    parse_refused(rows, ARRAY_LEN(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(off_by_default),
        cmocka_unit_test(words_and_times),
        cmocka_unit_test(services_change_what_defaults_say),
        cmocka_unit_test(routes_have_the_last_word),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
