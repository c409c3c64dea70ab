/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/str.h"
#include "discovery/discovery.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An agent in the same event loop: what it says is set by the test. */
struct agent {
    struct evhttp *http;
    uint16_t port;
    int status, web_status; /* of web alone; 0 = as the others */
    uint64_t index;
    const char *services, *web;
    const char *token; /* required; NULL = none */
    bool leaderless;
    struct evhttp_request *waiting[256];
    unsigned nwaiting, asked, asked_blocking;
};

static struct event_base *base;
static struct agent agent;
static struct discovery *d;
static unsigned told;
static char kept[64]; /* directory; "" = nothing is kept */

#define WEB(id)                                                                                    \
    "{\"Node\":{\"Node\":\"n1\",\"Address\":\"10.0.0.1\"},\"Service\":{\"ID\":\"" id               \
    "\",\"Port\":80},\"Checks\":[]}"

static const char *body_for(const char *uri, int status)
{
    if (status != 200)
        return "ACL not found s3cret";
    if (strstr(uri, "/v1/catalog/services"))
        return agent.services;
    return strstr(uri, "/v1/health/state/") ? "[]" : agent.web;
}

static int status_for(struct evhttp_request *r)
{
    const char *token = evhttp_find_header(evhttp_request_get_input_headers(r), "X-Consul-Token");

    if (agent.token && (!token || strcmp(token, agent.token) != 0))
        return 403;
    if (agent.web_status && strstr(evhttp_request_get_uri(r), "/web?"))
        return agent.web_status;
    return agent.status;
}

static void answer(struct evhttp_request *r)
{
    struct evbuffer *body = evbuffer_new();
    int status = status_for(r);
    char index[24];

    snprintf(index, sizeof index, "%lu", status == 200 ? (unsigned long)agent.index : 1ul);
    evhttp_add_header(evhttp_request_get_output_headers(r), "X-Consul-Index", index);
    evhttp_add_header(evhttp_request_get_output_headers(r), "X-Consul-Knownleader",
                      agent.leaderless ? "false" : "true");
    evhttp_add_header(evhttp_request_get_output_headers(r), "Content-Type", "application/json");
    evbuffer_add_printf(body, "%s", body_for(evhttp_request_get_uri(r), status));
    evhttp_send_reply(r, status, "-", body);
    evbuffer_free(body);
}

static void on_request(struct evhttp_request *r, void *arg)
{
    char index[40];

    (void)arg;
    agent.asked++;
    snprintf(index, sizeof index, "index=%lu&", (unsigned long)agent.index);
    if (strstr(evhttp_request_get_uri(r), index) && agent.nwaiting < ARRAY_LEN(agent.waiting)) {
        agent.asked_blocking++;
        agent.waiting[agent.nwaiting++] = r;
        return;
    }
    answer(r);
}

/* Something changed: whoever waits is answered. */
static void wake(uint64_t index)
{
    unsigned n = agent.nwaiting;

    agent.index = index;
    agent.nwaiting = 0;
    for (unsigned i = 0; i < n; i++)
        answer(agent.waiting[i]);
}

static void on_changed(void *arg)
{
    (void)arg;
    told++;
}

static void listen_on(uint16_t port)
{
    struct evhttp_bound_socket *s;
    struct sockaddr_in addr;
    socklen_t len = sizeof addr;

    agent.http = evhttp_new(base);
    evhttp_set_gencb(agent.http, on_request, NULL);
    s = evhttp_bind_socket_with_handle(agent.http, "127.0.0.1", port);
    assert_non_null(s);
    assert_int_equal(getsockname(evhttp_bound_socket_get_fd(s), (struct sockaddr *)&addr, &len), 0);
    agent.port = ntohs(addr.sin_port);
}

static void stop_agent(void)
{
    agent.nwaiting = 0;
    evhttp_free(agent.http);
    agent.http = NULL;
}

static void start(int scope, const char *token_file)
{
    static char address[64];
    struct discovery_options o = {.consul = true,
                                  .address = address,
                                  .stale = true,
                                  .wait_ms = 60000,
                                  .tag_prefix = "frontdesk.",
                                  .fabio_prefix = "",
                                  .keep_ms = 60000,
                                  .token_file = token_file,
                                  .state_dir = kept[0] ? kept : NULL,
                                  .recall = kept[0] != 0};
    struct err e;

    o.scope = (unsigned)scope;
    snprintf(address, sizeof address, "http://127.0.0.1:%u", agent.port);
    d = discovery_new(base, &o, on_changed, NULL, &e);
    assert_non_null(d);
    if (!kept[0])
        return;
    discovery_keep(d);
    discovery_use(d, NULL, 0);
}

static int begin(void **state)
{
    (void)state;
    base = event_base_new();
    agent = (struct agent){.status = 200, .index = 10, .services = "{\"consul\":[]}", .web = "[]"};
    told = 0;
    listen_on(0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    discovery_free(d);
    d = NULL;
    if (agent.http)
        evhttp_free(agent.http);
    event_base_loop(base, EVLOOP_NONBLOCK);
    event_base_free(base);
    return 0;
}

/* Turns the loop until the condition holds; five seconds are a failure. */
#define UNTIL(condition)                                                                           \
    do {                                                                                           \
        uint64_t stop_at = clock_now_ns() + 5 * NS_PER_S;                                          \
        struct timeval tick = {0, 1000};                                                           \
        while (!(condition)) {                                                                     \
            if (clock_now_ns() > stop_at)                                                          \
                fail_msg("never: %s", #condition);                                                 \
            event_base_loopexit(base, &tick);                                                      \
            event_base_dispatch(base);                                                             \
        }                                                                                          \
    } while (0)

static unsigned count(const char *service)
{
    struct instance_set *s = discovery_find(d, service);

    return s ? s->n : 0;
}

static struct discovery_watch_status watch(const char *service)
{
    struct discovery_watch_status w;

    assert_true(discovery_watch_status(d, service, &w));
    return w;
}

static struct discovery_status status(void)
{
    struct discovery_status s;

    discovery_status(d, &s);
    return s;
}

static void tagged_service_appears_and_changes(void **state)
{
    (void)state;
    start(DISCOVER_TAGGED, NULL);
    assert_false(discovery_ready(d));
    UNTIL(discovery_ready(d) && agent.nwaiting == 1);
    assert_int_equal(discovery_count(d), 0);

    agent.services = "{\"consul\":[],\"Web\":[\"frontdesk.path=/\"],\"other\":[\"v1\"]}";
    agent.web = "[" WEB("a") "]";
    wake(11);
    UNTIL(count("web") == 1 && agent.nwaiting == 2);
    assert_int_equal(discovery_count(d), 1);

    agent.web = "[" WEB("a") "," WEB("b") "]";
    told = 0;
    wake(12);
    UNTIL(count("web") == 2);
    UNTIL(told == 1);
    assert_int_equal(watch("web").index, 12);
    assert_true(status().connected);
    assert_int_equal(status().errors, 0);
}

/* An agent that has just started answers before it knows its own catalog. */
static void first_answer_without_a_leader_is_not_enough(void **state)
{
    (void)state;
    agent.leaderless = true;
    agent.services = "{}";
    start(DISCOVER_TAGGED, NULL);
    UNTIL(agent.nwaiting == 1);
    assert_false(discovery_ready(d));

    agent.leaderless = false;
    agent.services = "{\"web\":[\"frontdesk\"]}";
    agent.web = "[" WEB("a") "]";
    wake(11);
    UNTIL(discovery_ready(d));
    assert_int_equal(count("web"), 1);
}

static void a_cluster_that_stays_without_a_leader_is_served(void **state)
{
    (void)state;
    agent.leaderless = true;
    agent.services = "{\"web\":[\"frontdesk\"]}";
    agent.web = "[" WEB("a") "]";
    start(DISCOVER_TAGGED, NULL);
    UNTIL(count("web") == 1 && agent.nwaiting == 2);
    assert_false(discovery_ready(d));
    wake(agent.index);
    UNTIL(discovery_ready(d));
    assert_int_equal(count("web"), 1);
}

static void vanished_service_is_shown_as_gone(void **state)
{
    (void)state;
    agent.services = "{\"consul\":[],\"web\":[\"frontdesk\"]}";
    agent.web = "[" WEB("a") "]";
    start(DISCOVER_TAGGED, NULL);
    UNTIL(count("web") == 1 && agent.nwaiting == 2);
    agent.services = "{\"consul\":[]}";
    agent.web = "[]";
    wake(11);
    UNTIL(watch("web").gone && status().watches == 1);
    assert_int_equal(count("web"), 1);
    assert_false(instance_usable(&discovery_find(d, "web")->items[0]));
}

static void named_service_that_does_not_exist_is_ready(void **state)
{
    const char *const names[] = {"web"};

    (void)state;
    start(DISCOVER_USED, NULL);
    discovery_use(d, names, 1);
    assert_false(discovery_ready(d));
    assert_int_equal(discovery_count(d), 1);
    UNTIL(discovery_ready(d) && watch("web").answered_ns != 0);
    discovery_use(d, NULL, 0);
    assert_int_equal(discovery_count(d), 0);
}

static void errors_keep_the_data(void **state)
{
    const char *const names[] = {"web"};

    (void)state;
    agent.web = "[" WEB("a") "]";
    start(DISCOVER_USED, NULL);
    discovery_use(d, names, 1);
    UNTIL(count("web") == 1 && agent.nwaiting == 2);
    agent.status = 500;
    wake(11);
    UNTIL(status().errors >= 4);
    assert_int_equal(count("web"), 1);
    assert_true(watch("web").failing);
    assert_false(status().connected);
    assert_int_equal(watch("web").index, 10);

    agent.status = 200;
    agent.web = "[" WEB("a") "," WEB("b") "]";
    UNTIL(count("web") == 2);
    assert_int_equal(watch("web").index, 11);
    UNTIL(status().connected && agent.nwaiting == 2);
}

static void recovery_of_the_list_wakes_the_others(void **state)
{
    const char *const names[] = {"web"};

    (void)state;
    agent.status = 500;
    agent.web_status = 400; /* by itself it would try again after a minute */
    start(DISCOVER_USED, NULL);
    discovery_use(d, names, 1);
    UNTIL(watch("web").failing && status().errors >= 3);
    agent.status = 200;
    agent.web_status = 0;
    agent.web = "[" WEB("a") "]";
    UNTIL(count("web") == 1);
}

static void agent_that_restarts_is_found_again(void **state)
{
    const char *const names[] = {"web"};

    (void)state;
    agent.web = "[" WEB("a") "]";
    start(DISCOVER_USED, NULL);
    discovery_use(d, names, 1);
    UNTIL(count("web") == 1 && agent.nwaiting == 2);
    stop_agent();
    UNTIL(status().errors >= 5);
    assert_int_equal(count("web"), 1);
    agent.index = 12;
    agent.web = "[" WEB("b") "]";
    listen_on(agent.port);
    UNTIL(count("web") == 1 && discovery_find(d, "web")->items[0].id[0] == 'b');
}

static void index_that_goes_back_cannot_remove_at_once(void **state)
{
    const char *const names[] = {"web"};
    unsigned asked;

    (void)state;
    agent.index = 600;
    agent.web = "[" WEB("a") "]";
    start(DISCOVER_USED, NULL);
    discovery_use(d, names, 1);
    UNTIL(count("web") == 1 && agent.nwaiting == 2);
    agent.web = "[" WEB("b") "]";
    asked = agent.asked;
    wake(5);
    UNTIL(count("web") == 2);
    UNTIL(status().index_resets == 2 && agent.nwaiting == 2);
    assert_in_range(agent.asked - asked, 2, 8);
}

static void rights_come_back_with_the_token_file(void **state)
{
    char path[] = P_tmpdir "/frontdesk-token-XXXXXX";
    int fd = mkstemp(path);
    const char *const names[] = {"web"};

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "s3cret", 6), 6);
    agent.token = "another";
    agent.web = "[" WEB("a") "]";
    start(DISCOVER_USED, path);
    discovery_use(d, names, 1);
    UNTIL(status().errors >= 2);
    assert_null(strstr(status().last_error, "s3cret"));
    assert_non_null(strstr(status().last_error, "403"));
    assert_false(discovery_ready(d));
    agent.token = "s3cret";
    discovery_use(d, NULL, 0);
    discovery_use(d, names, 1);
    UNTIL(count("web") == 1);
    close(fd);
    unlink(path);
}

static void static_services_need_no_agent(void **state)
{
    static const struct discovery_address addresses[] = {
        {.host = "10.0.0.9", .port = 80, .weight = 1}};
    static const struct discovery_static files = {"files", addresses, 1};

    (void)state;
    stop_agent();
    start(DISCOVER_TAGGED, NULL);
    discovery_set_static(d, &files, 1);
    assert_int_equal(count("files"), 1);
    UNTIL(told == 1 && status().errors > 0);
    assert_false(discovery_ready(d));
    discovery_free(d);
    d = discovery_new(base, &(struct discovery_options){.consul = false}, on_changed, NULL,
                      &(struct err){.text = ""});
    assert_true(discovery_ready(d));
}

static void bad_addresses_are_refused(void **state)
{
    static const char *const bad[] = {"",       "ftp://127.0.0.1", "http://u:p@127.0.0.1",
                                      "unix:x", "http://h/?q",     "unix://relative"};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        struct err e = {.text = ""};
        struct discovery_options o = {.consul = true, .address = bad[i]};
        struct discovery *none = discovery_new(base, &o, on_changed, NULL, &e);

        if (none || !*e.text)
            fail_msg("accepted: %s", bad[i]);
        assert_null(strstr(e.text, "u:p"));
    }
}

static void more_services_than_connections(void **state)
{
    static char services[20000] = "{\"consul\":[]";
    size_t n = strlen(services);

    (void)state;
    for (unsigned i = 0; i < 130; i++)
        n += (size_t)snprintf(services + n, sizeof services - n, ",\"s%u\":[\"frontdesk\"]", i);
    snprintf(services + n, sizeof services - n, "}");
    agent.services = services;
    agent.web = "[" WEB("a") "]";
    start(DISCOVER_TAGGED, NULL);
    UNTIL(discovery_ready(d));
    assert_int_equal(discovery_count(d), 130);
    assert_int_equal(status().watches, 133);
    agent.web = "[" WEB("a") "," WEB("b") "]";
    wake(11);
    /* Thirty of them have no connection of their own, and hear it through the list. */
    for (unsigned i = 0; i < 130; i++) {
        char name[16];

        snprintf(name, sizeof name, "s%u", i);
        UNTIL(count(name) == 2);
    }
}

static int begin_kept(void **state)
{
    snprintf(kept, sizeof kept, "%s/frontdesk-discovery-XXXXXX", P_tmpdir);
    return mkdtemp(kept) ? begin(state) : -1;
}

static int end_kept(void **state)
{
    char file[96];
    int ret = end(state);

    snprintf(file, sizeof file, "%s/catalog.answers", kept);
    unlink(file);
    if (rmdir(kept) != 0)
        return -1;
    kept[0] = '\0';
    return ret;
}

/* The life of an earlier process. */
static void know_two(void)
{
    agent.services = "{\"web\":[\"frontdesk\"]}";
    agent.web = "[" WEB("a") "," WEB("b") "]";
    start(DISCOVER_TAGGED, NULL);
    UNTIL(count("web") == 2 && agent.nwaiting == 2);
    assert_int_equal(status().recalled_services, 0);
    discovery_free(d);
    event_base_loop(base, EVLOOP_NONBLOCK);
    agent.nwaiting = 0;
    told = 0;
}

static void what_was_known_is_there_at_once(void **state)
{
    (void)state;
    know_two();
    start(DISCOVER_TAGGED, NULL);
    assert_true(discovery_ready(d));
    assert_int_equal(count("web"), 2);
    assert_true(watch("web").recalled_ms > 0);
    assert_int_equal(status().recalled_services, 1);
    assert_true(status().recalled_list);

    /* The same is said again: nothing changes but that it is no longer of an earlier run. */
    UNTIL(agent.nwaiting == 2);
    assert_int_equal(told, 1);
    assert_int_equal(status().recalled_services, 0);
    assert_false(status().recalled_list);
    assert_int_equal(watch("web").recalled_ms, 0);
    assert_int_equal(count("web"), 2);
}

static void the_first_answer_replaces_what_was_known(void **state)
{
    (void)state;
    know_two();
    agent.web = "[" WEB("b") "," WEB("c") "]";
    start(DISCOVER_TAGGED, NULL);
    assert_int_equal(count("web"), 2);
    UNTIL(status().recalled_services == 0);
    assert_string_equal(discovery_find(d, "web")->items[0].id, "b");
    assert_string_equal(discovery_find(d, "web")->items[1].id, "c");
}

/* An agent that has just started, too, takes nothing away. */
static void doubt_only_adds_to_what_was_known(void **state)
{
    (void)state;
    know_two();
    agent.leaderless = true;
    agent.web = "[" WEB("c") "]";
    start(DISCOVER_TAGGED, NULL);
    UNTIL(count("web") == 3 && agent.nwaiting == 2);
    assert_int_equal(status().recalled_services, 1);

    /* Nor is it confirmed by an answer that has more, or the same. */
    agent.web = "[" WEB("a") "," WEB("b") "," WEB("c") "," WEB("d") "]";
    wake(12);
    UNTIL(count("web") == 4 && agent.nwaiting == 2);
    wake(13);
    UNTIL(watch("web").index == 13);
    assert_int_equal(status().recalled_services, 1);

    agent.leaderless = false;
    agent.web = "[" WEB("c") "]";
    wake(14);
    UNTIL(count("web") == 1);
    assert_int_equal(status().recalled_services, 0);
}

static void an_agent_that_is_away_changes_nothing(void **state)
{
    (void)state;
    know_two();
    stop_agent();
    start(DISCOVER_TAGGED, NULL);
    UNTIL(status().errors >= 4);
    assert_true(discovery_ready(d));
    assert_int_equal(count("web"), 2);
    assert_int_equal(status().recalled_services, 1);
    assert_true(watch("web").failing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tagged_service_appears_and_changes, begin, end),
        cmocka_unit_test_setup_teardown(first_answer_without_a_leader_is_not_enough, begin, end),
        cmocka_unit_test_setup_teardown(a_cluster_that_stays_without_a_leader_is_served, begin,
                                        end),
        cmocka_unit_test_setup_teardown(vanished_service_is_shown_as_gone, begin, end),
        cmocka_unit_test_setup_teardown(named_service_that_does_not_exist_is_ready, begin, end),
        cmocka_unit_test_setup_teardown(errors_keep_the_data, begin, end),
        cmocka_unit_test_setup_teardown(recovery_of_the_list_wakes_the_others, begin, end),
        cmocka_unit_test_setup_teardown(agent_that_restarts_is_found_again, begin, end),
        cmocka_unit_test_setup_teardown(index_that_goes_back_cannot_remove_at_once, begin, end),
        cmocka_unit_test_setup_teardown(rights_come_back_with_the_token_file, begin, end),
        cmocka_unit_test_setup_teardown(static_services_need_no_agent, begin, end),
        cmocka_unit_test_setup_teardown(bad_addresses_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(more_services_than_connections, begin, end),
        cmocka_unit_test_setup_teardown(what_was_known_is_there_at_once, begin_kept, end_kept),
        cmocka_unit_test_setup_teardown(the_first_answer_replaces_what_was_known, begin_kept,
                                        end_kept),
        cmocka_unit_test_setup_teardown(doubt_only_adds_to_what_was_known, begin_kept, end_kept),
        cmocka_unit_test_setup_teardown(an_agent_that_is_away_changes_nothing, begin_kept,
                                        end_kept),
    };

    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
