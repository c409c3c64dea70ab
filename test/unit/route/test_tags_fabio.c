/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"
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
    {"default port", {"urlprefix-a:80/"}, {0}, "a/ plain a/ http", ""},
    {"default port of TLS", {"urlprefix-a:443/"}, {0}, "a/ plain a/ https", ""},
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
     "a/ plain a/ http redirect=301,https://a$path",
     ""},
    {"auth", {"urlprefix-/a auth=staff"}, {0}, "/a plain /a auth=staff", "name of a policy"},
    {"proto http", {"urlprefix-/a proto=http"}, {0}, "/a plain /a", ""},
    {"unknown option", {"urlprefix-/a foo=bar flag"}, {0}, "/a plain /a", ""},
    {"register", {"urlprefix-/a register=x"}, {0}, "/a plain /a", "register is not obeyed"},
    {"pxyproto", {"urlprefix-/a pxyproto=true"}, {0}, "/a plain /a", "pxyproto is not obeyed"},
    {"grpcservername", {"urlprefix-/a grpcservername=b"}, {0}, "/a plain /a", "tls.server_name"},
    {"weight", {"urlprefix-/a weight=0.2"}, {0}, "/a plain /a", ""},
    {"weight that is none", {"urlprefix-/a weight=x"}, {0}, "/a plain /a", "weight is a share"},
    {"negative weight", {"urlprefix-/a weight=-1"}, {0}, "/a plain /a", ""},
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
    {"allow",
     {"urlprefix-/a allow=ip:10.0.0.0/8,ip:192.168.0.1,ip:fe80::1"},
     {0},
     "/a plain /a allow=3 deny=0",
     "only the client's address"},
    {"deny", {"urlprefix-/a deny=ip:10.0.0.0/8"}, {0}, "/a plain /a allow=0 deny=1", "only the"},
    {"allow and deny",
     {"urlprefix-/a allow=ip:10.0.0.0/8 deny=ip:10.1.0.0/16", "urlprefix-/b"},
     {0},
     "/b plain /b",
     "exclude each other"},
    {"allow of a name", {"urlprefix-/a allow=ip:example"}, {0}, "", "no IP address"},
    {"allow without ip", {"urlprefix-/a allow=10.0.0.1"}, {0}, "", "ip:ADDRESS"},
    {"allow nobody", {"urlprefix-/a allow="}, {0}, "", "ip:ADDRESS"},
    {"host glob", {"urlprefix-A*.b/"}, {0}, "a*.b/ plain a*.b/", ""},
    {"host set", {"urlprefix-[a-c]?.b/"}, {0}, "[a-c]?.b/ plain [a-c]?.b/", ""},
    {"host alternatives",
     {"urlprefix-{a,b}.c/x"},
     {0},
     "a.c/x plain a.c/x; b.c/x plain b.c/x",
     "braces before all others"},
    {"alternatives of alternatives", {"urlprefix-{a,{b,c}}.d/"}, {0}, "", "braces"},
    {"endless braces", {"urlprefix-{a/"}, {0}, "", "braces"},
    {"too many alternatives",
     {"urlprefix-{a,b,c,d,e}{a,b,c,d,e}/"},
     {0},
     "",
     "more than 16 alternatives"},
    {"braces in a path", {"urlprefix-/{a,b}"}, {0}, "/{a,b} plain /{a,b}", ""},
    {"redirect to itself by https",
     {"urlprefix-a/ redirect=301,https://a$path"},
     {0},
     "a/ plain a/ http redirect=301,https://a$path",
     ""},
    {"redirect to itself by $host",
     {"urlprefix-a/ redirect=302,https://$host/$path"},
     {0},
     "a/ plain a/ http redirect=302,https://$host/$path",
     ""},
    {"redirect to itself by http",
     {"urlprefix-a/ redirect=301,http://a/$path"},
     {0},
     "a/ plain a/ https redirect=301,http://a/$path",
     ""},
    {"redirect to itself without a prefix",
     {"urlprefix-a/x strip=/x redirect=301,https://a$path"},
     {0},
     "a/x plain a/x strip=/x redirect=301,https://a$path",
     ""},
    {"redirect elsewhere",
     {"urlprefix-a/ redirect=301,https://b$path"},
     {0},
     "a/ plain a/ redirect=301,https://b$path",
     ""},
    {"redirect to another path",
     {"urlprefix-a/x redirect=301,https://a/y$path"},
     {0},
     "a/x plain a/x redirect=301,https://a/y$path",
     ""},
    {"TLS and a name", {"urlprefix-/a proto=https host=b"}, {0}, "/a plain /a set_host=b", "tls."},
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
    changed.fabio_matcher = FABIO_IPREFIX;
    check_tag_row(
        &(struct tag_row){
            "iprefix", {"urlprefix-/A"}, {0}, "/A iplain /A", "lower case before others"},
        &changed);
    changed.fabio_matcher = FABIO_GLOB;
    check_tag_row(&(struct tag_row){"glob",
                                    {"urlprefix-/{a,b}*"},
                                    {0},
                                    "/a* glob /a*; /b* glob /b*",
                                    "before its first wildcard"},
                  &changed);
    changed.fabio_matcher = FABIO_PREFIX;
    changed.fabio_prefix = "fabio-";
    check_tag_row(&other, &changed);
    changed.fabio_prefix = "";
    check_tag_row(&off, &changed);
}

#define ONE_OF(g, list) (list)[rng_below(g, ARRAY_LEN(list))]

static const char *random_word(struct rng *g, struct arena *a, const char *letters, unsigned most)
{
    unsigned n = 1 + rng_below(g, most);
    char *word = arena_alloc(a, n + 1);

    for (unsigned i = 0; i < n; i++)
        word[i] = letters[rng_below(g, (uint32_t)strlen(letters))];
    return word;
}

/* A label, with wildcards in some of them; *ret_routes is multiplied by what it stands for. */
static const char *random_label(struct rng *g, struct arena *a, unsigned *ret_routes)
{
    const char *word = random_word(g, a, "abCD019", 6);

    switch (rng_below(g, 8)) {
    case 0:
        return arena_printf(a, "%s*", word);
    case 1:
        return arena_printf(a, "?%s", word);
    case 2:
        return arena_printf(a, "[a-c]%s", word);
    case 3:
        if (*ret_routes > 4)
            return word;
        *ret_routes *= 2;
        return arena_printf(a, "{x%s,y}", word);
    default:
        return word;
    }
}

static const char *random_host(struct rng *g, struct arena *a, unsigned *ret_routes)
{
    static const char *const ports[] = {"", "", "", ":80", ":443", ":8080"};
    const char *host;

    if (rng_below(g, 5) == 0)
        return "";
    host = rng_below(g, 4) == 0 ? "*" : random_label(g, a, ret_routes);
    for (unsigned n = 1 + rng_below(g, 3); n > 0; n--)
        host = arena_printf(a, "%s.%s", host, random_label(g, a, ret_routes));
    return arena_printf(a, "%s%s", host, ONE_OF(g, ports));
}

static const char *random_option(struct rng *g, struct arena *a)
{
    static const char *const fixed[] = {"host=dst",
                                        "host=Web.example:81",
                                        "redirect=301,https://$host/$path",
                                        "redirect=308,/x?y=$path",
                                        "proto=http",
                                        "proto=https",
                                        "proto=grpc",
                                        "proto=grpcs",
                                        "proto=later",
                                        "weight=0.25",
                                        "weight=1",
                                        "weight=.5",
                                        "weight=-1",
                                        "tlsskipverify=true",
                                        "pxyproto=true",
                                        "allow=ip:10.0.0.0/8,ip:fe80::1",
                                        "auth=staff",
                                        "register=web",
                                        "grpcservername=web",
                                        "flag",
                                        "a=b=c",
                                        "="};
    switch (rng_below(g, 4)) {
    case 0:
        return arena_printf(a, "strip=/%s", random_word(g, a, "ab/.-_~%", 1));
    case 1:
        return arena_printf(a, "prepend=/%s", random_word(g, a, "abC9", 8));
    default:
        return ONE_OF(g, fixed);
    }
}

/* Whatever the grammar allows has its routes. */
static void test_every_tag_of_the_grammar(void **state)
{
    static const char *const spaces[] = {" ", "  ", "\t", " \t "};
    struct rng g = {.state = 7};

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        struct arena *a = arena_new();
        unsigned wanted = 1, got = 0;
        const char *host = random_host(&g, a, &wanted);
        const char *tag = arena_printf(a, "%surlprefix-%s/%s", rng_below(&g, 4) ? "" : " ", host,
                                       rng_below(&g, 4) ? random_word(&g, a, "abC9/-._~", 12) : "");
        struct instance one = {.node = "n", .id = "i", .tags = &tag, .ntags = 1};
        struct instance_set set = {.service = "web", .n = 1, .items = &one};
        struct tag_routes routes;

        for (unsigned n = rng_below(&g, 5); n > 0; n--)
            tag = arena_printf(a, "%s%s%s", tag, ONE_OF(&g, spaces), random_option(&g, a));
        tags_parse(&set, &consul, a, &routes);
        for (const struct fabio_target *t = routes.targets; t; t = t->next, got++)
            assert_null(strpbrk(t->conf->host, "ABCDEFGHIJKLMNOPQRSTUVWXYZ{}"));
        for (size_t k = 0; k < routes.nproblems; k++)
            if (routes.problems[k].kind == TAG_LEFT_OUT)
                fail_msg("%s: %s", tag, routes.problems[k].why);
        if (got != wanted)
            fail_msg("%s: %u routes", tag, got);
        arena_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_every_tag_of_the_grammar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
