/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h2_client_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* "name=value|name=value" */
static const char *shown(const nghttp2_nv *fields, size_t n)
{
    static char text[2000];
    size_t at = 0;

    text[0] = '\0';
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%.*s=%.*s", i ? "|" : "",
                               (int)fields[i].namelen, fields[i].name, (int)fields[i].valuelen,
                               fields[i].value);
    return text;
}

static void requests(void **state)
{
    static const struct {
        const char *text, *fields; /* NULL = refused */
    } rows[] = {
        {"GET /x?y HTTP/1.1\r\nHost: h:1\r\n\r\n",
         ":method=GET|:scheme=https|:path=/x?y|:authority=h:1"},
        {"OPTIONS * HTTP/1.1\r\nX-One:  a b \r\nHost: h\r\n\r\n",
         ":method=OPTIONS|:scheme=https|:path=*|:authority=h|x-one=a b"},
        {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: x\r\n"
         "Keep-Alive: 1\r\nUpgrade: websocket\r\nProxy-Connection: y\r\n\r\n",
         ":method=POST|:scheme=https|:path=/|:authority=h"},
        {"POST / HTTP/1.1\r\nHost: h\r\nTE: trailers\r\nContent-Length: 5\r\nCookie: a=1\r\n"
         "Cookie: b=2\r\n\r\n",
         ":method=POST|:scheme=https|:path=/|:authority=h|te=trailers|content-length=5|"
         "cookie=a=1|cookie=b=2"},
        {"POST / HTTP/1.1\r\nHost: h\r\nTE: gzip\r\n\r\n",
         ":method=POST|:scheme=https|:path=/|:authority=h"},
        {"GET / HTTP/1.1\r\n\r\n", ":method=GET|:scheme=https|:path=/|:authority="},
        {"GET / HTTP/1.1\r\nHost: h\r\nempty:\r\n\r\n",
         ":method=GET|:scheme=https|:path=/|:authority=h|empty="},
        {"GET\r\n\r\n", NULL},
        {"\r\n\r\n", NULL},
        {"", NULL},
        {"GET / HTTP/1.1\r\nno colon\r\n\r\n", NULL},
        {"GET / HTTP/1.1\r\n: x\r\n\r\n", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        nghttp2_nv fields[H2_MAX_FIELDS];
        char text[400];
        size_t n = 0;
        int result;

        strcpy(text, rows[i].text);
        result = h2_request_fields(text, strlen(text), STR("https"), fields, &n);
        if ((result == 0) != (rows[i].fields != NULL))
            fail_msg("row %zu: %d", i, result);
        if (result == 0 && strcmp(shown(fields, n), rows[i].fields) != 0)
            fail_msg("row %zu: %s", i, shown(fields, n));
    }
}

static void too_many_fields(void **state)
{
    static char text[20000];
    nghttp2_nv fields[H2_MAX_FIELDS];
    size_t n, at = 0;

    (void)state;
    for (unsigned count = H2_MAX_FIELDS - 4; count <= H2_MAX_FIELDS - 3; count++) {
        at = (size_t)sprintf(text, "GET / HTTP/1.1\r\n");
        for (unsigned i = 0; i < count; i++)
            at += (size_t)sprintf(text + at, "x-%u: y\r\n", i);
        at += (size_t)sprintf(text + at, "\r\n");
        assert_int_equal(h2_request_fields(text, at, STR("http"), fields, &n),
                         count == H2_MAX_FIELDS - 4 ? 0 : -1);
    }
}

static void trailers(void **state)
{
    static const struct {
        const char *text, *fields;
    } rows[] = {
        {"Grpc-Status: 0\r\nx: y\r\n", "grpc-status=0|x=y"},
        {"content-length: 5\r\nHost: h\r\ntransfer-encoding: chunked\r\nte: trailers\r\na: b\r\n",
         "a=b"},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        nghttp2_nv fields[H2_MAX_FIELDS];
        char text[200];
        size_t n;

        strcpy(text, rows[i].text);
        assert_int_equal(h2_trailer_fields(text, strlen(text), fields, &n), 0);
        assert_string_equal(shown(fields, n), rows[i].fields);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(too_many_fields),
        cmocka_unit_test(trailers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
