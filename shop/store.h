/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* store.h - the items of one service, in memory.
 *
 * Instances of a service that are given the same journal file share their items, as instances that
 * share a database would: a change is one line at the end of the file, written under its lock, and
 * everybody reads the lines that are new to them first. Without a file the items are private.
 * Threads: one. */
#include "kind.h"

struct store;

/* NULL with a message on stderr when the journal cannot be opened. `journal` may be NULL. */
struct store *store_open(const struct kind *kind, const char *journal);
void store_close(struct store *s);

/* Borrowed, in order of their making, until the next call. */
json_t *store_items(struct store *s);
json_t *store_find(struct store *s, const char *id); /* NULL when there is none */

/* Gives the item its id and keeps it (taking a reference). False when the journal failed. */
bool store_add(struct store *s, json_t *item);
/* Replaces or, with item NULL, removes the item of that id. False when the journal failed. */
bool store_set(struct store *s, const char *id, json_t *item);
