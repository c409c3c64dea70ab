/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/host_guard.h"
#include "base/str.h"

#include <arpa/inet.h>

/* ":port" with digits only, or nothing. */
static bool is_port_or_end(struct str s)
{
    uint64_t port;

    if (s.n == 0)
        return true;
    return s.p[0] == ':' && str_to_u64((struct str){s.p + 1, s.n - 1}, &port) && port <= 65535;
}

static bool is_literal(struct str host, int family)
{
    char buf[INET6_ADDRSTRLEN];
    unsigned char addr[16];

    if (host.n >= sizeof buf)
        return false;
    memcpy(buf, host.p, host.n);
    buf[host.n] = '\0';
    return inet_pton(family, buf, addr) == 1;
}

bool host_guard_allows(const char *host)
{
    struct str all = str_of(host), name = all, rest;
    const char *end;

    if (all.n == 0)
        return true;
    if (all.p[0] == '[') {
        end = memchr(all.p, ']', all.n);
        if (!end)
            return false;
        name = (struct str){all.p + 1, (size_t)(end - all.p) - 1};
        rest = (struct str){end + 1, all.n - name.n - 2};
        return is_port_or_end(rest) && is_literal(name, AF_INET6);
    }
    end = memchr(all.p, ':', all.n);
    if (end)
        name.n = (size_t)(end - all.p);
    rest = (struct str){all.p + name.n, all.n - name.n};
    return is_port_or_end(rest) && (str_ieq(name, STR("localhost")) || is_literal(name, AF_INET));
}
