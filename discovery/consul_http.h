/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* consul_http.h - requests to Consul, on top of base/fetch.h. Which agent is asked, and with which
 * token, is the access's business (consul_access.h): it is shared, and changes under way.
 *
 * One consul_http per agent, one consul_get per watch; a consul_get is reused for request after
 * request, so its connection stays warm. Nothing blocks. Over HTTPS all requests share a few HTTP/2
 * connections; over plain HTTP each one in flight has a connection of its own, and the agent allows
 * 200 for each client address, so their number is limited here.
 *
 * When another agent takes over, every request in flight is answered with status 0: a watch asks
 * anew without an index, since those of two agents cannot be compared. A request that is refused
 * (403) is sent once more when there is another token; one that comes before the first login is
 * done waits for it. */
#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct consul_http;
struct consul_get;
struct discovery_options;

struct consul_answer {
    int status;        /* HTTP status; 0 = no answer */
    bool refused;      /* with status 0: nothing listens at the address */
    bool shut_out;     /* with status 0: the connection was taken and closed at once, unanswered */
    bool renewed;      /* the same: nothing failed, but it is to be asked anew */
    const char *error; /* why there is no usable body, or NULL. Never holds the token */
    bool has_index;
    uint64_t index;    /* X-Consul-Index */
    bool leader_known; /* true too when the header is missing */
    uint64_t last_contact_ms;
    bool filtered;    /* the token may not see everything */
    bool multiplexed; /* came over HTTP/2 */
    struct str body;  /* borrowed; empty unless status is 200 and it is JSON, or it was a write */
};

/* Called from the loop, never from inside consul_get_start(). It may start the same consul_get
 * again or free any, this one included. */
typedef void consul_get_done_fn(void *arg, const struct consul_answer *a);

/* Strings in `o` are copied. */
struct consul_http *consul_http_new(struct event_base *base, const struct discovery_options *o,
                                    struct err *e) MUST_CHECK;
/* Called from the loop when there is a good token again: whoever was denied something may ask at
 * once. It may start requests; it may free none. */
void consul_http_when_good(struct consul_http *h, void (*fn)(void *arg), void *arg);
/* All consul_get must be freed before. Accepts NULL. */
void consul_http_free(struct consul_http *h);

/* Over HTTPS: connections that `n` concurrent requests are spread over. */
void consul_http_expect(struct consul_http *h, size_t n);

/* Over plain HTTP: no more than n connections in all stay open when some of them idle. */
void consul_http_keep(struct consul_http *h, unsigned n);

/* Reads a changed token file again, or in any case; true when the token is another one now. */
bool consul_http_refresh_token(struct consul_http *h, bool in_any_case);

/* Its errors decide whether another agent is asked. Before the first request. */
void consul_get_leads(struct consul_get *g);

struct consul_get *consul_get_new(struct consul_http *h, consul_get_done_fn *done,
                                  void *arg) MUST_CHECK;
/* A request in flight is dropped without a call. Accepts NULL. */
void consul_get_free(struct consul_get *g);

/* `path` begins with "/v1/" and is percent-encoded, the query included. Must not be in flight. */
void consul_get_start(struct consul_get *g, const char *path, uint64_t deadline_ms);
/* The same with a body: "PUT" or "DELETE". */
void consul_write_start(struct consul_get *g, const char *method, const char *path, struct str body,
                        uint64_t deadline_ms);
bool consul_get_busy(const struct consul_get *g);

/* Percent-encodes one path segment or query value into an allocated string. */
char *consul_http_encode(const char *text) MUST_CHECK;
