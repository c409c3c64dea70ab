/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* limit_table.h - one number for each client of one limit, shared by all workers; as many clients
 * as it was made for and never more memory, however many come.
 *
 * A set-associative table: a client's 64-bit keyed hash names a set of eight places, and is all
 * that is kept of him. Two clients with one hash would count as one: for a million clients that is
 * one chance in forty million, and nobody without the key can bring it about.
 *
 * In a set that is full the smallest number gives way: for a rate the client who will be even
 * first, so that what the table forgets of anybody is never more than what it still knows of each
 * of the other seven in the set. A flood of clients with one request each can make it forget one
 * request; only clients who are at their limit can push out one who is at his.
 *
 * Exact between threads: a number changes by compare-and-swap alone, and each change of a place's
 * owner makes older looks at it void (four bits of version beside 60 of number). Who finds his
 * place never waits; only who takes a place over holds a lock, that of the set. */
#include "base/macros.h"
#include "limits/limit_rule.h"

struct limit_table;

/* For at least this many clients (16 bytes each). NULL when memory is out. Pages that nobody has
 * used yet cost no memory. */
struct limit_table *limit_table_new(size_t clients) MUST_CHECK;
void limit_table_free(struct limit_table **t);

/* Any thread, as all below. One more request of this client: *ret_value is the number after it, or
 * after its refusal. */
bool limit_table_take(struct limit_table *t, uint64_t key, const struct limit_rule *r,
                      const struct limit_clock *c, uint64_t *ret_value) MUST_CHECK;
/* Takes it back. Nothing happens to who has been forgotten. */
void limit_table_give_back(struct limit_table *t, uint64_t key, const struct limit_rule *r);
/* The number is at least this one: somebody else has counted more. */
void limit_table_raise(struct limit_table *t, uint64_t key, const struct limit_rule *r,
                       const struct limit_clock *c, uint64_t value);
/* 0 when there is none. */
uint64_t limit_table_look(const struct limit_table *t, uint64_t key);

struct limit_table_usage {
    uint64_t places;
    uint64_t live;    /* estimated from a part of the table */
    uint64_t evicted; /* places taken from clients who were still counted */
};
void limit_table_usage(const struct limit_table *t, const struct limit_rule *r,
                       const struct limit_clock *c, struct limit_table_usage *ret);
/* Takes over what `from` knows, as far as there is room. What others change in `from` meanwhile may
 * be missed. */
void limit_table_copy(struct limit_table *to, const struct limit_table *from,
                      const struct limit_rule *r, const struct limit_clock *c);
