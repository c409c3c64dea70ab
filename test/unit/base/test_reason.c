/* SPDX-License-Identifier: Apache-2.0 */
#include "base/reason.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define EACH_REASON(r) for (enum reason r = REASON_NONE; r < REASON_COUNT; r++)

/* It is a metric label and a header value: lower case, digits after a letter, single '_' inside. */
static bool is_snake_case(const char *w)
{
    char before = '_';

    for (; *w; before = *w++) {
        bool letter = *w >= 'a' && *w <= 'z', digit = *w >= '0' && *w <= '9';

        if (!letter && !(*w == '_' && before != '_') && !(digit && before != '_'))
            return false;
    }
    return before != '_';
}

static void words_are_unique_and_found(void **state)
{
    (void)state;
    EACH_REASON(r)
    {
        const char *word = reason_info(r)->word;

        if (!is_snake_case(word))
            fail_msg("'%s' is not snake_case", word);
        if (reason_parse(word) != r)
            fail_msg("'%s' stands for two reasons", word);
    }
    assert_int_equal(reason_parse(""), REASON_COUNT);
    assert_int_equal(reason_parse("No_Route"), REASON_COUNT);
    assert_int_equal(reason_parse("no_rout"), REASON_COUNT);
}

/* What the gateway answers itself is a 4xx for what the client did and a 5xx for the rest; only a
 * 5xx can be cured by another instance. */
static void statuses_make_sense(void **state)
{
    (void)state;
    EACH_REASON(r)
    {
        const struct reason_info *i = reason_info(r);

        if (i->status != 0 && (i->status < 400 || i->status > 599))
            fail_msg("%s: status %d", i->word, i->status);
        if (i->status >= 400 && i->status < 500 && i->retry != RETRY_NEVER)
            fail_msg("%s: the client's mistake is tried again", i->word);
        if (!*i->title)
            fail_msg("%s: no title", i->word);
    }
}

/* The rows on which other parts rely by their meaning. */
static void rows(void **state)
{
    static const struct {
        enum reason reason;
        const char *word;
        int status;
        enum retry_class retry;
    } wanted[] = {
        {REASON_NONE, "none", 0, RETRY_NEVER},
        {REASON_BAD_REQUEST, "bad_request", 400, RETRY_NEVER},
        {REASON_BODY_TOO_LARGE, "body_too_large", 413, RETRY_NEVER},
        {REASON_NO_ROUTE, "no_route", 404, RETRY_NEVER},
        {REASON_METHOD_NOT_ALLOWED, "method_not_allowed", 405, RETRY_NEVER},
        {REASON_NO_HEALTHY_INSTANCE, "no_healthy_instance", 503, RETRY_NEVER},
        {REASON_BREAKER_OPEN, "breaker_open", 503, RETRY_NEVER},
        {REASON_OVERLOADED, "overloaded", 503, RETRY_NEVER},
        {REASON_CONNECT_FAILED, "connect_failed", 502, RETRY_UNSENT},
        {REASON_CONNECT_TIMEOUT, "connect_timeout", 504, RETRY_UNSENT},
        {REASON_UPSTREAM_RESET, "upstream_reset", 502, RETRY_IDEMPOTENT},
        {REASON_UPSTREAM_TIMEOUT, "upstream_timeout", 504, RETRY_IDEMPOTENT},
        {REASON_UPSTREAM_CUT, "upstream_cut", 0, RETRY_NEVER},
        {REASON_CLIENT_GONE, "client_gone", 0, RETRY_NEVER},
    };

    (void)state;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        const struct reason_info *r = reason_info(wanted[i].reason);

        if (strcmp(r->word, wanted[i].word) != 0 || r->status != wanted[i].status ||
            r->retry != wanted[i].retry)
            fail_msg("%s: %s %d %d", wanted[i].word, r->word, r->status, (int)r->retry);
    }
}

static void outside_the_list_is_internal(void **state)
{
    (void)state;
    assert_string_equal(reason_info(REASON_COUNT)->word, "internal");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_unique_and_found),
        cmocka_unit_test(statuses_make_sense),
        cmocka_unit_test(rows),
        cmocka_unit_test(outside_the_list_is_internal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
