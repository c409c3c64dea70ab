/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include "chaos.h"
#include "rest.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

enum { HANG_MS = 600000 };

struct server {
    struct event_base *base; /* borrowed */
    struct evhttp *http;     /* owned */
    const struct kind *kind;
    struct store *store;  /* borrowed */
    const char *instance; /* borrowed */
    struct chaos chaos;
    uint16_t port;
    LIST_HEAD(, held) held; /* requests whose answer waits */
};

/* A request that is answered later, or broken off when `answer` is false. A client that leaves
 * meanwhile takes the connection with it but not the request: sending then only frees it. */
struct held {
    LIST_ENTRY(held) entry;
    struct server *server;
    struct evhttp_request *request;
    struct event *timer; /* owned */
    bool answer;
};

static const char *method_word(struct evhttp_request *request)
{
    switch (evhttp_request_get_command(request)) {
    case EVHTTP_REQ_GET:
        return "GET";
    case EVHTTP_REQ_HEAD:
        return "HEAD";
    case EVHTTP_REQ_POST:
        return "POST";
    case EVHTTP_REQ_PUT:
        return "PUT";
    case EVHTTP_REQ_PATCH:
        return "PATCH";
    case EVHTTP_REQ_DELETE:
        return "DELETE";
    default:
        return "";
    }
}

/* Takes the answer's body over. */
static void send_answer(struct server *s, struct evhttp_request *request, struct rest_answer answer)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    struct evbuffer *out = evbuffer_new();
    char *text = answer.body != NULL ? json_dumps(answer.body, JSON_COMPACT) : NULL;

    evhttp_add_header(headers, "X-Instance", s->instance);
    evhttp_add_header(headers, "X-Service", s->kind->service);
    if (text != NULL) {
        evhttp_add_header(headers, "Content-Type", "application/json");
        evbuffer_add_printf(out, "%s\n", text);
    }
    evhttp_send_reply(request, answer.status, NULL, out);
    evbuffer_free(out);
    free(text);
    json_decref(answer.body);
}

static json_t *query_object(const struct evhttp_uri *uri)
{
    const char *query = evhttp_uri_get_query(uri);
    json_t *object = json_object();
    struct evkeyvalq pairs;

    if (query == NULL || evhttp_parse_query_str(query, &pairs) != 0)
        return object;
    for (struct evkeyval *pair = pairs.tqh_first; pair != NULL; pair = pair->next.tqe_next)
        json_object_set_new(object, pair->key, json_string(pair->value));
    evhttp_clear_headers(&pairs);
    return object;
}

static struct rest_answer handle_chaos(struct server *s, const struct rest_request *r)
{
    const char *wrong = NULL;
    json_t *wanted;

    if (strcmp(r->method, "PUT") == 0) {
        wanted = json_loadb(r->body, r->body_bytes, 0, NULL);
        wrong = chaos_change(&s->chaos, wanted);
        json_decref(wanted);
    }
    return wrong != NULL ? rest_problem(400, wrong)
                         : (struct rest_answer){200, chaos_show(&s->chaos)};
}

static void answer_now(struct server *s, struct evhttp_request *request)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    struct evbuffer *in = evhttp_request_get_input_buffer(request);
    char *path = evhttp_uridecode(evhttp_uri_get_path(uri), 0, NULL);
    struct rest_request r = {
        .method = method_word(request),
        .path = path != NULL ? path : "",
        .body_bytes = evbuffer_get_length(in),
        .body = (const char *)evbuffer_pullup(in, -1),
        .query = query_object(uri),
    };
    struct rest_answer answer;

    if (r.body == NULL)
        r.body = "";
    if (strcmp(r.path, "/_chaos") == 0)
        answer = handle_chaos(s, &r);
    else if (strcmp(r.path, "/health") == 0)
        answer = s->chaos.unhealthy ? rest_problem(503, "told to be ill")
                                    : (struct rest_answer){200, json_pack("{s:s}", "is", "well")};
    else
        answer = rest_handle(s->kind, s->store, &r);
    send_answer(s, request, answer);
    json_decref(r.query);
    free(path);
}

/* What a crashed process looks like from outside. Dissolving the association sends RST at once;
 * the closing of evhttp alone would send FIN first, whatever SO_LINGER says. */
static void break_off(struct evhttp_request *request)
{
    struct evhttp_connection *connection = evhttp_request_get_connection(request);
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};

    if (connection == NULL) {
        evhttp_send_reply(request, 503, NULL, NULL);
        return;
    }
    connect(bufferevent_getfd(evhttp_connection_get_bufferevent(connection)), &nobody,
            sizeof(nobody));
    evhttp_connection_free(connection);
}

static void held_free(struct held *h)
{
    LIST_REMOVE(h, entry);
    event_free(h->timer);
    free(h);
}

static void on_held_due(evutil_socket_t fd, short what, void *arg)
{
    struct held *h = arg;

    (void)fd;
    (void)what;
    if (h->answer)
        answer_now(h->server, h->request);
    else
        break_off(h->request);
    held_free(h);
}

static void hold(struct server *s, struct evhttp_request *request, int ms, bool answer)
{
    struct timeval due = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    struct held *h = calloc(1, sizeof(*h));

    if (h == NULL || (h->timer = evtimer_new(s->base, on_held_due, h)) == NULL) {
        free(h);
        send_answer(s, request, rest_problem(500, "out of memory"));
        return;
    }
    h->server = s;
    h->request = request;
    h->answer = answer;
    LIST_INSERT_HEAD(&s->held, h, entry);
    evtimer_add(h->timer, &due);
}

static bool is_control(struct evhttp_request *request)
{
    const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));

    return path != NULL && (strcmp(path, "/health") == 0 || strcmp(path, "/_chaos") == 0);
}

static void on_request(struct evhttp_request *request, void *arg)
{
    struct server *s = arg;

    switch (is_control(request) ? CHAOS_OK : chaos_draw(&s->chaos)) {
    case CHAOS_FLAKY:
    case CHAOS_OK:
        answer_now(s, request);
        break;
    case CHAOS_SLOW:
        hold(s, request, s->chaos.delay_ms, true);
        break;
    case CHAOS_FAIL:
        send_answer(s, request, rest_problem(s->chaos.status, "told to fail"));
        break;
    case CHAOS_HANG:
        hold(s, request, HANG_MS, false);
        break;
    case CHAOS_RESET:
        hold(s, request, 0, false);
        break;
    }
}

static uint16_t bound_port(struct evhttp_bound_socket *bound)
{
    struct sockaddr_storage storage = {0};
    socklen_t n = sizeof(storage);

    getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&storage, &n);
    return ntohs(storage.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&storage)->sin6_port
                                               : ((struct sockaddr_in *)&storage)->sin_port);
}

struct server *server_start(struct event_base *base, const struct kind *kind, struct store *store,
                            const char *instance, const char *address, uint16_t port)
{
    struct server *s = calloc(1, sizeof(*s));
    struct evhttp_bound_socket *bound;

    if (s == NULL || (s->http = evhttp_new(base)) == NULL) {
        free(s);
        return NULL;
    }
    s->base = base;
    s->kind = kind;
    s->store = store;
    s->instance = instance;
    LIST_INIT(&s->held);
    evhttp_set_allowed_methods(s->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST |
                                            EVHTTP_REQ_PUT | EVHTTP_REQ_PATCH | EVHTTP_REQ_DELETE);
    evhttp_set_max_body_size(s->http, 1 << 20);
    evhttp_set_gencb(s->http, on_request, s);
    bound = evhttp_bind_socket_with_handle(s->http, address, port);
    if (bound == NULL) {
        fprintf(stderr, "shop: cannot listen on %s:%u\n", address, port);
        server_stop(s);
        return NULL;
    }
    s->port = bound_port(bound);
    return s;
}

uint16_t server_port(const struct server *s)
{
    return s->port;
}

void server_stop(struct server *s)
{
    struct held *h;

    if (s == NULL)
        return;
    while ((h = LIST_FIRST(&s->held)) != NULL) {
        break_off(h->request);
        held_free(h);
    }
    evhttp_free(s->http);
    free(s);
}
