/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "snapshot/operate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define S(n) ((uint64_t)(n)*NS_PER_S)

static struct registry *reg;
static struct service_state *orders;
static const struct instance first = {
    .node = "node-1", .id = "orders-1", .address = "10.0.0.5", .port = 8080};

static int begin(void **state)
{
    (void)state;
    log_set_level(LOG_ERROR);
    reg = registry_new(2);
    orders = registry_service(reg, "orders");
    return 0;
}

static int end(void **state)
{
    (void)state;
    registry_free(reg);
    return 0;
}

static void set_present(struct instance_state *i, bool present)
{
    atomic_store(&i->present, present);
    i->absent_since_ns = 0;
}

static void services(void **state)
{
    struct service_state *web = registry_service(reg, "web");

    (void)state;
    assert_ptr_equal(registry_service(reg, "orders"), orders);
    assert_ptr_not_equal(web, orders);
    assert_int_equal(orders->slot, 0);
    assert_int_equal(web->slot, 1);
    assert_int_equal(registry_slots(reg), 2);
    assert_string_equal(web->name, "web");
    assert_ptr_equal(registry_find(reg, "web"), web);
    assert_null(registry_find(reg, "we"));
    assert_int_equal(registry_slots(reg), 2);
}

static void instance_identity(void **state)
{
    static const struct {
        const char *name;
        struct instance instance;
        bool same;
    } rows[] = {
        {"itself", {.node = "node-1", .id = "orders-1", .address = "10.0.0.5", .port = 8080}, true},
        {"another health, weight and zone",
         {.node = "node-1",
          .id = "orders-1",
          .address = "10.0.0.5",
          .port = 8080,
          .health = HEALTH_CRITICAL,
          .weight = 9,
          .zone = "b"},
         true},
        {"another node",
         {.node = "node-2", .id = "orders-1", .address = "10.0.0.5", .port = 8080},
         false},
        {"another id",
         {.node = "node-1", .id = "orders-2", .address = "10.0.0.5", .port = 8080},
         false},
        {"another address",
         {.node = "node-1", .id = "orders-1", .address = "10.0.0.6", .port = 8080},
         false},
        {"another port",
         {.node = "node-1", .id = "orders-1", .address = "10.0.0.5", .port = 8081},
         false},
    };
    struct instance_state *one = registry_instance(reg, orders, &first);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if ((registry_instance(reg, orders, &rows[i].instance) == one) != rows[i].same)
            fail_msg("%s", rows[i].name);
    assert_ptr_not_equal(registry_instance(reg, registry_service(reg, "web"), &first), one);
    assert_ptr_equal(one->service, orders);
    assert_string_equal(one->key, "orders|node-1/orders-1/10.0.0.5:8080");
}

static void very_long_names_stay_apart(void **state)
{
    char id[3000];
    struct instance a = first, b = first;

    (void)state;
    memset(id, 'x', sizeof id - 1);
    id[sizeof id - 1] = '\0';
    a.id = b.id = id;
    b.port = 8081;
    assert_ptr_not_equal(registry_instance(reg, orders, &a), registry_instance(reg, orders, &b));
}

static struct instance_state *on_port(uint16_t port)
{
    struct instance i = first;

    i.port = port;
    return registry_instance(reg, orders, &i);
}

static void slots_are_reused_after_ten_minutes(void **state)
{
    struct instance_state *stays = on_port(1), *leaves = on_port(2);
    uint32_t slot = leaves->slot;

    (void)state;
    set_present(stays, true);
    set_present(leaves, false);
    registry_sweep(reg, S(1000));
    registry_sweep(reg, S(1000) + S(590));
    assert_ptr_equal(on_port(2), leaves);
    registry_sweep(reg, S(1600));
    assert_ptr_equal(on_port(1), stays);
    assert_int_equal(on_port(3)->slot, slot);
    assert_int_equal(on_port(2)->slot, 2); /* a new one, its old slot is taken */
}

static void who_comes_back_starts_a_new_absence(void **state)
{
    struct instance_state *i = on_port(1);

    (void)state;
    set_present(i, false);
    registry_sweep(reg, S(1000));
    set_present(i, true);
    registry_sweep(reg, S(1500));
    set_present(i, false);
    registry_sweep(reg, S(1550));
    registry_sweep(reg, S(1700));
    assert_ptr_equal(on_port(1), i);
    assert_int_equal(i->slot, 0);
    registry_sweep(reg, S(2150));
    assert_int_equal(on_port(2)->slot, 0);
}

static void referenced_ones_are_not_swept(void **state)
{
    struct instance_state *i = on_port(1), *ref = instance_state_ref(i), *none = NULL;

    (void)state;
    set_present(i, false);
    registry_sweep(reg, S(1000));
    registry_sweep(reg, S(5000));
    assert_ptr_equal(on_port(1), i);
    instance_state_unref(&ref);
    assert_null(ref);
    registry_sweep(reg, S(5010));
    assert_int_equal(on_port(2)->slot, 0);
    instance_state_unref(&none);
}

static void many_slots_come_and_go(void **state)
{
    (void)state;
    for (int round = 1; round <= 3; round++) {
        bool seen[300] = {false};

        for (uint16_t port = 1; port <= 300; port++) {
            uint32_t slot = on_port((uint16_t)(port + 1000 * round))->slot;

            assert_true(slot < 300 && !seen[slot]);
            seen[slot] = true;
        }
        registry_sweep(reg, S(10000) * round);
        registry_sweep(reg, S(10000) * round + S(600));
    }
}

static struct service_conf strict_conf(void)
{
    return (struct service_conf){
        .breaker = {.enabled = true,
                    .failure_rate = 50,
                    .minimum_requests = 4,
                    .half_open_requests = 1,
                    .window_ms = 10000,
                    .open_for_ms = 60000,
                    .max_open_ms = 60000},
        .outlier = {.enabled = true,
                    .consecutive_failures = 3,
                    .max_ejected = 100,
                    .window_ms = 10000,
                    .base_ejection_ms = 60000,
                    .max_ejection_ms = 60000},
        .retries = {.budget_percent = 20, .budget_min_per_s = 10},
        .max_requests = 5,
        .queue = 2,
    };
}

static void trip(struct service_state *s)
{
    struct rng rng = {1};

    for (int i = 0; i < 8; i++) {
        uint64_t now = clock_now_ns();
        struct breaker_ticket t = breaker_admit(s->breaker, now);

        if (t.admitted)
            breaker_report(s->breaker, t, now, &rng, true, NS_PER_MS);
    }
}

static enum breaker_state breaker_state(struct service_state *s)
{
    struct breaker_info info;

    breaker_info(s->breaker, clock_now_ns(), &info);
    return info.state;
}

/* Before anything is configured a service admits everything. */
static void unconfigured(void **state)
{
    (void)state;
    trip(orders);
    assert_int_equal(breaker_state(orders), BREAKER_CLOSED);
    for (int i = 0; i < 100; i++)
        assert_true(limit_acquire(&orders->limit));
}

static void state_survives_a_new_configuration(void **state)
{
    struct service_conf conf = strict_conf();
    struct instance_state *i = on_port(1);
    struct rng rng = {1};

    (void)state;
    registry_configure(orders, &conf);
    outlier_group_resize(&orders->outliers, 3, clock_now_ns());
    trip(orders);
    assert_int_equal(breaker_state(orders), BREAKER_OPEN);
    for (int k = 0; k < 3; k++)
        outlier_report(&i->outlier, clock_now_ns(), &rng, false, true);
    assert_true(limit_acquire(&orders->limit));
    i->load.in_flight = 7;
    orders->cursor = 11;

    conf.breaker.minimum_requests = 1000;
    conf.max_requests = 1;
    registry_configure(orders, &conf);
    assert_int_equal(breaker_state(orders), BREAKER_OPEN);
    assert_true(i->load.ejected_until_ns > clock_now_ns());
    assert_false(limit_acquire(&orders->limit)); /* the new limit, and one is taken already */
    assert_int_equal(i->load.in_flight, 7);
    assert_int_equal(orders->cursor, 11);
}

static void transitions_are_recorded(void **state)
{
    struct service_conf conf = strict_conf();
    struct transition t;

    (void)state;
    registry_configure(orders, &conf);
    assert_int_equal(history_copy(&orders->history, &t, 1), 0); /* how it begins is none */
    trip(orders);
    assert_int_equal(orders->history.n, 1);
    assert_int_equal(history_copy(&orders->history, &t, 1), 1);
    assert_string_equal(t.service, "orders");
    assert_string_equal(t.instance, "");
    assert_string_equal(t.from, "closed");
    assert_string_equal(t.to, "open");
    assert_string_equal(t.cause, "failure_rate");
    assert_int_equal(t.total, 4);
    assert_int_equal(t.failed, 4);
    assert_int_equal(t.window_ms, 10000);
    assert_true(t.wall_ms > 0);
    assert_in_range(t.until_wall_ms, t.wall_ms + 59000, t.wall_ms + 66000);
    assert_string_equal(t.author, "");
}

/* A change of the options is told at once, under its own cause. */
static void configuration_makes_transitions(void **state)
{
    struct service_conf conf = strict_conf();
    struct transition t;

    (void)state;
    registry_configure(orders, &conf);
    conf.breaker.enabled = false;
    registry_configure(orders, &conf);
    history_copy(&orders->history, &t, 1);
    assert_string_equal(t.from, "closed");
    assert_string_equal(t.to, "disabled");
    assert_string_equal(t.cause, "configuration");
    conf.breaker.enabled = conf.breaker.shadow = true;
    registry_configure(orders, &conf);
    history_copy(&orders->history, &t, 1);
    assert_string_equal(t.to, "shadow");
    assert_int_equal(breaker_state(orders), BREAKER_SHADOW);
    assert_int_equal(orders->history.n, 2);
}

static void buckets_ascend(void **state)
{
    (void)state;
    for (int i = 1; i < LATENCY_BUCKETS - 1; i++)
        assert_true(latency_bounds[i] > latency_bounds[i - 1]);
}

enum { THREADS = 3, TURNS = 2000 };

/* A worker: uses the instance for as long as it has a reference, then lets go. */
static void *work(void *arg)
{
    struct instance_state *i = arg;
    struct rng rng = {5};

    for (int k = 0; k < TURNS; k++) {
        struct instance_state *mine = instance_state_ref(i);
        uint64_t now = clock_now_ns();
        struct breaker_ticket t = breaker_admit(i->service->breaker, now);

        if (t.admitted)
            breaker_report(i->service->breaker, t, now, &rng, k % 2 == 0, NS_PER_MS);
        registry_tell_instance(i, outlier_report(&i->outlier, now, &rng, false, k % 5 < 4),
                               REASON_CONNECT_FAILED, now);
        instance_state_unref(&mine);
    }
    instance_state_unref(&i);
    return NULL;
}

static void operate(struct instance_state *i, unsigned k)
{
    struct operate_request q = {
        .what = (enum operation)(k % OPERATION_COUNT), .ttl_ms = 1, .author = "ada", .why = "test"};

    assert_int_equal(operate_service(orders, &q, clock_now_ns()), OPERATE_DONE);
    q.even_last = true;
    (void)operate_instance(i, &q, clock_now_ns());
    registry_tick(reg, clock_now_ns());
}

/* The control thread configures, operates and sweeps meanwhile: the instance goes when the last has
 * let go. */
static void workers_and_control_at_once(void **state)
{
    struct service_conf conf = strict_conf();
    struct instance_state *i = instance_state_ref(on_port(1));
    pthread_t ids[THREADS];

    (void)state;
    registry_configure(orders, &conf); /* as the builder does before anyone else sees it */
    for (int k = 0; k < THREADS; k++) {
        instance_state_ref(i);
        assert_int_equal(pthread_create(&ids[k], NULL, work, i), 0);
    }
    set_present(i, false);
    for (int k = 0; k < 300; k++) {
        conf.breaker.minimum_requests = 1 + (unsigned)k % 5;
        conf.breaker.open_for_ms = 1;
        registry_configure(orders, &conf);
        outlier_group_resize(&orders->outliers, 3, clock_now_ns());
        operate(i, (unsigned)k);
        struct transition copy[TRANSITIONS_KEPT];
        history_copy(&orders->history, copy, TRANSITIONS_KEPT);
        registry_sweep(reg, S(1000) * (1 + (uint64_t)k));
    }
    for (int k = 0; k < THREADS; k++)
        pthread_join(ids[k], NULL);
    operate(i, OPERATE_RESET);
    instance_state_unref(&i);
    registry_sweep(reg, S(1000000));
    assert_int_equal(on_port(2)->slot, 0);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)
    const struct CMUnitTest tests[] = {
        T(services),
        T(instance_identity),
        T(very_long_names_stay_apart),
        T(slots_are_reused_after_ten_minutes),
        T(who_comes_back_starts_a_new_absence),
        T(referenced_ones_are_not_swept),
        T(many_slots_come_and_go),
        T(unconfigured),
        T(state_survives_a_new_configuration),
        T(transitions_are_recorded),
        T(configuration_makes_transitions),
        T(buckets_ascend),
        T(workers_and_control_at_once),
    };
#undef T

    return cmocka_run_group_tests(tests, NULL, NULL);
}
