/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* sections.h - the tables of all sections, one file a group: sections.c (top level,
 * limits), listeners.c (listeners, admin), service.c, routes.c. */
#include "config/schema.h"

extern const struct section top_section; /* into struct config; holds all others */
extern const struct section listener_section;
/* TLS of a listener (tls.c); each after its keys were read, then as a word. */
extern const struct section tls_section, tls_certificate_section; /* into a struct tls_conf */
extern const struct section hsts_section;                         /* into a struct hsts_conf */
int tls_finish(struct reader *r, const struct node *n, void *at) MUST_CHECK;
int hsts_finish(struct reader *r, const struct node *n, void *at) MUST_CHECK;
int hsts_switch_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
extern const struct section http2_section; /* into a struct http2_conf */
int http2_finish(struct reader *r, const struct node *n, void *at) MUST_CHECK;
int http2_switch_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
/* Once all keys of the listener n were read. */
void http2_default(const struct node *n, struct listener_conf *l);
/* `redirect_https:`; `at` is the port. */
int redirect_https_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
/* What those keys of a listener say together; n is the listener. */
int listener_tls_check(struct reader *r, const struct node *n, struct listener_conf *l) MUST_CHECK;
/* Fields of the request that only the gateway sets, whatever the policies say. */
void tls_guard(struct reader *r);
/* Routes that ask for a client certificate which no listener asks for. */
void tls_warn(const struct config *c);
extern const struct section admin_section;        /* into a struct admin_conf */
extern const struct section resolver_section; /* into a struct resolver_conf */
int resolver_finish(struct reader *r, const struct node *n, void *at) MUST_CHECK;
extern const struct section registration_section; /* into a struct registration_conf */
int registration_finish(struct reader *r, const struct node *n, void *at) MUST_CHECK;
int registration_switch_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
/* Once consul and fleet were read; root is the whole configuration. */
int registration_check(struct reader *r, const struct node *root) MUST_CHECK;
extern const struct section consul_section; /* into a struct consul_conf */
/* After its keys were read: what comes from the environment. */
int consul_finish(struct reader *r, const struct node *n, void *at) MUST_CHECK;
/* How to get at Consul (consul_access.c). `address`; `at` is the struct consul_conf. */
int consul_address_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
const char *consul_server_name_problem(const char *text);
extern const struct section consul_login_section; /* into a struct consul_login_conf */
int consul_login_finish(struct reader *r, const struct node *n, void *at) MUST_CHECK;
int consul_environment_finish(struct reader *r, const struct node *n, struct consul_conf *c) MUST_CHECK;
extern const struct section service_section;
extern const struct section route_section; /* into a draft of routes.c */
extern const struct section hedge_section;
extern const struct section fallback_section; /* into a draft of fallback.c */
extern const struct section fallback_cache_section;
extern const struct section concurrency_section; /* into a struct service_conf */
/* After its keys were read: what two of them say together. */
int concurrency_finish(struct reader *r, const struct node *n, void *at) MUST_CHECK;
/* What instances are spoken to with (upstream_tls.c). */
extern const char *const upstream_protocol_words[], *const send_proxy_words[];
extern const struct section upstream_tls_section; /* into a struct upstream_tls_conf */
/* After its keys were read; then `tls: true`. */
int upstream_tls_finish(struct reader *r, const struct node *n, void *at) MUST_CHECK;
int upstream_tls_switch_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
/* What `protocol`, `tls` and `send_proxy_protocol` say together; n is the entry. */
int upstream_check(struct reader *r, const struct node *n, const struct service_conf *s) MUST_CHECK;
/* `breaker.failure_grpc_statuses`; `at` is the struct breaker_conf. */
int grpc_statuses_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
/* Adds one code, as number or name, to a set of bits. */
int grpc_status_add(struct reader *r, const struct node *n, const char *text,
                    uint32_t *set) MUST_CHECK;
/* Where in Consul a service is (places.c); `at` is a struct service_conf, n of the check its entry.
 */
extern const struct section place_section; /* into a struct place_conf */
extern const struct section place_failover_section;
int service_datacenters_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
int service_places_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
int places_check(struct reader *r, const struct node *n, struct service_conf *s) MUST_CHECK;
extern const struct section overload_section; /* into a struct overload_conf */

/* A list of addresses and networks; `at` is a struct cidr_list. */
int cidr_list_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;

extern const struct section cors_section; /* into a struct cors_conf */
/* The whole map of `cors:`; `at` is the struct config. */
int cors_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
/* `cors:` of a route; `at` is a const struct cors_conf *. */
int cors_read_route(struct reader *r, const struct node *n, void *at) MUST_CHECK;
/* A media type, perhaps with a wildcard; `at` is a const char *. */
int media_type_item_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
extern const struct section compression_section; /* into a struct compression_conf */
/* `compression:`; `at` is a const struct compression_conf *. */
int compression_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
/* `content_types:` of a route; `at` is its struct route_edge_conf. */
int content_types_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
extern const struct section security_section; /* into a draft of edge.c */
/* `security_headers:`; `at` is a const struct security_headers_conf *. */
int security_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
extern const struct section proxy_protocol_section; /* into a draft of edge.c */
/* `proxy_protocol:` of a listener; `at` is a const struct proxy_protocol_conf *. */
int listener_proxy_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;

/* The whole list of `listeners:`; `at` is the struct config. */
int listeners_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
/* `admin: false`. */
int admin_off_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
extern const struct section fleet_section; /* into a struct fleet_conf */
/* After its keys were read; then `fleet: true`. */
int fleet_finish(struct reader *r, const struct node *n, void *at) MUST_CHECK;
int fleet_switch_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;

extern const struct section webhook_section; /* into a struct webhook_conf */
/* The whole list of `webhooks:`; `at` is the struct config. */
int webhooks_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;

extern const struct section rate_limit_section; /* into a draft of rate_limits.c */
/* The whole map of `rate_limits:`; and when the other sections are there: what they say together.
 */
int rate_limits_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
int rate_limits_finish(struct reader *r, const struct node *root) MUST_CHECK;
/* `rate_limits:` and `concurrency_per_client:` of a route; `at` is a const struct limit_plan *. */
int route_limits_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
int route_concurrency_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
extern const struct section redis_section; /* into a struct redis_conf */
/* After its keys were read. */
int redis_finish(struct reader *r, const struct node *n, void *at) MUST_CHECK;

extern const struct section issuer_section, issuer_keys_section, token_place_section;
/* The whole map of `issuers:`. */
int issuers_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;

/* `token_from:`, as a list of places. */
int token_places_read(struct reader *r, const struct node *n, struct token_place **ret,
                      size_t *ret_n) MUST_CHECK;
extern const struct section forward_auth_section, introspection_section;
/* The whole map of `forward_auth:`, of `introspection:`. */
int forward_auth_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
int introspection_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
/* Services that nobody can ask. */
void authorities_warn(const struct config *c);

extern const struct section api_keys_section, basic_section;
/* The whole map of `api_keys:`, of `basic:`. */
int api_keys_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
int basic_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
/* When the other sections are there: what they say together. */
int api_keys_finish(struct reader *r, const struct node *root) MUST_CHECK;
extern const struct section policy_section, policy_claim_section; /* into drafts of policies.c */
extern const struct section mechanism_section, certificate_section;
extern const struct section batch_section; /* into a struct batch_conf */
/* `batch:` of a route; `at` is a const struct batch_conf *. */
int batch_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
extern const struct section aggregate_section; /* into a struct aggregate_conf */
/* `aggregate:` of a route; `at` is a const struct aggregate_conf *. Then, when the rest of the
 * route is there, its parts. */
int aggregate_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
struct value_params;
int aggregate_finish(struct reader *r, const struct node *n, struct route_conf *route,
                     const struct value_params *params) MUST_CHECK;
/* The whole map of `policies:`; and when all that they name is there. */
int policies_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
int policies_finish(struct reader *r, const struct node *root) MUST_CHECK;
/* Routes whose policy can never allow anything. */
void policies_warn(const struct config *c);
/* One entry of `authenticate:`; `at` is a struct mechanism_conf. Then: finds what it names. */
int mechanism_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
int mechanism_link(struct reader *r, const struct node *n, struct mechanism_conf *m) MUST_CHECK;
/* One more field that is taken off requests from outside; the name lives as long as the arena. */
void guarded_add(struct arena *a, struct guarded_fields *g, const char *name);

/* `state_dir`; `at` is the const char *. And when the file does not say: from the environment. */
int state_dir_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
void state_dir_finish(struct reader *r, const struct node *root);

/* One `services:` entry or the `defaults:`: what it does not say stays as it is in *s. */
int service_read(struct reader *r, const struct node *n, struct service_conf *s) MUST_CHECK;
/* One entry of `routes:`; `at` is a struct route_conf. */
int route_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
extern const struct section change_section; /* into a draft of header_changes.c */
/* `headers:` and `query:` of a route; `at` is the struct route_conf. */
extern const struct section condition_section;
int condition_headers_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
int condition_query_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
/* `request_headers:` and `response_headers:` of a route; `at` is the struct route_conf. */
int request_headers_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
int response_headers_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
/* `hedge: p95` of a service; `at` is its struct hedge_conf. */
int hedge_read_after(struct reader *r, const struct node *n, void *at) MUST_CHECK;
extern const struct section route_cache_section;
/* `cache:` of a route; `at` is a const struct route_cache_conf *. */
int route_cache_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
/* `hedge:` of a route; `at` is its enum route_hedge. */
int hedge_read_route(struct reader *r, const struct node *n, void *at) MUST_CHECK;
/* `importance:` of a route; `at` is its enum importance. */
int importance_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
/* A `fallback:` list; `at` is a const struct fallback_list *. */
int fallback_read(struct reader *r, const struct node *n, void *at) MUST_CHECK;
/* Refuses an item that sends the requests of a service to that service. */
int fallback_check_self(struct reader *r, const struct node *n, const struct fallback_list *list,
                        const char *service) MUST_CHECK;
/* FIELD_SECTION check of `fallback_cache:`. */
int fallback_cache_check(struct reader *r, const struct node *n, void *at) MUST_CHECK;

enum {
    MAX_LISTENERS = 64,
    MAX_INSTANCES = 1024,
    MAX_ROUTES = 200000,
    MAX_PROXIES = 4096,
    MAX_NETWORKS = 65536,
    MAX_CORS_WORDS = 256,
    MAX_CONTENT_TYPES = 64,
    MAX_TARGETS = 16,
    MAX_CONDITIONS = 16,
    MAX_METHODS = 32,
    MAX_HEADER_CHANGES = 64
};
