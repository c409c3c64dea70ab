/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "discovery/catalog.h"
#include "discovery/host.h"

#include <string.h>

static const uint64_t t0 = 1000 * NS_PER_S;
static struct catalog *c;
static const char *name_address; /* of every host name; NULL = unknown */

static bool lookup(void *arg, const char *host, uint16_t port, struct sockaddr_storage *ret_addr,
                   socklen_t *ret_len)
{
    (void)arg;
    if (host_literal(host, port, ret_addr, ret_len))
        return true;
    return name_address && host_literal(name_address, port, ret_addr, ret_len);
}

static int begin(void **state)
{
    (void)state;
    name_address = NULL;
    c = catalog_new(5000, lookup, NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    catalog_free(c);
    return 0;
}

/* Ids are single letters: "ac" is an answer with instances a and c. */
static bool put_at(const char *service, const char *ids, const char *address, bool complete,
                   uint64_t now)
{
    struct arena *a = arena_new();
    unsigned n = (unsigned)strlen(ids);
    struct instance *items = ARENA_ARRAY(a, struct instance, n);

    for (unsigned i = 0; i < n; i++)
        items[i] = (struct instance){.node = "n1",
                                     .id = arena_strndup(a, ids + i, 1),
                                     .address = arena_strdup(a, address),
                                     .port = 80,
                                     .check = "",
                                     .zone = "",
                                     .datacenter = "",
                                     .weight = 1};
    return catalog_put(c, service, &(struct catalog_answer){a, items, n, 0, complete, 0}, now);
}

static bool put(const char *service, const char *ids, bool complete, uint64_t now)
{
    return put_at(service, ids, "10.0.0.1", complete, now);
}

static void check_ids(const char *service, const char *ids)
{
    const struct instance_set *s = catalog_find(c, service);

    assert_non_null(s);
    assert_int_equal(s->n, strlen(ids));
    for (unsigned i = 0; i < s->n; i++)
        assert_int_equal(s->items[i].id[0], ids[i]);
}

static bool is_gone(const char *service)
{
    struct discovery_watch_status status;
    const struct instance_set *s = catalog_find(c, service);

    assert_true(catalog_status(c, service, &status));
    for (unsigned i = 0; status.gone && i < s->n; i++) {
        assert_int_equal(s->items[i].health, HEALTH_CRITICAL);
        assert_int_equal(s->items[i].weight, 0);
        assert_string_equal(s->items[i].check, "gone from the catalog");
    }
    return status.gone;
}

static void watched_service_is_empty_until_heard(void **state)
{
    (void)state;
    catalog_watch(c, "web");
    check_ids("web", "");
    assert_false(catalog_all_heard(c));
    put("web", "", true, t0);
    assert_true(catalog_all_heard(c));
    check_ids("web", "");
    assert_false(is_gone("web"));
}

static void services_are_sorted_and_found_in_any_case(void **state)
{
    (void)state;
    catalog_watch(c, "web");
    catalog_watch(c, "api");
    catalog_watch(c, "zoo");
    assert_int_equal(catalog_count(c), 3);
    assert_string_equal(catalog_at(c, 0)->service, "api");
    assert_string_equal(catalog_at(c, 2)->service, "zoo");
    assert_ptr_equal(catalog_find(c, "WEB"), catalog_at(c, 1));
    assert_null(catalog_find(c, "none"));
}

static void unwatched_service_is_ignored(void **state)
{
    (void)state;
    assert_true(put("web", "a", true, t0));
    assert_int_equal(catalog_count(c), 0);
}

static void only_changes_count(void **state)
{
    uint64_t version;

    (void)state;
    catalog_watch(c, "web");
    put("web", "ab", true, t0);
    version = catalog_version(c);
    put("web", "ab", true, t0 + 1);
    assert_int_equal(catalog_version(c), version);
    put("web", "abc", true, t0 + 2);
    assert_true(catalog_version(c) > version);
    check_ids("web", "abc");
}

static void one_of_several_is_removed_at_once(void **state)
{
    (void)state;
    catalog_watch(c, "web");
    put("web", "ab", true, t0);
    put("web", "b", true, t0);
    check_ids("web", "b");
    assert_false(is_gone("web"));
}

static void emptied_service_is_kept_then_empty(void **state)
{
    (void)state;
    catalog_watch(c, "web");
    put("web", "ab", true, t0);
    put("web", "", true, t0);
    check_ids("web", "ab");
    assert_true(is_gone("web"));
    assert_int_equal(catalog_expire(c, t0 + NS_PER_S), t0 + 5 * NS_PER_S);
    /* Told again, it is not kept longer. */
    put("web", "", true, t0 + 4 * NS_PER_S);
    assert_int_equal(catalog_expire(c, t0 + 4 * NS_PER_S), t0 + 5 * NS_PER_S);
    assert_int_equal(catalog_expire(c, t0 + 5 * NS_PER_S), 0);
    check_ids("web", "");
    assert_false(is_gone("web"));
}

static void emptied_service_comes_back(void **state)
{
    (void)state;
    catalog_watch(c, "web");
    put("web", "ab", true, t0);
    put("web", "", true, t0);
    put("web", "c", true, t0 + NS_PER_S);
    check_ids("web", "c");
    assert_false(is_gone("web"));
    assert_int_equal(catalog_expire(c, t0 + 9 * NS_PER_S), 0);
    check_ids("web", "c");
}

static void vanished_service_is_kept_then_dropped(void **state)
{
    (void)state;
    catalog_watch(c, "web");
    put("web", "ab", true, t0);
    catalog_unwatch(c, "web", true, t0);
    assert_true(is_gone("web"));
    check_ids("web", "ab");
    assert_int_equal(catalog_expire(c, t0 + 5 * NS_PER_S), 0);
    assert_null(catalog_find(c, "web"));
}

static void service_not_needed_is_dropped_at_once(void **state)
{
    (void)state;
    catalog_watch(c, "web");
    put("web", "ab", true, t0);
    catalog_unwatch(c, "web", false, t0);
    assert_null(catalog_find(c, "web"));
}

static void doubtful_answer_only_adds(void **state)
{
    static const struct {
        const char *name, *known, *answer, *after;
        bool whole;
    } rows[] = {
        {"fewer", "abc", "b", "abc", false}, {"none", "abc", "", "abc", false},
        {"more", "b", "abc", "abc", true},   {"others", "b", "ac", "abc", false},
        {"same", "ab", "ab", "ab", true},    {"first answer", "", "ab", "ab", true},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        const char *name = rows[i].name;

        catalog_watch(c, name);
        if (*rows[i].known)
            put(name, rows[i].known, true, t0);
        assert_int_equal(put(name, rows[i].answer, false, t0), rows[i].whole);
        check_ids(name, rows[i].after);
        assert_false(is_gone(name));
    }
}

static void doubtful_answer_does_not_change_what_is_known(void **state)
{
    struct arena *a = arena_new();
    struct instance *sick = ARENA_NEW(a, struct instance);

    (void)state;
    *sick = (struct instance){.node = "n1",
                              .id = "a",
                              .address = "10.0.0.1",
                              .port = 80,
                              .check = "old",
                              .zone = "",
                              .datacenter = "",
                              .health = HEALTH_CRITICAL};
    catalog_watch(c, "web");
    put("web", "a", true, t0);
    assert_false(catalog_put(c, "web", &(struct catalog_answer){a, sick, 1, 0, false, 0}, t0));
    assert_int_equal(catalog_find(c, "web")->items[0].health, HEALTH_PASSING);
}

static const struct discovery_address addresses[] = {{"10.0.0.9", 81, 2, "z1", NULL},
                                                     {"files.internal", 80, 1, NULL, NULL}};

static void static_service_hides_consul(void **state)
{
    static const struct discovery_static web = {"Web", addresses, 2};

    (void)state;
    catalog_watch(c, "web");
    put("web", "ab", true, t0);
    catalog_set_static(c, &web, 1, t0);
    assert_true(catalog_is_static(c, "web"));
    assert_int_equal(catalog_find(c, "web")->n, 2);
    assert_string_equal(catalog_find(c, "web")->items[0].id, "10.0.0.9:81");
    put("web", "abc", true, t0);
    assert_string_equal(catalog_find(c, "web")->items[0].id, "10.0.0.9:81");
    catalog_set_static(c, NULL, 0, t0);
    check_ids("web", "abc");
    assert_false(catalog_is_static(c, "web"));
}

static void static_service_leaves_when_removed(void **state)
{
    static const struct discovery_static two[] = {{"a", addresses, 2}, {"b", addresses, 1}};

    (void)state;
    catalog_set_static(c, two, 2, t0);
    assert_int_equal(catalog_count(c), 2);
    assert_true(catalog_all_heard(c));
    catalog_set_static(c, &two[1], 1, t0);
    assert_int_equal(catalog_count(c), 1);
    assert_non_null(catalog_find(c, "b"));
}

static void names_are_resolved_later_and_again(void **state)
{
    uint64_t version;

    (void)state;
    catalog_watch(c, "web");
    put_at("web", "a", "web.internal", true, t0);
    assert_false(instance_usable(&catalog_find(c, "web")->items[0]));
    name_address = "10.1.1.1";
    catalog_resolve(c, t0);
    assert_true(instance_usable(&catalog_find(c, "web")->items[0]));
    version = catalog_version(c);
    catalog_resolve(c, t0);
    assert_int_equal(catalog_version(c), version);
    name_address = NULL; /* the resolver fails: the old address stays */
    catalog_resolve(c, t0);
    assert_true(instance_usable(&catalog_find(c, "web")->items[0]));
    assert_int_equal(catalog_version(c), version);
}

static void a_reference_outlives_the_change(void **state)
{
    struct instance_set *held;

    (void)state;
    catalog_watch(c, "web");
    put("web", "a", true, t0);
    held = instance_set_ref(catalog_find(c, "web"));
    put("web", "b", true, t0);
    assert_string_equal(held->items[0].id, "a");
    instance_set_unref(&held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(watched_service_is_empty_until_heard, begin, end),
        cmocka_unit_test_setup_teardown(services_are_sorted_and_found_in_any_case, begin, end),
        cmocka_unit_test_setup_teardown(unwatched_service_is_ignored, begin, end),
        cmocka_unit_test_setup_teardown(only_changes_count, begin, end),
        cmocka_unit_test_setup_teardown(one_of_several_is_removed_at_once, begin, end),
        cmocka_unit_test_setup_teardown(emptied_service_is_kept_then_empty, begin, end),
        cmocka_unit_test_setup_teardown(emptied_service_comes_back, begin, end),
        cmocka_unit_test_setup_teardown(vanished_service_is_kept_then_dropped, begin, end),
        cmocka_unit_test_setup_teardown(service_not_needed_is_dropped_at_once, begin, end),
        cmocka_unit_test_setup_teardown(doubtful_answer_only_adds, begin, end),
        cmocka_unit_test_setup_teardown(doubtful_answer_does_not_change_what_is_known, begin, end),
        cmocka_unit_test_setup_teardown(static_service_hides_consul, begin, end),
        cmocka_unit_test_setup_teardown(static_service_leaves_when_removed, begin, end),
        cmocka_unit_test_setup_teardown(names_are_resolved_later_and_again, begin, end),
        cmocka_unit_test_setup_teardown(a_reference_outlives_the_change, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
