/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* event_table.h - the rows of the event stream as the listeners have them, and what has changed
 * since. One table for all listeners: each gets the whole of it once, then every change. */
#include "admin/event_row.h"

struct evbuffer;
struct event_table;

enum { EVENT_TABLE_BATCH = 200 }; /* most rows of one event */

struct event_table *event_table_new(void);
void event_table_free(struct event_table *t);

/* Reads all services anew. With `first` nobody listens yet: nothing counts as changed, and the
 * rates are those of the history. */
void event_table_refresh(struct event_table *t, const struct look *l, bool first);
/* The sums that the last refresh has read, in no order; valid until the next loop turn, because
 * they borrow from the snapshot. */
const struct service_row *event_table_rows(const struct event_table *t, size_t *ret_n);
/* Something has happened to this service: its state, not its rates. */
void event_table_touch(struct event_table *t, const struct look *l, uint32_t slot);

/* Adds `services` events with what has changed since the last call; nothing when nothing has. */
void event_table_changes(struct event_table *t, const struct look *l, struct evbuffer *out);
/* Adds one `services` event with the next rows of the whole table, from *slot on, which moves on;
 * 0 begins. True when more are to come. */
bool event_table_part(struct event_table *t, const struct look *l, uint32_t *slot,
                      struct evbuffer *out);
