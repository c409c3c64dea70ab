/* SPDX-License-Identifier: Apache-2.0 */
#include "name.h"
#include "base/macros.h"

#include <stdio.h>
#include <string.h>

enum { RETRY_FIRST_MS = 1000, RETRY_MAX_MS = 60000 };

static size_t size_of(int family)
{
    return family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
}

static bool holds(const struct name_answer *a, int family, const struct name *n)
{
    if (a->outcome != NAME_FOUND || n->family != family)
        return false;
    for (unsigned i = 0; i < a->n; i++)
        if (memcmp(&a->addresses[i], &n->address, size_of(family)) == 0)
            return true;
    return false;
}

static void use(struct name *n, int family, const struct name_answer *a)
{
    n->family = family;
    memset(&n->address, 0, sizeof n->address);
    memcpy(&n->address, &a->addresses[0], size_of(family));
}

/* The present address is of a family that nobody could say anything about. */
static bool is_unsure(const struct name *n, const struct name_answer *v4,
                      const struct name_answer *v6)
{
    return (n->family == AF_INET && v4->outcome == NAME_FAILED) ||
           (n->family == AF_INET6 && v6->outcome == NAME_FAILED);
}

static bool choose(struct name *n, const struct name_answer *v4, const struct name_answer *v6)
{
    if (holds(v4, AF_INET, n) || holds(v6, AF_INET6, n) || is_unsure(n, v4, v6))
        return false;
    if (v4->outcome == NAME_FOUND)
        use(n, AF_INET, v4);
    else
        use(n, AF_INET6, v6);
    return true;
}

static uint64_t ttl_ms(const struct name_answer *v4, const struct name_answer *v6,
                       const struct name_bounds *b)
{
    uint64_t ttl = UINT64_MAX;

    if (v4->outcome == NAME_FOUND)
        ttl = v4->ttl_ms;
    if (v6->outcome == NAME_FOUND && v6->ttl_ms < ttl)
        ttl = v6->ttl_ms;
    if (ttl < b->min_ttl_ms)
        return b->min_ttl_ms;
    return ttl > b->max_ttl_ms ? b->max_ttl_ms : ttl;
}

static void fail(struct name *n, const char *why, uint64_t now_ns, struct rng *rng)
{
    uint64_t delay = RETRY_FIRST_MS;

    for (unsigned i = 0; i < n->failures && delay < RETRY_MAX_MS; i++)
        delay *= 2;
    if (delay > RETRY_MAX_MS)
        delay = RETRY_MAX_MS;
    if (n->failures < UINT32_MAX)
        n->failures++;
    /* Names that failed together shall not go on doing so together. */
    delay = delay - delay / 4 + rng_below(rng, (uint32_t)(delay / 2 + 1));
    n->due_ns = now_ns + delay * NS_PER_MS;
    snprintf(n->why, sizeof n->why, "%s", why);
}

/* A failure says more than that there is nothing. */
static const char *why_of(const struct name_answer *v4, const struct name_answer *v6)
{
    return v4->outcome == NAME_FAILED || v6->outcome != NAME_FAILED ? v4->why : v6->why;
}

bool name_take(struct name *n, const struct name_answer *v4, const struct name_answer *v6,
               const struct name_bounds *b, uint64_t now_ns, struct rng *rng)
{
    bool pending = v4->outcome == NAME_PENDING || v6->outcome == NAME_PENDING;
    bool found = v4->outcome == NAME_FOUND || v6->outcome == NAME_FOUND;
    bool changed = false;

    if (found && (!pending || n->family == 0))
        changed = choose(n, v4, v6);
    if (pending)
        return changed;
    if (!found || is_unsure(n, v4, v6)) {
        fail(n, why_of(v4, v6), now_ns, rng);
        return changed;
    }
    n->failures = 0;
    n->why[0] = '\0';
    n->due_ns = now_ns + ttl_ms(v4, v6, b) * NS_PER_MS;
    return changed;
}

bool name_address(const struct name *n, uint16_t port, struct sockaddr_storage *ret_addr,
                  socklen_t *ret_len)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

    memset(ret_addr, 0, sizeof *ret_addr);
    if (n->family == 0)
        return false;
    if (n->family == AF_INET) {
        v4.sin_addr = n->address.v4;
        memcpy(ret_addr, &v4, sizeof v4);
        *ret_len = sizeof v4;
    } else {
        v6.sin6_addr = n->address.v6;
        memcpy(ret_addr, &v6, sizeof v6);
        *ret_len = sizeof v6;
    }
    return true;
}
