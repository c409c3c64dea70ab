/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h1_parse.h"
#include "http/h2_server_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LIMIT = 32 * 1024 };

/* "name=value|name=value"; \001 stands for what a table cannot hold. */
static void add_all(struct h2_head *h, const char *fields, size_t limit)
{
    struct str rest = str_of(fields), field;

    while (rest.n > 0) {
        const char *bar = memchr(rest.p, '|', rest.n), *equals;

        field = (struct str){rest.p, bar ? (size_t)(bar - rest.p) : rest.n};
        rest.p += bar ? field.n + 1 : field.n;
        rest.n -= bar ? field.n + 1 : field.n;
        equals = memchr(field.p, '=', field.n);
        assert_non_null(equals);
        assert_int_equal(
            h2_head_add(h, (struct str){field.p, (size_t)(equals - field.p)},
                        (struct str){equals + 1, (size_t)(field.p + field.n - equals - 1)}, limit),
            0);
    }
}

#define GET ":method=GET|:scheme=https|:authority=shop.example|:path=/x"

static void good_heads_become_text(void **state)
{
    static const struct {
        const char *fields;
        enum h2_body body;
        uint64_t length;
        const char *text;
    } rows[] = {
        {GET, H2_BODY_NONE, 0, "GET /x HTTP/1.1\r\nhost: shop.example\r\n\r\n"},
        {":path=/x?a=b|:authority=h|:scheme=http|:method=PUT|a=b", H2_BODY_OPEN, 0,
         "PUT /x?a=b HTTP/1.1\r\nhost: h\r\na: b\r\ntransfer-encoding: chunked\r\n\r\n"},
        {GET "|x=y", H2_BODY_WHOLE, 12,
         "GET /x HTTP/1.1\r\nhost: shop.example\r\nx: y\r\ncontent-length: 12\r\n\r\n"},
        {GET "|content-length=5", H2_BODY_OPEN, 0,
         "GET /x HTTP/1.1\r\nhost: shop.example\r\ncontent-length: 5\r\n\r\n"},
        {GET "|cookie=a=b|x=1|cookie=c=d", H2_BODY_NONE, 0,
         "GET /x HTTP/1.1\r\nhost: shop.example\r\nx: 1\r\ncookie: a=b; c=d\r\n\r\n"},
        {":method=GET|:scheme=https|:path=/|host=a", H2_BODY_NONE, 0,
         "GET / HTTP/1.1\r\nhost: a\r\n\r\n"},
        {GET "|host=SHOP.example", H2_BODY_NONE, 0,
         "GET /x HTTP/1.1\r\nhost: shop.example\r\n\r\n"},
        {GET "|te=trailers", H2_BODY_NONE, 0,
         "GET /x HTTP/1.1\r\nhost: shop.example\r\nte: trailers\r\n\r\n"},
        {":method=OPTIONS|:scheme=https|:authority=a|:path=*", H2_BODY_NONE, 0,
         "OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n"},
        {":method=CONNECT|:authority=a:443", H2_BODY_NONE, 0,
         "CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n"},
        {GET "|empty=", H2_BODY_NONE, 0,
         "GET /x HTTP/1.1\r\nhost: shop.example\r\nempty: \r\n\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct h2_head h = {.regular = false};
        struct bytes text = {0};

        add_all(&h, rows[i].fields, LIMIT);
        if (!h2_head_is_good(&h))
            fail_msg("%s: refused", rows[i].fields);
        assert_int_equal(h2_head_end(&h, rows[i].body, rows[i].length, &text), 0);
        if (text.end != strlen(rows[i].text) || memcmp(text.p, rows[i].text, text.end) != 0)
            fail_msg("%s: %.*s", rows[i].fields, (int)text.end, text.p);
        bytes_free(&text);
        h2_head_free(&h);
    }
}

static void bad_heads_are_refused(void **state)
{
    static const char *const rows[] = {
        ":scheme=https|:authority=a|:path=/",
        ":method=GET|:authority=a|:path=/",
        ":method=GET|:scheme=https|:authority=a",
        ":method=|:scheme=https|:authority=a|:path=/",
        ":method=GET|:scheme=ftp|:authority=a|:path=/",
        ":method=GET|:scheme=https|:authority=a|:path=",
        ":method=GET|:scheme=https|:authority=a|:path=x",
        ":method=GET|:scheme=https|:authority=a|:path=http://b/",
        ":method=GET|:scheme=https|:authority=a|:path=*",
        ":method=GET|:scheme=https|:authority=a|:path=/a b",
        ":method=GET|:scheme=https|:authority=a|:path=/a\r\nb: c",
        ":method=GET|:scheme=https|:authority=a|:path=/#f",
        ":method=GET X|:scheme=https|:authority=a|:path=/",
        ":method=GET|:scheme=https|:authority=a b|:path=/",
        ":method=GET|:scheme=https|:authority=a\r\nb|:path=/",
        GET "|:path=/y",
        GET "|:protocol=websocket",
        GET "|:status=200",
        GET "|a=b|:method=PUT",
        GET "|A=b",
        GET "|=b",
        GET "|a b=c",
        GET "|a:b=c",
        GET "|a\r\nb=c",
        GET "|a=b\r\nc: d",
        GET "|a=b\n",
        GET "|a=b\r",
        GET "|a= b",
        GET "|a=b\t",
        GET "|a=\x7f",
        GET "|connection=close",
        GET "|keep-alive=1",
        GET "|upgrade=h2c",
        GET "|transfer-encoding=chunked",
        GET "|proxy-connection=x",
        GET "|te=gzip",
        GET "|host=other",
        ":method=GET|:scheme=https|:path=/|host=a|host=a",
        ":method=CONNECT|:authority=a:443|:path=/",
        ":method=CONNECT|:authority=a:443|:scheme=https",
        ":method=CONNECT",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct h2_head h = {.regular = false};

        add_all(&h, rows[i], LIMIT);
        if (h2_head_is_good(&h))
            fail_msg("row %zu: %s", i, rows[i]);
        h2_head_free(&h);
    }
}

static void nul_is_no_part_of_a_value(void **state)
{
    struct h2_head h = {.regular = false};

    (void)state;
    add_all(&h, GET, LIMIT);
    assert_int_equal(h2_head_add(&h, STR("a"), (struct str){"b\0c", 3}, LIMIT), 0);
    assert_false(h2_head_is_good(&h));
    h2_head_free(&h);
}

/* The text passes the limit and has no end: the parser says 431. */
static void large_heads_are_left_to_the_parser(void **state)
{
    struct h1_limits limits = {8 * 1024, 1024, 100};
    struct h2_head h = {.regular = false};
    struct bytes text = {0};
    struct request r;
    enum reason why;
    size_t scanned = 0, head;
    char value[101];

    (void)state;
    memset(value, 'v', 100);
    value[100] = '\0';
    add_all(&h, GET, 1024);
    for (unsigned i = 0; i < 100000; i++)
        assert_int_equal(h2_head_add(&h, STR("name"), str_of(value), 1024), 0);
    assert_true(h.too_large);
    assert_true(h.fields.end < 2048);
    assert_true(h2_head_is_good(&h));
    assert_int_equal(h2_head_end(&h, H2_BODY_NONE, 0, &text), 0);
    assert_int_equal(h1_parse_request(text.p, text.end, &limits, &scanned, &r, &head, &why),
                     H1_BAD);
    assert_int_equal(why, REASON_HEADERS_TOO_LARGE);
    bytes_free(&text);
    h2_head_free(&h);
}

static void used_again_it_is_as_new(void **state)
{
    struct h2_head h = {.regular = false};
    struct bytes text = {0};

    (void)state;
    add_all(&h, GET "|cookie=a=b|host=other", LIMIT);
    assert_false(h2_head_is_good(&h));
    h2_head_reuse(&h, 4096);
    add_all(&h, GET, LIMIT);
    assert_true(h2_head_is_good(&h));
    assert_int_equal(h2_head_end(&h, H2_BODY_NONE, 0, &text), 0);
    assert_true(str_eq(bytes_str(&text), STR("GET /x HTTP/1.1\r\nhost: shop.example\r\n\r\n")));
    bytes_free(&text);
    h2_head_free(&h);
}

static void answers_become_fields(void **state)
{
    char text[] = "HTTP/1.1 404 Not Found\r\nX-Own:  a b \r\nConnection: close\r\n"
                  "Transfer-Encoding: chunked\r\nKeep-Alive: 1\r\nContent-Length: 3\r\n\r\n";
    nghttp2_nv fields[H2_MAX_ANSWER_FIELDS];
    unsigned status;
    size_t n;

    (void)state;
    assert_int_equal(h2_answer_fields(text, strlen(text), &status, fields, &n), 0);
    assert_int_equal(status, 404);
    assert_int_equal(n, 3);
    assert_memory_equal(fields[0].value, "404", 3);
    assert_memory_equal(fields[1].name, "x-own", 5);
    assert_int_equal(fields[1].valuelen, 3);
    assert_memory_equal(fields[2].name, "content-length", 14);
}

static void what_is_no_answer_is_refused(void **state)
{
    static const char *const rows[] = {"",
                                       "\r\n",
                                       "HTTP/1.1\r\n\r\n",
                                       "HTTP/1.1 20 OK\r\n\r\n",
                                       "HTTP/1.1 2x0 OK\r\n\r\n",
                                       "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
                                       "HTTP/1.1 200 OK\r\n: x\r\n\r\n"};
    nghttp2_nv fields[H2_MAX_ANSWER_FIELDS];
    unsigned status;
    size_t n;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[100];

        snprintf(text, sizeof text, "%s", rows[i]);
        if (h2_answer_fields(text, strlen(text), &status, fields, &n) == 0)
            fail_msg("row %zu", i);
    }
}

static void too_many_fields_are_refused(void **state)
{
    static char text[64 * 1024] = "HTTP/1.1 200 OK\r\n";
    nghttp2_nv fields[H2_MAX_ANSWER_FIELDS];
    unsigned status;
    size_t n;

    (void)state;
    for (unsigned i = 0; i < H2_MAX_ANSWER_FIELDS; i++)
        strcat(text, "a: b\r\n");
    strcat(text, "\r\n");
    assert_int_equal(h2_answer_fields(text, strlen(text), &status, fields, &n), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_heads_become_text),
        cmocka_unit_test(bad_heads_are_refused),
        cmocka_unit_test(nul_is_no_part_of_a_value),
        cmocka_unit_test(large_heads_are_left_to_the_parser),
        cmocka_unit_test(used_again_it_is_as_new),
        cmocka_unit_test(answers_become_fields),
        cmocka_unit_test(what_is_no_answer_is_refused),
        cmocka_unit_test(too_many_fields_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
