/* SPDX-License-Identifier: Apache-2.0 */
#include "base/macros.h"
#include "proxy/h2_guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct http2_conf conf = {.reset_burst = 100, .reset_rate = 10};
static const uint64_t start_ns = 1000 * NS_PER_S;

static unsigned resets_until_full(struct h2_guard *g, uint64_t now_ns)
{
    unsigned n = 0;

    while (n < 100000 && h2_guard_reset(g, &conf, now_ns))
        n++;
    return n;
}

static unsigned frames_until_full(struct h2_guard *g, uint64_t now_ns)
{
    unsigned n = 0;

    while (n < 1000000 && h2_guard_frame(g, now_ns))
        n++;
    return n;
}

static void a_burst_passes_and_no_more(void **state)
{
    struct h2_guard g = {0};

    (void)state;
    assert_int_equal(resets_until_full(&g, start_ns), 100);
}

static void time_forgives(void **state)
{
    struct h2_guard g = {0};
    uint64_t now = start_ns;

    (void)state;
    assert_int_equal(resets_until_full(&g, now), 100);
    /* The one that was refused counts too. */
    now += 2 * NS_PER_S;
    assert_int_equal(resets_until_full(&g, now), 19);
    now += 3600 * NS_PER_S;
    assert_int_equal(resets_until_full(&g, now), 100);
}

static void at_the_rate_it_goes_on_for_ever(void **state)
{
    struct h2_guard g = {0};
    uint64_t now = start_ns;

    (void)state;
    for (unsigned i = 0; i < 100000; i++, now += NS_PER_S / 10)
        assert_true(h2_guard_reset(&g, &conf, now));
}

static void frames_without_work_end(void **state)
{
    struct h2_guard g = {0};

    (void)state;
    assert_int_equal(frames_until_full(&g, start_ns), 10000);
}

static void work_pays_for_frames(void **state)
{
    struct h2_guard g = {0};

    (void)state;
    assert_int_equal(frames_until_full(&g, start_ns), 10000);
    h2_guard_worked(&g, 1, 0);
    assert_int_equal(frames_until_full(&g, start_ns), 19);
    h2_guard_worked(&g, 0, 100 * 1024);
    assert_int_equal(frames_until_full(&g, start_ns), 99);
    /* Never more than a burst. */
    h2_guard_worked(&g, 1000000, UINT64_C(1) << 40);
    assert_true(frames_until_full(&g, start_ns) <= 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_passes_and_no_more),
        cmocka_unit_test(time_forgives),
        cmocka_unit_test(at_the_rate_it_goes_on_for_ever),
        cmocka_unit_test(frames_without_work_end),
        cmocka_unit_test(work_pays_for_frames),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
