/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#define ROUTE "{path: /, service: web}"

static void defaults(void **state)
{
    struct config *c = parse_ok("rate_limits: {a: {rate: 100/s}}\nroutes: [" ROUTE "]\n");
    const struct rate_limit_conf *l = c->rate_limits;

    (void)state;
    assert_int_equal(c->nrate_limits, 1);
    assert_string_equal(l->name, "a");
    assert_int_equal(l->index, 0);
    assert_int_equal(l->by, LIMIT_BY_CLIENT);
    assert_int_equal(l->kind, LIMIT_RATE);
    assert_int_equal(l->amount, 100);
    assert_int_equal(l->burst, 100);
    assert_int_equal(l->period, PERIOD_SECOND);
    assert_int_equal(l->fields, FIELDS_BOTH);
    assert_false(l->all || l->per_route || l->shadow || l->shared);
    assert_null(l->except);
    assert_int_equal(l->ipv4_prefix, 32);
    assert_int_equal(l->ipv6_prefix, 64);
    assert_int_equal(l->max_clients, 131072);
    assert_null(c->routes[0].limits);
    assert_int_equal(limit_plan_of(c, &c->routes[0])->n, 0);
    assert_null(c->limits.redis.address);
    config_unref(&c);
}

static void every_key(void **state)
{
    struct config *c =
        parse_ok("limits:\n"
                 "  max_clients: 1000\n"
                 "  redis: {address: \"[::1]:6380\", username: u, password_file: /p,\n"
                 "    database: 3, timeout: 5ms, prefix: \"x:\"}\n"
                 "rate_limits:\n"
                 "  a:\n"
                 "    by: {header: X-Tenant}\n"
                 "    rate: 10/m\n"
                 "    burst: 3\n"
                 "    apply: all\n"
                 "    per_route: true\n"
                 "    except: [10.0.0.0/8, \"::1\", 10.1.0.0/16]\n"
                 "    shadow: true\n"
                 "    headers: legacy\n"
                 "    shared: true\n"
                 "    ipv4_prefix: 24\n"
                 "    ipv6_prefix: 56\n"
                 "    max_clients: 64\n");
    const struct rate_limit_conf *l = c->rate_limits;

    (void)state;
    assert_int_equal(l->by, LIMIT_BY_HEADER);
    assert_string_equal(l->by_name, "X-Tenant");
    assert_int_equal(l->amount, 10);
    assert_int_equal(l->period, PERIOD_MINUTE);
    assert_int_equal(l->burst, 3);
    assert_true(l->all && l->per_route && l->shadow && l->shared);
    assert_int_equal(l->except->n, 2); /* one lies in another */
    assert_int_equal(l->fields, FIELDS_LEGACY);
    assert_int_equal(l->ipv4_prefix, 24);
    assert_int_equal(l->ipv6_prefix, 56);
    assert_int_equal(l->max_clients, 64);
    assert_string_equal(c->limits.redis.host, "::1");
    assert_int_equal(c->limits.redis.port, 6380);
    assert_string_equal(c->limits.redis.username, "u");
    assert_string_equal(c->limits.redis.password_file, "/p");
    assert_int_equal(c->limits.redis.database, 3);
    assert_int_equal(c->limits.redis.timeout_ms, 5);
    assert_string_equal(c->limits.redis.prefix, "x:");
    config_unref(&c);
}

static void kinds_and_keys(void **state)
{
    static const struct {
        const char *text;
        enum rate_limit_kind kind;
        unsigned amount;
        enum rate_limit_period period;
        enum rate_limit_by by;
    } rows[] = {
        {"rate: 1/s", LIMIT_RATE, 1, PERIOD_SECOND, LIMIT_BY_CLIENT},
        {"rate: 1000000/h, by: global", LIMIT_RATE, 1000000, PERIOD_HOUR, LIMIT_BY_GLOBAL},
        {"rate: 7/d, by: subject", LIMIT_RATE, 7, PERIOD_DAY, LIMIT_BY_SUBJECT},
        {"quota: 5/m, by: api_key", LIMIT_QUOTA, 5, PERIOD_MINUTE, LIMIT_BY_API_KEY},
        {"quota: 5/h, by: {claim: a.b}", LIMIT_QUOTA, 5, PERIOD_HOUR, LIMIT_BY_CLAIM},
        {"quota: 5/d, by: identity", LIMIT_QUOTA, 5, PERIOD_DAY, LIMIT_BY_IDENTITY},
        {"quota: 5/month", LIMIT_QUOTA, 5, PERIOD_MONTH, LIMIT_BY_CLIENT},
        {"concurrency: 9", LIMIT_CONCURRENCY, 9, PERIOD_SECOND, LIMIT_BY_CLIENT},
    };
    char text[200];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct config *c;

        snprintf(text, sizeof text, "rate_limits: {a: {%s}}\n", rows[i].text);
        c = parse_ok(text);
        assert_int_equal(c->rate_limits->kind, rows[i].kind);
        assert_int_equal(c->rate_limits->amount, rows[i].amount);
        assert_int_equal(c->rate_limits->period, rows[i].period);
        assert_int_equal(c->rate_limits->by, rows[i].by);
        config_unref(&c);
    }
}

static void what_clients_are_told(void **state)
{
    static const struct {
        const char *text;
        unsigned told, in_s;
    } rows[] = {
        {"rate: 100/s", 100, 1},
        {"rate: 100/s, burst: 20", 100, 1},
        {"rate: 100/s, burst: 150", 150, 2},
        {"rate: 1/m, burst: 5", 5, 300},
        {"quota: 9/h", 9, 3600},
        {"quota: 9/month", 9, 2592000},
    };
    char text[200];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct config *c;

        snprintf(text, sizeof text, "rate_limits: {a: {%s}}\n", rows[i].text);
        c = parse_ok(text);
        assert_int_equal(c->rate_limits->told, rows[i].told);
        assert_int_equal(c->rate_limits->told_in_s, rows[i].in_s);
        config_unref(&c);
    }
}

/* The names of a plan, "|" before those that need to know who is asking. */
static const char *shown(const struct limit_plan *p, char *buf)
{
    buf[0] = '\0';
    for (unsigned i = 0; i < p->n; i++) {
        strcat(buf, i == p->nbefore ? "|" : i ? " " : "");
        strcat(buf, p->limits[i]->name);
    }
    return buf;
}

static void plans_of_routes(void **state)
{
    struct config *c = parse_ok("routes:\n"
                                "  - {path: /1, service: web}\n"
                                "  - {path: /2, service: web, rate_limits: [key, addr, all]}\n"
                                "  - {path: /3, service: web, rate_limits: [sub, key, sub]}\n"
                                "  - {path: /4, service: web, rate_limits: []}\n"
                                "  - {path: /5, service: web, concurrency_per_client: 4,\n"
                                "     rate_limits: [addr]}\n"
                                "  - {path: /6, service: web, concurrency_per_client: 4}\n"
                                "  - {path: /7, service: web, concurrency_per_client: 5}\n"
                                "rate_limits:\n"
                                "  key: {by: api_key, rate: 1/s}\n"
                                "  sub: {by: subject, rate: 1/s}\n"
                                "  addr: {rate: 1/s}\n"
                                "  all: {rate: 1/s, apply: all}\n");
    static const char *const plans[] = {"all",
                                        "all addr|key",
                                        "all|sub key",
                                        "all",
                                        "all addr|concurrency_per_client=4",
                                        "all|concurrency_per_client=4",
                                        "all|concurrency_per_client=5"};
    char buf[200];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(plans); i++)
        assert_string_equal(shown(limit_plan_of(c, &c->routes[i]), buf), plans[i]);
    assert_int_equal(c->nrate_limits, 6);
    assert_int_equal(c->rate_limits[4].amount, 4);
    assert_int_equal(c->rate_limits[4].by, LIMIT_BY_IDENTITY);
    assert_true(c->rate_limits[4].per_route);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(c->rate_limits[i].index, i);
    config_unref(&c);
}

static void a_socket_of_redis(void **state)
{
    struct config *c = parse_ok("limits: {redis: {address: \"unix:/run/redis.sock\"}}\n");

    (void)state;
    assert_null(c->limits.redis.host);
    assert_string_equal(c->limits.redis.path, "/run/redis.sock");
    assert_int_equal(c->limits.redis.timeout_ms, 20);
    assert_string_equal(c->limits.redis.prefix, "frontdesk:");
    config_unref(&c);
}

#define LIMIT(text) "rate_limits: {a: {" text "}}\n"

static void refused(void **state)
{
    static const struct refusal rows[] = {
        {"rate_limits: [a]\n", "expected limits by name"},
        {"rate_limits: {a: 100/s}\n", "expected a map such as"},
        {"rate_limits: {\"a b\": {rate: 1/s}}\n", "is not a name"},
        {"rate_limits: {\"a\\\"\": {rate: 1/s}}\n", "is not a name"},
        {LIMIT(""), "exactly one of rate, quota and concurrency"},
        {LIMIT("rate: 1/s, quota: 1/d"), "exactly one of rate, quota and concurrency"},
        {LIMIT("rate: 100"), "rate: expected 1 to 1000000 requests per s, m, h or d"},
        {LIMIT("rate: 0/s"), "expected 1 to 1000000 requests per"},
        {LIMIT("rate: -1/s"), "expected 1 to 1000000 requests per"},
        {LIMIT("rate: 1000001/s"), "expected 1 to 1000000 requests per"},
        {LIMIT("rate: 99999999999999999999/s"), "expected 1 to 1000000 requests per"},
        {LIMIT("rate: 1/w"), "expected 1 to 1000000 requests per"},
        {LIMIT("rate: 1/month"), "expected 1 to 1000000 requests per"},
        {LIMIT("rate: /s"), "expected 1 to 1000000 requests per"},
        {LIMIT("rate: [1/s]"), "expected 1 to 1000000 requests per"},
        {LIMIT("quota: 1/s"), "requests per m, h, d or month"},
        {LIMIT("concurrency: 0"), "expected 1 to 1000000"},
        {LIMIT("concurrency: 1/s"), "expected 1 to 1000000"},
        {LIMIT("quota: 1/d, burst: 2"), "burst belongs to rate"},
        {LIMIT("rate: 1/d, burst: 1000"), "no limit"},
        {LIMIT("rate: 1/s, burst: 0"), "burst"},
        {LIMIT("rate: 1/s, by: ip"), "expected client, global"},
        {LIMIT("rate: 1/s, by: claim"), "expected client, global"},
        {LIMIT("rate: 1/s, by: {client: x}"), "expected claim: NAME or header: NAME"},
        {LIMIT("rate: 1/s, by: {header: \"a:b\"}"), "the name of a header"},
        {LIMIT("rate: 1/s, by: {header: A, claim: b}"), "expected client, global"},
        {LIMIT("rate: 1/s, apply: some"), "`routes`, `all`"},
        {LIMIT("rate: 1/s, except: [10.0.0.0/33]"), "10.0.0.0/33"},
        {LIMIT("rate: 1/s, except: 10.0.0.0/8"), "a list of addresses"},
        {LIMIT("rate: 1/s, headers: x"), "one of `both`, `draft`, `legacy`, `none`"},
        {LIMIT("rate: 1/s, ipv6_prefix: 129"), "16 to 128"},
        {LIMIT("rate: 1/s, max_clients: 1"), "max_clients"},
        {LIMIT("rate: 1/s, shared: true"), "shared needs limits.redis"},
        {LIMIT("rate: 1/s, brust: 1"), "did you mean burst?"},
        {"limits: {redis: {address: \"127.0.0.1:1\"}}\n" LIMIT("concurrency: 1, shared: true"),
         "for itself"},
        {"limits: {redis: {timeout: 5ms}}\n", "redis needs an address"},
        {"limits: {redis: {address: \"redis:6379\"}}\n", "an IP address and port"},
        {"limits: {redis: {address: \"127.0.0.1\"}}\n", "an IP address and port"},
        {"limits: {redis: {address: \"unix:/\"}}\n", "an IP address and port"},
        {"limits: {redis: {address: \"127.0.0.1:1\", username: u}}\n", "needs a password_file"},
        {"limits: {redis: {address: \"127.0.0.1:1\", prefix: \"a b\"}}\n", "printable"},
        {"routes: [{path: /, service: w, rate_limits: [a]}]\n", "rate_limits has no \"a\""},
        {"routes: [{path: /, service: w, rate_limits: a}]\n", "a list of names"},
        {"routes: [{path: /, service: w, concurrency_per_client: 0}]\n", "expected 1 to 1000000"},
        {"routes: [{path: /, service: w, rate_limits: [a, b, c, d, e, f, g, h, i]}]\n"
         "rate_limits: {a: {rate: 1/s}, b: {rate: 1/s}, c: {rate: 1/s}, d: {rate: 1/s}, e: {rate: "
         "1/s}, f: {rate: 1/s}, g: {rate: 1/s}, h: {rate: 1/s}, i: {rate: 1/s}}\n",
         "at most 8 limits"},
    };

    (void)state;
    parse_refused(rows, ARRAY_LEN(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),        cmocka_unit_test(every_key),
        cmocka_unit_test(kinds_and_keys),  cmocka_unit_test(what_clients_are_told),
        cmocka_unit_test(plans_of_routes), cmocka_unit_test(a_socket_of_redis),
        cmocka_unit_test(refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
