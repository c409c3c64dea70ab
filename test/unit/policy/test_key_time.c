/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/key_time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_times(void **state)
{
    static const struct {
        const char *text;
        uint64_t at; /* 0 = it is none */
    } rows[] = {
        {"2027-01-31", 1801353600},
        {"2027-01-31T00:00:00Z", 1801353600},
        {"2027-01-31T12:00:01Z", 1801396801},
        {"2028-02-29", 1835395200},
        {"9999-12-31T23:59:59Z", 253402300799},
        {"2027-02-29", 0},
        {"2027-13-01", 0},
        {"2027-00-10", 0},
        {"2027-01-00", 0},
        {"2027-01-31T24:00:00Z", 0},
        {"2027-01-31T12:60:00Z", 0},
        {"2027-01-31T12:00:60Z", 0},
        {"2027-01-31T12:00:00", 0},
        {"2027-01-31T12:00:00z", 0},
        {"2027-01-31 12:00:00Z", 0},
        {"2027-01-31T12:00:00+01:00", 0},
        {"2027-1-31", 0},
        {"+027-01-31", 0},
        {" 027-01-31", 0},
        {"2027-01-31 ", 0},
        {"1970-01-01", 0},
        {"1969-12-31", 0},
        {"", 0},
        {"never", 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t at = 0;
        bool taken = key_time_parse(rows[i].text, &at);

        if (taken != (rows[i].at != 0) || at != rows[i].at)
            fail_msg("\"%s\": %s, %llu", rows[i].text, taken ? "taken" : "refused",
                     (unsigned long long)at);
    }
}

static void test_there_and_back(void **state)
{
    char buf[KEY_TIME_MAX];
    uint64_t at;

    (void)state;
    for (uint64_t s = 1; s < 4000000000u; s = s * 3 + 7) {
        assert_true(key_time_parse(key_time_format(s, buf), &at));
        assert_int_equal(at, s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_there_and_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
