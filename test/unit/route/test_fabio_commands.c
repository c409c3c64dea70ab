/* SPDX-License-Identifier: Apache-2.0 */
#include "route/fabio.h"

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* A command in short; trouble in brackets. */
static const char *text_of(struct arena *a, const struct fabio_command *c)
{
    static const char *const verbs[] = {"add", "del", "weight"};
    const char *text = verbs[c->verb];

    if (c->trouble)
        return arena_printf(a, "%u [%s]", c->line, c->trouble);
    text = arena_printf(a, "%u %s %s %s %s", c->line, text, c->service ? c->service : "*",
                        c->src ? c->src : "*", c->dst ? c->dst : "*");
    if (c->weight > 0)
        text = arena_printf(a, "%s %.2f", text, c->weight);
    for (unsigned i = 0; i < c->ntags; i++)
        text = arena_printf(a, "%s #%s", text, c->tags[i]);
    if (c->opts)
        text = arena_printf(a, "%s (%s)", text, c->opts);
    if (c->verb == FABIO_ADD && !c->redirect)
        text =
            arena_printf(a, "%s %s=%s,%s,%u", text, c->static_service, c->scheme, c->host, c->port);
    return text;
}

static const struct {
    const char *name, *text, *wanted;
} rows[] = {
    {"nothing", "", ""},
    {"comments and blank lines", "\n# a\n  // b\n\t\r\n", ""},
    {"add", "route add web a.b/ http://10.0.0.1:80/",
     "1 add web a.b/ http://10.0.0.1:80/ web:kv=http,10.0.0.1,80"},
    {"spaces", "  route \t add  web  /x   https://h/ \r\n",
     "1 add web /x https://h/ web:kv=https,h,443"},
    {"everything",
     "route add web /x http://h:1/ weight 0.25 tags \"a, b\" opts \"strip=/x proto=http\"",
     "1 add web /x http://h:1/ 0.25 #a #b (strip=/x proto=http) web:kv=http,h,1"},
    {"any order", "route add web /x http://h:1/ opts \"a=b\" tags \"c\" weight 1",
     "1 add web /x http://h:1/ 1.00 #c (a=b) web:kv=http,h,1"},
    {"IPv6", "route add web /x http://[::1]:9/", "1 add web /x http://[::1]:9/ web:kv=http,::1,9"},
    {"redirect", "route add web /x https://h$path opts \"redirect=301\"",
     "1 add web /x https://h$path (redirect=301)"},
    {"a service for each source",
     "route add web /x http://h:1/\nroute add web /y http://h:2/\nroute add web /x http://h:3/\n"
     "route add api /x http://h:4/",
     "1 add web /x http://h:1/ web:kv=http,h,1; 2 add web /y http://h:2/ web:kv2=http,h,2; "
     "3 add web /x http://h:3/ web:kv=http,h,3; 4 add api /x http://h:4/ api:kv=http,h,4"},
    {"del service", "route del web", "1 del web * *"},
    {"case of a service", "route del WEB", "1 del web * *"},
    {"del source", "route del web /x", "1 del web /x *"},
    {"del target", "route del web /x http://h:1/", "1 del web /x http://h:1/"},
    {"del tags", "route del tags \"a\"", "1 del * * * #a"},
    {"del tags of a service", "route del web tags \"a,b\"", "1 del web * * #a #b"},
    {"weight", "route weight web /x weight 0.1", "1 weight web /x * 0.10"},
    {"weight of tags", "route weight web /x weight .5 tags \"a\"", "1 weight web /x * 0.50 #a"},
    {"weight of any service", "route weight /x weight 0.5 tags \"a\"", "1 weight * /x * 0.50 #a"},
    {"others after a bad one", "route add web\nroute del web",
     "1 [expected: route add SERVICE SRC DST]; 2 del web * *"},
    {"no command", "hello", "1 [expected: route add, route del or route weight]"},
    {"no such command", "route move web", "1 [expected: route add, route del or route weight]"},
    {"tcp", "route add web :80 tcp://h:1", "1 [targets are http, https, grpc or grpcs]"},
    {"no URL", "route add web /x h:1", "1 [the target is not a URL such as http://10.0.0.1:8080/]"},
    {"bad port", "route add web /x http://h:99999/",
     "1 [the target is not a URL such as http://10.0.0.1:8080/]"},
    {"open quote", "route del tags \"a", "1 [tags takes a list in double quotes]"},
    {"a NUL", "route add \x01 /x http://h/", "1 [holds a control character]"},
    {"another option", "route add web /x http://h/ opts \"xredirect=301\"",
     "1 add web /x http://h/ (xredirect=301) web:kv=http,h,80"},
    {"nothing but a quote", "\"", "1 [expected: route add, route del or route weight]"},
    {"open quote at the end", "route add web /x http://h:1/ opts \"a",
     "1 [opts takes options in double quotes]"},
    {"tags without quotes", "route del tags a", "1 [tags takes a list in double quotes]"},
    {"no tag", "route del tags \",\"", "1 [no tag]"},
    {"weight that is none", "route weight web /x weight a", "1 [weight takes a number]"},
    {"no weight", "route weight web /x", "1 [expected weight and a number]"},
    {"any service without tags", "route weight /x weight 1", "1 [without a service it needs tags]"},
    {"del nothing", "route del", "1 [expected: route del SERVICE [SRC [DST]] or tags]"},
    {"del source and tags", "route del web /x tags \"a\"", "1 [tags do not go with a source]"},
    {"too much", "route del web /x http://h/ more", "1 [there is more than the command takes]"},
    {"twice", "route weight web /x weight 1 weight 2", "1 [there is more than the command takes]"},
    {"quotes elsewhere", "route del web \"x\"", "1 [a text in quotes belongs behind tags or opts]"},
};

static const char *parsed(struct arena *a, const char *text)
{
    struct fabio_text one = {"k", str_of(text)};
    struct fabio_commands *c = fabio_commands_parse(&one, 1);
    const char *all = "";

    for (size_t k = 0; k < c->n; k++)
        all = arena_printf(a, "%s%s%s", all, k > 0 ? "; " : "", text_of(a, &c->items[k]));
    fabio_commands_unref(&c);
    return all;
}

static void test_commands(void **state)
{
    struct arena *a = arena_new();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *got = parsed(a, rows[i].text);

        if (strcmp(got, rows[i].wanted) != 0)
            fail_msg("%s: '%s'", rows[i].name, got);
    }
    arena_free(a);
}

static void test_several_keys(void **state)
{
    struct fabio_text texts[] = {{"a", STR("\nroute del x")}, {"b", STR("route del y\nfoo")}};
    struct fabio_commands *c = fabio_commands_parse(texts, 2);

    (void)state;
    assert_int_equal(c->n, 3);
    assert_string_equal(c->items[0].key, "a");
    assert_int_equal(c->items[0].line, 2);
    assert_string_equal(c->items[2].key, "b");
    assert_int_equal(c->items[2].line, 2);
    assert_string_equal(c->items[2].text, "foo");
    fabio_commands_unref(&c);
}

static void test_bounds(void **state)
{
    struct arena *a = arena_new();
    char *text = arena_alloc(a, FABIO_MAX_TEXT + 2);
    struct fabio_text one = {"k", {text, 5000}};
    struct fabio_commands *c;

    (void)state;
    memset(text, 'x', FABIO_MAX_TEXT + 1);
    c = fabio_commands_parse(&one, 1);
    assert_int_equal(c->n, 1);
    assert_string_equal(c->items[0].trouble, "longer than 4 KiB");
    fabio_commands_unref(&c);
    one.text.n = FABIO_MAX_TEXT + 1;
    c = fabio_commands_parse(&one, 1);
    assert_int_equal(c->n, 1);
    assert_non_null(strstr(c->items[0].trouble, "too many"));
    fabio_commands_unref(&c);
    for (size_t i = 1; i < FABIO_MAX_TEXT; i += 2)
        text[i] = '\n';
    one.text.n = FABIO_MAX_TEXT;
    c = fabio_commands_parse(&one, 1);
    assert_int_equal(c->n, FABIO_MAX_COMMANDS + 1);
    fabio_commands_unref(&c);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_several_keys),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
