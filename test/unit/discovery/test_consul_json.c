/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "discovery/consul_json.h"

#include <string.h>

static struct arena *a;
static struct err e;

static int begin(void **state)
{
    (void)state;
    a = arena_new();
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_free(a);
    return 0;
}

static struct consul_health health(const char *body)
{
    struct consul_health h;

    if (consul_json_health(str_of(body), "zone", a, &h, &e) != 0)
        fail_msg("%s: %s", body, e.text);
    return h;
}

#define NODE                                                                                       \
    "\"Node\":{\"Node\":\"n1\",\"Address\":\"10.0.0.1\",\"Datacenter\":\"dc2\","                   \
    "\"Meta\":{\"zone\":\"b\"}}"
#define CHECK(id, name, status)                                                                    \
    "{\"CheckID\":\"" id "\",\"Name\":\"" name "\",\"Status\":\"" status "\"}"

static void whole_instance(void **state)
{
    struct consul_health h = health(
        "[{" NODE ",\"Service\":{\"Kind\":\"\",\"ID\":\"w1\",\"Service\":\"web\",\"Tags\":[\"a\","
        "\"frontdesk.path=/\"],\"Address\":\"\",\"Meta\":{\"version\":\"2\"},\"Port\":8080,"
        "\"Weights\":{\"Passing\":10,\"Warning\":3},\"CreateIndex\":12,\"New\":{}},"
        "\"Checks\":[" CHECK("serfHealth", "Serf", "passing") "]}]");
    const struct instance *i = &h.items[0];

    (void)state;
    assert_int_equal(h.n, 1);
    assert_int_equal(h.skipped, 0);
    assert_string_equal(i->node, "n1");
    assert_string_equal(i->id, "w1");
    assert_string_equal(i->address, "10.0.0.1");
    assert_string_equal(i->datacenter, "dc2");
    assert_int_equal(i->port, 8080);
    assert_int_equal(i->health, HEALTH_PASSING);
    assert_string_equal(i->check, "");
    assert_int_equal(i->weight, 10);
    assert_string_equal(i->zone, "b");
    assert_int_equal(i->ntags, 2);
    assert_string_equal(i->tags[1], "frontdesk.path=/");
    assert_int_equal(i->nmeta, 1);
    assert_string_equal(i->meta[0].key, "version");
    assert_string_equal(i->meta[0].value, "2");
    assert_int_equal(i->create_index, 12);
    assert_int_equal(i->sockaddr_len, 0);
}

static void worst_check_decides(void **state)
{
    static const struct {
        const char *name, *checks, *weights;
        enum health health;
        const char *check;
        unsigned weight;
    } rows[] = {
        {"no checks", "[]", "{\"Passing\":4,\"Warning\":2}", HEALTH_PASSING, "", 4},
        {"checks are null", "null", "{\"Passing\":4,\"Warning\":2}", HEALTH_PASSING, "", 4},
        {"warning", "[" CHECK("a", "A", "passing") "," CHECK("b", "B", "warning") "]",
         "{\"Passing\":4,\"Warning\":2}", HEALTH_WARNING, "B", 2},
        {"warning that drains", "[" CHECK("b", "B", "warning") "]", "{\"Passing\":4,\"Warning\":0}",
         HEALTH_WARNING, "B", 0},
        {"critical node check",
         "[" CHECK("b", "B", "warning") "," CHECK("serfHealth", "Serf Health Status",
                                                  "critical") "]",
         "{\"Passing\":4,\"Warning\":2}", HEALTH_CRITICAL, "Serf Health Status", 4},
        {"node maintenance beats critical",
         "[" CHECK("c", "C", "critical") "," CHECK("_node_maintenance", "Node Maintenance",
                                                   "critical") "]",
         "{}", HEALTH_MAINTENANCE, "Node Maintenance", 0},
        {"service maintenance", "[" CHECK("_service_maintenance:w1", "M", "critical") "]", "{}",
         HEALTH_MAINTENANCE, "M", 0},
        {"check without a name", "[" CHECK("c9", "", "critical") "]", "{}", HEALTH_CRITICAL, "c9",
         1},
        {"unknown status", "[" CHECK("c", "C", "odd") "]", "{}", HEALTH_CRITICAL, "C", 1},
        {"status of a wrong type", "[{\"CheckID\":\"c\",\"Status\":1}]", "{}", HEALTH_CRITICAL, "c",
         1},
        {"a check that is no object", "[null,3]", "{}", HEALTH_PASSING, "", 1},
        {"no weights", "[]", "null", HEALTH_PASSING, "", 1},
        {"no weights, warning", "[" CHECK("b", "B", "warning") "]", "null", HEALTH_WARNING, "B", 1},
        {"weights all zero", "[" CHECK("b", "B", "warning") "]", "{\"Passing\":0,\"Warning\":0}",
         HEALTH_WARNING, "B", 1},
        {"weight too large", "[]", "{\"Passing\":99999999}", HEALTH_PASSING, "", 65535},
        {"weight of a wrong type", "[]", "{\"Passing\":\"7\"}", HEALTH_PASSING, "", 1},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct consul_health h =
            health(arena_printf(a,
                                "[{" NODE ",\"Service\":{\"ID\":\"w\",\"Port\":1,\"Weights\":%s},"
                                "\"Checks\":%s}]",
                                rows[i].weights, rows[i].checks));

        if (h.n != 1 || h.items[0].health != rows[i].health ||
            h.items[0].weight != rows[i].weight || strcmp(h.items[0].check, rows[i].check) != 0)
            fail_msg("%s: n=%u %s weight=%u check=%s", rows[i].name, h.n,
                     h.n ? health_name(h.items[0].health) : "", h.n ? h.items[0].weight : 0,
                     h.n ? h.items[0].check : "");
    }
}

static void unusable_instances_are_skipped(void **state)
{
    static const struct {
        const char *name, *service;
        unsigned n, skipped;
        const char *address;
    } rows[] = {
        {"node address", "{\"ID\":\"w\",\"Port\":80}", 1, 0, "10.0.0.1"},
        {"IPv6", "{\"ID\":\"w\",\"Port\":80,\"Address\":\"fd00::2\"}", 1, 0, "fd00::2"},
        {"host name", "{\"ID\":\"w\",\"Port\":80,\"Address\":\"example.internal\"}", 1, 0,
         "example.internal"},
        {"highest port", "{\"ID\":\"w\",\"Port\":65535}", 1, 0, "10.0.0.1"},
        {"port 0", "{\"ID\":\"w\",\"Port\":0}", 0, 1, ""},
        {"port -1", "{\"ID\":\"w\",\"Port\":-1}", 0, 1, ""},
        {"port 70000", "{\"ID\":\"w\",\"Port\":70000}", 0, 1, ""},
        {"port missing", "{\"ID\":\"w\"}", 0, 1, ""},
        {"port is text", "{\"ID\":\"w\",\"Port\":\"80\"}", 0, 1, ""},
        {"bad address", "{\"ID\":\"w\",\"Port\":80,\"Address\":\"not a host!\"}", 0, 1, ""},
        {"unspecified", "{\"ID\":\"w\",\"Port\":80,\"Address\":\"0.0.0.0\"}", 0, 1, ""},
        {"bad IPv4", "{\"ID\":\"w\",\"Port\":80,\"Address\":\"10.0.0.256\"}", 0, 1, ""},
        {"proxy", "{\"Kind\":\"connect-proxy\",\"ID\":\"w\",\"Port\":80}", 0, 0, ""},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct consul_health h =
            health(arena_printf(a, "[{" NODE ",\"Service\":%s,\"Checks\":[]}]", rows[i].service));

        if (h.n != rows[i].n || h.skipped != rows[i].skipped ||
            (h.n && strcmp(h.items[0].address, rows[i].address) != 0) ||
            (h.skipped && !strstr(h.skipped_why, "node=n1")))
            fail_msg("%s: n=%u skipped=%u %s", rows[i].name, h.n, h.skipped, h.skipped_why);
    }
}

static void one_bad_instance_does_not_hide_the_others(void **state)
{
    struct consul_health h = health(
        "[{" NODE ",\"Service\":{\"ID\":\"z\",\"Port\":0}},7,null,{},"
        "{" NODE ",\"Service\":{\"ID\":\"b\",\"Port\":2}},{" NODE
        ",\"Service\":{\"ID\":\"a\",\"Port\":9}},{\"Node\":{\"Node\":\"m\",\"Address\":\"::1\"},"
        "\"Service\":{\"ID\":\"b\",\"Port\":2,\"Tags\":[1,\"t\",null],\"Meta\":null}}]");

    (void)state;
    assert_int_equal(h.n, 3);
    assert_int_equal(h.skipped, 4);
    assert_string_equal(h.items[0].node, "m");
    assert_int_equal(h.items[0].ntags, 1);
    assert_string_equal(h.items[1].id, "a");
    assert_string_equal(h.items[2].id, "b");
}

static void not_an_answer(void **state)
{
    static const char *const bodies[] = {"",
                                         "null",
                                         "3",
                                         "\"x\"",
                                         "{}",
                                         "[",
                                         "[{]",
                                         "rpc error",
                                         "[1] [2]",
                                         "[null]",
                                         "[[]]",
                                         "[{},1]",
                                         "[{" NODE ",\"Service\":null}]",
                                         "[{\"Node\":1,\"Service\":{\"ID\":\"a\",\"Port\":1}}]"};
    struct consul_health h;

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(bodies); i++)
        if (consul_json_health(str_of(bodies[i]), NULL, a, &h, &e) != -1 || !*e.text)
            fail_msg("taken for an answer: %s", bodies[i]);
}

static void deep_nesting_is_refused(void **state)
{
    char *body = arena_alloc(a, 100001);
    struct consul_health h;

    (void)state;
    memset(body, '[', 100000);
    assert_int_equal(consul_json_health(str_of(body), NULL, a, &h, &e), -1);
}

static void list_of_services(void **state)
{
    struct consul_services s;

    (void)state;
    assert_int_equal(consul_json_services(STR("{\"web\":[\"a\"],\"consul\":[],\"Web\":[\"b\"],"
                                              "\"Weird Svc/x\":null,\"\":[],\"t\":[1,\"c\",{}]}"),
                                          a, &s, &e),
                     0);
    assert_int_equal(s.n, 4);
    assert_string_equal(s.items[0].name, "consul");
    assert_string_equal(s.items[1].name, "t");
    assert_int_equal(s.items[1].ntags, 1);
    assert_string_equal(s.items[2].name, "web");
    assert_int_equal(s.items[2].ntags, 2);
    assert_string_equal(s.items[3].name, "weird svc/x");
    assert_int_equal(consul_json_services(STR("{}"), a, &s, &e), 0);
    assert_int_equal(s.n, 0);
    assert_int_equal(consul_json_services(STR("[]"), a, &s, &e), -1);
    assert_int_equal(consul_json_services(STR("{\"web\":[],\"t\":1}"), a, &s, &e), -1);
    assert_int_equal(consul_json_services(STR("{\"web\":{}}"), a, &s, &e), -1);
}

static void answer_of_a_prepared_query(void **state)
{
    static const struct {
        const char *body;
        int result;
        unsigned n;
    } rows[] = {
        {"{\"Service\":\"web\",\"Nodes\":[{" NODE ",\"Service\":{\"ID\":\"w1\",\"Port\":80}}]}", 0,
         1},
        {"{\"Nodes\":[]}", 0, 0},
        {"{\"Nodes\":null,\"Failovers\":1}", 0, 0},
        {"{\"Nodes\":[1,2]}", -1, 0},
        {"{\"Nodes\":{}}", -1, 0},
        {"{\"Nodes\":3}", -1, 0},
        {"{}", -1, 0},
        {"[]", -1, 0},
        {"x", -1, 0},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct consul_health h = {.n = 99};

        e.text[0] = '\0';
        if (consul_json_prepared(str_of(rows[i].body), NULL, a, &h, &e) != rows[i].result)
            fail_msg("%s: %s", rows[i].body, e.text);
        assert_int_equal(*e.text != '\0', rows[i].result != 0);
        if (rows[i].result == 0)
            assert_int_equal(h.n, rows[i].n);
    }
}

static void list_of_checks(void **state)
{
    struct consul_checks k;

    (void)state;
    assert_int_equal(
        consul_json_checks(STR("[{\"Node\":\"n2\",\"CheckID\":\"c\",\"ServiceName\":\"Web\"},4,"
                               "{\"Node\":\"n1\",\"CheckID\":\"serfHealth\"}]"),
                           a, &k, &e),
        0);
    assert_int_equal(k.n, 2);
    assert_string_equal(k.items[0].node, "n1");
    assert_string_equal(k.items[0].service, "");
    assert_string_equal(k.items[1].service, "web");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whole_instance, begin, end),
        cmocka_unit_test_setup_teardown(worst_check_decides, begin, end),
        cmocka_unit_test_setup_teardown(unusable_instances_are_skipped, begin, end),
        cmocka_unit_test_setup_teardown(one_bad_instance_does_not_hide_the_others, begin, end),
        cmocka_unit_test_setup_teardown(not_an_answer, begin, end),
        cmocka_unit_test_setup_teardown(deep_nesting_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(list_of_services, begin, end),
        cmocka_unit_test_setup_teardown(answer_of_a_prepared_query, begin, end),
        cmocka_unit_test_setup_teardown(list_of_checks, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
