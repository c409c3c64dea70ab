/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coding/accept.h"

static void chosen(void **state)
{
    static const enum coding ours[] = {CODING_ZSTD, CODING_BR, CODING_GZIP};
    static const struct {
        const char *one, *other; /* two fields */
        enum coding coding;
    } rows[] = {
        {"", "", CODING_IDENTITY},
        {"gzip", "", CODING_GZIP},
        {"gzip, br", "", CODING_BR},
        {"gzip", "zstd", CODING_ZSTD},
        {"gzip;q=1.0, br;q=0.999", "", CODING_GZIP},
        {"gzip;q=0.001", "", CODING_GZIP},
        {"gzip;q=0", "", CODING_IDENTITY},
        {"gzip;q=0.000, *", "", CODING_ZSTD},
        {"*;q=0", "", CODING_IDENTITY},
        {"*;q=0, br", "", CODING_BR},
        {"identity", "", CODING_IDENTITY},
        {"identity;q=0.5, gzip;q=0.5", "", CODING_GZIP},
        {"identity;q=0.6, gzip;q=0.5", "", CODING_IDENTITY},
        {"identity;q=0, gzip;q=0.1", "", CODING_GZIP},
        {"gzip;Q=1", "", CODING_GZIP},
        {"gzip;q=1.001", "", CODING_IDENTITY},
        {"gzip;q=.5", "", CODING_IDENTITY},
        {"gzip;q=", "", CODING_IDENTITY},
        {"gzip;q=0.12345", "", CODING_IDENTITY},
        {"gzip;q=1;x=y", "", CODING_IDENTITY},
        {"gzip br", "", CODING_IDENTITY},
        {" , x-gzip\t;\tq=0.5 ,", "", CODING_GZIP},
        {"deflate, sdch", "", CODING_IDENTITY},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct accepted a;

        accept_begin(&a);
        accept_add(&a, str_of(rows[i].one));
        accept_add(&a, str_of(rows[i].other));
        if (accept_choose(&a, ours, ARRAY_LEN(ours)) != rows[i].coding)
            fail_msg("%s", rows[i].one);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(chosen)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
