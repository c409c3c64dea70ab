/* SPDX-License-Identifier: Apache-2.0 */
/* Checks on other threads: who is told what, who shares a check, who finds no room, who leaves. */
#include "policy/password_pool.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* "lovelace", "builder"; the first takes a millisecond, the second about 100. */
#define ADA  "ada:$2y$04$vBGeZRMxqsFUUB.iW1Ao8uxKQ8HMj/akPnKYf/odknaQ1b0CMdAo6\n"
#define SLOW "slow:$2y$10$Nu0ITyjo3aAB.IuWj6BvduZHKOuCv6bEyz9pnTUVG1YQfZnAbrliG\n"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t news = PTHREAD_COND_INITIALIZER;
static unsigned told;

static void on_done(void *arg)
{
    pthread_mutex_lock(&lock);
    told++;
    ++*(unsigned *)arg;
    pthread_cond_broadcast(&news);
    pthread_mutex_unlock(&lock);
}

static void wait_for_told(unsigned n)
{
    pthread_mutex_lock(&lock);
    while (told < n)
        pthread_cond_wait(&news, &lock);
    pthread_mutex_unlock(&lock);
}

static struct password_file *file;
static struct password_pool *pool;

static int set_up_with(unsigned nthreads)
{
    struct err e;

    told = 0;
    file = password_file_new("f", STR(ADA SLOW), &e);
    pool = password_pool_new(nthreads);
    return file ? 0 : -1;
}

static int set_up(void **state)
{
    (void)state;
    return set_up_with(1);
}

/* Every check waits for ever. */
static int set_up_stuck(void **state)
{
    (void)state;
    return set_up_with(0);
}

static int tear_down(void **state)
{
    (void)state;
    password_pool_free(&pool);
    password_file_unref(&file);
    return 0;
}

static unsigned counts[256];

static bool ask(struct password_wait *w, const char *user, const char *password, const char *from,
                unsigned *count)
{
    struct password_question q = {.file = file, .user = str_of(user), .password = str_of(password)};

    assert_true(password_digest(pool, file, q.user, q.password, q.digest));
    assert_int_equal(inet_pton(AF_INET6, from, &q.from), 1);
    w->done = on_done;
    w->arg = count;
    return password_pool_ask(pool, &q, w);
}

static void test_right_and_wrong(void **state)
{
    struct password_wait a = {.job = NULL}, b = {.job = NULL};

    (void)state;
    memset(counts, 0, sizeof counts);
    assert_true(ask(&a, "ada", "lovelace", "::ffff:1.2.3.4", &counts[0]));
    assert_true(ask(&b, "ada", "x", "::ffff:1.2.3.4", &counts[1]));
    wait_for_told(2);
    assert_true(password_wait_over(&a));
    assert_true(password_wait_over(&b));
    assert_int_equal(a.verdict, PASSWORD_RIGHT);
    assert_int_equal(b.verdict, PASSWORD_WRONG);
    password_pool_leave(pool, &a);
    password_pool_leave(pool, &a);
    password_pool_leave(pool, &b);
    assert_false(password_wait_over(&a));
    assert_int_equal(password_pool_pending(pool), 0);
}

/* Six connections of a browser are one check; who leaves takes it from nobody else. */
static void test_shared(void **state)
{
    struct password_wait w[6] = {{.job = NULL}};

    (void)state;
    for (int i = 0; i < 6; i++)
        assert_true(ask(&w[i], "slow", "builder", "::ffff:1.2.3.4", &counts[i]));
    for (int i = 0; i < 6; i++) {
        assert_int_equal(password_pool_pending(pool), 1);
        password_pool_leave(pool, &w[i]);
    }
    assert_int_equal(password_pool_pending(pool), 0);
}

static void test_all_that_share_are_told(void **state)
{
    struct password_wait w[6] = {{.job = NULL}};

    (void)state;
    memset(counts, 0, sizeof counts);
    for (int i = 0; i < 6; i++)
        assert_true(ask(&w[i], "slow", "builder", "::ffff:1.2.3.4", &counts[i]));
    password_pool_leave(pool, &w[0]);
    for (int i = 1; i < 6; i++) {
        while (!password_wait_over(&w[i]))
            sched_yield();
        password_pool_leave(pool, &w[i]);
        assert_int_equal(counts[i], 1);
    }
}

static void test_room(void **state)
{
    struct password_wait w[PASSWORD_POOL_PENDING + 1] = {{.job = NULL}};
    unsigned n = 0;
    char password[32], from[64];

    (void)state;
    /* Eight of one client, the addresses of an IPv6 /64 being one; then it finds no room. */
    for (; n < PASSWORD_POOL_PER_CLIENT; n++) {
        snprintf(password, sizeof password, "p%u", n);
        snprintf(from, sizeof from, "2001:db8:1:2::%x", n + 1);
        assert_true(ask(&w[n], "slow", password, from, &counts[n]));
    }
    assert_false(ask(&w[n], "slow", "more", "2001:db8:1:2:ffff::", &counts[n]));
    assert_int_equal(w[n].state, PASSWORD_IDLE);
    /* Others do, until the whole is full. */
    for (; n < PASSWORD_POOL_PENDING; n++) {
        snprintf(password, sizeof password, "p%u", n);
        snprintf(from, sizeof from, "::ffff:10.0.0.%u", n);
        assert_true(ask(&w[n], "slow", password, from, &counts[n]));
    }
    assert_false(ask(&w[n], "slow", "more", "::ffff:10.0.1.1", &counts[n]));
    /* But a check that is under way anyway may be shared. */
    assert_true(ask(&w[n], "slow", "p20", "::ffff:10.0.1.1", &counts[n]));
    /* Who leaves makes room. */
    for (unsigned i = 0; i <= PASSWORD_POOL_PENDING; i++)
        password_pool_leave(pool, &w[i]);
    assert_int_equal(password_pool_pending(pool), 0);
    assert_true(ask(&w[0], "slow", "more", "2001:db8:1:2::1", &counts[0]));
    password_pool_leave(pool, &w[0]);
}

static void test_end_with_questions_left(void **state)
{
    struct password_wait w[8] = {{.job = NULL}};
    char password[32];

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        snprintf(password, sizeof password, "p%u", i);
        assert_true(ask(&w[i], "slow", password, "::ffff:1.2.3.4", &counts[i]));
    }
    for (unsigned i = 0; i < 8; i++)
        password_pool_leave(pool, &w[i]);
}

static void test_digests(void **state)
{
    unsigned char a[PASSWORD_DIGEST], b[PASSWORD_DIGEST];
    struct password_pool *other = password_pool_new(1);
    struct password_file *again;
    char longer[PASSWORD_MAX + 1] = "";
    struct err e;

    (void)state;
    again = password_file_new("f", STR(ADA), &e);
    assert_true(password_digest(pool, file, STR("ab"), STR("c"), a));
    assert_true(password_digest(pool, file, STR("ab"), STR("c"), b));
    assert_memory_equal(a, b, sizeof a);
    assert_true(password_digest(pool, file, STR("a"), STR("bc"), b));
    assert_memory_not_equal(a, b, sizeof a);
    assert_true(password_digest(pool, again, STR("ab"), STR("c"), b));
    assert_memory_not_equal(a, b, sizeof a);
    assert_true(password_digest(other, file, STR("ab"), STR("c"), b));
    assert_memory_not_equal(a, b, sizeof a);
    assert_false(password_digest(pool, file, (struct str){longer, sizeof longer}, STR("c"), b));
    password_file_unref(&again);
    password_pool_free(&other);
}

enum { ASKERS = 4, ROUNDS = 60 };

/* Asks, and takes the answer or leaves before it. */
static void *asker(void *arg)
{
    unsigned seed = (unsigned)(uintptr_t)arg;
    unsigned count = 0;

    for (unsigned i = 0; i < ROUNDS; i++) {
        struct password_wait w = {.job = NULL};
        bool right = (i + seed) % 3 == 0;
        char password[32];

        snprintf(password, sizeof password, right ? "lovelace" : "p%u", i % 5);
        if (!ask(&w, "ada", password, "::ffff:1.2.3.4", &count))
            continue;
        if (i % 4 != 0)
            while (!password_wait_over(&w))
                sched_yield();
        if (password_wait_over(&w))
            assert_int_equal(w.verdict, right ? PASSWORD_RIGHT : PASSWORD_WRONG);
        password_pool_leave(pool, &w);
    }
    return NULL;
}

static void test_many_threads(void **state)
{
    pthread_t threads[ASKERS];

    (void)state;
    password_pool_free(&pool);
    pool = password_pool_new(3);
    for (uintptr_t i = 0; i < ASKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, asker, (void *)i), 0);
    for (int i = 0; i < ASKERS; i++)
        pthread_join(threads[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_right_and_wrong, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_shared, set_up_stuck, tear_down),
        cmocka_unit_test_setup_teardown(test_all_that_share_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_room, set_up_stuck, tear_down),
        cmocka_unit_test_setup_teardown(test_end_with_questions_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_digests, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_threads, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
