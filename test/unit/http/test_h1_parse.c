/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h1_parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct h1_limits limits = {.max_line = 200, .max_head = 600, .max_headers = 10};

static struct request request;
static struct response response;

/* A heap copy of exactly n bytes, so that ASan sees a read behind the end. */
static enum h1_verdict parse(const char *text, size_t n, enum reason *ret_reason, size_t *ret_head)
{
    static char *buf;
    size_t scanned = 0;

    free(buf);
    buf = malloc(n ? n : 1);
    memcpy(buf, text, n);
    return h1_parse_request(buf, n, &limits, &scanned, &request, ret_head, ret_reason);
}

/* L = a request line, H = with a Host, E = the end. */
#define L "GET /a HTTP/1.1\r\n"
#define H L "Host: a\r\n"
#define P "POST /a HTTP/1.1\r\nHost: a\r\n"
#define E "\r\n"

struct row {
    const char *name, *text;
    enum reason reason; /* NONE = accepted */
};

static void check_requests(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        enum reason reason = REASON_COUNT;
        size_t head = 0;
        enum h1_verdict verdict = parse(rows[i].text, strlen(rows[i].text), &reason, &head);
        enum h1_verdict wanted = rows[i].reason == REASON_NONE ? H1_DONE : H1_BAD;

        if (verdict != wanted)
            fail_msg("%s: verdict %d", rows[i].name, verdict);
        if (reason != rows[i].reason)
            fail_msg("%s: %s", rows[i].name, reason_info(reason)->word);
        if (verdict == H1_DONE && head != strlen(rows[i].text))
            fail_msg("%s: head of %zu bytes", rows[i].name, head);
    }
}

#define CHECK_REQUESTS(rows) check_requests(rows, sizeof(rows) / sizeof((rows)[0]))

#define LONG33 "AAAAAAAAAABBBBBBBBBBCCCCCCCCCCDDD"

/* Classes 3, 9 and 12: the request line. */
static void test_request_line(void **state)
{
    static const struct row rows[] = {
        {"HTTP/1.0", "GET /a HTTP/1.0\r\n" E, REASON_NONE},
        {"HTTP/1.7 is 1.1", "GET /a HTTP/1.7\r\nHost: a\r\n" E, REASON_NONE},
        {"unknown method", "BREW /a HTTP/1.1\r\nHost: a\r\n" E, REASON_NONE},
        {"lower-case method is another method", "get /a HTTP/1.1\r\nHost: a\r\n" E, REASON_NONE},
        {"HTTP/2.0", "GET /a HTTP/2.0\r\nHost: a\r\n" E, REASON_VERSION_UNSUPPORTED},
        {"HTTP/2 preface", "PRI * HTTP/2.0\r\n" E, REASON_VERSION_UNSUPPORTED},
        {"HTTP/0.9 with version", "GET /a HTTP/0.9\r\n" E, REASON_VERSION_UNSUPPORTED},
        {"HTTP/0.9", "GET /a\r\n" E, REASON_BAD_REQUEST},
        {"version lower-case", "GET /a http/1.1\r\nHost: a\r\n" E, REASON_BAD_REQUEST},
        {"version short", "GET /a HTTP/1\r\nHost: a\r\n" E, REASON_BAD_REQUEST},
        {"version long", "GET /a HTTP/1.10\r\nHost: a\r\n" E, REASON_BAD_REQUEST},
        {"version with text", "GET /a HTTP/1.1x\r\nHost: a\r\n" E, REASON_BAD_REQUEST},
        {"version of another protocol", "GET /a RTSP/1.0\r\nHost: a\r\n" E, REASON_BAD_REQUEST},
        {"space after version", "GET /a HTTP/1.1 \r\nHost: a\r\n" E, REASON_BAD_REQUEST},
        {"two spaces before target", "GET  /a HTTP/1.1\r\nHost: a\r\n" E, REASON_BAD_REQUEST},
        {"two spaces after target", "GET /a  HTTP/1.1\r\nHost: a\r\n" E, REASON_BAD_REQUEST},
        {"tab", "GET\t/a HTTP/1.1\r\nHost: a\r\n" E, REASON_BAD_REQUEST},
        {"space in target", "GET /a b HTTP/1.1\r\nHost: a\r\n" E, REASON_BAD_REQUEST},
        {"CR in target", "GET /a\rb HTTP/1.1\r\nHost: a\r\n" E, REASON_BAD_REQUEST},
        {"control in query", "GET /a?\x01 HTTP/1.1\r\nHost: a\r\n" E, REASON_BAD_REQUEST},
        {"non-ASCII in query", "GET /a?\xc3\xa9 HTTP/1.1\r\nHost: a\r\n" E, REASON_BAD_REQUEST},
        {"# in query", "GET /a?b#c HTTP/1.1\r\nHost: a\r\n" E, REASON_BAD_REQUEST},
        {"# in path", "GET /a#b HTTP/1.1\r\nHost: a\r\n" E, REASON_BAD_REQUEST},
        {"leading space", " GET /a HTTP/1.1\r\nHost: a\r\n" E, REASON_BAD_REQUEST},
        {"no method", "/a HTTP/1.1\r\nHost: a\r\n" E, REASON_BAD_REQUEST},
        {"delimiter in method", "GE(T /a HTTP/1.1\r\nHost: a\r\n" E, REASON_BAD_REQUEST},
        {"CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n" E, REASON_METHOD_UNSUPPORTED},
        {"TRACE", "TRACE /a HTTP/1.1\r\nHost: a\r\n" E, REASON_METHOD_UNSUPPORTED},
        {"method of 33", LONG33 " /a HTTP/1.1\r\nHost: a\r\n" E, REASON_METHOD_UNSUPPORTED},
        {"TLS hello", "\x16\x03\x01\x02\x01\x03\x03", REASON_BAD_REQUEST},
        {"binary", "\xff\xfe", REASON_BAD_REQUEST},
    };

    (void)state;
    CHECK_REQUESTS(rows);
}

/* Classes 10, 11 and 13: who is asked for what. */
static void test_target_and_host(void **state)
{
    static const struct row rows[] = {
        {"no Host in HTTP/1.0", "GET / HTTP/1.0\r\n" E, REASON_NONE},
        {"no Host", L E, REASON_BAD_REQUEST},
        {"two Hosts", H "Host: a\r\n" E, REASON_BAD_REQUEST},
        {"two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n" E, REASON_BAD_REQUEST},
        {"empty Host", L "Host:\r\n" E, REASON_BAD_REQUEST},
        {"Host list", L "Host: a, b\r\n" E, REASON_BAD_REQUEST},
        {"Host with path", L "Host: a/b\r\n" E, REASON_BAD_REQUEST},
        {"Host with userinfo", L "Host: u@a\r\n" E, REASON_BAD_REQUEST},
        {"Host with bad port", L "Host: a:99999\r\n" E, REASON_BAD_REQUEST},
        {"Host IPv6", L "Host: [::1]:80\r\n" E, REASON_NONE},
        {"absolute", "GET http://A/b HTTP/1.1\r\nHost: a\r\n" E, REASON_NONE},
        {"absolute https", "GET HTTPS://a:8443/b HTTP/1.1\r\nHost: a:8443\r\n" E, REASON_NONE},
        {"absolute, Host differs", "GET http://b/ HTTP/1.1\r\nHost: a\r\n" E, REASON_BAD_REQUEST},
        {"absolute, port differs", "GET http://a:81/ HTTP/1.1\r\nHost: a\r\n" E,
         REASON_BAD_REQUEST},
        {"absolute without Host", "GET http://a/ HTTP/1.1\r\n" E, REASON_BAD_REQUEST},
        {"absolute, 1.0 without Host", "GET http://a/ HTTP/1.0\r\n" E, REASON_NONE},
        {"absolute, userinfo", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n" E, REASON_BAD_REQUEST},
        {"absolute, no host", "GET http:///b HTTP/1.1\r\nHost: a\r\n" E, REASON_BAD_REQUEST},
        {"absolute, scheme", "GET ftp://a/b HTTP/1.1\r\nHost: a\r\n" E, REASON_BAD_REQUEST},
        {"absolute, comma", "GET http://a,b/ HTTP/1.1\r\nHost: a\r\n" E, REASON_BAD_REQUEST},
        {"absolute, climbs", "GET http://a/../b HTTP/1.1\r\nHost: a\r\n" E, REASON_BAD_REQUEST},
        {"authority-form", "GET a:80 HTTP/1.1\r\nHost: a:80\r\n" E, REASON_BAD_REQUEST},
        {"relative", "GET a/b HTTP/1.1\r\nHost: a\r\n" E, REASON_BAD_REQUEST},
        {"query only", "GET ?a HTTP/1.1\r\nHost: a\r\n" E, REASON_BAD_REQUEST},
        {"asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n" E, REASON_NONE},
        {"asterisk with GET", "GET * HTTP/1.1\r\nHost: a\r\n" E, REASON_BAD_REQUEST},
        {"asterisk with more", "OPTIONS *x HTTP/1.1\r\nHost: a\r\n" E, REASON_BAD_REQUEST},
        {"path climbs", "GET /a/../../b HTTP/1.1\r\nHost: a\r\n" E, REASON_BAD_REQUEST},
        {"path with %00", "GET /a%00 HTTP/1.1\r\nHost: a\r\n" E, REASON_BAD_REQUEST},
        {"path with %2f", "GET /a%2fb HTTP/1.1\r\nHost: a\r\n" E, REASON_BAD_REQUEST},
        {"path with backslash", "GET /a\\b HTTP/1.1\r\nHost: a\r\n" E, REASON_BAD_REQUEST},
    };

    (void)state;
    CHECK_REQUESTS(rows);
}

/* Classes 14 and 16. */
static void test_connection_and_expect(void **state)
{
    static const struct row rows[] = {
        {"close", H "Connection: close\r\n" E, REASON_NONE},
        {"names a field", H "Connection: X-A\r\nX-A: b\r\n" E, REASON_NONE},
        {"names Host", H "Connection: close, host\r\n" E, REASON_BAD_REQUEST},
        {"names Content-Length", P "Content-Length: 1\r\nConnection: Content-Length\r\n" E,
         REASON_BAD_REQUEST},
        {"names Transfer-Encoding", H "Connection: transfer-encoding\r\n" E, REASON_BAD_REQUEST},
        {"names Authorization", H "Connection: Authorization\r\n" E, REASON_BAD_REQUEST},
        {"names Cookie", H "Connection: cookie\r\n" E, REASON_BAD_REQUEST},
        {"no token", H "Connection: a b\r\n" E, REASON_BAD_REQUEST},
        {"too many options",
         H "Connection: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x,y,z,1,2,3,4,5,6,7\r\n" E,
         REASON_BAD_REQUEST},
        {"Expect", P "Content-Length: 5\r\nExpect: 100-Continue\r\n" E, REASON_NONE},
        {"Expect something else", H "Expect: 200-ok\r\n" E, REASON_EXPECTATION_FAILED},
        {"Expect list", H "Expect: 100-continue, x\r\n" E, REASON_EXPECTATION_FAILED},
        {"Expect something else in 1.0", "GET / HTTP/1.0\r\nExpect: x\r\n" E, REASON_NONE},
    };

    (void)state;
    CHECK_REQUESTS(rows);
}

static void must_parse(const char *text)
{
    enum reason reason;
    size_t head;

    if (parse(text, strlen(text), &reason, &head) != H1_DONE)
        fail_msg("%s: %s", text, reason_info(reason)->word);
}

static void test_request_fields(void **state)
{
    (void)state;
    must_parse("DELETE //a/./%41?x=%2F&y HTTP/1.1\r\nHost: Shop.Example:8080\r\n"
               "X-A:  b c \t\r\nContent-Length: 7\r\n\r\n");
    assert_int_equal(request.method, METHOD_DELETE);
    assert_true(str_eq(request.method_name, STR("DELETE")));
    assert_true(str_eq(request.host, STR("shop.example:8080")));
    assert_true(str_eq(request.path, STR("/a/A")));
    assert_true(request.has_query && str_eq(request.query, STR("x=%2F&y")));
    assert_true(str_eq(request.target, STR("/a/A?x=%2F&y")));
    assert_int_equal(request.minor, 1);
    assert_true(request.keep_alive);
    assert_int_equal(request.framing, FRAMING_LENGTH);
    assert_int_equal(request.content_length, 7);
    assert_int_equal(request.nheaders, 3);
    assert_int_equal(request.headers[0].id, HEADER_HOST);
    assert_true(str_eq(request.headers[1].name, STR("X-A")));
    assert_true(str_eq(request.headers[1].value, STR("b c")));

    must_parse("GET /a? HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(request.has_query && request.query.n == 0);
    must_parse(H E);
    assert_false(request.has_query);
    must_parse("GET http://a?x HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(str_eq(request.path, STR("/")) && str_eq(request.query, STR("x")));
    must_parse("GET http://A:80/b/../c?x HTTP/1.0\r\n\r\n");
    assert_true(str_eq(request.host, STR("a:80")) && str_eq(request.target, STR("/c?x")));
    must_parse("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(str_eq(request.path, STR("*")));
    must_parse("get / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(request.method, METHOD_OTHER);
    must_parse(P "Content-Length: 5 , 5\r\nContent-Length: 5\r\n\r\n");
    assert_int_equal(request.content_length, 5);
    assert_true(str_eq(request.headers[1].value, STR("5")));
    assert_false(request.headers[1].hop);
    assert_true(request.headers[2].hop);
}

static void test_connection_state(void **state)
{
    static const struct {
        const char *name, *text;
        bool keep_alive, expect, trailers, websocket;
    } rows[] = {
        {"1.1", H E, true, false, false, false},
        {"1.1 close", H "Connection: x, Close\r\n" E, false, false, false, false},
        {"1.0", "GET / HTTP/1.0\r\n" E, false, false, false, false},
        {"1.0 keep-alive", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n" E, true, false, false,
         false},
        {"both", H "Connection: keep-alive\r\nConnection: close\r\n" E, false, false, false, false},
        {"expect", P "Content-Length: 1\r\nExpect: 100-continue\r\n" E, true, true, false, false},
        {"expect in 1.0", "GET / HTTP/1.0\r\nExpect: 100-continue\r\n" E, false, false, false,
         false},
        {"te", H "TE: gzip, trailers\r\nConnection: TE\r\n" E, true, false, true, false},
        {"websocket", H "Connection: Upgrade\r\nUpgrade: WebSocket\r\n" E, true, false, false,
         true},
        {"websocket not in Connection", H "Upgrade: websocket\r\n" E, true, false, false, false},
        {"h2c", H "Connection: Upgrade\r\nUpgrade: h2c\r\n" E, true, false, false, false},
        {"websocket by POST", P "Connection: Upgrade\r\nUpgrade: websocket\r\n" E, true, false,
         false, false},
        {"websocket in 1.0", "GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" E,
         false, false, false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        must_parse(rows[i].text);
        if (request.keep_alive != rows[i].keep_alive || request.expect_continue != rows[i].expect ||
            request.te_trailers != rows[i].trailers ||
            request.upgrade_websocket != rows[i].websocket)
            fail_msg("%s: keep-alive %d, expect %d, trailers %d, websocket %d", rows[i].name,
                     request.keep_alive, request.expect_continue, request.te_trailers,
                     request.upgrade_websocket);
    }
}

/* Class 20. */
static void test_limits(void **state)
{
    char text[2048];
    enum reason reason;
    size_t head;

    (void)state;
    int n = snprintf(text, sizeof(text), "GET /%0186d HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    assert_int_equal(strcspn(text, "\r"), 200);
    assert_int_equal(parse(text, (size_t)n, &reason, &head), H1_DONE);
    n = snprintf(text, sizeof(text), "GET /%0187d HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    assert_int_equal(parse(text, (size_t)n, &reason, &head), H1_BAD);
    assert_int_equal(reason, REASON_URI_TOO_LONG);
    assert_int_equal(parse(text, 201, &reason, &head), H1_MORE);
    assert_int_equal(parse(text, 202, &reason, &head), H1_BAD);
    assert_int_equal(reason, REASON_URI_TOO_LONG);

    n = snprintf(text, sizeof(text), H "X: %0568d\r\n\r\n", 0);
    assert_int_equal(n, 600 + 1);
    assert_int_equal(parse(text, (size_t)n, &reason, &head), H1_BAD);
    assert_int_equal(reason, REASON_HEADERS_TOO_LARGE);
    assert_int_equal(parse(text, 599, &reason, &head), H1_MORE);
    assert_int_equal(parse(text, 600, &reason, &head), H1_BAD);
    assert_int_equal(reason, REASON_HEADERS_TOO_LARGE);
    n = snprintf(text, sizeof(text), H "X: %0567d\r\n\r\nmore", 0);
    assert_int_equal(parse(text, (size_t)n, &reason, &head), H1_DONE);
    assert_int_equal(head, 600);

    n = snprintf(text, sizeof(text), H "%s\r\n",
                 "1:\r\n2:\r\n3:\r\n4:\r\n5:\r\n6:\r\n7:\r\n8:\r\n9:\r\n");
    assert_int_equal(parse(text, (size_t)n, &reason, &head), H1_DONE);
    n = snprintf(text, sizeof(text), H "%s\r\n",
                 "1:\r\n2:\r\n3:\r\n4:\r\n5:\r\n6:\r\n7:\r\n8:\r\n9:\r\na:\r\n");
    assert_int_equal(parse(text, (size_t)n, &reason, &head), H1_BAD);
    assert_int_equal(reason, REASON_HEADERS_TOO_LARGE);
}

static void test_byte_by_byte(void **state)
{
    static const char text[] = "\r\n" P "Content-Length: 5\r\n\r\nhello";
    char buf[sizeof(text)];
    size_t scanned = 0, head = 0, n = 0;
    enum reason reason;
    enum h1_verdict verdict = H1_MORE;

    (void)state;
    while (verdict == H1_MORE && n < sizeof(text) - 1) {
        buf[n] = text[n];
        n++;
        verdict = h1_parse_request(buf, n, &limits, &scanned, &request, &head, &reason);
    }
    assert_int_equal(verdict, H1_DONE);
    assert_int_equal(head, n);
    assert_int_equal(n, sizeof(text) - 1 - 5);
}

static void test_pipelined(void **state)
{
    static const char text[] = H E "GET /b HTTP/1.1\r\nHost: b\r\n\r\n";
    enum reason reason;
    size_t head;

    (void)state;
    assert_int_equal(parse(text, sizeof(text) - 1, &reason, &head), H1_DONE);
    assert_int_equal(head, sizeof(H E) - 1);
    assert_true(str_eq(request.path, STR("/a")));
}

#define R "HTTP/1.1 200 OK\r\n"

/* Classes 1, 4, 5, 6, 17 and 18, from the service's side. */
static void test_responses(void **state)
{
    static const struct {
        const char *name, *text;
        enum method method;
        enum framing framing; /* of the accepted */
        bool ok, keep_alive, has_length;
    } rows[] = {
        {"length", R "Content-Length: 5\r\n" E, METHOD_GET, FRAMING_LENGTH, true, true, true},
        {"chunked", R "Transfer-Encoding: chunked\r\n" E, METHOD_GET, FRAMING_CHUNKED, true, true,
         false},
        {"until close", R E, METHOD_GET, FRAMING_CLOSE, true, false, false},
        {"close", R "Content-Length: 5\r\nConnection: close\r\n" E, METHOD_GET, FRAMING_LENGTH,
         true, false, true},
        {"1.0", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n" E, METHOD_GET, FRAMING_LENGTH, true,
         false, true},
        {"1.0 keep-alive", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n" E,
         METHOD_GET, FRAMING_LENGTH, true, true, true},
        {"HEAD", R "Content-Length: 5\r\n" E, METHOD_HEAD, FRAMING_NONE, true, true, true},
        {"HEAD chunked", R "Transfer-Encoding: chunked\r\n" E, METHOD_HEAD, FRAMING_NONE, true,
         true, false},
        {"204", "HTTP/1.1 204 No Content\r\n" E, METHOD_GET, FRAMING_NONE, true, true, false},
        {"304 with length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n" E, METHOD_GET,
         FRAMING_NONE, true, true, true},
        {"100", "HTTP/1.1 100 Continue\r\n" E, METHOD_POST, FRAMING_NONE, true, true, false},
        {"no reason, space", "HTTP/1.1 200 \r\nContent-Length: 0\r\n" E, METHOD_GET, FRAMING_LENGTH,
         true, true, true},
        {"no reason, no space", "HTTP/1.1 200\r\nContent-Length: 0\r\n" E, METHOD_GET,
         FRAMING_LENGTH, true, true, true},
        {"unknown status", "HTTP/1.1 599 X\r\nContent-Length: 0\r\n" E, METHOD_GET, FRAMING_LENGTH,
         true, true, true},
        {"equal lengths", R "Content-Length: 5\r\nContent-Length: 5\r\n" E, METHOD_GET,
         FRAMING_LENGTH, true, true, true},
        {"CL+TE", R "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" E, METHOD_GET, 0, false,
         false, false},
        {"lengths differ", R "Content-Length: 5\r\nContent-Length: 6\r\n" E, METHOD_GET, 0, false,
         false, false},
        {"length no number", R "Content-Length: five\r\n" E, METHOD_GET, 0, false, false, false},
        {"length huge", R "Content-Length: 18446744073709551621\r\n" E, METHOD_GET, 0, false, false,
         false},
        {"bad length for HEAD", R "Content-Length: x\r\n" E, METHOD_HEAD, 0, false, false, false},
        {"TE gzip", R "Transfer-Encoding: gzip, chunked\r\n" E, METHOD_GET, 0, false, false, false},
        {"TE in 1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n" E, METHOD_GET, 0, false,
         false, false},
        {"names Content-Length", R "Content-Length: 5\r\nConnection: content-length\r\n" E,
         METHOD_GET, 0, false, false, false},
        {"HTTP/2", "HTTP/2 200 OK\r\n" E, METHOD_GET, 0, false, false, false},
        {"HTTP/1.2", "HTTP/1.2 200 OK\r\n" E, METHOD_GET, 0, false, false, false},
        {"HTTP/0.9 text", "Hello, world\r\n" E, METHOD_GET, 0, false, false, false},
        {"blank line first", "\r\n" R E, METHOD_GET, 0, false, false, false},
        {"status of two digits", "HTTP/1.1 20 OK\r\n" E, METHOD_GET, 0, false, false, false},
        {"status of four digits", "HTTP/1.1 2000 OK\r\n" E, METHOD_GET, 0, false, false, false},
        {"status 099", "HTTP/1.1 099 OK\r\n" E, METHOD_GET, 0, false, false, false},
        {"two spaces", "HTTP/1.1  200 OK\r\n" E, METHOD_GET, 0, false, false, false},
        {"bare CR in the reason", "HTTP/1.1 200 O\rK\r\n" E, METHOD_GET, 0, false, false, false},
        {"bare LF", "HTTP/1.1 200 OK\nA: b\r\n" E, METHOD_GET, 0, false, false, false},
        {"obs-fold", R "A: b\r\n c\r\n" E, METHOD_GET, 0, false, false, false},
        {"space before colon", R "A : b\r\n" E, METHOD_GET, 0, false, false, false},
        {"control byte", R "A: \x01\r\n" E, METHOD_GET, 0, false, false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t n = strlen(rows[i].text), scanned = 0, head = 0;
        enum reason reason;
        char *buf = malloc(n);

        memcpy(buf, rows[i].text, n);
        enum h1_verdict verdict =
            h1_parse_response(buf, n, &limits, &scanned, rows[i].method, &response, &head, &reason);
        if (verdict != (rows[i].ok ? H1_DONE : H1_BAD))
            fail_msg("%s: verdict %d", rows[i].name, verdict);
        if (!rows[i].ok) {
            assert_int_equal(reason, REASON_UPSTREAM_INVALID);
        } else if (head != n || response.framing != rows[i].framing ||
                   response.keep_alive != rows[i].keep_alive ||
                   response.has_content_length != rows[i].has_length) {
            fail_msg("%s: framing %d, keep-alive %d, length %d", rows[i].name, response.framing,
                     response.keep_alive, response.has_content_length);
        }
        free(buf);
    }
}

static void test_response_details(void **state)
{
    char text[] = "HTTP/1.1 101 Switching  Protocols\r\nConnection: upgrade\r\n"
                  "Upgrade: websocket\r\n\r\n\x81";
    char large[700];
    size_t scanned = 0, head;
    enum reason reason;

    (void)state;
    assert_int_equal(h1_parse_response(text, sizeof(text) - 1, &limits, &scanned, METHOD_GET,
                                       &response, &head, &reason),
                     H1_DONE);
    assert_int_equal(response.status, 101);
    assert_true(str_eq(response.reason_phrase, STR("Switching  Protocols")));
    assert_true(response.upgrade_websocket);
    assert_int_equal(head, sizeof(text) - 2);

    memset(large, 'a', sizeof(large));
    memcpy(large, R "A: ", sizeof(R "A: ") - 1);
    scanned = 0;
    assert_int_equal(h1_parse_response(large, sizeof(large), &limits, &scanned, METHOD_GET,
                                       &response, &head, &reason),
                     H1_BAD);
    assert_int_equal(reason, REASON_UPSTREAM_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_line),
        cmocka_unit_test(test_target_and_host),
        cmocka_unit_test(test_connection_and_expect),
        cmocka_unit_test(test_request_fields),
        cmocka_unit_test(test_connection_state),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_pipelined),
        cmocka_unit_test(test_responses),
        cmocka_unit_test(test_response_details),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
