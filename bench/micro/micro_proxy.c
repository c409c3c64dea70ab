/* SPDX-License-Identifier: Apache-2.0 */
/* micro_proxy.c - what the proxy writes for a request: the head for the instance, the one for the
 * client, the accounts and the line of the access log; and the look at a rate limit. */
#include "base/siphash.h"
#include "http/h1_parse.h"
#include "limits/limit_table.h"
#include "micro.h"
#include "proxy/access_log.h"
#include "proxy/finish.h"
#include "proxy/head.h"
#include "proxy/limit_key.h"

#include <arpa/inet.h>
#include <string.h>

static const struct h1_limits limits = {8192, 32768, 100};

static char request_text[] = "GET /orders/17 HTTP/1.1\r\n"
                             "Host: shop.example\r\n"
                             "User-Agent: curl/8.11.0\r\n"
                             "Accept: application/json\r\n"
                             "Accept-Encoding: gzip, deflate, br, zstd\r\n"
                             "Connection: keep-alive\r\n\r\n";
static char response_text[] = "HTTP/1.1 200 OK\r\n"
                              "Date: Tue, 24 Nov 2026 23:01:06 GMT\r\n"
                              "Content-Type: application/json\r\n"
                              "Content-Length: 412\r\n"
                              "Cache-Control: private, max-age=0\r\n"
                              "ETag: \"5b4e1c0e8d7a4a53\"\r\n"
                              "Vary: Accept-Encoding\r\n\r\n";

static struct bufpool pool;
static struct worker worker;
static struct conn conn;
static struct config config;
static struct snapshot snapshot = {.config = &config};
static struct held_snapshot held = {.snapshot = &snapshot};
static struct route_conf route_conf = {.name = "orders", .path = "/orders/"};
static struct route route = {.conf = &route_conf};
static struct service_conf service_conf;
static struct instance instance = {.id = "orders-1", .address = "10.0.0.5", .port = 8080};
static struct instance_set set = {.n = 1, .items = &instance};
static struct service_stats stats;
static struct service_state state = {.name = "orders", .stats = &stats, .nworkers = 1};
static struct service_view service = {.conf = &service_conf, .set = &set, .n = 1, .state = &state};
static struct exchange x;
static struct access_log *log_file;

static void prepare(long unused)
{
    size_t scanned = 0, used;
    enum reason why;

    (void)unused;
    bufpool_init(&pool, 4);
    memset(&x, 0, sizeof x);
    worker.now_ns = 1000 * NS_PER_S;
    x.w = &worker;
    x.conn = &conn;
    x.held = &held;
    x.match.route = &route;
    x.service = &service;
    x.attempt = &x.first_attempt;
    x.attempt->up_head = bufpool_get(&pool);
    x.out = bufpool_get(&pool);
    micro_check(x.attempt->up_head && x.out);
    config.via = "edge";
    service_conf.preserve_host = true;
    inet_pton(AF_INET6, "::ffff:192.0.2.1", &conn.peer);
    x.client = conn.peer;
    strcpy(x.peer, "192.0.2.1");
    strcpy(x.request_id, "5b4e1c0e-8d7a-4a53-9c4f-1f6a2f3b7d10");
    x.attempts = 1;
    x.status = 200;
    x.begin_ns = worker.now_ns - 2345678;
    x.attempt->sent_ns = x.begin_ns + 100000;
    x.attempt->first_byte_ns = worker.now_ns - 200000;
    micro_check(h1_parse_request(request_text, strlen(request_text), &limits, &scanned, &x.req,
                                 &used, &why) == H1_DONE);
    x.head_bytes = used;
    scanned = 0;
    micro_check(h1_parse_response(response_text, strlen(response_text), &limits, &scanned,
                                  METHOD_GET, &x.attempt->resp, &used, &why) == H1_DONE);
}

static void release(void)
{
    bufpool_put(&pool, &x.attempt->up_head);
    bufpool_put(&pool, &x.out);
    bufpool_release(&pool);
}

static void write_requests(unsigned n)
{
    while (n--)
        micro_check(head_write_request(&x) == 0);
    micro_check(buf_len(x.attempt->up_head) > 200);
}

static void write_responses(unsigned n)
{
    while (n--) {
        x.out->start = x.out->end = 0;
        micro_check(head_write_response(&x) == 0);
    }
    micro_check(buf_len(x.out) > 150);
}

static void finish(unsigned n)
{
    while (n--)
        finish_report(&x);
    micro_check(stats.requests > 0);
}

static void prepare_log(long unused)
{
    struct err e;

    prepare(unused);
    log_file = access_log_open("/dev/null", &e);
    micro_check(log_file != NULL);
    worker.log = access_log_buffer_new(log_file);
}

static void release_log(void)
{
    access_log_buffer_free(worker.log);
    worker.log = NULL;
    access_log_close(log_file);
    release();
}

/* A rate of 100 a second for each address, and a thousand clients in turns. */
static struct limit_table *table;
static struct limit_rule rule;
static struct rate_limit_conf rate = {.kind = LIMIT_RATE,
                                      .amount = 100,
                                      .period = PERIOD_SECOND,
                                      .burst = 100,
                                      .max_clients = 10000,
                                      .ipv4_prefix = 32,
                                      .ipv6_prefix = 64};

static void check_limit(unsigned n)
{
    static const struct siphash_key key = {1, 2};
    struct limit_clock clock = {1000 * NS_PER_S, 0};

    while (n--) {
        struct limit_key k;
        uint64_t value;

        x.client.s6_addr[14] = (unsigned char)(n % 1000 / 256);
        x.client.s6_addr[15] = (unsigned char)(n % 1000);
        micro_check(limit_key_of(&x, NULL, &rate, &k));
        micro_check(limit_table_take(table, siphash(&key, k.text, k.n), &rule, &clock, &value));
    }
}

static void prepare_limit(long unused)
{
    prepare(unused);
    limit_rule_of(&rate, &rule);
    table = limit_table_new(rate.max_clients);
    micro_check(table != NULL);
    check_limit(1000);
}

static void release_limit(void)
{
    limit_table_free(&table);
    release();
}

static const struct micro_case cases[] = {
    {"write request head", 500, prepare, write_requests, release, 0},
    {"write response head", 500, prepare, write_responses, release, 0},
    {"statistics of a request", 500, prepare, finish, release, 0},
    /* As many as a buffer of the log holds: none is handed over meanwhile. */
    {"statistics and access log line", 150, prepare_log, finish, release_log, 0},
    {"rate limit by address", 1000, prepare_limit, check_limit, release_limit, 0},
};

const struct micro_group micro_proxy = MICRO_GROUP(cases);
