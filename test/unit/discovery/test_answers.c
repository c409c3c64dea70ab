/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "discovery/answers.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROOM = 1 << 20, T0 = 1000000 };

static const char origin[] = "consul http://127.0.0.1:8500 dc=";

static void assert_kept(const struct answers *a, const char *key, const char *body, int64_t heard)
{
    struct bytes b = {0};
    int64_t ms = 0;

    if (!answers_get(a, key, &b, &ms))
        fail_msg("%s is not there", key);
    assert_true(str_eq(bytes_str(&b), str_of(body)));
    assert_int_equal(ms, heard);
    bytes_free(&b);
}

static bool is_kept(const struct answers *a, const char *key)
{
    struct bytes b = {0};
    int64_t ms;
    bool kept = answers_get(a, key, &b, &ms);

    bytes_free(&b);
    return kept;
}

static struct bytes written(const struct answers *a, int64_t now)
{
    struct bytes b = {0};

    answers_write(a, now, &b);
    return b;
}

static enum answers_result read_into(struct answers *a, struct str s)
{
    struct err e = {""};
    enum answers_result r = answers_read(a, s, &e);

    if (r != ANSWERS_READ) {
        assert_true(e.text[0] != '\0');
        assert_int_equal(answers_count(a), 0);
        assert_int_equal(answers_bytes(a), 0);
    }
    return r;
}

static void what_is_put_is_kept(void **state)
{
    struct answers *a = answers_new(origin, ROOM);

    (void)state;
    assert_false(is_kept(a, "/a?"));
    assert_int_equal(answers_newest_ms(a), 0);
    assert_true(answers_put(a, "/a?", STR("[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]"), T0));
    assert_true(answers_put(a, "/b?", STR(""), T0 + 5));
    assert_kept(a, "/a?", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", T0);
    assert_kept(a, "/b?", "", T0 + 5);
    assert_int_equal(answers_count(a), 2);
    assert_int_equal(answers_newest_ms(a), T0 + 5);
    assert_true(answers_put(a, "/a?", STR("[2]"), T0 + 7));
    assert_kept(a, "/a?", "[2]", T0 + 7);
    assert_int_equal(answers_count(a), 2);
    answers_confirm(a, "/b?", T0 + 9);
    answers_confirm(a, "/c?", T0 + 9);
    assert_kept(a, "/b?", "", T0 + 9);
    answers_forget(a, "/a?");
    answers_forget(a, "/c?");
    assert_false(is_kept(a, "/a?"));
    assert_int_equal(answers_count(a), 1);
    answers_forget(a, "/b?");
    assert_int_equal(answers_bytes(a), 0);
    answers_free(&a);
    assert_null(a);
}

static void keys_are_what_can_be_written(void **state)
{
    static const char *const bad[] = {"", "/a b", "/a\n", "/\x7f", "/\xc3\xa4"};
    struct answers *a = answers_new(origin, ROOM);
    char *longest = malloc(ANSWERS_KEY_MAX + 2);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(answers_put(a, bad[i], STR("[]"), T0));
    memset(longest, 'x', ANSWERS_KEY_MAX + 1);
    longest[ANSWERS_KEY_MAX + 1] = '\0';
    assert_false(answers_put(a, longest, STR("[]"), T0));
    longest[ANSWERS_KEY_MAX] = '\0';
    assert_true(answers_put(a, longest, STR("[]"), T0));
    assert_int_equal(answers_count(a), 1);
    free(longest);
    answers_free(&a);
}

static void what_finds_no_room_is_not_kept_at_all(void **state)
{
    struct answers *a = answers_new(origin, 400);
    char noise[300];

    (void)state;
    for (unsigned i = 0; i < sizeof noise; i++)
        noise[i] = (char)(i * i * 7 + i / 3);
    assert_true(answers_put(a, "/a?", STR("[1]"), T0));
    assert_false(answers_put(a, "/b?", (struct str){noise, sizeof noise}, T0));
    assert_true(answers_bytes(a) <= 400);
    assert_kept(a, "/a?", "[1]", T0);
    assert_false(answers_put(a, "/a?", (struct str){noise, sizeof noise}, T0));
    assert_false(is_kept(a, "/a?"));
    assert_true(answers_put(a, "/a?", STR("[2]"), T0));
    assert_kept(a, "/a?", "[2]", T0);
    answers_free(&a);
}

static void written_and_read_again(void **state)
{
    struct answers *a = answers_new(origin, ROOM), *b = answers_new(origin, ROOM);
    struct bytes w;
    char key[48], body[64];

    (void)state;
    answers_use(a, "/nothing-said?");
    for (int i = 0; i < 200; i++) {
        snprintf(key, sizeof key, "/v1/health/service/%d?stale&", i);
        snprintf(body, sizeof body, "[{\"Service\":%d}]\n", i);
        assert_true(answers_put(a, key, str_of(body), T0 + i));
    }
    w = written(a, T0);
    assert_int_equal(read_into(b, bytes_str(&w)), ANSWERS_READ);
    assert_int_equal(answers_count(b), 200);
    assert_int_equal(answers_bytes(b), answers_bytes(a));
    assert_int_equal(answers_newest_ms(b), T0 + 199);
    assert_kept(b, "/v1/health/service/7?stale&", "[{\"Service\":7}]\n", T0 + 7);
    bytes_free(&w);
    answers_free(&a);
    answers_free(&b);
}

static void another_consul_is_told_apart(void **state)
{
    struct answers *a = answers_new(origin, ROOM),
                   *b = answers_new("consul http://127.0.0.1:8500 dc=two", ROOM);
    struct bytes w;

    (void)state;
    assert_true(answers_put(a, "/a?", STR("[1]"), T0));
    w = written(a, T0);
    assert_int_equal(read_into(b, bytes_str(&w)), ANSWERS_OTHER_ORIGIN);
    bytes_free(&w);
    answers_free(&a);
    answers_free(&b);
}

/* Only the checksum of the file finds a flipped bit in a body; here it must not do any harm. */
static void no_cut_and_no_flip_does_harm(void **state)
{
    struct answers *a = answers_new(origin, ROOM);
    struct bytes w;

    (void)state;
    assert_true(answers_put(a, "/a?", STR("[1,2,3]"), T0));
    assert_true(answers_put(a, "/b?", STR("{}"), T0));
    w = written(a, T0);
    for (size_t n = 0; n <= w.end; n++) {
        struct answers *b = answers_new(origin, ROOM);
        enum answers_result r = read_into(b, (struct str){w.p, n});

        if (r == ANSWERS_READ && n != w.end)
            assert_true(answers_count(b) < 2);
        answers_free(&b);
    }
    for (size_t i = 0; i < w.end * 8; i++) {
        struct answers *b = answers_new(origin, ROOM);

        w.p[i / 8] ^= (char)(1 << i % 8);
        if (read_into(b, bytes_str(&w)) == ANSWERS_READ) {
            (void)is_kept(b, "/a?");
            (void)is_kept(b, "/b?");
        }
        w.p[i / 8] ^= (char)(1 << i % 8);
        answers_free(&b);
    }
    bytes_free(&w);
    answers_free(&a);
}

#define LINE1 "consul http://127.0.0.1:8500 dc=\n"

static void what_is_malformed_is_refused(void **state)
{
    static const struct {
        const char *name, *text;
    } rows[] = {
        {"nothing", ""},
        {"no end of the first line", "consul"},
        {"no numbers", LINE1 "\n"},
        {"too few numbers", LINE1 "1 1 1 1\naz"},
        {"too many numbers", LINE1 "1 1 1 1 1 1\naz"},
        {"a number below 0", LINE1 "1 1 -1 1 1\naz"},
        {"a number that overflows", LINE1 "1 1 1 18446744073709551616 1\naz"},
        {"no key", LINE1 "0 1 1 1 1\nz"},
        {"no body", LINE1 "1 0 0 1 1\na"},
        {"cut in the key", LINE1 "3 1 1 1 1\na"},
        {"cut in the body", LINE1 "1 3 1 1 1\naz"},
        {"a key with a space", LINE1 "2 1 1 1 1\n az"},
        {"a key twice", LINE1 "1 1 1 1 1\naz1 1 1 1 1\naz"},
        {"a body that cannot be packed so small", LINE1 "1 1 67108864 1 1\naz"},
        {"a body above the bound", LINE1 "1 1 67108865 1 1\naz"},
        {"more than there is room for", LINE1 "1 9000000 1 1 1\naz"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct answers *a = answers_new(origin, ROOM);

        if (read_into(a, str_of(rows[i].text)) != ANSWERS_MALFORMED)
            fail_msg("%s", rows[i].name);
        answers_free(&a);
    }
}

static void unused_answers_go_after_a_day(void **state)
{
    struct answers *a = answers_new(origin, ROOM), *b = answers_new(origin, ROOM);
    int64_t day = ANSWERS_UNUSED_MS;
    struct bytes w;

    (void)state;
    answers_use(a, "/used?");
    answers_use(a, "/left?");
    answers_use(a, "/nothing-said?");
    assert_true(answers_put(a, "/used?", STR("[1]"), T0));
    assert_true(answers_put(a, "/left?", STR("[2]"), T0));
    assert_true(answers_put(a, "/never?", STR("[3]"), T0));
    answers_leave(a, "/left?", T0 + 100);
    answers_leave(a, "/nothing-said?", T0 + 100);
    answers_leave(a, "/never?", T0);
    answers_prune(a, T0 + day);
    assert_int_equal(answers_count(a), 3);
    answers_prune(a, T0 + day + 1);
    assert_false(is_kept(a, "/never?"));
    assert_true(is_kept(a, "/left?"));

    /* What is used is so at the time of writing; the age of what is not goes on. */
    w = written(a, T0 + day + 50);
    assert_int_equal(read_into(b, bytes_str(&w)), ANSWERS_READ);
    bytes_free(&w);
    assert_kept(b, "/used?", "[1]", T0);
    answers_prune(b, T0 + day + 101);
    assert_false(is_kept(b, "/left?"));
    assert_true(is_kept(b, "/used?"));
    answers_prune(b, T0 + day + 50 + day + 1);
    assert_false(is_kept(b, "/used?"));
    assert_int_equal(answers_bytes(b), 0);

    /* What a query asks for can be forgotten and said again. */
    answers_forget(a, "/used?");
    assert_false(is_kept(a, "/used?"));
    assert_true(answers_put(a, "/used?", STR("[4]"), T0 + 2 * day));
    answers_prune(a, T0 + 9 * day);
    assert_kept(a, "/used?", "[4]", T0 + 2 * day);
    answers_free(&a);
    answers_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_is_kept),
        cmocka_unit_test(keys_are_what_can_be_written),
        cmocka_unit_test(what_finds_no_room_is_not_kept_at_all),
        cmocka_unit_test(written_and_read_again),
        cmocka_unit_test(another_consul_is_told_apart),
        cmocka_unit_test(no_cut_and_no_flip_does_harm),
        cmocka_unit_test(what_is_malformed_is_refused),
        cmocka_unit_test(unused_answers_go_after_a_day),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
