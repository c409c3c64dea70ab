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

/* What the agent in this event loop says to a request whose URI has this in it; the first one that
 * fits. Requests that block wait until wake(). */
struct said {
    const char *part, *body;
    int status; /* 0 = never answers */
};

enum { SAID_DC2, SAID_BACKUP, SAID_QUERY, SAID_WEB, SAID_LIST, SAIDS };

static struct event_base *base;
static struct evhttp *http;
static uint16_t port;
static struct said said[SAIDS];
static uint64_t index_now;
static struct evhttp_request *waiting[64];
static unsigned nwaiting;
static char asked[4000]; /* every URI */
static struct discovery *d;

#define ONE(id, dc, status)                                                                        \
    "{\"Node\":{\"Node\":\"n1\",\"Address\":\"10.0.0.1\",\"Datacenter\":\"" dc                     \
    "\"},\"Service\":{\"ID\":\"" id "\",\"Port\":80},\"Checks\":[{\"Status\":\"" status "\"}]}"

#define LOCAL_GOOD   "[" ONE("local", "dc1", "passing") "]"
#define LOCAL_BAD    "[" ONE("local", "dc1", "critical") "]"
#define PAIR(status) "[" ONE("local", "dc1", "passing") "," ONE("other", "dc1", status) "]"
#define DC2_GOOD     "[" ONE("far", "dc2", "passing") "]"

static void answer(struct evhttp_request *r)
{
    const char *uri = evhttp_request_get_uri(r);
    struct evkeyvalq *headers = evhttp_request_get_output_headers(r);
    struct evbuffer *body;
    const struct said *s = said;
    char index[24];

    while (s < said + SAIDS && !strstr(uri, s->part))
        s++;
    assert_true(s < said + SAIDS);
    if (s->status == 0)
        return;
    snprintf(index, sizeof index, "%lu", s->status == 200 ? (unsigned long)index_now : 1ul);
    evhttp_add_header(headers, "X-Consul-Index", index);
    evhttp_add_header(headers, "X-Consul-Knownleader", "true");
    evhttp_add_header(headers, "Content-Type", "application/json");
    body = evbuffer_new();
    evbuffer_add_printf(body, "%s", s->body);
    evhttp_send_reply(r, s->status, "-", body);
    evbuffer_free(body);
}

static void on_request(struct evhttp_request *r, void *arg)
{
    const char *uri = evhttp_request_get_uri(r);
    char index[40];
    size_t n = strlen(asked);

    (void)arg;
    snprintf(asked + n, sizeof asked - n, "%s\n", uri);
    snprintf(index, sizeof index, "index=%lu&", (unsigned long)index_now);
    if (strstr(uri, index) && nwaiting < ARRAY_LEN(waiting))
        waiting[nwaiting++] = r;
    else
        answer(r);
}

static void wake(void)
{
    unsigned n = nwaiting;

    index_now++;
    nwaiting = 0;
    for (unsigned i = 0; i < n; i++)
        answer(waiting[i]);
}

static void on_changed(void *arg)
{
    (void)arg;
}

static void start(struct discovery_safety safety)
{
    static char address[64];
    struct discovery_options o = {.consul = true,
                                  .address = address,
                                  .stale = true,
                                  .wait_ms = 60000,
                                  .scope = DISCOVER_USED,
                                  .tag_prefix = "frontdesk.",
                                  .fabio_prefix = "",
                                  .keep_ms = 60000,
                                  .safety = safety};
    struct err e;

    discovery_free(d);
    snprintf(address, sizeof address, "http://127.0.0.1:%u", port);
    d = discovery_new(base, &o, on_changed, NULL, &e);
    assert_non_null(d);
}

static int begin(void **state)
{
    struct evhttp_bound_socket *s;
    struct sockaddr_in addr;
    socklen_t len = sizeof addr;

    (void)state;
    said[SAID_DC2] = (struct said){"dc=dc2", DC2_GOOD, 200};
    said[SAID_BACKUP] = (struct said){"/web-backup?", "[]", 200};
    said[SAID_QUERY] = (struct said){"/v1/query/", "{\"Nodes\":[]}", 200};
    said[SAID_WEB] = (struct said){"/v1/health/service/web?", LOCAL_GOOD, 200};
    said[SAID_LIST] = (struct said){"/v1/", "{\"web\":[]}", 200};
    index_now = 10;
    nwaiting = 0;
    asked[0] = '\0';
    base = event_base_new();
    http = evhttp_new(base);
    evhttp_set_gencb(http, on_request, NULL);
    s = evhttp_bind_socket_with_handle(http, "127.0.0.1", 0);
    assert_non_null(s);
    assert_int_equal(getsockname(evhttp_bound_socket_get_fd(s), (struct sockaddr *)&addr, &len), 0);
    port = ntohs(addr.sin_port);
    start((struct discovery_safety){.confirm_ms = 0});
    return 0;
}

static int end(void **state)
{
    (void)state;
    discovery_free(d);
    d = NULL;
    evhttp_free(http);
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

static const char *id_of(const char *service)
{
    struct instance_set *s = discovery_find(d, service);

    return s && s->n > 0 ? s->items[0].id : "";
}

#define SHOWS(service, id) (strcmp(id_of(service), id) == 0)

static struct discovery_group_status group(const char *service)
{
    struct discovery_group_status g;

    assert_true(discovery_group_status(d, service, &g));
    return g;
}

static struct discovery_place_status place(const char *service, size_t i)
{
    struct discovery_place_status p;

    assert_true(discovery_place_status(d, service, i, &p));
    return p;
}

static const struct discovery_place two[] = {{.service = "web"},
                                             {.service = "web", .datacenter = "dc2"}};

static void follow(const char *name, const struct discovery_place *places, size_t n,
                   uint64_t fail_back_ms)
{
    struct discovery_group g = {
        .name = name, .places = places, .n = n, .fail_back_ms = fail_back_ms, .on_breaker = true};

    discovery_set_groups(d, &g, 1);
    discovery_use(d, &name, 1);
}

static void local_first_then_the_other_and_back(void **state)
{
    (void)state;
    follow("Web", two, 2, 1);
    assert_false(discovery_ready(d));
    UNTIL(discovery_ready(d) && nwaiting == 3);
    assert_true(SHOWS("web", "local"));
    assert_string_equal(discovery_find(d, "web")->service, "web");
    assert_string_equal(discovery_find(d, "web")->items[0].datacenter, "dc1");
    assert_int_equal(discovery_count(d), 1);
    assert_string_equal(group("web").why, "preferred");
    assert_string_equal(place("web", 1).label, "dc2");
    assert_int_equal(place("web", 1).usable, 1);

    said[SAID_WEB].body = LOCAL_BAD;
    wake();
    UNTIL(SHOWS("web", "far") && nwaiting == 3);
    assert_int_equal(group("web").active, 1);
    assert_string_equal(group("web").why, "local: 0 of 1 healthy");
    assert_string_equal(discovery_find(d, "web")->items[0].datacenter, "dc2");

    said[SAID_WEB].body = LOCAL_GOOD;
    wake();
    UNTIL(SHOWS("web", "local"));
    assert_int_equal(group("web").moves, 2);
    assert_string_equal(group("web").why, "local: 1 of 1 healthy again");
}

static void place_whose_requests_fail_is_left(void **state)
{
    static const struct discovery_group by_word = {.name = "web", .places = two, .n = 2};

    (void)state;
    follow("web", two, 2, 60000);
    UNTIL(SHOWS("web", "local") && place("web", 1).heard);
    discovery_suspect(d, "other");
    discovery_suspect(d, "WEB");
    assert_true(SHOWS("web", "far"));
    assert_string_equal(group("web").why, "local: requests to it failed");
    assert_true(place("web", 0).suspect_until_ns > clock_now_ns());
    /* There, too: none is better, and it stays. */
    discovery_suspect(d, "web");
    assert_true(SHOWS("web", "far"));
    assert_int_equal(group("web").moves, 1);

    discovery_set_groups(d, NULL, 0);
    discovery_set_groups(d, &by_word, 1);
    UNTIL(SHOWS("web", "local") && place("web", 1).heard);
    discovery_suspect(d, "web");
    assert_true(SHOWS("web", "local"));
}

static void goes_back_only_after_the_delay(void **state)
{
    (void)state;
    said[SAID_WEB].body = LOCAL_BAD;
    follow("web", two, 2, 60000);
    UNTIL(SHOWS("web", "far") && nwaiting == 3);
    said[SAID_WEB].body = LOCAL_GOOD;
    wake();
    UNTIL(place("web", 0).usable == 1);
    assert_true(SHOWS("web", "far"));
}

static void waits_for_the_preferred_one(void **state)
{
    (void)state;
    said[SAID_WEB].status = 0;
    follow("web", two, 2, 1);
    UNTIL(place("web", 1).heard);
    assert_false(discovery_ready(d));
    assert_false(group("web").decided);
    assert_int_equal(discovery_find(d, "web")->n, 0);
}

static void datacenter_that_does_not_exist(void **state)
{
    static const struct discovery_place places[] = {{.service = "web", .datacenter = "dc2"},
                                                    {.service = "web"}};

    (void)state;
    said[SAID_DC2] = (struct said){"dc=dc2", "No path to datacenter", 500};
    follow("web", places, 2, 60000);
    UNTIL(discovery_ready(d) && SHOWS("web", "local"));
    assert_true(place("web", 0).failing);
    assert_non_null(strstr(place("web", 0).error, "No path to datacenter"));
    assert_non_null(strstr(group("web").why, "No path to datacenter"));
    /* It was never seen to be bad, so nothing is waited for. */
    said[SAID_DC2] = (struct said){"dc=dc2", DC2_GOOD, 200};
    UNTIL(SHOWS("web", "far"));
    assert_string_equal(place("web", 0).error, "");
}

static void nothing_anywhere_is_an_answer(void **state)
{
    static const struct discovery_place places[] = {{.service = "web", .datacenter = "dc2"}};
    struct discovery_status status;

    (void)state;
    said[SAID_DC2] = (struct said){"dc=dc2", "No path to datacenter", 500};
    follow("web", places, 1, 0);
    UNTIL(discovery_ready(d));
    assert_int_equal(discovery_find(d, "web")->n, 0);
    UNTIL((discovery_status(d, &status), status.last_good_ns));
    assert_true(status.connected);
}

static void refused_place_is_passed_over(void **state)
{
    static const struct discovery_place places[] = {{.service = "web", .ns = "team"},
                                                    {.service = "web", .datacenter = "dc2"}};

    (void)state;
    said[SAID_WEB] = (struct said){"/web?", "Namespaces are a Consul Enterprise feature", 400};
    follow("web", places, 2, 0);
    UNTIL(SHOWS("web", "far"));
    assert_non_null(strstr(asked, "/v1/health/service/web?stale&ns=team&"));
    assert_non_null(strstr(group("web").why, "Enterprise"));
}

static void what_was_known_stays_when_a_place_fails(void **state)
{
    (void)state;
    said[SAID_WEB].body = LOCAL_BAD;
    follow("web", two, 2, 60000);
    UNTIL(SHOWS("web", "far") && nwaiting == 3);
    said[SAID_DC2] = (struct said){"dc=dc2", "rpc error", 500};
    wake();
    UNTIL(place("web", 1).failing);
    assert_true(SHOWS("web", "far"));
    assert_int_equal(place("web", 1).usable, 1);
}

static void another_service_a_filter_and_a_query(void **state)
{
    static const struct discovery_place places[] = {
        {.service = "web", .filter = "Service.Meta.v == 2", .only_passing = true},
        {.service = "web-backup"},
        {.query = "web-any"}};

    (void)state;
    said[SAID_WEB].body = "[" ONE("half", "dc1", "warning") "]";
    said[SAID_QUERY].body = "{\"Service\":\"web\",\"Nodes\":" DC2_GOOD ",\"Failovers\":1}";
    follow("web", places, 3, 0);
    UNTIL(SHOWS("web", "far"));
    assert_int_equal(group("web").active, 2);
    assert_non_null(strstr(asked, "web?stale&filter=Service.Meta.v%20%3D%3D%202&"));
    assert_non_null(strstr(asked, "/v1/query/web-any/execute?stale&"));
    assert_null(strstr(asked, "execute?stale&index"));
    assert_string_equal(group("web").why, "local where Service.Meta.v == 2: 0 of 1 healthy; "
                                          "web-backup: no instance");
    said[SAID_BACKUP].body = LOCAL_GOOD;
    wake();
    UNTIL(SHOWS("web", "local"));
}

static void becoming_a_group_loses_nothing(void **state)
{
    const char *name = "web";

    (void)state;
    discovery_use(d, &name, 1);
    UNTIL(SHOWS("web", "local") && nwaiting == 2);
    follow("web", two, 2, 0);
    assert_true(SHOWS("web", "local"));
    UNTIL(group("web").decided);
    assert_true(SHOWS("web", "local"));
    /* The same again changes nothing; then it is an ordinary service again. */
    follow("web", two, 2, 60000);
    assert_true(group("web").decided);
    discovery_set_groups(d, NULL, 0);
    assert_true(SHOWS("web", "local"));
    assert_false(discovery_group_status(d, "web", &(struct discovery_group_status){.moves = 0}));
    said[SAID_WEB].body = LOCAL_BAD;
    wake();
    UNTIL(discovery_find(d, "web")->items[0].health == HEALTH_CRITICAL);
    discovery_use(d, NULL, 0);
    assert_int_equal(discovery_count(d), 0);
}

static void group_that_nobody_asks_for_is_not_followed(void **state)
{
    struct discovery_group g = {.name = "web", .places = two, .n = 2};
    static const struct discovery_address addresses[] = {{"10.0.0.9", 80, 1, NULL, NULL}};
    static const struct discovery_static fixed = {"web", addresses, 1};

    (void)state;
    discovery_set_groups(d, &g, 1);
    assert_int_equal(discovery_count(d), 0);
    follow("web", two, 2, 0);
    UNTIL(SHOWS("web", "local"));
    discovery_set_static(d, &fixed, 1);
    assert_string_equal(id_of("web"), "10.0.0.9:80");
    assert_false(discovery_group_status(d, "web", &(struct discovery_group_status){.moves = 0}));
    discovery_set_static(d, NULL, 0);
    UNTIL(SHOWS("web", "local"));
}

static void removals_of_all_places_are_told(void **state)
{
    struct discovery_removal removed[4];
    struct discovery_watch_status watch;

    (void)state;
    follow("web", two, 2, 1);
    UNTIL(SHOWS("web", "local") && place("web", 1).heard && nwaiting == 3);
    said[SAID_WEB].body = LOCAL_BAD;
    wake();
    UNTIL(SHOWS("web", "far") && nwaiting == 3);
    said[SAID_DC2].body = "[]";
    wake();
    UNTIL(place("web", 1).usable == 0);
    assert_int_equal(discovery_removals(d, "WEB", removed, ARRAY_LEN(removed)), 2);
    assert_string_equal(removed[0].id, "far");
    assert_string_equal(removed[1].id, "local");
    assert_string_equal(removed[1].why, "critical");
    assert_int_equal(discovery_removals(d, "web", removed, 1), 1);
    assert_true(discovery_watch_status(d, "web", &watch));
    assert_int_equal(watch.held, 0);
}

static void held_loss_of_a_place_is_told_and_can_be_accepted(void **state)
{
    struct discovery_watch_status watch;

    (void)state;
    start((struct discovery_safety){.confirm_ms = 600000, .shrink_percent = 50});
    follow("web", two, 2, 1);
    UNTIL(SHOWS("web", "local") && nwaiting == 3);
    said[SAID_WEB].body = "[]";
    wake();
    UNTIL(discovery_watch_status(d, "web", &watch) && watch.held == 1);
    assert_true(SHOWS("web", "local"));
    assert_true(*watch.held_why);
    assert_int_equal(discovery_accept(d, "web"), 1);
    assert_true(SHOWS("web", "far"));
}

/* Nothing of Consul's says so, time does. */
static void instance_that_flapped_comes_back_by_time(void **state)
{
    static const struct discovery_group all_must_be_well = {
        .name = "web", .places = two, .n = 2, .min_healthy = 100};

    (void)state;
    start((struct discovery_safety){.damping_ms = 100});
    said[SAID_WEB].body = PAIR("passing");
    discovery_set_groups(d, &all_must_be_well, 1);
    discovery_use(d, &all_must_be_well.name, 1);
    UNTIL(SHOWS("web", "local") && place("web", 1).heard && nwaiting == 3);
    for (int i = 0; i < 12; i++) {
        said[SAID_WEB].body = i % 2 ? PAIR("passing") : PAIR("critical");
        wake();
        UNTIL(nwaiting == 3);
    }
    assert_true(SHOWS("web", "far"));
    UNTIL(SHOWS("web", "local"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(local_first_then_the_other_and_back, begin, end),
        cmocka_unit_test_setup_teardown(place_whose_requests_fail_is_left, begin, end),
        cmocka_unit_test_setup_teardown(goes_back_only_after_the_delay, begin, end),
        cmocka_unit_test_setup_teardown(waits_for_the_preferred_one, begin, end),
        cmocka_unit_test_setup_teardown(datacenter_that_does_not_exist, begin, end),
        cmocka_unit_test_setup_teardown(nothing_anywhere_is_an_answer, begin, end),
        cmocka_unit_test_setup_teardown(refused_place_is_passed_over, begin, end),
        cmocka_unit_test_setup_teardown(what_was_known_stays_when_a_place_fails, begin, end),
        cmocka_unit_test_setup_teardown(another_service_a_filter_and_a_query, begin, end),
        cmocka_unit_test_setup_teardown(becoming_a_group_loses_nothing, begin, end),
        cmocka_unit_test_setup_teardown(removals_of_all_places_are_told, begin, end),
        cmocka_unit_test_setup_teardown(held_loss_of_a_place_is_told_and_can_be_accepted, begin,
                                        end),
        cmocka_unit_test_setup_teardown(instance_that_flapped_comes_back_by_time, begin, end),
        cmocka_unit_test_setup_teardown(group_that_nobody_asks_for_is_not_followed, begin, end),
    };

    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
