/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h1_fields.h"

#include "http/h1_parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct h1_limits limits = {.max_line = 200, .max_head = 600, .max_headers = 10};

static struct request request;

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

/* Classes 1, 2 and 4: how long is the body? */
static void test_framing(void **state)
{
    static const struct row rows[] = {
        {"no body", H E, REASON_NONE},
        {"length", P "Content-Length: 5\r\n" E, REASON_NONE},
        {"length zero", P "Content-Length: 0\r\n" E, REASON_NONE},
        {"length with OWS", P "Content-Length: \t5 \r\n" E, REASON_NONE},
        {"length 2^53", P "Content-Length: 9007199254740992\r\n" E, REASON_NONE},
        {"equal lengths, list", P "Content-Length: 5, 5\r\n" E, REASON_NONE},
        {"equal lengths, lines", P "Content-Length: 5\r\ncontent-length: 5\r\n" E, REASON_NONE},
        {"chunked", P "Transfer-Encoding: chunked\r\n" E, REASON_NONE},
        {"chunked, case and OWS", P "Transfer-Encoding:  ChunKED \r\n" E, REASON_NONE},
        {"CL+TE", P "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" E, REASON_BAD_REQUEST},
        {"TE+CL", P "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n" E, REASON_BAD_REQUEST},
        {"lengths differ, list", P "Content-Length: 5, 6\r\n" E, REASON_BAD_REQUEST},
        {"lengths differ, lines", P "Content-Length: 5\r\nContent-Length: 6\r\n" E,
         REASON_BAD_REQUEST},
        {"length empty", P "Content-Length:\r\n" E, REASON_BAD_REQUEST},
        {"length with trailing comma", P "Content-Length: 5,\r\n" E, REASON_BAD_REQUEST},
        {"length with leading comma", P "Content-Length: ,5\r\n" E, REASON_BAD_REQUEST},
        {"length with a gap", P "Content-Length: 5,,5\r\n" E, REASON_BAD_REQUEST},
        {"length +", P "Content-Length: +5\r\n" E, REASON_BAD_REQUEST},
        {"length -", P "Content-Length: -5\r\n" E, REASON_BAD_REQUEST},
        {"length hex", P "Content-Length: 0x5\r\n" E, REASON_BAD_REQUEST},
        {"length with space", P "Content-Length: 5 5\r\n" E, REASON_BAD_REQUEST},
        {"length with underscore", P "Content-Length: 1_0\r\n" E, REASON_BAD_REQUEST},
        {"length fraction", P "Content-Length: 5.0\r\n" E, REASON_BAD_REQUEST},
        {"length above 2^53", P "Content-Length: 9007199254740993\r\n" E, REASON_BODY_TOO_LARGE},
        {"length 2^64 + 5", P "Content-Length: 18446744073709551621\r\n" E, REASON_BODY_TOO_LARGE},
        {"length of 30 digits", P "Content-Length: 100000000000000000000000000005\r\n" E,
         REASON_BODY_TOO_LARGE},
        {"large and not a number", P "Content-Length: 99999999999999999999x\r\n" E,
         REASON_BAD_REQUEST},
        {"TE xchunked", P "Transfer-Encoding: xchunked\r\n" E, REASON_CODING_UNSUPPORTED},
        {"TE gzip, chunked", P "Transfer-Encoding: gzip, chunked\r\n" E, REASON_CODING_UNSUPPORTED},
        {"TE identity", P "Transfer-Encoding: identity\r\n" E, REASON_CODING_UNSUPPORTED},
        {"TE chunked, identity", P "Transfer-Encoding: chunked, identity\r\n" E,
         REASON_BAD_REQUEST},
        {"TE chunked twice", P "Transfer-Encoding: chunked, chunked\r\n" E, REASON_BAD_REQUEST},
        {"TE two lines", P "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" E,
         REASON_BAD_REQUEST},
        {"TE leading comma", P "Transfer-Encoding: ,chunked\r\n" E, REASON_BAD_REQUEST},
        {"TE trailing comma", P "Transfer-Encoding: chunked,\r\n" E, REASON_BAD_REQUEST},
        {"TE empty", P "Transfer-Encoding:\r\n" E, REASON_BAD_REQUEST},
        {"TE with parameter", P "Transfer-Encoding: chunked;a=b\r\n" E, REASON_BAD_REQUEST},
        {"TE quoted", P "Transfer-Encoding: \"chunked\"\r\n" E, REASON_BAD_REQUEST},
        {"TE vertical tab",
         P "Transfer-Encoding: \x0b"
           "chunked\r\n" E,
         REASON_BAD_REQUEST},
        {"TE space before colon", P "Transfer-Encoding : chunked\r\n" E, REASON_BAD_REQUEST},
        {"TE folded", P "Transfer-Encoding:\r\n chunked\r\n" E, REASON_BAD_REQUEST},
        {"TE in HTTP/1.0", "POST /a HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n" E,
         REASON_BAD_REQUEST},
    };

    (void)state;
    CHECK_REQUESTS(rows);
}

/* Classes 3, 5, 6: the lines. */
static void test_lines(void **state)
{
    static const struct row rows[] = {
        {"plain", H "X-A: b\r\n" E, REASON_NONE},
        {"empty value", H "X-A:\r\n" E, REASON_NONE},
        {"tab and obs-text in a value", H "X-A: a\tb\xc3\xa9\r\n" E, REASON_NONE},
        {"one blank line before", "\r\n" H E, REASON_NONE},
        {"two blank lines before", "\r\n\r\n" H E, REASON_BAD_REQUEST},
        {"blank line of LF before", "\n" H E, REASON_BAD_REQUEST},
        {"empty name", H ": b\r\n" E, REASON_BAD_REQUEST},
        {"no colon", H "X-A\r\n" E, REASON_BAD_REQUEST},
        {"space before colon", H "X-A : b\r\n" E, REASON_BAD_REQUEST},
        {"tab before colon", H "X-A\t: b\r\n" E, REASON_BAD_REQUEST},
        {"space before the first field", L " Host: a\r\n" E, REASON_BAD_REQUEST},
        {"obs-fold", H "X-A: b\r\n c\r\n" E, REASON_BAD_REQUEST},
        {"obs-fold with tab", H "X-A: b\r\n\tc\r\n" E, REASON_BAD_REQUEST},
        {"bare LF", H "X-A: b\nX-B: c\r\n" E, REASON_BAD_REQUEST},
        {"bare LF ends the head", H "X-A: b\r\n\n", REASON_BAD_REQUEST},
        {"bare CR in a value", H "X-A: b\rX-B: c\r\n" E, REASON_BAD_REQUEST},
        {"CR CR LF", H "X-A: b\r\r\n" E, REASON_BAD_REQUEST},
        {"bare CR as a line", H "\rX: y\r\n" E, REASON_BAD_REQUEST},
        {"control byte in a value", H "X-A: a\x01\r\n" E, REASON_BAD_REQUEST},
        {"DEL in a value", H "X-A: abcdefghijklm\x7fnopq\r\n" E, REASON_BAD_REQUEST},
        {"control byte in a long value", H "X-A: abcdefghijk\x1fmnopqrstuvw\r\n" E,
         REASON_BAD_REQUEST},
        {"control byte in a name",
         H "X\x01"
           "A: b\r\n" E,
         REASON_BAD_REQUEST},
        {"obs-text in a name", H "X\xe9: b\r\n" E, REASON_BAD_REQUEST},
        {"parenthesis in a name", H "X(A): b\r\n" E, REASON_BAD_REQUEST},
    };
    static const char nul[] = H "X-A: a\0b\r\n" E, nul_name[] = H "X\0A: b\r\n" E;
    enum reason reason;
    size_t head;

    (void)state;
    CHECK_REQUESTS(rows);
    assert_int_equal(parse(nul, sizeof(nul) - 1, &reason, &head), H1_BAD);
    assert_int_equal(parse(nul_name, sizeof(nul_name) - 1, &reason, &head), H1_BAD);
}

/* Without the second opinion of llhttp, which would hide a hole here. */
static void test_every_byte_at_every_place(void **state)
{
    struct header headers[2];

    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        for (size_t at = 3; at < 28; at++) {
            char text[] = "X: abcdefghijklmnopqrstuvwxyz\r\n\r\n";
            struct fields f = {.headers = headers, .max = 2};
            bool legal = byte == '\t' || (byte >= ' ' && byte != 0x7f);

            text[at] = (char)byte;
            if ((fields_split(&f, text, text + sizeof(text) - 1) == REASON_NONE) != legal)
                fail_msg("byte 0x%02x at %zu", byte, at);
        }
    }
}

static void must_parse(const char *text)
{
    enum reason reason;
    size_t head;

    if (parse(text, strlen(text), &reason, &head) != H1_DONE)
        fail_msg("%s: %s", text, reason_info(reason)->word);
}

/* Classes 14 and 15: which fields are not forwarded. */
static void test_hop_marks(void **state)
{
    static const struct {
        const char *line;
        bool hop;
    } rows[] = {
        {"Connection: x-named", true},
        {"Keep-Alive: 5", true},
        {"Proxy-Connection: close", true},
        {"TE: trailers", true},
        {"Trailer: X", true},
        {"Upgrade: h2c", true},
        {"Proxy: http://evil", true},
        {"Proxy-Authenticate: Basic", true},
        {"Proxy-Authorization: Basic x", true},
        {"X-Named: 1", true},
        {"X_Forwarded_For: 1.2.3.4", true},
        {"x_forwarded-proto: https", true},
        {"X_Real_IP: 1.2.3.4", true},
        {"Content_Length: 5", true},
        {"Transfer_Encoding: chunked", true},
        {"X_Own_Field: 1", false},
        {"X-Forwarded-For: 1.2.3.4", false},
        {"Accept: */*", false},
        {"Cookie: a=b", false},
    };
    char text[256];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(text, sizeof(text), H "Connection: x-named\r\n%s\r\n\r\n", rows[i].line);
        must_parse(text);
        if (request.headers[2].hop != rows[i].hop)
            fail_msg("%s: hop %d", rows[i].line, request.headers[2].hop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_framing),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_every_byte_at_every_place),
        cmocka_unit_test(test_hop_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
