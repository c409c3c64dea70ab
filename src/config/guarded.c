/* SPDX-License-Identifier: Apache-2.0 */
/* guarded.c - the set of header fields that are taken off every request from outside. */
#include "config/sections.h"

#include <string.h>

static char canonical(char c)
{
    return c == '_' ? '-' : ascii_lower(c);
}

/* FNV-1a: names are short, and those in the table are the operator's own. */
static uint64_t name_hash(struct str name)
{
    uint64_t h = 0xcbf29ce484222325ull;

    for (size_t i = 0; i < name.n; i++)
        h = (h ^ (unsigned char)canonical(name.p[i])) * 0x100000001b3ull;
    return h ^ h >> 32;
}

static bool same_name(struct str a, const char *b)
{
    for (size_t i = 0; i < a.n; i++)
        if (canonical(a.p[i]) != canonical(b[i])) /* ends at b's NUL, which no name holds */
            return false;
    return b[a.n] == '\0';
}

static uint64_t length_bit(size_t n)
{
    return 1ull << (n < 63 ? n : 63);
}

bool guarded_has(const struct guarded_fields *g, struct str name)
{
    if (!(g->lengths & length_bit(name.n)))
        return false;
    for (size_t i = name_hash(name) & g->mask; g->table[i]; i = (i + 1) & g->mask)
        if (same_name(name, g->table[i]))
            return true;
    return false;
}

static void insert(struct guarded_fields *g, const char *name)
{
    size_t i = name_hash(str_of(name)) & g->mask;

    while (g->table[i])
        i = (i + 1) & g->mask;
    g->table[i] = name;
    g->lengths |= length_bit(strlen(name));
    g->n++;
}

/* At most half of the table is in use. */
static void grow(struct arena *a, struct guarded_fields *g)
{
    struct guarded_fields bigger = {.mask = g->mask ? g->mask * 2 + 1 : 15};

    bigger.table = ARENA_ARRAY(a, const char *, bigger.mask + 1);
    for (size_t i = 0; g->mask && i <= g->mask; i++)
        if (g->table[i])
            insert(&bigger, g->table[i]);
    *g = bigger;
}

void guarded_add(struct arena *a, struct guarded_fields *g, const char *name)
{
    if (guarded_has(g, str_of(name)))
        return;
    if ((g->n + 1) * 2 > g->mask)
        grow(a, g);
    insert(g, name);
}
