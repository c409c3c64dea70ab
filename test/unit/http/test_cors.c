/* SPDX-License-Identifier: Apache-2.0 */
#include "http/cors.h"

#include "base/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define LABEL_63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
    const char *name, *origin;
    bool valid;
} origins[] = {
    {"name", "https://shop.example", true},
    {"port", "https://shop.example:8443", true},
    {"one label", "http://localhost:3000", true},
    {"IPv4", "http://127.0.0.1:8080", true},
    {"IPv6", "http://[::1]:8080", true},
    {"IPv6 without port", "http://[2001:db8::1]", true},
    {"app scheme", "capacitor://localhost", true},
    {"extension", "chrome-extension://abcdefgh", true},
    {"punycode", "https://xn--bcher-kva.example", true},
    {"longest label", "https://" LABEL_63 ".example", true},
    {"null", "null", true},
    {"empty", "", false},
    {"null with a space", "null ", false},
    {"Null", "Null", false},
    {"upper case host", "https://Shop.example", false},
    {"upper case scheme", "HTTPS://shop.example", false},
    {"own port of https", "https://shop.example:443", false},
    {"own port of http", "http://shop.example:80", false},
    {"the other's port", "http://shop.example:443", true},
    {"slash at the end", "https://shop.example/", false},
    {"path", "https://shop.example/a", false},
    {"query", "https://shop.example?a", false},
    {"user", "https://user@shop.example", false},
    {"no scheme", "shop.example", false},
    {"no host", "https://", false},
    {"no host but a port", "https://:81", false},
    {"one slash", "https:/shop.example", false},
    {"scheme begins with a digit", "1ttp://shop.example", false},
    {"empty scheme", "://shop.example", false},
    {"port 0", "https://shop.example:0", false},
    {"port too large", "https://shop.example:65536", false},
    {"port with a leading zero", "https://shop.example:0443", false},
    {"empty port", "https://shop.example:", false},
    {"port that is none", "https://shop.example:x", false},
    {"two ports", "https://shop.example:1:2", false},
    {"dot at the end", "https://shop.example.", false},
    {"dot at the beginning", "https://.example", false},
    {"two dots", "https://shop..example", false},
    {"label too long", "https://a" LABEL_63 ".example", false},
    {"star", "https://*.example", false},
    {"space inside", "https://shop .example", false},
    {"two origins", "https://a.example https://b.example", false},
    {"list", "https://a.example,https://b.example", false},
    {"open bracket", "http://[::1", false},
    {"empty brackets", "http://[]", false},
    {"upper case IPv6", "http://[2001:DB8::1]", false},
    {"text behind the brackets", "http://[::1]x", false},
    {"not ASCII",
     "https://b\xc3\xbc"
     "cher.example",
     false},
};

static void test_origins(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(origins); i++)
        if (cors_origin_is_valid(str_of(origins[i].origin)) != origins[i].valid)
            fail_msg("%s: %s", origins[i].name, origins[i].origin);
}

static void test_long_origin(void **state)
{
    char text[CORS_MAX_ORIGIN + 2] = "https://";
    size_t n = strlen(text);

    (void)state;
    while (n <= CORS_MAX_ORIGIN) {
        text[n] = n % 2 ? '.' : 'a';
        n++;
    }
    text[CORS_MAX_ORIGIN - 1] = 'a';
    assert_true(cors_origin_is_valid((struct str){text, CORS_MAX_ORIGIN - 1}));
    text[CORS_MAX_ORIGIN] = 'a';
    assert_false(cors_origin_is_valid((struct str){text, CORS_MAX_ORIGIN + 1}));
}

static const struct {
    const char *name, *patterns[4], *origin;
    bool allowed;
} matches[] = {
    {"exact", {"https://shop.example"}, "https://shop.example", true},
    {"second of a list", {"https://a.example", "https://b.example"}, "https://b.example", true},
    {"none of a list", {"https://a.example", "https://b.example"}, "https://c.example", false},
    {"other scheme", {"https://shop.example"}, "http://shop.example", false},
    {"other port", {"https://shop.example"}, "https://shop.example:81", false},
    {"port that is named", {"https://shop.example:81"}, "https://shop.example:81", true},
    {"port that is lacking", {"https://shop.example:81"}, "https://shop.example", false},
    {"longer name", {"https://shop.example"}, "https://shop.example.evil.test", false},
    {"name that ends alike", {"https://shop.example"}, "https://evilshop.example", false},
    {"star, one label", {"https://*.shop.example"}, "https://a.shop.example", true},
    {"star, no label", {"https://*.shop.example"}, "https://shop.example", false},
    {"star, empty label", {"https://*.shop.example"}, "https://.shop.example", false},
    {"star, two labels", {"https://*.shop.example"}, "https://a.b.shop.example", false},
    {"star, name that ends alike", {"https://*.shop.example"}, "https://a.evilshop.example", false},
    {"star, name behind", {"https://*.shop.example"}, "https://a.shop.example.evil.test", false},
    {"star with port", {"https://*.shop.example:81"}, "https://a.shop.example:81", true},
    {"star with other port", {"https://*.shop.example:81"}, "https://a.shop.example", false},
    {"stars, one label", {"https://**.shop.example"}, "https://a.shop.example", true},
    {"stars, three labels", {"https://**.shop.example"}, "https://a.b.c.shop.example", true},
    {"stars, no label", {"https://**.shop.example"}, "https://shop.example", false},
    {"stars, name that ends alike", {"https://**.shop.example"}, "https://evilshop.example", false},
    {"any port", {"http://localhost:*"}, "http://localhost:3000", true},
    {"any port, none", {"http://localhost:*"}, "http://localhost", true},
    {"any port of another host", {"http://localhost:*"}, "http://localhost.evil.test:1", false},
    {"IPv6", {"http://[::1]:8080"}, "http://[::1]:8080", true},
    {"IPv6, any port", {"http://[::1]:*"}, "http://[::1]:9", true},
    {"all", {"*"}, "https://any.example:1", true},
    {"all, null", {"*"}, "null", true},
    {"all, but no origin", {"*"}, "https://Any.example", false},
    {"null", {"null"}, "null", true},
    {"null that is not named", {"https://shop.example"}, "null", false},
    {"null is no pattern", {"null"}, "https://null", false},
    {"nothing allowed", {NULL}, "https://shop.example", false},
    {"slash at the end", {"https://shop.example"}, "https://shop.example/", false},
    {"upper case", {"https://shop.example"}, "https://SHOP.example", false},
};

static void test_matches(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(matches); i++)
        if (cors_origin_allowed(matches[i].patterns, str_of(matches[i].origin)) !=
            matches[i].allowed)
            fail_msg("%s", matches[i].name);
}

static void test_own_origin(void **state)
{
    static const struct {
        const char *name, *origin, *scheme, *authority;
        bool own;
    } rows[] = {
        {"same", "https://shop.example", "https", "shop.example", true},
        {"port is the scheme's own", "https://shop.example", "https", "shop.example:443", true},
        {"same port", "http://shop.example:81", "", "shop.example:81", true},
        {"other port", "http://shop.example:81", "", "shop.example", false},
        {"other scheme", "http://shop.example", "https", "shop.example", false},
        {"scheme not known here", "https://shop.example", "", "shop.example", true},
        {"other host", "https://evil.test", "https", "shop.example", false},
        {"longer host", "https://shop.example.evil.test", "https", "shop.example", false},
        {"IPv6", "http://[::1]:81", "", "[::1]:81", true},
        {"null", "null", "", "null", false},
        {"no authority", "https://shop.example", "", "", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (cors_origin_is_own(str_of(rows[i].origin), str_of(rows[i].scheme),
                               str_of(rows[i].authority)) != rows[i].own)
            fail_msg("%s", rows[i].name);
}

static void test_methods(void **state)
{
    static const char *const methods[] = {"GET", "PUT", NULL};

    (void)state;
    assert_true(cors_method_allowed(methods, STR("PUT")));
    assert_false(cors_method_allowed(methods, STR("put")));
    assert_false(cors_method_allowed(methods, STR("PU")));
    assert_false(cors_method_allowed(methods, STR("PUTS")));
    assert_false(cors_method_allowed(methods, STR("")));
}

static void test_headers(void **state)
{
    static const char *const some[] = {"Content-Type", "X-A", NULL};
    static const char *const star[] = {"*", NULL};
    static const char *const star_and[] = {"*", "Authorization", NULL};
    static const struct {
        const char *name, *const *allowed;
        bool any;
        const char *asked;
        bool fine;
    } rows[] = {
        {"one", some, false, "content-type", true},
        {"two", some, false, "content-type,x-a", true},
        {"spaces", some, false, " x-a ,\tcontent-type ", true},
        {"nothing", some, false, "", true},
        {"empty elements", some, false, ",,x-a,", true},
        {"another one", some, false, "x-b", false},
        {"another one behind", some, false, "x-a,x-b", false},
        {"beginning of a name", some, false, "content", false},
        {"space in a name", some, false, "x a", false},
        {"any", star, true, "x-b,x-c", true},
        {"any, no name", star, true, "x(b", false},
        {"any, quotes", star, true, "\"x-b\"", false},
        {"any is not for authorization", star, true, "Authorization", false},
        {"any, authorization named", star_and, true, "x-b,authorization", true},
    };
    char many[CORS_MAX_ASKED_HEADERS + 1];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (cors_headers_allowed(rows[i].allowed, rows[i].any, str_of(rows[i].asked)) !=
            rows[i].fine)
            fail_msg("%s", rows[i].name);
    memset(many, 'a', sizeof many);
    assert_true(cors_headers_allowed(star, true, (struct str){many, sizeof many - 1}));
    assert_false(cors_headers_allowed(star, true, (struct str){many, sizeof many}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_origins), cmocka_unit_test(test_long_origin),
        cmocka_unit_test(test_matches), cmocka_unit_test(test_own_origin),
        cmocka_unit_test(test_methods), cmocka_unit_test(test_headers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
