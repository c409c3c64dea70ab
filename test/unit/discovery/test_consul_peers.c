/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "discovery/consul_peers.h"

static void kin_is_one_server_in_common(void **state)
{
    static const struct {
        const char *name, *before, *now;
        enum consul_kin kin;
    } rows[] = {
        {"the first time", NULL, "[\"a:1\"]", CONSUL_KIN_SAME},
        {"the same", "[\"a:1\",\"b:1\"]", "[\"a:1\",\"b:1\"]", CONSUL_KIN_SAME},
        {"in another order", "[\"a:1\",\"b:1\"]", "[\"b:1\",\"a:1\"]", CONSUL_KIN_SAME},
        {"one of three was replaced", "[\"a:1\",\"b:1\",\"c:1\"]", "[\"d:1\",\"c:1\",\"b:1\"]",
         CONSUL_KIN_SAME},
        {"one is left", "[\"a:1\",\"b:1\",\"c:1\"]", "[\"d:1\",\"e:1\",\"b:1\"]", CONSUL_KIN_SAME},
        {"none is", "[\"a:1\",\"b:1\"]", "[\"c:1\",\"d:1\"]", CONSUL_KIN_STRANGER},
        {"another port", "[\"a:1\"]", "[\"a:2\"]", CONSUL_KIN_STRANGER},
        {"nobody", "[\"a:1\"]", "[]", CONSUL_KIN_UNKNOWN},
        {"null", "[\"a:1\"]", "null", CONSUL_KIN_UNKNOWN},
        {"no list", "[\"a:1\"]", "{\"a\":1}", CONSUL_KIN_UNKNOWN},
        {"no addresses", "[\"a:1\"]", "[1,2]", CONSUL_KIN_UNKNOWN},
        {"an error", "[\"a:1\"]", "No cluster leader", CONSUL_KIN_UNKNOWN},
        {"empty", "[\"a:1\"]", "", CONSUL_KIN_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (consul_peers_compare(rows[i].before, str_of(rows[i].now)) != rows[i].kin)
            fail_msg("%s", rows[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(kin_is_one_server_in_common)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
