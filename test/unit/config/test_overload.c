/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

static void defaults(void **state)
{
    struct config *c = parse_ok("routes: [{service: a}]\n");

    (void)state;
    assert_true(c->overload.enabled);
    assert_int_equal(c->overload.target_ms, 50);
    assert_int_equal(c->overload.interval_ms, 100);
    assert_int_equal(c->routes[0].importance, IMPORTANCE_NORMAL);
    config_unref(&c);
}

static void every_word(void **state)
{
    static const char *const words[] = {"low", "normal", "high", "critical"};
    char text[100];

    (void)state;
    for (int i = 0; i < IMPORTANCES; i++) {
        enum importance parsed = IMPORTANCES;
        struct config *c;

        snprintf(text, sizeof text, "routes: [{service: a, importance: %s}]\n", words[i]);
        c = parse_ok(text);
        assert_int_equal(c->routes[0].importance, IMPORTANCE_LOW + i);
        assert_string_equal(importance_name(c->routes[0].importance), words[i]);
        assert_true(importance_parse(str_of(words[i]), &parsed));
        assert_int_equal(parsed, IMPORTANCE_LOW + i);
        config_unref(&c);
    }
    /* A route that was made without saying anything, as those of tags are. */
    assert_string_equal(importance_name((struct route_conf){.name = "x"}.importance), "normal");
}

static void settings(void **state)
{
    struct config *c = parse_ok("overload: {enabled: false, target: 10ms, interval: 1s}\n");

    (void)state;
    assert_false(c->overload.enabled);
    assert_int_equal(c->overload.target_ms, 10);
    assert_int_equal(c->overload.interval_ms, 1000);
    config_unref(&c);
}

static void refused(void **state)
{
    static const struct refusal rows[] = {
        {"routes: [{service: a, importance: vital}]\n", "one of `low`, `normal`"},
        {"routes: [{service: a, importance: LOW}]\n", "found"},
        {"routes: [{service: a, importance: [low]}]\n", "importance"},
        {"routes: [{service: a, importance: ''}]\n", "importance"},
        {"overload: {target: 9ms}\n", "10ms to 1m"},
        {"overload: {interval: 19ms}\n", "20ms to 1m"},
        {"overload: {enabled: maybe}\n", "enabled"},
        {"overload: {level: 1}\n", "unknown key"},
        {"routes: [{service: a, fallback: [{on: [shed], service: b}]}]\n", "only cache and static"},
        {"routes: [{service: a, fallback: [{on: [shde], static: {}}]}]\n", "did you mean shed?"},
    };

    (void)state;
    parse_refused(rows, ARRAY_LEN(rows));
}

static void fallbacks_only_when_listed(void **state)
{
    struct config *c = parse_ok("services: {a: {fallback: [{static: {}},"
                                " {on: [shed], static: {}}, {on: [any, shed], cache: {}}]}}\n");
    const struct fallback_list *list = c->services[0].fallback;

    (void)state;
    assert_false(fallback_is_for(&list->items[0], REASON_SHED, 0));
    assert_true(fallback_is_for(&list->items[0], REASON_OVERLOADED, 0));
    assert_true(fallback_is_for(&list->items[1], REASON_SHED, 0));
    assert_false(fallback_is_for(&list->items[1], REASON_OVERLOADED, 0));
    assert_true(fallback_is_for(&list->items[2], REASON_SHED, 0));
    assert_true(fallback_is_for(&list->items[2], REASON_OVERLOADED, 0));
    config_unref(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(every_word),
        cmocka_unit_test(settings),
        cmocka_unit_test(refused),
        cmocka_unit_test(fallbacks_only_when_listed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
