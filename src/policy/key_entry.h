/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* key_entry.h - one entry of a store of API keys, read from its YAML. */
#include "config/schema.h"
#include "policy/api_key.h"
#include "policy/identity.h"

struct key_entry {
    const char *id; /* in the arena */
    unsigned char digest[API_KEY_DIGEST];
    bool peppered, disabled;
    uint64_t expires_s;        /* 0 = never */
    struct identity *identity; /* ref */
};

extern const struct section key_entry_section; /* into a draft of key_entry.c */

/* n is the map, its key the id. `source`: the name of the store. Messages never hold what could be
 * a key: people paste it where its hash belongs. */
int key_entry_read(struct reader *r, const struct node *n, const char *source, bool has_pepper,
                   struct key_entry *ret) MUST_CHECK;
