/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* chain_parts.h - private to chain.c, chain_json.c and chain_route.c: reading a chain. */
#include "chain.h"

#include <jansson.h>

struct chain_reader {
    struct chain *chain;
    struct arena *arena; /* the chain's */
    struct err *err;
    const char *where; /* id of the node or target that is being read */
};

/* Always false: `e` says "WHERE: ...". */
bool chain_refuse(struct chain_reader *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Adds a note about what is not obeyed; the same one only once. */
void chain_note(struct chain_reader *r, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The member's text; NULL when it is not there, null or empty. False: it is no text. */
bool chain_text(struct chain_reader *r, const json_t *object, const char *key, const char **ret);
bool chain_bool(struct chain_reader *r, const json_t *object, const char *key, bool *ret);
bool chain_count(struct chain_reader *r, const json_t *object, const char *key, unsigned *ret);
/* Go's "1m30s" or nanoseconds; 0 when it is not there or negative. */
bool chain_duration(struct chain_reader *r, const json_t *object, const char *key, uint64_t *ret);
/* The array, NULL when it is not there; at most `max` long. */
bool chain_array(struct chain_reader *r, const json_t *object, const char *key, size_t max,
                 const json_t **ret);
/* The object, NULL when it is not there. */
bool chain_object(struct chain_reader *r, const json_t *object, const char *key,
                  const json_t **ret);
/* A member that says something and is none of `known` (NULL ends); NULL = there is none. */
const char *chain_unknown(const json_t *object, const char *const *known);

/* Position of a node or target by its id. False: it is not there. */
bool chain_find_node(struct chain_reader *r, const char *id, unsigned *ret);
bool chain_find_target(struct chain_reader *r, const char *id, unsigned *ret);

/* chain_route.c */
bool chain_read_route(struct chain_reader *r, const json_t *object, struct chain_route *ret);
/* chain_changes.c: `key` of the object. */
bool chain_read_changes(struct chain_reader *r, const json_t *object, const char *key,
                        struct chain_changes *ret);
/* chain_resolver.c */
bool chain_read_resolver(struct chain_reader *r, const json_t *object, struct chain_resolver *ret);
bool chain_read_target(struct chain_reader *r, const json_t *object, struct chain_target *ret);
/* chain_value.c: the members. chain.c: nodes, and what holds for the whole. */
