/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/answer_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 1 << 20 };

/* `place` decides the bucket. */
static unsigned char *digest(unsigned char place, unsigned char rest)
{
    static unsigned char d[ANSWER_DIGEST];

    memset(d, 0, sizeof d);
    d[0] = place;
    d[ANSWER_DIGEST - 1] = rest;
    return d;
}

static struct identity *somebody(void)
{
    struct identity *i =
        identity_new(IDENTITY_FORWARD, "keeper", json_pack("{s:s}", "sub", "ada"), 0);

    assert_non_null(i);
    return i;
}

static void add(struct answer_cache *c, unsigned char n, size_t bytes)
{
    struct cached_answer a = {.detail = "no"};

    answer_cache_add(c, digest(n, n), &a, bytes, 1000);
}

static bool has(struct answer_cache *c, unsigned char n)
{
    return answer_cache_find(c, digest(n, n), 10) != NULL;
}

static void both_kinds(void **state)
{
    struct answer_cache *c = answer_cache_new(8, MANY);
    struct identity *ada = somebody();
    const struct cached_answer *got;

    (void)state;
    answer_cache_add(c, digest(1, 1), &(struct cached_answer){ada, NULL}, 10, 1000);
    answer_cache_add(c, digest(1, 2), &(struct cached_answer){NULL, "no"}, 10, 1000);
    got = answer_cache_find(c, digest(1, 1), 10);
    assert_ptr_equal(got->identity, ada);
    got = answer_cache_find(c, digest(1, 2), 10);
    assert_null(got->identity);
    assert_string_equal(got->detail, "no");
    assert_null(answer_cache_find(c, digest(1, 3), 10));
    assert_null(answer_cache_find(c, digest(2, 1), 10));
    assert_int_equal(ada->refs, 2);
    answer_cache_free(&c);
    assert_int_equal(ada->refs, 1);
    assert_null(c);
    answer_cache_free(&c);
    identity_unref(&ada);
}

static void time_ends_them(void **state)
{
    struct answer_cache *c = answer_cache_new(8, MANY);
    struct identity *ada = somebody();

    (void)state;
    answer_cache_add(c, digest(1, 1), &(struct cached_answer){ada, NULL}, 10, 200);
    assert_non_null(answer_cache_find(c, digest(1, 1), 199));
    assert_null(answer_cache_find(c, digest(1, 1), 200));
    assert_int_equal(ada->refs, 1);
    assert_null(answer_cache_find(c, digest(1, 1), 199));
    answer_cache_free(&c);
    identity_unref(&ada);
}

static void the_later_answer_counts(void **state)
{
    struct answer_cache *c = answer_cache_new(8, MANY);
    struct identity *ada = somebody();

    (void)state;
    answer_cache_add(c, digest(1, 1), &(struct cached_answer){ada, NULL}, 10, 1000);
    answer_cache_add(c, digest(1, 1), &(struct cached_answer){NULL, "no"}, 10, 1000);
    assert_null(answer_cache_find(c, digest(1, 1), 10)->identity);
    assert_int_equal(ada->refs, 1);
    answer_cache_free(&c);
    identity_unref(&ada);
}

static void the_one_used_longest_ago_goes(void **state)
{
    struct answer_cache *c = answer_cache_new(3, MANY);

    (void)state;
    for (unsigned char n = 0; n < 3; n++)
        add(c, n, 1);
    assert_true(has(c, 0));
    add(c, 3, 1);
    assert_true(has(c, 0) && !has(c, 1) && has(c, 2) && has(c, 3));
    answer_cache_free(&c);
}

static void bytes_are_bounded(void **state)
{
    struct answer_cache *c = answer_cache_new(100, 4000);

    (void)state;
    add(c, 1, 1500);
    add(c, 2, 1500);
    assert_true(has(c, 1) && has(c, 2));
    add(c, 3, 1500);
    assert_true(!has(c, 1) && has(c, 2) && has(c, 3));
    /* One that is too large takes its own old self along and nothing else. */
    add(c, 2, 5000);
    assert_true(!has(c, 2) && has(c, 3));
    answer_cache_free(&c);
}

/* More than there are buckets, in and out. */
static void many(void **state)
{
    struct answer_cache *c = answer_cache_new(100, MANY);
    unsigned there = 0;

    (void)state;
    for (unsigned round = 0; round < 4; round++)
        for (unsigned n = 0; n < 250; n++)
            add(c, (unsigned char)n, round);
    for (unsigned n = 0; n < 256; n++)
        there += has(c, (unsigned char)n);
    assert_int_equal(there, 100);
    assert_true(has(c, 249) && has(c, 150) && !has(c, 149));
    answer_cache_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_kinds),
        cmocka_unit_test(time_ends_them),
        cmocka_unit_test(the_later_answer_counts),
        cmocka_unit_test(the_one_used_longest_ago_goes),
        cmocka_unit_test(bytes_are_bounded),
        cmocka_unit_test(many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
