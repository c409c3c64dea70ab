/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "discovery/catalog.h"
#include "discovery/host.h"
#include "discovery/instances.h"

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

/* Ids are single letters: "ac" is an answer with instances a and c. It is valid until the next. */
static const struct catalog_answer *answer_of(struct arena *a, const char *ids, const char *address,
                                              bool complete, uint64_t asked_ns)
{
    static struct catalog_answer answer;
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
    answer = (struct catalog_answer){a, items, n, 0, complete, asked_ns};
    return &answer;
}

static bool put_at(const char *service, const char *ids, const char *address, bool complete,
                   uint64_t now)
{
    return catalog_put(c, service, answer_of(arena_new(), ids, address, complete, 0), now);
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

static struct discovery_watch_status status_of(const char *service)
{
    struct discovery_watch_status status = {0};

    assert_true(catalog_status(c, service, &status));
    return status;
}

static void guard(uint64_t damping_ms, bool ask_rights)
{
    catalog_protect(c, &(struct belief_options){{2000, 50, 20}, damping_ms, ask_rights});
    catalog_watch(c, "web");
}

/* A read that did not block. */
static bool read_again(const char *ids, uint64_t now)
{
    struct arena *a = arena_new();

    return catalog_put(c, "web", answer_of(a, ids, "10.0.0.1", true, now), now + NS_PER_MS);
}

static void large_loss_is_held_then_believed(void **state)
{
    struct discovery_removal removed[8];
    struct discovery_status totals = {0};

    (void)state;
    guard(0, false);
    put("web", "abcdef", true, t0);
    assert_false(put("web", "", true, t0 + NS_PER_S));
    check_ids("web", "abcdef");
    assert_true(catalog_has_instances(c, "web"));
    assert_int_equal(status_of("web").held, 6);
    assert_int_equal(status_of("web").held_since_ns, t0 + NS_PER_S);
    assert_int_equal(status_of("web").believed_ns, t0 + 3 * NS_PER_S);
    catalog_totals(c, &totals);
    assert_int_equal(totals.held_instances, 6);
    assert_int_equal(totals.held_services, 1);
    assert_int_equal(totals.holds, 1);
    assert_false(is_gone("web"));

    assert_true(read_again("", t0 + 4 * NS_PER_S));
    assert_true(is_gone("web"));
    assert_false(catalog_has_instances(c, "web"));
    assert_int_equal(status_of("web").held, 0);
    assert_int_equal(catalog_removals(c, "web", removed, 8), 6);
    assert_string_equal(removed[0].why, "node_gone");
    assert_string_equal(removed[0].id, "f");
    assert_int_equal(removed[0].held_ms, 3001);
    memset(&totals, 0, sizeof totals);
    catalog_totals(c, &totals);
    assert_int_equal(totals.removals[0], 6);
    assert_int_equal(totals.held_instances, 0);
}

static void operator_accepts_a_loss(void **state)
{
    struct discovery_removal removed[8];

    (void)state;
    guard(0, false);
    put("web", "abcdef", true, t0);
    put("web", "a", true, t0 + NS_PER_S);
    assert_int_equal(catalog_accept(c, "other", t0 + NS_PER_S), 0);
    check_ids("web", "abcdef");
    assert_int_equal(catalog_accept(c, "WEB", t0 + NS_PER_S), 5);
    check_ids("web", "a");
    assert_int_equal(catalog_removals(c, "web", removed, 8), 5);
    assert_true(removed[0].accepted);
    assert_int_equal(catalog_accept(c, NULL, t0 + NS_PER_S), 0);
}

static void rights_are_wanted_for_a_loss(void **state)
{
    (void)state;
    guard(0, true);
    put("web", "ab", true, t0);
    assert_false(catalog_asks_rights(c, "web"));
    put("web", "", true, t0 + NS_PER_S);
    assert_true(catalog_asks_rights(c, "web"));
    catalog_set_rights(c, "web", false, t0 + 2 * NS_PER_S);
    assert_false(read_again("", t0 + 4 * NS_PER_S));
    assert_true(catalog_asks_rights(c, "web"));
    assert_non_null(strstr(status_of("web").held_why, "rights"));
    catalog_set_rights(c, "web", true, t0 + 5 * NS_PER_S);
    assert_false(catalog_asks_rights(c, "web"));
    check_ids("web", "ab");
    assert_true(read_again("", t0 + 6 * NS_PER_S));
    assert_true(is_gone("web"));
}

static void set_health(const char *ids, enum health health, uint64_t now)
{
    struct arena *a = arena_new();
    const struct catalog_answer *answer = answer_of(a, ids, "10.0.0.1", true, 0);

    answer->items[0].health = health;
    (void)catalog_put(c, "web", answer, now);
}

static void damped_instance_comes_back_by_itself(void **state)
{
    uint64_t now = t0, version;

    (void)state;
    guard(3000, false);
    for (unsigned i = 0; i < 4; i++) {
        set_health("ab", HEALTH_PASSING, now += NS_PER_S);
        set_health("ab", HEALTH_CRITICAL, now += NS_PER_S);
    }
    set_health("ab", HEALTH_PASSING, now += NS_PER_S);
    assert_int_equal(status_of("web").damped, 1);
    assert_int_equal(catalog_find(c, "web")->items[0].doubt, DOUBT_DAMPED);
    version = catalog_version(c);
    assert_int_equal(catalog_expire(c, now + NS_PER_S), now + 3 * NS_PER_S);
    assert_int_equal(catalog_version(c), version);
    catalog_expire(c, now + 3 * NS_PER_S);
    assert_int_not_equal(catalog_version(c), version);
    assert_int_equal(status_of("web").damped, 0);
    assert_int_equal(catalog_find(c, "web")->items[0].doubt, DOUBT_NONE);
}

/* A service becomes a group: what was doubted of it alone is over. */
static void what_is_shown_is_not_judged(void **state)
{
    uint64_t now = t0;

    (void)state;
    guard(3000, false);
    for (unsigned i = 0; i < 4; i++) {
        set_health("ab", HEALTH_PASSING, now += NS_PER_S);
        set_health("ab", HEALTH_CRITICAL, now += NS_PER_S);
    }
    set_health("ab", HEALTH_PASSING, now += NS_PER_S);
    assert_int_equal(status_of("web").damped, 1);
    catalog_watch(c, "other");
    put("other", "xyz", true, now);
    catalog_show(c, "web", instance_set_named(catalog_find(c, "other"), "web"), now);
    check_ids("web", "xyz");
    assert_int_equal(status_of("web").damped, 0);
    catalog_expire(c, now + 10 * NS_PER_S);
    check_ids("web", "xyz");
    assert_int_equal(catalog_accept(c, NULL, now + 10 * NS_PER_S), 0);
}

static void restarted_agent_is_not_believed_yet(void **state)
{
    (void)state;
    guard(0, false);
    put("web", "ab", true, t0);
    catalog_agent_back(c, "n1", t0 + 15 * NS_PER_S);
    set_health("ab", HEALTH_CRITICAL, t0 + NS_PER_S);
    assert_int_equal(catalog_find(c, "web")->items[0].health, HEALTH_PASSING);
    assert_int_equal(status_of("web").held, 1);
    catalog_expire(c, t0 + 15 * NS_PER_S);
    assert_int_equal(catalog_find(c, "web")->items[0].health, HEALTH_CRITICAL);
}

static void addresses_of_held_instances_are_looked_up_too(void **state)
{
    (void)state;
    guard(0, false);
    name_address = "10.1.1.1";
    put_at("web", "abcdef", "web.internal", true, t0);
    put_at("web", "a", "web.internal", true, t0 + NS_PER_S);
    name_address = "10.1.1.2";
    catalog_resolve(c, t0 + NS_PER_S);
    for (unsigned i = 0; i < 6; i++) {
        const struct sockaddr_storage *addr = &catalog_find(c, "web")->items[i].sockaddr;

        assert_int_equal(((const struct sockaddr_in *)addr)->sin_addr.s_addr, htonl(0x0a010102));
    }
    /* What Consul has said is looked up as well: it is what is shown next. */
    catalog_accept(c, NULL, t0 + NS_PER_S);
    check_ids("web", "a");
    assert_int_equal(
        ((const struct sockaddr_in *)&catalog_find(c, "web")->items[0].sockaddr)->sin_addr.s_addr,
        htonl(0x0a010102));
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
        cmocka_unit_test_setup_teardown(large_loss_is_held_then_believed, begin, end),
        cmocka_unit_test_setup_teardown(operator_accepts_a_loss, begin, end),
        cmocka_unit_test_setup_teardown(rights_are_wanted_for_a_loss, begin, end),
        cmocka_unit_test_setup_teardown(damped_instance_comes_back_by_itself, begin, end),
        cmocka_unit_test_setup_teardown(what_is_shown_is_not_judged, begin, end),
        cmocka_unit_test_setup_teardown(restarted_agent_is_not_believed_yet, begin, end),
        cmocka_unit_test_setup_teardown(addresses_of_held_instances_are_looked_up_too, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
