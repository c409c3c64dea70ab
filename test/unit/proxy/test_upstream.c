/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/exchange.h"
#include "proxy/proxy.h"
#include "proxy/upstream_open.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

enum { MAX_IDLE = 2 };
static const uint64_t idle_ns = 60 * NS_PER_S;

/* A worker without a thread: the test turns its loop. */
static struct proxy *proxy;
static struct worker *w;
static struct registry *reg;
static struct instance_state *state_of;
static struct instance where;
static struct exchange exchange;
static int server;

static int begin(void **state)
{
    struct sockaddr_in *to = (struct sockaddr_in *)&where.sockaddr;
    socklen_t n = sizeof *to;

    (void)state;
    server = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    *to = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(server, (struct sockaddr *)to, n) < 0 || listen(server, 16) < 0 ||
        getsockname(server, (struct sockaddr *)to, &n) < 0)
        return -1;
    where.sockaddr_len = n;
    where.node = "n";
    where.id = "orders-1";
    where.address = "127.0.0.1";
    where.port = ntohs(to->sin_port);
    reg = registry_new(1);
    state_of = registry_instance(reg, registry_service(reg, "orders"), &where);
    atomic_store(&state_of->present, true);
    proxy = proxy_new(0);
    w = worker_new(0, proxy);
    return w ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    pools_free(w);
    assert_int_equal(state_of->refs, 1); /* the registry's */
    assert_int_equal(w->bufs.used, 0);
    worker_free(w);
    proxy_free(proxy);
    registry_free(reg);
    close(server);
    return 0;
}

static struct upstream *get_as(bool fresh, uint64_t signature)
{
    struct upstream_target to = {
        .instance = state_of, .where = &where, .transport.signature = signature};
    enum reason why;
    struct upstream *u = upstream_get(w, &to, fresh, &exchange, &why);

    assert_non_null(u);
    if (u->stage != UPSTREAM_READY) {
        struct pollfd p = {.fd = u->sock.fd, .events = POLLOUT};

        assert_int_equal(poll(&p, 1, 5000), 1);
        u->sock.writable = true;
        assert_int_equal(upstream_open(&u, &why), IO_OK);
    }
    assert_ptr_equal(u->x, &exchange);
    return u;
}

static struct upstream *get(bool fresh)
{
    return get_as(fresh, 0);
}

static void keep(struct upstream *u)
{
    upstream_keep(&u, MAX_IDLE, idle_ns);
    assert_null(u);
}

static struct pool *pool(void)
{
    return state_of->slot < w->npools ? w->pools[state_of->slot] : NULL;
}

/* Turns the loop until the condition holds, for five seconds at most. */
#define TURN_UNTIL(condition)                                                                      \
    for (int turns = 0; !(condition); turns++) {                                                   \
        struct timeval tick = {0, 5000};                                                           \
        assert_true(turns < 1000);                                                                 \
        event_base_loopexit(w->base, &tick);                                                       \
        event_base_dispatch(w->base);                                                              \
    }

static void connects_and_is_used_again(void **state)
{
    struct upstream *u = get(false), *first = u;

    (void)state;
    assert_false(u->reused);
    keep(u);
    assert_int_equal(pool()->nidle, 1);
    u = get(false);
    assert_ptr_equal(u, first);
    assert_true(u->reused);
    assert_int_equal(pool()->nidle, 0);
    assert_int_equal(w->counters.upstream_connects, 1);
    assert_int_equal(w->counters.upstream_reuses, 1);
    upstream_close(&u);
    assert_null(u);
    assert_int_equal(pool()->nopen, 0);
    upstream_close(&u);
}

static void last_in_first_out(void **state)
{
    struct upstream *a = get(true), *b = get(true);

    (void)state;
    keep(a);
    keep(b);
    assert_ptr_equal(get(false), b);
    assert_ptr_equal(get(false), a);
    upstream_close(&a);
    upstream_close(&b);
}

static void fresh_takes_no_idle_one(void **state)
{
    struct upstream *a = get(true), *b;

    (void)state;
    keep(a);
    b = get(true);
    assert_ptr_not_equal(a, b);
    assert_int_equal(pool()->nidle, 1);
    assert_int_equal(pool()->nopen, 2);
    upstream_close(&b);
}

static void keeps_no_more_than_told(void **state)
{
    struct upstream *u[MAX_IDLE + 1];

    (void)state;
    for (int i = 0; i <= MAX_IDLE; i++)
        u[i] = get(true);
    for (int i = 0; i <= MAX_IDLE; i++)
        keep(u[i]);
    assert_int_equal(pool()->nidle, MAX_IDLE);
    assert_int_equal(pool()->nopen, MAX_IDLE);
}

static void a_buffer_goes_back_when_idle(void **state)
{
    struct upstream *u = get(false);

    (void)state;
    u->in = bufpool_get(&w->bufs);
    keep(u);
    assert_int_equal(w->bufs.used, 0);
    u = get(false);
    u->in = bufpool_get(&w->bufs);
    upstream_close(&u);
    assert_int_equal(w->bufs.used, 0);
}

static void idle_one_that_the_peer_closes(void **state)
{
    struct upstream *u = get(false);
    int peer = accept(server, NULL, NULL);

    (void)state;
    keep(u);
    close(peer);
    TURN_UNTIL(pool()->nopen == 0);
    assert_int_equal(pool()->nidle, 0);
}

/* Bytes that nobody asked for would be taken for the next answer. */
static void idle_one_that_speaks(void **state)
{
    struct upstream *u = get(false);
    int peer = accept(server, NULL, NULL);

    (void)state;
    keep(u);
    assert_int_equal(send(peer, "HTTP/1.1 200 OK\r\n\r\n", 19, 0), 19);
    TURN_UNTIL(pool()->nopen == 0);
    close(peer);
}

static void unread_bytes_are_not_kept(void **state)
{
    struct upstream *u = get(false);

    (void)state;
    u->sock.readable = true;
    keep(u);
    assert_int_equal(pool()->nopen, 0);
}

static void idle_timeout(void **state)
{
    struct upstream *u = get(false);

    (void)state;
    keep(u);
    wheel_advance(&w->wheel, w->now_ns + idle_ns - NS_PER_MS);
    assert_int_equal(pool()->nidle, 1);
    wheel_advance(&w->wheel, w->now_ns + idle_ns + 20 * NS_PER_MS);
    assert_int_equal(pool()->nopen, 0);
}

/* While it is in use again the old idle deadline means nothing. */
static void no_idle_timeout_while_in_use(void **state)
{
    struct upstream *u = get(false);

    (void)state;
    keep(u);
    u = get(false);
    wheel_advance(&w->wheel, w->now_ns + 2 * idle_ns);
    assert_int_equal(pool()->nopen, 1);
    upstream_close(&u);
}

static void refused(void **state)
{
    struct pollfd p = {.events = POLLOUT};
    struct upstream_target to = {.instance = state_of, .where = &where};
    enum reason why = REASON_NONE;
    struct upstream *u;

    (void)state;
    close(server);
    u = upstream_get(w, &to, false, &exchange, &why);
    if (u) {
        p.fd = u->sock.fd;
        assert_int_equal(poll(&p, 1, 5000), 1);
        u->sock.writable = true;
        assert_int_equal(upstream_open(&u, &why), IO_ERROR);
        upstream_close(&u);
    }
    assert_int_equal(why, REASON_CONNECT_FAILED);
    assert_int_equal(pool()->nopen, 0);
    server = socket(AF_INET, SOCK_STREAM, 0);
}

static void pruned_when_the_instance_is_gone(void **state)
{
    struct upstream *a = get(true), *b = get(true), *busy = get(true);

    (void)state;
    keep(a);
    keep(b);
    pools_prune(w);
    assert_int_equal(pool()->nidle, 2); /* still present */
    atomic_store(&state_of->present, false);
    pools_prune(w);
    assert_int_equal(pool()->nidle, 0);
    assert_int_equal(pool()->nopen, 1);
    assert_int_equal(state_of->refs, 2);
    keep(busy); /* ends with its request, and the pool with it */
    assert_null(pool());
    assert_int_equal(state_of->refs, 1);
}

static void an_empty_pool_is_pruned(void **state)
{
    struct upstream *u = get(true);

    (void)state;
    upstream_close(&u);
    assert_non_null(pool());
    atomic_store(&state_of->present, false);
    pools_prune(w);
    assert_null(pool());
}

/* A reload asks for TLS, say: what was made before is of no use. */
static void another_transport_takes_no_idle_one(void **state)
{
    struct upstream *a, *b;

    (void)state;
    keep(get_as(true, 0));
    a = get_as(false, 7);
    assert_false(a->reused);
    assert_int_equal(pool()->nidle, 0);
    b = get_as(false, 9);
    keep(a); /* the pool has gone on */
    assert_int_equal(pool()->nidle, 0);
    keep(b);
    assert_int_equal(pool()->nidle, 1);
}

static void one_that_names_a_client_is_not_kept(void **state)
{
    struct upstream *u = get(false);

    (void)state;
    u->one_client = true;
    keep(u);
    assert_int_equal(pool()->nopen, 0);
}

static void slots_may_be_large(void **state)
{
    struct instance_state far = {.refs = 1, .slot = 1000, .present = true};
    struct upstream_target to = {.instance = &far, .where = &where};
    struct upstream *u;
    enum reason why;

    (void)state;
    keep(get(false));
    u = upstream_get(w, &to, false, &exchange, &why);
    assert_non_null(u);
    assert_false(u->reused); /* another slot is another pool */
    assert_true(w->npools > 1000);
    upstream_close(&u);
    u = get(false);
    assert_true(u->reused);
    upstream_close(&u);
    pools_free(w);
    assert_int_equal(far.refs, 1);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)
    const struct CMUnitTest tests[] = {
        T(connects_and_is_used_again),
        T(last_in_first_out),
        T(fresh_takes_no_idle_one),
        T(keeps_no_more_than_told),
        T(a_buffer_goes_back_when_idle),
        T(idle_one_that_the_peer_closes),
        T(idle_one_that_speaks),
        T(unread_bytes_are_not_kept),
        T(idle_timeout),
        T(no_idle_timeout_while_in_use),
        T(refused),
        T(pruned_when_the_instance_is_gone),
        T(an_empty_pool_is_pruned),
        T(another_transport_takes_no_idle_one),
        T(one_that_names_a_client_is_not_kept),
        T(slots_may_be_large),
    };
#undef T

    return cmocka_run_group_tests(tests, NULL, NULL);
}
