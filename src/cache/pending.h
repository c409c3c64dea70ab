/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* pending.h - what is being fetched at the moment, so that equal requests wait for one answer.
 *
 * Shared by all workers; a mutex guards a table of hashes. Bounded: when it is full, requests go by
 * themselves. Two things of one hash are taken for the same: their requests wait for each other,
 * and find out when they look into the cache again. */
#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>

struct pending;

struct pending *pending_new(void) MUST_CHECK;
void pending_free(struct pending *p);

enum pending_claim {
    PENDING_FIRST, /* the caller fetches it, and releases it */
    PENDING_TAKEN, /* somebody else does */
    PENDING_FULL   /* nobody knows */
};

/* `waits`: on PENDING_TAKEN the caller is counted among those that wait, until pending_leave(). */
enum pending_claim pending_claim(struct pending *p, uint64_t hash, bool waits);
void pending_leave(struct pending *p);
/* True when anybody waits for anything. */
bool pending_release(struct pending *p, uint64_t hash);
bool pending_has(struct pending *p, uint64_t hash);
