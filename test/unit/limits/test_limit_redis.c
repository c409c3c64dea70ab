/* SPDX-License-Identifier: Apache-2.0 */
#include "limits/limit_redis.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define SHA "$40\r\n0123456789012345678901234567890123456789\r\n"

/* A Redis by hand: a socket whose other end the test reads and writes. */
static struct {
    struct event_base *base;
    struct limit_redis *redis;
    struct limit_redis_status status;
    struct redis_conf conf;
    char path[64];
    int listener, peer;
    char asked[16384];
    struct limit_redis_answer answer;
    unsigned answers;
} t;

static struct rate_limit_conf rate_conf = {
    .name = "a", .kind = LIMIT_RATE, .amount = 10, .burst = 5};
static struct rate_limit_conf quota_conf = {
    .name = "b", .kind = LIMIT_QUOTA, .amount = 7, .period = PERIOD_DAY, .shadow = true};
static struct limit_entry rate, quota;
static const struct limit_clock now = {.now_ns = 1000 * NS_PER_S, .wall_s = 86400 * 5 + 86000};

static int setup(void **state)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    (void)state;
    memset(&t, 0, sizeof t);
    t.peer = -1;
    t.base = event_base_new();
    snprintf(t.path, sizeof t.path, "/tmp/frontdesk-redis-%ld", (long)getpid());
    snprintf(a.sun_path, sizeof a.sun_path, "%s", t.path);
    unlink(t.path);
    t.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(t.listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(t.listener, 8), 0);
    t.conf =
        (struct redis_conf){.address = "unix", .path = t.path, .timeout_ms = 20, .prefix = "x:"};
    rate.conf = &rate_conf;
    quota.conf = &quota_conf;
    limit_rule_of(&rate_conf, &rate.rule);
    limit_rule_of(&quota_conf, &quota.rule);
    t.redis = limit_redis_new(t.base);
    return t.redis ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    limit_redis_free(&t.redis);
    assert_int_equal(t.status.workers, 0);
    assert_int_equal(t.status.connected, 0);
    event_base_free(t.base);
    if (t.peer >= 0)
        close(t.peer);
    close(t.listener);
    unlink(t.path);
    return 0;
}

static void turn(void)
{
    for (int i = 0; i < 5; i++)
        event_base_loop(t.base, EVLOOP_NONBLOCK);
}

/* Lets the loop wait for its next event: a timer, for one. */
static void wait_once(void)
{
    event_base_loop(t.base, EVLOOP_ONCE);
    turn();
}

static bool accepted(void)
{
    turn();
    t.peer = accept4(t.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    turn();
    return t.peer >= 0;
}

/* What has been asked since the last time. */
static const char *asked(void)
{
    ssize_t n;

    turn();
    n = read(t.peer, t.asked, sizeof t.asked - 1);
    t.asked[n > 0 ? n : 0] = '\0';
    return t.asked;
}

static void say(const char *text)
{
    assert_int_equal(write(t.peer, text, strlen(text)), strlen(text));
    turn();
}

static void on_done(void *arg, const struct limit_redis_answer *a)
{
    *(bool *)arg = true;
    t.answer = *a;
    t.answers++;
}

static bool done;

static struct limit_redis_call *ask(bool both)
{
    struct limit_redis_ask asks[2] = {{.entry = &rate}, {.entry = &quota}};

    done = false;
    limit_redis_client("client", 6, asks[0].client);
    limit_redis_client("client", 6, asks[1].client);
    return limit_redis_ask(t.redis, asks, both ? 2 : 1, &now, on_done, &done);
}

static void connect_and_greet(void)
{
    limit_redis_configure(t.redis, &t.conf, &t.status);
    assert_true(accepted());
    assert_null(ask(false)); /* not before it has greeted */
    assert_non_null(strstr(asked(), "SCRIPT"));
    say(SHA);
    assert_int_equal(t.status.connected, 1);
}

static void close_peer(void)
{
    close(t.peer);
    t.peer = -1;
    turn();
}

static void one_call(void **state)
{
    struct limit_redis_call *call;

    (void)state;
    connect_and_greet();
    call = ask(true);
    assert_non_null(call);
    asked();
    assert_non_null(strstr(t.asked, "EVALSHA"));
    assert_non_null(strstr(t.asked, "\r\n0123456789012345678901234567890123456789\r\n"));
    /* SHA-256 of "client", and the sixth day. */
    assert_non_null(strstr(t.asked, "\r\nx:a:948fe603f61dc036b5c596dc09fe3ce3\r\n"));
    assert_non_null(strstr(t.asked, "\r\nx:b:948fe603f61dc036b5c596dc09fe3ce3:5\r\n"));
    assert_non_null(strstr(t.asked, "\r\n100000.000\r\n$10\r\n500000.000\r\n$1\r\n0\r\n"));
    assert_non_null(strstr(t.asked, "\r\n7\r\n$3\r\n401\r\n$1\r\n1\r\n")); /* and a second */
    assert_false(done);
    say("*5\r\n:1\r\n:1\r\n:250000\r\n:0\r\n:7\r\n");
    assert_true(done && t.answer.decided && t.answer.passes);
    assert_true(t.answer.each[0] && !t.answer.each[1]);
    assert_int_equal(t.answer.values[0], now.now_ns + 250 * NS_PER_MS);
    assert_int_equal(t.answer.values[1], 5ull << QUOTA_COUNT_BITS | 7);
    assert_int_equal(t.status.decided, 1);
}

/* What is no answer of the script decides nothing, and does no harm. */
static void nonsense(void **state)
{
    static const char *const rows[] = {
        "+OK\r\n",
        ":1\r\n",
        "$-1\r\n",
        "*0\r\n",
        "*-1\r\n",
        "*2\r\n:1\r\n:1\r\n",
        "*4\r\n:1\r\n:1\r\n:5\r\n:5\r\n",
        "*3\r\n:1\r\n:1\r\n$1\r\n5\r\n",
        "*3\r\n:1\r\n:1\r\n:-5\r\n",
        "*3\r\n:1\r\n:1\r\n:9000000000000000000\r\n",
        "-OOM command not allowed\r\n",
        "*3\r\n:1\r\n:1\r\n*1\r\n:5\r\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        connect_and_greet();
        assert_non_null(ask(false));
        asked();
        say(rows[i]);
        assert_true(done);
        assert_false(t.answer.decided);
        assert_int_equal(t.status.decided, 0);
        teardown(NULL);
        setup(NULL);
    }
}

static void several_errors_are_as_good_as_no_connection(void **state)
{
    (void)state;
    connect_and_greet();
    for (int i = 0; i < 5; i++) {
        assert_int_equal(t.status.connected, 1);
        assert_non_null(ask(false));
        asked();
        say("-READONLY You can't write against a read only replica.\r\n");
        assert_true(done);
    }
    assert_int_equal(t.status.connected, 0);
    assert_null(ask(false));
    assert_int_equal(t.status.failures, 1);
    close_peer();
    wait_once(); /* the pause */
    assert_true(accepted());
    assert_non_null(strstr(asked(), "SCRIPT"));
    say(SHA);
    assert_non_null(ask(false));
}

static void a_script_that_was_forgotten(void **state)
{
    (void)state;
    connect_and_greet();
    assert_non_null(ask(false));
    asked();
    say("-NOSCRIPT No matching script.\r\n");
    assert_false(done);
    assert_non_null(strstr(asked(), "EVAL\r\n"));
    assert_non_null(strstr(t.asked, "redis.call('TIME')"));
    say("*3\r\n:0\r\n:0\r\n:5\r\n");
    assert_true(done && t.answer.decided && !t.answer.passes);
    /* One that says so of the text too is not asked for ever. */
    assert_non_null(ask(false));
    asked();
    say("-NOSCRIPT x\r\n");
    asked();
    say("-NOSCRIPT x\r\n");
    assert_true(done && !t.answer.decided);
}

static void who_gave_up_is_not_called(void **state)
{
    struct limit_redis_call *call, *gone;

    (void)state;
    connect_and_greet();
    call = ask(false);
    limit_redis_give_up(&call, false);
    assert_null(call);
    gone = NULL;
    limit_redis_give_up(&gone, true);
    assert_non_null(ask(false));
    asked();
    say("*3\r\n:1\r\n:1\r\n:1\r\n*3\r\n:1\r\n:1\r\n:2\r\n");
    assert_int_equal(t.answers, 1);
    assert_int_equal(t.answer.values[0], now.now_ns + 2000);
    assert_int_equal(t.status.late, 0);
}

static void answers_that_are_always_late(void **state)
{
    (void)state;
    connect_and_greet();
    for (int i = 0; i < 5; i++) {
        struct limit_redis_call *call = ask(false);

        assert_non_null(call);
        asked();
        limit_redis_give_up(&call, true);
        if (i < 4)
            say("*3\r\n:1\r\n:1\r\n:1\r\n");
    }
    turn();
    assert_int_equal(t.status.late, 5);
    assert_int_equal(t.status.connected, 0);
    assert_null(ask(false));
    assert_int_equal(t.answers, 0);
}

static void now_and_then_late_is_all_right(void **state)
{
    (void)state;
    connect_and_greet();
    for (int i = 0; i < 20; i++) {
        struct limit_redis_call *call = ask(false);

        assert_non_null(call);
        asked();
        if (i % 2)
            limit_redis_give_up(&call, true);
        say("*3\r\n:1\r\n:1\r\n:1\r\n");
    }
    assert_int_equal(t.status.connected, 1);
}

static void a_connection_that_breaks(void **state)
{
    (void)state;
    connect_and_greet();
    assert_non_null(ask(false));
    asked();
    close_peer();
    assert_true(done && !t.answer.decided);
    assert_int_equal(t.status.connected, 0);
    wait_once();
    assert_true(accepted());
    say(SHA);
    assert_int_equal(t.status.connected, 1);
}

/* However many waited: those of a connection that was given up are no longer under way. */
static void many_calls(void **state)
{
    struct limit_redis_call *calls[10000];
    unsigned n = 0;

    (void)state;
    connect_and_greet();
    while (n < ARRAY_LEN(calls) && (calls[n] = ask(false)))
        n++;
    assert_in_range(n, 100, 9999);
    for (int i = 0; i < 5; i++)
        limit_redis_give_up(&calls[i], true);
    turn();
    assert_int_equal(t.status.connected, 0);
    assert_int_equal(t.answers, n - 5);
    close_peer();
    wait_once();
    assert_true(accepted());
    say(SHA);
    assert_non_null(ask(false));
}

/* The worker ends while somebody waits. */
static void freed_with_calls(void **state)
{
    struct limit_redis_call *call;

    (void)state;
    connect_and_greet();
    assert_non_null(ask(false));
    call = ask(false);
    limit_redis_give_up(&call, false);
    limit_redis_free(&t.redis);
    assert_int_equal(t.answers, 1);
    assert_false(t.answer.decided);
    t.redis = limit_redis_new(t.base);
}

static void greetings(void **state)
{
    static const struct {
        const char *username, *password;
        unsigned database;
        const char *words[3], *answers, *refused;
    } rows[] = {
        {NULL, "secret", 0, {"$4\r\nAUTH\r\n$6\r\nsecret"}, "+OK\r\n" SHA, "-WRONGPASS x\r\n"},
        {"gate", "secret", 0, {"$4\r\ngate\r\n$6\r\nsecret"}, "+OK\r\n" SHA, "-NOPERM x\r\n"},
        {NULL, NULL, 7, {"SELECT\r\n$1\r\n7"}, "+OK\r\n" SHA, "-ERR DB index\r\n"},
        {NULL, "secret", 7, {"secret", "SELECT"}, "+OK\r\n+OK\r\n" SHA, "+OK\r\n-ERR x\r\n"},
        {NULL, NULL, 0, {NULL}, SHA, "-NOAUTH Authentication required.\r\n"},
        {NULL, NULL, 0, {NULL}, SHA, "+surprise\r\n"},
    };
    char file[80];

    (void)state;
    snprintf(file, sizeof file, "%s.password", t.path);
    for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++) {
        bool refused = i % 2;
        FILE *f = fopen(file, "w");

        fputs(rows[i / 2].password ? rows[i / 2].password : "", f);
        fclose(f);
        t.conf.username = rows[i / 2].username;
        t.conf.password_file = rows[i / 2].password ? file : NULL;
        t.conf.database = rows[i / 2].database;
        limit_redis_configure(t.redis, &t.conf, &t.status);
        assert_true(accepted());
        asked();
        for (int k = 0; rows[i / 2].words[k]; k++)
            assert_non_null(strstr(t.asked, rows[i / 2].words[k]));
        say(refused ? rows[i / 2].refused : rows[i / 2].answers);
        assert_int_equal(t.status.connected, !refused);
        teardown(NULL);
        setup(NULL);
    }
    unlink(file);
}

static void another_configuration(void **state)
{
    struct redis_conf none = {.address = NULL};

    (void)state;
    connect_and_greet();
    t.conf.timeout_ms = 99; /* the same server: the connection stays */
    limit_redis_configure(t.redis, &t.conf, &t.status);
    assert_int_equal(limit_redis_timeout_ms(t.redis), 99);
    assert_int_equal(t.status.connected, 1);
    t.conf.database = 3;
    limit_redis_configure(t.redis, &t.conf, &t.status);
    assert_int_equal(t.status.connected, 0);
    assert_int_equal(t.status.workers, 1);
    limit_redis_configure(t.redis, &none, &t.status);
    assert_int_equal(t.status.workers, 0);
    assert_null(ask(false));
}

static void nobody_listens(void **state)
{
    (void)state;
    close(t.listener);
    unlink(t.path);
    limit_redis_configure(t.redis, &t.conf, &t.status);
    turn();
    assert_null(ask(false));
    assert_int_equal(t.status.failures, 1);
    assert_true(t.status.told);
    wait_once(); /* a first pause, then a second try */
    assert_int_equal(t.status.failures, 2);
    t.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(one_call),
        CASE(nonsense),
        CASE(several_errors_are_as_good_as_no_connection),
        CASE(a_script_that_was_forgotten),
        CASE(who_gave_up_is_not_called),
        CASE(answers_that_are_always_late),
        CASE(now_and_then_late_is_all_right),
        CASE(a_connection_that_breaks),
        CASE(many_calls),
        CASE(freed_with_calls),
        CASE(greetings),
        CASE(another_configuration),
        CASE(nobody_listens),
    };

    signal(SIGPIPE, SIG_IGN); /* as the gateway does */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
