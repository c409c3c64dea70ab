/* SPDX-License-Identifier: Apache-2.0 */
#include "route/traefik.h"

#include "tag_rows.h"

static const struct consul_conf consul = {.expose = EXPOSE_TAGGED,
                                          .tag_prefix = "frontdesk.",
                                          .traefik_prefix = "traefik.",
                                          .traefik_entry_points = "web, websecure"};

#define RULE(text)      "traefik.http.routers.r.rule=" text
#define ROUTER(key)     "traefik.http.routers.r." key
#define MIDDLEWARE(key) "traefik.http.middlewares." key
#define SERVICE(key)    "traefik.http.services.web." key
#define A               "Host(`a`)"

static const struct tag_row rule_rows[] = {
    {"host", {RULE("Host(`Shop.Example`)")}, {0}, "r shop.example/", ""},
    {"any case of keys", {"Traefik.HTTP.Routers.r.RULE=" A}, {0}, "r a/", ""},
    {"wildcard", {RULE("Host(`*.a.b`)")}, {0}, "r *.a.b/ host~^[^.]+\\.a\\.b$", ""},
    {"any host", {RULE("Host(`*`)")}, {0}, "r /", ""},
    {"prefix", {RULE("PathPrefix(`/x`)")}, {0}, "r plain /x", ""},
    {"path", {RULE("Path(`/x`)")}, {0}, "r exact /x", ""},
    {"host and path", {RULE(A " && PathPrefix(`/x`)")}, {0}, "r plain a/x", ""},
    {"or", {RULE("Host(`a`, `b`) || Path(`/x`)")}, {0}, "r a/; r b/; r exact /x", ""},
    {"host expression", {RULE("HostRegexp(`^.+\\.b$`)")}, {0}, "r / host~^.+\\.b$", ""},
    {"host template (v2)",
     {RULE("HostRegexp(`{x:[a-z]+}.b`)")},
     {0},
     "r / host~^(?:[a-z]+)\\.b$",
     ""},
    {"bare host template (v2)", {RULE("HostRegexp(`{x}.b`)")}, {0}, "r / host~^[^.]+\\.b$", ""},
    {"path expression", {RULE("PathRegexp(`\\.(jpg|png)$`)")}, {0}, "r / path~\\.(jpg|png)$", ""},
    {"path template (v2)",
     {RULE("Path(`/o/{id:[0-9]{2,3}}/x`)")},
     {0},
     "r plain /o/ path~^/o/(?:[0-9]{2,3})/x$",
     ""},
    {"prefix template (v2)",
     {RULE("PathPrefix(`/o/{id}`)")},
     {0},
     "r plain /o/ path~^/o/[^/]+",
     ""},
    {"prefix and expression",
     {RULE("PathPrefix(`/o`) && PathRegexp(`[0-9]$`)")},
     {0},
     "r plain /o path~[0-9]$",
     ""},
    {"not a prefix", {RULE(A " && !PathPrefix(`/x`)")}, {0}, "r a/ path!~^/x", ""},
    {"not paths",
     {RULE(A " && !Path(`/x.y`) && !PathRegexp(`z$`)")},
     {0},
     "r a/ path!~(?:^/x\\.y$)|(?:z$)",
     ""},
    {"not a host", {RULE("!Host(`a`)")}, {0}, "r / host!~^a$", ""},
    {"nested prefixes", {RULE("PathPrefix(`/a`) && PathPrefix(`/a/b`)")}, {0}, "r plain /a/b", ""},
    {"path in a prefix", {RULE("Path(`/a/b`) && PathPrefix(`/a`)")}, {0}, "r exact /a/b", ""},
    {"path not in a prefix",
     {RULE("Path(`/a`) && PathPrefix(`/a/b`)")},
     {0},
     "",
     "begin with both"},
    {"two hosts at once", {RULE("Host(`a`) && Host(`b`)")}, {0}, "", "two at once"},
    {"two paths at once", {RULE("Path(`/a`) && Path(`/b`)")}, {0}, "", "two at once"},
    {"two prefixes at once",
     {RULE("PathPrefix(`/a`) && PathPrefix(`/b`)")},
     {0},
     "",
     "begin with both"},
    {"method", {RULE("Method(`get`)")}, {0}, "r / GET", ""},
    {"not a method", {RULE("!Method(`GET`)")}, {0}, "", "a method that must not be"},
    {"header", {RULE("Header(`X-A`, `b`)")}, {0}, "r / X-A=b", ""},
    {"header expression", {RULE("HeaderRegexp(`X-A`, `^b`)")}, {0}, "r / X-A~^b", ""},
    {"not a header", {RULE("!Header(`X-A`, `b`)")}, {0}, "r / !X-A=b", ""},
    {"header that is none", {RULE("Header(`X A`, `b`)")}, {0}, "", "not the name of a header"},
    {"query", {RULE("Query(`a`, `b`) && Query(`c`)")}, {0}, "r / ?a=b ?c", ""},
    {"control character", {RULE("Query(`a`, `\x1b`)")}, {0}, "", "control character"},
    {"query expression", {RULE("QueryRegexp(`a`, `^b`)")}, {0}, "r / ?a~^b", ""},
    {"client",
     {RULE("ClientIP(`10.0.0.0/8`, `::1`)")},
     {0},
     "r / allow=2 deny=0",
     "ClientIP refuses"},
    {"not a client",
     {RULE("!ClientIP(`10.0.0.0/8`)")},
     {0},
     "r / allow=0 deny=1",
     "ClientIP refuses"},
    {"client that is none", {RULE("ClientIP(`x`)")}, {0}, "", "an IP address"},
    {"bad expression", {RULE("PathRegexp(`(`)")}, {0}, "", "cannot be used"},
    {"look-ahead", {RULE("PathRegexp(`^/(?!a)`)")}, {0}, "", "cannot be used"},
    {"host that is none", {RULE("Host(`a/b`)")}, {0}, "", "a host"},
    {"host with a star within", {RULE("Host(`a*b`)")}, {0}, "", "a host is a name"},
    {"path that is none", {RULE("Path(`x`)")}, {0}, "", "not a path"},
    {"bad rule takes no other",
     {RULE("Host("), "traefik.http.routers.s.rule=Host(`b`)"},
     {0},
     "s b/",
     "between backticks"},
};

static const struct tag_row router_rows[] = {
    {"default rule", {"traefik.enable=true"}, {0}, "web web/", ""},
    {"disabled", {"traefik.enable=false", RULE(A)}, {0}, "", ""},
    {"key with a slip", {RULE(A), ROUTER("middleware=m")}, {0}, "", "a key of routers"},
    {"key with an index", {RULE(A), ROUTER("middlewares[0]=m")}, {0}, "", "a key of routers"},
    {"key behind a key", {RULE(A), ROUTER("middlewares.m=x")}, {0}, "", "a key of routers"},
    {"tags of version 1",
     {"traefik.enable=true", "traefik.frontend.auth.basic=a:b"},
     {0},
     "",
     "no default route"},
    {"middlewares alone",
     {MIDDLEWARE("m.stripprefix.prefixes=/x")},
     {0},
     "",
     "no router of this service"},
    {"a service alone", {SERVICE("loadbalancer.server.port=0")}, {0}, "", "it is not exposed"},
    {"other tags", {"traefik", "traefikx.enable=true", "v1"}, {0}, "", ""},
    {"two routers", {RULE(A), "traefik.http.routers.s.rule=Host(`b`)"}, {0}, "r a/; s b/", ""},
    {"priority above the length of the rule",
     {RULE(A), ROUTER("priority=50")},
     {0},
     "r a/ priority=50",
     "priorities are compared within a host"},
    {"priority below it",
     {RULE(A), ROUTER("priority=1")},
     {0},
     "r a/ priority=-99999",
     "priorities are compared"},
    {"priority 0 is none", {RULE(A), ROUTER("priority=0")}, {0}, "r a/", ""},
    {"negative priority",
     {RULE(A), ROUTER("priority=-5")},
     {0},
     "r a/ priority=-100005",
     "priorities are compared"},
    {"no priority", {RULE(A), ROUTER("priority=high")}, {0}, "", "not a number"},
    {"entry points",
     {RULE(A), ROUTER("entrypoints=web")},
     {0},
     "r a/",
     "entrypoints is not obeyed"},
    {"one public entry point",
     {RULE(A), ROUTER("entrypoints=internal, WebSecure")},
     {0},
     "r a/",
     "entrypoints is not obeyed"},
    {"private entry points",
     {RULE(A), ROUTER("entrypoints=internal,admin")},
     {0},
     "",
     "traefik_entry_points"},
    {"no entry point", {RULE(A), ROUTER("entrypoints=")}, {0}, "", "traefik_entry_points"},
    {"tls", {RULE(A), ROUTER("tls=true")}, {0}, "r a/ https", ""},
    {"no tls", {RULE(A), ROUTER("tls=false")}, {0}, "r a/", ""},
    {"resolver", {RULE(A), ROUTER("tls.certresolver=le")}, {0}, "r a/ https", "certificates"},
    {"its service",
     {RULE(A), ROUTER("service=x"), "traefik.http.services.x.loadbalancer.server.port=0"},
     {0},
     "r a/",
     ""},
    {"its service by its name", {RULE(A), ROUTER("service=web@consulcatalog")}, {0}, "r a/", ""},
    {"another service", {RULE(A), ROUTER("service=api@internal")}, {0}, "", "not one of these"},
    {"one of two services",
     {RULE(A), "traefik.http.services.x.loadbalancer.server.port=0",
      "traefik.http.services.y.loadbalancer.server.port=0"},
     {0},
     "",
     "which of its services"},
    {"no rule", {ROUTER("tls=true")}, {0}, "", "without a rule"},
    {"unknown key", {RULE(A), ROUTER("observability.metrics=false")}, {0}, "r a/", "not a key"},
    {"another port", {RULE(A), SERVICE("loadbalancer.server.port=81")}, {0}, "", "registered with"},
    {"scheme", {RULE(A), SERVICE("loadbalancer.server.scheme=https")}, {0}, "r a/", ""},
    {"no host header",
     {RULE(A), SERVICE("loadbalancer.passhostheader=false")},
     {0},
     "r a/ set_host=dst",
     ""},
    {"sticky", {RULE(A), SERVICE("loadbalancer.sticky.cookie=true")}, {0}, "r a/", "sticky is not"},
    {"health check",
     {RULE(A), SERVICE("loadbalancer.healthcheck.path=/h")},
     {0},
     "r a/",
     "Consul decide"},
    {"weighted", {RULE(A), SERVICE("weighted.services=x")}, {0}, "r a/", "other than loadbalancer"},
    {"tcp", {"traefik.tcp.routers.r.rule=HostSNI(`*`)"}, {0}, "", "TCP and UDP"},
    {"connect", {RULE(A), "traefik.consulcatalog.connect=true"}, {0}, "r a/", "not a key"},
};

#define USES(names) RULE(A " && PathPrefix(`/x`)"), ROUTER("middlewares=" names)

static const struct tag_row middleware_rows[] = {
    {"strip",
     {USES("m"), MIDDLEWARE("m.stripprefix.prefixes=/x")},
     {0},
     "r plain a/x strip=/x",
     ""},
    {"strip one of several",
     {USES("m"), MIDDLEWARE("m.stripprefix.prefixes=/y, /x")},
     {0},
     "r plain a/x strip=/x",
     ""},
    {"strip whichever it is",
     {RULE(A), ROUTER("middlewares=m"), MIDDLEWARE("m.stripprefix.prefixes=/y,/x")},
     {0},
     "",
     "several prefixes"},
    {"strip of any path",
     {RULE(A), ROUTER("middlewares=m"), MIDDLEWARE("m.stripprefix.prefixes=/y")},
     {0},
     "r plain a/ strip=/y",
     ""},
    {"strip and add",
     {USES("m,n"), MIDDLEWARE("m.stripprefix.prefixes=/x"), MIDDLEWARE("n.addprefix.prefix=/v2")},
     {0},
     "r plain a/x strip=/x prepend=/v2",
     ""},
    {"add and strip",
     {USES("n,m"), MIDDLEWARE("m.stripprefix.prefixes=/x"), MIDDLEWARE("n.addprefix.prefix=/v2")},
     {0},
     "",
     "stripped after"},
    {"replace",
     {USES("m"), MIDDLEWARE("m.replacepath.path=/y")},
     {0},
     "r plain a/x rewrite=/y",
     ""},
    {"replace by expression",
     {USES("m"), MIDDLEWARE("m.replacepathregex.regex=^/x/(.*)"),
      MIDDLEWARE("m.replacepathregex.replacement=/y/$1")},
     {0},
     "",
     "PathPrefix of what it replaces"},
    {"replace by expression below it",
     {RULE("PathPrefix(`/x/`)"), ROUTER("middlewares=m"),
      MIDDLEWARE("m.replacepathregex.regex=^/x/(.*)$"),
      MIDDLEWARE("m.replacepathregex.replacement=/y.z/${1}")},
     {0},
     "r plain /x/ strip=/x/ prepend=/y.z",
     ""},
    {"replace by an expression without a rest",
     {RULE("PathPrefix(`/x/`)"), ROUTER("middlewares=m"),
      MIDDLEWARE("m.replacepathregex.regex=^/x/"),
      MIDDLEWARE("m.replacepathregex.replacement=/y/$1")},
     {0},
     "",
     "is supported as"},
    {"replace by another expression",
     {USES("m"), MIDDLEWARE("m.replacepathregex.regex=^/x/([a-z]+)"),
      MIDDLEWARE("m.replacepathregex.replacement=/y/$1")},
     {0},
     "",
     "is supported as"},
    {"redirect to https",
     {RULE(A), ROUTER("middlewares=m"), MIDDLEWARE("m.redirectscheme.scheme=https"),
      MIDDLEWARE("m.redirectscheme.permanent=true")},
     {0},
     "r a/ http redirect=301,https://$hostname$path; r a/ https",
     "301 or 302"},
    {"redirect to a port",
     {RULE(A), ROUTER("middlewares=m"), MIDDLEWARE("m.redirectscheme.scheme=https"),
      MIDDLEWARE("m.redirectscheme.port=8443")},
     {0},
     "r a/ http redirect=302,https://$hostname:8443$path; r a/ https",
     "301 or 302"},
    {"redirect of a router with TLS",
     {RULE(A), ROUTER("middlewares=m"), ROUTER("tls=true"),
      MIDDLEWARE("m.redirectscheme.scheme=https")},
     {0},
     "r a/ https",
     "301 or 302"},
    {"redirect to another host",
     {RULE("Host(`www.a`)"), ROUTER("middlewares=m"),
      MIDDLEWARE("m.redirectregex.regex=^https?://www\\.a/(.*)"),
      MIDDLEWARE("m.redirectregex.replacement=https://a/${1}")},
     {0},
     "r www.a/ redirect=302,https://a$path",
     "301 or 302"},
    {"redirect of another host",
     {RULE(A), ROUTER("middlewares=m"), MIDDLEWARE("m.redirectregex.regex=^https?://www\\.a/(.*)"),
      MIDDLEWARE("m.redirectregex.replacement=https://a/${1}")},
     {0},
     "",
     "has the Host of its expression"},
    {"chain",
     {USES("c"), MIDDLEWARE("c.chain.middlewares=m"), MIDDLEWARE("m.stripprefix.prefixes=/x")},
     {0},
     "r plain a/x strip=/x",
     ""},
    {"chain of itself",
     {USES("c"), MIDDLEWARE("c.chain.middlewares=c")},
     {0},
     "",
     "chains of chains"},
    {"two kinds under one name",
     {USES("m"), MIDDLEWARE("m.headers.framedeny=true"), MIDDLEWARE("m.basicauth.users=a:b")},
     {0},
     "",
     "of two kinds"},
    {"headers",
     {USES("m"), MIDDLEWARE("m.headers.customrequestheaders.X-A=b"),
      MIDDLEWARE("m.headers.customresponseheaders.X-B="), MIDDLEWARE("m.headers.framedeny=true")},
     {0},
     "r plain a/x >X-A=b <-X-B <X-Frame-Options=DENY",
     ""},
    {"header that frames",
     {USES("m"), MIDDLEWARE("m.headers.customrequestheaders.Host=b")},
     {0},
     "",
     "may not be changed"},
    {"header that ends",
     {USES("m"), MIDDLEWARE("m.headers.customrequestheaders.X=a\nb")},
     {0},
     "",
     "control character"},
    {"cors",
     {USES("m"), MIDDLEWARE("m.headers.accesscontrolallowmethods=GET")},
     {0},
     "r plain a/x",
     "a policy of cors"},
    {"hosts that are allowed",
     {USES("m"), MIDDLEWARE("m.headers.allowedhosts=b")},
     {0},
     "",
     "allowedhosts is not supported"},
    {"TLS only", {USES("m"), MIDDLEWARE("m.headers.sslredirect=true")}, {0}, "", "redirectscheme"},
    {"TLS or not", {USES("m"), MIDDLEWARE("m.headers.sslredirect=false")}, {0}, "r plain a/x", ""},
    {"hsts",
     {USES("m"), MIDDLEWARE("m.headers.stsseconds=9")},
     {0},
     "r plain a/x",
     "hsts of the listener"},
    {"addresses",
     {USES("m"), MIDDLEWARE("m.ipallowlist.sourcerange=10.0.0.0/8, ::1")},
     {0},
     "r plain a/x allow=2 deny=0",
     ""},
    {"addresses (v2)",
     {USES("m"), MIDDLEWARE("m.ipwhitelist.sourcerange=10.0.0.0/8")},
     {0},
     "r plain a/x allow=1 deny=0",
     ""},
    {"no addresses",
     {USES("m"), MIDDLEWARE("m.ipallowlist.ipstrategy.depth=1")},
     {0},
     "",
     "without sourcerange"},
    {"who may is closed",
     {USES("m"), MIDDLEWARE("m.basicauth.users=a:b")},
     {0},
     "r plain a/x auth=m",
     "everybody is refused"},
    {"forward auth",
     {USES("m"), MIDDLEWARE("m.forwardauth.address=http://x/")},
     {0},
     "r plain a/x auth=m",
     "everybody is refused"},
    {"limit",
     {USES("m"), MIDDLEWARE("m.ratelimit.average=9")},
     {0},
     "r plain a/x",
     "rate_limits do that"},
    {"compress",
     {USES("m"), MIDDLEWARE("m.compress=true")},
     {0},
     "r plain a/x",
     "compress is not obeyed"},
    {"of another provider", {USES("m@file")}, {0}, "", "of another provider"},
    {"of another service", {USES("m")}, {0}, "", "not defined by any service"},
    {"unknown kind", {USES("m"), MIDDLEWARE("m.plugin.x=y")}, {0}, "", "not known here"},
    {"unused",
     {RULE(A), MIDDLEWARE("m.stripprefix.prefixes=/x")},
     {0},
     "r a/",
     "no router of this service"},
};

static void check_rows(const struct tag_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        check_tag_row(&rows[i], &consul);
}

static void test_rules(void **state)
{
    (void)state;
    check_rows(rule_rows, ARRAY_LEN(rule_rows));
}

static void test_routers(void **state)
{
    (void)state;
    check_rows(router_rows, ARRAY_LEN(router_rows));
}

static void test_middlewares(void **state)
{
    (void)state;
    check_rows(middleware_rows, ARRAY_LEN(middleware_rows));
}

/* Middlewares that other services define. */
static void test_library(void **state)
{
    static const struct {
        const char *name, *others[4]; /* "SERVICE TAG" */
        const char *routes;
    } rows[] = {
        {"of another", {"b " MIDDLEWARE("m.stripprefix.prefixes=/x")}, "r plain a/x strip=/x"},
        {"of nobody", {"b " MIDDLEWARE("n.stripprefix.prefixes=/x")}, ""},
        {"of two who agree",
         {"b " MIDDLEWARE("m.stripprefix.prefixes=/x"),
          "c " MIDDLEWARE("m.stripprefix.prefixes=/x")},
         "r plain a/x strip=/x"},
        {"of two who do not",
         {"b " MIDDLEWARE("m.stripprefix.prefixes=/x"),
          "c " MIDDLEWARE("m.stripprefix.prefixes=/y")},
         ""},
        {"one says more",
         {"b " MIDDLEWARE("m.headers.framedeny=true"), "c " MIDDLEWARE("m.headers.framedeny=true"),
          "c " MIDDLEWARE("m.headers.customresponseheaders.X=")},
         ""},
        {"any case",
         {"b traefik.HTTP.middlewares.M.addprefix.prefix=/y"},
         "r plain a/x prepend=/y"},
    };
    const char *tags[] = {USES("m")};
    struct instance own = {.node = "n", .id = "i", .tags = tags, .ntags = 2};
    struct instance_set web = {.service = "web", .n = 1, .items = &own};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena *a = arena_new();
        const char *texts[4];
        struct instance one[4];
        struct instance_set others[4];
        const struct instance_set *sets[5] = {&web};
        size_t n = 0;
        bool uses;

        for (; n < 4 && rows[i].others[n]; n++) {
            texts[n] = rows[i].others[n] + 2;
            one[n] = (struct instance){.node = "n", .id = "i", .tags = &texts[n], .ntags = 1};
            others[n] = (struct instance_set){
                .service = arena_strndup(a, rows[i].others[n], 1), .n = 1, .items = &one[n]};
            sets[n + 1] = &others[n];
            assert_int_not_equal(tags_library_part(&others[n], &consul, &uses), 0);
            assert_false(uses);
        }
        assert_int_equal(tags_library_part(&web, &consul, &uses), 0);
        assert_true(uses);
        struct tag_library *library = tags_library_new(sets, n + 1, &consul);
        struct tag_routes routes;
        const char *text = "";

        tags_parse_with(&web, &consul, library, a, &routes);
        for (size_t k = 0; k < routes.ninputs; k++)
            text = arena_printf(a, "%s%s%s", text, *text ? "; " : "",
                                route_text(a, routes.inputs[k].conf));
        if (strcmp(text, rows[i].routes) != 0)
            fail_msg("%s: '%s' %s", rows[i].name, text,
                     routes.nproblems ? routes.problems[0].why : "");
        assert_int_equal(routes.nproblems, *rows[i].routes ? 0 : 1);
        tags_library_free(&library);
        arena_free(a);
    }
}

static void test_off_and_renamed(void **state)
{
    static const struct tag_row off = {"off", {RULE(A)}, {0}, "", ""};
    static const struct tag_row other = {
        "other", {"lb.http.routers.r.rule=" A, RULE("Host(`b`)")}, {0}, "r a/", ""};
    struct consul_conf changed = consul;

    (void)state;
    changed.traefik_prefix = "";
    check_tag_row(&off, &changed);
    changed.traefik_prefix = "lb.";
    check_tag_row(&other, &changed);
}

static void test_bounds(void **state)
{
    static char texts[300][64], rule[5000];
    static const char *tags[300];
    struct instance one = {.node = "n", .id = "i", .tags = tags, .ntags = 300};
    struct instance_set set = {.service = "web", .n = 1, .items = &one};
    struct arena *a = arena_new();
    struct tag_routes routes;

    (void)state;
    for (unsigned i = 0; i < 300; i++) {
        snprintf(texts[i], sizeof texts[i], "traefik.http.routers.r%u.rule=Path(`/%u`)", i, i);
        tags[i] = texts[i];
    }
    tags_parse(&set, &consul, a, &routes);
    assert_int_equal(routes.ninputs, 0);
    assert_int_equal(routes.nproblems, 1);
    one.ntags = 256;
    tags_parse(&set, &consul, a, &routes);
    assert_int_equal(routes.ninputs, 64);
    assert_int_equal(routes.nproblems, 1);
    memset(rule, 'x', sizeof rule - 1);
    memcpy(rule, RULE("Path(`/"), strlen(RULE("Path(`/")));
    tags[0] = rule;
    one.ntags = 1;
    tags_parse(&set, &consul, a, &routes);
    assert_int_equal(routes.ninputs, 0);
    assert_string_equal(routes.problems[0].why, "longer than 4 KiB");
    arena_free(a);
}

/* What was not read may be what keeps people out. */
static void test_what_is_not_read(void **state)
{
    static char name[600], list[5000], long_rule[700], long_use[700], use[5100];
    const char *long_names[] = {long_rule, long_use}, *long_lists[] = {RULE(A), use};
    struct instance one = {.node = "n", .id = "i", .ntags = 2};
    struct instance_set set = {.service = "web", .n = 1, .items = &one};
    struct arena *a = arena_new();
    struct tag_routes routes;

    (void)state;
    memset(name, 'n', 490);
    memset(list, ',', sizeof list - 1);
    snprintf(long_rule, sizeof long_rule, "traefik.http.routers.%s.rule=" A, name);
    snprintf(long_use, sizeof long_use, "traefik.http.routers.%s.middlewares=x@file", name);
    snprintf(use, sizeof use, ROUTER("middlewares=x@file%s"), list);
    one.tags = long_names;
    tags_parse(&set, &consul, a, &routes);
    assert_int_equal(routes.ninputs, 0);
    one.tags = long_lists;
    tags_parse(&set, &consul, a, &routes);
    assert_int_equal(routes.ninputs, 0);
    assert_int_equal(routes.nproblems, 1);
    arena_free(a);
}

/* All say the same, and each costs something. */
static void test_many_routers(void **state)
{
    static char texts[5 * 250][64];
    static const char *tags[5 * 250];
    struct instance items[5];
    struct instance_set set = {.service = "web", .n = 5, .items = items};
    struct arena *a = arena_new();
    struct tag_routes routes;

    (void)state;
    for (unsigned i = 0; i < 5 * 250; i++) {
        snprintf(texts[i], sizeof texts[i], "traefik.http.routers.r%u.rule=Path(`/`)", i);
        tags[i] = texts[i];
    }
    for (unsigned i = 0; i < 5; i++)
        items[i] = (struct instance){
            .node = "n", .id = "i", .tags = tags + (size_t)i * 250, .ntags = i < 4 ? 250 : 24};
    tags_parse(&set, &consul, a, &routes);
    assert_int_equal(routes.ninputs, 1);
    assert_int_equal(routes.nproblems, 0);
    items[4].ntags = 25;
    tags_parse(&set, &consul, a, &routes);
    assert_int_equal(routes.nproblems, 1);
    assert_non_null(strstr(routes.problems[0].why, "1024 routers"));
    arena_free(a);
}

/* Each is a chain of forty times the next one. */
static void test_wide_chains(void **state)
{
    static char texts[5][400];
    static const char *tags[7] = {RULE(A), ROUTER("middlewares=m0")};
    struct instance one = {.node = "n", .id = "i", .tags = tags, .ntags = 7};
    struct instance_set set = {.service = "web", .n = 1, .items = &one};
    struct arena *a = arena_new();
    struct tag_routes routes;

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        int n = snprintf(texts[i], sizeof texts[i], MIDDLEWARE("m%u.%s="), i,
                         i < 4 ? "chain.middlewares" : "compress");

        for (unsigned k = 0; k < 40; k++)
            n += snprintf(texts[i] + n, sizeof texts[i] - (size_t)n, "m%u,", i + 1);
        tags[2 + i] = texts[i];
    }
    tags_parse(&set, &consul, a, &routes);
    assert_int_equal(routes.ninputs, 0);
    assert_non_null(strstr(routes.problems[routes.nproblems - 1].why, "more than 64 middlewares"));
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_routers),
        cmocka_unit_test(test_middlewares),
        cmocka_unit_test(test_off_and_renamed),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_library),
        cmocka_unit_test(test_wide_chains),
        cmocka_unit_test(test_many_routers),
        cmocka_unit_test(test_what_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
