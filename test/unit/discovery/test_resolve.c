/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "discovery/resolve.h"

#include <event2/event.h>
#include <netinet/in.h>

static unsigned told;

static void on_changed(void *arg)
{
    (void)arg;
    told++;
}

/* "localhost" is in the hosts file: no name server is asked. */
static void names_are_known_a_loop_turn_later(void **state)
{
    struct event_base *base = event_base_new();
    struct resolver *r = resolver_new(base, on_changed, NULL);
    struct sockaddr_storage addr;
    socklen_t len = 0;

    (void)state;
    assert_true(resolver_get(r, "10.0.0.1", 80, &addr, &len));
    assert_true(resolver_get(r, "::1", 80, &addr, &len));
    event_base_loop(base, EVLOOP_NONBLOCK);
    assert_int_equal(told, 0);

    resolver_get(r, "localhost", 80, &addr, &len);
    for (unsigned i = 0; i < 10 && told == 0; i++)
        event_base_loop(base, EVLOOP_NONBLOCK);
    assert_int_equal(told, 1);
    assert_true(resolver_get(r, "localhost", 8080, &addr, &len));
    assert_int_equal(addr.ss_family, AF_INET);
    assert_int_equal(((struct sockaddr_in *)&addr)->sin_port, htons(8080));
    assert_int_equal(((struct sockaddr_in *)&addr)->sin_addr.s_addr, htonl(INADDR_LOOPBACK));

    resolver_free(r);
    event_base_loop(base, EVLOOP_NONBLOCK);
    event_base_free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_known_a_loop_turn_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
