/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h1_parse.h"
#include "proxy/head.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct h1_limits limits = {8192, 32768, 100};

/* What the gateway was told, in one row; heads are written with '|' for each CRLF. */
struct setting {
    const char *peer; /* default 192.0.2.1, which is no trusted proxy; 10.x and 172.16-31.x are */
    const char *address; /* of the instance */
    const char *via, *strip, *prepend, *set_host;
    bool forwarded, preserve_host, chunk_out, close_client, tunnel, buffered;
    struct header_change changes[2];
    size_t nchanges;
};

static struct bufpool pool;
static struct worker worker;
static struct conn conn;
static struct cidr trusted[] = {
    {{[10] = 0xff, [11] = 0xff, [12] = 10}, 104},
    {{[10] = 0xff, [11] = 0xff, [12] = 172, [13] = 16}, 108}}; /* 10/8, 172.16/12 */
static struct config config;
static struct snapshot snapshot = {.config = &config};
static struct held_snapshot held = {.snapshot = &snapshot};
static struct route_conf route_conf;
static struct route route = {.conf = &route_conf};
static struct service_conf service_conf;
static struct instance instance;
static struct instance_set set = {.n = 1, .items = &instance};
static struct service_view service = {.conf = &service_conf, .set = &set};
static struct exchange x;
static char text[65536];

static int begin(void **state)
{
    (void)state;
    bufpool_init(&pool, 0);
    memset(&x, 0, sizeof x);
    x.w = &worker;
    x.conn = &conn;
    x.held = &held;
    x.match.route = &route;
    x.service = &service;
    x.attempt = &x.first_attempt;
    x.attempt->up_head = bufpool_get(&pool);
    x.out = bufpool_get(&pool);
    return x.attempt->up_head && x.out ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    bufpool_put(&pool, &x.attempt->up_head);
    bufpool_put(&pool, &x.out);
    bufpool_release(&pool);
    return 0;
}

static void apply(const struct setting *s)
{
    const char *peer = s->peer ? s->peer : "192.0.2.1";
    char mapped[64];

    snprintf(mapped, sizeof mapped, "%s%s", strchr(peer, ':') ? "" : "::ffff:", peer);
    assert_int_equal(inet_pton(AF_INET6, mapped, &conn.peer), 1);
    snprintf(x.peer, sizeof x.peer, "%s", peer);
    strcpy(x.request_id, "id-1");
    config = (struct config){.trusted_proxies = {trusted, 2},
                             .forwarded_header = s->forwarded,
                             .via = s->via ? s->via : ""};
    route_conf = (struct route_conf){.path = "/",
                                     .strip = s->strip,
                                     .prepend = s->prepend,
                                     .set_host = s->set_host,
                                     .request_headers = (struct header_change *)s->changes,
                                     .nrequest_headers = s->nchanges,
                                     .response_headers = (struct header_change *)s->changes,
                                     .nresponse_headers = s->nchanges};
    service_conf.preserve_host = s->preserve_host;
    instance = (struct instance){.address = s->address ? s->address : "10.0.0.5", .port = 8080};
    x.download.chunk_out = s->chunk_out;
    x.close_client = s->close_client;
    x.tunnel = s->tunnel;
    x.body_buffered = s->buffered;
    x.body = s->buffered ? STR("buffered") : STR_NULL;
}

/* '|' becomes CRLF; the empty line is added. */
static size_t expand(const char *head, char *out)
{
    size_t n = 0;

    for (; *head; head++) {
        if (*head == '|')
            out[n++] = '\r';
        out[n++] = *head == '|' ? '\n' : *head;
    }
    memcpy(out + n, "\r\n", 3);
    return n + 2;
}

static void parse_request(const char *head)
{
    size_t n = expand(head, text), scanned = 0, used;
    enum reason why;

    if (h1_parse_request(text, n, &limits, &scanned, &x.req, &used, &why) != H1_DONE)
        fail_msg("not a request: %s", head);
}

static void parse_response(const char *head)
{
    size_t n = expand(head, text), scanned = 0, used;
    enum reason why;

    if (h1_parse_response(text, n, &limits, &scanned, METHOD_GET, &x.attempt->resp, &used, &why) !=
        H1_DONE)
        fail_msg("not a response: %s", head);
}

static void expect(const char *name, const struct buf *b, const char *head)
{
    static char wanted[8192];
    size_t n = expand(head, wanted);

    if (buf_len(b) != n || memcmp(b->data + b->start, wanted, n) != 0)
        fail_msg("%s:\n%.*s", name, (int)buf_len(b), b->data + b->start);
}

#define FROM    "X-Forwarded-For: 192.0.2.1|X-Forwarded-Proto: http|X-Forwarded-Host: shop.example|"
#define ID      "X-Request-Id: id-1|"
#define TO      "Host: 10.0.0.5:8080|"
#define GET(p)  "GET " p " HTTP/1.1|Host: shop.example|"
#define SENT(p) "GET " p " HTTP/1.1|" TO

static const struct {
    const char *name, *request, *wanted;
    struct setting setting;
} requests[] = {
    {"plain", GET("/a?b=c"), SENT("/a?b=c") FROM ID, {0}},
    {"empty query", GET("/a?"), SENT("/a?") FROM ID, {0}},
    {"fields go on as they are",
     GET("/") "accept: */*|X-Odd:|",
     SENT("/") "accept: */*|X-Odd: |" FROM ID,
     {0}},
    {"hop-by-hop fields end here",
     GET("/") "Connection: X-Hop, close|X-Hop: 1|Keep-Alive: 5|TE: trailers|Proxy-Connection: x|",
     SENT("/") FROM ID,
     {0}},
    {"the client's own provenance is not believed",
     GET("/") "X-Forwarded-For: 6.6.6.6|X-Forwarded-Proto: https|X-Forwarded-Host: evil|"
              "X-Real-IP: 6.6.6.6|Forwarded: for=6.6.6.6|X-Forwarded-Prefix: /e|X-Request-Id: e|",
     SENT("/") FROM ID,
     {0}},
    {"a trusted proxy's is kept and added to",
     GET("/") "X-Forwarded-For: 1.2.3.4|X-Forwarded-For: 5.6.7.8|X-Forwarded-Proto: https|"
              "X-Forwarded-Host: outer|",
     SENT("/") "X-Forwarded-Proto: https|X-Forwarded-Host: outer|"
               "X-Forwarded-For: 1.2.3.4, 5.6.7.8, 10.1.2.3|" ID,
     {.peer = "10.1.2.3"}},
    {"next to a trusted network",
     GET("/") "X-Forwarded-Proto: https|",
     SENT("/") "X-Forwarded-For: 11.0.0.1|X-Forwarded-Proto: http|"
               "X-Forwarded-Host: shop.example|" ID,
     {.peer = "11.0.0.1"}},
    {"last address of a network that ends within a byte",
     GET("/") "X-Forwarded-Proto: https|",
     SENT("/") "X-Forwarded-Proto: https|X-Forwarded-For: 172.31.255.255|"
               "X-Forwarded-Host: shop.example|" ID,
     {.peer = "172.31.255.255"}},
    {"and the one behind it",
     GET("/") "X-Forwarded-Proto: https|",
     SENT("/") "X-Forwarded-For: 172.32.0.0|X-Forwarded-Proto: http|"
               "X-Forwarded-Host: shop.example|" ID,
     {.peer = "172.32.0.0"}},
    {"Forwarded",
     GET("/"),
     SENT("/") FROM ID "Forwarded: for=192.0.2.1;proto=http;host=\"shop.example\"|",
     {.forwarded = true}},
    {"Forwarded, IPv6",
     GET("/"),
     SENT("/") "X-Forwarded-For: 2001:db8::1|X-Forwarded-Proto: http|"
               "X-Forwarded-Host: shop.example|" ID
               "Forwarded: for=\"[2001:db8::1]\";proto=http;host=\"shop.example\"|",
     {.peer = "2001:db8::1", .forwarded = true}},
    {"Via",
     GET("/") "Via: 1.0 outer|",
     SENT("/") FROM ID "Via: 1.0 outer, 1.1 edge|",
     {.via = "edge"}},
    {"no Via of our own: none at all", GET("/") "Via: 1.0 outer|", SENT("/") FROM ID, {0}},
    {"body by length",
     "POST / HTTP/1.1|Host: shop.example|Content-Length: 12|",
     "POST / HTTP/1.1|" TO FROM ID "Content-Length: 12|",
     {0}},
    {"body in chunks",
     "POST / HTTP/1.1|Host: shop.example|Transfer-Encoding: chunked|",
     "POST / HTTP/1.1|" TO FROM ID "Transfer-Encoding: chunked|",
     {0}},
    {"buffered body",
     "POST / HTTP/1.1|Host: shop.example|Transfer-Encoding: chunked|",
     "POST / HTTP/1.1|" TO FROM ID "Content-Length: 8|",
     {.buffered = true}},
    {"expectation is ours",
     "POST / HTTP/1.1|Host: shop.example|Content-Length: 1|"
     "Expect: 100-continue|",
     "POST / HTTP/1.1|" TO FROM ID "Content-Length: 1|",
     {0}},
    {"upgrade",
     GET("/") "Connection: Upgrade|Upgrade: websocket|Sec-WebSocket-Key: x|",
     SENT("/") "Sec-WebSocket-Key: x|" FROM ID "Connection: upgrade|Upgrade: websocket|",
     {0}},
    {"host preserved",
     GET("/"),
     "GET / HTTP/1.1|Host: shop.example|" FROM ID,
     {.preserve_host = true}},
    {"host of the route",
     GET("/"),
     "GET / HTTP/1.1|Host: inner|" FROM ID,
     {.preserve_host = true, .set_host = "inner"}},
    {"host of the instance",
     GET("/"),
     SENT("/") FROM ID,
     {.preserve_host = true, .set_host = "dst"}},
    {"IPv6 instance",
     GET("/"),
     "GET / HTTP/1.1|Host: [2001:db8::5]:8080|" FROM ID,
     {.address = "2001:db8::5"}},
    {"no host at all",
     "GET / HTTP/1.0|",
     SENT("/") "X-Forwarded-For: 192.0.2.1|X-Forwarded-Proto: http|" ID,
     {.preserve_host = true}},
    {"changes",
     GET("/") "X-A: 1|x-b: 2|",
     SENT("/") "x-a: new|" FROM ID,
     {.changes = {{HEADER_SET, "x-a", "new"}, {HEADER_REMOVE, "X-B", NULL}}, .nchanges = 2}},
    {"added beside the client's",
     GET("/") "X-A: 1|",
     SENT("/") "X-A: 1|X-A: 2|" FROM ID,
     {.changes = {{HEADER_ADD, "X-A", "2"}}, .nchanges = 1}},
};

static void request_heads(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        apply(&requests[i].setting);
        parse_request(requests[i].request);
        assert_int_equal(head_write_request(&x), 0);
        expect(requests[i].name, x.attempt->up_head, requests[i].wanted);
    }
}

static void stripped_prefix_is_told(void **state)
{
    struct setting s = {.strip = "/api"};
    const char *written;

    (void)state;
    apply(&s);
    parse_request(GET("/api/x?y"));
    assert_int_equal(head_write_request(&x), 0);
    written = x.attempt->up_head->data;
    x.attempt->up_head->data[x.attempt->up_head->end] = '\0';
    assert_int_equal(strncmp(written, "GET /x?y HTTP/1.1\r\n", 19), 0);
    assert_non_null(strstr(written, "\r\nX-Forwarded-Prefix: /api\r\n"));
}

#define DATE "Date: Tue, 24 Nov 2026 23:01:06 GMT|"

static const struct {
    const char *name, *response, *wanted;
    unsigned minor; /* of the client */
    struct setting setting;
} responses[] = {
    {"plain",
     "HTTP/1.1 200 OK|" DATE "Content-Length: 5|",
     "HTTP/1.1 200 OK|" DATE "Content-Length: 5|",
     1,
     {0}},
    {"no reason phrase",
     "HTTP/1.1 299 |" DATE "Content-Length: 0|",
     "HTTP/1.1 299 |" DATE "Content-Length: 0|",
     1,
     {0}},
    {"neither phrase nor space",
     "HTTP/1.1 299|" DATE "Content-Length: 0|",
     "HTTP/1.1 299 |" DATE "Content-Length: 0|",
     1,
     {0}},
    {"hop-by-hop fields end here",
     "HTTP/1.1 200 OK|" DATE "Connection: close, X-Hop|X-Hop: 1|Keep-Alive: 5|Content-Length: 5|",
     "HTTP/1.1 200 OK|" DATE "Content-Length: 5|",
     1,
     {0}},
    {"fields of several lines stay several",
     "HTTP/1.1 200 OK|" DATE "Set-Cookie: a=1|Set-Cookie: b=2|Content-Length: 0|",
     "HTTP/1.1 200 OK|" DATE "Set-Cookie: a=1|Set-Cookie: b=2|Content-Length: 0|",
     1,
     {0}},
    {"chunks out",
     "HTTP/1.1 200 OK|" DATE "Transfer-Encoding: chunked|",
     "HTTP/1.1 200 OK|" DATE "Transfer-Encoding: chunked|",
     1,
     {.chunk_out = true}},
    {"until close for an old client",
     "HTTP/1.1 200 OK|" DATE "Transfer-Encoding: chunked|",
     "HTTP/1.1 200 OK|" DATE "Connection: close|",
     0,
     {.close_client = true}},
    {"old client that stays",
     "HTTP/1.1 200 OK|" DATE "Content-Length: 5|",
     "HTTP/1.1 200 OK|" DATE "Content-Length: 5|Connection: keep-alive|",
     0,
     {0}},
    {"no body", "HTTP/1.1 204 No Content|" DATE, "HTTP/1.1 204 No Content|" DATE, 1, {0}},
    {"not modified keeps its length",
     "HTTP/1.1 304 Not Modified|" DATE "Content-Length: 5|",
     "HTTP/1.1 304 Not Modified|" DATE "Content-Length: 5|",
     1,
     {0}},
    {"tunnel",
     "HTTP/1.1 101 Switching Protocols|" DATE "Connection: upgrade|Upgrade: websocket|",
     "HTTP/1.1 101 Switching Protocols|" DATE "Connection: upgrade|Upgrade: websocket|",
     1,
     {.tunnel = true}},
    {"Via",
     "HTTP/1.1 200 OK|" DATE "Via: 1.1 inner|Content-Length: 0|",
     "HTTP/1.1 200 OK|" DATE "Via: 1.1 inner|Via: 1.1 edge|Content-Length: 0|",
     1,
     {.via = "edge"}},
    {"changes",
     "HTTP/1.1 200 OK|" DATE "Server: x|X-Frame-Options: y|Content-Length: 0|",
     "HTTP/1.1 200 OK|" DATE "x-frame-options: DENY|Content-Length: 0|",
     1,
     {.changes = {{HEADER_REMOVE, "server", NULL}, {HEADER_SET, "x-frame-options", "DENY"}},
      .nchanges = 2}},
};

static void response_heads(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(responses); i++) {
        apply(&responses[i].setting);
        x.req.minor = responses[i].minor;
        parse_response(responses[i].response);
        x.out->start = x.out->end = 0;
        assert_int_equal(head_write_response(&x), 0);
        expect(responses[i].name, x.out, responses[i].wanted);
    }
}

static void date_is_added(void **state)
{
    struct setting s = {0};

    (void)state;
    apply(&s);
    x.req.minor = 1;
    parse_response("HTTP/1.1 200 OK|Content-Length: 0|");
    assert_int_equal(head_write_response(&x), 0);
    x.out->data[x.out->end] = '\0';
    assert_non_null(strstr(x.out->data, "\r\nDate: "));
    assert_non_null(strstr(x.out->data, " GMT\r\n"));
}

static void interim_heads_are_appended(void **state)
{
    struct setting s = {0};

    (void)state;
    apply(&s);
    parse_response("HTTP/1.1 103 Early Hints|Link: </a.css>|");
    memcpy(x.out->data, "before", x.out->end = 6);
    assert_int_equal(head_write_interim(&x), 0);
    expect("interim", x.out, "beforeHTTP/1.1 103 Early Hints|Link: </a.css>|");
}

static void what_does_not_fit_leaves_nothing(void **state)
{
    struct setting s = {0};

    (void)state;
    apply(&s);
    x.req.minor = 1;
    parse_response("HTTP/1.1 200 OK|" DATE "Content-Length: 5|");
    for (size_t space = 0; space < 70; space++) {
        x.out->end = BUF_BYTES - space;
        assert_int_equal(head_write_response(&x), -1);
        assert_int_equal(x.out->end, BUF_BYTES - space);
        assert_int_equal(head_write_interim(&x), -1);
        assert_int_equal(x.out->end, BUF_BYTES - space);
    }
}

static void writer(void **state)
{
    struct writer w = {x.out, false};

    (void)state;
    writer_lit(&w, "a");
    writer_str(&w, STR_NULL);
    writer_num(&w, 0);
    writer_lit(&w, " ");
    writer_num(&w, 10);
    writer_lit(&w, " ");
    writer_num(&w, UINT64_MAX);
    writer_field(&w, STR("N"), STR("v"));
    assert_false(w.overflow);
    assert_int_equal(w.b->end, 32);
    assert_memory_equal(w.b->data, "a0 10 18446744073709551615N: v\r\n", 32);
    w.b->end = BUF_BYTES - 3;
    writer_lit(&w, "abc");
    assert_false(w.overflow);
    writer_lit(&w, "d");
    assert_true(w.overflow);
    assert_int_equal(w.b->end, BUF_BYTES);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)
    const struct CMUnitTest tests[] = {
        T(request_heads), T(stripped_prefix_is_told),    T(response_heads),
        T(date_is_added), T(interim_heads_are_appended), T(what_does_not_fit_leaves_nothing),
        T(writer),
    };
#undef T

    return cmocka_run_group_tests(tests, NULL, NULL);
}
