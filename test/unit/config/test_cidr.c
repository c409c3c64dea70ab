/* SPDX-License-Identifier: Apache-2.0 */
#include "config/cidr.h"

#include "config/value.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct in6_addr address_of(const char *text)
{
    struct in6_addr a;
    char mapped[64];

    snprintf(mapped, sizeof mapped, "%s%s", strchr(text, ':') ? "" : "::ffff:", text);
    if (inet_pton(AF_INET6, mapped, &a) != 1)
        fail_msg("%s", text);
    return a;
}

static struct cidr cidr_of(const char *text)
{
    struct cidr c;

    if (value_cidr_problem(text, &c))
        fail_msg("%s", text);
    return c;
}

static void one_network(void **state)
{
    static const struct {
        const char *network, *address;
        bool in;
    } rows[] = {
        {"10.0.0.0/8", "10.255.255.255", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.0.0.0/8", "::ffff:10.1.2.3", true},
        {"10.0.0.0/8", "::10.1.2.3", false},
        {"172.16.0.0/12", "172.31.0.1", true},
        {"172.16.0.0/12", "172.32.0.1", false},
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"192.0.2.0/31", "192.0.2.1", true},
        {"192.0.2.0/31", "192.0.2.2", false},
        {"0.0.0.0/0", "255.255.255.255", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"::/0", "2001:db8::1", true},
        {"::/0", "192.0.2.1", true},
        {"2001:db8::/33", "2001:db8:7fff::", true},
        {"2001:db8::/33", "2001:db8:8000::", false},
        {"::1", "::1", true},
        {"::1", "127.0.0.1", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct cidr c = cidr_of(rows[i].network);
        struct in6_addr a = address_of(rows[i].address);

        if (cidr_contains(&c, &a) != rows[i].in)
            fail_msg("%s in %s", rows[i].address, rows[i].network);
    }
}

static void nested_networks_become_one(void **state)
{
    struct cidr items[] = {cidr_of("10.1.0.0/16"), cidr_of("10.0.0.0/8"), cidr_of("10.1.2.3"),
                           cidr_of("11.0.0.0/8"),  cidr_of("10.0.0.0/8"), cidr_of("9.0.0.0/8")};
    struct cidr_list list = {items, ARRAY_LEN(items)};

    (void)state;
    cidr_list_prepare(&list);
    assert_int_equal(list.n, 3);
}

/* The search finds what looking at each network finds. */
static void list_is_as_its_networks(void **state)
{
    struct cidr all[64], items[64];
    unsigned seed = 1;

    (void)state;
    for (int round = 0; round < 300; round++) {
        struct cidr_list list = {items, (size_t)(rand_r(&seed) % 64)};

        for (size_t i = 0; i < list.n; i++) {
            char text[64];
            int bits = 20 + rand_r(&seed) % 13;
            uint32_t v = htonl((uint32_t)(rand_r(&seed) & 0x3fff) & (~0u << (32 - bits)));

            snprintf(text, sizeof text, "%d.%d.%d.%d/%d", ((uint8_t *)&v)[0], ((uint8_t *)&v)[1],
                     ((uint8_t *)&v)[2], ((uint8_t *)&v)[3], bits);
            all[i] = items[i] = cidr_of(text);
        }
        size_t n = list.n;
        cidr_list_prepare(&list);
        for (int k = 0; k < 100; k++) {
            struct in6_addr a = address_of("0.0.0.0");
            bool in = false;

            a.s6_addr[14] = (uint8_t)(rand_r(&seed) % 70);
            a.s6_addr[15] = (uint8_t)rand_r(&seed);
            for (size_t i = 0; i < n; i++)
                in |= cidr_contains(&all[i], &a);
            assert_int_equal(cidr_list_has(&list, &a), in);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_network),
        cmocka_unit_test(nested_networks_become_one),
        cmocka_unit_test(list_is_as_its_networks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
