/* SPDX-License-Identifier: Apache-2.0 */
/* service.c - the settings of a service: the `defaults:` section and the entries of `services:`.
 * Everything that must hold between two keys is checked after reading, on the merged values. */
#include "config/sections.h"
#include "config/value.h"

#include <string.h>

struct instance_draft {
    struct static_instance conf;
    const char *address;
};

static const struct field instance_fields[] = {
    {.key = "address",
     .type = FIELD_STRING,
     .offset = FIELD_AT(instance_draft, address, const char *),
     .shown = "required",
     .help = "`host:port`, `10.0.0.5:8080`, `[fd00::5]:8080`."},
    UNSIGNED("weight", instance_draft, conf.weight, 0, 65535, "1",
             "Share of the traffic compared with the other instances; 0 takes no new requests."),
    STRING("zone", instance_draft, conf.zone, "", NULL,
           "Where it runs, compared with `balance.prefer.value`."),
};
static const struct section instance_section = {instance_fields, ARRAY_LEN(instance_fields)};

static int instance_read(struct reader *r, const struct node *n, void *at)
{
    struct instance_draft draft = {.address = NULL};

    section_defaults(r, &instance_section, &draft);
    if (n->kind == NODE_TEXT && !node_is_null(n))
        draft.address = n->text;
    else if (section_read(r, &instance_section, n, &draft) < 0)
        return -1;
    if (!draft.address)
        return node_error(n, r->err, "an instance needs an address");
    if (!value_address(r->arena, draft.address, &draft.conf.host, &draft.conf.port) ||
        !draft.conf.host[0])
        return node_error(n, r->err, "expected host:port, found \"%.60s\"", draft.address);
    *(struct static_instance *)at = draft.conf;
    return 0;
}

static int instances_read(struct reader *r, const struct node *n, void *at)
{
    struct service_conf *s = at;
    struct static_instance *items = list_read(r, n, "a list of instances", MAX_INSTANCES,
                                              sizeof *items, instance_read, &s->ninstances);

    s->instances = items;
    return items ? 0 : -1;
}

static const char *const policies[] = {"round_robin", "least_request",   "peak_ewma",
                                       "random",      "consistent_hash", NULL};

static const struct {
    const char *key;
    enum hash_source source;
} hash_keys[] = {{"header", HASH_HEADER},
                 {"cookie", HASH_COOKIE},
                 {"path_param", HASH_PATH_PARAM},
                 {"query", HASH_QUERY}};

static int hash_read(struct reader *r, const struct node *n, void *at)
{
    static const char expected[] = "client_address or one of header: NAME, cookie: NAME, "
                                   "path_param: NAME, query: NAME";
    struct balance_conf *b = at;

    if (n->kind == NODE_TEXT && strcmp(n->text, "client_address") == 0) {
        b->hash_source = HASH_CLIENT_ADDRESS;
        b->hash_name = NULL;
        return 0;
    }
    if (n->kind != NODE_MAP)
        return node_expected(n, r->err, expected);
    if (n->n != 1)
        return node_error(n, r->err, "expected %s, found %zu keys", expected, n->n);
    for (size_t i = 0; i < ARRAY_LEN(hash_keys); i++) {
        if (strcmp(n->first->key, hash_keys[i].key) != 0)
            continue;
        b->hash_source = hash_keys[i].source;
        b->hash_name = text_read(r, n->first, "a name", value_name_problem);
        return b->hash_name ? 0 : -1;
    }
    return node_error(n->first, r->err, "unknown key; expected %s", expected);
}

static const struct field prefer_fields[] = {
    STRING("node_meta", balance_conf, prefer_meta, NULL, value_name_problem,
           "Consul node meta key to compare, as `zone`."),
    STRING("value", balance_conf, prefer_value, NULL, NULL, "The value that is near."),
    PERCENT("minimum", balance_conf, prefer_min_percent, 0, "50",
            "Stay near while at least this share of the near instances is available; below it the "
            "others take part too."),
};
static const struct section prefer_section = {prefer_fields, ARRAY_LEN(prefer_fields)};

static int prefer_check(struct reader *r, const struct node *n, void *at)
{
    const struct balance_conf *b = at;

    if (!b->prefer_meta != !b->prefer_value)
        return node_error(n, r->err, "node_meta and value belong together; one is missing");
    /* An instance carries one value into the snapshot. */
    if (r->config->prefer_meta && b->prefer_meta &&
        strcmp(r->config->prefer_meta, b->prefer_meta) != 0)
        return node_error(n, r->err,
                          "all services compare the same node_meta; another one has \"%.60s\"",
                          r->config->prefer_meta);
    if (b->prefer_meta)
        r->config->prefer_meta = b->prefer_meta;
    return 0;
}

static const struct field balance_fields[] = {
    CHOICE("policy", balance_conf, policy, policies, "least_request",
           "How the instance is chosen. `least_request` and `peak_ewma` compare two random "
           "instances."),
    {.key = "hash",
     .type = FIELD_CUSTOM,
     .shown = "none",
     .read = hash_read,
     .kind = "`client_address` or `{header: NAME}`, `{cookie: NAME}`, `{path_param: NAME}`, "
             "`{query: NAME}`",
     .help = "What `consistent_hash` looks at. Requests without it are spread at random."},
    DURATION("slow_start", balance_conf, slow_start_ms, 0, HOURS, "0",
             "A new instance gets its full share only after this time; 0 = at once."),
    PERCENT("panic_threshold", balance_conf, panic_percent, 0, "0",
            "When fewer than this share of the instances is available, health and ejections are "
            "ignored; 0 = never."),
    {.key = "prefer",
     .type = FIELD_SECTION,
     .section = &prefer_section,
     .read = prefer_check,
     .shown = "none",
     .help = "Prefer near instances."},
};
static const struct section balance_section = {balance_fields, ARRAY_LEN(balance_fields)};

/* `balance: WORD` is short for `balance: { policy: WORD }`. */
static int policy_read(struct reader *r, const struct node *n, void *at)
{
    return key_read(r, &balance_section, "policy", n, at);
}

/* Adds a status to a list that 0 ends; full when its last place is used. */
static int add_status(struct reader *r, const struct node *n, uint16_t *list, size_t cap)
{
    uint64_t status;
    size_t i = 0;

    if (!value_unsigned(n->text, &status) || status < 400 || status > 599)
        return node_expected(n, r->err, "a status from 400 to 599");
    while (list[i] && list[i] != status)
        i++;
    if (i == cap - 1)
        return node_error(n, r->err, "at most %zu statuses are allowed here", cap - 1);
    list[i] = (uint16_t)status;
    return 0;
}

static int retry_word_read(struct reader *r, const struct node *n, struct retries_conf *c)
{
    const char *words[REASON_COUNT];
    const char *near;
    enum reason reason = reason_parse(n->text);
    size_t nwords = 0;

    if (reason < REASON_COUNT && reason != REASON_UPSTREAM_STATUS &&
        reason_info(reason)->retry != RETRY_NEVER) {
        c->reasons |= 1ull << reason;
        return 0;
    }
    for (int i = 0; i < REASON_COUNT; i++)
        if (i != REASON_UPSTREAM_STATUS && reason_info((enum reason)i)->retry != RETRY_NEVER)
            words[nwords++] = reason_info((enum reason)i)->word;
    near = nearest_word(n->text, words, nwords, sizeof *words);
    return node_error(n, r->err,
                      "expected a status or a reason that can be retried (connect_failed, "
                      "connect_timeout, upstream_tls_failed, upstream_reset, upstream_timeout, "
                      "upstream_invalid), found "
                      "\"%.40s\"%s%s%s",
                      n->text, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static int retry_on_read(struct reader *r, const struct node *n, void *at)
{
    struct retries_conf *c = at;

    if (n->kind != NODE_LIST)
        return node_expected(n, r->err, "a list of reasons and statuses");
    c->reasons = 0;
    memset(c->statuses, 0, sizeof c->statuses);
    c->grpc_statuses = 0;
    node_each(it, n)
    {
        bool digits = it->kind == NODE_TEXT && it->text[0] >= '0' && it->text[0] <= '9';
        bool grpc = it->kind == NODE_TEXT && strncmp(it->text, "grpc:", 5) == 0;

        if (it->kind != NODE_TEXT)
            return node_expected(it, r->err, "a reason or a status");
        if (grpc && grpc_status_add(r, it, it->text + 5, &c->grpc_statuses) < 0)
            return -1;
        if (grpc)
            continue;
        if ((digits ? add_status(r, it, c->statuses, ARRAY_LEN(c->statuses))
                    : retry_word_read(r, it, c)) < 0)
            return -1;
        if (digits)
            c->reasons |= 1ull << REASON_UPSTREAM_STATUS;
    }
    return 0;
}

static const struct field retries_fields[] = {
    UNSIGNED("attempts", retries_conf, attempts, 1, 8, "2",
             "Tries in all, the first included; 1 = no retry. No instance is tried twice."),
    {.key = "on",
     .type = FIELD_CUSTOM,
     .dflt = "[connect_failed, connect_timeout, upstream_tls_failed, upstream_reset, "
             "upstream_timeout, upstream_invalid, \"502\", \"503\", \"504\"]",
     .read = retry_on_read,
     .kind = "list of reasons and statuses",
     .help =
         "What is tried again. `connect_failed`, `connect_timeout` and `upstream_tls_failed` for "
         "every request; the others only for idempotent methods. At most 7 statuses. `grpc:14`: a "
         "gRPC answer that "
         "is nothing but this status."},
    BOOLEAN("non_idempotent", retries_conf, non_idempotent, "false",
            "Also repeat POST and PATCH after the service may have seen them."),
    PERCENT("budget_percent", retries_conf, budget_percent, 0, "20",
            "Retries may be at most this share of the requests of the last 10 s."),
    UNSIGNED("budget_min_per_second", retries_conf, budget_min_per_s, 0, 1000000, "10",
             "So many retries a second are allowed in any case."),
};
static const struct section retries_section = {retries_fields, ARRAY_LEN(retries_fields)};

static int failure_statuses_read(struct reader *r, const struct node *n, void *at)
{
    struct breaker_conf *b = at;

    if (n->kind != NODE_LIST)
        return node_expected(n, r->err, "a list of statuses");
    memset(b->failure_statuses, 0, sizeof b->failure_statuses);
    node_each(it, n)
    {
        if (it->kind != NODE_TEXT)
            return node_expected(it, r->err, "a status");
        if (add_status(r, it, b->failure_statuses, ARRAY_LEN(b->failure_statuses)) < 0)
            return -1;
    }
    return 0;
}

static const struct field breaker_fields[] = {
    BOOLEAN("enabled", breaker_conf, enabled, "true", "false = the service has no breaker."),
    BOOLEAN("shadow", breaker_conf, shadow, "false",
            "true = the breaker runs and tells what it would do, but rejects nothing."),
    PERCENT("failure_rate", breaker_conf, failure_rate, 0, "50",
            "Opens when at least this share of the requests in the window failed; 0 = failures "
            "never open it."),
    PERCENT("slow_rate", breaker_conf, slow_rate, 0, "0",
            "Opens when at least this share was slow; 0 = slowness never opens it. Needs "
            "`slow_after`."),
    DURATION("slow_after", breaker_conf, slow_ms, 0, HOURS, "0",
             "A request that takes at least this long is slow; 0 = none is."),
    UNSIGNED("minimum_requests", breaker_conf, minimum_requests, 1, 1000000, "20",
             "Requests in the window before a rate counts."),
    DURATION("window", breaker_conf, window_ms, 100, HOURS, "10s", "How far back the rates look."),
    DURATION("open_for", breaker_conf, open_for_ms, 1, 24 * HOURS, "5s",
             "Time until the first probe; doubles with each trip in a row."),
    DURATION("max_open_for", breaker_conf, max_open_ms, 1, 24 * HOURS, "1m",
             "Where the doubling ends."),
    UNSIGNED("half_open_requests", breaker_conf, half_open_requests, 1, 1000, "3",
             "Probes at once while half open, and how many must succeed to close it."),
    {.key = "failure_statuses",
     .type = FIELD_CUSTOM,
     .dflt = "[500, 502, 503, 504]",
     .read = failure_statuses_read,
     .kind = "list of statuses",
     .help = "Answers that count as failures, here and for `outlier`. At most 15."},
    {.key = "failure_grpc_statuses",
     .type = FIELD_CUSTOM,
     .dflt = "[4, 13, 14, 15]",
     .read = grpc_statuses_read,
     .kind = "list of numbers or names",
     .help = "The same for gRPC: answers with such a `grpc-status` count as failures."},
};
static const struct section breaker_section = {breaker_fields, ARRAY_LEN(breaker_fields)};

static const struct field outlier_fields[] = {
    BOOLEAN("enabled", outlier_conf, enabled, "true", "false = no instance is ejected."),
    UNSIGNED("consecutive_failures", outlier_conf, consecutive_failures, 0, 1000000, "5",
             "Ejects after so many failures in a row; 0 = not by a streak."),
    PERCENT("failure_rate", outlier_conf, failure_rate, 0, "50",
            "Ejects when at least this share of the window failed; 0 = not by rate."),
    UNSIGNED("minimum_requests", outlier_conf, minimum_requests, 1, 1000000, "10",
             "Requests to the instance in the window before the rate counts."),
    DURATION("window", outlier_conf, window_ms, 100, HOURS, "10s", "How far back the rate looks."),
    DURATION("base_ejection", outlier_conf, base_ejection_ms, 1, 24 * HOURS, "10s",
             "How long the first ejection lasts; doubles with each one in a row."),
    DURATION("max_ejection", outlier_conf, max_ejection_ms, 1, 24 * HOURS, "5m",
             "Where that doubling ends."),
    PERCENT("max_ejected", outlier_conf, max_ejected, 0, "50",
            "At most this share of the instances, rounded up, is out at once; never the last one."),
};
static const struct section outlier_section = {outlier_fields, ARRAY_LEN(outlier_fields)};

static const struct field keepalive_fields[] = {
    UNSIGNED("connections", service_conf, keepalive, 0, 65535, "128",
             "Idle connections kept for each instance and worker; 0 = none."),
    DURATION("timeout", service_conf, keepalive_timeout_ms, 1, 24 * HOURS, "60s",
             "An idle connection is closed after this time. Keep it below the service's own."),
};
static const struct section keepalive_section = {keepalive_fields, ARRAY_LEN(keepalive_fields)};

static const char *const host_words[] = {"instance", "preserve", NULL};

static const struct field service_fields[] = {
    {.key = "instances",
     .type = FIELD_CUSTOM,
     .section = &instance_section,
     .shown = "from Consul",
     .read = instances_read,
     .kind = "list of `host:port` or maps",
     .help = "Fixed instances: the service is not looked up in Consul. Not in `defaults`."},
    {.key = "datacenters",
     .type = FIELD_CUSTOM,
     .shown = "where `consul` asks",
     .read = service_datacenters_read,
     .kind = "list of names",
     .help = "Datacenters of Consul in order of preference; `local` = where `consul` asks. The "
             "first with enough healthy instances is used. Not in `defaults`."},
    {.key = "places",
     .type = FIELD_CUSTOM,
     .section = &place_section,
     .shown = "none",
     .read = service_places_read,
     .kind = "list of maps",
     .help = "The long form of `datacenters`: other services, filters and prepared queries too. "
             "Not in `defaults`."},
    {.key = "failover",
     .type = FIELD_SECTION,
     .section = &place_failover_section,
     .help = "When another one of these places is used."},
    {.key = "balance",
     .type = FIELD_SECTION,
     .offset = offsetof(struct service_conf, balance),
     .section = &balance_section,
     .read_text = policy_read,
     .kind = "map or policy",
     .help = "How an instance is chosen. `balance: random` is short for `balance: { policy: "
             "random }`."},
    BOOLEAN("traffic_rules", service_conf, traffic_rules, "true",
            "Obey Consul's service-router, service-splitter and service-resolver for it."),
    {.key = "retries",
     .type = FIELD_SECTION,
     .offset = offsetof(struct service_conf, retries),
     .section = &retries_section,
     .help = "What is tried again at another instance."},
    {.key = "hedge",
     .type = FIELD_SECTION,
     .offset = offsetof(struct service_conf, hedge),
     .section = &hedge_section,
     .read_text = hedge_read_after,
     .kind = "map or `after`",
     .shown = "off",
     .help =
         "When a second try is sent beside a slow first one. `hedge: p95` is short for `hedge: { "
         "after: p95 }`."},
    {.key = "breaker",
     .type = FIELD_SECTION,
     .offset = offsetof(struct service_conf, breaker),
     .section = &breaker_section,
     .help = "The circuit breaker of the service."},
    {.key = "outlier",
     .type = FIELD_SECTION,
     .offset = offsetof(struct service_conf, outlier),
     .section = &outlier_section,
     .help = "When a failing instance is taken out for a while."},
    {.key = "concurrency",
     .type = FIELD_SECTION,
     .section = &concurrency_section,
     .read = concurrency_finish,
     .help = "How many requests may be under way."},
    DURATION("timeout", service_conf, timeout_ms, 0, 24 * HOURS, "0",
             "Whole exchange with the service, retries and the answer's body included; 0 = none."),
    DURATION("connect_timeout", service_conf, connect_timeout_ms, 1, HOURS, "1s",
             "Until a connection is up, each try."),
    DURATION("first_byte_timeout", service_conf, first_byte_timeout_ms, 1, 24 * HOURS, "15s",
             "From the last byte of the request to the first of the answer, each try."),
    DURATION("idle_timeout", service_conf, idle_timeout_ms, 1, 24 * HOURS, "60s",
             "Longest silence in the middle of a body."),
    {.key = "keepalive",
     .type = FIELD_SECTION,
     .section = &keepalive_section,
     .help = "Connections kept open for the next request."},
    {.key = "host",
     .type = FIELD_BOOL,
     .offset = FIELD_AT(service_conf, preserve_host, bool),
     .words = host_words,
     .dflt = "preserve",
     .help = "The Host header that the service sees: the client's, or the instance's "
             "address and port."},
    {.key = "protocol",
     .type = FIELD_WORD,
     .offset = FIELD_AT(service_conf, protocol, enum upstream_protocol),
     .words = upstream_protocol_words,
     .dflt = "catalog",
     .help = "What the instances speak. `h2`: HTTP/2 over TLS, `h2c`: without. `auto`: over TLS, "
             "HTTP/2 if they can. `catalog`: what their tags say, else `http1`."},
    {.key = "tls",
     .type = FIELD_SECTION,
     .offset = offsetof(struct service_conf, tls),
     .section = &upstream_tls_section,
     .read = upstream_tls_finish,
     .read_text = upstream_tls_switch_read,
     .kind = "map, `true` or `false`",
     .shown = "`false`",
     .help = "TLS to the instances."},
    {.key = "send_proxy_protocol",
     .type = FIELD_WORD,
     .offset = FIELD_AT(service_conf, send_proxy_protocol, enum send_proxy_protocol),
     .words = send_proxy_words,
     .dflt = "off",
     .help = "Begins each connection with a PROXY protocol header that names the client. Every "
             "request gets a connection of its own then."},
    {.key = "fallback",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(service_conf, fallback, const struct fallback_list *),
     .section = &fallback_section,
     .read = fallback_read,
     .kind = "list of maps",
     .shown = "none",
     .help = "What answers in place of the service when it cannot, tried in order."},
};
const struct section service_section = {service_fields, ARRAY_LEN(service_fields)};

static int service_check(struct reader *r, const struct node *n, const struct service_conf *s)
{
    const struct breaker_conf *b = &s->breaker;

    if (b->slow_rate && !b->slow_ms)
        return node_error(n, r->err, "breaker.slow_rate needs breaker.slow_after");
    if (b->max_open_ms < b->open_for_ms)
        return node_error(n, r->err, "breaker.max_open_for is shorter than breaker.open_for");
    if (s->outlier.max_ejection_ms < s->outlier.base_ejection_ms)
        return node_error(n, r->err, "outlier.max_ejection is shorter than outlier.base_ejection");
    if (s->queue && !s->max_requests && !s->max_requests_per_instance && !s->adaptive.enabled)
        return node_error(n, r->err,
                          "concurrency.queue needs concurrency.requests, concurrency.adaptive or "
                          "concurrency.requests_per_instance");
    return 0;
}

/* An address written twice would get twice the traffic and share one state. */
static int instances_check(struct reader *r, const struct node *n, const struct service_conf *s)
{
    const struct static_instance *at = s->instances;

    for (size_t i = 0; i < s->ninstances; i++)
        for (size_t j = 0; j < i; j++)
            if (at[i].port == at[j].port && strcmp(at[i].host, at[j].host) == 0)
                return node_error(n, r->err, "instances: %s, port %u, is there twice", at[i].host,
                                  at[i].port);
    return 0;
}

static void note_said(const struct node *n, struct service_conf *s)
{
    static const struct {
        const char *key;
        enum service_says bit;
    } keys[] = {{"balance", SERVICE_SAYS_BALANCE},
                {"retries", SERVICE_SAYS_RETRIES},
                {"timeout", SERVICE_SAYS_TIMEOUT},
                {"connect_timeout", SERVICE_SAYS_CONNECT_TIMEOUT}};

    s->says = 0;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (node_get(n, keys[i].key))
            s->says |= keys[i].bit;
}

int service_read(struct reader *r, const struct node *n, struct service_conf *s)
{
    const struct node *fallback;

    note_said(n, s);
    if (section_read(r, &service_section, n, s) < 0 || service_check(r, n, s) < 0)
        return -1;
    /* A list of `defaults` may name a service that inherits it: there it is passed over. */
    fallback = node_get(n, "fallback");
    if (fallback && fallback_check_self(r, fallback, s->fallback, s->name) < 0)
        return -1;
    if (upstream_check(r, n, s) < 0 || places_check(r, n, s) < 0)
        return -1;
    return instances_check(r, n, s);
}
