/* SPDX-License-Identifier: Apache-2.0 */
#include "http/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void test_header_ids(void **state)
{
    static const struct {
        const char *name;
        enum header_id id;
    } rows[] = {
        {"Host", HEADER_HOST},
        {"Connection", HEADER_CONNECTION},
        {"Content-Length", HEADER_CONTENT_LENGTH},
        {"Transfer-Encoding", HEADER_TRANSFER_ENCODING},
        {"TE", HEADER_TE},
        {"Trailer", HEADER_TRAILER},
        {"Upgrade", HEADER_UPGRADE},
        {"Keep-Alive", HEADER_KEEP_ALIVE},
        {"Proxy-Connection", HEADER_PROXY_CONNECTION},
        {"Proxy-Authenticate", HEADER_PROXY_AUTHENTICATE},
        {"Proxy-Authorization", HEADER_PROXY_AUTHORIZATION},
        {"Proxy", HEADER_PROXY},
        {"Expect", HEADER_EXPECT},
        {"Authorization", HEADER_AUTHORIZATION},
        {"Cookie", HEADER_COOKIE},
        {"Forwarded", HEADER_FORWARDED},
        {"X-Forwarded-For", HEADER_X_FORWARDED_FOR},
        {"X-Forwarded-Proto", HEADER_X_FORWARDED_PROTO},
        {"X-Forwarded-Host", HEADER_X_FORWARDED_HOST},
        {"X-Forwarded-Port", HEADER_X_FORWARDED_PORT},
        {"X-Forwarded-Prefix", HEADER_X_FORWARDED_PREFIX},
        {"X-Real-IP", HEADER_X_REAL_IP},
        {"X-Request-Id", HEADER_X_REQUEST_ID},
        {"Via", HEADER_VIA},
        {"Date", HEADER_DATE},
        {"Server", HEADER_SERVER},
        {"Retry-After", HEADER_RETRY_AFTER},
    };
    char changed[32];

    (void)state;
    assert_int_equal(sizeof(rows) / sizeof(rows[0]), HEADER_ID_COUNT - 1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t n = strlen(rows[i].name);

        if (header_id(str_of(rows[i].name)) != rows[i].id)
            fail_msg("%s is not recognised", rows[i].name);
        for (size_t k = 0; k < n; k++)
            changed[k] = ascii_lower(rows[i].name[k]);
        assert_int_equal(header_id((struct str){changed, n}), rows[i].id);
        changed[n - 1] = '!';
        assert_int_equal(header_id((struct str){changed, n}), HEADER_OTHER);
    }
    assert_int_equal(header_id(STR("")), HEADER_OTHER);
    assert_int_equal(header_id(STR("Accept")), HEADER_OTHER);
    assert_int_equal(header_id(STR("a-very-long-name-that-nobody-knows")), HEADER_OTHER);
}

static void test_idempotent_methods(void **state)
{
    (void)state;
    assert_true(method_idempotent(METHOD_GET) && method_idempotent(METHOD_HEAD) &&
                method_idempotent(METHOD_PUT) && method_idempotent(METHOD_DELETE) &&
                method_idempotent(METHOD_OPTIONS));
    assert_false(method_idempotent(METHOD_POST) || method_idempotent(METHOD_PATCH) ||
                 method_idempotent(METHOD_OTHER));
}

static void test_lookups(void **state)
{
    struct request r = {
        .query = STR("a=1&bb=2&flag&a=3&empty="),
        .has_query = true,
        .nheaders = 4,
        .headers = {{STR("Accept"), STR("*/*"), HEADER_OTHER, false},
                    {STR("Cookie"), STR("s=1; sid=x=y"), HEADER_COOKIE, false},
                    {STR("X-User"), STR("7"), HEADER_OTHER, false},
                    {STR("cookie"), STR("late=z;"), HEADER_COOKIE, false}},
    };
    struct str value = STR("untouched");

    (void)state;
    assert_ptr_equal(request_header(&r, HEADER_COOKIE), &r.headers[1]);
    assert_null(request_header(&r, HEADER_HOST));
    assert_ptr_equal(request_header_named(&r, STR("x-user")), &r.headers[2]);
    assert_null(request_header_named(&r, STR("x-use")));

    assert_false(request_cookie(&r, STR("id"), &value));
    assert_true(str_eq(value, STR("untouched")));
    assert_true(request_cookie(&r, STR("sid"), &value) && str_eq(value, STR("x=y")));
    assert_true(request_cookie(&r, STR("late"), &value) && str_eq(value, STR("z")));

    assert_true(request_query(&r, STR("a"), &value) && str_eq(value, STR("1")));
    assert_true(request_query(&r, STR("bb"), &value) && str_eq(value, STR("2")));
    assert_true(request_query(&r, STR("flag"), &value) && value.n == 0);
    assert_true(request_query(&r, STR("empty"), &value) && value.n == 0);
    assert_false(request_query(&r, STR("b"), &value));
    r.has_query = false;
    assert_false(request_query(&r, STR("a"), &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header_ids),
        cmocka_unit_test(test_idempotent_methods),
        cmocka_unit_test(test_lookups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
