/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog.h"
#include "base/str.h"
#include "catalog_parts.h"
#include "instances.h"
#include "static_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

struct catalog *catalog_new(uint64_t keep_ms, catalog_lookup_fn *lookup, void *arg)
{
    struct catalog *c = calloc(1, sizeof *c);

    if (!c)
        abort();
    c->keep_ms = keep_ms;
    c->lookup = lookup;
    c->lookup_arg = arg;
    guard_all_init(&c->world.all);
    return c;
}

void catalog_protect(struct catalog *c, const struct belief_options *o)
{
    c->world.options = *o;
}

static void free_entry(struct entry *en)
{
    belief_release(&en->belief);
    removal_ring_release(&en->removed);
    instance_set_unref(&en->set);
    instance_set_unref(&en->told);
    free(en->name);
    free(en->label);
    free(en);
}

void catalog_free(struct catalog *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n; i++)
        free_entry(c->entries[i]);
    free(c->entries);
    removals_release(&c->removals);
    free(c);
}

/* Index of the entry, or of the place where it belongs. */
static size_t position(const struct catalog *c, const char *name, bool *ret_found)
{
    size_t low = 0, high = c->n;

    *ret_found = false;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcasecmp(c->entries[mid]->name, name);

        if (order == 0) {
            *ret_found = true;
            return mid;
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct entry *catalog_entry(const struct catalog *c, const char *name)
{
    bool found;
    size_t i = position(c, name, &found);

    return found ? c->entries[i] : NULL;
}

static struct instance_set *empty_set(const char *name)
{
    return instance_set_new(arena_new(), name, NULL, 0);
}

static struct entry *find_or_add(struct catalog *c, const char *name)
{
    bool found;
    size_t i = position(c, name, &found);
    struct entry *en;

    if (found)
        return c->entries[i];
    if (c->n == c->room) {
        c->room = c->room ? c->room * 2 : 16;
        c->entries = realloc(c->entries, c->room * sizeof(struct entry *));
    }
    en = calloc(1, sizeof *en);
    if (!en || !c->entries || !(en->name = strdup(name)))
        abort();
    for (char *p = en->name; *p; p++)
        *p = ascii_lower(*p);
    en->set = empty_set(en->name);
    belief_init(&en->belief, &c->world);
    memmove(c->entries + i + 1, c->entries + i, (c->n - i) * sizeof(struct entry *));
    c->entries[i] = en;
    c->n++;
    c->version++;
    return en;
}

/* What is shown as gone is on no node any more. */
static void count_nodes(struct catalog *c, struct entry *en, int by)
{
    if (en->told && !en->gone)
        removals_count_nodes(&c->removals, en->told, by);
}

static void drop(struct catalog *c, struct entry *en)
{
    bool found;
    size_t i = position(c, en->name, &found);

    free_entry(en);
    c->n--;
    memmove(c->entries + i, c->entries + i + 1, (c->n - i) * sizeof(struct entry *));
    c->version++;
}

/* Takes the reference over. */
static void publish(struct catalog *c, struct entry *en, struct instance_set *s, uint64_t now_ns)
{
    if (instance_set_same(en->set, s)) {
        instance_set_unref(&s);
        return;
    }
    instance_set_unref(&en->set);
    en->set = s;
    en->changed_ns = now_ns;
    c->version++;
}

void entry_tell(struct catalog *c, struct entry *en, struct instance_set *s, bool gone,
                uint64_t now_ns)
{
    count_nodes(c, en, -1);
    instance_set_unref(&en->told);
    en->told = s;
    en->gone = gone;
    count_nodes(c, en, 1);
    if (!en->is_static)
        publish(c, en, instance_set_ref(s), now_ns);
}

void catalog_resolve_items(const struct catalog *c, struct instance *items, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (!c->lookup(c->lookup_arg, items[i].address, items[i].port, &items[i].sockaddr,
                       &items[i].sockaddr_len))
            items[i].sockaddr_len = 0;
}

void entry_begin_gone(struct catalog *c, struct entry *en, uint64_t now_ns)
{
    if (en->gone || !en->told || en->told->n == 0)
        return;
    en->gone_until_ns = now_ns + c->keep_ms * NS_PER_MS;
    earliest(&c->due_ns, en->gone_until_ns);
    entry_tell(c, en, instance_set_gone(en->told), true, now_ns);
}

static void end_gone(struct catalog *c, struct entry *en, uint64_t now_ns)
{
    entry_tell(c, en, empty_set(en->name), false, now_ns);
    if (!en->watched && !en->is_static)
        drop(c, en);
}

void catalog_watch(struct catalog *c, const char *service)
{
    find_or_add(c, service)->watched = true;
}

/* Nothing that Consul has said of it is to be weighed any more. */
static void forget_said(struct catalog *c, struct entry *en)
{
    en->skipped = 0;
    belief_release(&en->belief);
    belief_init(&en->belief, &c->world);
}

void catalog_unwatch(struct catalog *c, const char *service, bool vanished, uint64_t now_ns)
{
    struct entry *en = catalog_entry(c, service);

    if (!en || !en->watched)
        return;
    en->watched = false;
    forget_said(c, en);
    if (vanished && c->keep_ms > 0)
        entry_begin_gone(c, en, now_ns);
    if (en->gone && vanished)
        return;
    count_nodes(c, en, -1);
    en->gone = false;
    instance_set_unref(&en->told);
    if (!en->is_static)
        drop(c, en);
}

void catalog_label(struct catalog *c, const char *service, const char *label)
{
    struct entry *en = catalog_entry(c, service);

    if (en && !en->label && !(en->label = strdup(label)))
        abort();
}

void catalog_show(struct catalog *c, const char *service, struct instance_set *s, uint64_t now_ns)
{
    struct entry *en = catalog_entry(c, service);

    if (!en || !en->watched) {
        instance_set_unref(&s);
        return;
    }
    en->answered_ns = now_ns;
    if (en->belief.said)
        forget_said(c, en);
    entry_tell(c, en, s, false, now_ns);
}

void catalog_refused(struct catalog *c, const char *service, uint64_t now_ns)
{
    struct entry *en = catalog_entry(c, service);

    if (en && en->answered_ns == 0)
        en->answered_ns = now_ns;
}

static void end_static(struct catalog *c, struct entry *en, uint64_t now_ns)
{
    en->is_static = false;
    if (en->watched || en->gone)
        publish(c, en, en->told ? instance_set_ref(en->told) : empty_set(en->name), now_ns);
    else
        drop(c, en);
}

static bool is_named(const struct discovery_static *services, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcasecmp(services[i].service, name) == 0)
            return true;
    return false;
}

void catalog_set_static(struct catalog *c, const struct discovery_static *services, size_t n,
                        uint64_t now_ns)
{
    for (size_t i = c->n; i-- > 0;)
        if (c->entries[i]->is_static && !is_named(services, n, c->entries[i]->name))
            end_static(c, c->entries[i], now_ns);
    for (size_t i = 0; i < n; i++) {
        struct entry *en = find_or_add(c, services[i].service);
        struct instance *items;
        struct instance_set *s = static_source_build(&services[i], en->name, &items);

        en->is_static = true;
        catalog_resolve_items(c, items, s->n);
        publish(c, en, s, now_ns);
    }
}

bool catalog_is_static(const struct catalog *c, const char *service)
{
    const struct entry *en = catalog_entry(c, service);

    return en && en->is_static;
}

bool catalog_has_instances(const struct catalog *c, const char *service)
{
    const struct entry *en = catalog_entry(c, service);

    return en && en->told && !en->gone && en->told->n > 0;
}

/* A copy with fresh addresses, or NULL when none changed. */
static struct instance_set *resolve_again(const struct catalog *c, const struct instance_set *s)
{
    struct instance_set *copy = NULL;
    struct instance *items = NULL;

    for (unsigned i = 0; i < s->n; i++) {
        const struct instance *old = &s->items[i];
        struct sockaddr_storage addr;
        socklen_t len;

        if (!c->lookup(c->lookup_arg, old->address, old->port, &addr, &len) ||
            (len == old->sockaddr_len && memcmp(&addr, &old->sockaddr, len) == 0))
            continue;
        if (!copy)
            copy = instance_set_copy(s, &items);
        items[i].sockaddr = addr;
        items[i].sockaddr_len = len;
    }
    return copy;
}

static void resolve_told(struct catalog *c, struct entry *en, uint64_t now_ns)
{
    bool as_said = en->belief.said == en->told;
    struct instance_set *s = resolve_again(c, en->told);

    if (s)
        entry_tell(c, en, s, en->gone, now_ns);
    if (!en->belief.said)
        return;
    if (as_said && s)
        belief_resolved(&en->belief, instance_set_ref(s));
    else if (!as_said && (s = resolve_again(c, en->belief.said)))
        belief_resolved(&en->belief, s);
}

void catalog_resolve(struct catalog *c, uint64_t now_ns)
{
    for (size_t i = 0; i < c->n; i++) {
        struct entry *en = c->entries[i];
        struct instance_set *s;

        if (en->told)
            resolve_told(c, en, now_ns);
        s = en->is_static ? resolve_again(c, en->set) : NULL;
        if (s)
            publish(c, en, s, now_ns);
    }
}

static void expire(struct catalog *c, uint64_t now_ns)
{
    c->due_ns = 0;
    for (size_t i = c->n; i-- > 0;) {
        struct entry *en = c->entries[i];
        uint64_t again = en->belief.judge_again_ns;

        if (again != 0 && again <= now_ns)
            entry_judge(c, en, now_ns);
        earliest(&c->due_ns, en->belief.judge_again_ns);
        if (!en->gone)
            continue;
        if (en->gone_until_ns <= now_ns)
            end_gone(c, en, now_ns);
        else
            earliest(&c->due_ns, en->gone_until_ns);
    }
}

uint64_t catalog_expire(struct catalog *c, uint64_t now_ns)
{
    uint64_t next = removals_flush(&c->removals, now_ns);

    if (c->due_ns != 0 && c->due_ns <= now_ns)
        expire(c, now_ns);
    earliest(&next, c->due_ns);
    return next;
}

uint64_t catalog_version(const struct catalog *c)
{
    return c->version;
}

size_t catalog_count(const struct catalog *c)
{
    return c->n;
}

struct instance_set *catalog_at(const struct catalog *c, size_t i)
{
    return c->entries[i]->set;
}

struct instance_set *catalog_find(const struct catalog *c, const char *service)
{
    const struct entry *en = catalog_entry(c, service);

    return en ? en->set : NULL;
}

bool catalog_all_heard(const struct catalog *c)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct entry *en = c->entries[i];

        if (en->watched && !en->is_static && en->answered_ns == 0)
            return false;
    }
    return true;
}
