/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <unistd.h>

#define FORWARD(more) "forward_auth: {a: {service: s" more "}}"
#define OPAQUE(more)  "introspection: {a: {service: s" more "}}"

static void what_is_written_is_there(void **state)
{
    struct config *c = parse_ok("forward_auth:\n"
                                "  plain: {service: keeper}\n"
                                "  full:\n"
                                "    service: gate\n"
                                "    path: /verify?x=1\n"
                                "    method: same\n"
                                "    timeout: 300ms\n"
                                "    request_headers: [Cookie, X-A]\n"
                                "    response_headers: [X-User, Authorization]\n"
                                "    subject: X-Id\n"
                                "    cache_key: [Cookie]\n"
                                "    cache_ttl: 1m\n"
                                "    redirects: true\n"
                                "    on_failure: allow\n"
                                "policies: {p: {authenticate: [{forward_auth: full}]}}\n");
    const struct forward_auth_conf *f = &c->forward_auth[0];

    (void)state;
    assert_int_equal(c->nforward_auth, 2);
    assert_string_equal(f->service, "keeper");
    assert_null(f->path);
    assert_string_equal(f->method, "GET");
    assert_int_equal(f->timeout_ms, 5000);
    assert_int_equal(f->request_headers.n + f->response_headers.n + f->cache_key.n, 0);
    assert_null(f->subject_header);
    assert_false(f->redirects || f->fails_open);

    f = &c->forward_auth[1];
    assert_int_equal(f->index, 1);
    assert_string_equal(f->path, "/verify?x=1");
    assert_null(f->method);
    assert_int_equal(f->timeout_ms, 300);
    assert_int_equal(f->request_headers.n, 2);
    assert_string_equal(f->response_headers.words[1], "Authorization");
    assert_string_equal(f->subject_header, "X-Id");
    assert_int_equal(f->cache_ttl_ms, 60000);
    assert_true(f->redirects && f->fails_open);
    assert_int_equal(c->policies[0].mechanisms[0].index, 1);
    config_unref(&c);
}

/* Any request could bring them; Authorization has readers of its own on other routes. */
static void fields_of_answers_are_guarded(void **state)
{
    struct config *c = parse_ok(FORWARD(", response_headers: [X-User, Authorization]"));

    (void)state;
    assert_true(guarded_has(&c->guarded, STR("x_user")));
    assert_false(guarded_has(&c->guarded, STR("Authorization")));
    config_unref(&c);
}

static struct config *with_secret(const char *bytes, size_t n, struct err *e)
{
    char file[] = "/tmp/authorities-XXXXXX", text[256];
    int fd = mkstemp(file);
    struct config *c;

    assert_true(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
    close(fd);
    snprintf(text, sizeof text, OPAQUE(", client_id: me, client_secret_file: %s"), file);
    c = config_parse("t.yaml", text, strlen(text), e);
    unlink(file);
    return c;
}

static void introspection_is_there(void **state)
{
    struct config *c = parse_ok(OPAQUE(", path: /i, issuer: me, audience: [x, y], cache_ttl: 0s, "
                                       "token_from: [{cookie: sid}, {header: X-T}], realm: r"));
    const struct introspection_conf *i = &c->introspection[0];

    (void)state;
    assert_string_equal(i->path, "/i");
    assert_string_equal(i->issuer, "me");
    assert_int_equal(i->naudience, 2);
    assert_int_equal(i->cache_ttl_ms, 0);
    assert_int_equal(i->negative_ttl_ms, 5000);
    assert_int_equal(i->nplaces, 2);
    assert_true(i->forward_token);
    assert_null(i->client_secret);
    config_unref(&c);
}

static void secrets_come_from_their_file(void **state)
{
    static char long_one[1026];
    static const struct {
        const char *bytes;
        size_t n;
        const char *secret; /* NULL = refused */
    } rows[] = {
        {"pass\n", 5, "pass"}, {"pass\r\n", 6, "pass"}, {" a b ", 5, " a b "},  {"", 0, NULL},
        {"\n\n", 2, NULL},     {"a\0b", 3, NULL},       {long_one, 1025, NULL},
    };

    (void)state;
    memset(long_one, 'x', sizeof long_one - 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err e = {""};
        struct config *c = with_secret(rows[i].bytes, rows[i].n, &e);

        if (!rows[i].secret) {
            assert_null(c);
            assert_non_null(strstr(e.text, "holds no password"));
            continue;
        }
        assert_non_null(c);
        assert_string_equal(c->introspection[0].client_secret, rows[i].secret);
        config_unref(&c);
    }
}

static void what_makes_no_sense_is_refused(void **state)
{
    static const struct refusal rows[] = {
        {"forward_auth: []", "authorities by name"},
        {"forward_auth: {\"a b\": {service: s}}", "a b"},
        {"forward_auth: {a: {}}", "service is missing"},
        {FORWARD(", path: verify"), "does not begin with /"},
        {FORWARD(", path: \"/a?b c\""), "percent-encoded"},
        {FORWARD(", path: \"/a/../b\""), "path"},
        {FORWARD(", method: \"G T\""), "is not a method"},
        {FORWARD(", timeout: 0s"), "timeout"},
        {FORWARD(", on_failure: maybe"), "deny"},
        {FORWARD(", request_headers: [Host]"), "set_host"},
        {FORWARD(", response_headers: [Content-Length]"), "frames the message"},
        {FORWARD(", response_headers: [\"a b\"]"), "is not a header name"},
        {FORWARD(", response_headers: [X-Forwarded-For]"), "meaning of its own"},
        {FORWARD(", response_headers: [cookie]"), "meaning of its own"},
        {FORWARD(", cache_ttl: 2h"), "cache_ttl"},
        {FORWARD("") "\npolicies: {p: {authenticate: [{forward_auth: b}]}}", "has no \"b\""},
        {"introspection: 1", "authorities by name"},
        {"introspection: {a: {}}", "service is missing"},
        {OPAQUE(", client_id: x"), "go together"},
        {OPAQUE(", client_secret_file: /x"), "go together"},
        {OPAQUE(", client_id: \"a:b\", client_secret_file: /x"), "id of a client"},
        {OPAQUE(", client_id: a, client_secret_file: /nowhere/x"), "/nowhere/x cannot be read"},
        {OPAQUE(", audience: []"), "let nobody in"},
        {OPAQUE(", token_from: []"), "let nobody in"},
        {OPAQUE(", forward_token: false, token_from: [{cookie: a}]"), "no cookies"},
        {OPAQUE("") "\npolicies: {p: {authenticate: [{introspection: b}]}}", "has no \"b\""},
    };

    (void)state;
    parse_refused(rows, sizeof rows / sizeof *rows);
}

static void count_service(void *arg, const char *service)
{
    (void)service;
    ++*(unsigned *)arg;
}

static void their_services_are_in_use(void **state)
{
    struct config *c = parse_ok(FORWARD("") "\n" OPAQUE(""));
    unsigned n = 0;

    (void)state;
    authority_each_service(c, count_service, &n);
    assert_int_equal(n, 2);
    config_unref(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_there),
        cmocka_unit_test(fields_of_answers_are_guarded),
        cmocka_unit_test(introspection_is_there),
        cmocka_unit_test(secrets_come_from_their_file),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(their_services_are_in_use),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
