/* SPDX-License-Identifier: Apache-2.0 */
#include "limits/limit_table.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { WAYS = 8, VERSION_BITS = 4, LINE = 64, SAMPLE_SETS = 16384, SPINS = 64 };

/* A word is value << VERSION_BITS | version. BUSY is no value: the place changes hands. */
#define VERSION(word) ((word) & ((1u << VERSION_BITS) - 1))
#define VALUE(word)   ((word) >> VERSION_BITS)
#define BUSY          (LIMIT_VALUE_END - 1)

/* Two cache lines. */
struct set {
    _Atomic uint64_t tags[WAYS]; /* 0 = nobody yet */
    _Atomic uint64_t words[WAYS];
};

struct limit_table {
    struct set *sets; /* in `memory`, at the beginning of a cache line */
    uint32_t nsets;
    void *memory;
    _Atomic unsigned char *locks; /* [nsets]; held while an owner changes */
    _Atomic uint64_t evicted;
};

struct limit_table *limit_table_new(size_t clients)
{
    struct limit_table *t = calloc(1, sizeof *t);

    if (!t)
        return NULL;
    t->nsets = (uint32_t)((clients + WAYS - 1) / WAYS);
    if (t->nsets == 0)
        t->nsets = 1;
    t->memory = calloc(1, t->nsets * sizeof(struct set) + LINE);
    t->locks = calloc(t->nsets, 1);
    if (!t->memory || !t->locks) {
        limit_table_free(&t);
        return NULL;
    }
    t->sets = (struct set *)(((uintptr_t)t->memory + LINE - 1) / LINE * LINE);
    return t;
}

void limit_table_free(struct limit_table **tp)
{
    struct limit_table *t = *tp;

    *tp = NULL;
    if (!t)
        return;
    free(t->memory);
    free(t->locks);
    free(t);
}

static uint32_t set_of(const struct limit_table *t, uint64_t key)
{
    return (uint32_t)(((key >> 32) * t->nsets) >> 32);
}

static uint64_t tag_of(uint64_t key)
{
    return key ? key : 1;
}

static uint64_t word_of(uint64_t value, uint64_t version)
{
    return value << VERSION_BITS | VERSION(version);
}

/* Where this client is; WAYS when nowhere. */
static unsigned find(struct set *s, uint64_t tag)
{
    unsigned i = 0;

    while (i < WAYS && atomic_load_explicit(&s->tags[i], memory_order_acquire) != tag)
        i++;
    return i;
}

/* The word of a place as long as it is this client's. Whoever takes a place over changes the word
 * first and the tag then: a word read before the tag belongs to that tag or cannot be swapped any
 * more. */
static bool read_word(struct set *s, unsigned i, uint64_t tag, uint64_t *ret_word)
{
    *ret_word = atomic_load_explicit(&s->words[i], memory_order_acquire);
    return VALUE(*ret_word) != BUSY &&
           atomic_load_explicit(&s->tags[i], memory_order_relaxed) == tag;
}

static bool swap_word(struct set *s, unsigned i, uint64_t word, uint64_t value)
{
    return atomic_compare_exchange_strong_explicit(&s->words[i], &word, word_of(value, word),
                                                   memory_order_acq_rel, memory_order_relaxed);
}

/* What is to be done with a client's number. */
struct change {
    enum { TAKE, RAISE } what;
    const struct limit_rule *rule;
    const struct limit_clock *clock;
    uint64_t value; /* what it is raised to; then what it has become */
    bool passes;
};

static uint64_t changed(struct change *c, uint64_t value)
{
    uint64_t next = value > c->value ? value : c->value;

    if (c->what == TAKE)
        c->passes = limit_rule_take(c->rule, c->clock, value, &next);
    return next;
}

/* False when the place is another's by now. */
static bool change_at(struct set *s, unsigned i, uint64_t tag, struct change *c)
{
    uint64_t word, next;

    do {
        if (!read_word(s, i, tag, &word))
            return false;
        next = changed(c, VALUE(word));
    } while (next != VALUE(word) && !swap_word(s, i, word, next));
    c->value = next;
    return true;
}

static void lock(_Atomic unsigned char *l)
{
    for (unsigned i = 0; atomic_exchange_explicit(l, 1, memory_order_acquire); i++)
        if (i >= SPINS) /* who holds it is not running */
            sched_yield();
}

static void unlock(_Atomic unsigned char *l)
{
    atomic_store_explicit(l, 0, memory_order_release);
}

/* Takes the place with the smallest number from its owner. Under the lock of the set. */
static unsigned take_over(struct set *s, uint64_t *ret_word)
{
    for (;;) {
        unsigned least = 0;
        uint64_t word = UINT64_MAX, busy;

        for (unsigned i = 0; i < WAYS; i++) {
            uint64_t w = atomic_load_explicit(&s->words[i], memory_order_acquire);

            if (VALUE(w) < VALUE(word)) {
                least = i;
                word = w;
            }
        }
        *ret_word = word;
        busy = word_of(BUSY, word + 1);
        if (atomic_compare_exchange_strong_explicit(&s->words[least], &word, busy,
                                                    memory_order_acq_rel, memory_order_relaxed))
            return least;
    }
}

static void insert(struct limit_table *t, struct set *s, uint64_t tag, struct change *c)
{
    uint64_t old, next = changed(c, 0);
    unsigned i = take_over(s, &old);

    if (limit_rule_is_live(c->rule, c->clock, VALUE(old)))
        atomic_fetch_add_explicit(&t->evicted, 1, memory_order_relaxed);
    atomic_store_explicit(&s->tags[i], tag, memory_order_release);
    atomic_store_explicit(&s->words[i], word_of(next, old + 1), memory_order_release);
    c->value = next;
}

static void change(struct limit_table *t, uint64_t key, struct change *c)
{
    uint32_t at = set_of(t, key);
    uint64_t tag = tag_of(key);
    struct set *s = &t->sets[at];
    unsigned i = find(s, tag);

    if (i < WAYS && change_at(s, i, tag, c))
        return;
    lock(&t->locks[at]);
    i = find(s, tag);
    if (i == WAYS || !change_at(s, i, tag, c))
        insert(t, s, tag, c);
    unlock(&t->locks[at]);
}

bool limit_table_take(struct limit_table *t, uint64_t key, const struct limit_rule *r,
                      const struct limit_clock *clock, uint64_t *ret_value)
{
    struct change c = {.what = TAKE, .rule = r, .clock = clock};

    change(t, key, &c);
    *ret_value = c.value;
    return c.passes;
}

void limit_table_raise(struct limit_table *t, uint64_t key, const struct limit_rule *r,
                       const struct limit_clock *clock, uint64_t value)
{
    struct change c = {.what = RAISE, .rule = r, .clock = clock, .value = value};

    change(t, key, &c);
}

void limit_table_give_back(struct limit_table *t, uint64_t key, const struct limit_rule *r)
{
    struct set *s = &t->sets[set_of(t, key)];
    uint64_t tag = tag_of(key), word;
    unsigned i = find(s, tag);

    while (i < WAYS && read_word(s, i, tag, &word))
        if (swap_word(s, i, word, limit_rule_give_back(r, VALUE(word))))
            return;
}

uint64_t limit_table_look(const struct limit_table *t, uint64_t key)
{
    struct set *s = &t->sets[set_of(t, key)];
    unsigned i = find(s, tag_of(key));
    uint64_t word;

    return i < WAYS && read_word(s, i, tag_of(key), &word) ? VALUE(word) : 0;
}

void limit_table_usage(const struct limit_table *t, const struct limit_rule *r,
                       const struct limit_clock *c, struct limit_table_usage *ret)
{
    uint32_t n = t->nsets < SAMPLE_SETS ? t->nsets : SAMPLE_SETS;
    size_t live = 0;

    for (uint32_t k = 0; k < n; k++) {
        struct set *s = &t->sets[(uint64_t)k * t->nsets / n];

        for (unsigned i = 0; i < WAYS; i++) {
            uint64_t value = VALUE(atomic_load_explicit(&s->words[i], memory_order_relaxed));

            live += value != BUSY && limit_rule_is_live(r, c, value);
        }
    }
    ret->places = (size_t)t->nsets * WAYS;
    ret->live = (size_t)((uint64_t)live * t->nsets / n);
    ret->evicted = atomic_load_explicit(&t->evicted, memory_order_relaxed);
}

void limit_table_copy(struct limit_table *to, const struct limit_table *from,
                      const struct limit_rule *r, const struct limit_clock *c)
{
    for (uint32_t k = 0; k < from->nsets; k++)
        for (unsigned i = 0; i < WAYS; i++) {
            struct set *s = &from->sets[k];
            uint64_t tag = atomic_load_explicit(&s->tags[i], memory_order_acquire), word;

            if (tag && read_word(s, i, tag, &word) && limit_rule_is_live(r, c, VALUE(word)))
                limit_table_raise(to, tag, r, c, VALUE(word));
        }
}
