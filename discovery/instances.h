/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* instances.h - building and comparing instance sets. Pure: no I/O, no clock. */
#include "base/arena.h"
#include "base/instance.h"

/* Order by identity: node, id, address, port. */
int instance_compare(const struct instance *a, const struct instance *b);

/* Sorts by identity and drops duplicates (the first wins). Returns the new count. */
unsigned instances_sort(struct instance *items, unsigned n);

/* Makes a set of items that live in `a`; the set takes the arena over. One reference. */
struct instance_set *instance_set_new(struct arena *a, const char *service,
                                      const struct instance *items, unsigned n);

/* A deep copy whose items may still be written (through ret_items) until it is published. */
struct instance_set *instance_set_copy(const struct instance_set *s, struct instance **ret_items);

/* A deep copy under another name. */
struct instance_set *instance_set_named(const struct instance_set *s, const char *service);

/* A deep copy of one. */
void instance_copy(struct arena *a, struct instance *to, const struct instance *from);

/* The same instances as they are left when Consul no longer lists them: critical, weight 0. */
struct instance_set *instance_set_gone(const struct instance_set *s);

/* True when nothing that a reader could see differs. */
bool instances_same(const struct instance *a, const struct instance *b, unsigned n);
bool instance_set_same(const struct instance_set *a, const struct instance_set *b);
