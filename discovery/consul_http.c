/* SPDX-License-Identifier: Apache-2.0 */
#include "consul_http.h"
#include "base/fetch.h"
#include "base/token_file.h"
#include "discovery.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    BODY_MAX = 64 << 20,
    CONNECTIONS_MAX =
        150, /* the agent closes the 201st of a client address; leave some to others */
    STREAMS_PLANNED = 200,
};

struct consul_http {
    struct fetcher *fetcher;              /* owned */
    struct token_file *token;             /* owned */
    char *url;                            /* owned; without path, no slash at the end */
    char *unix_path;                      /* owned, or NULL */
    char *ca_file, *cert_file, *key_file; /* owned, or NULL */
    bool https;
    bool multiplexed; /* false once HTTPS turned out to be without HTTP/2 */
};

struct consul_get {
    struct consul_http *http; /* borrowed */
    struct fetch *fetch;      /* owned */
    consul_get_done_fn *done;
    void *arg;
    bool json, writes;
    struct consul_answer answer;
};

static char *copy(const char *z)
{
    char *c = z && *z ? strdup(z) : NULL;

    if (z && *z && !c)
        abort();
    return c;
}

char *consul_http_encode(const char *text)
{
    return fetch_encode(text);
}

static void describe_failure(const struct consul_get *g, const struct fetch_answer *f, char *text,
                             size_t room)
{
    int shown = f->body.n < 160 ? (int)f->body.n : 160;

    if (f->error)
        snprintf(text, room, "%s", f->error);
    else if (f->status != 200)
        snprintf(text, room, "HTTP %d: %.*s", f->status, shown, shown ? f->body.p : "");
    else
        snprintf(text, room, "HTTP 200, but the body is not JSON");
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20)
            *p = ' ';
    token_file_mask(g->http->token, text);
}

static void note_version(struct consul_get *g, const struct fetch_answer *f)
{
    struct consul_http *h = g->http;

    g->answer.multiplexed = f->http2;
    if (h->multiplexed && f->status != 0 && !f->http2) {
        h->multiplexed = false;
        fetcher_limit(h->fetcher, CONNECTIONS_MAX);
    }
}

static void on_done(void *arg, const struct fetch_answer *f)
{
    struct consul_get *g = arg;
    struct consul_answer answer;
    char text[256];

    note_version(g, f);
    answer = g->answer;
    answer.status = f->status;
    answer.refused = f->refused;
    if (f->status == 200 && (g->json || g->writes)) {
        answer.body = f->body;
    } else {
        describe_failure(g, f, text, sizeof text);
        answer.error = text;
    }
    g->done(g->arg, &answer);
}

static void forget_headers(struct consul_get *g)
{
    memset(&g->answer, 0, sizeof g->answer);
    g->answer.leader_known = true;
    g->json = false;
}

static void on_header(void *arg, struct str name, struct str value)
{
    struct consul_get *g = arg;

    if (name.n == 0)
        forget_headers(g);
    else if (str_ieq(name, STR("X-Consul-Index")))
        g->answer.has_index = str_to_u64(value, &g->answer.index);
    else if (str_ieq(name, STR("X-Consul-KnownLeader")))
        g->answer.leader_known = !str_ieq(value, STR("false"));
    else if (str_ieq(name, STR("X-Consul-LastContact")))
        (void)str_to_u64(value, &g->answer.last_contact_ms);
    else if (str_ieq(name, STR("X-Consul-Results-Filtered-By-ACLs")))
        g->answer.filtered = str_ieq(value, STR("true"));
    else if (str_ieq(name, STR("Content-Type")))
        g->json = str_istarts(value, STR("application/json"));
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
    struct consul_http *h = calloc(1, sizeof *h);

    if (!h)
        abort();
    h->fetcher = fetcher_new(base);
    h->token = token_file_new("discovery", o->token_file, o->token);
    if (set_address(h, o->address ? o->address : "", e) != 0) {
        consul_http_free(h);
        return NULL;
    }
    h->multiplexed = h->https;
    h->ca_file = copy(o->ca_file);
    h->cert_file = copy(o->cert_file);
    h->key_file = copy(o->key_file);
    fetcher_limit(h->fetcher, CONNECTIONS_MAX);
    consul_http_expect(h, 1);
    return h;
}

void consul_http_free(struct consul_http *h)
{
    if (!h)
        return;
    fetcher_free(h->fetcher);
    token_file_free(h->token);
    free(h->url);
    free(h->unix_path);
    free(h->ca_file);
    free(h->cert_file);
    free(h->key_file);
    free(h);
}

void consul_http_expect(struct consul_http *h, size_t n)
{
    size_t connections = (n + STREAMS_PLANNED - 1) / STREAMS_PLANNED + 1;

    if (h->multiplexed)
        fetcher_limit(h->fetcher,
                      connections < CONNECTIONS_MAX ? (unsigned)connections : CONNECTIONS_MAX);
}

bool consul_http_refresh_token(struct consul_http *h, bool in_any_case)
{
    return token_file_refresh(h->token, in_any_case);
}

struct consul_get *consul_get_new(struct consul_http *h, consul_get_done_fn *done, void *arg)
{
    struct consul_get *g = calloc(1, sizeof *g);
    struct fetch_options o = {
        .unix_path = h->unix_path,
        .ca_file = h->ca_file,
        .cert_file = h->cert_file,
        .key_file = h->key_file,
        .max_body = BODY_MAX,
        .share_http2 = h->https,
        .on_header = on_header,
    };

    if (!g)
        abort();
    g->http = h;
    g->done = done;
    g->arg = arg;
    g->fetch = fetch_new(h->fetcher, &o, on_done, g);
    return g;
}

void consul_get_free(struct consul_get *g)
{
    if (!g)
        return;
    fetch_free(g->fetch);
    free(g);
}

static void start(struct consul_get *g, const char *method, const char *path, struct str body,
                  uint64_t deadline_ms)
{
    const char *token = token_file_text(g->http->token);
    char header[4200], *url;
    const char *headers[] = {NULL, NULL};
    struct fetch_request q = {
        .method = method, .headers = headers, .body = body, .deadline_ms = deadline_ms};

    if (asprintf(&url, "%s%s", g->http->url, path) < 0)
        abort();
    q.url = url;
    if (*token) {
        snprintf(header, sizeof header, "X-Consul-Token: %s", token);
        headers[0] = header;
    }
    forget_headers(g);
    fetch_start(g->fetch, &q);
    explicit_bzero(header, sizeof header);
    free(url);
}

void consul_get_start(struct consul_get *g, const char *path, uint64_t deadline_ms)
{
    g->writes = false;
    start(g, NULL, path, STR(""), deadline_ms);
}

void consul_write_start(struct consul_get *g, const char *method, const char *path, struct str body,
                        uint64_t deadline_ms)
{
    g->writes = true;
    start(g, method, path, body, deadline_ms);
}

bool consul_get_busy(const struct consul_get *g)
{
    return fetch_busy(g->fetch);
}
