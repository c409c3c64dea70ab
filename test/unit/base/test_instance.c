/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/instance.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void usable(void **state)
{
    static const struct {
        const char *name;
        struct instance instance;
        bool usable;
    } rows[] = {
        {"passing", {.health = HEALTH_PASSING, .weight = 1, .sockaddr_len = 16}, true},
        {"warning", {.health = HEALTH_WARNING, .weight = 1, .sockaddr_len = 16}, true},
        {"critical", {.health = HEALTH_CRITICAL, .weight = 1, .sockaddr_len = 16}, false},
        {"maintenance", {.health = HEALTH_MAINTENANCE, .weight = 1, .sockaddr_len = 16}, false},
        {"drained", {.health = HEALTH_PASSING, .weight = 0, .sockaddr_len = 16}, false},
        {"not resolved", {.health = HEALTH_PASSING, .weight = 1, .sockaddr_len = 0}, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (instance_usable(&rows[i].instance) != rows[i].usable)
            fail_msg("%s", rows[i].name);
}

static void health_names(void **state)
{
    (void)state;
    assert_string_equal(health_name(HEALTH_PASSING), "passing");
    assert_string_equal(health_name(HEALTH_WARNING), "warning");
    assert_string_equal(health_name(HEALTH_CRITICAL), "critical");
    assert_string_equal(health_name(HEALTH_MAINTENANCE), "maintenance");
}

/* The arena holds the set itself: freed with the last reference, not before. */
static void references(void **state)
{
    struct arena *a = arena_new();
    struct instance_set *s = ARENA_NEW(a, struct instance_set), *second, *none = NULL;

    (void)state;
    s->refs = 1;
    s->arena = a;
    s->service = arena_strdup(a, "orders");
    second = instance_set_ref(s);
    instance_set_unref(&s);
    assert_null(s);
    assert_string_equal(second->service, "orders");
    instance_set_unref(&second);
    assert_null(second);
    instance_set_unref(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usable),
        cmocka_unit_test(health_names),
        cmocka_unit_test(references),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
