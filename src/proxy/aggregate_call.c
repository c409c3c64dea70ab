/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "cache/rules.h"
#include "coding/coding.h"
#include "expr/template.h"
#include "proxy/aggregated.h"
#include "proxy/attempt.h"

enum { HEAD_BYTES = 16 * 1024 };

void aggregate_call_end(struct aggregate_call *call, enum reason why, const char *detail)
{
    struct aggregated *g = call->g;

    if (call->over)
        return;
    subrequest_end(&call->sub);
    call->over = true;
    call->reason = why;
    call->detail = detail;
    if (call->started) {
        call->took_ms = (g->x->w->now_ns - call->began_ns) / NS_PER_MS;
        g->running--;
    }
    g->parts[call->part].over++;
}

/* RFC 9111: what is made of several answers can be kept as the strictest of them. */
static void note_caching(struct aggregated *g, const struct response *head)
{
    struct cache_control said = cache_control_of(head->headers, head->nheaders);
    int64_t age = said.s_maxage >= 0 ? said.s_maxage : said.max_age;
    const struct header *h = rules_header(head->headers, head->nheaders, STR("Age"));
    uint64_t old;

    g->told.no_store |= said.no_store;
    g->told.is_private |= said.is_private;
    if (said.no_cache)
        age = 0;
    if (age < 0) {
        g->told.unsaid = true;
        return;
    }
    if (h && str_to_u64(h->value, &old))
        age = old < (uint64_t)age ? age - (int64_t)old : 0;
    if (g->told.max_age < 0 || age < g->told.max_age)
        g->told.max_age = age;
}

static struct str field_of(const struct response *head, const char *name)
{
    const struct header *h = rules_header(head->headers, head->nheaders, str_of(name));

    return h ? h->value : STR("");
}

/* It is asked for without a coding; some answer with one all the same. False: call->reason. */
static bool decode(struct aggregate_call *call, struct str coding, struct str body,
                   struct bytes *ret)
{
    enum coding c = coding.n > 0 ? coding_parse(coding) : CODING_IDENTITY;
    const char *why;

    if (coding_decode(c, body, call->g->conf->max_part, ret, &why))
        return true;
    call->reason = strcmp(why, "is too large") == 0 ? REASON_PART_TOO_LARGE : REASON_PART_INVALID;
    call->detail = why;
    return false;
}

/* The service has failed, and its own fallback has answered. */
static void note_fallback(struct aggregate_call *call, const struct response *head)
{
    struct str kind = field_of(head, "Frontdesk-Fallback"),
               why = field_of(head, "Frontdesk-Reason");
    char word[64] = "";

    for (int k = 0; k < FALLBACK_KINDS; k++)
        if (str_eq(kind, str_of(fallback_name((enum fallback_kind)k))))
            call->fallback = fallback_name((enum fallback_kind)k);
    if (why.n > 0 && why.n < sizeof word)
        memcpy(word, why.p, why.n);
    call->fallback_reason = reason_parse(word);
    if (call->fallback_reason == REASON_COUNT)
        call->fallback_reason = REASON_UPSTREAM_STATUS;
}

static bool says_empty(const struct part_conf *p, unsigned status)
{
    for (size_t i = 0; i < p->nempty_on; i++)
        if (p->empty_on[i] == status)
            return true;
    return false;
}

static void take_value(struct aggregate_call *call, const struct subrequest_answer *a)
{
    const struct aggregate_conf *c = call->g->conf;
    struct bytes text = {0};
    const char *why;

    note_caching(call->g, a->head);
    note_fallback(call, a->head);
    if (a->body.n == 0) {
        call->value = value_null();
    } else if (decode(call, field_of(a->head, "Content-Encoding"), a->body, &text) &&
               !(call->value = value_parse(call->g->arena, bytes_str(&text), c->max_depth, &why))) {
        call->reason =
            strcmp(why, "is too large") == 0 ? REASON_PART_TOO_LARGE : REASON_PART_INVALID;
        call->detail = why;
    }
    bytes_free(&text);
}

/* Could it have had an effect, as far as one can know? A refusal has none. */
static bool may_have_acted(const struct subrequest_answer *a)
{
    switch (a->fail) {
    case REASON_NONE:
        return a->head->status < 400 || a->head->status >= 500;
    case REASON_UPSTREAM_RESET:
    case REASON_UPSTREAM_TIMEOUT:
    case REASON_UPSTREAM_INVALID:
    case REASON_UPSTREAM_CUT:
        return true;
    default:
        return false;
    }
}

static void judge(struct aggregate_call *call, const struct subrequest_answer *a)
{
    const struct part_conf *p = &call->g->conf->parts[call->part];

    call->reached = may_have_acted(a);
    call->reason = a->fail;
    if (a->head)
        call->status = a->head->status;
    if (a->fail != REASON_NONE)
        return;
    if (says_empty(p, call->status)) {
        call->empty = true;
        note_caching(call->g, a->head);
    } else if (call->status < 200 || call->status > 299) {
        call->reason = REASON_UPSTREAM_STATUS;
    } else {
        take_value(call, a);
    }
}

static void on_done(void *arg, const struct subrequest_answer *a)
{
    struct aggregate_call *call = arg;
    struct exchange *x = call->g->x;

    judge(call, a);
    aggregate_call_end(call, call->reason, call->detail);
    conn_run(x->conn);
}

bool aggregate_request(struct aggregated *g, const struct template *path, const struct expr *body,
                       const struct value *item, struct expr_run *run, struct bytes *ret_path,
                       struct bytes *ret_body)
{
    const struct value *scope = scope_value(g->arena, &g->scope, g->conf, item), *v;

    run->why = "is too large";
    if (!scope || !template_expand(path, scope, run, ret_path))
        return false;
    if (!body)
        return true;
    v = expr_eval(body, scope, run);
    if (!v)
        return false;
    run->why = "is too large";
    return value_write(v, g->conf->max_part, ret_body);
}

static uint64_t time_for(const struct aggregated *g, const struct part_conf *p, uint32_t slot)
{
    uint64_t left = (g->deadline_ns - g->x->w->now_ns) / NS_PER_MS;
    uint64_t own = p->timeout_ms;

    if (!own)
        own = g->x->held->snapshot->services[slot]->conf->timeout_ms;
    left = left ? left : 1;
    return own && own < left ? own : left;
}

/* The time by which an answer is of use, so that the service can do with less or stop. */
static bool write_fields(const struct aggregated *g, const struct part_conf *p, uint64_t ms,
                         bool has_body, struct bytes *to)
{
    char when[32];

    return bytes_add_str(to, bytes_str(p->route->auth ? &g->door_fields : &g->fields)) &&
           bytes_add_str(to, STR("Accept: application/json\r\nAccept-Encoding: identity\r\n"
                                 "X-Request-Deadline: ")) &&
           bytes_add_str(to, str_of(clock_format(clock_wall_ms() + (int64_t)ms, when))) &&
           bytes_add_str(to, STR("\r\n")) &&
           (!has_body || bytes_add_str(to, STR("Content-Type: application/json\r\n")));
}

static struct subrequest *ask(struct aggregate_call *call, struct str path, struct str body)
{
    struct aggregated *g = call->g;
    const struct part_conf *p = &g->conf->parts[call->part];
    uint32_t slot = g->x->match.route->part_slots[call->part];
    uint64_t ms = time_for(g, p, slot);
    struct bytes fields = {0};
    struct subrequest_options o = {
        .slot = slot,
        .route = p->route,
        .method = str_of(p->method),
        .path = path,
        .host = g->x->req.host,
        .granted = p->route->auth ? STR_NULL : bytes_str(&g->granted),
        .body = body,
        .timeout_ms = ms,
        .max_answer = g->conf->max_part + HEAD_BYTES,
        .fallbacks = true,
    };
    struct subrequest *sub = NULL;

    if (write_fields(g, p, ms, p->body != NULL, &fields)) {
        o.fields = bytes_str(&fields);
        sub = subrequest_start(g->x, &o, on_done, call);
    }
    bytes_free(&fields);
    return sub;
}

void aggregate_call_start(struct aggregate_call *call)
{
    struct aggregated *g = call->g;
    const struct part_conf *p = &g->conf->parts[call->part];
    struct expr_run run = {.arena = g->arena, .steps = EXPR_STEPS};
    struct bytes path = {0}, body = {0};

    call->started = true;
    call->began_ns = g->x->w->now_ns;
    g->running++;
    if (!aggregate_request(g, p->path, p->body, call->item, &run, &path, &body))
        aggregate_call_end(call, REASON_PART_SKIPPED, run.why);
    else if (!(call->sub = ask(call, bytes_str(&path), bytes_str(&body))))
        aggregate_call_end(call, REASON_INTERNAL, "memory is out");
    bytes_free(&path);
    bytes_free(&body);
}
