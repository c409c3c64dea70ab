/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fetch.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* A server and a client in one loop. */
struct world {
    struct event_base *base;
    struct evhttp *server;
    uint16_t port;
    struct fetcher *fetcher;
    struct fetch *fetch;
    unsigned served, called;
    int status;
    bool refused;
    char body[256], error[256], seen[256];
};

static void serve(struct evhttp_request *req, void *arg)
{
    struct world *w = arg;
    struct evbuffer *in = evhttp_request_get_input_buffer(req), *out = evbuffer_new();
    const char *uri = evhttp_request_get_uri(req);
    const char *token = evhttp_find_header(evhttp_request_get_input_headers(req), "X-Token");

    w->served++;
    evhttp_add_header(evhttp_request_get_output_headers(req), "X-Test", "  padded ");
    evbuffer_add_printf(out, "%d %s %s ", (int)evhttp_request_get_command(req), uri,
                        token ? token : "-");
    evbuffer_add_buffer(out, in);
    if (strcmp(uri, "/large") == 0)
        for (int i = 0; i < 100; i++)
            evbuffer_add_printf(out, "%0100d", i);
    if (strcmp(uri, "/moved") == 0) {
        evhttp_add_header(evhttp_request_get_output_headers(req), "Location", "/elsewhere");
        evhttp_send_reply(req, 302, "Found", out);
    } else if (strcmp(uri, "/silent") != 0) {
        evhttp_send_reply(req, 200, "OK", out);
    }
    evbuffer_free(out);
}

static void done(void *arg, const struct fetch_answer *a)
{
    struct world *w = arg;

    w->called++;
    w->status = a->status;
    w->refused = a->refused;
    snprintf(w->body, sizeof w->body, "%.*s", (int)a->body.n, a->body.p ? a->body.p : "");
    snprintf(w->error, sizeof w->error, "%s", a->error ? a->error : "");
    event_base_loopbreak(w->base);
}

static void header(void *arg, struct str name, struct str value)
{
    struct world *w = arg;

    if (str_ieq(name, STR("X-Test")))
        snprintf(w->seen, sizeof w->seen, "%.*s", (int)value.n, value.p);
}

static int setup(void **state)
{
    struct world *w = test_calloc(1, sizeof *w);
    struct fetch_options o = {.max_body = 4096, .on_header = header};
    struct evhttp_bound_socket *socket;
    struct sockaddr_in at;
    socklen_t n = sizeof at;

    w->base = event_base_new();
    w->server = evhttp_new(w->base);
    evhttp_set_gencb(w->server, serve, w);
    socket = evhttp_bind_socket_with_handle(w->server, "127.0.0.1", 0);
    assert_non_null(socket);
    getsockname(evhttp_bound_socket_get_fd(socket), (struct sockaddr *)&at, &n);
    w->port = ntohs(at.sin_port);
    w->fetcher = fetcher_new(w->base);
    w->fetch = fetch_new(w->fetcher, &o, done, w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    fetch_free(w->fetch);
    fetcher_free(w->fetcher);
    if (w->server)
        evhttp_free(w->server);
    event_base_free(w->base);
    test_free(w);
    return 0;
}

static void ask(struct world *w, const char *method, const char *path, const char *body,
                uint64_t deadline_ms)
{
    static const char *const headers[] = {"X-Token: secret", NULL};
    char url[128];
    struct fetch_request q = {.method = method,
                              .url = url,
                              .headers = headers,
                              .body = str_of(body),
                              .deadline_ms = deadline_ms};

    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", w->port, path);
    fetch_start(w->fetch, &q);
    assert_true(fetch_busy(w->fetch));
    event_base_dispatch(w->base);
    assert_false(fetch_busy(w->fetch));
}

static void test_every_method_and_used_again(void **state)
{
    struct world *w = *state;

    ask(w, NULL, "/a", "", 5000);
    assert_int_equal(w->status, 200);
    assert_string_equal(w->body, "1 /a secret ");
    assert_string_equal(w->seen, "padded");
    ask(w, "PUT", "/b", "{\"x\":1}", 5000);
    assert_string_equal(w->body, "8 /b secret {\"x\":1}");
    ask(w, "DELETE", "/c", "", 5000);
    assert_string_equal(w->body, "16 /c secret ");
    ask(w, "POST", "/d", "text", 5000);
    assert_string_equal(w->body, "2 /d secret text");
    ask(w, "GET", "/e", "", 5000);
    assert_string_equal(w->body, "1 /e secret ");
    assert_int_equal(w->called, 5);
}

static void test_redirect_is_an_answer(void **state)
{
    struct world *w = *state;

    ask(w, NULL, "/moved", "", 5000);
    assert_int_equal(w->status, 302);
    assert_int_equal(w->served, 1);
}

static void test_answer_that_is_too_large(void **state)
{
    struct world *w = *state;

    ask(w, NULL, "/large", "", 5000);
    assert_int_equal(w->status, 0);
    assert_non_null(strstr(w->error, "larger than 4 KiB"));
}

static void test_deadline(void **state)
{
    struct world *w = *state;

    ask(w, NULL, "/silent", "", 50);
    assert_int_equal(w->status, 0);
    assert_false(w->refused);
    assert_string_not_equal(w->error, "");
}

static void test_refused(void **state)
{
    struct world *w = *state;

    evhttp_free(w->server);
    w->server = NULL;
    ask(w, NULL, "/", "", 5000);
    assert_int_equal(w->status, 0);
    assert_true(w->refused);
}

static void test_freed_in_flight(void **state)
{
    struct world *w = *state;
    char url[64];
    struct fetch_request q = {.url = url, .deadline_ms = 5000};

    snprintf(url, sizeof url, "http://127.0.0.1:%u/", w->port);
    fetch_start(w->fetch, &q);
    fetch_free(w->fetch);
    w->fetch = NULL;
    event_base_loop(w->base, EVLOOP_NONBLOCK);
    assert_int_equal(w->called, 0);
}

static void test_encode(void **state)
{
    char *text = fetch_encode("a b/ü%");

    (void)state;
    assert_string_equal(text, "a%20b%2F%C3%BC%25");
    free(text);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_every_method_and_used_again),
        CASE(test_redirect_is_an_answer),
        CASE(test_answer_that_is_too_large),
        CASE(test_deadline),
        CASE(test_refused),
        CASE(test_freed_in_flight),
        cmocka_unit_test(test_encode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
