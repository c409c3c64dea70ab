/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* config.h - the checked configuration: what config_load() makes of DIR/(*).yaml.
 *
 * Immutable after loading and refcounted: the control thread holds the current one, route tables
 * and services of a snapshot refer to it. Strings and arrays live in its arena. Times are
 * milliseconds, sizes bytes; a default is filled in for everything that was not written. The keys,
 * their defaults and meaning are in docs/configuration.md. */
#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/reason.h"
#include "base/str.h"
#include "config/aggregate_conf.h"
#include "config/authorities_conf.h"
#include "config/batch_conf.h"
#include "config/cache_conf.h"
#include "config/compression_conf.h"
#include "config/consul_conf.h"
#include "config/edge_conf.h"
#include "config/http2_conf.h"
#include "config/issuers_conf.h"
#include "config/places_conf.h"
#include "config/policies_conf.h"
#include "config/rate_limits_conf.h"
#include "config/registration_conf.h"
#include "config/resolver_conf.h"
#include "config/tls_conf.h"
#include "config/upstream_tls_conf.h"

#include <stdbool.h>
#include <stdint.h>

struct listener_conf {
    const char *address; /* "0.0.0.0:8080", "[::]:8080" as written */
    const char *host;    /* "0.0.0.0", "::" */
    uint16_t port;
    struct tls_conf tls;
    struct hsts_conf hsts;
    struct http2_conf http2;
    unsigned redirect_https; /* port of the TLS listener that requests are sent to; 0 = none */
    struct address_rules addresses;
    const struct proxy_protocol_conf *proxy_protocol; /* NULL = connections begin at once */
};

struct admin_conf {
    const char *address; /* as written; NULL = no admin endpoint */
    const char *host;
    uint16_t port;
    const char *token_file;                         /* NULL = no writes by token */
    const char *tls_cert, *tls_key, *tls_client_ca; /* cert NULL = no TLS */
};

struct fleet_conf {
    bool wanted;             /* as written; true when the section does not say */
    bool enabled;            /* there is a section, and it is wanted */
    const char *name;        /* NULL = the host's */
    const char *prefix;      /* of its keys in Consul's KV store; no slash at either end */
    const char *address;     /* where clients reach this gateway; NULL = its first listener */
    uint64_t session_ttl_ms; /* a gateway that dies is gone after one to two of these */
};

/* What a webhook is told of. */
enum webhook_event {
    WEBHOOK_OPEN,
    WEBHOOK_HALF_OPEN,
    WEBHOOK_CLOSED,
    WEBHOOK_FORCED,
    WEBHOOK_EJECTED,
    WEBHOOK_RESTORED,
    WEBHOOK_SHADOW
};

struct webhook_conf {
    const char *url;   /* may hold a secret anywhere behind the scheme: never shown */
    const char *shown; /* scheme, host, port */
    const char *name;  /* for people; as shown when none is given */
    unsigned on;       /* bits (1u << enum webhook_event) */
    const char *token_file;
    uint64_t timeout_ms;
    unsigned attempts;
};

enum hash_source {
    HASH_NONE,
    HASH_HEADER,
    HASH_COOKIE,
    HASH_PATH_PARAM,
    HASH_QUERY,
    HASH_CLIENT_ADDRESS
};

struct balance_conf {
    const char *policy; /* a word of balance_policy_parse() */
    enum hash_source hash_source;
    const char *hash_name; /* header, cookie, parameter; NULL for client_address */
    uint64_t slow_start_ms;
    unsigned panic_percent;
    const char *prefer_meta;  /* node meta key to compare, as "zone"; NULL = no preference */
    const char *prefer_value; /* its value here */
    unsigned prefer_min_percent;
};

struct retries_conf {
    unsigned attempts;      /* tries in all: 1 = no retry */
    uint64_t reasons;       /* bit (1ull << enum reason) */
    uint16_t statuses[8];   /* answered statuses that are retried; 0 ends */
    uint32_t grpc_statuses; /* bit (1u << grpc-status), of answers without a message */
    bool non_idempotent;    /* retry POST and PATCH too, after bytes were sent; default false */
    unsigned budget_percent, budget_min_per_s;
};

/* A second try beside a slow first one. Both 0 = none. */
struct hedge_conf {
    unsigned percent;     /* after this quantile of the times to the first byte */
    uint64_t after_ms;    /* or after a fixed time */
    uint64_t at_least_ms; /* lower bound of the quantile */
};

struct breaker_conf {
    bool enabled, shadow;
    unsigned failure_rate, slow_rate, minimum_requests, half_open_requests;
    uint64_t slow_ms, window_ms, open_for_ms, max_open_ms;
    uint16_t failure_statuses[16];  /* 5xx by default: {500,502,503,504}; 0 ends */
    uint32_t failure_grpc_statuses; /* bit (1u << grpc-status) */
};

struct outlier_conf {
    bool enabled;
    unsigned consecutive_failures, failure_rate, minimum_requests, max_ejected;
    uint64_t window_ms, base_ejection_ms, max_ejection_ms;
};

struct static_instance {
    const char *host;
    uint16_t port;
    unsigned weight;
    const char *zone;
};

/* What answers in place of a service that cannot. */
enum fallback_kind { FALLBACK_CACHE, FALLBACK_SERVICE, FALLBACK_STATIC, FALLBACK_KINDS };

struct header_conf {
    const char *name, *value;
};

struct fallback_conf {
    enum fallback_kind kind;
    uint64_t reasons;      /* bit (1ull << enum reason) */
    uint64_t statuses[10]; /* bit set of 0..599: answers that are as good as none */
    uint64_t max_age_ms;   /* FALLBACK_CACHE: of the stored answer */
    const char *service;   /* FALLBACK_SERVICE */
    struct {
        unsigned status;
        struct header_conf *headers;
        size_t nheaders;
        struct str body;
    } answer; /* FALLBACK_STATIC */
};

enum { MAX_FALLBACKS = 8 };

/* Tried in order until one can answer. */
struct fallback_list {
    struct fallback_conf *items;
    size_t n;
    bool caches;           /* one of them is FALLBACK_CACHE: good answers are stored */
    uint64_t statuses[10]; /* of all items */
};

struct fallback_cache_conf {
    size_t size, max_answer;
};

/* A limit that finds its value (circuit/adaptive.h). */
struct adaptive_conf {
    bool enabled;
    unsigned minimum, maximum, initial;
    unsigned tolerance_percent;
};

/* What an entry of `services:` says by itself: then Consul's traffic rules do not. */
enum service_says {
    SERVICE_SAYS_BALANCE = 1,
    SERVICE_SAYS_RETRIES = 2,
    SERVICE_SAYS_TIMEOUT = 4,
    SERVICE_SAYS_CONNECT_TIMEOUT = 8
};

struct service_conf {
    const char *name;
    unsigned says;      /* bits of enum service_says */
    bool traffic_rules; /* Consul's are obeyed for it */
    struct static_instance *instances; /* the file source: the service needs no Consul */
    size_t ninstances;
    struct places_conf places; /* empty: the usual place of Consul */
    struct balance_conf balance;
    struct retries_conf retries;
    struct hedge_conf hedge;
    struct breaker_conf breaker;
    struct outlier_conf outlier;
    unsigned max_requests, max_requests_per_instance, queue; /* 0 = no limit / no queue */
    uint64_t queue_timeout_ms;
    struct adaptive_conf adaptive; /* never together with max_requests */
    uint64_t timeout_ms;           /* whole exchange with the service, retries included; 0 = none */
    uint64_t connect_timeout_ms;
    uint64_t
        first_byte_timeout_ms; /* from the request's last byte to the answer's first, each try */
    uint64_t idle_timeout_ms;  /* silence in the middle of a body */
    unsigned keepalive;        /* idle connections kept for each instance and worker */
    uint64_t keepalive_timeout_ms;
    bool preserve_host; /* pass the client's Host on; false = the instance's address:port */
    enum upstream_protocol protocol;
    struct upstream_tls_conf tls;
    enum send_proxy_protocol send_proxy_protocol;
    const struct fallback_list *fallback; /* NULL = none */
};

enum path_match {
    PATH_PREFIX,
    PATH_EXACT,
    PATH_PATTERN,
    PATH_PLAIN_PREFIX,
    PATH_PLAIN_IPREFIX,
    PATH_GLOB
};

struct regex;

/* A condition on a header or query parameter. value NULL = only present. */
struct match_conf {
    const char *name, *value;
    bool prefix; /* value is a prefix */
    bool regex;  /* value is an expression that is found somewhere in it */
    bool invert;
    const struct regex *re; /* of a route table's copy */
};

struct header_change {
    enum { HEADER_SET, HEADER_ADD, HEADER_REMOVE } op;
    const char *name, *value;
};

struct target_conf {
    const char *service;
    unsigned weight; /* share among the targets */
};

/* Which requests go last when the gateway is saturated. */
enum importance {
    IMPORTANCE_LOW = -1,
    IMPORTANCE_NORMAL, /* zero: of a route that says nothing */
    IMPORTANCE_HIGH,
    IMPORTANCE_CRITICAL, /* never refused for that */
    IMPORTANCES = 4
};

/* How the client came: over TLS or not. */
enum route_scheme { SCHEME_ANY, SCHEME_HTTP, SCHEME_HTTPS };

enum route_hedge { ROUTE_AS_SERVICE, ROUTE_NEVER_HEDGES, ROUTE_HEDGES };

struct route_conf {
    const char *name;   /* for people: as written, or made from host and path */
    const char *source; /* "routes.yaml:12", "tag frontdesk.path=/x of web" */
    const char *host;   /* lower case; "" = any; "*.shop.example"; "a*b?.shop.example" */
    const char *path;   /* literal, or with {name} and a final {name...} for PATH_PATTERN */
    enum path_match path_match;
    /* Expressions (base/regex.h) that are found in the host, without its port, or in the path; or
     * are not. NULL = none. */
    const char *host_regex, *path_regex, *not_host_regex, *not_path_regex;
    enum route_scheme scheme;
    const char **methods; /* NULL-terminated; NULL = any */
    struct match_conf *headers;
    size_t nheaders;
    struct match_conf *query;
    size_t nquery;
    int priority; /* higher wins before everything but the host; default 0 */
    struct target_conf *targets;
    size_t ntargets;                /* 0 only with redirect_status, aggregate or batch */
    enum hash_source sticky_source; /* keeps a client on one side of a split */
    const char *sticky_name;
    const char *strip;   /* prefix taken off before forwarding; NULL = nothing */
    const char *prepend; /* put before the (stripped) path; NULL = nothing */
    const char *rewrite; /* whole new path, may hold {name}; NULL = none */
    const char
        *set_host; /* Host sent to the service; NULL = service's rule; "dst" = the instance */
    unsigned redirect_status; /* 0 = none; 301 302 303 307 308 */
    const char *redirect_to;  /* may hold $path, $host, {name} */
    struct header_change *request_headers;
    size_t nrequest_headers;
    struct header_change *response_headers;
    size_t nresponse_headers;
    uint64_t timeout_ms; /* 0 = the service's */
    int64_t max_body;    /* -1 = the listener's limit; INT64_MAX = unlimited */
    enum route_hedge hedge;
    enum importance importance;
    bool client_certificate; /* required of whoever asks */
    enum forward_certificate forward_client_certificate;
    const char *auth; /* a policy's name; one that does not exist denies (403) */
    const struct fallback_list *fallback;   /* NULL = the service's; in the configuration's arena */
    const struct aggregate_conf *aggregate; /* several services answer; NULL = it does not */
    const struct batch_conf *batch; /* several requests of the client in one; NULL = it is none */
    const struct compression_conf *compression; /* NULL = as for all routes */
    const struct route_cache_conf *cache;       /* NULL = answers are not given again */
    const struct limit_plan *limits;            /* NULL = those for all routes (limit_plan_of()) */
    struct route_edge_conf edge;                /* what it points to is there, too */
};

struct limits_conf {
    size_t max_request_line, max_header_bytes;
    unsigned max_headers;
    int64_t max_body;              /* INT64_MAX = unlimited */
    uint64_t header_timeout_ms;    /* first byte of a request to the end of its header section */
    uint64_t body_timeout_ms;      /* silence while a client sends its body */
    uint64_t write_timeout_ms;     /* silence while a client should take the answer */
    uint64_t keepalive_timeout_ms; /* silence between requests */
    unsigned keepalive_requests;   /* requests on one connection, then close; 0 = no limit */
    unsigned max_connections;      /* in all, shared by the workers */
    unsigned max_clients;          /* of a rate limit, see limits/limit_table.h */
    struct redis_conf redis;
};

/* When the gateway is saturated: see circuit/shed.h. */
struct overload_conf {
    bool enabled;
    uint64_t target_ms, interval_ms;
};

struct config {
    unsigned workers; /* 0 was given or nothing: one for each CPU */
    struct listener_conf *listeners;
    size_t nlisteners;
    struct admin_conf admin;
    struct consul_conf consul;
    struct fleet_conf fleet;
    struct registration_conf registration;
    struct resolver_conf resolver;
    struct webhook_conf *webhooks; /* no two with the same url */
    size_t nwebhooks;
    struct limits_conf limits;
    struct overload_conf overload;
    struct fallback_cache_conf fallback_cache;
    struct rate_limit_conf *rate_limits;
    size_t nrate_limits;
    struct limit_plan limit_plan; /* for all routes */
    struct issuer_conf *issuers;
    size_t nissuers;
    struct api_keys_conf *api_keys;
    size_t napi_keys;
    struct basic_conf *basic;
    size_t nbasic;
    struct forward_auth_conf *forward_auth;
    size_t nforward_auth;
    struct introspection_conf *introspection;
    size_t nintrospection;
    struct policy_conf *policies; /* sorted by name: config_policy() */
    size_t npolicies;
    struct guarded_fields guarded; /* request fields that only the gateway sets */
    struct service_conf defaults;  /* what a service without an entry gets */
    struct service_conf *services;
    size_t nservices;
    struct route_conf *routes;
    size_t nroutes;
    struct cidr_list trusted_proxies; /* whose X-Forwarded-* are believed */
    struct address_rules addresses;   /* for all listeners and routes */
    struct cors_conf *cors;
    size_t ncors;
    const struct compression_conf *compression;           /* of all routes; NULL = none */
    const struct security_headers_conf *security_headers; /* NULL = none */
    bool forwarded_header;                                /* also send Forwarded (RFC 7239) */
    const char *via;                                      /* pseudonym in Via; "" = no Via */
    const char *access_log;                               /* path, "stdout", or NULL = off */
    const char *log_level;
    const char *state_dir;     /* absolute path; NULL = nothing is kept */
    uint64_t drain_timeout_ms; /* SIGTERM: how long running requests may go on */
    uint64_t drain_delay_ms;   /* SIGTERM: time between failing /readyz and closing listeners */
    const char *dir;           /* where it was loaded from */
    const char *prefer_meta;   /* the one node meta key that services prefer by; NULL = none does */
    struct arena *arena;
    _Atomic int refs;
};

/* Reads every DIR/(*).yaml and DIR/(*).json in name order and merges: at the top level lists append
 * and maps merge; any name given twice is an error. NULL and a message "FILE:LINE: KEY: ..." on
 * failure. What is suspicious but legal is logged as a warning. Thread: control. */
struct config *config_load(const char *dir, struct err *e) MUST_CHECK;
struct config_documents;
/* The same from memory (documents.h): the files of the folder, and documents of Consul's KV store,
 * which come after them and may hold only what shared.h lets them; NULL = none. `dir` is where
 * relative file names begin. */
struct config *config_join(const char *dir, const struct config_documents *files,
                           const struct config_documents *shared, struct err *e) MUST_CHECK;
/* From one text, for tests and the fuzzer: `name` stands for the file name. */
struct config *config_parse(const char *name, const char *text, size_t n, struct err *e) MUST_CHECK;
struct config *config_ref(struct config *c);
void config_unref(struct config **c);

/* The policy of that name in `cors:`; NULL when there is none. */
const struct cors_conf *config_cors(const struct config *c, const char *name);
/* The settings of a service: its own entry, that of the service it is a part of ("web" for
 * "web:v2@dc2"), or the defaults. Never NULL. */
const struct service_conf *config_service(const struct config *c, const char *name);
/* "low" "normal" "high" "critical": as in the configuration, metrics and documents. */
const char *importance_name(enum importance i);
/* False when the word is none of them. */
bool importance_parse(struct str word, enum importance *ret);
/* What a request of this route to this service does when it is slow; NULL = nothing. */
const struct hedge_conf *hedge_conf_of(const struct route_conf *r, const struct service_conf *s);

/* "cache" "service" "static": as in the configuration, headers, logs and metrics. */
const char *fallback_name(enum fallback_kind kind);
/* The list for requests of this route (NULL = any) to this service; NULL when there is none. */
const struct fallback_list *fallback_list_of(const struct route_conf *r,
                                             const struct service_conf *s);
/* Is this one of the reasons that a fallback can be for? Statuses are not counted here. */
bool fallback_covers(enum reason why);
/* Is this item for a request that failed so? `status` counts when why is REASON_UPSTREAM_STATUS. */
bool fallback_is_for(const struct fallback_conf *f, enum reason why, unsigned status);
/* The services of parts of aggregates. */
void part_each_service(const struct config *c, void (*fn)(void *arg, const char *service),
                       void *arg);
/* Calls fn for every service that some fallback names; more than once for one of several. */
/* The services that are asked who somebody is. */
void authority_each_service(const struct config *c, void (*fn)(void *arg, const char *service),
                            void *arg);
void fallback_each_service(const struct config *c, void (*fn)(void *arg, const char *service),
                           void *arg);
/* What clients get first when the service fails for this reason: a fallback_name(), or NULL when
 * they get the failure itself. */
const char *fallback_kind(const struct route_conf *r, const struct service_conf *s,
                          enum reason why);
/* NULL when there is no policy of that name. */
const struct policy_conf *config_policy(const struct config *c, const char *name);
/* What limits the requests of this route. */
const struct limit_plan *limit_plan_of(const struct config *c, const struct route_conf *route);
/* NULL when there is none of that name. */
const struct rate_limit_conf *rate_limit_find(const struct config *c, const char *name);
