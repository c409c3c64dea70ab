/* SPDX-License-Identifier: Apache-2.0 */
#include "config/cidr.h"

#include <stdlib.h>
#include <string.h>

bool cidr_contains(const struct cidr *c, const struct in6_addr *address)
{
    unsigned whole = c->bits / 8, rest = c->bits % 8;
    unsigned char mask = (unsigned char)(0xff00 >> rest);

    return memcmp(address->s6_addr, c->addr, whole) == 0 &&
           (rest == 0 || ((address->s6_addr[whole] ^ c->addr[whole]) & mask) == 0);
}

/* A network before those that lie in it. */
static int by_address(const void *a, const void *b)
{
    const struct cidr *x = a, *y = b;
    int order = memcmp(x->addr, y->addr, sizeof x->addr);

    return order ? order : (x->bits > y->bits) - (x->bits < y->bits);
}

void cidr_list_prepare(struct cidr_list *list)
{
    size_t n = 0;

    if (list->n > 1)
        qsort(list->items, list->n, sizeof *list->items, by_address);
    for (size_t i = 0; i < list->n; i++) {
        struct in6_addr address;

        memcpy(&address, list->items[i].addr, sizeof address);
        if (n == 0 || !cidr_contains(&list->items[n - 1], &address))
            list->items[n++] = list->items[i];
    }
    list->n = n;
}

bool cidr_list_search(const struct cidr_list *list, const struct in6_addr *address)
{
    size_t low = 0, high = list->n;

    /* Networks do not overlap here: only the last one that begins at or before it can hold it. */
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (memcmp(list->items[middle].addr, address->s6_addr, 16) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && cidr_contains(&list->items[low - 1], address);
}

bool address_rules_keep_out(const struct address_rules *rules, const struct in6_addr *client)
{
    return cidr_list_has(&rules->deny, client) ||
           (rules->allow.n > 0 && !cidr_list_has(&rules->allow, client));
}
