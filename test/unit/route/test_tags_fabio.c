/* SPDX-License-Identifier: Apache-2.0 */
#include "route/tags_set.h"

#include "tag_rows.h"

static const struct consul_conf consul = {.expose = EXPOSE_TAGGED,
                                          .tag_prefix = "frontdesk.",
                                          .fabio_prefix = "urlprefix-",
                                          .datacenter = "dc7"};

static const struct tag_row rows[] = {
    {"path", {"urlprefix-/foo"}, {0}, "/foo plain /foo", ""},
    {"host and path",
     {"urlprefix-Shop.Example/Foo"},
     {0},
     "shop.example/Foo plain shop.example/Foo",
     ""},
    {"catch-all", {"urlprefix-/"}, {0}, "/ plain /", ""},
    {"host with port", {"urlprefix-a:8080/"}, {0}, "a:8080/ plain a:8080/", ""},
    {"default port", {"urlprefix-a:80/"}, {0}, "a/ plain a/", ""},
    {"wildcard", {"urlprefix-*.a/"}, {0}, "*.a/ plain *.a/", ""},
    {"star", {"urlprefix-*/x"}, {0}, "/x plain /x", ""},
    {"white space", {" \turlprefix- /foo \t strip=/foo "}, {0}, "/foo plain /foo strip=/foo", ""},
    {"several", {"urlprefix-/a", "v1", "urlprefix-/b"}, {0}, "/a plain /a; /b plain /b", ""},
    {"case of the prefix", {"URLPREFIX-/a"}, {0}, "", ""},
    {"strip and prepend",
     {"urlprefix-/a strip=/a prepend=/b"},
     {0},
     "/a plain /a strip=/a prepend=/b",
     ""},
    {"later duplicate wins", {"urlprefix-/a strip=/x strip=/a"}, {0}, "/a plain /a strip=/a", ""},
    {"host=dst", {"urlprefix-/a host=dst"}, {0}, "/a plain /a set_host=dst", ""},
    {"host=name", {"urlprefix-/a host=b.example"}, {0}, "/a plain /a set_host=b.example", ""},
    {"redirect",
     {"urlprefix-a:80/ redirect=301,https://a$path"},
     {0},
     "a/ plain a/ redirect=301,https://a$path",
     ""},
    {"auth", {"urlprefix-/a auth=staff"}, {0}, "/a plain /a auth=staff", ""},
    {"proto http", {"urlprefix-/a proto=http"}, {0}, "/a plain /a", ""},
    {"unknown option",
     {"urlprefix-/a foo=bar register=x pxyproto=true flag"},
     {0},
     "/a plain /a",
     ""},
    {"weight", {"urlprefix-/a weight=0.2"}, {0}, "/a plain /a", "weight is ignored"},
    {"datacenter", {"urlprefix-a-$DC.b/${DC}/x"}, {0}, "a-dc7.b/dc7/x plain a-dc7.b/dc7/x", ""},
    {"other variables", {"urlprefix-a$x/${y}b"}, {0}, "a/b plain a/b", ""},
    {"tcp port", {"urlprefix-:3306 proto=tcp"}, {0}, "", "TCP"},
    {"no slash", {"urlprefix-10.0.0.1:80"}, {0}, "", "HOST/PATH"},
    {"empty", {"urlprefix-"}, {0}, "", "HOST/PATH"},
    {"proto tcp", {"urlprefix-a/ proto=tcp"}, {0}, "", "proto is http"},
    {"proto wss", {"urlprefix-a/ proto=wss"}, {0}, "", "proto is http"},
    {"proto https", {"urlprefix-a/ proto=https"}, {0}, "a/ plain a/", ""},
    {"proto grpc", {"urlprefix-a/ proto=grpc"}, {0}, "a/ plain a/", ""},
    {"proto of the future", {"urlprefix-a/ proto=x"}, {0}, "a/ plain a/", ""},
    {"allow", {"urlprefix-/a allow=ip:10.0.0.0/8"}, {0}, "", "not enforced"},
    {"deny",
     {"urlprefix-/a deny=ip:10.0.0.0/8", "urlprefix-/b"},
     {0},
     "/b plain /b",
     "not enforced"},
    {"host glob", {"urlprefix-a*.b/"}, {0}, "", "a host is"},
    {"redirect 300", {"urlprefix-/a redirect=300,/b"}, {0}, "", "301"},
    {"redirect without comma", {"urlprefix-/a redirect=301"}, {0}, "", "CODE,URL"},
    {"strip with query", {"urlprefix-/a strip=/a?b"}, {0}, "", "not a path"},
    {"control byte", {"urlprefix-/a\x01"}, {0}, "", "not a path"},
};

static void test_tags(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_tag_row(&rows[i], &consul);
}

static void test_settings(void **state)
{
    static const struct tag_row unknown_dc = {"dc", {"urlprefix-/$DC"}, {0}, "", "datacenter"};
    static const struct tag_row other = {
        "other", {"fabio-/a", "urlprefix-/b"}, {0}, "/a plain /a", ""};
    static const struct tag_row off = {"off", {"urlprefix-/a"}, {0}, "", ""};
    struct consul_conf changed = consul;

    (void)state;
    changed.datacenter = NULL;
    check_tag_row(&unknown_dc, &changed);
    changed.fabio_prefix = "fabio-";
    check_tag_row(&other, &changed);
    changed.fabio_prefix = "";
    check_tag_row(&off, &changed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
