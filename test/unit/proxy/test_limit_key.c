/* SPDX-License-Identifier: Apache-2.0 */
#include "config/cidr.h"
#include "policy/identity.h"
#include "proxy/limit_key.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* One request of somebody. */
struct asker {
    const char *address, *tenant, *tenant_again, *route;
    enum identity_kind kind;
    const char *source, *claims; /* NULL = nobody was authenticated */
};

static struct exchange x;
static struct route_conf route_conf;
static struct route route = {.conf = &route_conf};

static void add_header(const char *value)
{
    if (value)
        x.req.headers[x.req.nheaders++] =
            (struct header){.name = STR("x-tenant"), .value = str_of(value)};
}

static bool key_of(const struct asker *a, const struct rate_limit_conf *conf, struct limit_key *k)
{
    struct rate_limit_conf c = *conf;
    const char *address = a->address ? a->address : "192.0.2.1";
    struct identity *who = NULL;
    char mapped[64];
    bool is_for;

    snprintf(mapped, sizeof mapped, "%s%s", strchr(address, ':') ? "" : "::ffff:", address);
    assert_int_equal(inet_pton(AF_INET6, mapped, &x.client), 1);
    x.req.nheaders = 0;
    add_header(a->tenant);
    add_header(a->tenant_again);
    route_conf.name = a->route ? a->route : "r";
    x.match.route = &route;
    if (a->claims)
        who = identity_new(a->kind, a->source ? a->source : "s", json_loads(a->claims, 0, NULL), 0);
    c.ipv4_prefix = c.ipv4_prefix ? c.ipv4_prefix : 32;
    c.ipv6_prefix = c.ipv6_prefix ? c.ipv6_prefix : 64;
    is_for = limit_key_of(&x, who, &c, k);
    identity_unref(&who);
    return is_for;
}

#define BY(what, ...)                                                                              \
    {                                                                                              \
        .by = LIMIT_BY_##what, __VA_ARGS__                                                         \
    }
#define NAMED(what, name) BY(what, .by_name = name)
#define WHO(json)         .kind = IDENTITY_JWT, .claims = json
#define API(json)         .kind = IDENTITY_API_KEY, .claims = json

static void who_is_the_same(void **state)
{
    enum { SAME = 1, OTHER = 0 };
    static const struct {
        const char *name;
        struct rate_limit_conf c;
        struct asker a, b;
        bool same;
    } rows[] = {
        {"an address", BY(CLIENT), {.address = "192.0.2.1"}, {.address = "192.0.2.1"}, SAME},
        {"two addresses", BY(CLIENT), {.address = "192.0.2.1"}, {.address = "192.0.2.2"}, OTHER},
        {"an IPv4 network",
         BY(CLIENT, .ipv4_prefix = 24),
         {.address = "192.0.2.1"},
         {.address = "192.0.2.254"},
         SAME},
        {"odd bits, inside",
         BY(CLIENT, .ipv4_prefix = 30),
         {.address = "192.0.2.4"},
         {.address = "192.0.2.7"},
         SAME},
        {"odd bits, outside",
         BY(CLIENT, .ipv4_prefix = 30),
         {.address = "192.0.2.4"},
         {.address = "192.0.2.8"},
         OTHER},
        {"a /64", BY(CLIENT), {.address = "2001:db8::1"}, {.address = "2001:db8::ffff:1"}, SAME},
        {"two /64", BY(CLIENT), {.address = "2001:db8::1"}, {.address = "2001:db8:0:1::1"}, OTHER},
        {"whole IPv6",
         BY(CLIENT, .ipv6_prefix = 128),
         {.address = "2001:db8::1"},
         {.address = "2001:db8::2"},
         OTHER},
        {"all", BY(GLOBAL), {.address = "192.0.2.1"}, {.address = "2001:db8::1"}, SAME},
        {"a header", NAMED(HEADER, "X-Tenant"), {.tenant = "a"}, {.tenant = "a"}, SAME},
        {"another value", NAMED(HEADER, "X-Tenant"), {.tenant = "a"}, {.tenant = "b"}, OTHER},
        {"no value, anybody",
         NAMED(HEADER, "X-Tenant"),
         {.address = "192.0.2.1"},
         {.address = "192.0.2.2"},
         SAME},
        {"twice",
         NAMED(HEADER, "X-Tenant"),
         {.tenant = "a", .tenant_again = "b"},
         {.tenant = "a"},
         OTHER},
        {"glued",
         NAMED(HEADER, "X-Tenant"),
         {.tenant = "a", .tenant_again = "b"},
         {.tenant = "ab"},
         OTHER},
        {"a key",
         BY(API_KEY),
         {.address = "192.0.2.1", API("{\"sub\":\"o\",\"key_id\":\"1\"}")},
         {.address = "192.0.2.2", API("{\"sub\":\"o\",\"key_id\":\"1\"}")},
         SAME},
        {"two keys of one owner",
         BY(API_KEY),
         {API("{\"sub\":\"o\",\"key_id\":\"1\"}")},
         {API("{\"sub\":\"o\",\"key_id\":\"2\"}")},
         OTHER},
        {"two key stores",
         BY(API_KEY),
         {.source = "a", API("{\"key_id\":\"1\"}")},
         {.source = "b", API("{\"key_id\":\"1\"}")},
         OTHER},
        {"a subject",
         BY(SUBJECT),
         {WHO("{\"sub\":\"u\"}")},
         {WHO("{\"sub\":\"u\",\"a\":1}")},
         SAME},
        {"of two issuers",
         BY(SUBJECT),
         {.source = "a", WHO("{\"sub\":\"u\"}")},
         {.source = "b", WHO("{\"sub\":\"u\"}")},
         OTHER},
        {"glued names",
         BY(SUBJECT),
         {.source = "ab", WHO("{\"sub\":\"c\"}")},
         {.source = "a", WHO("{\"sub\":\"bc\"}")},
         OTHER},
        {"a claim", NAMED(CLAIM, "t.x"), {WHO("{\"t\":{\"x\":7}}")}, {WHO("{\"t.x\":7}")}, SAME},
        {"two", NAMED(CLAIM, "t"), {WHO("{\"t\":\"a\"}")}, {WHO("{\"t\":\"b\"}")}, OTHER},
        {"none and one", NAMED(CLAIM, "t"), {WHO("{}")}, {WHO("{\"t\":\"b\"}")}, OTHER},
        {"none and a list", NAMED(CLAIM, "t"), {WHO("{}")}, {WHO("{\"t\":[\"b\"]}")}, SAME},
        {"identity by subject",
         BY(IDENTITY),
         {.address = "192.0.2.1", WHO("{\"sub\":\"u\"}")},
         {.address = "192.0.2.2", WHO("{\"sub\":\"u\"}")},
         SAME},
        {"identity by address",
         BY(IDENTITY),
         {.address = "1.1.1.1"},
         {.address = "1.1.1.2"},
         OTHER},
        {"who has logged in is another one than his address",
         BY(IDENTITY),
         {.address = "192.0.2.1"},
         {.address = "192.0.2.1", WHO("{\"sub\":\"u\"}")},
         OTHER},
        {"routes together", BY(CLIENT), {.route = "a"}, {.route = "b"}, SAME},
        {"each route", BY(CLIENT, .per_route = true), {.route = "a"}, {.route = "b"}, OTHER},
        {"no header that ends as a route",
         BY(HEADER, .by_name = "X-Tenant", .per_route = true),
         {.tenant = "a", .route = "b"},
         {.tenant = "a,b", .route = ""},
         OTHER},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct limit_key a, b;
        bool same;

        assert_true(key_of(&rows[i].a, &rows[i].c, &a));
        assert_true(key_of(&rows[i].b, &rows[i].c, &b));
        same = a.n == b.n && memcmp(a.text, b.text, a.n) == 0;
        if (same != rows[i].same)
            fail_msg("%s", rows[i].name);
    }
}

static void whom_it_is_not_for(void **state)
{
    static struct cidr networks[] = {{{[10] = 0xff, [11] = 0xff, [12] = 10}, 104}};
    static struct cidr_list except = {networks, 1};
    static const struct rate_limit_conf excepting = BY(CLIENT, .except = &except),
                                        key = BY(API_KEY), subject = BY(SUBJECT),
                                        claim = NAMED(CLAIM, "a"), identity = BY(IDENTITY);
    static const struct {
        const char *name;
        const struct rate_limit_conf *c;
        struct asker a;
        bool is_for;
    } rows[] = {
        {"outside", &excepting, {.address = "11.0.0.1"}, true},
        {"excepted", &excepting, {.address = "10.9.9.9"}, false},
        {"nobody has a key", &key, {.address = "1.1.1.1"}, false},
        {"a token is no key", &key, {WHO("{\"key_id\":\"1\"}")}, false},
        {"a key", &key, {API("{\"key_id\":\"1\"}")}, true},
        {"nobody has a subject", &subject, {.address = "1.1.1.1"}, false},
        {"a subject", &subject, {WHO("{\"sub\":\"u\"}")}, true},
        {"nobody has a claim", &claim, {.address = "1.1.1.1"}, false},
        {"a claim that is not there", &claim, {WHO("{}")}, true},
        {"anybody is somebody", &identity, {.address = "1.1.1.1"}, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct limit_key k;

        if (key_of(&rows[i].a, rows[i].c, &k) != rows[i].is_for)
            fail_msg("%s", rows[i].name);
    }
}

/* However long it is, it is cut and fits. */
static void long_values(void **state)
{
    static const struct rate_limit_conf c = BY(HEADER, .by_name = "X-Tenant", .per_route = true);
    static char value[40000];
    struct limit_key k;

    (void)state;
    memset(value, 'a', sizeof value - 1);
    for (size_t cut = 1; cut < 1200; cut += 7) {
        const struct asker a = {.tenant = value + sizeof value - 1 - cut,
                                .tenant_again = value,
                                .route = value + sizeof value - 1 - cut};

        assert_true(key_of(&a, &c, &k));
        assert_true(k.n <= LIMIT_KEY_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_the_same),
        cmocka_unit_test(whom_it_is_not_for),
        cmocka_unit_test(long_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
