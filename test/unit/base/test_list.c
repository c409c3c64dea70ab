/* SPDX-License-Identifier: Apache-2.0 */
#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct item {
    char name;
    struct list node;
};

static struct list head;
static struct item items[4];

static int begin(void **state)
{
    (void)state;
    list_init(&head);
    for (int i = 0; i < 4; i++) {
        items[i].name = (char)('a' + i);
        list_init(&items[i].node);
    }
    return 0;
}

/* The names from front to back, and the links backwards must say the same. */
static const char *names(void)
{
    static char text[8];
    size_t n = 0;

    list_each(it, &head)
    {
        assert_ptr_equal(it->next->prev, it);
        assert_ptr_equal(it->prev->next, it);
        text[n++] = CONTAINER_OF(it, struct item, node)->name;
    }
    text[n] = '\0';
    return text;
}

static void order(void **state)
{
    (void)state;
    assert_true(list_empty(&head));
    list_push_back(&head, &items[1].node);
    list_push_back(&head, &items[2].node);
    list_push_front(&head, &items[0].node);
    list_insert_after(&items[1].node, &items[3].node);
    assert_string_equal(names(), "abdc");
    assert_false(list_empty(&head));
}

static void removing(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        list_push_back(&head, &items[i].node);
    list_remove(&items[2].node);
    assert_string_equal(names(), "abd");
    assert_true(list_empty(&items[2].node));
    list_remove(&items[2].node); /* in no list any more: harmless */
    list_remove(&items[0].node);
    list_remove(&items[3].node);
    assert_string_equal(names(), "b");
}

static void popping(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        list_push_back(&head, &items[i].node);
    for (int i = 0; i < 3; i++)
        assert_ptr_equal(list_pop(&head), &items[i].node);
    assert_null(list_pop(&head));
    assert_true(list_empty(&items[0].node));
}

static void safe_walk_survives_removal(void **state)
{
    int seen = 0;

    (void)state;
    for (int i = 0; i < 4; i++)
        list_push_back(&head, &items[i].node);
    list_each_safe(it, next, &head)
    {
        list_remove(it);
        seen++;
    }
    assert_int_equal(seen, 4);
    assert_true(list_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(order, begin),
        cmocka_unit_test_setup(removing, begin),
        cmocka_unit_test_setup(popping, begin),
        cmocka_unit_test_setup(safe_walk_survives_removal, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
