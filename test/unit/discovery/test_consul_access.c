/* SPDX-License-Identifier: Apache-2.0 */
/* Agents in the same event loop, that say what the test wants: what a real Consul says on demand is
 * in test/e2e/test_consul_access.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "discovery/consul_access.h"
#include "discovery/consul_http.h"
#include "discovery/consul_trust.h"
#include "discovery/discovery.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct reply {
    const char *path; /* how it begins */
    int status;
    const char *body;
};

struct agent {
    struct evhttp *http;
    char address[64];
    struct reply replies[8]; /* the first that fits; else 404 */
    char asked[64][160];     /* "TOKEN METHOD URI" */
    unsigned nasked;
    struct evhttp_request *held; /* "/v1/hold" is not answered */
    const char *good_token;      /* NULL = any; else others are unknown, */
    bool renews;                 /* and the file holds another one after each refusal */
};

#define AUTHORIZED(service, node)                                                                  \
    "[{\"Resource\":\"service\",\"Access\":\"read\",\"Allow\":" service                            \
    "},{\"Resource\":\"node\",\"Access\":\"read\",\"Allow\":" node "}]"
#define SELF     "{\"AccessorID\":\"acc\",\"Policies\":[{\"Name\":\"p\"}]}"
#define LOGIN    "/v1/acl/login"
#define SELF_URI "/v1/acl/token/self"
#define RIGHTS   "/v1/internal/acl/authorize"

static struct event_base *base;
static struct agent agents[2];
static struct discovery_options o;
static struct consul_http *http;
static char file[64];

static const char *header(struct evhttp_request *r, const char *name)
{
    const char *value = evhttp_find_header(evhttp_request_get_input_headers(r), name);

    return value ? value : "-";
}

static void send_reply(struct evhttp_request *r, int status, const char *body)
{
    struct evbuffer *b = evbuffer_new();

    evhttp_add_header(evhttp_request_get_output_headers(r), "Content-Type", "application/json");
    evbuffer_add_printf(b, "%s", body);
    evhttp_send_reply(r, status, "-", b);
    evbuffer_free(b);
}

static void write_file(const char *text)
{
    FILE *f = fopen(file, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void renew_file(unsigned n)
{
    char token[32];

    snprintf(token, sizeof token, "token-%u", n);
    write_file(token);
}

static void on_request(struct evhttp_request *r, void *arg)
{
    struct agent *a = arg;
    const char *uri = evhttp_request_get_uri(r), *token = header(r, "X-Consul-Token");
    bool login = strncmp(uri, LOGIN, strlen(LOGIN)) == 0;

    if (a->nasked < ARRAY_LEN(a->asked))
        snprintf(a->asked[a->nasked++], sizeof a->asked[0], "%s %s", token, uri);
    if (strcmp(uri, "/v1/hold") == 0) {
        a->held = r;
        return;
    }
    if (a->good_token && !login && strcmp(token, a->good_token) != 0) {
        if (a->renews)
            renew_file(a->nasked);
        send_reply(r, 403, "ACL not found");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(a->replies) && a->replies[i].path; i++)
        if (strncmp(uri, a->replies[i].path, strlen(a->replies[i].path)) == 0) {
            send_reply(r, a->replies[i].status, a->replies[i].body);
            return;
        }
    send_reply(r, 404, "{}");
}

static unsigned asked(const struct agent *a, const char *what)
{
    unsigned n = 0;

    for (unsigned i = 0; i < a->nasked; i++)
        n += strstr(a->asked[i], what) != NULL;
    return n;
}

static void listen_on(struct agent *a)
{
    struct evhttp_bound_socket *s;
    struct sockaddr_in addr;
    socklen_t len = sizeof addr;

    a->http = evhttp_new(base);
    evhttp_set_allowed_methods(a->http, EVHTTP_REQ_GET | EVHTTP_REQ_PUT | EVHTTP_REQ_POST);
    evhttp_set_gencb(a->http, on_request, a);
    s = evhttp_bind_socket_with_handle(a->http, "127.0.0.1", 0);
    assert_non_null(s);
    assert_int_equal(getsockname(evhttp_bound_socket_get_fd(s), (struct sockaddr *)&addr, &len), 0);
    snprintf(a->address, sizeof a->address, "http://127.0.0.1:%u", ntohs(addr.sin_port));
}

static int begin(void **state)
{
    (void)state;
    base = event_base_new();
    memset(agents, 0, sizeof agents);
    for (size_t i = 0; i < ARRAY_LEN(agents); i++)
        listen_on(&agents[i]);
    o = (struct discovery_options){.consul = true, .address = agents[0].address, .wait_ms = 60000};
    snprintf(file, sizeof file, "/tmp/test_consul_access.%d", (int)getpid());
    return 0;
}

static int end(void **state)
{
    (void)state;
    consul_http_free(http);
    http = NULL;
    consul_access_finish(base, 2000);
    for (size_t i = 0; i < ARRAY_LEN(agents); i++)
        if (agents[i].http)
            evhttp_free(agents[i].http);
    event_base_free(base);
    unlink(file);
    return 0;
}

/* Turns the loop until the condition holds; five seconds are a failure. */
#define UNTIL(condition)                                                                           \
    do {                                                                                           \
        uint64_t stop_at = clock_now_ns() + 5 * NS_PER_S;                                          \
        struct timeval turn = {0, 1000};                                                           \
        while (!(condition)) {                                                                     \
            if (clock_now_ns() > stop_at)                                                          \
                fail_msg("never: %s", #condition);                                                 \
            event_base_loopexit(base, &turn);                                                      \
            event_base_dispatch(base);                                                             \
        }                                                                                          \
    } while (0)

static struct consul_http *connect_with(const struct discovery_options *options)
{
    struct err e;
    struct consul_http *h = consul_http_new(base, options, &e);

    if (!h)
        fail_msg("%s", e.text);
    return h;
}

static const struct consul_access_status *access_now(void)
{
    return consul_http_access(http);
}

/* The last answer to a request of the test. */
static struct {
    bool there;
    int status;
    char error[300];
} answered;

static void on_done(void *arg, const struct consul_answer *a)
{
    (void)arg;
    answered.there = true;
    answered.status = a->status;
    snprintf(answered.error, sizeof answered.error, "%s", a->error ? a->error : "");
}

static struct consul_get *ask(const char *path)
{
    struct consul_get *g = consul_get_new(http, on_done, NULL);

    answered.there = false;
    consul_get_start(g, path, 5000);
    return g;
}

static struct {
    unsigned calls;
    bool trusted;
    char why[300];
} heard;

static void on_checked(void *arg, bool trusted, const char *why)
{
    (void)arg;
    heard.calls++;
    heard.trusted = trusted;
    snprintf(heard.why, sizeof heard.why, "%s", why);
}

static void rights_are_judged(void **state)
{
    static const struct {
        const char *name;
        struct reply replies[4];
        bool trusted;
        const char *problem;
    } rows[] = {
        {"ACLs are off", {{SELF_URI, 401, "ACL support disabled"}}, true, ""},
        {"all is there",
         {{SELF_URI, 200, SELF}, {RIGHTS, 200, AUTHORIZED("true", "true")}},
         true,
         ""},
        {"no node:read",
         {{SELF_URI, 200, SELF},
          {RIGHTS, 200, AUTHORIZED("true", "false")},
          {"/v1/catalog/services", 200, "{\"web\":[]}"},
          {"/v1/health/service/web", 200, "[]"}},
         false,
         "node:read"},
        {"for one node",
         {{SELF_URI, 200, SELF},
          {RIGHTS, 200, AUTHORIZED("true", "false")},
          {"/v1/catalog/services", 200, "{\"web\":[]}"},
          {"/v1/health/service/web", 200, "[{\"Node\":{}}]"}},
         true,
         ""},
        {"an old Consul, that cannot be asked",
         {{SELF_URI, 200, SELF},
          {"/v1/catalog/services", 200, "{\"web\":[]}"},
          {"/v1/health/service/web", 200, "[{\"Node\":{}}]"}},
         true,
         ""},
        {"an old one, and nothing may be seen",
         {{SELF_URI, 200, SELF}, {"/v1/catalog/services", 200, "{}"}},
         false,
         "service:read and node:read"},
        {"nonsense for an answer",
         {{SELF_URI, 200, "[]"}, {RIGHTS, 200, "{}"}, {"/v1/catalog/services", 200, "nothing"}},
         false,
         "HTTP 200"},
        {"an error", {{SELF_URI, 500, "No cluster leader"}}, false, "No cluster leader"},
        {"an unknown token", {{SELF_URI, 403, "ACL not found"}}, false, "does not know the token"},
    };

    (void)state;
    o.token = "s3cret";
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct consul_wish wish;

        memset(&heard, 0, sizeof heard);
        memset(agents[0].replies, 0, sizeof agents[0].replies);
        memcpy(agents[0].replies, rows[i].replies, sizeof rows[i].replies);
        http = connect_with(&o);
        consul_wish_init(&wish, on_checked, NULL);
        consul_http_check(http, &wish);
        assert_int_equal(heard.calls, 0);
        UNTIL(heard.calls == 1);
        if (heard.trusted != rows[i].trusted || consul_http_trusted(http) != rows[i].trusted ||
            !strstr(heard.why, rows[i].problem) || (rows[i].trusted && heard.why[0]))
            fail_msg("%s: %d, %s", rows[i].name, heard.trusted, heard.why);
        assert_null(strstr(heard.why, "s3cret"));
        consul_http_free(http);
        http = NULL;
    }
}

static void wishes_are_told_of_their_service(void **state)
{
    static const char three[] =
        "[{\"Resource\":\"service\",\"Access\":\"read\",\"Allow\":true},{\"Resource\":\"node\","
        "\"Access\":\"read\",\"Allow\":true},{\"Resource\":\"service\",\"Access\":\"read\","
        "\"Segment\":\"pay\",\"Allow\":false}]";
    struct consul_wish wish, other;

    (void)state;
    memset(&heard, 0, sizeof heard);
    agents[0].replies[0] = (struct reply){SELF_URI, 200, SELF};
    agents[0].replies[1] = (struct reply){RIGHTS, 200, three};
    http = connect_with(&o);
    consul_wish_init(&wish, on_checked, NULL);
    consul_wish_init(&other, on_checked, NULL);
    wish.service = "pay";
    consul_http_check(http, &wish);
    consul_http_check(http, &wish);
    consul_http_check(http, &other);
    consul_wish_drop(&other);
    UNTIL(heard.calls > 0);
    assert_int_equal(heard.calls, 1);
    assert_false(heard.trusted);
    assert_string_equal(heard.why, "the token lacks service:read on pay");
    assert_true(consul_http_trusted(http));
}

static void refused_request_goes_once_more_with_the_new_token(void **state)
{
    struct consul_get *g;

    (void)state;
    write_file("old");
    o.token_file = file;
    agents[0].good_token = "new";
    agents[0].replies[0] = (struct reply){"/v1/kv/", 200, "[]"};
    http = connect_with(&o);
    write_file("new\n");
    g = ask("/v1/kv/a");
    UNTIL(answered.there);
    assert_int_equal(answered.status, 200);
    assert_int_equal(asked(&agents[0], "/v1/kv/a"), 2);
    consul_get_free(g);

    agents[0].good_token = "newer";
    g = ask("/v1/kv/b");
    UNTIL(answered.there);
    assert_int_equal(answered.status, 403);
    assert_int_equal(asked(&agents[0], "/v1/kv/b"), 1);
    consul_get_free(g);

    agents[0].renews = true;
    g = ask("/v1/kv/c");
    UNTIL(answered.there);
    assert_int_equal(answered.status, 403);
    assert_int_equal(asked(&agents[0], "/v1/kv/c"), 2);
    consul_get_free(g);
}

static void no_error_shows_the_token(void **state)
{
    struct consul_get *g;

    (void)state;
    o.token = "s3cret";
    agents[0].replies[0] = (struct reply){"/v1/kv/", 500, "what is s3cret?\nagain s3cret"};
    http = connect_with(&o);
    g = ask("/v1/kv/a");
    UNTIL(answered.there);
    assert_string_equal(answered.error, "HTTP 500: what is ******? again ******");
    consul_get_free(g);
}

static void namespace_goes_into_every_request(void **state)
{
    static const struct {
        const char *path, *sent;
    } rows[] = {
        {"/v1/catalog/services?stale&", "/v1/catalog/services?stale&ns=a%20b&partition=p"},
        {"/v1/kv/x", "/v1/kv/x?ns=a%20b&partition=p"},
        {"/v1/kv/x?", "/v1/kv/x?ns=a%20b&partition=p"},
        {"/v1/kv/x?recurse&index=7", "/v1/kv/x?recurse&index=7&ns=a%20b&partition=p"},
        {"/v1/health/service/web?ns=own&", "/v1/health/service/web?ns=own&"},
        {"/v1/agent/self", "/v1/agent/self"},
        {"/v1/status/leader", "/v1/status/leader"},
    };

    (void)state;
    o.access.ns = "a b";
    o.access.partition = "p";
    http = connect_with(&o);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct consul_get *g = ask(rows[i].path);
        char line[200];

        UNTIL(answered.there);
        snprintf(line, sizeof line, "- %s", rows[i].sent);
        for (unsigned k = 0; k < agents[0].nasked; k++)
            if (strcmp(agents[0].asked[k], line) == 0)
                line[0] = '\0';
        if (line[0])
            fail_msg("%s: not as %s", rows[i].path, rows[i].sent);
        consul_get_free(g);
    }
}

static struct consul_answer dropped;
static char dropped_why[300];

static void on_dropped(void *arg, const struct consul_answer *a)
{
    (void)arg;
    dropped = *a;
    snprintf(dropped_why, sizeof dropped_why, "%s", a->error ? a->error : "");
}

static const char *const more[] = {agents[1].address};

static void what_is_in_flight_hears_of_another_agent(void **state)
{
    struct consul_get *g, *lead = NULL;

    (void)state;
    o.access.more = more;
    o.access.nmore = 1;
    http = connect_with(&o);
    g = consul_get_new(http, on_dropped, NULL);
    dropped.status = -1;
    consul_get_start(g, "/v1/hold", 5000);
    UNTIL(agents[0].held);
    lead = consul_get_new(http, on_done, NULL);
    consul_get_leads(lead);
    agents[0].replies[0] = (struct reply){"/v1/lead", 500, "no"};
    for (unsigned i = 0; i < 20 && access_now()->agent == 0; i++) {
        uint64_t next_ns = clock_now_ns() + 300 * NS_PER_MS;

        answered.there = false;
        consul_get_start(lead, "/v1/lead", 5000);
        UNTIL(answered.there);
        assert_true(i > 2 || access_now()->agent == 0);
        UNTIL(clock_now_ns() > next_ns || access_now()->agent == 1);
    }
    assert_int_equal(access_now()->agent, 1);
    assert_non_null(strstr(access_now()->switch_why, agents[0].address));
    UNTIL(dropped.status == 0);
    assert_non_null(strstr(dropped_why, agents[1].address));
    assert_false(consul_get_busy(g));
    consul_get_free(g);
    g = ask("/v1/after");
    UNTIL(answered.there);
    assert_int_equal(asked(&agents[1], "/v1/after"), 1);
    consul_get_free(g);
    consul_get_free(lead);
}

static void errors_of_others_do_not_move(void **state)
{
    (void)state;
    o.access.more = more;
    o.access.nmore = 1;
    http = connect_with(&o);
    agents[0].replies[0] = (struct reply){"/v1/", 500, "no"};
    for (unsigned i = 0; i < 10; i++) {
        struct consul_get *g = ask("/v1/other");

        UNTIL(answered.there);
        consul_get_free(g);
    }
    assert_int_equal(access_now()->agent, 0);
}

static const char logged_in[] = "{\"AccessorID\":\"acc\",\"SecretID\":\"t0ken\"}";

static void use_login(void)
{
    o.access.login_method = "m";
    o.access.login_jwt_file = file;
    write_file("the.jwt\n");
}

static void requests_wait_for_the_login(void **state)
{
    struct consul_http *other;
    struct consul_get *g;

    (void)state;
    use_login();
    agents[0].good_token = "t0ken";
    agents[0].replies[0] = (struct reply){LOGIN, 200, logged_in};
    agents[0].replies[1] = (struct reply){"/v1/kv/", 200, "[]"};
    http = connect_with(&o);
    other = connect_with(&o);
    g = ask("/v1/kv/a");
    UNTIL(answered.there);
    assert_int_equal(answered.status, 200);
    assert_int_equal(asked(&agents[0], LOGIN), 1);
    assert_int_equal(asked(&agents[0], "t0ken /v1/kv/a"), 1);
    consul_get_free(g);
    consul_http_free(other);
    assert_int_equal(asked(&agents[0], "/v1/acl/logout"), 0);
    consul_http_free(http);
    http = NULL;
    consul_access_finish(base, 2000);
    assert_int_equal(asked(&agents[0], "t0ken /v1/acl/logout"), 1);
}

static void failed_login_is_told_to_all(void **state)
{
    struct consul_get *g;

    (void)state;
    use_login();
    agents[0].replies[0] = (struct reply){LOGIN, 500, "token is expired: the.jwt"};
    http = connect_with(&o);
    for (unsigned i = 0; i < 3; i++) {
        g = ask("/v1/kv/a");
        assert_false(answered.there);
        UNTIL(answered.there);
        assert_int_equal(answered.status, 0);
        assert_non_null(strstr(answered.error, "token is expired"));
        assert_null(strstr(answered.error, "the.jwt"));
        consul_get_free(g);
    }
    assert_int_equal(asked(&agents[0], "/v1/kv/"), 0);
    assert_true(access_now()->login_error[0]);
    agents[0].replies[0] = (struct reply){LOGIN, 200, logged_in};
    consul_access_reload();
    UNTIL(access_now()->logins == 1);
    g = ask("/v1/kv/b");
    UNTIL(answered.there);
    assert_int_equal(asked(&agents[0], "t0ken /v1/kv/b"), 1);
    consul_get_free(g);
}

static void strange_answers_are_no_login(void **state)
{
    static const char *const bodies[] = {
        "{}", "[]", "nothing", "{\"SecretID\":7}", "{\"SecretID\":\"\"}", "{\"SecretID\":\"a b\"}"};

    (void)state;
    use_login();
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        agents[0].replies[0] = (struct reply){LOGIN, 200, bodies[i]};
        http = connect_with(&o);
        UNTIL(access_now()->login_error[0]);
        assert_int_equal(access_now()->logins, 0);
        consul_http_free(http);
        http = NULL;
    }
    write_file("two words");
    http = connect_with(&o);
    assert_non_null(strstr(access_now()->login_error, "does not hold a JWT"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rights_are_judged, begin, end),
        cmocka_unit_test_setup_teardown(wishes_are_told_of_their_service, begin, end),
        cmocka_unit_test_setup_teardown(refused_request_goes_once_more_with_the_new_token, begin,
                                        end),
        cmocka_unit_test_setup_teardown(no_error_shows_the_token, begin, end),
        cmocka_unit_test_setup_teardown(namespace_goes_into_every_request, begin, end),
        cmocka_unit_test_setup_teardown(what_is_in_flight_hears_of_another_agent, begin, end),
        cmocka_unit_test_setup_teardown(errors_of_others_do_not_move, begin, end),
        cmocka_unit_test_setup_teardown(requests_wait_for_the_login, begin, end),
        cmocka_unit_test_setup_teardown(failed_login_is_told_to_all, begin, end),
        cmocka_unit_test_setup_teardown(strange_answers_are_no_login, begin, end),
    };

    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
