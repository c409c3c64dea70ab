/* SPDX-License-Identifier: Apache-2.0 */
#include "host.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

bool host_literal(const char *host, uint16_t port, struct sockaddr_storage *ret_addr,
                  socklen_t *ret_len)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

    memset(ret_addr, 0, sizeof *ret_addr);
    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
        memcpy(ret_addr, &v4, sizeof v4);
        *ret_len = sizeof v4;
        return true;
    }
    if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1) {
        memcpy(ret_addr, &v6, sizeof v6);
        *ret_len = sizeof v6;
        return true;
    }
    return false;
}

static bool is_unspecified(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (inet_pton(AF_INET, host, &v4) == 1)
        return v4.s_addr == 0;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_UNSPECIFIED(&v6);
}

static bool is_host_name(const char *host)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789-.";
    size_t n = strlen(host);

    if (n == 0 || n > 253 || strspn(host, allowed) != n || host[0] == '-' || host[0] == '.')
        return false;
    /* Digits and dots alone are an IPv4 address that did not parse. */
    return strpbrk(host, letters) != NULL;
}

bool host_valid(const char *host)
{
    struct sockaddr_storage addr;
    socklen_t len;

    if (host_literal(host, 0, &addr, &len))
        return !is_unspecified(host);
    return is_host_name(host);
}
