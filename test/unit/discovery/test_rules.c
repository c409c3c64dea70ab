/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "discovery/chain.h"
#include "discovery/discovery.h"
#include "discovery/rules.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdio.h>

/* What the agent in this event loop says to a request whose URI has this in it; the first one that
 * fits. Requests that block wait until wake(). */
struct said {
    const char *part, *body;
    int status; /* 0 = does not answer yet */
};

enum { ROUTERS, SPLITTERS, RESOLVERS, CHAIN, V1, V2, ADMIN, WEB, LIST, SAIDS };

static struct event_base *base;
static struct evhttp *http;
static uint16_t port;
static struct said said[SAIDS];
static uint64_t index_now;
static struct evhttp_request *waiting[64], *silent[64];
static unsigned nwaiting, nsilent, chains_asked, told;
static struct discovery *d;

#define INSTANCE(id)                                                                               \
    "[{\"Node\":{\"Node\":\"n1\",\"Address\":\"10.0.0.1\"},\"Service\":{\"ID\":\"" id              \
    "\",\"Port\":80},\"Checks\":[]}]"
#define TARGET(subset)                                                                             \
    "\"" subset "\":{\"Service\":\"web\",\"ServiceSubset\":\"" subset                              \
    "\",\"Datacenter\":\"dc1\",\"Subset\":{\"Filter\":\"" subset "\"}}"
#define RESOLVER(target)                                                                           \
    "\"r:" target "\":{\"Type\":\"resolver\",\"Resolver\":{\"Target\":\"" target "\"}}"
#define SPLIT(one, other)                                                                          \
    "{\"Chain\":{\"Datacenter\":\"dc1\",\"StartNode\":\"s\",\"Nodes\":{\"s\":{\"Type\":"           \
    "\"splitter\",\"Splits\":[{\"Weight\":" one ",\"NextNode\":\"r:v1\"},{\"Weight\":" other       \
    ",\"NextNode\":\"r:v2\"}]}," RESOLVER("v1") "," RESOLVER("v2") "},\"Targets\":{" TARGET(       \
        "v1") "," TARGET("v2") "}}}"
#define TO_ADMIN                                                                                   \
    "{\"Chain\":{\"Datacenter\":\"dc1\",\"StartNode\":\"r:admin\",\"Nodes\":{" RESOLVER(           \
        "admin") "},\"Targets\":{\"admin\":{\"Service\":\"admin\",\"Datacenter\":\"dc1\"}}}}"
#define PLAIN                                                                                      \
    "{\"Chain\":{\"Datacenter\":\"dc1\",\"StartNode\":\"r:web\",\"Nodes\":{" RESOLVER(             \
        "web") "},\"Targets\":{\"web\":{\"Service\":\"web\",\"Datacenter\":\"dc1\"}}}}"
#define BAD   "{\"Chain\":{\"StartNode\":\"x\",\"Nodes\":{\"x\":{\"Type\":\"mirror\"}}}}"
#define ENTRY "[{\"Kind\":\"service-splitter\",\"Name\":\"Web\"}]"

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
    if (s->status == 0) {
        silent[nsilent++] = r;
        return;
    }
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
    char index[40];

    (void)arg;
    chains_asked += strstr(evhttp_request_get_uri(r), "/v1/discovery-chain/") != NULL;
    snprintf(index, sizeof index, "index=%lu&", (unsigned long)index_now);
    if (strstr(evhttp_request_get_uri(r), index) && nwaiting < ARRAY_LEN(waiting))
        waiting[nwaiting++] = r;
    else
        answer(r);
}

/* Something changed: all that wait are answered. */
static void wake(void)
{
    unsigned n = nwaiting;

    index_now++;
    nwaiting = 0;
    for (unsigned i = 0; i < n; i++)
        answer(waiting[i]);
}

/* Those that were not answered are now. */
static void speak(void)
{
    unsigned n = nsilent;

    nsilent = 0;
    for (unsigned i = 0; i < n; i++)
        answer(silent[i]);
}

static void on_changed(void *arg)
{
    (void)arg;
    told++;
}

static void start(bool rules)
{
    static const char *const used[] = {"web"};
    static char address[64];
    struct discovery_options o = {.consul = true,
                                  .address = address,
                                  .stale = true,
                                  .wait_ms = 60000,
                                  .scope = DISCOVER_USED,
                                  .tag_prefix = "frontdesk.",
                                  .fabio_prefix = "",
                                  .keep_ms = 60000,
                                  .traffic_rules = rules};
    struct err e;

    snprintf(address, sizeof address, "http://127.0.0.1:%u", port);
    d = discovery_new(base, &o, on_changed, NULL, &e);
    assert_non_null(d);
    discovery_use(d, used, 1);
}

static int begin(void **state)
{
    struct evhttp_bound_socket *s;
    struct sockaddr_in addr;
    socklen_t len = sizeof addr;

    (void)state;
    log_set_level(LOG_ERROR);
    said[ROUTERS] = (struct said){"/v1/config/service-router?", "[]", 200};
    said[SPLITTERS] = (struct said){"/v1/config/service-splitter?", "[]", 200};
    said[RESOLVERS] = (struct said){"/v1/config/service-resolver?", "[]", 200};
    said[CHAIN] = (struct said){"/v1/discovery-chain/web?", SPLIT("90", "10"), 200};
    said[V1] = (struct said){"filter=v1", INSTANCE("one"), 200};
    said[V2] = (struct said){"filter=v2", INSTANCE("two"), 200};
    said[ADMIN] = (struct said){"/v1/health/service/admin?", INSTANCE("boss"), 200};
    said[WEB] = (struct said){"/v1/health/service/web?", INSTANCE("plain"), 200};
    said[LIST] = (struct said){"/v1/", "{\"web\":[],\"admin\":[]}", 200};
    index_now = 10;
    nwaiting = nsilent = chains_asked = told = 0;
    base = event_base_new();
    http = evhttp_new(base);
    evhttp_set_gencb(http, on_request, NULL);
    s = evhttp_bind_socket_with_handle(http, "127.0.0.1", 0);
    assert_non_null(s);
    assert_int_equal(getsockname(evhttp_bound_socket_get_fd(s), (struct sockaddr *)&addr, &len), 0);
    port = ntohs(addr.sin_port);
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

static void turn(void)
{
    struct timeval tick = {0, 1000};

    event_base_loopexit(base, &tick);
    event_base_dispatch(base);
}

/* Turns the loop until the condition holds; five seconds are a failure. */
#define UNTIL(condition)                                                                           \
    do {                                                                                           \
        uint64_t stop_at = clock_now_ns() + 5 * NS_PER_S;                                          \
        while (!(condition)) {                                                                     \
            if (clock_now_ns() > stop_at)                                                          \
                fail_msg("never: %s", #condition);                                                 \
            turn();                                                                                \
        }                                                                                          \
    } while (0)

static const char *id_of(const char *service)
{
    struct instance_set *s = discovery_find(d, service);

    return s && s->n > 0 ? s->items[0].id : "";
}

#define SHOWS(service, id) (strcmp(id_of(service), id) == 0)

static void set(int what, const char *body, int status)
{
    said[what].body = body;
    said[what].status = status;
    wake();
}

static struct chain *in_force(void)
{
    return discovery_rules(d, "WEB");
}

static unsigned weight(void)
{
    const struct chain *c = in_force();

    return c && c->nodes[c->start].kind == CHAIN_SPLITTER ? c->nodes[c->start].splits[0].weight : 0;
}

static void without_entries_no_chain_is_asked_for(void **state)
{
    (void)state;
    start(true);
    UNTIL(discovery_ready(d) && nwaiting >= 5);
    assert_null(in_force());
    assert_int_equal(chains_asked, 0);
    assert_int_equal(discovery_rules_count(d), 0);
    assert_null(discovery_rules_error(d));
}

static void off_is_off(void **state)
{
    (void)state;
    said[SPLITTERS].body = ENTRY;
    start(false);
    UNTIL(discovery_ready(d) && nwaiting >= 2);
    assert_null(in_force());
    assert_int_equal(chains_asked, 0);
}

static void targets_are_known_before_rules_are_in_force(void **state)
{
    (void)state;
    said[SPLITTERS].body = ENTRY;
    said[V2].status = 0;
    start(true);
    UNTIL(nsilent == 1 && SHOWS("web:v1", "one"));
    for (int i = 0; i < 20; i++)
        turn();
    assert_null(in_force());
    assert_false(discovery_ready(d));
    assert_true(discovery_rules_awaited(d, "Web"));
    assert_false(discovery_rules_awaited(d, "admin"));
    said[V2].status = 200;
    speak();
    UNTIL(in_force());
    assert_false(discovery_rules_awaited(d, "web"));
    assert_true(SHOWS("web:v2", "two"));
    UNTIL(discovery_ready(d));
    assert_int_equal(discovery_rules_count(d), 1);
    assert_ptr_equal(discovery_rules_at(d, 0), in_force());
    assert_true(discovery_is_target(d, "web:V2"));
    assert_false(discovery_is_target(d, "web"));
    /* The service itself is followed on. */
    assert_true(SHOWS("web", "plain"));
}

static void they_come_change_and_go(void **state)
{
    struct chain *old;

    (void)state;
    start(true);
    UNTIL(discovery_ready(d) && nwaiting >= 5);
    set(SPLITTERS, ENTRY, 200);
    UNTIL(weight() == 9000);
    old = chain_ref(in_force());
    set(CHAIN, SPLIT("20", "80"), 200);
    UNTIL(weight() == 2000);
    assert_int_equal(old->nodes[old->start].splits[0].weight, 9000);
    chain_unref(&old);
    set(CHAIN, TO_ADMIN, 200);
    UNTIL(in_force() && weight() == 0);
    UNTIL(!discovery_find(d, "web:v1"));
    assert_true(SHOWS("admin", "boss"));
    assert_false(discovery_is_target(d, "admin"));
    said[CHAIN].body = PLAIN;
    set(SPLITTERS, "[]", 200);
    UNTIL(!in_force());
    UNTIL(!discovery_find(d, "admin"));
    assert_true(SHOWS("web", "plain"));
}

/* Whoever waits for rules is told that there are none, or none that can be read. */
static void awaiting_ends(void **state)
{
    uint64_t before;

    (void)state;
    said[SPLITTERS].body = ENTRY;
    said[CHAIN].status = 0;
    start(true);
    UNTIL(nsilent == 1 && SHOWS("web", "plain"));
    assert_true(discovery_rules_awaited(d, "web"));
    before = discovery_rules_version(d);
    said[CHAIN] = (struct said){"/v1/discovery-chain/web?", PLAIN, 200};
    speak();
    UNTIL(!discovery_rules_awaited(d, "web") && discovery_rules_version(d) != before);
    assert_null(in_force());
    UNTIL(told > 0 && discovery_ready(d));
}

static void a_refusal_ends_awaiting(void **state)
{
    uint64_t before;

    (void)state;
    said[SPLITTERS].body = ENTRY;
    said[CHAIN].status = 0;
    start(true);
    UNTIL(nsilent == 1);
    before = discovery_rules_version(d);
    said[CHAIN] = (struct said){"/v1/discovery-chain/web?", "Permission denied", 403};
    speak();
    UNTIL(!discovery_rules_awaited(d, "web") && discovery_rules_version(d) != before);
}

static void what_cannot_be_read_changes_nothing(void **state)
{
    (void)state;
    said[SPLITTERS].body = ENTRY;
    start(true);
    UNTIL(weight() == 9000);
    assert_null(discovery_rules_problem(d, "web"));
    set(CHAIN, BAD, 200);
    UNTIL(discovery_rules_problem(d, "web"));
    assert_non_null(strstr(discovery_rules_problem(d, "Web"), "unknown type \"mirror\""));
    assert_int_equal(weight(), 9000);
    assert_int_equal(discovery_rules_count(d), 1);
    set(CHAIN, SPLIT("50", "50"), 200);
    UNTIL(weight() == 5000);
    assert_null(discovery_rules_problem(d, "web"));
}

static void nothing_is_in_force_before_it_can_be_read(void **state)
{
    (void)state;
    said[SPLITTERS].body = ENTRY;
    said[CHAIN].body = BAD;
    start(true);
    UNTIL(discovery_rules_problem(d, "web") && discovery_ready(d));
    assert_null(in_force());
    assert_true(SHOWS("web", "plain"));
}

/* A token without rights sees empty lists, but is refused the chain. */
static void empty_lists_alone_end_nothing(void **state)
{
    (void)state;
    said[SPLITTERS].body = ENTRY;
    start(true);
    UNTIL(weight() == 9000);
    UNTIL(nwaiting >= 7);
    said[CHAIN] = (struct said){"/v1/discovery-chain/web?", "Permission denied", 403};
    set(SPLITTERS, "[]", 200);
    UNTIL(discovery_rules_problem(d, "web"));
    for (int i = 0; i < 50; i++)
        turn();
    assert_int_equal(weight(), 9000);
    assert_true(SHOWS("web:v2", "two"));
}

static void left_out_services_have_none(void **state)
{
    static const char *const names[] = {"Web"};

    (void)state;
    said[SPLITTERS].body = ENTRY;
    start(true);
    UNTIL(in_force());
    discovery_without_rules(d, names, 1);
    UNTIL(!in_force() && !discovery_find(d, "web:v1"));
    discovery_without_rules(d, NULL, 0);
    UNTIL(in_force());
}

static void a_target_that_is_refused_has_no_instances(void **state)
{
    (void)state;
    said[SPLITTERS].body = ENTRY;
    said[V2].status = 500;
    start(true);
    UNTIL(in_force());
    assert_true(SHOWS("web:v1", "one"));
    assert_true(SHOWS("web:v2", ""));
}

static void a_target_nobody_has_heard_of_does_not_hold_them_for_ever(void **state)
{
    uint64_t begun = clock_now_ns();

    (void)state;
    said[SPLITTERS].body = ENTRY;
    said[V2].status = 0;
    start(true);
    for (int i = 0; i < 9000 && !in_force(); i++)
        turn();
    assert_non_null(in_force());
    assert_true(clock_now_ns() - begun >= 4 * NS_PER_S);
}

/* What becomes of targets. */

static struct chain *parse(const char *body)
{
    struct err e = {.text = ""};
    struct chain *c = chain_parse(str_of(body), "web", &e);

    if (!c)
        fail_msg("%s", e.text);
    return c;
}

static void targets_become_groups_and_services(void **state)
{
    struct chain *chains[] = {
        parse(SPLIT("1", "1")), parse(TO_ADMIN), parse(SPLIT("2", "2")),
        parse(
            "{\"Chain\":{\"Datacenter\":\"dc1\",\"StartNode\":\"r\",\"Nodes\":{\"r\":{\"Type\":"
            "\"resolver\",\"Resolver\":{\"Target\":\"a\",\"Failover\":{\"Targets\":[\"b\",\"c\"]}}"
            "}},\"Targets\":{\"a\":{\"Service\":\"api\",\"Datacenter\":\"dc1\"},\"b\":{\"Service\":"
            "\"api\",\"Datacenter\":\"dc2\",\"Subset\":{\"OnlyPassing\":true}},\"c\":{\"Service\":"
            "\"spare\",\"Namespace\":\"x\",\"Partition\":\"y\",\"Peer\":\"z\"}}}}")};
    struct arena *a = arena_new();
    struct rule_targets t;
    const struct discovery_group *api;

    (void)state;
    rule_targets_of(chains, ARRAY_LEN(chains), a, &t);
    assert_int_equal(t.nservices, 1);
    assert_string_equal(t.services[0], "admin");
    assert_int_equal(t.ngroups, 3);
    api = &t.groups[2];
    assert_string_equal(api->name, "api");
    assert_int_equal(api->n, 3);
    assert_null(api->places[0].datacenter);
    assert_string_equal(api->places[1].datacenter, "dc2");
    assert_true(api->places[1].only_passing);
    assert_string_equal(api->places[2].service, "spare");
    assert_string_equal(api->places[2].ns, "x");
    assert_string_equal(api->places[2].partition, "y");
    assert_string_equal(api->places[2].peer, "z");
    assert_true(api->fail_back_ms > 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(t.groups[i].n, 1);
        assert_string_equal(t.groups[i].places[0].service, "web");
        assert_string_equal(t.groups[i].places[0].filter, t.groups[i].name + strlen("web:"));
    }
    arena_free(a);
    for (size_t i = 0; i < ARRAY_LEN(chains); i++)
        chain_unref(&chains[i]);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)
    const struct CMUnitTest tests[] = {
        T(without_entries_no_chain_is_asked_for),
        T(off_is_off),
        T(targets_are_known_before_rules_are_in_force),
        T(they_come_change_and_go),
        T(awaiting_ends),
        T(a_refusal_ends_awaiting),
        T(what_cannot_be_read_changes_nothing),
        T(nothing_is_in_force_before_it_can_be_read),
        T(empty_lists_alone_end_nothing),
        T(left_out_services_have_none),
        T(a_target_that_is_refused_has_no_instances),
        T(a_target_nobody_has_heard_of_does_not_hold_them_for_ever),
        cmocka_unit_test(targets_become_groups_and_services),
    };
#undef T

    return cmocka_run_group_tests(tests, NULL, NULL);
}
