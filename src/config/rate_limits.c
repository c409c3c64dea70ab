/* SPDX-License-Identifier: Apache-2.0 */
/* rate_limits.c - `rate_limits:`, and what routes say of them. */
#include "config/sections.h"
#include "config/value.h"

#include <string.h>

/* A rate's burst, and with it how far a client's number runs ahead of the clock. */
enum { MAX_BURST_DAYS = 366 };

struct limit_draft {
    struct rate_limit_conf conf;
    unsigned kinds; /* how many of rate, quota, concurrency are there */
};

static const struct {
    const char *word;
    enum rate_limit_period period;
    uint64_t seconds;
} periods[] = {
    {"s", PERIOD_SECOND, 1},
    {"m", PERIOD_MINUTE, 60},
    {"h", PERIOD_HOUR, 3600},
    {"d", PERIOD_DAY, 86400},
    {"month", PERIOD_MONTH, 30 * 86400},
};

static const struct {
    const char *word;
    enum rate_limit_by by;
    bool named;
} keys[] = {
    {"client", LIMIT_BY_CLIENT, false},     {"global", LIMIT_BY_GLOBAL, false},
    {"identity", LIMIT_BY_IDENTITY, false}, {"api_key", LIMIT_BY_API_KEY, false},
    {"subject", LIMIT_BY_SUBJECT, false},   {"claim", LIMIT_BY_CLAIM, true},
    {"header", LIMIT_BY_HEADER, true},
};

/* "100/s" with one of the periods from `first` to `last`. */
static bool per_period(const char *text, size_t first, size_t last, struct rate_limit_conf *c)
{
    const char *slash = strchr(text, '/');
    char digits[16];
    uint64_t amount;

    if (!slash || (size_t)(slash - text) >= sizeof digits)
        return false;
    memcpy(digits, text, (size_t)(slash - text));
    digits[slash - text] = '\0';
    if (!value_unsigned(digits, &amount) || amount < 1 || amount > 1000000)
        return false;
    c->amount = (unsigned)amount;
    for (size_t i = first; i <= last; i++)
        if (strcmp(slash + 1, periods[i].word) == 0) {
            c->period = periods[i].period;
            return true;
        }
    return false;
}

static int rate_read(struct reader *r, const struct node *n, void *at)
{
    struct limit_draft *d = at;

    d->kinds++;
    d->conf.kind = LIMIT_RATE;
    if (n->kind == NODE_TEXT && per_period(n->text, PERIOD_SECOND, PERIOD_DAY, &d->conf))
        return 0;
    return node_expected(n, r->err, "1 to 1000000 requests per s, m, h or d, such as 100/s");
}

static int quota_read(struct reader *r, const struct node *n, void *at)
{
    struct limit_draft *d = at;

    d->kinds++;
    d->conf.kind = LIMIT_QUOTA;
    if (n->kind == NODE_TEXT && per_period(n->text, PERIOD_MINUTE, PERIOD_MONTH, &d->conf))
        return 0;
    return node_expected(n, r->err, "1 to 1000000 requests per m, h, d or month, such as 10000/d");
}

static int concurrency_read(struct reader *r, const struct node *n, void *at)
{
    struct limit_draft *d = at;
    uint64_t amount;

    d->kinds++;
    d->conf.kind = LIMIT_CONCURRENCY;
    if (n->kind != NODE_TEXT || !value_unsigned(n->text, &amount) || amount < 1 || amount > 1000000)
        return node_expected(n, r->err, "1 to 1000000");
    d->conf.amount = (unsigned)amount;
    return 0;
}

static int named_key_read(struct reader *r, const struct node *n, struct rate_limit_conf *c)
{
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (keys[i].named && strcmp(n->key, keys[i].word) == 0) {
            c->by = keys[i].by;
            c->by_name = text_read(r, n, "a name", value_name_problem);
            if (c->by_name && c->by == LIMIT_BY_HEADER && !value_is_token(c->by_name))
                return node_expected(n, r->err, "the name of a header");
            return c->by_name ? 0 : -1;
        }
    return node_error(n, r->err, "unknown key; expected claim: NAME or header: NAME");
}

static int by_read(struct reader *r, const struct node *n, void *at)
{
    struct rate_limit_conf *c = &((struct limit_draft *)at)->conf;

    if (n->kind == NODE_MAP && n->n == 1)
        return named_key_read(r, n->first, c);
    for (size_t i = 0; n->kind == NODE_TEXT && i < ARRAY_LEN(keys); i++)
        if (!keys[i].named && strcmp(n->text, keys[i].word) == 0) {
            c->by = keys[i].by;
            return 0;
        }
    return node_expected(n, r->err,
                         "client, global, identity, api_key, subject, {claim: NAME} or "
                         "{header: NAME}");
}

static int except_read(struct reader *r, const struct node *n, void *at)
{
    struct rate_limit_conf *c = &((struct limit_draft *)at)->conf;

    c->except = ARENA_NEW(r->arena, struct cidr_list);
    return cidr_list_read(r, n, c->except);
}

static const char *const apply_words[] = {"routes", "all", NULL};
static const char *const fields_words[] = {"both", "draft", "legacy", "none", NULL};

static const struct field limit_fields[] = {
    {.key = "by",
     .type = FIELD_CUSTOM,
     .dflt = "client",
     .read = by_read,
     .kind = "`client`, `global`, `identity`, `api_key`, `subject`, `{claim: NAME}`, "
             "`{header: NAME}`",
     .help =
         "Who counts as one client: the address, all together, the subject or else the address, "
         "or a property of who was authenticated or of the request."},
    {.key = "rate",
     .type = FIELD_CUSTOM,
     .read = rate_read,
     .kind = "number`/s`, `/m`, `/h` or `/d`",
     .help =
         "Requests at a steady pace: `100/s` is one every 10 ms, besides the burst. Exactly one "
         "of `rate`, `quota` and `concurrency`."},
    UNSIGNED("burst", limit_draft, conf.burst, 1, 1000000, NULL,
             "With `rate`: requests that may come at once after a pause; unset = the number of the "
             "rate."),
    {.key = "quota",
     .type = FIELD_CUSTOM,
     .read = quota_read,
     .kind = "number`/m`, `/h`, `/d` or `/month`",
     .help = "Requests in a window of the calendar (UTC), at any pace."},
    {.key = "concurrency",
     .type = FIELD_CUSTOM,
     .read = concurrency_read,
     .kind = "number",
     .help = "Requests under way at once."},
    {.key = "apply",
     .type = FIELD_BOOL,
     .offset = FIELD_AT(limit_draft, conf.all, bool),
     .words = apply_words,
     .dflt = "routes",
     .help = "`all`: for every route, those of tags too. `routes`: for those that name it in their "
             "`rate_limits`."},
    BOOLEAN("per_route", limit_draft, conf.per_route, "false",
            "Each route counts for itself; `false`: one count for all of them."),
    {.key = "except",
     .type = FIELD_CUSTOM,
     .read = except_read,
     .kind = "list of addresses",
     .shown = "none",
     .help = "Addresses and networks of clients that it is not for."},
    BOOLEAN("shadow", limit_draft, conf.shadow, "false",
            "Count what would be refused, and refuse nothing."),
    {.key = "headers",
     .type = FIELD_WORD,
     .offset = FIELD_AT(limit_draft, conf.fields, enum rate_limit_fields),
     .words = fields_words,
     .dflt = "both",
     .help = "How answers tell of it: `RateLimit` and `RateLimit-Policy` (`draft`), "
             "`RateLimit-Limit`, `-Remaining` and `-Reset` (`legacy`)."},
    BOOLEAN("shared", limit_draft, conf.shared, "false",
            "Count together with the other gateways, in the Redis of `limits.redis`."),
    UNSIGNED("ipv4_prefix", limit_draft, conf.ipv4_prefix, 8, 32, "32",
             "Addresses that have so many first bits in common are one client."),
    UNSIGNED("ipv6_prefix", limit_draft, conf.ipv6_prefix, 16, 128, "64",
             "The same for IPv6, where a subscriber usually has a whole /64."),
    UNSIGNED("max_clients", limit_draft, conf.max_clients, 8, 100000000, NULL,
             "Clients that are counted at once, 16 bytes each; unset = `limits.max_clients`."),
};
const struct section rate_limit_section = {limit_fields, ARRAY_LEN(limit_fields)};

static uint64_t seconds_of(enum rate_limit_period p)
{
    return periods[p].seconds;
}

static int burst_finish(struct reader *r, const struct node *n, struct rate_limit_conf *c)
{
    if (c->kind != LIMIT_RATE)
        return c->burst ? node_error(node_get(n, "burst"), r->err, "burst belongs to rate") : 0;
    if (!c->burst)
        c->burst = c->amount;
    if (seconds_of(c->period) * c->burst / c->amount > MAX_BURST_DAYS * 86400ull)
        return node_error(n, r->err, "a burst of more than a year's requests is no limit");
    return 0;
}

/* A burst that is larger than the number of the rate is what may come in a time that is longer than
 * its period. */
static void tell(struct rate_limit_conf *c)
{
    uint64_t seconds = seconds_of(c->period);

    c->told = c->amount;
    if (c->kind == LIMIT_RATE && c->burst > c->amount) {
        c->told = c->burst;
        seconds = (seconds * c->burst + c->amount - 1) / c->amount;
    }
    c->told_in_s = (unsigned)seconds;
}

static int limit_read(struct reader *r, const struct node *n, struct rate_limit_conf *ret)
{
    struct limit_draft d = {.kinds = 0};

    if (!value_is_token(n->key) || strlen(n->key) > 64)
        return node_error(n, r->err, "\"%.64s\" is not a name of letters, digits, - and _", n->key);
    if (n->kind != NODE_MAP)
        return node_expected(n, r->err, "a map such as { by: client, rate: 100/s }");
    section_defaults(r, &rate_limit_section, &d);
    if (section_read(r, &rate_limit_section, n, &d) < 0)
        return -1;
    if (d.kinds != 1)
        return node_error(n, r->err, "expected exactly one of rate, quota and concurrency");
    if (d.conf.shared && d.conf.kind == LIMIT_CONCURRENCY)
        return node_error(node_get(n, "shared"), r->err,
                          "what is under way is counted in each gateway for itself");
    if (burst_finish(r, n, &d.conf) < 0)
        return -1;
    d.conf.name = arena_strdup(r->arena, n->key);
    tell(&d.conf);
    *ret = d.conf;
    return 0;
}

/* Room for those that routes will add. */
static struct rate_limit_conf *add_limit(struct reader *r)
{
    struct config *c = r->config;

    if (!c->rate_limits)
        c->rate_limits = ARENA_ARRAY(r->arena, struct rate_limit_conf, MAX_RATE_LIMITS);
    if (c->nrate_limits == MAX_RATE_LIMITS)
        return NULL;
    c->rate_limits[c->nrate_limits].index = (unsigned)c->nrate_limits;
    return &c->rate_limits[c->nrate_limits++];
}

int rate_limits_read(struct reader *r, const struct node *n, void *at)
{
    (void)at;
    if (node_is_null(n))
        return 0;
    if (n->kind != NODE_MAP)
        return node_expected(n, r->err, "limits by name");
    node_each(it, n)
    {
        struct rate_limit_conf *c = add_limit(r);
        unsigned index = c ? c->index : 0;

        if (!c)
            return node_error(it, r->err, "at most %d limits are allowed", MAX_RATE_LIMITS);
        if (limit_read(r, it, c) < 0)
            return -1;
        c->index = index;
    }
    return 0;
}

static bool needs_identity(const struct rate_limit_conf *c)
{
    return c->by >= LIMIT_BY_API_KEY;
}

/* Behind those of its kind, once. What is under way is counted last: when all else lets it in. */
static int plan_add(struct limit_plan *p, const struct rate_limit_conf *c)
{
    unsigned at = p->n;

    for (unsigned i = 0; i < p->n; i++)
        if (p->limits[i] == c)
            return 0;
    if (p->n == MAX_ROUTE_LIMITS)
        return -1;
    if (!needs_identity(c))
        at = p->nbefore++;
    memmove(&p->limits[at + 1], &p->limits[at], (p->n - at) * sizeof p->limits[0]);
    p->limits[at] = c;
    p->n++;
    return 0;
}

int rate_limits_finish(struct reader *r, const struct node *root)
{
    const struct node *limits = node_get(root, "rate_limits");
    struct config *c = r->config;

    for (size_t i = 0; i < c->nrate_limits; i++) {
        struct rate_limit_conf *l = &c->rate_limits[i];
        const struct node *at = node_get(limits, l->name);

        if (!l->max_clients)
            l->max_clients = c->limits.max_clients;
        if (l->shared && !c->limits.redis.address)
            return node_error(at, r->err, "shared needs limits.redis");
        if (l->all && plan_add(&c->limit_plan, l) < 0)
            return node_error(at, r->err, "at most %d limits may apply to all routes",
                              MAX_ROUTE_LIMITS);
    }
    return 0;
}

const struct rate_limit_conf *rate_limit_find(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->nrate_limits; i++)
        if (strcmp(c->rate_limits[i].name, name) == 0)
            return &c->rate_limits[i];
    return NULL;
}

/* A route's plan begins with what is for all. */
static struct limit_plan *plan_of(struct reader *r, struct limit_plan **plan)
{
    if (!*plan) {
        *plan = ARENA_NEW(r->arena, struct limit_plan);
        **plan = r->config->limit_plan;
    }
    return *plan;
}

static int too_many(struct reader *r, const struct node *n)
{
    return node_error(n, r->err,
                      "at most %d limits are allowed for a route, those for all included",
                      MAX_ROUTE_LIMITS);
}

int route_limits_read(struct reader *r, const struct node *n, void *at)
{
    if (n->kind != NODE_LIST)
        return node_expected(n, r->err, "a list of names out of rate_limits");
    node_each(it, n)
    {
        const char *name = text_read(r, it, "a name out of rate_limits", NULL);
        const struct rate_limit_conf *c = name ? rate_limit_find(r->config, name) : NULL;

        if (!name)
            return -1;
        if (!c)
            return node_error(it, r->err, "rate_limits has no \"%.60s\"", name);
        if (plan_add(plan_of(r, at), c) < 0)
            return too_many(r, it);
    }
    return 0;
}

/* One limit for all routes that say the same number; each of them counts for itself. */
static const struct rate_limit_conf *client_limit(struct reader *r, unsigned amount)
{
    const char *name = arena_printf(r->scratch, "concurrency_per_client=%u", amount);
    const struct rate_limit_conf *found = rate_limit_find(r->config, name);
    struct rate_limit_conf *c = found ? NULL : add_limit(r);

    if (!c)
        return found;
    *c = (struct rate_limit_conf){
        .name = arena_strdup(r->arena, name),
        .index = c->index,
        .by = LIMIT_BY_IDENTITY,
        .kind = LIMIT_CONCURRENCY,
        .amount = amount,
        .per_route = true,
        .fields = FIELDS_NONE,
        .ipv4_prefix = 32,
        .ipv6_prefix = 64,
        .max_clients = r->config->limits.max_clients,
    };
    return c;
}

int route_concurrency_read(struct reader *r, const struct node *n, void *at)
{
    struct limit_draft d = {.kinds = 0};
    const struct rate_limit_conf *c;

    if (concurrency_read(r, n, &d) < 0)
        return -1;
    c = client_limit(r, d.conf.amount);
    if (!c)
        return node_error(n, r->err, "at most %d limits are allowed", MAX_RATE_LIMITS);
    return plan_add(plan_of(r, at), c) < 0 ? too_many(r, n) : 0;
}

const struct limit_plan *limit_plan_of(const struct config *c, const struct route_conf *route)
{
    return route->limits ? route->limits : &c->limit_plan;
}

/* "127.0.0.1:6379" or "unix:/run/redis/redis.sock". A name would have to be looked up, and workers
 * must not wait for that. */
static int redis_address_read(struct reader *r, const struct node *n, void *at)
{
    static const char expected[] =
        "an IP address and port such as 127.0.0.1:6379, or unix:/PATH of a socket";
    struct redis_conf *c = at;

    if (n->kind != NODE_TEXT || node_is_null(n))
        return node_expected(n, r->err, expected);
    c->address = arena_strdup(r->arena, n->text);
    if (strncmp(n->text, "unix:/", 6) == 0 && n->text[6]) {
        c->path = c->address + 5;
        return 0;
    }
    if (!value_address(r->arena, n->text, &c->host, &c->port) || !value_is_ip(c->host))
        return node_expected(n, r->err, expected);
    return 0;
}

static const char *prefix_problem(const char *text)
{
    for (const char *p = text; *p; p++)
        if (*p <= ' ' || *p > '~')
            return "holds a character that is not printable ASCII";
    return strlen(text) > 64 ? "is longer than 64 bytes" : NULL;
}

static const struct field redis_fields[] = {
    {.key = "address",
     .type = FIELD_CUSTOM,
     .read = redis_address_read,
     .kind = "address",
     .shown = "none",
     .help = "IP address and port, or `unix:/PATH`."},
    STRING("username", redis_conf, username, NULL, value_name_problem,
           "User of Redis' access lists; unset = its default user."),
    STRING("password_file", redis_conf, password_file, NULL, value_file_problem,
           "File with the password, read again for every connection."),
    UNSIGNED("database", redis_conf, database, 0, 65535, "0", "Number of the database."),
    DURATION("timeout", redis_conf, timeout_ms, 1, 10 * SECONDS, "20ms",
             "How long a request waits for Redis before this gateway decides alone."),
    STRING("prefix", redis_conf, prefix, "frontdesk:", prefix_problem,
           "What the keys begin with: the same in all gateways that count together."),
};
const struct section redis_section = {redis_fields, ARRAY_LEN(redis_fields)};

int redis_finish(struct reader *r, const struct node *n, void *at)
{
    const struct redis_conf *c = at;

    if (!c->address)
        return node_error(n, r->err, "redis needs an address");
    if (c->username && !c->password_file)
        return node_error(n, r->err, "a username needs a password_file");
    return 0;
}
