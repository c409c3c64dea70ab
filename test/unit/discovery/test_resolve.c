/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "discovery/discovery.h"
#include "discovery/resolve.h"

#include <arpa/inet.h>
#include <event2/dns.h>
#include <event2/dns_struct.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A name server in the same event loop, on a port of its own. */
struct server {
    struct evdns_server_port *port;
    uint16_t number;
    const char *address; /* of every name; NULL = there is none */
    unsigned asked;
};

static struct event_base *base;
static struct resolver *resolver;
static unsigned told;
static char conf[64], hosts[64];

static void on_changed(void *arg)
{
    struct sockaddr_storage addr;
    socklen_t len;

    (void)arg;
    told++;
    (void)resolver_get(resolver, "web.test", 80, &addr, &len);
}

static void on_request(struct evdns_server_request *q, void *arg)
{
    struct server *s = arg;
    struct in_addr a;

    s->asked++;
    for (int i = 0; i < q->nquestions; i++)
        if (s->address && q->questions[i]->type == EVDNS_TYPE_A) {
            inet_pton(AF_INET, s->address, &a);
            evdns_server_request_add_a_reply(q, q->questions[i]->name, 1, &a, 0);
        }
    evdns_server_request_respond(q, s->address ? DNS_ERR_NONE : DNS_ERR_NOTEXIST);
}

static void serve(struct server *s, const char *address)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof here;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&here, sizeof here), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&here, &len), 0);
    *s = (struct server){.address = address, .number = ntohs(here.sin_port)};
    s->port = evdns_add_server_port_with_base(base, fd, 0, on_request, s);
    assert_non_null(s->port);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void write_conf(const struct server *s)
{
    char text[100];

    snprintf(text, sizeof text, "nameserver 127.0.0.1:%u\noptions timeout:1 attempts:1\n",
             s->number);
    write_file(conf, text);
}

static int make_file(char path[64])
{
    int fd;

    snprintf(path, 64, "%s/frontdesk-resolve-XXXXXX", P_tmpdir);
    fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int begin(void **state)
{
    static struct resolver_files files = {conf, hosts};
    struct discovery_resolver quick = discovery_resolver_default;

    (void)state;
    log_set_level(LOG_ERROR);
    if (make_file(conf) != 0 || make_file(hosts) != 0)
        return -1;
    told = 0;
    base = event_base_new();
    resolver = resolver_new(base, &files, on_changed, NULL);
    quick.min_ttl_ms = 100;
    resolver_configure(resolver, &quick);
    return 0;
}

static int end(void **state)
{
    (void)state;
    resolver_free(resolver);
    event_base_loop(base, EVLOOP_NONBLOCK);
    event_base_free(base);
    return unlink(conf) | unlink(hosts);
}

/* The address in text, "" = none. */
static const char *get(const char *host)
{
    static char text[INET6_ADDRSTRLEN];
    struct sockaddr_storage addr;
    socklen_t len = 0;

    if (!resolver_get(resolver, host, 8080, &addr, &len))
        return "";
    assert_int_equal(addr.ss_family, AF_INET);
    assert_int_equal(((struct sockaddr_in *)&addr)->sin_port, htons(8080));
    return inet_ntop(AF_INET, &((struct sockaddr_in *)&addr)->sin_addr, text, sizeof text);
}

#define UNTIL(condition)                                                                           \
    do {                                                                                           \
        uint64_t stop_at = clock_now_ns() + 10 * NS_PER_S;                                         \
        struct timeval tick = {0, 1000};                                                           \
        while (!(condition)) {                                                                     \
            if (clock_now_ns() > stop_at)                                                          \
                fail_msg("never: %s", #condition);                                                 \
            event_base_loopexit(base, &tick);                                                      \
            event_base_dispatch(base);                                                             \
        }                                                                                          \
    } while (0)

static bool is(const char *host, const char *address)
{
    return strcmp(get(host), address) == 0;
}

static void literals_and_the_hosts_file_need_no_server(void **state)
{
    struct sockaddr_storage addr;
    socklen_t len = 0;

    (void)state;
    assert_string_equal(get("10.0.0.1"), "10.0.0.1");
    assert_true(resolver_get(resolver, "::1", 80, &addr, &len));
    event_base_loop(base, EVLOOP_NONBLOCK);
    assert_int_equal(told, 0);

    write_file(hosts, "10.0.0.7 web.test\n");
    assert_string_equal(get("web.test"), "10.0.0.7");
    assert_null(resolver_problem(resolver, "web.test"));
    event_base_loop(base, EVLOOP_NONBLOCK);
    assert_int_equal(told, 1);
}

static void names_are_asked_for_and_again(void **state)
{
    struct server s;

    (void)state;
    serve(&s, "10.0.0.1");
    write_conf(&s);
    assert_string_equal(get("web.test"), "");
    assert_string_equal(resolver_problem(resolver, "web.test"), "not answered yet");
    UNTIL(is("web.test", "10.0.0.1"));
    assert_null(resolver_problem(resolver, "web.test"));
    s.address = "10.0.0.2";
    UNTIL(is("web.test", "10.0.0.2"));
    assert_int_equal(told, 2);

    s.address = NULL;
    UNTIL(resolver_problem(resolver, "web.test"));
    assert_string_equal(resolver_problem(resolver, "web.test"), "there is no such name");
    assert_string_equal(get("web.test"), "10.0.0.2");
    evdns_close_server_port(s.port);
}

/* Whoever is told looks at every instance there is. */
static void many_answers_are_few_changes(void **state)
{
    enum { NAMES = 60, EVERY_MS = 50 };
    uint64_t begin_ns = clock_now_ns(), most;
    unsigned found = 0;
    struct server s;

    (void)state;
    serve(&s, "10.0.0.1");
    write_conf(&s);
    for (unsigned at = 0; found < NAMES; at = (at + 1) % NAMES) {
        char name[32];

        snprintf(name, sizeof name, "web%u.test", at);
        if (at == 0)
            found = 0;
        found += is(name, "10.0.0.1");
        event_base_loop(base, EVLOOP_NONBLOCK);
        assert_true(clock_now_ns() - begin_ns < 10 * NS_PER_S);
    }
    UNTIL(told > 0);
    most = (clock_now_ns() - begin_ns) / (EVERY_MS * NS_PER_MS) + 2;
    assert_in_range(told, 1, most);
    evdns_close_server_port(s.port);
}

static void another_resolv_conf_is_read(void **state)
{
    struct server one, two;

    (void)state;
    serve(&one, "10.0.0.1");
    serve(&two, "10.0.0.2");
    write_conf(&one);
    get("web.test");
    UNTIL(is("web.test", "10.0.0.1"));
    write_conf(&two);
    UNTIL(is("web.test", "10.0.0.2"));
    evdns_close_server_port(one.port);
    evdns_close_server_port(two.port);
}

static void servers_of_the_configuration_come_first(void **state)
{
    struct server one, two;
    struct discovery_resolver o = discovery_resolver_default;
    char address[32];
    const char *list[] = {address};

    (void)state;
    serve(&one, "10.0.0.1");
    serve(&two, "10.0.0.2");
    write_conf(&one);
    snprintf(address, sizeof address, "127.0.0.1:%u", two.number);
    o.servers = list;
    o.nservers = 1;
    resolver_configure(resolver, &o);
    get("web.test");
    UNTIL(is("web.test", "10.0.0.2"));
    assert_int_equal(one.asked, 0);
    resolver_configure(resolver, &discovery_resolver_default);
    UNTIL(is("web.test", "10.0.0.1"));
    evdns_close_server_port(one.port);
    evdns_close_server_port(two.port);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(literals_and_the_hosts_file_need_no_server, begin, end),
        cmocka_unit_test_setup_teardown(names_are_asked_for_and_again, begin, end),
        cmocka_unit_test_setup_teardown(many_answers_are_few_changes, begin, end),
        cmocka_unit_test_setup_teardown(another_resolv_conf_is_read, begin, end),
        cmocka_unit_test_setup_teardown(servers_of_the_configuration_come_first, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
