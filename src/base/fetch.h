/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* fetch.h - HTTP requests of the gateway's own (to Consul, to webhooks), without blocking: a
 * libcurl multi handle driven by libevent.
 *
 * A fetcher belongs to one event loop and is used on its thread only. A fetch is one request at a
 * time and is used again for the next, so its connection stays warm. Proxies from the environment
 * are not used, redirects are not followed, certificates are verified unless somebody has said that
 * they are not to be (no_verify). Files of TLS are read for every new connection. */
#include "base/macros.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct fetcher;
struct fetch;

struct fetcher *fetcher_new(struct event_base *base) MUST_CHECK;
/* All its fetches must be freed before. Accepts NULL. */
void fetcher_free(struct fetcher *f);
/* At most n connections to one host, and in all n kept. */
void fetcher_limit(struct fetcher *f, unsigned n);
/* In all no more than n kept while nothing is under way on them. */
void fetcher_keep(struct fetcher *f, unsigned n);

struct fetch_answer {
    int status;        /* HTTP status; 0 = no answer */
    bool refused;      /* with status 0: nothing listens there */
    bool shut_out;     /* with status 0: the connection was taken and closed at once, unanswered */
    const char *error; /* with status 0: why, for people; else NULL. Borrowed */
    bool http2;
    struct str body; /* borrowed until the call returns */
};

/* Called from the loop, never from inside fetch_start(). It may start the same fetch again or free
 * any, this one included. */
typedef void fetch_done_fn(void *arg, const struct fetch_answer *a);
/* Each header field of the answer, value trimmed. An empty name: a head begins, what was told of
 * one before (1xx) does not count. */
typedef void fetch_header_fn(void *arg, struct str name, struct str value);

/* Strings are copied. NULL or 0 = not so. */
struct fetch_options {
    const char *unix_path;                      /* instead of the URL's host and port */
    const char *connect_to;                     /* "host:port", while the URL names another one */
    const char *ca_file, *cert_file, *key_file; /* NULL = the system's, none */
    const char *ca_path;                        /* folder of authorities, hashed; NULL = none */
    bool no_verify;
    size_t max_body;  /* longer answers fail; 0 = 1 MiB */
    bool share_http2; /* many at once over few connections */
    fetch_header_fn *on_header;
};

struct fetch *fetch_new(struct fetcher *f, const struct fetch_options *o, fetch_done_fn *done,
                        void *arg) MUST_CHECK;
/* A request in flight is dropped without a call. Accepts NULL. */
void fetch_free(struct fetch *f);

struct fetch_request {
    const char *method; /* NULL = GET */
    const char *url;
    const char *const *headers; /* "Name: value", NULL-terminated; may be NULL */
    struct str body;            /* copied; sent when the method is not GET */
    uint64_t deadline_ms;       /* for the whole exchange */
};

/* Must not be in flight. */
void fetch_start(struct fetch *f, const struct fetch_request *q);
bool fetch_busy(const struct fetch *f);

/* Percent-encodes one path segment or query value into an allocated string. */
char *fetch_encode(const char *text) MUST_CHECK;
