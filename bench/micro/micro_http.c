/* SPDX-License-Identifier: Apache-2.0 */
/* micro_http.c - heads of HTTP/1: read and judged. */
#include "http/h1_parse.h"
#include "micro.h"

#include <string.h>

static const struct h1_limits limits = {8192, 32768, 100};

#define CLIENT "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"

static const char small_head[] = "GET /orders/17 HTTP/1.1\r\n"
                                 "host: shop.example\r\n"
                                 "user-agent: " CLIENT "\r\n"
                                 "accept: application/json\r\n"
                                 "accept-encoding: gzip, deflate, br, zstd\r\n"
                                 "connection: keep-alive\r\n\r\n";
static const char response_head[] = "HTTP/1.1 200 OK\r\n"
                                    "date: Tue, 24 Nov 2026 23:01:06 GMT\r\n"
                                    "content-type: application/json\r\n"
                                    "content-length: 412\r\n"
                                    "cache-control: private, max-age=0\r\n"
                                    "etag: \"5b4e1c0e8d7a4a53\"\r\n"
                                    "vary: accept-encoding\r\n\r\n";

static char text[16384];
static size_t length;
static struct request request;
static struct response response;

static void add(const char *line)
{
    micro_check(length + strlen(line) < sizeof text);
    strcpy(text + length, line);
    length += strlen(line);
}

static void prepare_small(long unused)
{
    (void)unused;
    length = 0;
    add(small_head);
}

/* As a browser that has been about for a while sends it: 5 KB, most of it cookies. */
static void prepare_long(long unused)
{
    char line[300];

    (void)unused;
    length = 0;
    add("GET /orders/2026-11-24/17/lines?sort=price&direction=descending&page=3 HTTP/1.1\r\n"
        "host: shop.example\r\nuser-agent: " CLIENT "\r\n"
        "accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,"
        "*/*;q=0.8\r\naccept-language: en-GB,en;q=0.7,de;q=0.3\r\n"
        "accept-encoding: gzip, deflate, br, zstd\r\nreferer: https://shop.example/orders\r\n"
        "connection: keep-alive\r\nupgrade-insecure-requests: 1\r\nsec-fetch-dest: document\r\n"
        "sec-fetch-mode: navigate\r\nsec-fetch-site: same-origin\r\nsec-fetch-user: ?1\r\n"
        "priority: u=0, i\r\npragma: no-cache\r\ncache-control: no-cache\r\n");
    for (int i = 0; i < 16; i++) {
        snprintf(line, sizeof line, "cookie: part%02d=%0240d\r\n", i, i);
        add(line);
    }
    add("\r\n");
}

static void prepare_response(long unused)
{
    (void)unused;
    length = 0;
    add(response_head);
}

static void parse_requests(unsigned n)
{
    while (n--) {
        size_t scanned = 0, used;
        enum reason why;

        micro_check(h1_parse_request(text, length, &limits, &scanned, &request, &used, &why) ==
                    H1_DONE);
    }
    micro_check(request.host.n == strlen("shop.example") && request.nheaders >= 5);
}

static void parse_responses(unsigned n)
{
    while (n--) {
        size_t scanned = 0, used;
        enum reason why;

        micro_check(h1_parse_response(text, length, &limits, &scanned, METHOD_GET, &response, &used,
                                      &why) == H1_DONE);
    }
    micro_check(response.content_length == 412 && response.nheaders == 6);
}

static void release(void)
{
}

static const struct micro_case cases[] = {
    {"parse request, 5 fields", 500, prepare_small, parse_requests, release, 0},
    {"parse request, 31 fields, 5 KB", 200, prepare_long, parse_requests, release, 0},
    {"parse response, 6 fields", 500, prepare_response, parse_responses, release, 0},
};

const struct micro_group micro_http = MICRO_GROUP(cases);
