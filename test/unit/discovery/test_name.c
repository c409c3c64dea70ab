/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "discovery/name.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S NS_PER_S

static const struct name_bounds bounds = {5000, 3600000};
static const uint64_t t0 = 1000 * S;
static struct rng rng = {42};

/* "found 30 10.0.0.1 10.0.0.2", "none", "failed", "pending" */
static struct name_answer said(const char *text, int family)
{
    struct name_answer a = {.outcome = NAME_PENDING};
    char copy[256], *save, *word;

    snprintf(copy, sizeof copy, "%s", text);
    word = strtok_r(copy, " ", &save);
    if (strcmp(word, "none") == 0) {
        a.outcome = NAME_NONE;
        a.why = "there is no such name";
    } else if (strcmp(word, "failed") == 0) {
        a.outcome = NAME_FAILED;
        a.why = "request timed out";
    } else if (strcmp(word, "found") == 0) {
        a.outcome = NAME_FOUND;
        a.ttl_ms = (uint64_t)atoi(strtok_r(NULL, " ", &save)) * 1000;
        while ((word = strtok_r(NULL, " ", &save)) != NULL)
            assert_int_equal(inet_pton(family, word, &a.addresses[a.n++]), 1);
    }
    return a;
}

static bool take(struct name *n, const char *v4, const char *v6, uint64_t now)
{
    struct name_answer a = said(v4, AF_INET), b = said(v6, AF_INET6);

    return name_take(n, &a, &b, &bounds, now, &rng);
}

static const char *address_of(const struct name *n)
{
    static char text[INET6_ADDRSTRLEN];

    if (n->family == 0)
        return "";
    return inet_ntop(n->family, &n->address, text, sizeof text);
}

static void which_address(void **state)
{
    static const struct {
        const char *name, *before4, *before6, *v4, *v6, *address;
    } rows[] = {
        {"the first of version 4", NULL, NULL, "found 30 10.0.0.2 10.0.0.1", "none", "10.0.0.2"},
        {"version 4 first", NULL, NULL, "found 30 10.0.0.1", "found 30 ::2", "10.0.0.1"},
        {"version 6 alone", NULL, NULL, "none", "found 30 ::2 ::3", "::2"},
        {"version 6 when 4 fails", NULL, NULL, "failed", "found 30 ::2", "::2"},
        {"none", NULL, NULL, "none", "none", ""},
        {"the present one stays", "found 30 10.0.0.1", "none", "found 30 10.0.0.2 10.0.0.1", "none",
         "10.0.0.1"},
        {"even of version 6", "none", "found 30 ::1", "found 30 10.0.0.1", "found 30 ::1", "::1"},
        {"another one", "found 30 10.0.0.1", "none", "found 30 10.0.0.2", "none", "10.0.0.2"},
        {"of the other family", "found 30 10.0.0.1", "none", "none", "found 30 ::2", "::2"},
        {"and back", "none", "found 30 ::2", "found 30 10.0.0.1", "none", "10.0.0.1"},
        {"gone", "found 30 10.0.0.1", "none", "none", "none", "10.0.0.1"},
        {"nobody can say", "found 30 10.0.0.1", "none", "failed", "failed", "10.0.0.1"},
        {"nobody can say of its family", "found 30 10.0.0.1", "none", "failed", "found 30 ::2",
         "10.0.0.1"},
        {"an address whose bytes begin like it", "found 30 10.0.0.1", "none", "found 30 10.0.0.9",
         "found 30 a00:1::", "10.0.0.9"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct name n = {0};
        char before[INET6_ADDRSTRLEN] = "";
        bool changed;

        if (rows[i].before4) {
            assert_true(take(&n, rows[i].before4, rows[i].before6, t0));
            strcpy(before, address_of(&n));
        }
        changed = take(&n, rows[i].v4, rows[i].v6, t0 + 30 * S);
        if (strcmp(address_of(&n), rows[i].address) != 0 ||
            changed != (strcmp(before, rows[i].address) != 0))
            fail_msg("%s: %s, changed %d", rows[i].name, address_of(&n), changed);
    }
}

static void when_to_ask_again(void **state)
{
    static const struct {
        const char *name, *v4, *v6;
        uint64_t after_s;
    } rows[] = {
        {"its time to live", "found 30 10.0.0.1", "none", 30},
        {"the shorter one", "found 300 10.0.0.1", "found 20 ::1", 20},
        {"not too soon", "found 0 10.0.0.1", "none", 5},
        {"not too late", "found 604800 10.0.0.1", "none", 3600},
        {"of version 6", "none", "found 40 ::1", 40},
        {"version 6 failed, version 4 is enough", "found 30 10.0.0.1", "failed", 30},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct name n = {0};

        take(&n, rows[i].v4, rows[i].v6, t0);
        if (n.due_ns != t0 + rows[i].after_s * S || n.why[0])
            fail_msg("%s: %llu s", rows[i].name, (unsigned long long)((n.due_ns - t0) / S));
    }
}

static void failures_are_asked_again_later_and_later(void **state)
{
    uint64_t base_ms = 1000;
    struct name n = {0};

    (void)state;
    for (unsigned i = 0; i < 12; i++) {
        uint64_t after_ms;

        take(&n, "failed", "none", t0);
        after_ms = (n.due_ns - t0) / NS_PER_MS;
        assert_in_range(after_ms, base_ms * 3 / 4, base_ms * 5 / 4);
        base_ms = base_ms * 2 > 60000 ? 60000 : base_ms * 2;
    }
    assert_string_equal(n.why, "request timed out");
    take(&n, "found 30 10.0.0.1", "none", t0);
    assert_string_equal(n.why, "");
    take(&n, "none", "none", t0);
    assert_string_equal(n.why, "there is no such name");
    assert_true(n.due_ns < t0 + 2 * S);
    assert_string_equal(address_of(&n), "10.0.0.1");

    /* Its own family is what nobody can say about: the address is not confirmed. */
    take(&n, "failed", "found 30 ::1", t0);
    assert_string_equal(n.why, "request timed out");
}

static void the_other_family_is_not_waited_for_at_first(void **state)
{
    struct name n = {0};

    (void)state;
    assert_false(take(&n, "none", "pending", t0));
    assert_true(take(&n, "found 30 10.0.0.1", "pending", t0));
    assert_int_equal(n.due_ns, 0);
    assert_false(take(&n, "found 30 10.0.0.1", "found 30 ::1", t0));
    assert_int_equal(n.due_ns, t0 + 30 * S);

    /* What is known stays until both were heard. */
    assert_false(take(&n, "found 30 10.0.0.2", "pending", t0));
    assert_false(take(&n, "pending", "found 30 ::1", t0));
    assert_string_equal(address_of(&n), "10.0.0.1");
    assert_true(take(&n, "found 30 10.0.0.2", "found 30 ::1", t0));
    assert_string_equal(address_of(&n), "10.0.0.2");
}

static void as_a_socket_address(void **state)
{
    struct sockaddr_storage addr;
    struct name n = {0};
    socklen_t len = 0;

    (void)state;
    assert_false(name_address(&n, 80, &addr, &len));
    take(&n, "found 30 10.0.0.1", "none", t0);
    assert_true(name_address(&n, 80, &addr, &len));
    assert_int_equal(len, sizeof(struct sockaddr_in));
    assert_int_equal(((struct sockaddr_in *)&addr)->sin_port, htons(80));
    assert_int_equal(((struct sockaddr_in *)&addr)->sin_addr.s_addr, htonl(0x0a000001));
    take(&n, "none", "found 30 ::1", t0);
    assert_true(name_address(&n, 81, &addr, &len));
    assert_int_equal(len, sizeof(struct sockaddr_in6));
    assert_int_equal(((struct sockaddr_in6 *)&addr)->sin6_port, htons(81));
    assert_true(IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *)&addr)->sin6_addr));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(which_address),
        cmocka_unit_test(when_to_ask_again),
        cmocka_unit_test(failures_are_asked_again_later_and_later),
        cmocka_unit_test(the_other_family_is_not_waited_for_at_first),
        cmocka_unit_test(as_a_socket_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
