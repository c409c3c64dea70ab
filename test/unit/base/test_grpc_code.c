/* SPDX-License-Identifier: Apache-2.0 */
#include "base/grpc_code.h"
#include "base/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void names_and_numbers(void **state)
{
    static const struct {
        const char *text;
        int code;
    } rows[] = {
        {"0", 0},   {"ok", 0},         {"14", 14}, {"UNAVAILABLE", 14}, {"unauthenticated", 16},
        {"17", -1}, {"", -1},          {"-1", -1}, {"gone", -1},        {"1 ", -1},
        {"4", 4},   {"data_loss", 15}, {"16", 16}, {"4294967296", -1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unsigned code = 99;
        bool ok = grpc_code_parse(rows[i].text, &code);

        assert_int_equal(ok, rows[i].code >= 0);
        if (ok)
            assert_int_equal(code, rows[i].code);
    }
    for (unsigned i = 0; i < GRPC_CODES; i++) {
        unsigned code = 99;

        assert_true(grpc_code_parse(grpc_code_name(i), &code));
        assert_int_equal(code, i);
    }
    assert_string_equal(grpc_code_name(17), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_and_numbers)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
