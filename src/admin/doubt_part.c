/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doubt_part.h"
#include "base/log.h"

#include <event2/buffer.h>
#include <inttypes.h>

static const char expected[] = "expected exactly one of {\"service\": NAME} and {\"all\": true}";

bool doubt_holds(const struct look *l, const char *service, struct discovery_watch_status *ret)
{
    return discovery_watch_status(l->sources->discovery, service, ret) && ret->held > 0;
}

static json_t *removal_part(const struct look *l, const struct discovery_removal *r)
{
    return json_pack("{s:o,s:s,s:o,s:o,s:o,s:i,s:o,s:I,s:b}", "at", look_time(l, r->at_ns),
                     "reason", r->why, "node", json_text(r->node), "id", json_text(r->id),
                     "address", json_text(r->address), "port", (int)r->port, "check",
                     r->check[0] ? json_text(r->check) : json_null(), "held_ms",
                     (json_int_t)r->held_ms, "accepted", r->accepted);
}

static json_t *removals_part(const struct look *l, const char *service)
{
    struct discovery_removal r[DISCOVERY_REMOVALS_KEPT];
    unsigned n = discovery_removals(l->sources->discovery, service, r, ARRAY_LEN(r));
    json_t *list = json_array();

    for (unsigned i = 0; i < n; i++)
        json_array_append_new(list, removal_part(l, &r[i]));
    return list;
}

void doubt_add_service(const struct look *l, const char *service,
                       const struct discovery_watch_status *w, json_t *doc)
{
    bool held = w->held > 0;

    json_object_set_new(doc, "held",
                        json_pack("{s:i,s:o,s:o,s:o}", "instances", (int)w->held, "since",
                                  look_time(l, w->held_since_ns), "why",
                                  held ? json_text(w->held_why) : json_null(), "believed_at",
                                  held ? look_time(l, w->believed_ns) : json_null()));
    json_object_set_new(doc, "damped", json_integer(w->damped));
    json_object_set_new(doc, "removals", removals_part(l, service));
}

void doubt_add_consul(const struct discovery_status *d, json_t *doc)
{
    json_t *removals = json_object();

    for (unsigned i = 0; i < DISCOVERY_REMOVALS; i++)
        if (i != DISCOVERY_REMOVAL_NODE_GONE)
            json_object_set_new(removals, discovery_removal_word(i),
                                json_integer((json_int_t)d->removals[i]));
    json_object_set_new(doc, "held_instances", json_integer((json_int_t)d->held_instances));
    json_object_set_new(doc, "held_services", json_integer((json_int_t)d->held_services));
    json_object_set_new(doc, "damped_instances", json_integer((json_int_t)d->damped_instances));
    json_object_set_new(doc, "holds", json_integer((json_int_t)d->holds));
    json_object_set_new(doc, "removals", removals);
}

static void begin(struct evbuffer *out, const char *name, const char *type, const char *help)
{
    evbuffer_add_printf(out, "# HELP frontdesk_consul_%s %s\n# TYPE frontdesk_consul_%s %s\n", name,
                        help, name, type);
}

static void number(struct evbuffer *out, const char *name, const char *type, const char *help,
                   uint64_t n)
{
    begin(out, name, type, help);
    evbuffer_add_printf(out, "frontdesk_consul_%s %" PRIu64 "\n", name, n);
}

void doubt_metrics(const struct discovery_status *d, struct evbuffer *out)
{
    if (!d->consul)
        return;
    number(out, "held_instances", "gauge",
           "Instances kept although Consul no longer lists them, or calls them critical.",
           d->held_instances);
    number(out, "holds_total", "counter", "Times that instances of a service began to be held.",
           d->holds);
    number(out, "damped_instances", "gauge", "Instances kept out because their checks come and go.",
           d->damped_instances);
    begin(out, "removals_total", "counter", "Instances that left rotation or the catalog.");
    for (unsigned i = 0; i < DISCOVERY_REMOVALS; i++)
        if (i != DISCOVERY_REMOVAL_NODE_GONE)
            evbuffer_add_printf(out, "frontdesk_consul_removals_total{reason=\"%s\"} %" PRIu64 "\n",
                                discovery_removal_word(i), d->removals[i]);
}

/* NULL in *ret_service: all. */
static bool read_order(const json_t *doc, const char **ret_service)
{
    const json_t *service = json_object_get(doc, "service");

    if (!json_is_object(doc) || json_object_size(doc) != 1)
        return false;
    *ret_service = json_string_value(service);
    return service ? *ret_service && **ret_service : json_is_true(json_object_get(doc, "all"));
}

void accept_answer(const struct look *l, const struct write_request *q, struct page_answer *ret)
{
    const char *service;
    json_t *doc;
    unsigned n;

    if (!write_is_json(q->content_type)) {
        pages_refuse(ret, 415, "unsupported_media_type", "Content-Type: expected application/json");
        return;
    }
    doc = json_loadb(q->body.p, q->body.n, JSON_REJECT_DUPLICATES, NULL);
    if (!doc || !read_order(doc, &service)) {
        json_decref(doc);
        pages_refuse(ret, 400, "bad_request", expected);
        return;
    }
    if (service && !service_row_find(l->snapshot, service)) {
        json_decref(doc);
        pages_refuse(ret, 404, "unknown_service", "there is no service of this name");
        return;
    }
    n = discovery_accept(l->sources->discovery, service);
    log_info("admin",
             "service=%s: what Consul lists is accepted, %u instances that were held are let go; "
             "asked for from %s%s%s",
             service ? service : "(all)", n, q->peer,
             q->cert_name[0] ? " with the certificate of " : "", q->cert_name);
    json_decref(doc);
    pages_json(ret, 200, json_pack("{s:i}", "accepted", (int)n));
}
