/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* cidr.h - is an address in a network, or in one of many? IPv4 counts as v4-mapped IPv6. */
#include "config/config.h"

#include <netinet/in.h>

bool cidr_contains(const struct cidr *c, const struct in6_addr *address);

/* Sorts the list and drops networks that lie in another one: what cidr_list_has() needs. */
void cidr_list_prepare(struct cidr_list *list);
/* A binary search. */
bool cidr_list_search(const struct cidr_list *list, const struct in6_addr *address);
/* Most lists are empty, and several are looked at for each request. */
static inline bool cidr_list_has(const struct cidr_list *list, const struct in6_addr *address)
{
    return list->n > 0 && cidr_list_search(list, address);
}
/* Do these rules refuse a client with that address? */
bool address_rules_keep_out(const struct address_rules *rules, const struct in6_addr *client);
