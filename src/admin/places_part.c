/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/places_part.h"
#include "admin/metrics.h"

#include <event2/buffer.h>
#include <inttypes.h>

bool places_away(const struct look *l, const char *service, struct discovery_group_status *ret,
                 struct discovery_place_status *ret_place)
{
    const struct discovery *d = l->sources->discovery;

    return discovery_group_status(d, service, ret) && ret->decided && ret->active > 0 &&
           discovery_place_status(d, service, ret->active, ret_place);
}

static const char *watch_word(const struct discovery_place_status *p)
{
    return p->failing ? "failing" : p->heard ? "ok" : "pending";
}

static json_t *place_part(const struct look *l, const struct discovery_place_status *p, bool active)
{
    return json_pack(
        "{s:o,s:b,s:I,s:I,s:s,s:o,s:o,s:I,s:o,s:o}", "place", json_text(p->label), "active", active,
        "usable", (json_int_t)p->usable, "total", (json_int_t)p->total, "watch", watch_word(p),
        "error", p->error[0] ? json_text(p->error) : json_null(), "suspect_until",
        look_time(l, p->suspect_until_ns), "index", (json_int_t)p->index, "data_age_ms",
        look_age_ms(l, p->answered_ns), "changed", look_time(l, p->changed_ns));
}

json_t *places_part(const struct look *l, const char *service)
{
    const struct discovery *d = l->sources->discovery;
    struct discovery_group_status g;
    json_t *places, *active = json_null();

    if (!discovery_group_status(d, service, &g))
        return json_null();
    places = json_array();
    for (size_t i = 0; i < g.nplaces; i++) {
        struct discovery_place_status p;

        if (!discovery_place_status(d, service, i, &p))
            continue;
        json_array_append_new(places, place_part(l, &p, g.decided && i == g.active));
        if (g.decided && i == g.active)
            active = json_text(p.label);
    }
    return json_pack(
        "{s:o,s:b,s:o,s:o,s:I,s:o}", "active", active, "preferred", g.decided && g.active == 0,
        "since", g.decided ? look_time(l, g.since_ns) : json_null(), "why",
        g.decided ? json_text(g.why) : json_null(), "moves", (json_int_t)g.moves, "places", places);
}

static void begin(struct evbuffer *out, const char *name, const char *service)
{
    evbuffer_add_printf(out, "frontdesk_%s{service=\"", name);
    metrics_label(out, service);
}

static void write_active(const struct look *l, const char *service,
                         const struct discovery_group_status *g, struct evbuffer *out)
{
    for (size_t i = 0; i < g->nplaces; i++) {
        struct discovery_place_status p;

        if (!discovery_place_status(l->sources->discovery, service, i, &p))
            continue;
        begin(out, "place_active", service);
        evbuffer_add_printf(out, "\",place=\"");
        metrics_label(out, p.label);
        evbuffer_add_printf(out, "\"} %d\n", g->decided && i == g->active);
    }
}

static void write_preferred(const struct look *l, const char *service,
                            const struct discovery_group_status *g, struct evbuffer *out)
{
    (void)l;
    begin(out, "place_preferred", service);
    evbuffer_add_printf(out, "\"} %d\n", g->decided && g->active == 0);
}

static void write_moves(const struct look *l, const char *service,
                        const struct discovery_group_status *g, struct evbuffer *out)
{
    (void)l;
    begin(out, "place_moves_total", service);
    evbuffer_add_printf(out, "\"} %" PRIu64 "\n", g->moves);
}

static void each(const struct look *l, const struct service_row *rows, size_t n,
                 struct evbuffer *out,
                 void (*write)(const struct look *, const char *,
                               const struct discovery_group_status *, struct evbuffer *))
{
    for (size_t i = 0; i < n; i++) {
        struct discovery_group_status g;

        if (discovery_group_status(l->sources->discovery, rows[i].name, &g))
            write(l, rows[i].name, &g, out);
    }
}

void places_metrics(const struct look *l, const struct service_row *rows, size_t n,
                    struct evbuffer *out)
{
    evbuffer_add_printf(out, "# HELP frontdesk_place_active 1 for the place that the service comes "
                             "from, 0 for its others.\n# TYPE frontdesk_place_active gauge\n");
    each(l, rows, n, out, write_active);
    evbuffer_add_printf(out, "# HELP frontdesk_place_preferred 1 while the service comes from the "
                             "place that it should come from.\n"
                             "# TYPE frontdesk_place_preferred gauge\n");
    each(l, rows, n, out, write_preferred);
    evbuffer_add_printf(out, "# HELP frontdesk_place_moves_total Times that a service failed over "
                             "to another place or went back.\n"
                             "# TYPE frontdesk_place_moves_total counter\n");
    each(l, rows, n, out, write_moves);
}
