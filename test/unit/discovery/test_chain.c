/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "discovery/chain.h"

#include <stdio.h>
#include <string.h>

#define CORPUS "test/fuzz/corpus/fuzz_discovery_chain/"

static struct chain *parse(const char *body, const char *service)
{
    struct err e = {.text = ""};
    struct chain *c = chain_parse(str_of(body), service, &e);

    if (!c)
        fail_msg("%s", e.text);
    return c;
}

static struct chain *load(const char *path, const char *service)
{
    static char body[64 * 1024];
    FILE *f = fopen(path, "r");
    size_t n;

    if (!f)
        fail_msg("%s is not there", path);
    n = fread(body, 1, sizeof body - 1, f);
    body[n] = '\0';
    fclose(f);
    return parse(body, service);
}

static const struct chain_target *target_named(const struct chain *c, const char *key)
{
    for (unsigned i = 0; i < c->ntargets; i++)
        if (strcmp(c->targets[i].key, key) == 0)
            return &c->targets[i];
    fail_msg("no target %s", key);
    return NULL;
}

static void consul_1_8(void **state)
{
    struct chain *c = load(CORPUS "consul-1.8-router", "web");
    const struct chain_node *router = &c->nodes[c->start], *splitter;
    const struct chain_resolver *v1, *v2;
    const struct chain_route *admin = &router->routes[0];

    (void)state;
    assert_int_equal(router->kind, CHAIN_ROUTER);
    assert_int_equal(router->nroutes, 3);
    assert_int_equal(admin->path.op, CHAIN_PREFIX);
    assert_true(str_eq(admin->path.value, STR("/admin")));
    assert_int_equal(admin->nheaders, 1);
    assert_string_equal(admin->headers[0].name, "x-debug");
    assert_int_equal(admin->headers[0].op, CHAIN_EXACT);
    assert_int_equal(admin->nquery, 1);
    assert_int_equal(admin->query[0].op, CHAIN_PRESENT);
    assert_string_equal(admin->methods[1], "PUT");
    assert_null(admin->methods[2]);
    assert_string_equal(admin->to.prefix_rewrite, "/");
    assert_int_equal(admin->to.timeout_ms, 90000);
    assert_int_equal(admin->to.retries, 3);
    assert_true(admin->to.on_connect_failure);
    assert_int_equal(admin->to.statuses[0], 503);
    assert_int_equal(admin->to.statuses[1], 0);
    assert_string_equal(c->targets[c->nodes[admin->next].resolver.target].key, "admin");
    assert_int_equal(router->routes[1].path.op, CHAIN_REGEX);
    assert_true(regex_matches(router->routes[1].path.regex, STR("/v2/x")));

    splitter = &c->nodes[router->routes[2].next];
    assert_int_equal(splitter->kind, CHAIN_SPLITTER);
    assert_int_equal(splitter->splits[0].weight, 9050);
    assert_int_equal(splitter->splits[1].weight, 950);
    assert_int_equal(splitter->weight_sum, CHAIN_FULL_WEIGHT);
    v1 = &c->nodes[splitter->splits[0].next].resolver;
    v2 = &c->nodes[splitter->splits[1].next].resolver;
    assert_int_equal(v1->connect_timeout_ms, 15000);
    assert_string_equal(c->targets[v1->target].key, "web:v1");
    assert_string_equal(c->targets[v1->target].filter, "Service.Meta.version == 1");
    assert_false(c->targets[v1->target].only_passing);
    assert_int_equal(v1->nfailovers, 1);
    assert_string_equal(c->targets[v1->failovers[0]].key, "web-bak");
    assert_true(c->targets[v2->target].only_passing);
    assert_int_equal(v2->nfailovers, 2);
    assert_string_equal(c->targets[v2->failovers[0]].key, "web:v2@dc2");
    assert_string_equal(c->targets[v2->failovers[1]].datacenter, "dc3");
    assert_ptr_equal(chain_resolver_of(c, v2->target), v2);
    assert_null(chain_resolver_of(c, v2->failovers[0]));
    assert_false(chain_is_plain(c));
    assert_int_equal(c->nnotes, 0);
    chain_unref(&c);
}

static void redirects_are_resolvers(void **state)
{
    struct chain *old = load(CORPUS "consul-1.8-old", "old"),
                 *far = load(CORPUS "consul-1.8-far", "far"),
                 *plain = load(CORPUS "consul-1.8-plain", "plain");

    (void)state;
    assert_string_equal(old->targets[old->nodes[old->start].resolver.target].key, "web:v2");
    assert_string_equal(far->targets[far->nodes[far->start].resolver.target].key, "far@dc2");
    assert_false(chain_is_plain(old));
    assert_false(chain_is_plain(far));
    assert_true(chain_is_plain(plain));
    assert_int_equal(plain->nodes[plain->start].resolver.connect_timeout_ms, 0);
    chain_unref(&old);
    chain_unref(&far);
    chain_unref(&plain);
}

static bool has_note(const struct chain *c, const char *part)
{
    for (unsigned i = 0; i < c->nnotes; i++)
        if (strstr(c->notes[i], part))
            return true;
    return false;
}

static void newer_consul(void **state)
{
    struct chain *c = load(CORPUS "newer", "web");
    const struct chain_node *router = &c->nodes[c->start],
                            *splitter = &c->nodes[router->routes[0].next];
    const struct chain_resolver *plain = &c->nodes[splitter->splits[0].next].resolver,
                                *v2 = &c->nodes[splitter->splits[1].next].resolver;
    const struct chain_target *peer = target_named(c, "web+peer.cluster-02");

    (void)state;
    assert_true(router->routes[0].path.fold);
    assert_int_equal(router->routes[0].headers[0].op, CHAIN_CONTAINS);
    assert_true(router->routes[0].headers[0].fold);
    assert_true(router->routes[0].to.on_gateway_error);
    assert_false(router->routes[0].to.on_5xx);
    assert_true(router->routes[0].to.says_retries);
    assert_int_equal(router->routes[0].to.retries, 0);
    assert_int_equal(router->routes[0].to.request.n, 1);
    assert_int_equal(router->routes[0].to.request.items[0].op, CHAIN_SET);
    assert_string_equal(router->routes[0].to.request.items[0].name, "x-a");
    assert_string_equal(router->routes[0].to.request.items[0].value, "b");
    assert_int_equal(plain->connect_timeout_ms, 2000);
    assert_int_equal(v2->balance, CHAIN_HASH);
    assert_int_equal(v2->hash, CHAIN_HASH_HEADER);
    assert_string_equal(v2->hash_name, "x-user");
    assert_int_equal(v2->timeout_ms, 7000);
    assert_string_equal(peer->peer, "cluster-02");
    assert_null(peer->datacenter);
    assert_string_equal(target_named(c, "web+ns.team+ap.x")->ns, "team");
    assert_string_equal(target_named(c, "web")->service, "web");
    assert_true(has_note(c, "RetryOn cancelled"));
    assert_true(has_note(c, "IdleTimeout"));
    assert_true(has_note(c, "HashPolicies: only the first"));
    assert_true(has_note(c, "Policy of Failover"));
    assert_true(has_note(c, "mesh gateway"));
    chain_unref(&c);
}

#define TARGETS  "\"Targets\":{\"t\":{\"Service\":\"web\"}}"
#define RESOLVER "\"r\":{\"Type\":\"resolver\",\"Resolver\":{\"Target\":\"t\"}}"
#define CHAIN(start, nodes)                                                                        \
    "{\"Chain\":{\"StartNode\":\"" start "\",\"Nodes\":{" nodes "}," TARGETS "}}"
#define ROUTER(match, destination)                                                                 \
    CHAIN("R",                                                                                     \
          "\"R\":{\"Type\":\"router\",\"Routes\":[{\"Definition\":{\"Match\":{\"HTTP\":{" match    \
          "}},\"Destination\":{" destination "}},\"NextNode\":\"r\"}]}," RESOLVER)
#define SPLITTER(splits)                                                                           \
    CHAIN("S", "\"S\":{\"Type\":\"splitter\",\"Splits\":[" splits "]}," RESOLVER)

static const struct {
    const char *name, *body, *why;
} refused[] = {
    {"no JSON", "{", "the answer is not a JSON object"},
    {"an array", "[]", "the answer is not a JSON object"},
    {"no chain", "{}", "there is no Chain"},
    {"a chain of another type", "{\"Chain\":7}", "Chain is not an object"},
    {"no start", "{\"Chain\":{}}", "leads to a node that is not there"},
    {"a start that is not there", CHAIN("x", RESOLVER), "not there: \"x\""},
    {"an unknown node", CHAIN("r", "\"r\":{\"Type\":\"mirror\"}"),
     "r: a node of the unknown type \"mirror\""},
    {"a node that is no object", CHAIN("r", "\"r\":1"), "r: is not an object"},
    {"a target that is not there",
     CHAIN("r", "\"r\":{\"Type\":\"resolver\",\"Resolver\":{\"Target\":\"u\"}}"),
     "not there: \"u\""},
    {"a failover that is not there",
     CHAIN("r", "\"r\":{\"Type\":\"resolver\",\"Resolver\":{\"Target\":\"t\",\"Failover\":{"
                "\"Targets\":[\"u\"]}}}"),
     "not there: \"u\""},
    {"a circle",
     CHAIN("a", "\"a\":{\"Type\":\"splitter\",\"Splits\":[{\"Weight\":100,\"NextNode\":\"b\"}]},"
                "\"b\":{\"Type\":\"splitter\",\"Splits\":[{\"Weight\":100,\"NextNode\":\"a\"}]}"),
     "leads back to itself"},
    {"itself", SPLITTER("{\"Weight\":100,\"NextNode\":\"S\"}"), "S: leads back to itself"},
    {"a part without a node", SPLITTER("{\"Weight\":100}"), "not there: \"\""},
    {"no weight", SPLITTER("{\"Weight\":0,\"NextNode\":\"r\"}"),
     "no part of the split has a weight"},
    {"no parts", SPLITTER(""), "no part of the split has a weight"},
    {"a weight above 100", SPLITTER("{\"Weight\":101,\"NextNode\":\"r\"}"),
     "not between 0 and 100"},
    {"a weight below 0", SPLITTER("{\"Weight\":-1,\"NextNode\":\"r\"}"), "not between 0 and 100"},
    {"a backreference", ROUTER("\"PathRegex\":\"(a)\\\\1\"", ""),
     "PathRegex \"(a)\\1\" cannot be honoured"},
    {"a broken expression", ROUTER("\"PathRegex\":\"/v2/(\"", ""), "a group without its )"},
    {"one of a field", ROUTER("\"Header\":[{\"Name\":\"a\",\"Regex\":\"*\"}]", ""),
     "Regex \"*\" cannot"},
    {"an unknown condition", ROUTER("\"PathGlob\":\"/x*\"", ""),
     "the condition PathGlob is not known"},
    {"one of a field that is unknown",
     ROUTER("\"Header\":[{\"Name\":\"a\",\"Range\":{\"Start\":1}}]", ""),
     "the condition Range is not known"},
    {"a field without a name", ROUTER("\"Header\":[{\"Exact\":\"a\"}]", ""), "without a Name"},
    {"two at once", ROUTER("\"PathExact\":\"/a\",\"PathPrefix\":\"/b\"", ""), "beside another"},
    {"a path of another type", ROUTER("\"PathExact\":7", ""), "PathExact is not a text"},
    {"methods that are none", ROUTER("\"Methods\":[7]", ""), "no method"},
    {"the scheme", ROUTER("\"Header\":[{\"Name\":\":scheme\",\"Exact\":\"https\"}]", ""),
     ":scheme"},
    {"a rewrite to elsewhere", ROUTER("", "\"PrefixRewrite\":\"http://x/\""), "not a plain path"},
    {"a rewrite with a line break", ROUTER("", "\"PrefixRewrite\":\"/a\\r\\nb\""),
     "not a plain path"},
    {"a rewrite that climbs", ROUTER("", "\"PrefixRewrite\":\"/a/../b\""), "not a plain path"},
    {"a rewrite with a query", ROUTER("", "\"PrefixRewrite\":\"/a?b\""), "not a plain path"},
    {"a duration that is none", ROUTER("", "\"RequestTimeout\":\"5 s\""), "not a duration"},
    {"a status that is none", ROUTER("", "\"RetryOnStatusCodes\":[7]"), "no status"},
    {"a match on more than HTTP",
     CHAIN("R",
           "\"R\":{\"Type\":\"router\",\"Routes\":[{\"Definition\":{\"Match\":{\"TCP\":{\"a\":1}}},"
           "\"NextNode\":\"r\"}]}," RESOLVER),
     "a match on TCP is not known"},
    {"the same node twice", CHAIN("r", RESOLVER "," RESOLVER), "duplicate"},
};

static void refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct err e = {.text = ""};
        struct chain *c = chain_parse(str_of(refused[i].body), "web", &e);

        if (c)
            fail_msg("%s: is taken", refused[i].name);
        if (!strstr(e.text, refused[i].why))
            fail_msg("%s: %s", refused[i].name, e.text);
    }
}

static void durations(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } rows[] = {{"\"1m30s\"", 90000}, {"\"1.5s\"", 1500},      {"\"100ms\"", 100},
                {"\"10us\"", 1},      {"\"0s\"", 0},           {"\"0\"", 0},
                {"\"-5s\"", 0},       {"2000000000", 2000},    {"\"1h\"", 3600000},
                {"null", 0},          {"\"99999h\"", 86400000}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char body[512];
        struct chain *c;

        snprintf(body, sizeof body, ROUTER("", "\"RequestTimeout\":%s"), rows[i].text);
        c = parse(body, "web");
        if (c->nodes[c->start].routes[0].to.timeout_ms != rows[i].ms)
            fail_msg("%s", rows[i].text);
        chain_unref(&c);
    }
}

/* What could break a message, or hide where it came from, is left out. */
static void changes_of_fields(void **state)
{
    static const struct {
        const char *change;
        unsigned n;
    } rows[] = {
        {"\"Set\":{\"X-A\":\"1\"},\"Add\":{\"X-B\":\"2\"},\"Remove\":[\"X-C\"]", 3},
        {"\"Set\":{\"X-A\":\"\"}", 1},
        {"\"Set\":{\"Content-Length\":\"1\"}", 0},
        {"\"Set\":{\"TRANSFER-ENCODING\":\"chunked\"}", 0},
        {"\"Remove\":[\"X-Forwarded-For\",\"host\",\"Via\"]", 0},
        {"\"Set\":{\"X-A\":\"a\\r\\nX-B: b\"}", 0},
        {"\"Set\":{\"X A\":\"1\"}", 0},
        {"\"Set\":{\"X-A:\":\"1\"}", 0},
        {"\"Set\":{\"\":\"1\"}", 0},
        {"\"Set\":{\"X-A\":7}", 0},
        {"\"Add\":{\"X-A\":\"%HOSTNAME%\"}", 0},
        {"\"Remove\":[7,null,\"X-A\"]", 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char body[1024];
        struct chain *c;
        const struct chain_destination *to;

        snprintf(body, sizeof body, ROUTER("", "\"RequestHeaders\":{%s}"), rows[i].change);
        c = parse(body, "web");
        to = &c->nodes[c->start].routes[0].to;
        if (to->request.n != rows[i].n || (c->nnotes > 0) != (rows[i].n == 0 || i == 11))
            fail_msg("%s: %u", rows[i].change, to->request.n);
        assert_int_equal(to->response.n, 0);
        chain_unref(&c);
    }
}

static void what_says_nothing_is_no_condition(void **state)
{
    struct chain *c =
        parse(ROUTER("\"PathExact\":\"\",\"Header\":null,\"New\":\"\",\"Methods\":[]", ""), "web");
    const struct chain_route *r = &c->nodes[c->start].routes[0];

    (void)state;
    assert_int_equal(r->path.op, CHAIN_PRESENT);
    assert_null(r->methods);
    assert_int_equal(r->nheaders, 0);
    assert_false(r->to.says_retries);
    chain_unref(&c);
}

static void too_long_a_way(void **state)
{
    char body[4096];
    struct err e;
    struct chain *c;

    (void)state;
    for (int n = CHAIN_MAX_DEPTH - 1; n <= CHAIN_MAX_DEPTH; n++) {
        int at = snprintf(body, sizeof body, "{\"Chain\":{\"StartNode\":\"s0\",\"Nodes\":{");

        for (int i = 0; i < n; i++)
            at += snprintf(body + at, sizeof body - (size_t)at,
                           "\"s%d\":{\"Type\":\"splitter\",\"Splits\":[{\"Weight\":100,"
                           "\"NextNode\":\"%s%.0d\"}]},",
                           i, i == n - 1 ? "r" : "s", i == n - 1 ? 0 : i + 1);
        snprintf(body + at, sizeof body - (size_t)at, RESOLVER "}," TARGETS "}}");
        c = chain_parse(str_of(body), "web", &e);
        if (n < CHAIN_MAX_DEPTH)
            assert_non_null(c);
        else
            assert_null(c);
        chain_unref(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(consul_1_8),
        cmocka_unit_test(redirects_are_resolvers),
        cmocka_unit_test(newer_consul),
        cmocka_unit_test(refusals),
        cmocka_unit_test(durations),
        cmocka_unit_test(changes_of_fields),
        cmocka_unit_test(what_says_nothing_is_no_condition),
        cmocka_unit_test(too_long_a_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
