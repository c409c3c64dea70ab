/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* arena.h - memory that is born together and dies together.
 *
 * For a configuration, a route table, a request: many small allocations, one free. Not shared
 * between threads while it grows. Allocation failure ends the process at start-up and reload
 * builders only; callers on the request path use arena_try(). */
#include "base/macros.h"
#include "base/str.h"

struct arena;

struct arena *arena_new(void);
/* The same for the request path: NULL when memory is out. It never holds more than `max` bytes:
 * beyond that arena_try() has none. Its allocations are all by arena_try(). */
struct arena *arena_new_bounded(size_t max) MUST_CHECK;
/* Frees everything; accepts NULL. */
void arena_free(struct arena *a);
/* Forgets all allocations but keeps one block for reuse. */
void arena_reset(struct arena *a);

/* Zeroed, aligned for any type; NULL when memory is out. */
void *arena_try(struct arena *a, size_t n) MUST_CHECK;
/* Zeroed; aborts when memory is out. Control thread only. */
void *arena_alloc(struct arena *a, size_t n);
/* NUL-terminated copies in the arena. */
char *arena_strdup(struct arena *a, const char *z);
char *arena_strndup(struct arena *a, const char *p, size_t n);
struct str arena_str(struct arena *a, struct str s);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define ARENA_NEW(a, type)      ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_alloc((a), sizeof(type) * ((n) ? (n) : 1)))
