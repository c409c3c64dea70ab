/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/key_table.h"
#include "base/siphash.h"
#include "policy/api_key.h"
#include "policy/key_entry.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct key_table {
    _Atomic int refs;
    struct arena *arena; /* owned: entries, pepper, slots */
    const char *source;
    struct str pepper;
    struct siphash_key key;
    struct key_entry *entries; /* [n] */
    size_t n;
    uint32_t *slots; /* [mask + 1]: index + 1 into entries; 0 = free */
    size_t mask;
};

static void index_entry(struct key_table *t, size_t at)
{
    const char *id = t->entries[at].id;
    size_t i = siphash(&t->key, id, strlen(id)) & t->mask;

    while (t->slots[i])
        i = (i + 1) & t->mask;
    t->slots[i] = (uint32_t)at + 1;
}

/* Nothing but comments: a file that somebody is about to write, rather than one without keys. */
static bool is_blank(struct str text)
{
    struct str line;

    while (str_next(&text, '\n', &line)) {
        if (line.n > 0 && line.p[line.n - 1] == '\r')
            line.n--;
        if (line.n > 0 && line.p[0] != '#')
            return false;
    }
    return true;
}

static const struct key_entry *find(const struct key_table *t, struct str id)
{
    for (size_t i = siphash(&t->key, id.p, id.n) & t->mask; t->slots[i]; i = (i + 1) & t->mask) {
        const struct key_entry *e = &t->entries[t->slots[i] - 1];

        if (str_eq(id, str_of(e->id)))
            return e;
    }
    return NULL;
}

static int tree_read(struct tree *tree, struct arena *scratch, const struct key_text *text,
                     struct err *e)
{
    tree_init(tree, scratch);
    if (is_blank(text->text))
        return err_set(e, "%s: is empty; {} says that there are no keys", text->name);
    if (tree_add(tree, text->name, text->text.p, text->text.n, e) < 0)
        return -1;
    return tree_merge(tree, e);
}

static int add_entries(struct key_table *t, const struct tree *tree, struct err *e)
{
    struct reader r = {.arena = t->arena, .scratch = tree->arena, .err = e};

    node_each(it, &tree->root)
    {
        if (key_entry_read(&r, it, t->source, t->pepper.n > 0, &t->entries[t->n]) < 0)
            return -1;
        t->n++;
        if (find(t, str_of(it->key)))
            return node_error(it, e, "the same id is in another text of this store");
        index_entry(t, t->n - 1);
    }
    return 0;
}

/* Each text is a tree of its own: entries are whole, and two never make one together. */
static int fill(struct key_table *t, const struct key_text *texts, size_t n, struct arena *scratch,
                struct err *e)
{
    struct tree *trees = ARENA_ARRAY(scratch, struct tree, n);
    size_t all = 0;

    for (size_t i = 0; i < n; i++) {
        if (tree_read(&trees[i], scratch, &texts[i], e) < 0)
            return -1;
        all += trees[i].root.n;
    }
    t->entries = ARENA_ARRAY(t->arena, struct key_entry, all);
    for (t->mask = 15; t->mask < 2 * all;)
        t->mask = 2 * t->mask + 1;
    t->slots = ARENA_ARRAY(t->arena, uint32_t, t->mask + 1);
    for (size_t i = 0; i < n; i++)
        if (add_entries(t, &trees[i], e) < 0)
            return -1;
    return 0;
}

struct key_table *key_table_new(const char *source, const struct key_text *texts, size_t n,
                                struct str pepper, struct err *e)
{
    struct arena *scratch = arena_new(), *arena = arena_new();
    struct key_table *t = arena && scratch ? ARENA_NEW(arena, struct key_table) : NULL;

    if (!t) {
        arena_free(scratch);
        arena_free(arena);
        err_set(e, "out of memory");
        return NULL;
    }
    t->refs = 1;
    t->arena = arena;
    t->source = arena_strdup(arena, source);
    t->pepper = arena_str(arena, pepper);
    if (getrandom(&t->key, sizeof t->key, 0) != sizeof t->key)
        t->key.k0 = (uint64_t)(uintptr_t)t;
    if (fill(t, texts, n, scratch, e) < 0)
        key_table_unref(&t);
    arena_free(scratch);
    return t;
}

struct key_table *key_table_ref(struct key_table *t)
{
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

void key_table_unref(struct key_table **tp)
{
    struct key_table *t = *tp;

    *tp = NULL;
    if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < t->n; i++)
        identity_unref(&t->entries[i].identity);
    if (t->pepper.n > 0)
        OPENSSL_cleanse((char *)(uintptr_t)t->pepper.p, t->pepper.n);
    arena_free(t->arena);
}

size_t key_table_count(const struct key_table *t)
{
    return t->n;
}

enum key_answer key_table_find(const struct key_table *t, struct str key, uint64_t now_s,
                               struct identity **ret)
{
    static const struct key_entry nobody;
    unsigned char plain[API_KEY_DIGEST], peppered[API_KEY_DIGEST] = {0};
    const struct key_entry *found, *e;
    struct str id;

    if (!api_key_parse(key, &id))
        return KEY_MALFORMED;
    if (api_key_digest(key, STR_NULL, plain) < 0 ||
        (t->pepper.n > 0 && api_key_digest(key, t->pepper, peppered) < 0))
        return KEY_MEMORY;
    found = find(t, id);
    e = found ? found : &nobody;
    if (CRYPTO_memcmp(e->peppered ? peppered : plain, e->digest, sizeof plain) != 0)
        return found ? KEY_WRONG : KEY_UNKNOWN;
    if (!found)
        return KEY_UNKNOWN;
    if (e->disabled)
        return KEY_DISABLED;
    if (e->expires_s && now_s >= e->expires_s)
        return KEY_EXPIRED;
    *ret = e->identity;
    return KEY_OK;
}
