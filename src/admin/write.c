/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/write.h"
#include "admin/documents.h"
#include "admin/order.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

bool write_origin_allowed(const char *origin, const char *host, bool tls)
{
    const char *scheme = tls ? "https://" : "http://";
    size_t n = strlen(scheme);

    if (!origin)
        return true;
    return host && strncasecmp(origin, scheme, n) == 0 && strcasecmp(origin + n, host) == 0;
}

bool write_is_json(const char *type)
{
    struct str media = str_of(type ? type : "");

    media.n = strcspn(media.p, ";");
    return str_ieq(str_trim(media), STR("application/json"));
}

static void refuse_result(struct page_answer *a, enum operate_result r)
{
    switch (r) {
    case OPERATE_NOT_FOR_INSTANCES:
        pages_refuse(a, 400, "bad_request",
                     "state: disabled and shadow are for services, not for one instance");
        return;
    case OPERATE_LAST_INSTANCE:
        pages_refuse(a, 409, "last_instance",
                     "this is the last instance in rotation: \"even_last\": true ejects it too");
        return;
    case OPERATE_TTL_TOO_LONG:
        pages_refuse(a, 400, "bad_request", "ttl: at most 7d");
        return;
    case OPERATE_DONE:
        break;
    }
    pages_error(a, 500, "unexpected result");
}

static void log_write_done(const struct write_request *q, const struct breaker_target *t,
                           const struct order *o)
{
    const char *id = t->whole ? "" : t->view->set->items[t->instance].id;
    char ttl[48] = "";

    if (o->what != OPERATE_AUTO && o->what != OPERATE_RESET)
        snprintf(ttl, sizeof ttl, " for %llu s",
                 (unsigned long long)(o->ttl_ms ? o->ttl_ms : OPERATE_TTL_MS) / 1000);
    log_info("admin", "service=%s%s%s: %s%s%s asked for by %s from %s%s%s: %s",
             t->view->state->name, id[0] ? " instance=" : "", id, operation_word(o->what), ttl,
             o->fleet ? " on all gateways" : "", o->author[0] ? o->author : "(no author)", q->peer,
             q->cert_name[0] ? " with the certificate of " : "", q->cert_name,
             o->why[0] ? o->why : "(no reason)");
}

/* Away, or asked for what a fleet does not do. */
static void refuse_fleet(const struct admin_sources *s, const char *why, struct page_answer *a)
{
    if (s->fleet_connected && s->fleet_connected(s->arg))
        pages_refuse(a, 400, "bad_request", why);
    else
        pages_refuse(a, 503, "fleet_away", why);
}

/* This gateway does it at once, the others when they hear of it. */
static bool force_fleet(const struct look *l, const struct breaker_target *t,
                        const struct operate_request *q, struct page_answer *a)
{
    const struct admin_sources *s = l->sources;
    struct err e = {""};

    if (!t->whole)
        pages_refuse(a, 400, "bad_request", "scope: fleet is for services, not for one instance");
    else if (!s->fleet_force)
        pages_refuse(a, 503, "fleet_off", "there is no fleet: the configuration has no `fleet:`");
    else if (s->fleet_connected && !s->fleet_connected(s->arg))
        pages_refuse(a, 503, "fleet_away",
                     "the other gateways cannot be told now; \"scope\": \"local\" works here");
    else if (s->fleet_force(s->arg, t->view->state->name, q, &e) < 0)
        refuse_fleet(s, e.text, a);
    else
        return true;
    return false;
}

static bool operate(const struct look *l, const struct breaker_target *t, const struct order *o,
                    struct page_answer *a)
{
    const struct operate_request q = {
        .what = o->what,
        .ttl_ms = o->ttl_ms,
        .author = o->author,
        .why = o->why,
        .even_last = o->even_last,
    };
    enum operate_result r;

    if (o->fleet)
        return force_fleet(l, t, &q, a);
    if (t->whole)
        r = operate_service(t->view->state, &q, l->now_ns);
    else
        r = operate_instance(t->view->states[t->instance], &q, l->now_ns);
    if (r != OPERATE_DONE)
        refuse_result(a, r);
    return r == OPERATE_DONE;
}

void write_answer(const struct look *l, const struct write_request *q, struct page_answer *ret)
{
    struct order o;
    struct breaker_target t;
    struct err e;
    enum target_result found;

    if (!write_is_json(q->content_type)) {
        pages_refuse(ret, 415, "unsupported_media_type", "Content-Type: expected application/json");
        return;
    }
    if (q->body.n > ORDER_MAX_BYTES) {
        pages_refuse(ret, 413, "body_too_large", "the body is larger than 4096 bytes");
        return;
    }
    if (order_parse(q->body.p, q->body.n, &o, &e) < 0) {
        pages_refuse(ret, 400, "bad_request", e.text);
        return;
    }
    if (!o.author[0])
        order_text(o.author, sizeof o.author, q->cert_name);
    found = target_find(l->snapshot, q->rest, &t);
    if (found != TARGET_FOUND) {
        pages_no_target(ret, found);
        return;
    }
    if (!operate(l, &t, &o, ret))
        return;
    log_write_done(q, &t, &o);
    pages_json(ret, 200, breaker_document(l, &t));
}
