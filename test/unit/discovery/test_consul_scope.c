/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "discovery/consul_scope.h"

#include <string.h>

static struct consul_scope scope_of(int kind, const char *prefix, const char *fabio)
{
    struct discovery_options o = {
        .tag_prefix = prefix, .fabio_prefix = fabio, .traefik_prefix = "lb."};
    struct consul_scope s;

    o.scope = (unsigned)kind;
    consul_scope_init(&s, &o);
    return s;
}

static void which_services_are_exposed(void **state)
{
    static const struct {
        const char *name;
        int scope;
        const char *prefix, *fabio, *service, *tag;
        bool taken;
    } rows[] = {
        {"prefix", DISCOVER_TAGGED, "frontdesk.", "", "web", "frontdesk.path=/", true},
        {"prefix without dot", DISCOVER_TAGGED, "frontdesk.", "", "web", "frontdesk", true},
        {"longer word", DISCOVER_TAGGED, "frontdesk.", "", "web", "frontdesks", false},
        {"shorter word", DISCOVER_TAGGED, "frontdesk.", "", "web", "frontdes", false},
        {"other tag", DISCOVER_TAGGED, "frontdesk.", "urlprefix-", "web", "v1", false},
        {"fabio", DISCOVER_TAGGED, "frontdesk.", "urlprefix-", "web", "urlprefix-/x", true},
        {"fabio off", DISCOVER_TAGGED, "frontdesk.", "", "web", "urlprefix-/x", false},
        {"Traefik in any case", DISCOVER_TAGGED, "frontdesk.", "", "web", "LB.enable=true", true},
        {"no prefix at all", DISCOVER_TAGGED, NULL, NULL, "web", "", false},
        {"all", DISCOVER_ALL, "frontdesk.", "", "web", "v1", true},
        {"all but consul itself", DISCOVER_ALL, "frontdesk.", "", "consul", "v1", false},
        {"used only", DISCOVER_USED, "frontdesk.", "", "web", "frontdesk.path=/", false},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct consul_scope s = scope_of(rows[i].scope, rows[i].prefix, rows[i].fabio);
        const char *tags[] = {"first", rows[i].tag};
        struct consul_listed l = {rows[i].service, tags, 2};

        if (consul_scope_takes(&s, &l) != rows[i].taken)
            fail_msg("%s", rows[i].name);
        consul_scope_release(&s);
    }
}

static void lists_are_joined(void **state)
{
    const char *old_tags[] = {"old"}, *new_tags[] = {"new"};
    struct consul_listed first[] = {{"a", old_tags, 1}, {"c", old_tags, 1}};
    struct consul_listed second[] = {{"b", new_tags, 1}, {"c", new_tags, 1}};
    struct consul_services x = {first, 2}, y = {second, 2}, both, copied;
    struct arena *a = arena_new(), *other = arena_new();

    (void)state;
    both = consul_services_join(a, &x, &y);
    assert_int_equal(both.n, 3);
    assert_string_equal(consul_services_find(&both, "c")->tags[0], "old");
    assert_string_equal(consul_services_find(&both, "b")->tags[0], "new");
    assert_null(consul_services_find(&both, "d"));
    copied = consul_services_copy(other, &both);
    arena_free(a);
    assert_string_equal(copied.items[2].name, "c");
    assert_true(consul_services_same(&copied, &copied));
    assert_false(consul_services_same(&copied, &x));
    arena_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(which_services_are_exposed),
        cmocka_unit_test(lists_are_joined),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
