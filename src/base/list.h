/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* list.h - intrusive doubly linked list. A node that is in no list points to itself. */
#include "base/macros.h"

#include <stdbool.h>

struct list {
    struct list *next, *prev; /* borrowed: members own themselves */
};

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_insert_after(struct list *at, struct list *node)
{
    node->prev = at;
    node->next = at->next;
    at->next->prev = node;
    at->next = node;
}

#define list_push_front(head, node) list_insert_after((head), (node))
#define list_push_back(head, node)  list_insert_after((head)->prev, (node))

/* Safe on a node that is in no list. */
static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* Removes and returns the first node, or NULL. */
static inline struct list *list_pop(struct list *head)
{
    struct list *node = head->next;

    if (node == head)
        return NULL;
    list_remove(node);
    return node;
}

/* Walks the whole list. */
static inline unsigned list_count(const struct list *head)
{
    unsigned n = 0;

    for (const struct list *it = head->next; it != head; it = it->next)
        n++;
    return n;
}

#define list_each(it, head) for (struct list *it = (head)->next; it != (head); it = it->next)
#define list_each_safe(it, tmp, head)                                                              \
    for (struct list *it = (head)->next, *tmp = it->next; it != (head); it = tmp, tmp = it->next)
