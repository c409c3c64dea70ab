/* SPDX-License-Identifier: Apache-2.0 */
#include "http/proxy_protocol.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_V2 = 300, ANY = PROXY_VERSION_1 | PROXY_VERSION_2 };

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
/* 192.0.2.1:50000 -> 192.0.2.2:443 */
#define ENDS_V4 "\xc0\0\2\1\xc0\0\2\2\xc3\x50\1\xbb"
/* 2001:db8::1 -> 2001:db8::2, the same ports */
#define ENDS_V6                                                                                    \
    "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"                                                       \
    "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2\xc3\x50\1\xbb"
#define FILL_50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define FILL_91 FILL_50 "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"

static void show(const struct proxy_addresses *a, char out[160])
{
    char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];

    inet_ntop(AF_INET6, &a->source, source, sizeof source);
    inet_ntop(AF_INET6, &a->destination, destination, sizeof destination);
    if (a->known)
        snprintf(out, 160, "%s %u %s %u", source, a->source_port, destination, a->destination_port);
    else
        snprintf(out, 160, "unknown");
}

#define V4_SHOWN "::ffff:192.0.2.1 50000 ::ffff:192.0.2.2 443"
#define V6_SHOWN "2001:db8::1 50000 2001:db8::2 443"

static const struct {
    const char *name;
    struct str in;
    unsigned versions;
    const char *out; /* NULL = refused */
} rows[] = {
    {"v1 TCP4", STR("PROXY TCP4 192.0.2.1 192.0.2.2 50000 443\r\n"), ANY, V4_SHOWN},
    {"v1 TCP6", STR("PROXY TCP6 2001:db8::1 2001:db8::2 50000 443\r\n"), ANY, V6_SHOWN},
    {"v1 TCP6 with a mapped address", STR("PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 1 2\r\n"), ANY,
     "::ffff:192.0.2.1 1 2001:db8::2 2"},
    {"v1 UNKNOWN alone", STR("PROXY UNKNOWN\r\n"), ANY, "unknown"},
    {"v1 UNKNOWN with addresses", STR("PROXY UNKNOWN ffff::1 ::2 1 2\r\n"), ANY, "unknown"},
    {"v1 longest", STR("PROXY UNKNOWN " FILL_91 "\r\n"), ANY, "unknown"},
    {"v1 one byte too long", STR("PROXY UNKNOWN " FILL_91 "z\r\n"), ANY, NULL},
    {"v1 endless", STR("PROXY UNKNOWN " FILL_91 FILL_91), ANY, NULL},
    {"v1 ports at the ends", STR("PROXY TCP4 1.2.3.4 5.6.7.8 0 65535\r\n"), ANY,
     "::ffff:1.2.3.4 0 ::ffff:5.6.7.8 65535"},
    {"v1 where only v2 is accepted", STR("PROXY UNKNOWN\r\n"), PROXY_VERSION_2, NULL},
    {"v1 port too large", STR("PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n"), ANY, NULL},
    {"v1 port with a leading zero", STR("PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n"), ANY, NULL},
    {"v1 port with a sign", STR("PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n"), ANY, NULL},
    {"v1 octet with a leading zero", STR("PROXY TCP4 1.2.3.04 5.6.7.8 1 2\r\n"), ANY, NULL},
    {"v1 octet too large", STR("PROXY TCP4 1.2.3.256 5.6.7.8 1 2\r\n"), ANY, NULL},
    {"v1 three octets", STR("PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n"), ANY, NULL},
    {"v1 IPv6 as TCP4", STR("PROXY TCP4 ::1 5.6.7.8 1 2\r\n"), ANY, NULL},
    {"v1 IPv4 as TCP6", STR("PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n"), ANY, NULL},
    {"v1 zone", STR("PROXY TCP6 fe80::1%eth0 ::2 1 2\r\n"), ANY, NULL},
    {"v1 address longer than any", STR("PROXY TCP6 " FILL_50 " ::2 1 2\r\n"), ANY, NULL},
    {"v1 two spaces", STR("PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n"), ANY, NULL},
    {"v1 tab", STR("PROXY TCP4\t1.2.3.4 5.6.7.8 1 2\r\n"), ANY, NULL},
    {"v1 space at the end", STR("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n"), ANY, NULL},
    {"v1 one field too many", STR("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n"), ANY, NULL},
    {"v1 no ports", STR("PROXY TCP4 1.2.3.4 5.6.7.8\r\n"), ANY, NULL},
    {"v1 nothing", STR("PROXY \r\n"), ANY, NULL},
    {"v1 other protocol", STR("PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n"), ANY, NULL},
    {"v1 lower case", STR("proxy tcp4 1.2.3.4 5.6.7.8 1 2\r\n"), ANY, NULL},
    {"v1 UNKNOWN with a tail", STR("PROXY UNKNOWNS\r\n"), ANY, NULL},
    {"v1 LF alone", STR("PROXY UNKNOWN\n"), ANY, NULL},
    {"v1 CR alone", STR("PROXY UNKNOWN\rX\n"), ANY, NULL},
    {"v1 NUL", STR("PROXY UNKNOWN \0\r\n"), ANY, NULL},
    {"an HTTP request", STR("GET / HTTP/1.1\r\n"), ANY, NULL},
    {"an HTTP method that begins alike", STR("PROPFIND / HTTP/1.1\r\n"), ANY, NULL},
    {"a TLS handshake", STR("\x16\3\1\2\0\1\0"), ANY, NULL},

    {"v2 IPv4", STR(SIGNATURE "\x21\x11\0\x0c" ENDS_V4), ANY, V4_SHOWN},
    {"v2 IPv6", STR(SIGNATURE "\x21\x21\0\x24" ENDS_V6), ANY, V6_SHOWN},
    {"v2 LOCAL", STR(SIGNATURE "\x20\0\0\0"), ANY, "unknown"},
    {"v2 LOCAL with addresses", STR(SIGNATURE "\x20\x11\0\x0c" ENDS_V4), ANY, "unknown"},
    {"v2 LOCAL of no family", STR(SIGNATURE "\x20\xff\0\2xx"), ANY, "unknown"},
    {"v2 UNSPEC", STR(SIGNATURE "\x21\0\0\0"), ANY, "unknown"},
    {"v2 UNSPEC with anything", STR(SIGNATURE "\x21\0\0\5xxxxx"), ANY, "unknown"},
    {"v2 datagrams", STR(SIGNATURE "\x21\x12\0\x0c" ENDS_V4), ANY, "unknown"},
    {"v2 UNIX, cut", STR(SIGNATURE "\x21\x31\0\x0c" ENDS_V4), ANY, NULL},
    {"v2 additional fields", STR(SIGNATURE "\x21\x11\0\x17" ENDS_V4 "\4\0\3xxx\1\0\2h2"), ANY,
     V4_SHOWN},
    {"v2 additional field, empty", STR(SIGNATURE "\x21\x11\0\x0f" ENDS_V4 "\4\0\0"), ANY, V4_SHOWN},
    {"v2 additional field over the end", STR(SIGNATURE "\x21\x11\0\x0f" ENDS_V4 "\4\0\1"), ANY,
     NULL},
    {"v2 additional field far over the end", STR(SIGNATURE "\x21\x11\0\x0f" ENDS_V4 "\4\xff\xff"),
     ANY, NULL},
    {"v2 additional field without length", STR(SIGNATURE "\x21\x11\0\x0e" ENDS_V4 "\4\0"), ANY,
     NULL},
    {"v2 wrong checksum", STR(SIGNATURE "\x21\x11\0\x13" ENDS_V4 "\3\0\4\1\2\3\4"), ANY, NULL},
    {"v2 checksum of three bytes", STR(SIGNATURE "\x21\x11\0\x12" ENDS_V4 "\3\0\3\1\2\3"), ANY,
     NULL},
    {"v2 addresses cut", STR(SIGNATURE "\x21\x11\0\x0b\xc0\0\2\1\xc0\0\2\2\xc3\x50\1"), ANY, NULL},
    {"v2 IPv6 addresses cut", STR(SIGNATURE "\x21\x21\0\x0c" ENDS_V4), ANY, NULL},
    {"v2 too long", STR(SIGNATURE "\x21\x11\1\x1d"), ANY, NULL},
    {"v2 version 1", STR(SIGNATURE "\x11\x11\0\x0c" ENDS_V4), ANY, NULL},
    {"v2 version 3", STR(SIGNATURE "\x31"), ANY, NULL},
    {"v2 command that does not exist", STR(SIGNATURE "\x22"), ANY, NULL},
    {"v2 family that does not exist", STR(SIGNATURE "\x21\x41\0\x0c" ENDS_V4), ANY, NULL},
    {"v2 protocol that does not exist", STR(SIGNATURE "\x21\x13\0\x0c" ENDS_V4), ANY, NULL},
    {"v2 signature broken at its end", STR("\r\n\r\n\0\r\nQUIT\r"), ANY, NULL},
    {"v2 where only v1 is accepted", STR(SIGNATURE "\x20\0\0\0"), PROXY_VERSION_1, NULL},
};

/* From a copy of just these bytes, so that a sanitizer sees every read behind them. */
static enum proxy_verdict read_copy(struct str in, size_t n, unsigned versions,
                                    struct proxy_addresses *ret, size_t *ret_bytes,
                                    const char **ret_problem)
{
    char *copy = malloc(n ? n : 1);
    enum proxy_verdict v;

    assert_non_null(copy);
    memcpy(copy, in.p, n);
    v = proxy_protocol_read(copy, n, versions, MAX_V2, ret, ret_bytes, ret_problem);
    free(copy);
    return v;
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct proxy_addresses a = {.known = false};
        const char *problem = NULL;
        size_t bytes = 0, at = 0;
        enum proxy_verdict v = PROXY_MORE;
        char text[160];

        /* One byte more each time: a header is complete with its last byte and not before. */
        while (v == PROXY_MORE && at <= rows[i].in.n)
            v = read_copy(rows[i].in, at++, rows[i].versions, &a, &bytes, &problem);
        if (read_copy(rows[i].in, rows[i].in.n, rows[i].versions, &a, &bytes, &problem) != v)
            fail_msg("%s: another verdict at once than byte by byte", rows[i].name);
        if (v != (rows[i].out ? PROXY_DONE : PROXY_BAD))
            fail_msg("%s: verdict %d after %zu bytes (%s)", rows[i].name, v, at - 1,
                     problem ? problem : "");
        if (v == PROXY_BAD) {
            assert_non_null(problem);
            continue;
        }
        show(&a, text);
        if (strcmp(text, rows[i].out) != 0 || bytes != rows[i].in.n || at - 1 != bytes)
            fail_msg("%s: %s, %zu bytes", rows[i].name, text, bytes);
    }
}

static void test_bytes_behind_are_left(void **state)
{
    struct str in = STR("PROXY TCP4 192.0.2.1 192.0.2.2 50000 443\r\nGET / HTTP/1.1\r\n");
    struct proxy_addresses a;
    const char *problem;
    size_t bytes;

    (void)state;
    assert_int_equal(read_copy(in, in.n, ANY, &a, &bytes, &problem), PROXY_DONE);
    assert_int_equal(bytes, 42);
}

static void test_crc32c(void **state)
{
    (void)state;
    /* The check value of the algorithm. */
    assert_int_equal(proxy_protocol_crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(proxy_protocol_crc32c(proxy_protocol_crc32c(0, "1234", 4), "56789", 5),
                     0xe3069283);
}

static void test_right_checksum_then_every_wrong_bit(void **state)
{
    char head[] = SIGNATURE "\x21\x11\0\x16" ENDS_V4 "\4\0\0\3\0\4\0\0\0";
    size_t n = sizeof head;
    uint32_t crc = proxy_protocol_crc32c(0, head, n);
    struct proxy_addresses a;
    const char *problem;
    size_t bytes;

    (void)state;
    for (int i = 0; i < 4; i++)
        head[n - 4 + i] = (char)(crc >> (24 - 8 * i));
    assert_int_equal(read_copy((struct str){head, n}, n, ANY, &a, &bytes, &problem), PROXY_DONE);
    for (size_t bit = 8 * PROXY_V2_FIXED; bit < 8 * n; bit++) {
        /* What tells the types and lengths apart is for the rows above. */
        if (bit / 8 >= n - 10 && bit / 8 < n - 4)
            continue;
        head[bit / 8] ^= (char)(1 << bit % 8);
        assert_int_equal(read_copy((struct str){head, n}, n, ANY, &a, &bytes, &problem), PROXY_BAD);
        head[bit / 8] ^= (char)(1 << bit % 8);
    }
}

static void test_written_is_read_again(void **state)
{
    static const char *const ends[][2] = {
        {"::ffff:192.0.2.1", "::ffff:192.0.2.2"},
        {"2001:db8::1", "2001:db8::2"},
        {"::ffff:192.0.2.1", "2001:db8::2"},
        {"abcd:abcd:abcd:abcd:abcd:abcd:abcd:abcd", "abcd:abcd:abcd:abcd:abcd:abcd:abcd:abcf"},
    };

    (void)state;
    for (size_t i = 0; i <= ARRAY_LEN(ends); i++) {
        struct proxy_addresses in = {.known = i < ARRAY_LEN(ends)}, out;
        char v1[PROXY_V1_MAX + 1], v2[PROXY_V2_WRITTEN_MAX];
        const char *problem;
        size_t n, bytes;

        if (in.known) {
            assert_int_equal(inet_pton(AF_INET6, ends[i][0], &in.source), 1);
            assert_int_equal(inet_pton(AF_INET6, ends[i][1], &in.destination), 1);
            in.source_port = 65535;
            in.destination_port = 44300;
        }
        n = proxy_protocol_write_v1(&in, v1);
        memset(&out, 0, sizeof out);
        assert_int_equal(read_copy((struct str){v1, n}, n, PROXY_VERSION_1, &out, &bytes, &problem),
                         PROXY_DONE);
        assert_int_equal(bytes, n);
        assert_memory_equal(&in, &out, sizeof in);
        n = proxy_protocol_write_v2(&in, v2);
        assert_int_equal(read_copy((struct str){v2, n}, n, PROXY_VERSION_2, &out, &bytes, &problem),
                         PROXY_DONE);
        assert_int_equal(bytes, n);
        assert_memory_equal(&in, &out, sizeof in);
    }
}

static void test_written_as_specified(void **state)
{
    struct proxy_addresses a = {.known = true, .source_port = 50000, .destination_port = 443};
    char v1[PROXY_V1_MAX + 1], v2[PROXY_V2_WRITTEN_MAX];
    size_t n;

    (void)state;
    inet_pton(AF_INET6, "::ffff:192.0.2.1", &a.source);
    inet_pton(AF_INET6, "::ffff:192.0.2.2", &a.destination);
    n = proxy_protocol_write_v1(&a, v1);
    v1[n] = '\0';
    assert_string_equal(v1, "PROXY TCP4 192.0.2.1 192.0.2.2 50000 443\r\n");
    n = proxy_protocol_write_v2(&a, v2);
    assert_int_equal(n, 28);
    assert_memory_equal(v2, SIGNATURE "\x21\x11\0\x0c" ENDS_V4, 28);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_bytes_behind_are_left),
        cmocka_unit_test(test_crc32c),
        cmocka_unit_test(test_right_checksum_then_every_wrong_bit),
        cmocka_unit_test(test_written_is_read_again),
        cmocka_unit_test(test_written_as_specified),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
