/* SPDX-License-Identifier: Apache-2.0 */
#include "base/macros.h"
#include "tls/gate.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const uint64_t t0 = 1000 * NS_PER_S, ms = NS_PER_MS;

static enum tls_entry enter(struct tls_gate *g, const struct tls_conf *c, uint64_t now_ns)
{
    enum tls_entry e = tls_gate_enter(g, c, now_ns);

    if (e == TLS_ENTER)
        tls_gate_leave(g);
    return e;
}

static unsigned enter_many(struct tls_gate *g, const struct tls_conf *c, uint64_t now_ns, int n)
{
    unsigned in = 0;

    while (n-- > 0)
        in += enter(g, c, now_ns) == TLS_ENTER;
    return in;
}

static void no_limit(void **state)
{
    struct tls_gate *g = tls_gate_new();
    struct tls_conf c = {0};

    (void)state;
    assert_int_equal(enter_many(g, &c, t0, 1000), 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(tls_gate_enter(g, &c, t0), TLS_ENTER);
    assert_int_equal(tls_gate_inside(g), 1000);
    tls_gate_unref(&g);
}

static void so_many_a_second(void **state)
{
    struct tls_gate *g = tls_gate_new();
    struct tls_conf c = {.max_handshakes_per_second = 10};

    (void)state;
    assert_int_equal(enter_many(g, &c, t0, 100), 10);
    assert_int_equal(enter(g, &c, t0 + 99 * ms), TLS_TOO_FAST);
    assert_int_equal(enter_many(g, &c, t0 + 100 * ms, 5), 1);
    assert_int_equal(enter_many(g, &c, t0 + 600 * ms, 100), 5);
    /* What was refused costs nothing; a long pause gives no more than a second's worth. */
    assert_int_equal(enter_many(g, &c, t0 + 900 * NS_PER_S, 100), 10);
    tls_gate_unref(&g);
}

static void so_many_at_once(void **state)
{
    struct tls_gate *g = tls_gate_new();
    struct tls_conf c = {.max_concurrent_handshakes = 2, .max_handshakes_per_second = 3};

    (void)state;
    assert_int_equal(tls_gate_enter(g, &c, t0), TLS_ENTER);
    assert_int_equal(tls_gate_enter(g, &c, t0), TLS_ENTER);
    assert_int_equal(tls_gate_enter(g, &c, t0), TLS_TOO_MANY);
    assert_int_equal(tls_gate_inside(g), 2);
    tls_gate_leave(g);
    /* That one was not paid for. */
    assert_int_equal(tls_gate_enter(g, &c, t0), TLS_ENTER);
    tls_gate_leave(g);
    assert_int_equal(tls_gate_enter(g, &c, t0), TLS_TOO_FAST);
    assert_int_equal(tls_gate_inside(g), 1);
    tls_gate_leave(g);
    tls_gate_unref(&g);
}

struct crowd {
    struct tls_gate *g;
    const struct tls_conf *c;
    unsigned in;
};

static void *push(void *arg)
{
    struct crowd *crowd = arg;

    crowd->in = enter_many(crowd->g, crowd->c, t0, 20000);
    return NULL;
}

static void exact_across_threads(void **state)
{
    struct tls_conf c = {.max_handshakes_per_second = 1000};
    struct tls_gate *g = tls_gate_new();
    struct crowd crowds[4];
    pthread_t threads[ARRAY_LEN(crowds)];
    unsigned in = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(crowds); i++) {
        crowds[i] = (struct crowd){tls_gate_ref(g), &c, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, push, &crowds[i]), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(crowds); i++) {
        pthread_join(threads[i], NULL);
        in += crowds[i].in;
        tls_gate_unref(&crowds[i].g);
    }
    assert_int_equal(in, 1000);
    assert_int_equal(tls_gate_inside(g), 0);
    tls_gate_unref(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_limit),
        cmocka_unit_test(so_many_a_second),
        cmocka_unit_test(so_many_at_once),
        cmocka_unit_test(exact_across_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
