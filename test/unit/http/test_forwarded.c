/* SPDX-License-Identifier: Apache-2.0 */
#include "http/forwarded.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *text, *address; /* NULL = none */
} addresses[] = {
    {"192.0.2.1", "::ffff:192.0.2.1"},
    {"192.0.2.1:4711", "::ffff:192.0.2.1"},
    {"2001:db8::1", "2001:db8::1"},
    {"[2001:db8::1]", "2001:db8::1"},
    {"[2001:db8::1]:80", "2001:db8::1"},
    {"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
    {"[::ffff:192.0.2.1]", "::ffff:192.0.2.1"},
    {"", NULL},
    {"unknown", NULL},
    {"_hidden", NULL},
    {"192.0.2", NULL},
    {"192.0.2.256", NULL},
    {"192.0.2.01", NULL},
    {"192.0.2.1:", NULL},
    {"192.0.2.1:x", NULL},
    {"192.0.2.1:65536", NULL},
    {"192.0.2.1:000080", NULL},
    {"192.0.2.1/24", NULL},
    {"[192.0.2.1]", NULL},
    {"[2001:db8::1", NULL},
    {"[2001:db8::1]80", NULL},
    {"[2001:db8::1]:", NULL},
    {"[]", NULL},
    {"fe80::1%eth0", NULL},
    {"2001:db8::1 ", NULL},
    {"2001:0db8:0000:0000:0000:0000:0000:0001:0000:0000:0000:0000", NULL},
};

static void test_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        struct in6_addr a;
        bool fine = forwarded_read_address(str_of(addresses[i].text), &a);
        char text[INET6_ADDRSTRLEN] = "";

        if (fine)
            inet_ntop(AF_INET6, &a, text, sizeof text);
        if (fine != (addresses[i].address != NULL) ||
            (fine && strcmp(text, addresses[i].address) != 0))
            fail_msg("\"%s\": %s", addresses[i].text, text);
    }
}

static void test_nul_in_an_address(void **state)
{
    struct in6_addr a;

    (void)state;
    assert_false(forwarded_read_address(STR("192.0.2.1\0x"), &a));
}

/* 10.0.0.0/8 is trusted. */
static bool is_trusted(const void *arg, const struct in6_addr *a)
{
    assert_string_equal(arg, "argument");
    return IN6_IS_ADDR_V4MAPPED(a) && a->s6_addr[12] == 10;
}

#define PEER "10.9.9.9"

/* Fields are divided by '|': "X" is X-Forwarded-For, "F" is Forwarded. */
static const struct {
    const char *name, *fields, *client;
} rows[] = {
    {"nothing", "", PEER},
    {"one", "X 192.0.2.1", "192.0.2.1"},
    {"client and a trusted proxy", "X 192.0.2.1, 10.0.0.1", "192.0.2.1"},
    {"a lie in front", "X 127.0.0.1, 192.0.2.1, 10.0.0.1", "192.0.2.1"},
    {"a trusted lie in front", "X 10.0.0.7, 192.0.2.1, 10.0.0.1", "192.0.2.1"},
    {"only trusted ones", "X 10.0.0.1, 10.0.0.2", "10.0.0.1"},
    {"over two fields", "X 192.0.2.1|X 10.0.0.1", "192.0.2.1"},
    {"a lie in a field of its own", "X 127.0.0.1|X 192.0.2.1", "192.0.2.1"},
    {"another field between", "X 192.0.2.1|O 198.51.100.1|X 10.0.0.1", "192.0.2.1"},
    {"mapped", "X ::ffff:192.0.2.1, ::ffff:10.0.0.1", "192.0.2.1"},
    {"ports", "X 192.0.2.1:5, [2001:db8::1]:6", "2001:db8::1"},
    {"no spaces", "X 192.0.2.1,10.0.0.1", "192.0.2.1"},
    {"empty elements", "X 192.0.2.1, , 10.0.0.1,,", "192.0.2.1"},
    {"empty field", "X |X 192.0.2.1|X ", "192.0.2.1"},
    {"malformed at once", "X 192.0.2.1, x", PEER},
    {"malformed behind a proxy", "X 192.0.2.1, x, 10.0.0.1", "10.0.0.1"},
    {"malformed behind two", "X 192.0.2.1, x, 10.0.0.1, 10.0.0.2", "10.0.0.1"},
    {"malformed before the client", "X x, 192.0.2.1", "192.0.2.1"},
    {"unknown", "X unknown", PEER},
    {"X-Forwarded-For goes before Forwarded", "F for=192.0.2.2|X 192.0.2.1", "192.0.2.1"},
    {"even when it is empty", "F for=192.0.2.2|X ", PEER},

    {"Forwarded", "F for=192.0.2.1", "192.0.2.1"},
    {"Forwarded, more pairs", "F proto=https;For=192.0.2.1;host=\"a, b\"", "192.0.2.1"},
    {"Forwarded, IPv6", "F for=\"[2001:db8::1]:80\"", "2001:db8::1"},
    {"Forwarded, IPv6 without quotes", "F for=[2001:db8::1]", PEER},
    {"Forwarded, two elements", "F for=192.0.2.1, for=10.0.0.1", "192.0.2.1"},
    {"Forwarded, a lie in front", "F for=127.0.0.1, for=192.0.2.1, for=10.0.0.1", "192.0.2.1"},
    {"Forwarded, two fields", "F for=192.0.2.1|F for=10.0.0.1", "192.0.2.1"},
    {"Forwarded, empty elements", "F , for=192.0.2.1, ,", "192.0.2.1"},
    {"Forwarded, empty pairs", "F ;for=192.0.2.1;;", "192.0.2.1"},
    {"Forwarded, spaces around ;", "F a=b ; for=192.0.2.1 ; c=d", "192.0.2.1"},
    {"Forwarded, obfuscated", "F for=_hidden, for=10.0.0.1", "10.0.0.1"},
    {"Forwarded, unknown", "F for=192.0.2.1, for=unknown", PEER},
    {"Forwarded, no for", "F for=192.0.2.1, proto=https", PEER},
    {"Forwarded, two for", "F for=192.0.2.1;for=192.0.2.2", PEER},
    {"Forwarded, empty value", "F for=", PEER},
    {"Forwarded, no value", "F for", PEER},
    {"Forwarded, space around =", "F for = 192.0.2.1", PEER},
    {"Forwarded, backslash", "F for=\"192.0.2\\.1\"", PEER},
    {"Forwarded, comma in quotes", "F for=\"192.0.2.1, for=127.0.0.1\"", PEER},
    {"Forwarded, open quote of a client", "F for=\"x, for=192.0.2.1", "192.0.2.1"},
    {"Forwarded, open quote before quotes", "F for=\"x, for=\"[2001:db8::1]\"", "2001:db8::1"},
    {"Forwarded, open quote and backslash", "F for=\"x\\, for=192.0.2.1", "192.0.2.1"},
    {"Forwarded, junk", "F for=192.0.2.2 x, for=192.0.2.1", "192.0.2.1"},
};

static void add_field(struct request *r, const char *p, size_t n)
{
    struct header *h = &r->headers[r->nheaders++];

    h->id = p[0] == 'X' ? HEADER_X_FORWARDED_FOR : p[0] == 'F' ? HEADER_FORWARDED : HEADER_OTHER;
    h->value = (struct str){p + 2, n - 2};
}

static void test_clients(void **state)
{
    static struct request r;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct in6_addr client, wanted;
        char mapped[64];

        r.nheaders = 0;
        for (const char *p = rows[i].fields; *p; p += *p == '|') {
            size_t n = strcspn(p, "|");

            add_field(&r, p, n);
            p += n;
        }
        inet_pton(AF_INET6, "::ffff:" PEER, &client);
        forwarded_find_client(&r, is_trusted, "argument", &client);
        snprintf(mapped, sizeof mapped, "%s%s",
                 strchr(rows[i].client, ':') ? "" : "::ffff:", rows[i].client);
        assert_int_equal(inet_pton(AF_INET6, mapped, &wanted), 1);
        if (!IN6_ARE_ADDR_EQUAL(&client, &wanted)) {
            inet_ntop(AF_INET6, &client, mapped, sizeof mapped);
            fail_msg("%s: %s", rows[i].name, mapped);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_nul_in_an_address),
        cmocka_unit_test(test_clients),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
