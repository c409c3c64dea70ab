/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* rate_limits_conf.h - `rate_limits:`, how often and how much a client may ask, and which of them a
 * route has. What the kinds mean is in limits/limit_rule.h. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cidr_list;

enum rate_limit_kind { LIMIT_RATE, LIMIT_QUOTA, LIMIT_CONCURRENCY };

/* Who counts as one client. */
enum rate_limit_by {
    LIMIT_BY_CLIENT, /* the address, or the network that it is of */
    LIMIT_BY_GLOBAL, /* all together */
    LIMIT_BY_HEADER,
    LIMIT_BY_API_KEY, /* from here on: by who was authenticated */
    LIMIT_BY_SUBJECT,
    LIMIT_BY_CLAIM,
    LIMIT_BY_IDENTITY /* the subject, or the address of who was not authenticated */
};

enum rate_limit_period { PERIOD_SECOND, PERIOD_MINUTE, PERIOD_HOUR, PERIOD_DAY, PERIOD_MONTH };

/* How an answer tells of the limit. */
enum rate_limit_fields { FIELDS_BOTH, FIELDS_DRAFT, FIELDS_LEGACY, FIELDS_NONE };

struct rate_limit_conf {
    const char *name;
    unsigned index; /* in config.rate_limits */
    enum rate_limit_by by;
    const char *by_name; /* of the header or claim */
    enum rate_limit_kind kind;
    unsigned amount; /* requests in a period, or at once */
    enum rate_limit_period period;
    unsigned burst; /* LIMIT_RATE: requests that may come at once */
    bool all;       /* for every route, not only those that name it */
    bool per_route; /* each route counts for itself */
    bool shadow;    /* counts, and refuses nothing */
    bool shared;    /* counted in Redis */
    enum rate_limit_fields fields;
    struct cidr_list *except; /* addresses that it is not for; NULL = none */
    unsigned max_clients;
    unsigned ipv4_prefix, ipv6_prefix;
    unsigned told;      /* what clients are told that they may send ... */
    unsigned told_in_s; /* ... in so many seconds */
};

enum {
    MAX_RATE_LIMITS = 256,
    MAX_ROUTE_LIMITS = 8,
    MAX_KEY_LIMITS = 4, /* that an API key brings along */
    MAX_REQUEST_LIMITS = MAX_ROUTE_LIMITS + MAX_KEY_LIMITS
};

/* The limits of a route in the order in which they are asked: first `nbefore` that need not know
 * who is asking, then the others. */
struct limit_plan {
    unsigned nbefore, n;
    const struct rate_limit_conf *limits[MAX_ROUTE_LIMITS];
};

struct redis_conf {
    const char *address; /* as written; NULL = none */
    const char *host;    /* an IP address, or NULL: then */
    const char *path;    /* of a Unix socket */
    uint16_t port;
    const char *password_file, *username;
    unsigned database;
    uint64_t timeout_ms; /* how long a request waits for it */
    const char *prefix;  /* of its keys */
};
