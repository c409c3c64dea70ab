/* SPDX-License-Identifier: Apache-2.0 */
#include "route/tags_set.h"

#include "tag_rows.h"

static const struct consul_conf tagged = {
    .expose = EXPOSE_TAGGED, .tag_prefix = "frontdesk.", .fabio_prefix = "urlprefix-"};

static void check_rows(const struct tag_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        check_tag_row(&rows[i], &tagged);
}

static void test_tags(void **state)
{
    static const struct tag_row rows[] = {
        {"path", {"frontdesk.path=/orders/"}, {0}, "/orders/ /orders/", ""},
        {"host alone", {"frontdesk.host=Shop.Example"}, {0}, "shop.example/ shop.example/", ""},
        {"wildcard host",
         {"frontdesk.host=*.shop.example", "frontdesk.path=/x"},
         {0},
         "*.shop.example/x *.shop.example/x",
         ""},
        {"any host", {"frontdesk.host=*", "frontdesk.path=/x"}, {0}, "/x /x", ""},
        {"order of tags",
         {"frontdesk.strip=true", "frontdesk.match=prefix", "frontdesk.path=/{x"},
         {0},
         "/{x /{x strip=/",
         ""},
        {"pattern by its look",
         {"frontdesk.path=/o/{id}", "frontdesk.rewrite=/n/{id}"},
         {0},
         "/o/{id} pattern /o/{id} rewrite=/n/{id}",
         ""},
        {"exact", {"frontdesk.path=/o", "frontdesk.match=exact"}, {0}, "/o exact /o", ""},
        {"methods",
         {"frontdesk.path=/o", "frontdesk.methods=GET, POST"},
         {0},
         "/o /o GET POST",
         ""},
        {"strip true",
         {"frontdesk.path=/o/", "frontdesk.strip=true"},
         {0},
         "/o/ /o/ strip=/o/",
         ""},
        {"strip true of a pattern",
         {"frontdesk.path=/o/{id}", "frontdesk.strip=true"},
         {0},
         "/o/{id} pattern /o/{id} strip=/o/",
         ""},
        {"strip false", {"frontdesk.path=/o", "frontdesk.strip=false"}, {0}, "/o /o", ""},
        {"strip path",
         {"frontdesk.path=/o/x", "frontdesk.strip=/o"},
         {0},
         "/o/x /o/x strip=/o",
         ""},
        {"prepend, priority, host, auth",
         {"frontdesk.path=/o", "frontdesk.prepend=/v1", "frontdesk.priority=-7",
          "frontdesk.set_host=dst", "frontdesk.auth=customer"},
         {0},
         "/o /o prepend=/v1 set_host=dst auth=customer priority=-7",
         ""},
        {"cors", {"frontdesk.path=/o", "frontdesk.cors=shop"}, {0}, "/o /o cors=shop", ""},
        {"importance",
         {"frontdesk.path=/o", "frontdesk.importance=critical"},
         {0},
         "/o /o importance=critical",
         ""},
        {"importance as it is without",
         {"frontdesk.path=/o", "frontdesk.importance=normal"},
         {0},
         "/o /o",
         ""},
        {"importance that is no word",
         {"frontdesk.path=/o", "frontdesk.importance=7"},
         {0},
         "",
         "importance is low, normal, high or critical"},
        {"importance by meta",
         {"frontdesk.path=/o"},
         {"frontdesk-importance", "low"},
         "/o /o importance=low",
         ""},
        {"redirect",
         {"frontdesk.path=/o", "frontdesk.redirect=301,https://b$path"},
         {0},
         "/o /o redirect=301,https://b$path",
         ""},
        {"two routes",
         {"frontdesk.a.path=/a", "frontdesk.b.path=/b", "frontdesk.b.host=h",
          "frontdesk.a.methods=GET"},
         {0},
         "a /a GET; b h/b",
         ""},
        {"a name with dots", {"frontdesk.a.b.path=/a"}, {0}, "a.b /a", ""},
        {"protocol makes no route", {"frontdesk.protocol=grpc"}, {0}, "", ""},
        {"protocol beside a route",
         {"frontdesk.protocol=h2", "frontdesk.path=/x"},
         {0},
         "/x /x",
         ""},
        {"protocol that is none",
         {"frontdesk.protocol=h3", "frontdesk.path=/x"},
         {0},
         "/x /x",
         "protocol is http, https, h2, h2c, grpc or grpcs"},
        {"protocol of a route",
         {"frontdesk.a.protocol=h2", "frontdesk.a.path=/x"},
         {0},
         "a /x",
         "no name before it"},
        {"other tags",
         {"v1", "frontdesk", "frontdesk2.path=/x", "xfrontdesk.path=/x"},
         {0},
         "",
         ""},
    };

    (void)state;
    check_rows(rows, ARRAY_LEN(rows));
}

static void test_meta(void **state)
{
    static const struct tag_row rows[] = {
        {"with the bare tag", {"frontdesk"}, {"frontdesk-path", "/x"}, "/x /x", ""},
        {"with another tag of ours",
         {"frontdesk.strip=true"},
         {"frontdesk-path", "/x"},
         "/x /x strip=/x",
         ""},
        {"named", {"frontdesk"}, {"frontdesk-my-api-path", "/x"}, "my-api /x", ""},
        {"set_host", {"frontdesk.path=/x"}, {"frontdesk-set_host", "b"}, "/x /x set_host=b", ""},
        {"without a tag", {"v1"}, {"frontdesk-path", "/x"}, "", ""},
        {"tag beats meta", {"frontdesk.path=/t"}, {"frontdesk-path", "/m"}, "/t /t", ""},
        {"other meta", {"frontdesk"}, {"frontdesk_path", "/x", "version", "1"}, "", ""},
        {"unknown",
         {"frontdesk"},
         {"frontdesk-x", "1", "frontdesk-path", "/x"},
         "/x /x",
         "not a known key"},
    };

    (void)state;
    check_rows(rows, ARRAY_LEN(rows));
}

static void test_problems(void **state)
{
    static const struct tag_row rows[] = {
        {"no value", {"frontdesk.path"}, {0}, "", "KEY=VALUE"},
        {"unknown key",
         {"frontdesk.path=/x", "frontdesk.pathh=/y"},
         {0},
         "/x /x",
         "not a known key"},
        {"twice", {"frontdesk.path=/x", "frontdesk.path=/y"}, {0}, "/x /x", "twice"},
        {"twice the same", {"frontdesk.path=/x", "frontdesk.path=/x"}, {0}, "/x /x", ""},
        {"path without slash", {"frontdesk.path=x"}, {0}, "", "not a path"},
        {"path with space", {"frontdesk.path=/x y"}, {0}, "", "not a path"},
        {"path with newline", {"frontdesk.path=/x\ny"}, {0}, "", "not a path"},
        {"one bad, one good",
         {"frontdesk.a.path=x", "frontdesk.b.path=/b"},
         {0},
         "b /b",
         "not a path"},
        {"bad host does not open all hosts",
         {"frontdesk.path=/x", "frontdesk.host=a b"},
         {0},
         "",
         "a host is"},
        {"bad methods do not open all methods",
         {"frontdesk.path=/x", "frontdesk.methods="},
         {0},
         "",
         "no method"},
        {"method no token",
         {"frontdesk.path=/x", "frontdesk.methods=GE T"},
         {0},
         "",
         "not a method"},
        {"empty auth stays", {"frontdesk.path=/x", "frontdesk.auth="}, {0}, "/x /x auth=", ""},
        {"strip word", {"frontdesk.path=/x", "frontdesk.strip=yes"}, {0}, "", "strip is"},
        {"rewrite injects",
         {"frontdesk.path=/x", "frontdesk.rewrite=/y HTTP/1.1\r\nA: b"},
         {0},
         "",
         "not a path"},
        {"prepend with query",
         {"frontdesk.path=/x", "frontdesk.prepend=/y?z"},
         {0},
         "",
         "not a path"},
        {"set_host injects",
         {"frontdesk.path=/x", "frontdesk.set_host=a\r\nb"},
         {0},
         "",
         "not a host"},
        {"priority word",
         {"frontdesk.path=/x", "frontdesk.priority=high"},
         {0},
         "",
         "not a number"},
        {"priority huge",
         {"frontdesk.path=/x", "frontdesk.priority=99999999999"},
         {0},
         "",
         "not a number"},
        {"match word", {"frontdesk.path=/x", "frontdesk.match=regex"}, {0}, "", "match is"},
        {"redirect without status",
         {"frontdesk.path=/x", "frontdesk.redirect=/y"},
         {0},
         "",
         "CODE,URL"},
        {"redirect 200", {"frontdesk.path=/x", "frontdesk.redirect=200,/y"}, {0}, "", "301"},
        {"redirect injects",
         {"frontdesk.path=/x", "frontdesk.redirect=301,/y\r\nSet-Cookie: a"},
         {0},
         "",
         "cannot have"},
    };

    (void)state;
    check_rows(rows, ARRAY_LEN(rows));
}

static void test_other_prefix(void **state)
{
    static const struct tag_row row = {"gw/",
                                       {"gw/path=/x", "frontdesk.path=/y", "gw"},
                                       {"gw-strip", "true"},
                                       "/x /x strip=/x",
                                       ""};
    static const struct tag_row off = {"off", {"frontdesk.path=/y", "path=/x"}, {0}, "", ""};
    struct consul_conf consul = tagged;

    (void)state;
    consul.tag_prefix = "gw/";
    check_tag_row(&row, &consul);
    consul.tag_prefix = "";
    check_tag_row(&off, &consul);
}

static void test_source(void **state)
{
    const char *tags[] = {"frontdesk.path=/x"};
    struct instance one = {.node = "n", .id = "i", .tags = tags, .ntags = 1};
    struct instance_set set = {.service = "web", .n = 1, .items = &one};
    struct arena *a = arena_new();
    struct tag_routes routes;

    (void)state;
    tags_parse(&set, &tagged, a, &routes);
    assert_string_equal(routes.inputs[0].conf->source, "tag frontdesk.path=/x of web");
    assert_string_equal(routes.inputs[0].conf->targets[0].service, "web");
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tags),     cmocka_unit_test(test_meta),
        cmocka_unit_test(test_problems), cmocka_unit_test(test_other_prefix),
        cmocka_unit_test(test_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
