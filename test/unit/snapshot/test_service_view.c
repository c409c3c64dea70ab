/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/service_view.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "catalog.h"

#define S(n) ((uint64_t)(n)*NS_PER_S)

static struct registry *reg;
static struct service_state *orders;

static int begin(void **state)
{
    (void)state;
    reg = registry_new(1);
    orders = registry_service(reg, "orders");
    return 0;
}

static int end(void **state)
{
    (void)state;
    registry_free(reg);
    return 0;
}

static struct service_view *view_of(const char *yaml, const struct row *rows, unsigned n,
                                    uint64_t now_ns)
{
    struct config *c = config_of(yaml);
    struct instance_set *set = rows ? make_set("orders", rows, n) : NULL;
    struct service_view *v = service_view_new(reg, orders, c, set, NULL, NULL, now_ns);

    config_unref(&c); /* the view keeps its own references */
    instance_set_unref(&set);
    return v;
}

/* Sends `requests` requests; how many each of up to four instances got. */
static void spread(const struct service_view *v, uint64_t now_ns, unsigned requests,
                   unsigned got[4])
{
    struct rng rng = {3};
    struct balance_query q = {.now_ns = now_ns, .rng = &rng, .cursor = &orders->cursor};

    memset(got, 0, 4 * sizeof got[0]);
    for (unsigned i = 0; i < requests; i++) {
        unsigned index = 0;

        if (balancer_pick(v->balancer, &q, &index) == BALANCE_OK)
            got[index]++;
    }
}

static void empty(void **state)
{
    struct service_view *v = view_of("{}", NULL, 0, S(1)), *none = NULL;

    (void)state;
    assert_int_equal(v->n, 0);
    assert_null(v->set);
    assert_int_equal(balancer_available(v->balancer, S(1)), 0);
    service_view_unref(&v);
    assert_null(v);
    service_view_unref(&none);
}

static void only_usable_ones_are_picked(void **state)
{
    static const struct row rows[] = {
        {.id = "ok", .port = 1},
        {.id = "sick", .port = 2, .health = HEALTH_CRITICAL},
        {.id = "drained", .port = 3, .drained = true},
        {.id = "unknown", .port = 4, .unresolved = true},
    };
    struct service_view *v = view_of("{}", rows, 4, S(1));
    unsigned got[4];

    (void)state;
    spread(v, S(1), 100, got);
    assert_int_equal(got[0], 100);
    assert_int_equal(balancer_available(v->balancer, S(1)), 1);
    assert_int_equal(orders->outliers.instances, 1);
    service_view_unref(&v);
}

/* In panic a critical one is better than none, but not one that cannot be reached or wants no
 * requests. */
static void fallback_in_panic(void **state)
{
    static const struct row rows[] = {
        {.id = "sick", .port = 1, .health = HEALTH_CRITICAL},
        {.id = "drained", .port = 2, .health = HEALTH_CRITICAL, .drained = true},
        {.id = "unknown", .port = 3, .health = HEALTH_CRITICAL, .unresolved = true},
        {.id = "maintained", .port = 4, .health = HEALTH_MAINTENANCE},
    };
    struct service_view *v =
        view_of("defaults: { balance: { panic_threshold: 50 } }", rows, 4, S(1));
    unsigned got[4];

    (void)state;
    spread(v, S(1), 50, got);
    assert_int_equal(got[0], 50);
    service_view_unref(&v);
}

static void tiers(void **state)
{
    static const char near_first[] =
        "defaults: { balance: { prefer: { node_meta: zone, value: a } } }";
    static const struct row rows[] = {
        {.id = "1", .port = 1, .zone = "a"},
        {.id = "2", .port = 2, .zone = "b"},
        {.id = "3", .port = 3, .zone = "a"},
        {.id = "4", .port = 4},
    };
    struct service_view *v = view_of(near_first, rows, 4, S(1));
    unsigned got[4];

    (void)state;
    spread(v, S(1), 100, got);
    assert_int_equal(got[0] + got[2], 100);
    assert_true(got[0] > 0 && got[2] > 0);
    service_view_unref(&v);

    v = view_of("{}", rows, 4, S(1));
    spread(v, S(1), 400, got);
    for (int i = 0; i < 4; i++)
        assert_true(got[i] > 50);
    service_view_unref(&v);
}

static void failure_statuses(void **state)
{
    static const struct {
        const char *yaml;
        unsigned status;
        bool failure;
    } rows[] = {
        {"{}", 500, true},
        {"{}", 503, true},
        {"{}", 504, true},
        {"{}", 501, false},
        {"{}", 200, false},
        {"{}", 404, false},
        {"{}", 0, false},
        {"{}", 599, false},
        {"{}", 600, false},
        {"{}", 1000, false},
        {"defaults: { breaker: { failure_statuses: [429, 599] } }", 429, true},
        {"defaults: { breaker: { failure_statuses: [429, 599] } }", 599, true},
        {"defaults: { breaker: { failure_statuses: [429, 599] } }", 500, false},
        {"services: { orders: { breaker: { failure_statuses: [\"418\"] } } }", 418, true},
        {"services: { web: { breaker: { failure_statuses: [\"418\"] } } }", 418, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct service_view *v = view_of(rows[i].yaml, NULL, 0, S(1));

        if (service_view_is_failure(v, rows[i].status) != rows[i].failure)
            fail_msg("%s: %u", rows[i].yaml, rows[i].status);
        service_view_unref(&v);
    }
}

static void slow_start_begins_when_one_becomes_usable(void **state)
{
    static const struct row sick[] = {{.id = "1", .port = 1},
                                      {.id = "2", .port = 2, .health = HEALTH_CRITICAL}};
    static const struct row well[] = {
        {.id = "1", .port = 1}, {.id = "2", .port = 2}, {.id = "3", .port = 3}};
    struct service_view *v = view_of("{}", sick, 2, S(100));

    (void)state;
    assert_int_equal(v->states[0]->load.usable_since_ns, 0); /* was there from the start */
    assert_int_equal(v->states[1]->load.usable_since_ns, 0);
    service_view_unref(&v);

    v = view_of("{}", well, 3, S(200));
    assert_int_equal(v->states[0]->load.usable_since_ns, 0);
    assert_int_equal(v->states[1]->load.usable_since_ns, S(200)); /* recovered */
    assert_int_equal(v->states[2]->load.usable_since_ns, S(200)); /* new */
    service_view_unref(&v);

    v = view_of("{}", well, 3, S(300));
    assert_int_equal(v->states[1]->load.usable_since_ns, S(200)); /* not again */
    service_view_unref(&v);
}

static void slow_start_holds_a_new_one_back(void **state)
{
    static const char slow[] = "defaults: { balance: { policy: round_robin, slow_start: 60s } }";
    static const struct row rows[] = {{.id = "1", .port = 1}, {.id = "2", .port = 2}};
    struct service_view *v = view_of(slow, rows, 1, S(100));
    unsigned got[4];

    (void)state;
    service_view_unref(&v);
    v = view_of(slow, rows, 2, S(200));
    spread(v, S(201), 1000, got);
    assert_in_range(got[1], 20, 250);
    spread(v, S(300), 1000, got);
    assert_in_range(got[1], 450, 550);
    service_view_unref(&v);
}

static void limit_of_an_instance(void **state)
{
    static const struct row rows[] = {{.id = "1", .port = 1}, {.id = "2", .port = 2}};
    struct service_view *v =
        view_of("defaults: { concurrency: { requests_per_instance: 3 } }", rows, 2, S(1));
    unsigned got[4];

    (void)state;
    assert_int_equal(v->states[0]->load.max_in_flight, 3);
    v->states[0]->load.in_flight = 3;
    v->states[1]->load.in_flight = 2;
    spread(v, S(1), 20, got);
    assert_int_equal(got[1], 20);
    service_view_unref(&v);
    v = view_of("{}", rows, 2, S(1));
    assert_int_equal(v->states[0]->load.max_in_flight, 0);
    service_view_unref(&v);
}

/* Two views of the same instances look at the same state. */
static void states_are_shared(void **state)
{
    static const struct row rows[] = {{.id = "1", .port = 1}, {.id = "2", .port = 2}};
    struct service_view *a = view_of("{}", rows, 2, S(1)), *b = view_of("{}", rows, 1, S(2));
    struct service_view *again = service_view_ref(a);

    (void)state;
    assert_ptr_equal(a->states[0], b->states[0]);
    assert_int_equal(a->states[0]->refs, 3); /* the registry's, and one each */
    service_view_unref(&a);
    assert_int_equal(again->states[0]->refs, 3);
    service_view_unref(&again);
    assert_int_equal(b->states[0]->refs, 2);
    service_view_unref(&b);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)
    const struct CMUnitTest tests[] = {
        T(empty),
        T(only_usable_ones_are_picked),
        T(fallback_in_panic),
        T(tiers),
        T(failure_statuses),
        T(slow_start_begins_when_one_becomes_usable),
        T(slow_start_holds_a_new_one_back),
        T(limit_of_an_instance),
        T(states_are_shared),
    };
#undef T

    return cmocka_run_group_tests(tests, NULL, NULL);
}
