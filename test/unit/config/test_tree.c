/* SPDX-License-Identifier: Apache-2.0 */
#include "config/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct arena *arena;
    struct tree tree;
    struct err e;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    f->arena = arena_new();
    tree_init(&f->tree, f->arena);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    arena_free(f->arena);
    free(f);
    return 0;
}

static int add(struct fixture *f, const char *file, const char *text)
{
    return tree_add(&f->tree, file, text, strlen(text), &f->e);
}

static void values_know_their_place(void **state)
{
    struct fixture *f = *state;
    const struct node *service, *rate;

    assert_int_equal(add(f, "d/a.yaml",
                         "# comment\nservices:\n  orders:\n    breaker:\n      rate: 50\n"
                         "    tags: [a, b]\n"),
                     0);
    service = node_get(node_get(&f->tree.root, "services"), "orders");
    rate = node_get(node_get(service, "breaker"), "rate");
    assert_string_equal(rate->text, "50");
    assert_int_equal(rate->line, 5);
    assert_int_equal(node_get(service, "breaker")->line, 4);
    assert_int_equal(node_get(service, "tags")->n, 2);
    assert_null(node_get(service, "other"));

    node_error(rate, &f->e, "too %s", "low");
    assert_string_equal(f->e.text, "d/a.yaml:5: services.orders.breaker.rate: too low");
    node_expected(node_get(service, "tags")->last, &f->e, "a number");
    assert_string_equal(f->e.text,
                        "d/a.yaml:6: services.orders.tags[1]: expected a number, found \"b\"");
    node_expected(service, &f->e, "a word");
    assert_string_equal(f->e.text, "d/a.yaml:3: services.orders: expected a word, found a map");
}

static void null_is_what_was_not_written(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(add(f, "a", "a:\nb: ~\nc: null\nd: \"\"\ne: 'null'\nf: []\n"), 0);
    for (const struct node *n = f->tree.root.first; n; n = n->next)
        assert_int_equal(node_is_null(n), n->key[0] <= 'c');
}

static void an_empty_file_adds_nothing(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(add(f, "a", ""), 0);
    assert_int_equal(add(f, "b", "# only a comment\n"), 0);
    assert_int_equal(add(f, "c", "---\n"), 0);
    assert_int_equal(f->tree.root.n, 0);
}

static void bad_text_is_refused(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"a: &x 1\n", "f:1: anchors are not supported"},
        {"a: 1\nb: *x\n", "f:2: aliases are not supported"},
        {"a: &x [1]\n", "anchors are not supported"},
        {"&x a: 1\n", "anchors and tags are not supported"},
        {"a: !!str 1\n", "tags are not supported"},
        {"a: !x {}\n", "tags are not supported"},
        {"a: 1\n---\nb: 2\n", "f:2: more than one document"},
        {"a: \"x\\0y\"\n", "NUL byte"},
        {"\"x\\0y\": 1\n", "NUL byte"},
        {"? [a]\n: 1\n", "a key must be a word"},
        {"? {a: 1}\n: 1\n", "a key must be a word"},
        {"[1, 2]\n", "f:1: expected keys and values at the top level, found a list"},
        {"word\n", "found \"word\""},
        {"a: [1\n", "not valid YAML"},
        {"a: b: c\n", "f:1: not valid YAML"},
        {"a: 1\n\xff\n", "not valid YAML"},
        {"a: 1\n\x01\n", "not valid YAML"},
        {"{a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {}}}}}}}}}}}}}}}}}",
         "nested too deeply"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (add(f, "f", rows[i].text) == 0)
            fail_msg("accepted: %s", rows[i].text);
        if (!strstr(f->e.text, rows[i].says))
            fail_msg("%s\ngave:  %s\nlacks: %s", rows[i].text, f->e.text, rows[i].says);
    }
}

static void too_many_values_are_refused(void **state)
{
    size_t n = TREE_MAX_NODES + 1;
    struct fixture *f = *state;
    char *text = malloc(2 * n + 8);

    memcpy(text, "a: [", 4);
    for (size_t i = 0; i < n; i++)
        memcpy(text + 4 + 2 * i, "1,", 2);
    memcpy(text + 4 + 2 * n, "]", 2);
    assert_int_equal(add(f, "f", text), -1);
    assert_non_null(strstr(f->e.text, "too many values"));
    free(text);
}

static void files_merge_at_the_top(void **state)
{
    struct fixture *f = *state;
    const struct node *n;

    assert_int_equal(add(f, "a", "l: [1]\nm: {x: 1}\nempty:\nlate:\n"), 0);
    assert_int_equal(add(f, "b", "m: {y: {z: 2}}\nl: [2, 3]\nempty:\nlate: {q: 1}\nown: 1\n"), 0);
    assert_int_equal(add(f, "c", "late:\nl: []\n"), 0);
    assert_int_equal(tree_merge(&f->tree, &f->e), 0);
    assert_int_equal(f->tree.root.n, 5);
    n = node_get(&f->tree.root, "l");
    assert_int_equal(n->n, 3);
    assert_string_equal(n->last->text, "3");
    n = node_get(&f->tree.root, "m");
    assert_int_equal(n->n, 2);
    node_error(node_get(node_get(n, "y"), "z"), &f->e, "!");
    assert_string_equal(f->e.text, "b:1: m.y.z: !");
    assert_int_equal(node_get(&f->tree.root, "late")->n, 1);
    assert_true(node_is_null(node_get(&f->tree.root, "empty")));
}

static void a_name_given_twice_names_both_places(void **state)
{
    static const struct {
        const char *a, *b, *says;
    } rows[] = {
        {"x: 1\ny: 2\nx: 3\n", "", "a:3: x: given twice; first at a:1"},
        {"x: {p: 1, p: 2}\n", "", "a:1: x.p: given twice; first at a:1"},
        {"x: [{p: 1, p: 2}]\n", "", "a:1: x[0].p: given twice"},
        {"x: [1]\nx: [2]\n", "", "a:2: x: given twice"},
        {"x: 1\n", "\nx: 1\n", "b:2: x: given twice; first at a:1"},
        {"x: {p: 1}\n", "x:\n  p: 2\n", "b:2: x.p: given twice; first at a:1"},
        {"x: {p: {}}\n", "x: {p: {}}\n", "b:1: x.p: given twice; first at a:1"},
        {"x: {p: [1]}\n", "x: {p: [2]}\n", "b:1: x.p: given twice; first at a:1"},
        {"x: {}\n", "x: []\n", "b:1: x: given twice; first at a:1"},
        {"x: false\n", "x: {p: 1}\n", "b:1: x: given twice; first at a:1"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tree_init(&f->tree, f->arena);
        assert_int_equal(add(f, "a", rows[i].a), 0);
        assert_int_equal(add(f, "b", rows[i].b), 0);
        if (tree_merge(&f->tree, &f->e) == 0 || !strstr(f->e.text, rows[i].says))
            fail_msg("%s%sgave:  %s\nlacks: %s", rows[i].a, rows[i].b, f->e.text, rows[i].says);
    }
}

/* An error is one line of bounded length, whatever the keys look like. */
static void messages_stay_on_one_line(void **state)
{
    struct fixture *f = *state;
    char text[3000];

    memset(text, 'k', sizeof text);
    memcpy(text, "\"a\\nb", 5);
    strcpy(text + 900, "\": {x: {y: 1}}\n");
    assert_int_equal(add(f, "f", text), 0);
    node_expected(f->tree.root.first->first->first, &f->e, "nothing");
    assert_null(strchr(f->e.text, '\n'));
    assert_non_null(strstr(f->e.text, ": expected nothing, found \"1\""));
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(values_know_their_place),
        CASE(null_is_what_was_not_written),
        CASE(an_empty_file_adds_nothing),
        CASE(bad_text_is_refused),
        CASE(too_many_values_are_refused),
        CASE(files_merge_at_the_top),
        CASE(a_name_given_twice_names_both_places),
        CASE(messages_stay_on_one_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
