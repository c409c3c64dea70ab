/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#define BIT(e) (1u << (WEBHOOK_##e))

static void defaults(void **state)
{
    struct config *c = parse_ok("webhooks: [{url: \"http://127.0.0.1:9000/x\"}]\n");
    const struct webhook_conf *w = c->webhooks;

    (void)state;
    assert_int_equal(c->nwebhooks, 1);
    assert_string_equal(w->url, "http://127.0.0.1:9000/x");
    assert_int_equal(w->on, BIT(OPEN) | BIT(CLOSED) | BIT(FORCED) | BIT(EJECTED) | BIT(RESTORED));
    assert_null(w->token_file);
    assert_int_equal(w->timeout_ms, 5000);
    assert_int_equal(w->attempts, 5);
    config_unref(&c);
}

static void none(void **state)
{
    struct config *c = parse_ok("webhooks: []\n");

    (void)state;
    assert_int_equal(c->nwebhooks, 0);
    config_unref(&c);
    c = parse_ok("webhooks:\n");
    assert_int_equal(c->nwebhooks, 0);
    config_unref(&c);
}

static void every_key(void **state)
{
    struct config *c = parse_ok("webhooks:\n"
                                "  - url: https://chat.example/hooks/KEY\n"
                                "    name: oncall\n"
                                "    on: [shadow, half_open]\n"
                                "    token_file: /t\n"
                                "    timeout: 2s\n"
                                "    attempts: 1\n"
                                "  - {url: http://b.example, on: open}\n");
    const struct webhook_conf *w = c->webhooks;

    (void)state;
    assert_int_equal(c->nwebhooks, 2);
    assert_string_equal(w->name, "oncall");
    assert_int_equal(w->on, BIT(SHADOW) | BIT(HALF_OPEN));
    assert_string_equal(w->token_file, "/t");
    assert_int_equal(w->timeout_ms, 2000);
    assert_int_equal(w->attempts, 1);
    assert_int_equal(w[1].on, BIT(OPEN));
    config_unref(&c);
}

/* Nothing behind the host may be a secret that is shown, nor what is before it. */
static void what_is_shown(void **state)
{
    static const struct {
        const char *url, *shown;
    } rows[] = {
        {"http://a.example", "http://a.example"},
        {"http://a.example/", "http://a.example"},
        {"https://a.example:8443/", "https://a.example:8443"},
        {"https://hooks.example/services/T0/B0/secret", "https://hooks.example/..."},
        {"https://hooks.example?key=secret", "https://hooks.example/..."},
        {"http://user:secret@a.example:80/x", "http://a.example:80/..."},
        {"http://user:p@secret@a.example", "http://a.example"},
        {"http://[::1]:9000/secret", "http://[::1]:9000/..."},
        {"http://a.example/x@secret", "http://a.example/..."},
    };
    char text[200];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct config *c;

        snprintf(text, sizeof text, "webhooks: [{url: \"%s\"}]\n", rows[i].url);
        c = parse_ok(text);
        assert_string_equal(c->webhooks[0].url, rows[i].url);
        assert_string_equal(c->webhooks[0].shown, rows[i].shown);
        assert_string_equal(c->webhooks[0].name, rows[i].shown);
        config_unref(&c);
    }
}

static void refused(void **state)
{
    static const struct refusal rows[] = {
        {"webhooks: {url: \"http://a\"}\n", "expected a list of webhooks"},
        {"webhooks: [http://a]\n", "expected a map such as"},
        {"webhooks: [{on: open}]\n", "needs a url"},
        {"webhooks: [{url: }]\n", "expected a URL"},
        {"webhooks: [{url: [a]}]\n", "expected a URL"},
        {"webhooks: [{url: a.example}]\n", "does not begin with http://"},
        {"webhooks: [{url: \"ftp://a\"}]\n", "does not begin with http://"},
        {"webhooks: [{url: \"http://\"}]\n", "has no host and port"},
        {"webhooks: [{url: \"http:///x\"}]\n", "has no host and port"},
        {"webhooks: [{url: \"http://:80/x\"}]\n", "has no host and port"},
        {"webhooks: [{url: \"http://a:0/x\"}]\n", "has no host and port"},
        {"webhooks: [{url: \"http://a:99999\"}]\n", "has no host and port"},
        {"webhooks: [{url: \"http://a@\"}]\n", "has no host and port"},
        {"webhooks: [{url: \"http://a b/\"}]\n", "percent-encoded"},
        {"webhooks: [{url: \"http://a/\\r\\nX: 1\"}]\n", "percent-encoded"},
        {"webhooks: [{url: \"http://a/\xc3\xa9\"}]\n", "percent-encoded"},
        {"webhooks: [{url: \"http://a/#x\"}]\n", "percent-encoded"},
        {"webhooks: [{url: \"http://a\", on: []}]\n", "an empty list is for nothing"},
        {"webhooks: [{url: \"http://a\", on: [opened]}]\n", "expected open, half_open"},
        {"webhooks: [{url: \"http://a\", on: [[open]]}]\n", "expected open, half_open"},
        {"webhooks: [{url: \"http://a\", attempts: 0}]\n", "attempts"},
        {"webhooks: [{url: \"http://a\", timeout: 1ms}]\n", "timeout"},
        {"webhooks: [{url: \"http://a\", retries: 1}]\n", "unknown key"},
        {"webhooks: [{url: \"http://u:p@a\", token_file: /t}]\n", "only one of them"},
        {"webhooks: [{url: \"http://a/1\"}, {url: \"http://a/2\"}, {url: \"http://a/1\"}]\n",
         "is there twice"},
    };

    (void)state;
    parse_refused(rows, ARRAY_LEN(rows));
}

static void messages_do_not_repeat_the_url(void **state)
{
    static const char *const texts[] = {
        "webhooks: [{url: \"gopher://secret\"}]\n",
        "webhooks: [{url: \"http://u:secret@\"}]\n",
        "webhooks: [{url: \"http://a/ secret\"}]\n",
        "webhooks: [{url: \"http://a/secret\"}, {url: \"http://a/secret\"}]\n",
        "webhooks: [{url: [secret]}]\n",
        "webhooks: [\"http://a/secret\"]\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct err e = {""};

        assert_null(config_parse("t.yaml", texts[i], strlen(texts[i]), &e));
        assert_null(strstr(e.text, "secret"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),  cmocka_unit_test(none),
        cmocka_unit_test(every_key), cmocka_unit_test(what_is_shown),
        cmocka_unit_test(refused),   cmocka_unit_test(messages_do_not_repeat_the_url),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
