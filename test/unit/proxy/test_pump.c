/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"
#include "proxy/pump.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct sock source, sink;
static int feeder, taker; /* the other ends */
static struct bufpool pool;
static struct buf *buf;
static struct pump pump;

static void connect_pair(int type, struct sock *near, int *far)
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, fds), 0);
    *near = (struct sock){.fd = fds[0], .readable = true, .writable = true};
    *far = fds[1];
}

static int begin_with(int source_type, int sink_type)
{
    connect_pair(source_type, &source, &feeder);
    connect_pair(sink_type, &sink, &taker);
    bufpool_init(&pool, 0);
    buf = bufpool_get(&pool);
    return buf ? 0 : -1;
}

static int begin(void **state)
{
    (void)state;
    return begin_with(SOCK_STREAM, SOCK_STREAM);
}

static int begin_packets(void **state)
{
    (void)state;
    return begin_with(SOCK_SEQPACKET, SOCK_SEQPACKET);
}

static int end(void **state)
{
    (void)state;
    close(source.fd);
    close(sink.fd);
    close(taker);
    if (feeder >= 0)
        close(feeder);
    bufpool_put(&pool, &buf);
    bufpool_release(&pool);
    return 0;
}

static void feed(const char *data, size_t n)
{
    assert_int_equal(send(feeder, data, n, 0), n);
    source.readable = true;
}

static void feed_end(void)
{
    close(feeder);
    feeder = -1;
    source.readable = source.hung_up = true;
}

static enum pump_state run(void)
{
    enum pump_state s;

    for (int i = 0; i < 100; i++)
        if ((s = pump_run(&pump, &source, &sink)) != PUMP_YIELD)
            return s;
    fail_msg("the pump never ends");
    return PUMP_YIELD;
}

/* What has come out at the other end since the last call, NUL-terminated. */
static const char *taken(void)
{
    static char out[4096];
    ssize_t n = recv(taker, out, sizeof out - 1, 0);

    out[n > 0 ? n : 0] = '\0';
    return out;
}

struct body {
    const char *name;
    enum framing framing;
    uint64_t length;
    bool chunk_out, ends; /* ends: the source closes after the input */
    const char *in, *out;
    enum pump_state state;
    const char *rest; /* left in the buffer */
};

static const struct body bodies[] = {
    {"none", FRAMING_NONE, 0, false, false, "", "", PUMP_DONE, ""},
    {"length", FRAMING_LENGTH, 5, false, false, "hello", "hello", PUMP_DONE, ""},
    {"length 0", FRAMING_LENGTH, 0, false, false, "", "", PUMP_DONE, ""},
    {"length, more to come", FRAMING_LENGTH, 9, false, false, "hello", "hello", PUMP_WAIT_SOURCE,
     ""},
    {"length, next message", FRAMING_LENGTH, 5, false, false, "helloGET /", "hello", PUMP_DONE,
     "GET /"},
    {"length, cut", FRAMING_LENGTH, 9, false, true, "hello", "hello", PUMP_SOURCE_EOF, ""},
    {"length, complete and closed", FRAMING_LENGTH, 5, false, true, "hello", "hello", PUMP_DONE,
     ""},
    {"length to chunks", FRAMING_LENGTH, 5, true, false, "hello", "5\r\nhello\r\n0\r\n\r\n",
     PUMP_DONE, ""},
    {"chunked", FRAMING_CHUNKED, 0, false, false, "3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n", "hello",
     PUMP_DONE, ""},
    {"chunked, next message", FRAMING_CHUNKED, 0, false, false, "1\r\nx\r\n0\r\n\r\nGET /", "x",
     PUMP_DONE, "GET /"},
    {"chunked, empty", FRAMING_CHUNKED, 0, false, false, "0\r\n\r\n", "", PUMP_DONE, ""},
    {"chunked, trailers", FRAMING_CHUNKED, 0, false, false, "1\r\nx\r\n0\r\nA: b\r\n\r\n", "x",
     PUMP_DONE, ""},
    {"chunked, malformed", FRAMING_CHUNKED, 0, false, false, "3\r\nhello", "", PUMP_SOURCE_BAD,
     NULL},
    {"chunked, no last chunk", FRAMING_CHUNKED, 0, false, true, "1\r\nx\r\n", "x", PUMP_SOURCE_EOF,
     ""},
    {"chunked, cut in trailers", FRAMING_CHUNKED, 0, false, true, "1\r\nx\r\n0\r\n", "x",
     PUMP_SOURCE_EOF, ""},
    {"chunks to chunks", FRAMING_CHUNKED, 0, true, false, "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
     "5\r\nhello\r\n0\r\n\r\n", PUMP_DONE, ""},
    {"chunks to chunks, empty", FRAMING_CHUNKED, 0, true, false, "0\r\n\r\n", "0\r\n\r\n",
     PUMP_DONE, ""},
    {"chunks to chunks, not yet complete", FRAMING_CHUNKED, 0, true, false, "3\r\nhel\r\n",
     "3\r\nhel\r\n", PUMP_WAIT_SOURCE, ""},
    {"chunks to chunks, nothing but a size", FRAMING_CHUNKED, 0, true, false, "3\r\n", "",
     PUMP_WAIT_SOURCE, ""},
    {"chunks to chunks, cut: no last chunk is made up", FRAMING_CHUNKED, 0, true, true,
     "3\r\nhel\r\n", "3\r\nhel\r\n", PUMP_SOURCE_EOF, ""},
    {"until close", FRAMING_CLOSE, 0, false, true, "hello", "hello", PUMP_DONE, ""},
    {"until close, still open", FRAMING_CLOSE, 0, false, false, "hello", "hello", PUMP_WAIT_SOURCE,
     ""},
    {"until close, empty", FRAMING_CLOSE, 0, false, true, "", "", PUMP_DONE, ""},
    {"until close to chunks", FRAMING_CLOSE, 0, true, true, "hello", "5\r\nhello\r\n0\r\n\r\n",
     PUMP_DONE, ""},
    {"until close to chunks, empty", FRAMING_CLOSE, 0, true, true, "", "0\r\n\r\n", PUMP_DONE, ""},
};

static void check(const struct body *b, enum pump_state got, const char *out)
{
    if (got != b->state)
        fail_msg("%s: state %d", b->name, (int)got);
    if (strcmp(out, b->out) != 0)
        fail_msg("%s: '%s'", b->name, out);
    if (b->rest && (buf_len(buf) != strlen(b->rest) ||
                    memcmp(buf->data + buf->start, b->rest, buf_len(buf)) != 0))
        fail_msg("%s: '%.*s' is left", b->name, (int)buf_len(buf), buf->data + buf->start);
}

static void bodies_at_once(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        const struct body *b = &bodies[i];
        enum pump_state got;

        end(state);
        begin(state);
        pump_init(&pump, b->framing, b->length, b->chunk_out, buf);
        if (b->in[0])
            feed(b->in, strlen(b->in));
        if (b->ends)
            feed_end();
        got = run();
        check(b, got, taken());
        assert_int_equal(pump.wire_bytes, strlen(b->out));
    }
}

/* The bytes were read together with the head: they are in the buffer, the socket is silent. */
static void bodies_that_came_with_the_head(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        const struct body *b = &bodies[i];
        enum pump_state got;

        end(state);
        begin(state);
        memcpy(buf->data + 100, b->in, strlen(b->in));
        buf->start = 100;
        buf->end = 100 + strlen(b->in);
        pump_init(&pump, b->framing, b->length, b->chunk_out, buf);
        if (b->ends)
            feed_end();
        got = run();
        check(b, got, taken());
    }
}

static void bodies_byte_by_byte(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        const struct body *b = &bodies[i];
        enum pump_state got = PUMP_WAIT_SOURCE;
        char out[256] = "";

        if (b->chunk_out || (b->rest && b->rest[0]))
            continue; /* comes out in other pieces; the next message is not read */
        end(state);
        begin(state);
        pump_init(&pump, b->framing, b->length, false, buf);
        for (const char *p = b->in; *p && got == PUMP_WAIT_SOURCE; p++) {
            feed(p, 1);
            got = run();
            strcat(out, taken());
        }
        if (b->ends && got == PUMP_WAIT_SOURCE)
            feed_end();
        if (b->state != PUMP_SOURCE_BAD)
            check(b, run(), out);
        else
            assert_int_equal(got, PUMP_SOURCE_BAD);
    }
}

static void head_and_body_in_one_write(void **state)
{
    static const char wanted[] = "HEAD\r\n\r\n5\r\nhello\r\n0\r\n\r\n";

    (void)state;
    memcpy(buf->data, "hello", 5);
    buf->end = 5;
    pump_init(&pump, FRAMING_LENGTH, 5, true, buf);
    pump_push(&pump, "HEAD\r\n\r\n", 8);
    assert_int_equal(run(), PUMP_DONE);
    assert_string_equal(taken(), wanted); /* one packet is one write */
    assert_int_equal(pump.wire_bytes, sizeof wanted - 1);
    assert_int_equal(pump.payload_bytes, 5);
}

static void pushed_pieces_without_a_source(void **state)
{
    (void)state;
    pump_init(&pump, FRAMING_NONE, 0, false, NULL);
    pump_push(&pump, "head", 4);
    pump_push(&pump, "", 0);
    pump_push(&pump, "body", 4);
    assert_int_equal(pump_run(&pump, &source, &sink), PUMP_DONE);
    assert_string_equal(taken(), "headbody");
}

static void limits(void **state)
{
    static const struct {
        const char *name;
        enum framing framing;
        const char *in;
        uint64_t limit;
        enum pump_state state;
    } rows[] = {
        {"exactly", FRAMING_CLOSE, "hello", 5, PUMP_WAIT_SOURCE},
        {"one too many", FRAMING_CLOSE, "hello!", 5, PUMP_TOO_LARGE},
        {"chunks: framing does not count", FRAMING_CHUNKED, "5\r\nhello\r\n0\r\n\r\n", 5,
         PUMP_DONE},
        {"chunks: one too many", FRAMING_CHUNKED, "3\r\nhel\r\n3\r\nlo!\r\n", 5, PUMP_TOO_LARGE},
        {"none allowed, none given", FRAMING_CHUNKED, "0\r\n\r\n", 0, PUMP_DONE},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        end(state);
        begin(state);
        pump_init(&pump, rows[i].framing, 0, false, buf);
        pump.limit = rows[i].limit;
        feed(rows[i].in, strlen(rows[i].in));
        if (run() != rows[i].state)
            fail_msg("%s", rows[i].name);
        if (rows[i].state == PUMP_TOO_LARGE)
            assert_string_equal(taken(), "");
    }
}

static void limit_over_several_reads(void **state)
{
    (void)state;
    pump_init(&pump, FRAMING_CLOSE, 0, false, buf);
    pump.limit = 5;
    feed("hel", 3);
    assert_int_equal(run(), PUMP_WAIT_SOURCE);
    feed("lo!", 3);
    assert_int_equal(run(), PUMP_TOO_LARGE);
    assert_string_equal(taken(), "hel");
}

static void broken_sink(void **state)
{
    (void)state;
    pump_init(&pump, FRAMING_LENGTH, 5, false, buf);
    shutdown(taker, SHUT_RD);
    feed("hello", 5);
    assert_int_equal(run(), PUMP_SINK_ERROR);
}

static void broken_source(void **state)
{
    (void)state;
    pump_init(&pump, FRAMING_CLOSE, 0, false, buf);
    assert_int_equal(send(source.fd, "unread", 6, 0), 6); /* makes the close a reset */
    feed_end();
    assert_int_equal(run(), PUMP_SOURCE_ERROR);
}

/* Each packet is one read: after its share the pump gives others a turn, and then goes on. */
static void gives_others_a_turn(void **state)
{
    unsigned yields = 0;
    enum pump_state s;

    (void)state;
    pump_init(&pump, FRAMING_LENGTH, 50, false, buf);
    for (int i = 0; i < 50; i++)
        feed("x", 1);
    source.hung_up = true; /* keeps it readable */
    while ((s = pump_run(&pump, &source, &sink)) == PUMP_YIELD && yields < 50) {
        yields++;
        while (recv(taker, &(char){0}, 1, 0) == 1)
            ;
    }
    assert_int_equal(s, PUMP_DONE);
    assert_in_range(yields, 2, 10);
}

enum { BIG = 700 * 1000 };

static char *random_body(struct rng *r)
{
    char *body = malloc(BIG);

    for (size_t i = 0; i < BIG; i++)
        body[i] = (char)rng_next(r);
    return body;
}

/* Feeds a big body as fast as it is accepted and takes it slowly, in odd pieces. Returns what came
 * out (malloc) and the longest distance between what was taken in and what came out. */
static char *move_slowly(struct rng *r, const char *body, size_t *ret_n, uint64_t *ret_ahead)
{
    char *out = malloc(3 * BIG);
    size_t fed = 0, got = 0;
    enum pump_state s = PUMP_WAIT_SOURCE;
    bool full = false;

    *ret_ahead = 0;
    for (int i = 0; i < 100000; i++) {
        ssize_t n = fed < BIG ? send(feeder, body + fed, BIG - fed, 0) : 0;

        fed += n > 0 ? (size_t)n : 0;
        source.readable = sink.writable = true;
        if (s != PUMP_DONE)
            s = pump_run(&pump, &source, &sink);
        full |= s == PUMP_WAIT_SINK;
        if (pump.payload_bytes > got && pump.payload_bytes - got > *ret_ahead)
            *ret_ahead = pump.payload_bytes - got;
        n = recv(taker, out + got, 1 + rng_below(r, 9000), 0);
        got += n > 0 ? (size_t)n : 0;
        if (s == PUMP_DONE && n <= 0)
            break;
        if (s != PUMP_DONE && s != PUMP_WAIT_SINK && s != PUMP_WAIT_SOURCE && s != PUMP_YIELD)
            fail_msg("state %d", (int)s);
    }
    assert_int_equal(s, PUMP_DONE);
    assert_true(full); /* else this test shows nothing */
    *ret_n = got;
    return out;
}

static void tiny_send_buffer(void)
{
    int bytes = 1;

    assert_int_equal(setsockopt(sink.fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes), 0);
}

static void partial_writes(void **state)
{
    struct rng r = {11};
    char *body = random_body(&r), *out;
    uint64_t ahead;
    size_t n;

    (void)state;
    tiny_send_buffer();
    pump_init(&pump, FRAMING_LENGTH, BIG, false, buf);
    out = move_slowly(&r, body, &n, &ahead);
    assert_int_equal(n, BIG);
    assert_memory_equal(out, body, BIG);
    /* Back-pressure: one buffer here, and what the kernel holds of a tiny one. */
    assert_true(ahead <= BUF_BYTES + 16384);
    free(out);
    free(body);
}

static void partial_writes_of_chunks(void **state)
{
    struct rng r = {12};
    struct chunked decoder;
    char *body = random_body(&r), *out;
    uint64_t ahead;
    size_t n, used;

    (void)state;
    tiny_send_buffer();
    pump_init(&pump, FRAMING_LENGTH, BIG, true, buf);
    out = move_slowly(&r, body, &n, &ahead);
    assert_int_equal(n, pump.wire_bytes);
    assert_int_equal(pump.payload_bytes, BIG);
    chunked_init(&decoder);
    assert_int_equal(chunked_decode(&decoder, out, n, &n, &used), CHUNKED_DONE);
    assert_int_equal(used, pump.wire_bytes);
    assert_int_equal(n, BIG);
    assert_memory_equal(out, body, BIG);
    free(out);
    free(body);
}

static struct pipes pipes;

static void count_piece(void *arg, const char *p, size_t n)
{
    (void)arg;
    (void)p;
    (void)n;
}

static void moved_by_the_kernel(void **state)
{
    struct rng r = {13};
    char *body = random_body(&r), *out;
    uint64_t ahead;
    size_t n;

    (void)state;
    tiny_send_buffer();
    pump_init(&pump, FRAMING_LENGTH, BIG, false, buf);
    pump.pipes = &pipes;
    out = move_slowly(&r, body, &n, &ahead);
    assert_int_equal(n, BIG);
    assert_memory_equal(out, body, BIG);
    assert_int_equal(pump.payload_bytes, BIG);
    assert_int_equal(pump.wire_bytes, BIG);
    assert_true(ahead > BUF_BYTES + 16384); /* else it was copied */
    assert_null(pump.pipe);
    assert_int_equal(pipes.nfree, 1);
    assert_int_equal(pipes.free->held, 0);
    pipes_release(&pipes);
    assert_int_equal(pipes.nopen, 0);
    free(out);
    free(body);
}

/* The source ends, or the sink breaks, while a pipe is in use. */
static void cut_while_the_kernel_moves(void **state)
{
    char piece[100000] = {0};
    enum pump_state s;

    (void)state;
    pump_init(&pump, FRAMING_LENGTH, BIG, false, buf);
    pump.pipes = &pipes;
    feed(piece, sizeof piece);
    assert_int_equal(run(), PUMP_WAIT_SOURCE);
    assert_non_null(pump.pipe);
    feed_end();
    assert_int_equal(run(), PUMP_SOURCE_EOF);
    pump_release(&pump);
    assert_int_equal(pipes.nfree, 1);

    end(state);
    begin(state);
    pump_init(&pump, FRAMING_LENGTH, BIG, false, buf);
    pump.pipes = &pipes;
    tiny_send_buffer();
    for (s = PUMP_WAIT_SOURCE; s == PUMP_WAIT_SOURCE;) {
        feed(piece, 1000);
        s = run();
    }
    assert_int_equal(s, PUMP_WAIT_SINK);
    assert_true(pump_holds(&pump));
    pump_release(&pump);
    /* What was in it must not come out in the next body. */
    assert_int_equal(pipes.nopen, 0);
    pipes_release(&pipes);
}

static void who_looks_or_changes_gets_a_copy(void **state)
{
    char piece[1000] = {0};

    (void)state;
    for (int i = 0; i < 3; i++) {
        pump_init(&pump, FRAMING_LENGTH, i == 2 ? PUMP_SPLICE_MIN - 1 : BIG, i == 1, buf);
        pump.pipes = &pipes;
        pump.tap = i == 0 ? count_piece : NULL;
        feed(piece, sizeof piece);
        assert_int_equal(run(), PUMP_WAIT_SOURCE);
        assert_null(pump.pipe);
        (void)taken();
    }
    assert_int_equal(pipes.nopen, 0);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)
    const struct CMUnitTest tests[] = {
        T(bodies_at_once),
        T(bodies_that_came_with_the_head),
        T(bodies_byte_by_byte),
        T(pushed_pieces_without_a_source),
        T(limits),
        T(limit_over_several_reads),
        T(broken_sink),
        T(broken_source),
        T(partial_writes),
        T(partial_writes_of_chunks),
        T(moved_by_the_kernel),
        T(cut_while_the_kernel_moves),
        T(who_looks_or_changes_gets_a_copy),
        cmocka_unit_test_setup_teardown(head_and_body_in_one_write, begin_packets, end),
        cmocka_unit_test_setup_teardown(gives_others_a_turn, begin_packets, end),
    };
#undef T

    return cmocka_run_group_tests(tests, NULL, NULL);
}
