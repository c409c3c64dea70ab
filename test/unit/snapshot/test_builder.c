/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/log.h"
#include "snapshot/builder.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "catalog.h"
#include "catalog_reads.h"

#define S(n) ((uint64_t)(n)*NS_PER_S)

static const char tagged[] = "consul: { expose: tagged }\n"
                             "defaults: { breaker: { minimum_requests: 4, open_for: 60s } }\n"
                             "routes:\n"
                             "  - { path: /static/, service: files }\n";

static struct registry *reg;
static struct builder *builder;
static struct config *config;
static struct discovery catalog;
static struct snapshot *snap; /* ref: what a worker would hold */

static int begin(void **state)
{
    (void)state;
    log_set_level(LOG_ERROR);
    reg = registry_new(1);
    builder = builder_new(reg);
    config = config_of(tagged);
    catalog = (struct discovery){0};
    return 0;
}

static int end(void **state)
{
    (void)state;
    snapshot_unref(&snap);
    catalog_clear(&catalog);
    builder_free(builder);
    registry_free(reg);
    config_unref(&config);
    return 0;
}

static void build(uint64_t now_ns)
{
    snapshot_unref(&snap);
    snap = builder_build(builder, config, &catalog, now_ns);
}

static void reconfigure(const char *yaml)
{
    config_unref(&config);
    config = config_of(yaml);
}

static struct service_view *view(const char *service)
{
    struct service_state *s = registry_find(reg, service);

    assert_non_null(s);
    assert_true(s->slot < snap->nslots);
    return snap->services[s->slot];
}

/* The service that gets a GET of this path; "" when none does. */
static const char *served_by(const char *path)
{
    struct request r = {.method = METHOD_GET,
                        .method_name = STR("GET"),
                        .host = STR("shop.example"),
                        .path = str_of(path)};
    struct route_match m;

    route_find(snap->routes, &r, &m);
    return m.route ? m.route->conf->targets[0].service : "";
}

static void first_snapshot(void **state)
{
    (void)state;
    PUT(&catalog, "orders", {.id = "1", .port = 1, .tags = {"frontdesk.path=/orders/"}});
    catalog.unready = true;
    build(S(1));
    assert_int_equal(snap->version, 1);
    assert_false(snap->complete);
    assert_ptr_equal(snap->config, config);
    assert_string_equal(served_by("/orders/7"), "orders");
    assert_string_equal(served_by("/static/x"), "files");
    assert_string_equal(served_by("/"), "");
    assert_int_equal(view("orders")->n, 1);
    assert_int_equal(view("files")->n, 0); /* used by a route, not in the catalog */
    assert_null(view("files")->set);
    catalog.unready = false;
    build(S(2));
    assert_true(snap->complete);
}

/* A route leads to the view of its service by the slot it was compiled with. */
static void routes_know_the_slots(void **state)
{
    (void)state;
    PUT(&catalog, "a", {.id = "1", .port = 1, .tags = {"frontdesk.path=/a"}});
    PUT(&catalog, "b", {.id = "1", .port = 2, .tags = {"frontdesk.path=/b"}});
    build(S(1));
    for (size_t i = 0; i < route_table_count(snap->routes); i++) {
        const struct route *r = route_table_at(snap->routes, i);

        assert_string_equal(snap->services[r->slots[0]]->state->name, r->conf->targets[0].service);
    }
    assert_int_equal(route_table_count(snap->routes), 3);
}

static void nothing_changed_shares_everything(void **state)
{
    struct snapshot *before;

    (void)state;
    PUT(&catalog, "orders", {.id = "1", .port = 1, .tags = {"frontdesk.path=/orders/"}});
    build(S(1));
    before = snapshot_ref(snap);
    build(S(2));
    assert_ptr_not_equal(snap, before);
    assert_int_equal(snap->version, before->version + 1);
    assert_ptr_equal(snap->routes, before->routes);
    assert_int_equal(snap->nslots, before->nslots);
    for (uint32_t i = 0; i < snap->nslots; i++)
        assert_ptr_equal(snap->services[i], before->services[i]);
    snapshot_unref(&before);
}

/* What happens to "orders", and whether that makes the routes new. */
static void what_makes_routes_new(void **state)
{
    static const struct {
        const char *name;
        struct row before, after;
        bool compiled;
    } rows[] = {
        {"nothing",
         {.id = "1", .tags = {"frontdesk.path=/a"}},
         {.id = "1", .tags = {"frontdesk.path=/a"}},
         false},
        {"health",
         {.id = "1", .tags = {"frontdesk.path=/a"}},
         {.id = "1", .tags = {"frontdesk.path=/a"}, .health = HEALTH_CRITICAL},
         false},
        {"port",
         {.id = "1", .tags = {"frontdesk.path=/a"}},
         {.id = "1", .tags = {"frontdesk.path=/a"}, .port = 9},
         false},
        {"zone",
         {.id = "1", .tags = {"frontdesk.path=/a"}},
         {.id = "1", .tags = {"frontdesk.path=/a"}, .zone = "b"},
         false},
        {"another tag",
         {.id = "1", .tags = {"frontdesk.path=/a"}},
         {.id = "1", .tags = {"frontdesk.path=/b"}},
         true},
        {"one tag more",
         {.id = "1", .tags = {"frontdesk.path=/a"}},
         {.id = "1", .tags = {"frontdesk.path=/a", "frontdesk.strip=true"}},
         true},
        {"meta",
         {.id = "1", .meta = {"frontdesk-path", "/a"}},
         {.id = "1", .meta = {"frontdesk-path", "/b"}},
         true},
        {"tags that become meta",
         {.id = "1", .tags = {"frontdesk-path", "/a"}},
         {.id = "1", .meta = {"frontdesk-path", "/a"}},
         true},
        {"age",
         {.id = "1", .tags = {"frontdesk.path=/a"}},
         {.id = "1", .tags = {"frontdesk.path=/a"}, .create_index = 9},
         true},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct route_table *before;
        struct service_view *other;

        end(state);
        begin(state);
        PUT(&catalog, "orders", rows[i].before);
        PUT(&catalog, "web", {.id = "1", .port = 7});
        build(S(1));
        before = route_table_ref(snap->routes);
        other = view("web");
        PUT(&catalog, "orders", rows[i].after);
        build(S(2));
        if ((snap->routes != before) != rows[i].compiled)
            fail_msg("%s: the routes are %s", rows[i].name, rows[i].compiled ? "old" : "new");
        assert_ptr_equal(view("web"), other);
        assert_ptr_equal(view("orders")->set, discovery_find(&catalog, "orders"));
        route_table_unref(&before);
    }
}

static void vanished_service_takes_its_routes_along(void **state)
{
    (void)state;
    PUT(&catalog, "orders", {.id = "1", .port = 1, .tags = {"frontdesk.path=/orders/"}});
    build(S(1));
    assert_string_equal(served_by("/orders/"), "orders");
    catalog_remove(&catalog, "orders");
    build(S(2));
    assert_string_equal(served_by("/orders/"), "");
    assert_null(view("orders"));
}

static void expose_none_ignores_tags(void **state)
{
    (void)state;
    PUT(&catalog, "orders", {.id = "1", .port = 1, .tags = {"frontdesk.path=/orders/"}});
    reconfigure("consul: { expose: none }");
    build(S(1));
    assert_string_equal(served_by("/orders/"), "");
    reconfigure(tagged);
    build(S(2));
    assert_string_equal(served_by("/orders/"), "orders");
    reconfigure("{}"); /* no Consul at all */
    build(S(3));
    assert_string_equal(served_by("/orders/"), "");
}

static void bad_tag_hurts_nobody_else(void **state)
{
    const struct route_problem *list;

    (void)state;
    PUT(&catalog, "bad", {.id = "1", .port = 1, .tags = {"frontdesk.path=nonsense"}});
    PUT(&catalog, "good", {.id = "1", .port = 2, .tags = {"frontdesk.path=/good"}});
    build(S(1));
    assert_string_equal(served_by("/good"), "good");
    assert_int_equal(builder_problems(builder, &list), 1);
    assert_string_equal(list[0].service, "bad");
    assert_string_equal(list[0].subject, "frontdesk.path=nonsense");
    assert_true(strlen(list[0].why) > 0);
    build(S(2)); /* reported as long as it is there */
    assert_int_equal(builder_problems(builder, &list), 1);
    PUT(&catalog, "bad", {.id = "1", .port = 1, .tags = {"frontdesk.path=/bad"}});
    build(S(3));
    assert_int_equal(builder_problems(builder, &list), 0);
    assert_string_equal(served_by("/bad"), "bad");
}

static void problem_goes_with_its_service(void **state)
{
    const struct route_problem *list;

    (void)state;
    PUT(&catalog, "bad", {.id = "1", .port = 1, .tags = {"frontdesk.path=nonsense"}});
    build(S(1));
    catalog_remove(&catalog, "bad");
    build(S(2));
    assert_int_equal(builder_problems(builder, &list), 0);
}

static void breaker_survives_configuration_and_catalog(void **state)
{
    struct service_state *s;
    struct breaker_info info;
    struct rng rng = {1};

    (void)state;
    PUT(&catalog, "orders", {.id = "1", .port = 1, .tags = {"frontdesk.path=/orders/"}});
    build(S(1));
    s = registry_find(reg, "orders");
    for (int i = 0; i < 8; i++) {
        struct breaker_ticket t = breaker_admit(s->breaker, clock_now_ns());

        if (t.admitted)
            breaker_report(s->breaker, t, clock_now_ns(), &rng, true, 1);
    }
    reconfigure("consul: { expose: tagged }\ndefaults: { breaker: { minimum_requests: 500 } }");
    build(S(2));
    catalog_remove(&catalog, "orders");
    build(S(3));
    PUT(&catalog, "orders", {.id = "2", .port = 2, .tags = {"frontdesk.path=/orders/"}});
    build(S(4));
    assert_ptr_equal(view("orders")->state, s);
    breaker_info(s->breaker, clock_now_ns(), &info);
    assert_int_equal(info.state, BREAKER_OPEN);
}

static void configuration_reaches_the_states(void **state)
{
    (void)state;
    PUT(&catalog, "orders", {.id = "1", .port = 1});
    reconfigure("consul: {}\nservices: { orders: { concurrency: { requests: 1 } } }");
    build(S(1));
    assert_int_equal(view("orders")->state->limit.max_active, 1);
    reconfigure("consul: {}\nservices: { orders: { concurrency: { requests: 9 } } }");
    build(S(2));
    assert_int_equal(view("orders")->state->limit.max_active, 9);
    assert_int_equal(view("orders")->conf->max_requests, 9);
    reconfigure("consul: {}");
    build(S(3));
    assert_int_equal(view("orders")->state->limit.max_active, 0);
}

static void who_left_is_not_present(void **state)
{
    struct instance_state *one, *two;
    struct snapshot *held;

    (void)state;
    PUT(&catalog, "orders", {.id = "1", .port = 1}, {.id = "2", .port = 2});
    build(S(1));
    held = snapshot_ref(snap); /* a request that is still under way */
    one = view("orders")->states[0];
    two = view("orders")->states[1];
    assert_true(one->present && two->present);
    PUT(&catalog, "orders", {.id = "1", .port = 1});
    build(S(2));
    assert_true(one->present);
    assert_false(two->present);
    PUT(&catalog, "orders", {.id = "1", .port = 1}, {.id = "2", .port = 2});
    build(S(3));
    assert_ptr_equal(view("orders")->states[1], two);
    assert_true(two->present);
    catalog_remove(&catalog, "orders");
    build(S(4));
    assert_false(one->present || two->present);
    snapshot_unref(&held);
}

static void unchanged_services_stay_present(void **state)
{
    (void)state;
    PUT(&catalog, "orders", {.id = "1", .port = 1});
    PUT(&catalog, "web", {.id = "1", .port = 2});
    build(S(1));
    for (uint64_t i = 2; i < 6; i++) {
        PUT(&catalog, "orders", {.id = "1", .port = 1});
        build(S(i));
        assert_true(view("web")->states[0]->present);
        assert_true(view("orders")->states[0]->present);
    }
}

static bool has_instance(const struct instance_set *set, const char *id)
{
    for (unsigned i = 0; set && i < set->n; i++)
        if (strcmp(set->items[i].id, id) == 0)
            return true;
    return false;
}

/* Whatever changes in one build, each view is that of the set in the catalog, and just the
 * instances of these sets are present. */
static void views_are_those_of_the_catalog(void **state)
{
    static const char *const names[] = {"a", "b", "c", "d", "e"}, *const ids[] = {"1", "2", "3"};
    struct instance_state *states[ARRAY_LEN(names)][ARRAY_LEN(ids)] = {{NULL}};
    struct rng rng = {7};

    (void)state;
    for (uint64_t t = 1; t < 500; t++) {
        for (uint32_t i = rng_below(&rng, 4); i > 0; i--) {
            const char *name = names[rng_below(&rng, ARRAY_LEN(names))];
            struct row rows[] = {{.id = "1", .port = 1}, {.id = "2", .port = 2}, {.id = "3"}};
            uint32_t n = rng_below(&rng, 4);

            rows[2].port = 3;
            if (rng_below(&rng, 8) == 0)
                rows[0].tags[0] = "frontdesk.path=/other/";
            if (rng_below(&rng, 6) == 0)
                catalog_remove(&catalog, name);
            else
                catalog_put(&catalog, name, rows, n);
        }
        build(S(t));
        for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
            struct instance_set *set = discovery_find(&catalog, names[i]);
            struct service_view *v = registry_find(reg, names[i]) ? view(names[i]) : NULL;

            assert_ptr_equal(v ? v->set : NULL, set);
            for (unsigned k = 0; v && k < v->n; k++)
                states[i][v->set->items[k].port - 1] = v->states[k];
            for (unsigned k = 0; k < ARRAY_LEN(ids); k++)
                if (states[i][k])
                    assert_int_equal(states[i][k]->present, has_instance(set, ids[k]));
        }
    }
}

/* A replaced copy is cold, even if it was usable when it left and has the same address. */
static void who_comes_back_starts_slowly(void **state)
{
    (void)state;
    PUT(&catalog, "orders", {.id = "1", .port = 1}, {.id = "2", .port = 2});
    build(S(1));
    PUT(&catalog, "orders", {.id = "1", .port = 1});
    build(S(2));
    PUT(&catalog, "orders", {.id = "1", .port = 1}, {.id = "2", .port = 2});
    build(S(3));
    assert_int_equal(view("orders")->states[0]->load.usable_since_ns, 0);
    assert_int_equal(view("orders")->states[1]->load.usable_since_ns, S(3));
}

static void the_long_gone_are_forgotten(void **state)
{
    uint32_t slot;

    (void)state;
    PUT(&catalog, "orders", {.id = "1", .port = 1});
    build(S(1));
    slot = view("orders")->states[0]->slot;
    PUT(&catalog, "orders", {.id = "2", .port = 2});
    build(S(20)); /* the absence begins */
    build(S(619));
    PUT(&catalog, "orders", {.id = "2", .port = 2}, {.id = "3", .port = 3});
    build(S(619));
    assert_int_not_equal(view("orders")->states[1]->slot, slot);
    build(S(630));
    PUT(&catalog, "orders", {.id = "2", .port = 2}, {.id = "4", .port = 4});
    build(S(630));
    assert_int_equal(view("orders")->states[1]->slot, slot);
}

/* Ten minutes are counted from the last time it left. */
static void coming_back_starts_the_ten_minutes_anew(void **state)
{
    struct instance_state *one;

    (void)state;
    PUT(&catalog, "orders", {.id = "1", .port = 1});
    build(S(1));
    one = view("orders")->states[0];
    catalog_remove(&catalog, "orders");
    build(S(2));
    PUT(&catalog, "orders", {.id = "1", .port = 1});
    build(S(500));
    catalog_remove(&catalog, "orders");
    build(S(650));
    build(S(700));
    PUT(&catalog, "orders", {.id = "1", .port = 1});
    build(S(701));
    assert_ptr_equal(view("orders")->states[0], one);
    assert_int_equal(one->load.usable_since_ns, S(701));
}

/* A request keeps its snapshot over any number of later ones, with all that it points to. */
static void an_old_snapshot_stays_whole(void **state)
{
    struct snapshot *old;

    (void)state;
    PUT(&catalog, "orders", {.id = "1", .port = 1, .tags = {"frontdesk.path=/orders/"}});
    build(S(1));
    old = snapshot_ref(snap);
    catalog_remove(&catalog, "orders");
    reconfigure("{}");
    for (uint64_t i = 2; i < 5; i++)
        build(S(1000) * i);
    snapshot_unref(&snap);
    snap = snapshot_ref(old);
    assert_string_equal(served_by("/orders/"), "orders");
    assert_string_equal(view("orders")->set->items[0].id, "1");
    assert_string_equal(view("orders")->states[0]->key, "orders|node-1/1/127.0.0.1:1");
    assert_int_equal(view("orders")->conf->breaker.minimum_requests, 4);
    snapshot_unref(&old);
}

static void services_keep_their_slots(void **state)
{
    uint32_t slot;

    (void)state;
    PUT(&catalog, "m", {.id = "1", .port = 1});
    build(S(1));
    slot = registry_find(reg, "m")->slot;
    PUT(&catalog, "a", {.id = "1", .port = 2});
    PUT(&catalog, "z", {.id = "1", .port = 3});
    build(S(2));
    assert_int_equal(registry_find(reg, "m")->slot, slot);
    assert_string_equal(snap->services[slot]->state->name, "m");
    assert_int_equal(snap->nslots, 4); /* and files, of the route */
}

static void one_service_behind_two_routes(void **state)
{
    struct service_view *files;

    (void)state;
    reconfigure("routes:\n"
                "  - { path: /a/, service: files }\n"
                "  - { path: /b/, service: files }\n"
                "  - { path: /old/, redirect: { status: 308, to: \"/a/\" } }\n");
    build(S(1));
    files = view("files");
    assert_non_null(files);
    PUT(&catalog, "files", {.id = "1", .port = 1});
    build(S(2));
    assert_ptr_not_equal(view("files"), files);
    assert_int_equal(view("files")->n, 1);
}

static struct chain *canary(const char *service, unsigned share)
{
    char body[2048];
    struct err e;
    struct chain *c;

    snprintf(
        body, sizeof body,
        "{\"Chain\":{\"StartNode\":\"s\",\"Nodes\":{"
        "\"s\":{\"Type\":\"splitter\",\"Splits\":[{\"Weight\":%u,\"NextNode\":\"1\"},"
        "{\"Weight\":%u,\"NextNode\":\"2\"}]},"
        "\"1\":{\"Type\":\"resolver\",\"Resolver\":{\"Target\":\"orders\",\"ConnectTimeout\":"
        "\"7s\"}},"
        "\"2\":{\"Type\":\"resolver\",\"Resolver\":{\"Target\":\"v2\",\"ConnectTimeout\":\"9s\","
        "\"LoadBalancer\":{\"Policy\":\"maglev\",\"HashPolicies\":[{\"Field\":\"cookie\","
        "\"FieldValue\":\"sid\"}]}}}},"
        "\"Targets\":{\"orders\":{\"Service\":\"orders\"},"
        "\"v2\":{\"Service\":\"orders\",\"ServiceSubset\":\"v2\"}}}}",
        100 - share, share);
    c = chain_parse(str_of(body), service, &e);
    assert_non_null(c);
    return c;
}

/* A chain leads to views by slot; its resolvers say what the configuration does not say. */
static void rules_of_consul(void **state)
{
    struct traffic_query q = {.req = &(struct request){.method = METHOD_GET}, .path = STR("/")};
    struct rng rng = {7};
    struct traffic_walk walk;
    struct chain *old;

    (void)state;
    reconfigure("consul: { expose: tagged }\nservices: { orders: { connect_timeout: 3s, "
                "first_byte_timeout: 4s } }\n");
    PUT(&catalog, "orders", {.id = "1", .port = 1, .tags = {"frontdesk.path=/orders/"}});
    catalog.rules = canary("orders", 100);
    build(S(1));
    assert_non_null(view("orders")->rules);
    assert_true(traffic_rules_walk(view("orders")->rules, &q, &rng, &walk));
    assert_ptr_equal(snap->services[walk.slot], view("orders:v2"));
    assert_string_equal(walk.target->key, "orders:v2");
    assert_int_equal(view("orders:v2")->n, 0);
    assert_null(view("orders:v2")->rules);
    /* What `services:` says comes first, for the parts of a service as for itself. */
    assert_int_equal(view("orders")->conf->connect_timeout_ms, 3000);
    assert_int_equal(view("orders:v2")->conf->connect_timeout_ms, 3000);
    assert_int_equal(view("orders:v2")->conf->first_byte_timeout_ms, 4000);
    assert_string_equal(view("orders:v2")->conf->balance.policy, "consistent_hash");
    assert_int_equal(view("orders:v2")->conf->balance.hash_source, HASH_COOKIE);

    PUT(&catalog, "orders:v2", {.id = "2", .port = 2, .tags = {"frontdesk.path=/other/"}});
    build(S(2));
    assert_int_equal(view("orders:v2")->n, 1);
    assert_string_equal(served_by("/other/"), "");

    /* The same rules share the view, others make a new one. */
    old = catalog.rules;
    {
        const struct service_view *before = view("orders");

        build(S(3));
        assert_ptr_equal(view("orders"), before);
        catalog.rules = canary("orders", 0);
        chain_unref(&old);
        build(S(4));
        assert_ptr_not_equal(view("orders"), before);
    }
    assert_true(traffic_rules_walk(view("orders")->rules, &q, &rng, &walk));
    assert_ptr_equal(snap->services[walk.slot], view("orders"));

    reconfigure("consul: { expose: tagged }\nservices: { orders: { balance: random } }\n");
    build(S(5));
    assert_int_equal(view("orders:v2")->conf->connect_timeout_ms, 9000);
    assert_string_equal(view("orders:v2")->conf->balance.policy, "random");
    reconfigure("consul: { expose: tagged }\nservices: { orders: { traffic_rules: false } }\n");
    build(S(6));
    assert_null(view("orders")->rules);
    assert_int_equal(view("orders")->conf->connect_timeout_ms, 1000);
    chain_unref(&catalog.rules);
    build(S(7));
    assert_null(view("orders")->rules);
}

static struct chain *redirect(const char *connect_timeout)
{
    char body[1024];
    struct err e;
    struct chain *c;

    snprintf(
        body, sizeof body,
        "{\"Chain\":{\"StartNode\":\"2\",\"Nodes\":{\"2\":{\"Type\":\"resolver\",\"Resolver\":{"
        "\"Target\":\"v2\",\"ConnectTimeout\":\"%s\"}}},\"Targets\":{\"v2\":{\"Service\":"
        "\"orders\","
        "\"ServiceSubset\":\"v2\"}}}}",
        connect_timeout);
    c = chain_parse(str_of(body), "orders", &e);
    assert_non_null(c);
    return c;
}

/* The service has the chain alone, its target the settings alone: each view goes by its own. */
static void views_follow_what_concerns_them(void **state)
{
    const struct service_view *orders, *v2;
    struct chain *old;

    (void)state;
    PUT(&catalog, "orders", {.id = "1", .port = 1, .tags = {"frontdesk.path=/orders/"}});
    PUT(&catalog, "orders:v2", {.id = "2", .port = 2});
    catalog.rules = old = redirect("7s");
    build(S(1));
    orders = view("orders");
    v2 = view("orders:v2");
    assert_ptr_equal(orders->rules->chain, old);
    assert_int_equal(orders->conf->connect_timeout_ms, 1000);
    assert_int_equal(v2->conf->connect_timeout_ms, 7000);
    catalog.rules = redirect("8s");
    build(S(2));
    assert_ptr_not_equal(view("orders"), orders);
    assert_ptr_equal(view("orders")->rules->chain, catalog.rules);
    assert_int_equal(view("orders:v2")->conf->connect_timeout_ms, 8000);
    /* A change of one set leaves the other view, and the rules, as they are. */
    orders = view("orders");
    PUT(&catalog, "orders:v2", {.id = "2", .port = 2}, {.id = "3", .port = 3});
    build(S(3));
    assert_ptr_equal(view("orders"), orders);
    assert_int_equal(view("orders:v2")->n, 2);
    assert_int_equal(view("orders:v2")->conf->connect_timeout_ms, 8000);
    chain_unref(&old);
    chain_unref(&catalog.rules);
    build(S(4));
    assert_null(view("orders")->rules);
    assert_int_equal(view("orders:v2")->conf->connect_timeout_ms, 1000);
}

/* A service that comes with rules is not served before they are known; one that is served goes on.
 */
static void rules_that_are_to_come(void **state)
{
    (void)state;
    PUT(&catalog, "orders", {.id = "1", .port = 1, .tags = {"frontdesk.path=/orders/"}});
    catalog.awaited = "orders";
    build(S(1));
    assert_string_equal(served_by("/orders/"), "orders");
    assert_int_equal(view("orders")->n, 0);
    catalog.awaited = NULL;
    catalog.rules = redirect("7s");
    build(S(2));
    assert_int_equal(view("orders")->n, 1);
    assert_non_null(view("orders")->rules);
    chain_unref(&catalog.rules);
    catalog.awaited = "orders";
    build(S(3));
    assert_int_equal(view("orders")->n, 1);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)
    const struct CMUnitTest tests[] = {
        T(first_snapshot),
        T(routes_know_the_slots),
        T(nothing_changed_shares_everything),
        T(what_makes_routes_new),
        T(vanished_service_takes_its_routes_along),
        T(expose_none_ignores_tags),
        T(bad_tag_hurts_nobody_else),
        T(problem_goes_with_its_service),
        T(breaker_survives_configuration_and_catalog),
        T(configuration_reaches_the_states),
        T(who_left_is_not_present),
        T(unchanged_services_stay_present),
        T(views_are_those_of_the_catalog),
        T(who_comes_back_starts_slowly),
        T(the_long_gone_are_forgotten),
        T(coming_back_starts_the_ten_minutes_anew),
        T(an_old_snapshot_stays_whole),
        T(services_keep_their_slots),
        T(one_service_behind_two_routes),
        T(rules_of_consul),
        T(views_follow_what_concerns_them),
        T(rules_that_are_to_come),
    };
#undef T

    return cmocka_run_group_tests(tests, NULL, NULL);
}
