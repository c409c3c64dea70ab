/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/tickets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { ROTATION_MS = 1000 };

static const uint64_t s = NS_PER_S;

static struct ticket_key newest(struct ticket_keys *k, uint64_t now_ns)
{
    struct ticket_key key;

    assert_int_equal(ticket_keys_newest(k, now_ns, &key), 0);
    return key;
}

static int find(struct ticket_keys *k, const struct ticket_key *key, uint64_t now_ns)
{
    struct ticket_key found;
    int at = ticket_keys_find(k, key->name, now_ns, &found);

    if (at >= 0)
        assert_memory_equal(&found, key, sizeof found);
    return at;
}

static void a_key_has_its_time(void **state)
{
    struct ticket_keys *k = ticket_keys_new(ROTATION_MS);
    struct ticket_key first = newest(k, 10 * s), second;

    (void)state;
    second = newest(k, 11 * s - 1);
    assert_memory_equal(&first, &second, sizeof first);
    assert_int_equal(find(k, &first, 11 * s - 1), 0);
    /* It protects no more, and still opens. */
    second = newest(k, 11 * s);
    assert_memory_not_equal(first.name, second.name, sizeof first.name);
    assert_memory_not_equal(first.cipher, second.cipher, sizeof first.cipher);
    assert_memory_not_equal(first.mac, second.mac, sizeof first.mac);
    assert_int_equal(find(k, &first, 12 * s - 1), 1);
    assert_int_equal(find(k, &second, 12 * s - 1), 0);
    assert_int_equal(find(k, &first, 12 * s), -1);
    assert_int_equal(find(k, &second, 12 * s), 1);
    ticket_keys_unref(&k);
}

/* Nobody came for a while, so nobody turned the keys: they are old all the same. */
static void after_a_pause(void **state)
{
    struct ticket_keys *k = ticket_keys_new(ROTATION_MS);
    struct ticket_key first = newest(k, 10 * s), second;

    (void)state;
    second = newest(k, 10 * s + 19 * s / 10);
    assert_int_equal(find(k, &first, 12 * s - 1), 1);
    assert_int_equal(find(k, &first, 12 * s), -1);
    assert_int_equal(find(k, &second, 12 * s), 0);
    assert_int_equal(find(k, &second, 100 * s), -1);
    ticket_keys_unref(&k);
}

static void a_stranger_finds_none(void **state)
{
    struct ticket_keys *k = ticket_keys_new(ROTATION_MS), *other = ticket_keys_new(ROTATION_MS);
    struct ticket_key theirs = newest(other, 10 * s), none = {.made_ns = 0};

    (void)state;
    assert_int_equal(find(k, &none, 10 * s), -1);
    assert_int_equal(find(k, &theirs, 10 * s), -1);
    ticket_keys_unref(&k);
    ticket_keys_unref(&other);
}

static void another_rotation(void **state)
{
    struct ticket_keys *k = ticket_keys_new(ROTATION_MS), *second = ticket_keys_ref(k);
    struct ticket_key first = newest(k, 10 * s), key;

    (void)state;
    ticket_keys_set_rotation(k, 10 * ROTATION_MS);
    key = newest(k, 19 * s);
    assert_memory_equal(&first, &key, sizeof first);
    ticket_keys_set_rotation(k, ROTATION_MS);
    key = newest(k, 19 * s);
    assert_memory_not_equal(first.name, key.name, sizeof first.name);
    ticket_keys_unref(&k);
    assert_null(k);
    newest(second, 20 * s);
    ticket_keys_unref(&second);
    ticket_keys_unref(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_has_its_time),
        cmocka_unit_test(after_a_pause),
        cmocka_unit_test(a_stranger_finds_none),
        cmocka_unit_test(another_rotation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
