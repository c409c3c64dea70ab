/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/password_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct identity *somebody(const char *user)
{
    struct identity *i = identity_new(IDENTITY_BASIC, "staff", json_pack("{s:s}", "sub", user), 0);

    assert_non_null(i);
    return i;
}

/* The first two bytes choose the place. */
static unsigned char *digest(unsigned char place, unsigned char rest)
{
    static unsigned char d[PASSWORD_DIGEST];

    memset(d, rest, sizeof d);
    d[0] = place;
    d[1] = 0;
    return d;
}

static void test_time(void **state)
{
    struct password_cache *c = password_cache_new();
    struct identity *ada = somebody("ada");

    (void)state;
    assert_null(password_cache_find(c, digest(1, 1), 100));
    password_cache_add(c, digest(1, 1), ada, 200);
    assert_ptr_equal(password_cache_find(c, digest(1, 1), 199), ada);
    assert_null(password_cache_find(c, digest(1, 1), 200));
    assert_null(password_cache_find(c, digest(1, 2), 199));
    assert_null(password_cache_find(c, digest(2, 1), 199));
    password_cache_add(c, digest(1, 1), ada, 300);
    assert_ptr_equal(password_cache_find(c, digest(1, 1), 299), ada);
    identity_unref(&ada);
    password_cache_free(&c);
}

/* Of five at one place the one that ends first makes room. */
static void test_room(void **state)
{
    struct password_cache *c = password_cache_new();
    struct identity *who[5];

    (void)state;
    for (unsigned char i = 0; i < 5; i++) {
        who[i] = somebody("x");
        password_cache_add(c, digest(7, i), who[i], 1000 - (i == 2 ? 500 : i));
    }
    for (unsigned char i = 0; i < 5; i++)
        assert_ptr_equal(password_cache_find(c, digest(7, i), 10), i == 2 ? NULL : who[i]);
    for (int i = 0; i < 5; i++)
        identity_unref(&who[i]);
    password_cache_free(&c);
    password_cache_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
