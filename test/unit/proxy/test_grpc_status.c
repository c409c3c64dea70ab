/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h1_parse.h"
#include "proxy/exchange.h"
#include "proxy/grpc_status.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct exchange x;
static struct service_conf conf;
static struct service_view view = {.conf = &conf};

static int begin(void **state)
{
    (void)state;
    memset(&x, 0, sizeof x);
    x.attempt = &x.first_attempt;
    x.service = &view;
    conf.breaker.failure_grpc_statuses = 1u << 13 | 1u << 14;
    conf.retries.grpc_statuses = 1u << 14;
    return 0;
}

static void media_types(void **state)
{
    static const struct {
        const char *value;
        bool is;
    } rows[] = {
        {"application/grpc", true},      {"application/grpc+proto", true},
        {"Application/GRPC", true},      {"application/grpc; charset=x", true},
        {"application/grpc-web", false}, {"application/grpc-web+proto", false},
        {"application/grpcx", false},    {"application/json", false},
        {"application/gr", false},       {"", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (grpc_media_type(str_of(rows[i].value)) != rows[i].is)
            fail_msg("%s", rows[i].value);
}

static void timeouts(void **state)
{
    static const struct {
        const char *value;
        uint64_t ns;
    } rows[] = {
        {"1H", 3600 * NS_PER_S},
        {"2M", 120 * NS_PER_S},
        {"3S", 3 * NS_PER_S},
        {"250m", 250 * NS_PER_MS},
        {"7u", 7000},
        {"9n", 9},
        {"0S", 0},
        {"99999999S", 99999999 * NS_PER_S},
        {"99999999H", 0},
        {"100000000n", 0},
        {"S", 0},
        {"1", 0},
        {"1s", 0},
        {"-1S", 0},
        {" 1S", 0},
        {"", 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (grpc_timeout_ns(str_of(rows[i].value)) != rows[i].ns)
            fail_msg("%s", rows[i].value);
}

static void read_request(char *text)
{
    static const struct h1_limits limits = {4096, 4096, HTTP_MAX_HEADERS};
    enum reason why;
    size_t scanned = 0, n;

    assert_int_equal(h1_parse_request(text, strlen(text), &limits, &scanned, &x.req, &n, &why),
                     H1_DONE);
}

#define CALL "POST /a.B/C HTTP/1.1\r\nHost: h\r\nConnection: TE\r\nTE: trailers\r\n"

static void requests(void **state)
{
    static const struct {
        const char *text;
        bool is;
        uint64_t deadline_ns;
    } rows[] = {
        {CALL "Content-Type: application/grpc\r\n\r\n", true, 0},
        {CALL "Content-Type: application/grpc\r\nGrpc-Timeout: 2S\r\n\r\n", true, 7 * NS_PER_S},
        {CALL "Content-Type: application/grpc\r\nGrpc-Timeout: soon\r\n\r\n", true, 0},
        {CALL "Content-Type: text/plain\r\nGrpc-Timeout: 2S\r\n\r\n", false, 0},
        {CALL "\r\n", false, 0},
        {"POST /a.B/C HTTP/1.1\r\nHost: h\r\nContent-Type: application/grpc\r\n\r\n", false, 0},
        {"GET /a.B/C HTTP/1.1\r\nHost: h\r\nContent-Type: application/grpc\r\n\r\n", false, 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[400];

        begin(state);
        x.begin_ns = 5 * NS_PER_S;
        strcpy(text, rows[i].text);
        read_request(text);
        grpc_look_at_request(&x);
        if (x.grpc.is != rows[i].is || x.grpc.deadline_ns != rows[i].deadline_ns)
            fail_msg("row %zu", i);
    }
}

static void give_head(const char *name, const char *value, enum framing framing)
{
    x.attempt->resp.framing = framing;
    x.attempt->resp.nheaders = 1;
    x.attempt->resp.headers[0] = (struct header){str_of(name), str_of(value), 0, false};
    grpc_look_at_head(&x);
}

static void ends(void **state)
{
    static const struct {
        const char *value;
        unsigned status;
        bool failure, retry;
    } rows[] = {
        {"0", 0, false, false},  {"13", 13, true, false}, {"14", 14, true, true},
        {"99", 2, false, false}, {"x", 2, false, false},  {"", 2, false, false},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[100];

        begin(state);
        give_head("Grpc-Status", rows[i].value, FRAMING_NONE);
        assert_true(x.grpc.ended);
        assert_int_equal(x.grpc.status, rows[i].status);
        assert_int_equal(grpc_is_failure(&x), rows[i].failure);
        assert_int_equal(grpc_may_retry(&x), rows[i].retry);
        give_head("Grpc-Status", rows[i].value, FRAMING_CLOSE);
        assert_false(grpc_may_retry(&x));
        give_head("grpc-message", rows[i].value, FRAMING_NONE);
        assert_false(x.grpc.ended || grpc_is_failure(&x) || grpc_may_retry(&x));
        snprintf(text, sizeof text, "x: y\r\ngrpc-status: %s\r\ngrpc-message: m\r\n",
                 rows[i].value);
        grpc_look_at_trailers(&x, str_of(text));
        assert_true(x.grpc.ended);
        assert_int_equal(x.grpc.status, rows[i].status);
        assert_int_equal(grpc_is_failure(&x), rows[i].failure);
    }
}

static void trailers_without_a_status(void **state)
{
    static const char *const rows[] = {"", "x: 1\r\n", "grpc-statusx: 14\r\n", "grpc-status\r\n",
                                       ":\r\n\r\n\n"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        grpc_look_at_trailers(&x, str_of(rows[i]));
        assert_false(x.grpc.ended);
    }
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup(fn, begin)
    const struct CMUnitTest tests[] = {
        T(media_types), T(timeouts), T(requests), T(ends), T(trailers_without_a_status),
    };
#undef T

    return cmocka_run_group_tests(tests, NULL, NULL);
}
