/* SPDX-License-Identifier: Apache-2.0 */
#include "consul_http.h"
#include "consul_token.h"
#include "discovery.h"

#include <assert.h>
#include <curl/curl.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    BODY_MAX = 64 << 20,
    CONNECT_MS = 5000,
    CONNECTIONS_MAX =
        150,           /* the agent closes the 201st of a client address; leave some to others */
    STREAMS_MAX = 250, /* of one HTTP/2 connection, as the agent announces */
    STREAMS_PLANNED = 200,
    USER_TIMEOUT_MS = 30000,
    KEEPALIVE_IDLE_S = 15,
    KEEPALIVE_EVERY_S = 5,
    KEEPALIVE_COUNT = 3,
};

struct consul_http {
    struct event_base *base;              /* borrowed */
    CURLM *multi;                         /* owned */
    struct event *timer;                  /* owned */
    struct consul_token *token;           /* owned */
    char *url;                            /* owned; without path, no slash at the end */
    char *unix_path;                      /* owned, or NULL */
    char *ca_file, *cert_file, *key_file; /* owned, or NULL */
    bool https;
    bool multiplexed; /* false once HTTPS turned out to be without HTTP/2 */
};

struct consul_get {
    struct consul_http *http;   /* borrowed */
    CURL *easy;                 /* owned */
    struct curl_slist *headers; /* owned */
    consul_get_done_fn *done;
    void *arg;
    bool busy;
    char *body; /* owned */
    size_t body_bytes, body_room;
    bool too_big, json;
    struct consul_answer answer;
    char curl_error[CURL_ERROR_SIZE];
};

static void init_curl(void)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        abort();
}

static char *copy(const char *z)
{
    char *c = z && *z ? strdup(z) : NULL;

    if (z && *z && !c)
        abort();
    return c;
}

static char *curl_copy(char *z)
{
    char *c = copy(z);

    curl_free(z);
    return c;
}

char *consul_http_encode(const char *text)
{
    return curl_copy(curl_easy_escape(NULL, text, 0));
}

static void describe_failure(struct consul_get *g, CURLcode code, char *text, size_t room)
{
    const struct consul_answer *a = &g->answer;
    int shown = g->body_bytes < 160 ? (int)g->body_bytes : 160;

    if (g->too_big)
        snprintf(text, room, "the answer is larger than %d MiB", BODY_MAX >> 20);
    else if (code != CURLE_OK)
        snprintf(text, room, "%s", *g->curl_error ? g->curl_error : curl_easy_strerror(code));
    else if (a->status != 200)
        snprintf(text, room, "HTTP %d: %.*s", a->status, shown, shown ? g->body : "");
    else
        snprintf(text, room, "HTTP 200, but the body is not JSON");
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20)
            *p = ' ';
    consul_token_mask(g->http->token, text);
}

static void release_body(struct consul_get *g)
{
    free(g->body);
    g->body = NULL;
    g->body_bytes = g->body_room = 0;
}

static void note_version(struct consul_get *g)
{
    struct consul_http *h = g->http;
    long version = 0;

    curl_easy_getinfo(g->easy, CURLINFO_HTTP_VERSION, &version);
    g->answer.multiplexed = version == CURL_HTTP_VERSION_2_0;
    if (h->multiplexed && g->answer.status != 0 && !g->answer.multiplexed) {
        h->multiplexed = false;
        curl_multi_setopt(h->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)CONNECTIONS_MAX);
    }
}

static void finish(struct consul_get *g, CURLcode code)
{
    struct consul_answer answer;
    char text[256], *body = NULL;
    long status = 0;

    curl_multi_remove_handle(g->http->multi, g->easy);
    g->busy = false;
    curl_easy_getinfo(g->easy, CURLINFO_RESPONSE_CODE, &status);
    g->answer.status = code == CURLE_OK ? (int)status : 0;
    g->answer.refused = code == CURLE_COULDNT_CONNECT;
    note_version(g);
    answer = g->answer;
    if (answer.status == 200 && g->json) {
        /* Taken off the consul_get, which the call may free. */
        body = g->body;
        answer.body = (struct str){body, g->body_bytes};
        g->body = NULL;
    } else {
        describe_failure(g, code, text, sizeof text);
        answer.error = text;
    }
    release_body(g);
    g->done(g->arg, &answer);
    free(body);
}

static void finish_done(struct consul_http *h)
{
    CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(h->multi, &left)) != NULL) {
        CURLcode code = m->data.result;
        struct consul_get *g = NULL;

        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&g);
        finish(g, code);
    }
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct consul_get *g = arg;
    size_t n = size * count, need = g->body_bytes + n;

    if (need > BODY_MAX) {
        g->too_big = true;
        return 0;
    }
    if (need > g->body_room) {
        size_t room = g->body_room ? g->body_room : 4096;
        char *grown;

        while (room < need)
            room *= 2;
        grown = realloc(g->body, room);
        if (!grown)
            return 0;
        g->body = grown;
        g->body_room = room;
    }
    memcpy(g->body + g->body_bytes, data, n);
    g->body_bytes = need;
    return n;
}

static void forget_headers(struct consul_get *g)
{
    memset(&g->answer, 0, sizeof g->answer);
    g->answer.leader_known = true;
    g->json = false;
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
    struct consul_get *g = arg;
    struct str line = {data, size * count}, name, value;
    const char *colon = memchr(line.p, ':', line.n);

    if (str_starts(line, STR("HTTP/")))
        forget_headers(g);
    if (!colon)
        return line.n;
    name = (struct str){line.p, (size_t)(colon - line.p)};
    value = (struct str){colon + 1, line.n - name.n - 1};
    while (value.n > 0 && (value.p[value.n - 1] == '\n' || value.p[value.n - 1] == '\r'))
        value.n--;
    value = str_trim(value);
    if (str_ieq(name, STR("X-Consul-Index")))
        g->answer.has_index = str_to_u64(value, &g->answer.index);
    else if (str_ieq(name, STR("X-Consul-KnownLeader")))
        g->answer.leader_known = !str_ieq(value, STR("false"));
    else if (str_ieq(name, STR("X-Consul-LastContact")))
        (void)str_to_u64(value, &g->answer.last_contact_ms);
    else if (str_ieq(name, STR("X-Consul-Results-Filtered-By-ACLs")))
        g->answer.filtered = str_ieq(value, STR("true"));
    else if (str_ieq(name, STR("Content-Type")))
        g->json = str_istarts(value, STR("application/json"));
    return line.n;
}

static int on_open_socket(void *arg, curl_socket_t fd, curlsocktype purpose)
{
    unsigned timeout = USER_TIMEOUT_MS;
    int count = KEEPALIVE_COUNT;

    (void)arg;
    (void)purpose;
    /* Both fail on a unix socket, which needs neither. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
    return CURL_SOCKOPT_OK;
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct consul_http *h = arg;
    int mask = (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);
    int running;

    curl_multi_socket_action(h->multi, fd, mask, &running);
    finish_done(h);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct consul_http *h = arg;
    int running;

    (void)fd;
    (void)what;
    curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    finish_done(h);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct consul_http *h = arg;
    struct event *event = socket_arg;
    short events = EV_PERSIST;

    (void)easy;
    if (event)
        event_free(event);
    event = NULL;
    if (what != CURL_POLL_REMOVE) {
        events |= what & CURL_POLL_IN ? EV_READ : 0;
        events |= what & CURL_POLL_OUT ? EV_WRITE : 0;
        event = event_new(h->base, fd, events, on_ready, h);
        if (!event)
            abort();
        event_add(event, NULL);
    }
    curl_multi_assign(h->multi, fd, event);
    return 0;
}

static int on_timeout_change(CURLM *multi, long timeout_ms, void *arg)
{
    struct consul_http *h = arg;
    struct timeval tv = {timeout_ms / 1000, (timeout_ms % 1000) * 1000};

    (void)multi;
    if (timeout_ms < 0)
        evtimer_del(h->timer);
    else
        evtimer_add(h->timer, &tv);
    return 0;
}

static bool url_has(CURLU *u, CURLUPart part)
{
    char *text = NULL;
    bool has = curl_url_get(u, part, &text, 0) == CURLUE_OK;

    curl_free(text);
    return has;
}

static int check_url(struct consul_http *h, const char *address, struct err *e)
{
    CURLU *u = curl_url();
    CURLUcode code = curl_url_set(u, CURLUPART_URL, h->url, 0);
    char *scheme = NULL;
    int ret = 0;

    if (code != CURLUE_OK)
        ret = err_set(e, "consul address \"%s\": %s", address, curl_url_strerror(code));
    else if (url_has(u, CURLUPART_USER) || url_has(u, CURLUPART_PASSWORD))
        ret = err_set(e, "consul address: credentials do not belong in the address; use a token");
    else if (url_has(u, CURLUPART_QUERY) || url_has(u, CURLUPART_FRAGMENT))
        ret = err_set(e, "consul address \"%s\": expected no query and no fragment", address);
    else if (curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
             (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
        ret = err_set(e, "consul address \"%s\": expected http://, https:// or unix://", address);
    else
        h->https = strcmp(scheme, "https") == 0;
    curl_free(scheme);
    curl_url_cleanup(u);
    return ret;
}

static int set_address(struct consul_http *h, const char *address, struct err *e)
{
    size_t n;

    if (str_starts(str_of(address), STR("unix://"))) {
        h->unix_path = copy(address + strlen("unix://"));
        h->url = copy("http://localhost");
        if (!h->unix_path || h->unix_path[0] != '/')
            return err_set(e, "consul address \"%s\": expected unix:///path", address);
        return 0;
    }
    if (asprintf(&h->url, "%s%s", strstr(address, "://") ? "" : "http://", address) < 0)
        abort();
    n = strlen(h->url);
    while (n > 0 && h->url[n - 1] == '/')
        h->url[--n] = '\0';
    return check_url(h, address, e);
}

struct consul_http *consul_http_new(struct event_base *base, const struct discovery_options *o,
                                    struct err *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct consul_http *h = calloc(1, sizeof *h);

    pthread_once(&once, init_curl);
    if (!h)
        abort();
    h->base = base;
    h->multi = curl_multi_init();
    h->timer = evtimer_new(base, on_timer, h);
    if (!h->multi || !h->timer)
        abort();
    h->token = consul_token_new(o->token_file, o->token);
    if (set_address(h, o->address ? o->address : "", e) != 0) {
        consul_http_free(h);
        return NULL;
    }
    h->multiplexed = h->https;
    h->ca_file = copy(o->ca_file);
    h->cert_file = copy(o->cert_file);
    h->key_file = copy(o->key_file);
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timeout_change);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
    curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    curl_multi_setopt(h->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)STREAMS_MAX);
    curl_multi_setopt(h->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)CONNECTIONS_MAX);
    curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_MAX);
    consul_http_expect(h, 1);
    return h;
}

void consul_http_free(struct consul_http *h)
{
    if (!h)
        return;
    curl_multi_cleanup(h->multi);
    event_free(h->timer);
    consul_token_free(h->token);
    free(h->url);
    free(h->unix_path);
    free(h->ca_file);
    free(h->cert_file);
    free(h->key_file);
    free(h);
}

void consul_http_expect(struct consul_http *h, size_t n)
{
    long connections = (long)((n + STREAMS_PLANNED - 1) / STREAMS_PLANNED) + 1;

    if (h->multiplexed)
        curl_multi_setopt(h->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                          connections < CONNECTIONS_MAX ? connections : (long)CONNECTIONS_MAX);
}

bool consul_http_refresh_token(struct consul_http *h, bool in_any_case)
{
    return consul_token_refresh(h->token, in_any_case);
}

static void set_options(struct consul_get *g)
{
    const struct consul_http *h = g->http;
    CURL *c = g->easy;

    curl_easy_setopt(c, CURLOPT_PRIVATE, g);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, g->curl_error);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_PROXY, "");
    curl_easy_setopt(c, CURLOPT_USERAGENT, "frontdesk");
    curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(c, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_IDLE_S);
    curl_easy_setopt(c, CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_EVERY_S);
    curl_easy_setopt(c, CURLOPT_SOCKOPTFUNCTION, on_open_socket);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, g);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, g);
    if (h->https) {
        curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
        curl_easy_setopt(c, CURLOPT_PIPEWAIT, 1L);
    } else {
        curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    }
    if (h->unix_path)
        curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, h->unix_path);
    if (h->ca_file)
        curl_easy_setopt(c, CURLOPT_CAINFO, h->ca_file);
    if (h->cert_file)
        curl_easy_setopt(c, CURLOPT_SSLCERT, h->cert_file);
    if (h->key_file)
        curl_easy_setopt(c, CURLOPT_SSLKEY, h->key_file);
}

struct consul_get *consul_get_new(struct consul_http *h, consul_get_done_fn *done, void *arg)
{
    struct consul_get *g = calloc(1, sizeof *g);

    if (!g)
        abort();
    g->http = h;
    g->done = done;
    g->arg = arg;
    g->easy = curl_easy_init();
    if (!g->easy)
        abort();
    set_options(g);
    return g;
}

void consul_get_free(struct consul_get *g)
{
    if (!g)
        return;
    if (g->busy)
        curl_multi_remove_handle(g->http->multi, g->easy);
    curl_easy_cleanup(g->easy);
    curl_slist_free_all(g->headers);
    release_body(g);
    free(g);
}

static void set_token(struct consul_get *g)
{
    const char *token = consul_token_text(g->http->token);
    char header[4200];

    curl_slist_free_all(g->headers);
    g->headers = NULL;
    if (*token) {
        snprintf(header, sizeof header, "X-Consul-Token: %s", token);
        g->headers = curl_slist_append(NULL, header);
        explicit_bzero(header, sizeof header);
    }
    curl_easy_setopt(g->easy, CURLOPT_HTTPHEADER, g->headers);
}

void consul_get_start(struct consul_get *g, const char *path, uint64_t deadline_ms)
{
    char *url;

    assert(!g->busy);
    if (asprintf(&url, "%s%s", g->http->url, path) < 0)
        abort();
    forget_headers(g);
    g->too_big = false;
    g->curl_error[0] = '\0';
    set_token(g);
    curl_easy_setopt(g->easy, CURLOPT_URL, url);
    curl_easy_setopt(g->easy, CURLOPT_TIMEOUT_MS, (long)deadline_ms);
    g->busy = true;
    if (curl_multi_add_handle(g->http->multi, g->easy) != CURLM_OK)
        abort();
    free(url);
}

bool consul_get_busy(const struct consul_get *g)
{
    return g->busy;
}
