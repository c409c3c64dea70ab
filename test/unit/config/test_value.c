/* SPDX-License-Identifier: Apache-2.0 */
#include "config/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void durations(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        uint64_t ms;
    } rows[] = {
        {"250ms", true, 250},
        {"3s", true, 3000},
        {"1m", true, 60000},
        {"2h", true, 7200000},
        {"0", true, 0},
        {"0s", true, 0},
        {"5", false, 0},
        {"", false, 0},
        {"s", false, 0},
        {"-1s", false, 0},
        {"1.5s", false, 0},
        {"1 s", false, 0},
        {"1d", false, 0},
        {"18446744073709551615h", false, 0},
        {"99999999999999999999s", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t ms = 0;

        if (value_duration(rows[i].text, &ms) != rows[i].ok || (rows[i].ok && ms != rows[i].ms))
            fail_msg("%s", rows[i].text);
    }
}

static void sizes(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        uint64_t bytes;
    } rows[] = {
        {"0", true, 0},        {"4096", true, 4096},     {"64k", true, 65536},
        {"1M", true, 1 << 20}, {"2g", true, 2ull << 30}, {"k", false, 0},
        {"1kb", false, 0},     {"-1", false, 0},         {"18446744073709551615g", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t bytes = 0;

        if (value_size(rows[i].text, &bytes) != rows[i].ok ||
            (rows[i].ok && bytes != rows[i].bytes))
            fail_msg("%s", rows[i].text);
    }
}

static void addresses(void **state)
{
    static const struct {
        const char *text, *host; /* NULL = refused */
        uint16_t port;
    } rows[] = {
        {"0.0.0.0:8080", "0.0.0.0", 8080},
        {"[::]:8080", "::", 8080},
        {":8080", "", 8080},
        {"web-1.internal:1", "web-1.internal", 1},
        {"a:65535", "a", 65535},
        {"a:0", NULL, 0},
        {"a:65536", NULL, 0},
        {"a:", NULL, 0},
        {"a", NULL, 0},
        {"", NULL, 0},
        {"[::1]", NULL, 0},
        {"[::1:80", NULL, 0},
        {"[a]:80", NULL, 0},
        {"[]:80", NULL, 0},
        {"::1:80", NULL, 0},
        {"a b:80", NULL, 0},
        {"http://a:80", NULL, 0},
        {"-a:80", NULL, 0},
        {"a:80x", NULL, 0},
        {"[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb]:80", NULL, 0},
    };
    struct arena *a = arena_new();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *host = NULL;
        uint16_t port = 0;
        bool ok = value_address(a, rows[i].text, &host, &port);

        if (ok != (rows[i].host != NULL))
            fail_msg("%s", rows[i].text);
        if (ok) {
            assert_string_equal(host, rows[i].host);
            assert_int_equal(port, rows[i].port);
        }
    }
    arena_free(a);
}

static void networks(void **state)
{
    static const struct {
        const char *text;
        int bits; /* -1 = refused */
        unsigned char last;
    } rows[] = {{"10.0.0.0/8", 104, 0}, {"10.1.2.3", 128, 3},   {"0.0.0.0/0", 96, 0},
                {"::1", 128, 1},        {"fd00::/8", 8, 0},     {"::/0", 0, 0},
                {"10.0.0.1/8", -1, 0},  {"10.0.0.0/33", -1, 0}, {"::/129", -1, 0},
                {"10.0.0.0/", -1, 0},   {"10.0.0", -1, 0},      {"", -1, 0},
                {"web/8", -1, 0},       {"10.0.0.0/8x", -1, 0}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct cidr c;
        const char *problem = value_cidr_problem(rows[i].text, &c);

        if (!problem != (rows[i].bits >= 0))
            fail_msg("%s: %s", rows[i].text, problem ? problem : "accepted");
        if (!problem) {
            assert_int_equal(c.bits, rows[i].bits);
            assert_int_equal(c.addr[15], rows[i].last);
        }
    }
}

static void paths(void **state)
{
    static const struct {
        const char *text;
        bool literal, pattern;
        unsigned params;
    } rows[] = {
        {"/", true, true, 0},
        {"/orders/", true, true, 0},
        {"/a-b_c.d~e/@:!$&'()*+,;=", true, true, 0},
        {"/a%20b", true, true, 0},
        {"/..a/.b", true, true, 0},
        {"", false, false, 0},
        {"orders", false, false, 0},
        {"//", false, false, 0},
        {"/a//b", false, false, 0},
        {"/.", false, false, 0},
        {"/a/../b", false, false, 0},
        {"/a?b", false, false, 0},
        {"/a#b", false, false, 0},
        {"/a b", false, false, 0},
        {"/a\\b", false, false, 0},
        {"/\xc3\xa4", false, false, 0},
        {"/%", false, false, 0},
        {"/%4", false, false, 0},
        {"/%zz", false, false, 0},
        {"/%3f", false, false, 0},
        {"/%3F", true, true, 0},
        {"/%41", false, false, 0},
        {"/%2F", false, false, 0},
        {"/%5C", false, false, 0},
        {"/%00", false, false, 0},
        {"/{id}", false, true, 1},
        {"/a/{b}/c/{d...}", false, true, 2},
        {"/{rest...}", false, true, 1},
        {"/{rest...}/a", false, false, 0},
        {"/a{b}", false, false, 0},
        {"/{b}a", false, false, 0},
        {"/{}", false, false, 0},
        {"/{...}", false, false, 0},
        {"/{1a}", false, false, 0},
        {"/{a-b}", false, false, 0},
        {"/{a}/{a}", false, false, 0},
        {"/{a", false, false, 0},
        {"/{", false, false, 0},
        {"/a}", false, false, 0},
        {"/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}", false, true, 8},
        {"/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}", false, false, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct value_params params;
        const char *literal = value_path_problem(rows[i].text);
        const char *pattern = value_pattern_problem(rows[i].text, &params);

        if (!literal != rows[i].literal || !pattern != rows[i].pattern)
            fail_msg("%s: literal: %s; pattern: %s", rows[i].text, literal ? literal : "fine",
                     pattern ? pattern : "fine");
        if (!pattern)
            assert_int_equal(params.n, rows[i].params);
    }
}

static void templates(void **state)
{
    static const struct {
        const char *text;
        bool ok;
    } rows[] = {{"/v2/{id}", true}, {"/{rest}-{id}", true}, {"plain", true}, {"/{other}", false},
                {"/{id", false},    {"/id}", false},        {"/{}", false},  {"/{rest...}", false}};
    struct value_params params;

    (void)state;
    assert_null(value_pattern_problem("/{id}/{rest...}", &params));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (!value_template_problem(rows[i].text, &params) != rows[i].ok)
            fail_msg("%s", rows[i].text);
}

static void hosts(void **state)
{
    static const struct {
        const char *text;
        bool ok;
    } rows[] = {{"", true},
                {"shop.example", true},
                {"*.shop.example", true},
                {"*.Shop.example:8443", true},
                {"[::1]:80", true},
                {"10.0.0.1", true},
                {"*", false},
                {"*.", false},
                {"a.*.b", true},
                {"*a?.b:80", true},
                {"a*/b", false},
                {"a.[bc]*", false},
                {"a:0", false},
                {"a:x", false},
                {"a/b", false},
                {"user@a", false},
                {"[::1", false},
                {"a b", false}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (!value_host_problem(rows[i].text) != rows[i].ok)
            fail_msg("%s", rows[i].text);
}

static void regexes(void **state)
{
    (void)state;
    assert_null(value_regex_problem("^/orders/[0-9]{2,3}$"));
    assert_non_null(value_regex_problem("("));
    assert_non_null(value_regex_problem("(?!x)"));
}

static void headers(void **state)
{
    static const struct {
        const char *text;
        bool ok;
    } rows[] = {{"x-canary", true},   {"X_Y", true},      {"", false},
                {"a b", false},       {"a:", false},      {"a\r\n", false},
                {"Host", false},      {"host", false},    {"Content-Length", false},
                {"TE", false},        {"upgrade", false}, {"transfer-Encoding", false},
                {"connection", false}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (!value_header_problem(rows[i].text) != rows[i].ok)
            fail_msg("%s", rows[i].text);
    assert_null(value_header_value_problem("a\tb \xc3\xa4"));
    assert_non_null(value_header_value_problem("a\rb"));
    assert_non_null(value_header_value_problem("a\nb"));
    assert_non_null(value_header_value_problem("\x7f"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations), cmocka_unit_test(sizes),   cmocka_unit_test(addresses),
        cmocka_unit_test(networks),  cmocka_unit_test(paths),   cmocka_unit_test(templates),
        cmocka_unit_test(hosts),     cmocka_unit_test(regexes), cmocka_unit_test(headers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
