/* SPDX-License-Identifier: Apache-2.0 */
#include "http/uri.h"

#include "base/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const struct {
    const char *name, *in, *out; /* out NULL = refused */
} paths[] = {
    {"root", "/", "/"},
    {"plain", "/orders/v1/4711", "/orders/v1/4711"},
    {"trailing slash kept", "/orders/", "/orders/"},
    {"slashes merged", "//a///b//", "/a/b/"},
    {"dot removed", "/a/./b", "/a/b"},
    {"dot at the end", "/a/.", "/a/"},
    {"dot alone", "/.", "/"},
    {"dots removed", "/a/b/../c", "/a/c"},
    {"dots at the end", "/a/b/..", "/a/"},
    {"dots to the root", "/a/..", "/"},
    {"dots over merged slashes", "/a//../b", "/b"},
    {"three dots are a name", "/a/.../b", "/a/.../b"},
    {"hidden file", "/.well-known/x", "/.well-known/x"},
    {"climbs at once", "/..", NULL},
    {"climbs later", "/a/../../b", NULL},
    {"encoded dots climb", "/%2e%2E/etc", NULL},
    {"encoded dot segment", "/a/%2e%2e/b", "/b"},
    {"unreserved decoded", "/%41%7e%2D%5f", "/A~-_"},
    {"hex upper-cased", "/%c3%a9%3f", "/%C3%A9%3F"},
    {"percent stays encoded once", "/%252e%252e/x", "/%252e%252e/x"},
    {"encoded space stays", "/a%20b", "/a%20b"},
    {"encoded CR LF stays", "/a%0d%0ab", "/a%0D%0Ab"},
    {"sub-delimiters", "/a;v=1,2/!$&'()*+:@", "/a;v=1,2/!$&'()*+:@"},
    {"dots with a parameter", "/a/..;/admin", NULL},
    {"dot with a parameter", "/.;x=1/admin", NULL},
    {"encoded NUL", "/a%00b", NULL},
    {"encoded slash", "/a%2fb", NULL},
    {"encoded backslash", "/a%5Cb", NULL},
    {"raw backslash", "/a\\b", NULL},
    {"percent without digits", "/a%", NULL},
    {"percent with one digit", "/a%4", NULL},
    {"percent with no hex", "/a%zz", NULL},
    {"fragment", "/a#b", NULL},
    {"question mark", "/a?b", NULL},
    {"space", "/a b", NULL},
    {"control byte", "/a\x01", NULL},
    {"DEL", "/a\x7f", NULL},
    {"overlong UTF-8 dot", "/\xc0\xae\xc0\xae/", NULL},
    {"non-ASCII", "/caf\xc3\xa9", NULL},
    {"no leading slash", "a/b", NULL},
    {"empty", "", NULL},
};

static void test_paths(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        char buf[128];
        size_t n = strlen(paths[i].in);

        memcpy(buf, paths[i].in, n);
        bool ok = uri_normalise_path(buf, &n);
        if (ok != (paths[i].out != NULL))
            fail_msg("%s: %s", paths[i].name, ok ? "accepted" : "refused");
        if (!ok)
            continue;
        buf[n] = '\0';
        if (strcmp(buf, paths[i].out) != 0)
            fail_msg("%s: got %s", paths[i].name, buf);
        assert_true(uri_normalise_path(buf, &n));
        assert_int_equal(n, strlen(paths[i].out));
        assert_memory_equal(buf, paths[i].out, n);
    }
}

static const struct {
    const char *name, *in, *host; /* host NULL = refused */
    unsigned port;
} authorities[] = {
    {"name", "shop.example", "shop.example", 0},
    {"case", "Shop.EXAMPLE:8080", "shop.example", 8080},
    {"IPv4", "10.0.0.1:80", "10.0.0.1", 80},
    {"IPv4 without port", "10.0.0.1", "10.0.0.1", 0},
    {"IPv6", "[2001:DB8::1]:443", "[2001:db8::1]", 443},
    {"IPv6 without port", "[::1]", "[::1]", 0},
    {"underscore", "my_service", "my_service", 0},
    {"empty port", "a:", "a", 0},
    {"largest port", "a:65535", "a", 65535},
    {"port with zeros", "a:00080", "a", 80},
    {"digits only", "8080", "8080", 0},
    {"port too large", "a:65536", NULL, 0},
    {"port huge", "a:99999999999999999999", NULL, 0},
    {"port no number", "a:8x", NULL, 0},
    {"two colons", "a:80:80", NULL, 0},
    {"empty", "", NULL, 0},
    {"only a port", ":80", NULL, 0},
    {"userinfo", "user@a", NULL, 0},
    {"comma list", "a,b", NULL, 0},
    {"space", "a b", NULL, 0},
    {"slash", "a/b", NULL, 0},
    {"percent", "a%41", NULL, 0},
    {"control", "a\x01", NULL, 0},
    {"non-ASCII", "\xc3\xa9", NULL, 0},
    {"IPv6 bare", "::1", NULL, 0},
    {"IPv6 open", "[::1", NULL, 0},
    {"IPv6 empty", "[]", NULL, 0},
    {"IPv6 zone", "[fe80::1%25eth0]", NULL, 0},
    {"IPv6 no address", "[shop]", NULL, 0},
    {"IPv6 with tail", "[::1]x", NULL, 0},
    {"IPv6 too long", "[1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111]", NULL, 0},
};

static void test_authorities(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(authorities); i++) {
        char buf[128];
        size_t n = strlen(authorities[i].in);
        struct str host;
        uint16_t port;

        memcpy(buf, authorities[i].in, n);
        bool ok = uri_check_authority(buf, n);
        if (ok != (authorities[i].host != NULL))
            fail_msg("%s: %s", authorities[i].name, ok ? "accepted" : "refused");
        if (!ok)
            continue;
        uri_split_authority((struct str){buf, n}, &host, &port);
        if (!str_eq(host, str_of(authorities[i].host)) || port != authorities[i].port)
            fail_msg("%s: got %.*s port %u", authorities[i].name, STR_FMT(host), port);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_authorities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
