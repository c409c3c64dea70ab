/* SPDX-License-Identifier: Apache-2.0 */
#include "removals.h"
#include "base/log.h"
#include "base/macros.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct removals_node {
    UT_hash_handle hh;
    char *name; /* owned */
    unsigned instances;
};

const char *removal_why_word(enum removal_why why)
{
    static const char *const words[] = {"deregistered", "node_gone", "critical", "maintenance",
                                        "drained"};

    return words[why];
}

void removal_ring_release(struct removal_ring *r)
{
    for (unsigned i = 0; i < REMOVALS_KEPT; i++)
        free(r->kept[i]);
    memset(r, 0, sizeof *r);
}

const struct removal *removal_ring_at(const struct removal_ring *r, unsigned n)
{
    return n < r->n && n < REMOVALS_KEPT ? r->kept[(r->n - 1 - n) % REMOVALS_KEPT] : NULL;
}

void removals_release(struct removals *r)
{
    struct removals_node *n, *tmp;

    HASH_ITER(hh, r->nodes, n, tmp)
    {
        HASH_DEL(r->nodes, n);
        free(n->name);
        free(n);
    }
    for (unsigned i = 0; i < r->npending; i++)
        free(r->pending[i]);
    r->npending = 0;
}

static void count_node(struct removals *r, const char *name, int by)
{
    struct removals_node *n;

    HASH_FIND_STR(r->nodes, name, n);
    if (!n) {
        n = calloc(1, sizeof *n);
        if (!n || !(n->name = strdup(name)))
            abort();
        HASH_ADD_KEYPTR(hh, r->nodes, n->name, strlen(n->name), n);
    }
    n->instances += (unsigned)by;
    if (n->instances == 0) {
        HASH_DEL(r->nodes, n);
        free(n->name);
        free(n);
    }
}

void removals_count_nodes(struct removals *r, const struct instance_set *s, int by)
{
    for (unsigned i = 0; i < s->n; i++)
        count_node(r, s->items[i].node, by);
}

static const char *append(char **at, const char *text)
{
    const char *begin = *at;
    size_t n = strlen(text) + 1;

    memcpy(*at, text, n);
    *at += n;
    return begin;
}

static struct removal *make(const char *service, const struct instance *i,
                            const struct removal_facts *f, uint64_t now_ns)
{
    const char *check = f->why == REMOVAL_DEREGISTERED ? "" : i->check;
    size_t text =
        strlen(service) + strlen(i->node) + strlen(i->id) + strlen(i->address) + strlen(check) + 5;
    struct removal *x = malloc(sizeof *x + text);
    char *at = (char *)(x + 1);

    if (!x)
        abort();
    *x = (struct removal){.at_ns = now_ns,
                          .why = f->why,
                          .held_ms = f->held_ms,
                          .accepted = f->accepted,
                          .port = i->port};
    x->service = append(&at, service);
    x->node = append(&at, i->node);
    x->id = append(&at, i->id);
    x->address = append(&at, i->address);
    x->check = append(&at, check);
    return x;
}

static void turn_window(struct removals *r, uint64_t now_ns)
{
    unsigned sum = 0;

    if (r->window_ns != 0 && now_ns - r->window_ns < REMOVALS_WINDOW_MS * NS_PER_MS)
        return;
    for (int i = 0; i < REMOVAL_WHYS; i++)
        sum += r->untold[i];
    if (sum > 0)
        log_info("discovery",
                 "%u more instances are out: %u deregistered, %u critical, %u in maintenance, %u "
                 "drained",
                 sum, r->untold[REMOVAL_DEREGISTERED], r->untold[REMOVAL_CRITICAL],
                 r->untold[REMOVAL_MAINTENANCE], r->untold[REMOVAL_DRAINED]);
    memset(r->untold, 0, sizeof r->untold);
    r->lines = r->npending;
    r->window_ns = now_ns;
}

bool removals_may_log(struct removals *r, uint64_t now_ns)
{
    turn_window(r, now_ns);
    return r->lines++ < REMOVALS_LINES;
}

void removals_add(struct removals *r, struct removal_ring *ring, const char *service,
                  const struct instance *i, const struct removal_facts *f, uint64_t now_ns)
{
    struct removal **slot = &ring->kept[ring->n++ % REMOVALS_KEPT];

    free(*slot);
    *slot = make(service, i, f, now_ns);
    r->total[f->why]++;
    if (r->npending == REMOVALS_LINES || !removals_may_log(r, now_ns)) {
        r->untold[f->why]++;
        return;
    }
    if (r->npending == 0)
        r->pending_ns = now_ns;
    r->pending[r->npending++] = make(service, i, f, now_ns);
}

enum removal_why removals_why(const struct removals *r, const struct removal *x)
{
    struct removals_node *n;

    if (x->why != REMOVAL_DEREGISTERED)
        return x->why;
    HASH_FIND_STR(r->nodes, x->node, n);
    return n ? REMOVAL_DEREGISTERED : REMOVAL_NODE_GONE;
}

static void log_one(const struct removals *r, const struct removal *x)
{
    static const char *const texts[] = {"deregistered",
                                        "deregistered, and nothing known here is left on its node",
                                        "a check is critical", "maintenance", "its weight is 0"};
    bool six = strchr(x->address, ':') != NULL;
    char held[80] = "";

    if (x->held_ms)
        snprintf(held, sizeof held, " (%s after it was kept for %" PRIu64 ".%" PRIu64 " s)",
                 x->accepted ? "accepted by an operator" : "confirmed", x->held_ms / 1000,
                 x->held_ms % 1000 / 100);
    log_info("discovery", "service=%s: node=%s id=%s address=%s%s%s:%u is out: %s%s%s%s",
             x->service, x->node, x->id, six ? "[" : "", x->address, six ? "]" : "", x->port,
             texts[removals_why(r, x)], x->check[0] ? ": " : "", x->check, held);
}

uint64_t removals_flush(struct removals *r, uint64_t now_ns)
{
    uint64_t due = r->pending_ns + REMOVALS_DELAY_MS * NS_PER_MS;
    bool untold = false;

    if (r->npending > 0 && now_ns < due)
        return due;
    for (unsigned i = 0; i < r->npending; i++) {
        log_one(r, r->pending[i]);
        free(r->pending[i]);
    }
    r->npending = 0;
    turn_window(r, now_ns);
    for (int i = 0; i < REMOVAL_WHYS; i++)
        untold |= r->untold[i] > 0;
    return untold ? r->window_ns + REMOVALS_WINDOW_MS * NS_PER_MS : 0;
}
