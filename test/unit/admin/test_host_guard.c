/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/host_guard.h"
#include "base/macros.h"

static void only_what_cannot_be_rebound(void **state)
{
    static const struct {
        const char *host;
        bool allowed;
    } cases[] = {
        {NULL, true},
        {"", true},
        {"127.0.0.1", true},
        {"127.0.0.1:9901", true},
        {"10.1.2.3:80", true},
        {"localhost", true},
        {"LocalHost:9901", true},
        {"[::1]", true},
        {"[::1]:9901", true},
        {"[fe80::1]:1", true},
        {"evil.example", false},
        {"evil.example:9901", false},
        {"localhost.evil.example", false},
        {"127.0.0.1.evil.example", false},
        {"127.0.0.1@evil.example", false},
        {"127.0.0.1:9901:1", false},
        {"127.0.0.1:x", false},
        {"127.0.0.1:70000", false},
        {"127.0.0.1:", false},
        {"127.1", false},
        {"0x7f000001", false},
        {"::1", false},
        {"[::1", false},
        {"[::1]evil.example", false},
        {"[evil.example]", false},
        {"[]", false},
        {" localhost", false},
        {"[1111111111111111111111111111111111111111111111111111111111111111]", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (host_guard_allows(cases[i].host) != cases[i].allowed)
            fail_msg("%s: expected %d", cases[i].host, cases[i].allowed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(only_what_cannot_be_rebound)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
