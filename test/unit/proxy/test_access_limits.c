/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/identity.h"
#include "proxy/access.h"
#include "proxy/access_limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* A worker without a loop, and requests that have just been routed. */
static struct worker worker = {.now_ns = 1000 * NS_PER_S};
static struct conn conn = {.w = &worker};
static struct limits *limits;
static struct snapshot snapshot;
static struct held_snapshot held = {.snapshot = &snapshot};
static struct route route;

enum { MAX_REQUESTS = 8 };
static struct exchange requests[MAX_REQUESTS];
static unsigned nrequests;

static void use(const char *text)
{
    static const struct limit_clock clock = {.now_ns = 1000 * NS_PER_S, .wall_s = 1000000};
    struct err e = {""};

    limits = limits_new();
    snapshot.config = config_parse("t.yaml", text, strlen(text), &e);
    if (!snapshot.config)
        fail_msg("%s", e.text);
    snapshot.limits = limits_apply(limits, snapshot.config, &clock);
    route.conf = &snapshot.config->routes[0];
    nrequests = 0;
}

static void end(struct exchange *x)
{
    if (x->access)
        access_end(x);
    access_free(x);
}

static void drop(void)
{
    while (nrequests > 0)
        end(&requests[--nrequests]);
    limit_set_unref(&snapshot.limits);
    config_unref(&snapshot.config);
    limits_free(&limits);
}

/* One more request, with the API key whose claims these are (NULL = nobody), through both checks.
 */
static struct exchange *ask(const char *claims, enum verdict *ret)
{
    struct exchange *x = &requests[nrequests++];

    assert_true(nrequests <= MAX_REQUESTS);
    memset(x, 0, sizeof *x);
    x->w = &worker;
    x->conn = &conn;
    x->held = &held;
    x->match.route = &route;
    *ret = access_limits_before(x);
    if (*ret == V_NEXT && claims) {
        assert_non_null(access_of(x));
        x->access->identity =
            identity_new(IDENTITY_API_KEY, "keys", json_loads(claims, 0, NULL), 0);
    }
    if (*ret == V_NEXT)
        *ret = access_limits_after(x);
    return x;
}

static char passes(const char *claims)
{
    enum verdict v;
    const struct exchange *x = ask(claims, &v);

    if (v == V_NEXT)
        return 'y';
    assert_int_equal(v, V_FINISH);
    return x->fail == REASON_RATE_LIMITED ? '.' : x->fail == REASON_FORBIDDEN ? 'x' : '?';
}

#define ROUTE(limits) "routes: [{path: /, service: web, rate_limits: " limits "}]\n"
#define ALL                                                                                        \
    "rate_limits:\n"                                                                               \
    "  one: {rate: 1/h}\n  two: {rate: 2/h}\n  three: {quota: 3/d}\n"                              \
    "  key: {by: api_key, rate: 2/h}\n  sub: {by: subject, rate: 1/h}\n"                           \
    "  shade: {rate: 1/h, shadow: true}\n  busy: {concurrency: 2}\n"                               \
    "  id: {by: identity, rate: 1/h}\n"

/* Several requests, none of which ends. */
static void who_passes(void **state)
{
    static const struct {
        const char *name, *text;
        const char *claims[5];
        const char *passes;
    } rows[] = {
        {"no limit", ALL ROUTE("[]"), {NULL}, "yyyyy"},
        {"one", ALL ROUTE("[one]"), {NULL}, "y...."},
        {"the least of several", ALL ROUTE("[three, two]"), {NULL}, "yy..."},
        {"a shadow", ALL ROUTE("[shade, three]"), {NULL}, "yyy.."},
        {"at once", ALL ROUTE("[busy]"), {NULL}, "yy..."},
        {"nobody has a key", ALL ROUTE("[key]"), {NULL}, "yyyyy"},
        {"a key", ALL ROUTE("[key]"), {"{}", "{}", "{}", "{}", "{}"}, "yy..."},
        {"two keys",
         ALL ROUTE("[key]"),
         {"{\"key_id\":\"1\"}", "{\"key_id\":\"2\"}", "{\"key_id\":\"1\"}", "{\"key_id\":\"1\"}",
          "{\"key_id\":\"2\"}"},
         "yyy.y"},
        {"who is somebody, and who is not",
         ALL ROUTE("[id]"),
         {"{}", NULL, NULL, "{}", NULL},
         "yy..."},
        {"limits of a key",
         ALL ROUTE("[]"),
         {"{\"rate_limits\":\"two\"}", "{\"rate_limits\":[\"two\",\"three\"]}", "{}",
          "{\"rate_limits\":[\"three\"]}", "{\"rate_limits\":[\"two\"]}"},
         "yyyy."},
        {"one that the route has too counts once",
         ALL ROUTE("[two, key]"),
         {"{\"rate_limits\":[\"two\",\"key\",\"two\"]}",
          "{\"rate_limits\":[\"two\",\"key\",\"two\"]}", "{}", NULL, NULL},
         "yy..."},
        {"one that there is not",
         ALL ROUTE("[]"),
         {"{\"rate_limits\":\"gold\"}", "{\"rate_limits\":[\"two\",7]}", "{\"rate_limits\":7}",
          "{\"rate_limits\":[]}", "{\"rate_limits\":[\"one\",\"one\",\"one\",\"one\",\"one\"]}"},
         "xxxyx"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        use(rows[i].text);
        for (int k = 0; k < 5; k++)
            if (passes(rows[i].claims[k]) != rows[i].passes[k])
                fail_msg("%s: request %d", rows[i].name, k);
        drop();
    }
}

static uint64_t left(unsigned i)
{
    const struct limit_entry *e = &snapshot.limits->at[i];
    const struct limit_clock clock = {.now_ns = worker.now_ns, .wall_s = 1000000};
    struct limit_table_usage u;

    limit_table_usage(e->limiter->table, &e->rule, &clock, &u);
    return u.live;
}

static void a_refusal_takes_nothing(void **state)
{
    enum verdict v;
    struct exchange *x;

    (void)state;
    use("rate_limits: {wide: {rate: 5/h}, busy: {concurrency: 5}, none: {by: {header: x}, rate: "
        "1/h}}\n" ROUTE("[wide, busy, none]"));
    x = ask(NULL, &v);
    assert_int_equal(v, V_NEXT);
    end(x);
    assert_int_equal(left(1), 0); /* what was under way has ended */
    x = ask(NULL, &v);
    assert_int_equal(v, V_FINISH);
    assert_int_equal(x->fail, REASON_RATE_LIMITED);
    assert_ptr_equal(x->access->limits.refusal, &x->access->limits.uses[2]);
    assert_string_equal(x->detail, "limit none: again in 3600 s");
    assert_int_equal(left(1), 0);
    assert_int_equal(snapshot.limits->at[2].limiter->refused, 1);
    for (int i = 0; i < 4; i++) { /* one of five is used up */
        uint64_t value;
        const struct limit_entry *e = &snapshot.limits->at[0];
        const struct limit_clock clock = {.now_ns = worker.now_ns};

        assert_true(limit_table_take(e->limiter->table, x->access->limits.uses[0].key, &e->rule,
                                     &clock, &value));
    }
    assert_int_equal(passes(NULL), '.');
    drop();
}

static void places_are_given_back_once(void **state)
{
    enum verdict v;
    struct exchange *x;

    (void)state;
    use("rate_limits: {busy: {concurrency: 2}}\n" ROUTE("[busy]"));
    x = ask(NULL, &v);
    assert_int_equal(passes(NULL), 'y');
    assert_int_equal(passes(NULL), '.');
    access_end(x);
    access_end(x); /* no second place */
    assert_int_equal(passes(NULL), 'y');
    assert_int_equal(passes(NULL), '.');
    drop();
}

/* Without a connection to Redis this gateway decides, and says so. */
static void shared_limits_without_redis(void **state)
{
    (void)state;
    use("limits: {redis: {address: \"127.0.0.1:1\"}}\n"
        "rate_limits: {a: {rate: 2/h, shared: true}, b: {rate: 9/h}}\n" ROUTE("[a, b]"));
    assert_int_equal(passes(NULL), 'y');
    assert_int_equal(passes(NULL), 'y');
    assert_int_equal(passes(NULL), '.');
    assert_int_equal(snapshot.limits->redis->local,
                     2); /* who is at his limit is not even asked for */
    drop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_passes),
        cmocka_unit_test(a_refusal_takes_nothing),
        cmocka_unit_test(places_are_given_back_once),
        cmocka_unit_test(shared_limits_without_redis),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
