/* SPDX-License-Identifier: Apache-2.0 */
/* A name server that does not answer must not hold up the loop: neither when the time of a fetch is
 * over nor when it is dropped. The resolver is replaced by one that sleeps until it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fetch.h"

#include <event2/event.h>
#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int entered, left; /* guarded by lock: calls of the resolver */
static bool answers;      /* guarded by lock */

/* Called by libcurl on a thread of its own. Never more than ten seconds, so that a failing test
 * ends. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **ret)
{
    struct timespec end;
    int r = 0;

    (void)name;
    (void)service;
    (void)hints;
    *ret = NULL;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 10;
    pthread_mutex_lock(&lock);
    entered++;
    pthread_cond_broadcast(&changed);
    while (!answers && r == 0)
        r = pthread_cond_timedwait(&changed, &lock, &end);
    left++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    return EAI_AGAIN;
}

static void wait_entered(void)
{
    pthread_mutex_lock(&lock);
    while (entered == 0)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static bool still_asking(void)
{
    bool asking;

    pthread_mutex_lock(&lock);
    asking = left == 0;
    pthread_mutex_unlock(&lock);
    return asking;
}

static int begin(void **state)
{
    (void)state;
    entered = left = 0;
    answers = false;
    return 0;
}

static int end(void **state)
{
    (void)state;
    pthread_mutex_lock(&lock);
    answers = true;
    pthread_cond_broadcast(&changed);
    while (left < entered)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    return 0;
}

static void on_done(void *arg, const struct fetch_answer *a)
{
    assert_int_equal(a->status, 0);
    event_base_loopbreak(arg);
}

static void its_time_is_over(void **state)
{
    struct event_base *base = event_base_new();
    struct fetcher *fetcher = fetcher_new(base);
    struct fetch *f = fetch_new(fetcher, &(struct fetch_options){0}, on_done, base);

    (void)state;
    fetch_start(f, &(struct fetch_request){.url = "http://slow.example/", .deadline_ms = 200});
    event_base_dispatch(base);
    wait_entered();
    assert_false(fetch_busy(f));
    assert_true(still_asking());
    fetch_free(f);
    fetcher_free(fetcher);
    event_base_free(base);
}

static void it_is_dropped(void **state)
{
    struct event_base *base = event_base_new();
    struct fetcher *fetcher = fetcher_new(base);
    struct fetch *f = fetch_new(fetcher, &(struct fetch_options){0}, on_done, base);

    (void)state;
    fetch_start(f, &(struct fetch_request){.url = "http://slow.example/", .deadline_ms = 60000});
    event_base_loop(base, EVLOOP_ONCE);
    wait_entered();
    fetch_free(f);
    fetcher_free(fetcher);
    assert_true(still_asking());
    event_base_free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(its_time_is_over, begin, end),
        cmocka_unit_test_setup_teardown(it_is_dropped, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
