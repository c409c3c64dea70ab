/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "route/route_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void test_everything_is_copied(void **state)
{
    struct arena *old = arena_new(), *a = arena_new();
    struct route_conf *from = ARENA_NEW(old, struct route_conf);
    const char **texts[] = {&from->name,    &from->source,      &from->host,
                            &from->path,    &from->strip,       &from->prepend,
                            &from->rewrite, &from->set_host,    &from->redirect_to,
                            &from->auth,    &from->sticky_name, &from->edge.cors_name};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        *texts[i] = arena_printf(old, "text %zu", i);
    from->methods = ARENA_ARRAY(old, const char *, 3);
    from->methods[0] = arena_strdup(old, "GET");
    from->methods[1] = arena_strdup(old, "PUT");
    from->headers = ARENA_NEW(old, struct match_conf);
    *from->headers = (struct match_conf){.name = arena_strdup(old, "h"),
                                         .value = arena_strdup(old, "v"),
                                         .prefix = true,
                                         .invert = true};
    from->query = ARENA_NEW(old, struct match_conf);
    *from->query = (struct match_conf){.name = arena_strdup(old, "q")};
    from->targets = ARENA_NEW(old, struct target_conf);
    *from->targets = (struct target_conf){arena_strdup(old, "web"), 5};
    from->request_headers = ARENA_NEW(old, struct header_change);
    *from->request_headers =
        (struct header_change){HEADER_ADD, arena_strdup(old, "a"), arena_strdup(old, "b")};
    from->response_headers = ARENA_NEW(old, struct header_change);
    *from->response_headers = (struct header_change){HEADER_REMOVE, arena_strdup(old, "c"), NULL};
    from->nheaders = from->nquery = from->ntargets = 1;
    from->nrequest_headers = from->nresponse_headers = 1;
    from->priority = 7;
    from->max_body = -1;

    const struct route_conf *to = route_copy(a, from);
    arena_free(old);
    assert_string_equal(to->name, "text 0");
    assert_string_equal(to->source, "text 1");
    assert_string_equal(to->host, "text 2");
    assert_string_equal(to->path, "text 3");
    assert_string_equal(to->strip, "text 4");
    assert_string_equal(to->prepend, "text 5");
    assert_string_equal(to->rewrite, "text 6");
    assert_string_equal(to->set_host, "text 7");
    assert_string_equal(to->redirect_to, "text 8");
    assert_string_equal(to->auth, "text 9");
    assert_string_equal(to->sticky_name, "text 10");
    assert_string_equal(to->edge.cors_name, "text 11");
    assert_string_equal(to->methods[0], "GET");
    assert_string_equal(to->methods[1], "PUT");
    assert_null(to->methods[2]);
    assert_string_equal(to->headers[0].name, "h");
    assert_string_equal(to->headers[0].value, "v");
    assert_true(to->headers[0].prefix && to->headers[0].invert);
    assert_string_equal(to->query[0].name, "q");
    assert_null(to->query[0].value);
    assert_string_equal(to->targets[0].service, "web");
    assert_int_equal(to->targets[0].weight, 5);
    assert_string_equal(to->request_headers[0].name, "a");
    assert_string_equal(to->request_headers[0].value, "b");
    assert_int_equal(to->response_headers[0].op, HEADER_REMOVE);
    assert_string_equal(to->response_headers[0].name, "c");
    assert_int_equal(to->priority, 7);
    assert_int_equal(to->max_body, -1);
    arena_free(a);
}

static void test_nothing_is_copied(void **state)
{
    struct arena *a = arena_new();
    const struct route_conf empty = {.path = "/"};
    const struct route_conf *to = route_copy(a, &empty);

    (void)state;
    assert_string_equal(to->name, "");
    assert_string_equal(to->host, "");
    assert_null(to->methods);
    assert_null(to->strip);
    assert_null(to->auth);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_is_copied),
        cmocka_unit_test(test_nothing_is_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
