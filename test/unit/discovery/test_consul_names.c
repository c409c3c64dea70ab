/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "discovery/consul_names.h"

static void names(void **state)
{
    static const struct {
        const char *body;
        int n; /* -1 = refused */
        const char *first;
    } rows[] = {
        {"[]", 0, NULL},
        {"[{\"Name\":\"Web\"},{\"Name\":\"api\"}]", 2, "web"},
        {"[{\"Name\":\"\"},{},7,null,{\"Name\":7},{\"Name\":\"x\"}]", 1, "x"},
        {"{}", -1, NULL},
        {"null", -1, NULL},
        {"", -1, NULL},
        {"[{\"Name\":\"web\"", -1, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena *a = arena_new();
        struct consul_names got = {.n = 0};
        struct err e = {.text = ""};
        int rc = consul_names_read(str_of(rows[i].body), a, &got, &e);

        if ((rc == 0 ? (int)got.n : -1) != rows[i].n)
            fail_msg("%s: %d %u", rows[i].body, rc, got.n);
        if (rows[i].first)
            assert_string_equal(got.names[0], rows[i].first);
        if (rc != 0)
            assert_true(e.text[0]);
        arena_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
