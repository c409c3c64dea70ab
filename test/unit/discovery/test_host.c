/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "discovery/host.h"

#include <netinet/in.h>

#include <string.h>

static void what_may_be_an_address(void **state)
{
    char longest[255];
    static const struct {
        const char *host;
        bool valid;
    } rows[] = {
        {"10.0.0.1", true},  {"::1", true},         {"fd00::2", true},
        {"localhost", true}, {"a_b.c-d.x", true},   {"1host", true},
        {"0.0.0.0", false},  {"::", false},         {"", false},
        {"10.0.0", false},   {"10.0.0.256", false}, {"1.2.3.4.5", false},
        {"[::1]", false},    {"fe80::1%lo", false}, {"not a host!", false},
        {"-a", false},       {".a", false},         {"a/b", false},
        {"a:80", false},     {"a\nb", false},       {"h\xc3\xb6st", false},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
        if (host_valid(rows[i].host) != rows[i].valid)
            fail_msg("%s", rows[i].host);
    memset(longest, 'a', 254);
    longest[254] = '\0';
    assert_false(host_valid(longest));
    assert_true(host_valid(longest + 1));
}

static void literals(void **state)
{
    struct sockaddr_storage addr;
    socklen_t len = 0;

    (void)state;
    assert_true(host_literal("10.0.0.1", 80, &addr, &len));
    assert_int_equal(addr.ss_family, AF_INET);
    assert_int_equal(len, sizeof(struct sockaddr_in));
    assert_true(host_literal("::1", 80, &addr, &len));
    assert_int_equal(addr.ss_family, AF_INET6);
    assert_int_equal(((struct sockaddr_in6 *)&addr)->sin6_port, htons(80));
    assert_false(host_literal("localhost", 80, &addr, &len));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_may_be_an_address),
        cmocka_unit_test(literals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
