/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/request_id.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct worker worker;
static struct exchange exchange = {.w = &worker};

static const char *chosen(const char *given)
{
    exchange.req.nheaders = 0;
    if (given)
        exchange.req.headers[exchange.req.nheaders++] = (struct header){
            .name = STR("X-Request-Id"), .value = str_of(given), .id = HEADER_X_REQUEST_ID};
    request_id_choose(&exchange);
    return exchange.request_id;
}

static void the_clients_own(void **state)
{
    static const struct {
        const char *name, *given;
        bool kept;
    } rows[] = {
        {"UUID", "7d444840-9dc0-11d1-b245-5ffdce74fad2", true},
        {"all kinds of bytes", "Az09-_.:", true},
        {"one byte", "x", true},
        {"64 bytes", "0123456789012345678901234567890123456789012345678901234567890123", true},
        {"65 bytes", "01234567890123456789012345678901234567890123456789012345678901234", false},
        {"empty", "", false},
        {"space", "a b", false},
        {"quote", "a\"b", false},
        {"markup", "<a>", false},
        {"escape", "a\\b", false},
        {"not ASCII", "\xc3\xa4", false},
        {"comma", "a,b", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if ((strcmp(chosen(rows[i].given), rows[i].given) == 0) != rows[i].kept)
            fail_msg("%s: '%s'", rows[i].name, exchange.request_id);
}

static void a_new_one_is_128_bits_in_hexadecimal(void **state)
{
    char before[REQUEST_ID_MAX + 1] = "";

    (void)state;
    for (int i = 0; i < 100; i++) {
        const char *id = chosen(i % 2 ? NULL : "not usable");

        assert_int_equal(strlen(id), 32);
        assert_int_equal(strspn(id, "0123456789abcdef"), 32);
        assert_string_not_equal(id, before);
        strcpy(before, id);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_clients_own),
        cmocka_unit_test(a_new_one_is_128_bits_in_hexadecimal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
