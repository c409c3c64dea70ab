/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fetch.h"
#include "base/alloc.h"

#include <assert.h>
#include <curl/curl.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    DEFAULT_BODY_MAX = 1 << 20,
    CONNECT_MS = 5000,
    SHUT_OUT_MS = 1000,
    STREAMS_MAX = 250, /* of one HTTP/2 connection, as common servers announce */
    USER_TIMEOUT_MS = 30000,
    KEEPALIVE_IDLE_S = 15,
    KEEPALIVE_EVERY_S = 5,
    KEEPALIVE_COUNT = 3,
};

struct fetcher {
    struct event_base *base; /* borrowed */
    CURLM *multi;            /* owned */
    struct event *timer;     /* owned */
};

struct fetch {
    struct fetcher *fetcher;    /* borrowed */
    CURL *easy;                 /* owned */
    struct curl_slist *headers; /* owned; may hold a token */
    struct curl_slist *connect; /* owned; CURLOPT_CONNECT_TO */
    fetch_done_fn *done;
    fetch_header_fn *on_header; /* may be NULL */
    void *arg;
    size_t max_body;
    char *body; /* owned */
    size_t body_bytes, body_room;
    bool busy, too_big;
    char curl_error[CURL_ERROR_SIZE];
};

static void init_curl(void)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        abort();
}

char *fetch_encode(const char *text)
{
    char *escaped = curl_easy_escape(NULL, text, 0), *copy = escaped ? strdup(escaped) : NULL;

    curl_free(escaped);
    if (!copy)
        abort();
    return copy;
}

static const char *describe(const struct fetch *f, CURLcode code, char *text, size_t room)
{
    if (f->too_big)
        snprintf(text, room, "the answer is larger than %zu KiB", f->max_body >> 10);
    else
        snprintf(text, room, "%s", *f->curl_error ? f->curl_error : curl_easy_strerror(code));
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20)
            *p = ' ';
    return text;
}

/* What a server does that has too many connections, and does not say so. */
static bool is_shut_out(struct fetch *f, CURLcode code)
{
    curl_off_t took_us = 0;

    if (code != CURLE_RECV_ERROR && code != CURLE_SEND_ERROR && code != CURLE_GOT_NOTHING)
        return false;
    curl_easy_getinfo(f->easy, CURLINFO_TOTAL_TIME_T, &took_us);
    return f->body_bytes == 0 && took_us < SHUT_OUT_MS * 1000;
}

static void finish(struct fetch *f, CURLcode code)
{
    struct fetch_answer answer = {0};
    char text[CURL_ERROR_SIZE], *body = f->body;
    long status = 0, version = 0;

    curl_multi_remove_handle(f->fetcher->multi, f->easy);
    f->busy = false;
    curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(f->easy, CURLINFO_HTTP_VERSION, &version);
    answer.http2 = version == CURL_HTTP_VERSION_2_0;
    answer.refused = code == CURLE_COULDNT_CONNECT;
    answer.shut_out = is_shut_out(f, code);
    if (code == CURLE_OK) {
        answer.status = (int)status;
        answer.body = (struct str){body ? body : "", f->body_bytes};
    } else {
        answer.error = describe(f, code, text, sizeof text);
    }
    /* Taken off the fetch, which the call may start again or free. */
    f->body = NULL;
    f->body_bytes = f->body_room = 0;
    f->done(f->arg, &answer);
    free(body);
}

static void finish_done(struct fetcher *f)
{
    CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(f->multi, &left)) != NULL) {
        CURLcode code = m->data.result;
        char *fetch = NULL;

        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &fetch);
        finish((struct fetch *)(void *)fetch, code);
    }
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct fetch *f = arg;
    size_t n = size * count, need = f->body_bytes + n;

    if (need > f->max_body) {
        f->too_big = true;
        return 0;
    }
    if (need > f->body_room) {
        size_t room = f->body_room ? f->body_room : 4096;
        char *grown;

        while (room < need)
            room *= 2;
        grown = realloc(f->body, room);
        if (!grown)
            return 0;
        f->body = grown;
        f->body_room = room;
    }
    memcpy(f->body + f->body_bytes, data, n);
    f->body_bytes = need;
    return n;
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
    struct fetch *f = arg;
    struct str line = {data, size * count}, name, value;
    const char *colon = memchr(line.p, ':', line.n);

    if (str_starts(line, STR("HTTP/")))
        f->on_header(f->arg, STR(""), STR(""));
    if (!colon)
        return line.n;
    name = (struct str){line.p, (size_t)(colon - line.p)};
    value = (struct str){colon + 1, line.n - name.n - 1};
    while (value.n > 0 && (value.p[value.n - 1] == '\n' || value.p[value.n - 1] == '\r'))
        value.n--;
    if (name.n > 0)
        f->on_header(f->arg, name, str_trim(value));
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
    struct fetcher *f = arg;
    int mask = (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);
    int running;

    curl_multi_socket_action(f->multi, fd, mask, &running);
    finish_done(f);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct fetcher *f = arg;
    int running;

    (void)fd;
    (void)what;
    curl_multi_socket_action(f->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    finish_done(f);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct fetcher *f = arg;
    struct event *event = socket_arg;
    short events = EV_PERSIST;

    (void)easy;
    if (event)
        event_free(event);
    event = NULL;
    if (what != CURL_POLL_REMOVE) {
        events |= what & CURL_POLL_IN ? EV_READ : 0;
        events |= what & CURL_POLL_OUT ? EV_WRITE : 0;
        event = event_new(f->base, fd, events, on_ready, f);
        if (!event)
            abort();
        event_add(event, NULL);
    }
    curl_multi_assign(f->multi, fd, event);
    return 0;
}

static int on_timeout_change(CURLM *multi, long timeout_ms, void *arg)
{
    struct fetcher *f = arg;
    struct timeval tv = {timeout_ms / 1000, (timeout_ms % 1000) * 1000};

    (void)multi;
    if (timeout_ms < 0)
        evtimer_del(f->timer);
    else
        evtimer_add(f->timer, &tv);
    return 0;
}

struct fetcher *fetcher_new(struct event_base *base)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct fetcher *f = alloc_or_abort(sizeof *f);

    pthread_once(&once, init_curl);
    f->base = base;
    f->multi = curl_multi_init();
    f->timer = evtimer_new(base, on_timer, f);
    if (!f->multi || !f->timer)
        abort();
    curl_multi_setopt(f->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(f->multi, CURLMOPT_SOCKETDATA, f);
    curl_multi_setopt(f->multi, CURLMOPT_TIMERFUNCTION, on_timeout_change);
    curl_multi_setopt(f->multi, CURLMOPT_TIMERDATA, f);
    curl_multi_setopt(f->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    curl_multi_setopt(f->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)STREAMS_MAX);
    return f;
}

void fetcher_free(struct fetcher *f)
{
    if (!f)
        return;
    curl_multi_cleanup(f->multi);
    event_free(f->timer);
    free(f);
}

void fetcher_limit(struct fetcher *f, unsigned n)
{
    curl_multi_setopt(f->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)n);
    curl_multi_setopt(f->multi, CURLMOPT_MAXCONNECTS, (long)n);
}

/* Files that were replaced are good for the next connection: nothing of them is kept. */
void fetcher_keep(struct fetcher *f, unsigned n)
{
    curl_multi_setopt(f->multi, CURLMOPT_MAXCONNECTS, (long)n);
}

static void set_tls(CURL *c, const struct fetch_options *o)
{
    if (o->ca_file || o->ca_path) {
        curl_easy_setopt(c, CURLOPT_CAINFO, o->ca_file);
        curl_easy_setopt(c, CURLOPT_CAPATH, o->ca_path);
        curl_easy_setopt(c, CURLOPT_CA_CACHE_TIMEOUT, 0L);
    }
    if (o->no_verify) {
        curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    /* A session that is resumed would still show the certificate of before. */
    if (o->cert_file)
        curl_easy_setopt(c, CURLOPT_SSL_SESSIONID_CACHE, 0L);
    if (o->cert_file)
        curl_easy_setopt(c, CURLOPT_SSLCERT, o->cert_file);
    if (o->key_file)
        curl_easy_setopt(c, CURLOPT_SSLKEY, o->key_file);
}

static void set_connect_to(struct fetch *f, const char *connect_to)
{
    char *entry;

    if (asprintf(&entry, "::%s", connect_to) < 0)
        abort();
    f->connect = curl_slist_append(NULL, entry);
    if (!f->connect)
        abort();
    curl_easy_setopt(f->easy, CURLOPT_CONNECT_TO, f->connect);
    free(entry);
}

static void set_options(struct fetch *f, const struct fetch_options *o)
{
    CURL *c = f->easy;

    curl_easy_setopt(c, CURLOPT_PRIVATE, f);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, f->curl_error);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    /* Else giving up waits for the thread that asks a name server which does not answer. */
    curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L);
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
    curl_easy_setopt(c, CURLOPT_WRITEDATA, f);
    if (f->on_header) {
        curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
        curl_easy_setopt(c, CURLOPT_HEADERDATA, f);
    }
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION,
                     (long)(o->share_http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(c, CURLOPT_PIPEWAIT, o->share_http2 ? 1L : 0L);
    if (o->unix_path)
        curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, o->unix_path);
    if (o->connect_to)
        set_connect_to(f, o->connect_to);
    set_tls(c, o);
}

struct fetch *fetch_new(struct fetcher *fetcher, const struct fetch_options *o, fetch_done_fn *done,
                        void *arg)
{
    struct fetch *f = alloc_or_abort(sizeof *f);

    f->fetcher = fetcher;
    f->done = done;
    f->on_header = o->on_header;
    f->arg = arg;
    f->max_body = o->max_body ? o->max_body : DEFAULT_BODY_MAX;
    f->easy = curl_easy_init();
    if (!f->easy)
        abort();
    set_options(f, o);
    return f;
}

static void forget_headers(struct fetch *f)
{
    for (struct curl_slist *h = f->headers; h; h = h->next)
        explicit_bzero(h->data, strlen(h->data));
    curl_slist_free_all(f->headers);
    f->headers = NULL;
}

void fetch_free(struct fetch *f)
{
    if (!f)
        return;
    if (f->busy)
        curl_multi_remove_handle(f->fetcher->multi, f->easy);
    curl_easy_cleanup(f->easy);
    curl_slist_free_all(f->connect);
    forget_headers(f);
    free(f->body);
    free(f);
}

static void set_headers(struct fetch *f, const char *const *headers)
{
    forget_headers(f);
    for (; headers && *headers; headers++) {
        struct curl_slist *grown = curl_slist_append(f->headers, *headers);

        if (!grown)
            abort();
        f->headers = grown;
    }
    curl_easy_setopt(f->easy, CURLOPT_HTTPHEADER, f->headers);
}

static void set_method(struct fetch *f, const struct fetch_request *q)
{
    CURL *c = f->easy;

    if (!q->method || strcmp(q->method, "GET") == 0) {
        curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, NULL);
        curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
        return;
    }
    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)q->body.n);
    curl_easy_setopt(c, CURLOPT_COPYPOSTFIELDS, q->body.n ? q->body.p : "");
    curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, q->method);
}

void fetch_start(struct fetch *f, const struct fetch_request *q)
{
    assert(!f->busy);
    f->too_big = false;
    f->curl_error[0] = '\0';
    set_headers(f, q->headers);
    set_method(f, q);
    curl_easy_setopt(f->easy, CURLOPT_URL, q->url);
    curl_easy_setopt(f->easy, CURLOPT_TIMEOUT_MS, (long)q->deadline_ms);
    f->busy = true;
    if (curl_multi_add_handle(f->fetcher->multi, f->easy) != CURLM_OK)
        abort();
}

bool fetch_busy(const struct fetch *f)
{
    return f->busy;
}
