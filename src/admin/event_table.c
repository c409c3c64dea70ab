/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/event_table.h"
#include "base/alloc.h"

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

struct slot {
    char *name; /* owned: in quotes, as JSON; NULL until it is first seen */
    bool present, changed, gone;
    struct event_row row;
    struct tally tally;
};

struct event_table {
    struct slot *slots; /* [n] by slot of the registry; owned */
    uint32_t n;
    uint64_t read_ns; /* when it was last refreshed */
    bool any_change;
    struct service_row *rows; /* [n]; owned */
    size_t nrows;
    struct json_out text; /* kept for its memory */
};

struct event_table *event_table_new(void)
{
    return alloc_or_abort(sizeof(struct event_table));
}

void event_table_free(struct event_table *t)
{
    if (!t)
        return;
    for (uint32_t i = 0; i < t->n; i++)
        free(t->slots[i].name);
    free(t->slots);
    free(t->rows);
    json_out_release(&t->text);
    free(t);
}

static void grow(struct event_table *t, uint32_t n)
{
    if (n <= t->n)
        return;
    t->slots = realloc(t->slots, n * sizeof *t->slots);
    free(t->rows);
    t->rows = malloc(n * sizeof *t->rows);
    if (!t->slots || !t->rows)
        abort();
    memset(t->slots + t->n, 0, (n - t->n) * sizeof *t->slots);
    t->n = n;
}

static void read_slot(struct slot *s, const struct look *l, const struct service_row *row,
                      uint64_t elapsed_ns)
{
    struct event_row next = s->row;
    struct tally now;

    tally_of(&now, row);
    event_row_state(&next, l, row);
    /* A first row is at rest: what was counted before it is not of this second. */
    if (s->present && elapsed_ns)
        event_row_rates(&next, &s->tally, &now, elapsed_ns);
    else
        event_row_last_step(&next, l->sources->series, row->view->state->slot);
    s->changed |= !s->present || memcmp(&next, &s->row, sizeof next) != 0;
    s->row = next;
    s->tally = now;
    s->present = true;
    if (!s->name)
        s->name = json_quoted(row->name);
}

static void lose_slot(struct slot *s)
{
    s->gone |= s->present;
    s->present = s->changed = false;
    memset(&s->row, 0, sizeof s->row);
}

void event_table_refresh(struct event_table *t, const struct look *l, bool first)
{
    uint64_t elapsed_ns = first ? 0 : l->now_ns - t->read_ns;

    grow(t, l->snapshot ? l->snapshot->nslots : 0);
    t->nrows = 0;
    for (uint32_t i = 0; i < t->n; i++) {
        const struct service_view *v = service_row_at(l->snapshot, i);
        struct service_row *row = &t->rows[t->nrows];

        if (v) {
            t->nrows++;
            service_row_fill(row, v, l->now_ns);
            read_slot(&t->slots[i], l, row, elapsed_ns);
        } else {
            lose_slot(&t->slots[i]);
        }
        if (first)
            t->slots[i].changed = t->slots[i].gone = false;
        t->any_change |= t->slots[i].changed || t->slots[i].gone;
    }
    if (first)
        t->any_change = false;
    t->read_ns = l->now_ns;
}

const struct service_row *event_table_rows(const struct event_table *t, size_t *ret_n)
{
    *ret_n = t->nrows;
    return t->rows;
}

void event_table_touch(struct event_table *t, const struct look *l, uint32_t slot)
{
    const struct service_view *v = service_row_at(l->snapshot, slot);
    struct service_row row;

    /* A service that is new since the last refresh comes with the next one. */
    if (!v || slot >= t->n || !t->slots[slot].present)
        return;
    service_row_fill(&row, v, l->now_ns);
    event_row_state(&t->slots[slot].row, l, &row);
    t->slots[slot].changed = true;
    t->any_change = true;
}

static void open_event(struct event_table *t, bool full)
{
    t->text.n = 0;
    json_out_raw(&t->text, "event: services\ndata: {\"full\":");
    json_out_raw(&t->text, full ? "true,\"rows\":[" : "false,\"rows\":[");
}

static void add_row(struct event_table *t, const struct look *l, uint32_t slot, bool history)
{
    const struct service_view *v = service_row_at(l->snapshot, slot);

    event_row_write(&t->slots[slot].row, l, v->state, t->slots[slot].name, history, &t->text);
}

static void begin_gone(struct event_table *t)
{
    json_out_raw(&t->text, "],\"gone\":[");
}

static void close_event(struct event_table *t, struct evbuffer *out)
{
    json_out_raw(&t->text, "]}\n\n");
    evbuffer_add(out, t->text.p, t->text.n);
}

static void write_changed(struct event_table *t, const struct look *l, struct evbuffer *out)
{
    unsigned in_event = 0;

    for (uint32_t i = 0; i < t->n; i++) {
        if (!t->slots[i].changed || !service_row_at(l->snapshot, i))
            continue;
        t->slots[i].changed = false;
        if (in_event == 0)
            open_event(t, false);
        else
            json_out_raw(&t->text, ",");
        add_row(t, l, i, false);
        if (++in_event == EVENT_TABLE_BATCH) {
            begin_gone(t);
            close_event(t, out);
            in_event = 0;
        }
    }
    if (in_event > 0) {
        begin_gone(t);
        close_event(t, out);
    }
}

static void write_gone(struct event_table *t, struct evbuffer *out)
{
    bool any = false;

    for (uint32_t i = 0; i < t->n; i++) {
        if (!t->slots[i].gone)
            continue;
        t->slots[i].gone = false;
        if (!any) {
            open_event(t, false);
            begin_gone(t);
        }
        json_out_raw(&t->text, any ? "," : "");
        json_out_raw(&t->text, t->slots[i].name);
        any = true;
    }
    if (any)
        close_event(t, out);
}

void event_table_changes(struct event_table *t, const struct look *l, struct evbuffer *out)
{
    if (!t->any_change)
        return;
    write_gone(t, out);
    write_changed(t, l, out);
    t->any_change = false;
}

bool event_table_part(struct event_table *t, const struct look *l, uint32_t *slot,
                      struct evbuffer *out)
{
    unsigned in_event = 0;
    uint32_t i = *slot;

    open_event(t, i == 0);
    for (; i < t->n && in_event < EVENT_TABLE_BATCH; i++) {
        if (!t->slots[i].present || !service_row_at(l->snapshot, i))
            continue;
        json_out_raw(&t->text, in_event++ ? "," : "");
        add_row(t, l, i, true);
    }
    begin_gone(t);
    close_event(t, out);
    *slot = i;
    return i < t->n;
}
