/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* name.h - the address of one host name, and when to ask again. Pure: what was answered, time and
 * random numbers are arguments.
 *
 * A name has one address at a time, and keeps it for as long as it is among the answers; else the
 * first IPv4 one, else the first IPv6 one. Both families are asked for, each answer with a time to
 * live; the shortest one counts, within bounds. When nobody can say (a server that fails, that does
 * not answer, that knows no such name) the address stays and is asked for again, each time later.
 */
#include "base/rng.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum name_outcome {
    NAME_PENDING,
    NAME_FOUND,
    NAME_NONE,   /* there is no such name, or it has no address of this family */
    NAME_FAILED, /* nobody could say */
};

enum { NAME_ADDRESSES_MAX = 64 };

/* What was said about one family. */
struct name_answer {
    enum name_outcome outcome;
    const char *why; /* borrowed; for people, unless it was found */
    uint64_t ttl_ms;
    unsigned n;
    union name_address {
        struct in_addr v4;
        struct in6_addr v6;
    } addresses[NAME_ADDRESSES_MAX];
};

struct name_bounds {
    uint64_t min_ttl_ms, max_ttl_ms;
};

struct name {
    int family; /* AF_INET, AF_INET6; 0 = no address is known */
    union name_address address;
    unsigned failures; /* in a row */
    uint64_t due_ns;   /* when to ask again */
    char why[96];      /* of the last failure; "" = the last answer was good */
};

/* Both answers, the one of the other family perhaps still NAME_PENDING: then only a name without an
 * address takes one. True when the address is another one now. */
bool name_take(struct name *n, const struct name_answer *v4, const struct name_answer *v6,
               const struct name_bounds *b, uint64_t now_ns, struct rng *rng);

/* The address with a port; false when none is known. */
bool name_address(const struct name *n, uint16_t port, struct sockaddr_storage *ret_addr,
                  socklen_t *ret_len);
