/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

static void adaptive_is_off_by_default(void **state)
{
    struct config *c = parse_ok("services: {a: {concurrency: {requests: 5}}}\n");

    (void)state;
    assert_false(c->defaults.adaptive.enabled);
    assert_false(c->services[0].adaptive.enabled);
    assert_int_equal(c->services[0].max_requests, 5);
    config_unref(&c);
}

static void words_and_maps(void **state)
{
    static const struct {
        const char *text;
        bool enabled;
        unsigned minimum, maximum, initial, tolerance;
    } rows[] = {
        {"true", true, 4, 1000, 20, 150},
        {"false", false, 4, 1000, 20, 150},
        {"{}", true, 4, 1000, 20, 150},
        {"{minimum: 1, maximum: 50, initial: 50, tolerance: 2}", true, 1, 50, 50, 200},
        {"{tolerance: 1.1}", true, 4, 1000, 20, 110},
        {"{tolerance: 1.25}", true, 4, 1000, 20, 125},
        {"{tolerance: \"5.00\"}", true, 4, 1000, 20, 500},
        {"{tolerance: 3.07}", true, 4, 1000, 20, 307},
    };
    char text[200];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct adaptive_conf *a;
        struct config *c;

        snprintf(text, sizeof text, "services: {s: {concurrency: {adaptive: %s}}}\n", rows[i].text);
        c = parse_ok(text);
        a = &c->services[0].adaptive;
        assert_int_equal(a->enabled, rows[i].enabled);
        assert_int_equal(a->minimum, rows[i].minimum);
        assert_int_equal(a->maximum, rows[i].maximum);
        assert_int_equal(a->initial, rows[i].initial);
        assert_int_equal(a->tolerance_percent, rows[i].tolerance);
        config_unref(&c);
    }
}

/* What an entry says takes the place of what it inherits. */
static void one_kind_of_limit(void **state)
{
    struct config *c = parse_ok("defaults: {concurrency: {adaptive: {initial: 30}, queue: 7}}\n"
                                "services:\n"
                                "  fixed: {concurrency: {requests: 5}}\n"
                                "  off: {concurrency: {adaptive: false, queue: 0}}\n"
                                "  other: {concurrency: {adaptive: {minimum: 2}}}\n");
    struct config *d = parse_ok("defaults: {concurrency: {requests: 9}}\n"
                                "services: {a: {concurrency: {adaptive: true}}}\n");

    (void)state;
    assert_true(config_service(c, "any")->adaptive.enabled);
    assert_int_equal(config_service(c, "any")->queue, 7);
    assert_false(config_service(c, "fixed")->adaptive.enabled);
    assert_int_equal(config_service(c, "fixed")->max_requests, 5);
    assert_false(config_service(c, "off")->adaptive.enabled);
    assert_int_equal(config_service(c, "other")->adaptive.minimum, 2);
    assert_int_equal(config_service(c, "other")->adaptive.initial, 30);
    assert_true(config_service(d, "a")->adaptive.enabled);
    assert_int_equal(config_service(d, "a")->max_requests, 0);
    assert_int_equal(config_service(d, "any")->max_requests, 9);
    config_unref(&c);
    config_unref(&d);
}

#define CONCURRENCY(text) "services:\n  orders: {concurrency: {" text "}}\n"
#define AT                "services.orders.concurrency.adaptive"

static void mistakes_are_named(void **state)
{
    static const struct refusal rows[] = {
        {CONCURRENCY("requests: 5, adaptive: true"), ":2: " AT ": excludes requests"},
        {CONCURRENCY("adaptive: {}, requests: 5"), ":2: " AT ": excludes requests"},
        {CONCURRENCY("adaptive: maybe"), AT ": expected true, false, or a map"},
        {CONCURRENCY("adaptive: [1]"), AT ": expected keys and values"},
        {CONCURRENCY("adaptive: {minimum: 0}"), AT ".minimum: expected 1 to 1000000"},
        {CONCURRENCY("adaptive: {minimum: 30}"), "expected minimum <= initial <= maximum"},
        {CONCURRENCY("adaptive: {maximum: 10}"), "found 4, 20, 10"},
        {CONCURRENCY("adaptive: {minimun: 1}"), "did you mean minimum?"},
        {CONCURRENCY("adaptive: {tolerance: 1}"), AT ".tolerance: expected a factor from 1.1 to 5"},
        {CONCURRENCY("adaptive: {tolerance: 5.01}"), "expected a factor"},
        {CONCURRENCY("adaptive: {tolerance: 1.}"), "expected a factor"},
        {CONCURRENCY("adaptive: {tolerance: .5}"), "expected a factor"},
        {CONCURRENCY("adaptive: {tolerance: 1.555}"), "expected a factor"},
        {CONCURRENCY("adaptive: {tolerance: -1.5}"), "expected a factor"},
        {CONCURRENCY("adaptive: {tolerance: 1.5.5}"), "expected a factor"},
        {CONCURRENCY("adaptive: {tolerance: 99999999999999999999}"), "expected a factor"},
        {CONCURRENCY("adaptive: {tolerance: 18446744073709551616}"), "expected a factor"},
        {CONCURRENCY("adaptive: false, queue: 5"), "queue needs"},
    };

    (void)state;
    parse_refused(rows, ARRAY_LEN(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adaptive_is_off_by_default),
        cmocka_unit_test(words_and_maps),
        cmocka_unit_test(one_kind_of_limit),
        cmocka_unit_test(mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
