/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* status_page.h - one look at a gateway, made of its documents: a line for each service, the worst
 * first. No I/O.
 *
 * Numbers are since the gateway's start; with an earlier look they are rates and latencies of the
 * time between the two. All text is borrowed from the documents. */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* As the dashboard ranks them. */
enum attention {
    ATTENTION_NONE,
    ATTENTION_NOTICE,  /* disabled by hand, shadow that would reject, comes from another place, held
                          instances */
    ATTENTION_WARNING, /* an instance's breaker is not closed, or more than 5 % errors */
    ATTENTION_SERIOUS, /* half-open, forced, panic */
    ATTENTION_DOWN     /* open, or no instance available */
};

struct forced_line {
    const char *state, *author, *why; /* NULL = not forced; not told; not told */
    int64_t ends_in_ms;
    bool fleet;
};

struct service_line {
    const char *name, *state, *machine; /* words of the admin endpoint */
    struct forced_line forced;
    struct forced_line instance_forced; /* of the first instance that is; state NULL = none */
    const char *instance_id;
    const char *cause; /* of the last trip, when not closed; or NULL */
    int64_t trip_failed, trip_total;
    int64_t reopens_in_ms;             /* -1 = does not apply */
    int64_t available, total, ejected; /* instances; ejected: their breaker is not closed */
    int64_t held, damped; /* instances that Consul is not believed about; kept out: they flap */
    bool panic;
    int64_t requests, failures, rejected, would_reject; /* since the start */
    double rate, failure_rate;                          /* per second; negative = not known yet */
    double p50_ms, p99_ms;                              /* negative = nothing was counted */
    int64_t in_flight, waiting;
    const char *place, *place_why; /* where it comes from, when that is not the preferred place; or
                                      NULL */
    enum attention attention;
    const json_t *doc;     /* of /v1/services */
    const json_t *breaker; /* of /v1/breakers; NULL when it is not there */
};

struct status_page {
    json_t *status, *services, *breakers; /* owned */
    uint64_t at_ns;                       /* monotonic */
    bool rates;
    struct service_line *lines; /* owned; the worst first, then by name */
    size_t n;
};

/* Takes over the documents of /v1/status, /v1/services and /v1/breakers (may be NULL). `before`:
 * the look to compare with, NULL = none; not needed afterwards. `only`: one service, NULL = all. */
struct status_page *status_page_new(json_t *status, json_t *services, json_t *breakers,
                                    uint64_t at_ns, const struct status_page *before,
                                    const char *only);
/* Clears the caller's pointer; accepts a pointer to NULL. */
void status_page_free(struct status_page **p);

/* Consul is used and away. */
bool status_page_consul_away(const struct status_page *p);
/* The token lacks something that it cannot do without, or there is none. */
bool status_page_lacks_rights(const struct status_page *p);
/* How far it sheds load: 0 = not at all, 1 to 3 = routes of low, also normal, also high importance.
 */
int status_page_shed_level(const struct status_page *p);
/* 0 = all is well, 3 = something needs attention. */
int status_page_exit(const struct status_page *p);
/* The whole as one document; new reference. */
json_t *status_page_document(const struct status_page *p);

/* For other commands. Missing members give "-", 0, an empty forced_line. */
const char *doc_text(const json_t *o, const char *key);
int64_t doc_int(const json_t *o, const char *key);
struct forced_line doc_forced(const json_t *o);
