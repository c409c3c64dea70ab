/* SPDX-License-Identifier: Apache-2.0 */
#include "http/proxy_protocol.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const unsigned char signature[12] = {'\r', '\n', '\r', '\n', 0,   '\r',
                                            '\n', 'Q',  'U',  'I',  'T', '\n'};
static const char word[6] = "PROXY ";

/* Bytes of version 2: version and command, family and protocol, length of what follows. */
enum { AT_COMMAND = 12, AT_FAMILY = 13, AT_LENGTH = 14 };
enum { COMMAND_LOCAL = 0, COMMAND_PROXY = 1 };
enum { FAMILY_UNSPEC = 0, FAMILY_INET = 1, FAMILY_INET6 = 2, FAMILY_UNIX = 3 };
enum { PROTOCOL_UNSPEC = 0, PROTOCOL_STREAM = 1, PROTOCOL_DGRAM = 2 };
enum { TLV_HEAD = 3, TLV_CRC32C = 3, CRC_BYTES = 4 };

static enum proxy_verdict bad(const char **ret_problem, const char *problem)
{
    *ret_problem = problem;
    return PROXY_BAD;
}

static void map_v4(struct in6_addr *ret, const void *v4)
{
    memset(ret, 0, sizeof *ret);
    ret->s6_addr[10] = ret->s6_addr[11] = 0xff;
    memcpy(ret->s6_addr + 12, v4, 4);
}

/* Cuts one field off a line whose fields are divided by exactly one space. */
static bool take_field(struct str *line, struct str *ret)
{
    const char *space = memchr(line->p, ' ', line->n);
    size_t n = space ? (size_t)(space - line->p) : line->n;

    *ret = (struct str){line->p, n};
    line->p += space ? n + 1 : n;
    line->n -= space ? n + 1 : n;
    return n > 0;
}

static bool read_address(struct str text, bool v6, struct in6_addr *ret)
{
    char z[INET6_ADDRSTRLEN];
    struct in_addr v4;

    if (text.n >= sizeof z)
        return false;
    memcpy(z, text.p, text.n);
    z[text.n] = '\0';
    if (v6)
        return inet_pton(AF_INET6, z, ret) == 1;
    if (inet_pton(AF_INET, z, &v4) != 1)
        return false;
    map_v4(ret, &v4);
    return true;
}

static bool read_port(struct str text, uint16_t *ret)
{
    uint64_t v;

    if (!str_to_u64(text, &v) || v > UINT16_MAX || (text.n > 1 && text.p[0] == '0'))
        return false;
    *ret = (uint16_t)v;
    return true;
}

/* "TCP4 192.0.2.1 192.0.2.2 50000 443", or "UNKNOWN" and anything. */
static const char *read_line(struct str line, struct proxy_addresses *a)
{
    struct str family, source, destination, source_port, destination_port;
    bool v6;

    if (!take_field(&line, &family))
        return "no protocol is named";
    if (str_eq(family, STR("UNKNOWN")))
        return NULL;
    v6 = str_eq(family, STR("TCP6"));
    if (!v6 && !str_eq(family, STR("TCP4")))
        return "the protocol is none of TCP4, TCP6 and UNKNOWN";
    if (!take_field(&line, &source) || !take_field(&line, &destination) ||
        !take_field(&line, &source_port))
        return "an address or a port is missing";
    destination_port = line;
    if (!read_address(source, v6, &a->source) || !read_address(destination, v6, &a->destination))
        return "an address is malformed";
    if (!read_port(source_port, &a->source_port) ||
        !read_port(destination_port, &a->destination_port))
        return "a port is malformed";
    a->known = true;
    return NULL;
}

static enum proxy_verdict read_v1(const char *p, size_t n, struct proxy_addresses *ret,
                                  size_t *ret_bytes, const char **ret_problem)
{
    struct proxy_addresses a = {.known = false};
    size_t at = sizeof word, cap = n < PROXY_V1_MAX ? n : PROXY_V1_MAX;
    const char *problem;

    while (at < cap && p[at] >= ' ' && p[at] <= '~')
        at++;
    if (at == PROXY_V1_MAX)
        return bad(ret_problem, "the line is too long");
    if (at < n && p[at] != '\r')
        return bad(ret_problem, "the line holds a byte that it cannot have");
    if (at + 1 >= n)
        return at < PROXY_V1_MAX - 1 ? PROXY_MORE : bad(ret_problem, "the line is too long");
    if (p[at + 1] != '\n' || at + 2 > PROXY_V1_MAX)
        return bad(ret_problem, "the line does not end in CR LF");
    problem = read_line((struct str){p + sizeof word, at - sizeof word}, &a);
    if (problem)
        return bad(ret_problem, problem);
    *ret = a;
    *ret_bytes = at + 2;
    return PROXY_DONE;
}

uint32_t proxy_protocol_crc32c(uint32_t crc, const void *p, size_t n)
{
    const unsigned char *at = p;

    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc ^= at[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0x82f63b78u & -(crc & 1));
    }
    return ~crc;
}

static unsigned get_u16(const unsigned char *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

/* The sum over the whole header in which its own four bytes count as zeros. */
static bool crc_is_right(const unsigned char *head, size_t n, size_t at)
{
    static const unsigned char zeros[CRC_BYTES];
    const unsigned char *p = head + at;
    uint32_t said = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    uint32_t crc = proxy_protocol_crc32c(0, head, at);

    crc = proxy_protocol_crc32c(crc, zeros, sizeof zeros);
    return proxy_protocol_crc32c(crc, p + CRC_BYTES, n - at - CRC_BYTES) == said;
}

/* What follows the addresses: each piece must lie within the header; only a checksum matters. */
static const char *check_tlvs(const unsigned char *head, size_t n, size_t at)
{
    bool seen = false;

    while (at < n) {
        size_t value = at + TLV_HEAD, length;

        if (value > n || (length = get_u16(head + at + 1)) > n - value)
            return "an additional field reaches over the end";
        if (head[at] == TLV_CRC32C) {
            if (length != CRC_BYTES || seen || !crc_is_right(head, n, value))
                return "the checksum is wrong";
            seen = true;
        }
        at = value + length;
    }
    return NULL;
}

/* Bytes of the addresses of a family; -1 = there is no such family or protocol. */
static int addresses_length(unsigned char family)
{
    static const int lengths[] = {
        [FAMILY_UNSPEC] = 0, [FAMILY_INET] = 12, [FAMILY_INET6] = 36, [FAMILY_UNIX] = 216};

    if (family >> 4 > FAMILY_UNIX || (family & 15) > PROTOCOL_DGRAM)
        return -1;
    return lengths[family >> 4];
}

static void take_addresses(const unsigned char *p, bool v6, struct proxy_addresses *a)
{
    size_t size = v6 ? 16 : 4;

    if (v6) {
        memcpy(&a->source, p, size);
        memcpy(&a->destination, p + size, size);
    } else {
        map_v4(&a->source, p);
        map_v4(&a->destination, p + size);
    }
    a->source_port = (uint16_t)get_u16(p + 2 * size);
    a->destination_port = (uint16_t)get_u16(p + 2 * size + 2);
    a->known = true;
}

/* A complete header whose command is PROXY. */
static const char *read_proxy(const unsigned char *head, size_t n, struct proxy_addresses *a)
{
    unsigned char family = head[AT_FAMILY];
    int length = addresses_length(family);

    if (length < 0)
        return "the address family or protocol does not exist";
    if (family >> 4 == FAMILY_UNSPEC)
        return NULL;
    if ((size_t)length > n - PROXY_V2_FIXED)
        return "the addresses are cut off";
    if ((family & 15) == PROTOCOL_STREAM && family >> 4 != FAMILY_UNIX)
        take_addresses(head + PROXY_V2_FIXED, family >> 4 == FAMILY_INET6, a);
    return check_tlvs(head, n, PROXY_V2_FIXED + (size_t)length);
}

static enum proxy_verdict read_v2(const unsigned char *p, size_t n, size_t max,
                                  struct proxy_addresses *ret, size_t *ret_bytes,
                                  const char **ret_problem)
{
    struct proxy_addresses a = {.known = false};
    const char *problem = NULL;
    size_t whole;

    if (n > AT_COMMAND && (p[AT_COMMAND] >> 4 != 2 || (p[AT_COMMAND] & 15) > COMMAND_PROXY))
        return bad(ret_problem, "the version or command does not exist");
    if (n < PROXY_V2_FIXED)
        return PROXY_MORE;
    whole = PROXY_V2_FIXED + get_u16(p + AT_LENGTH);
    if (whole > max)
        return bad(ret_problem, "the header is too long");
    if (n < whole)
        return PROXY_MORE;
    if ((p[AT_COMMAND] & 15) == COMMAND_PROXY)
        problem = read_proxy(p, whole, &a);
    if (problem)
        return bad(ret_problem, problem);
    *ret = a;
    *ret_bytes = whole;
    return PROXY_DONE;
}

/* Do these bytes begin as a header of this kind does? */
static bool begins(const void *p, size_t n, const void *with, size_t length)
{
    return memcmp(p, with, n < length ? n : length) == 0;
}

enum proxy_verdict proxy_protocol_read(const void *p, size_t n, unsigned versions, size_t max_v2,
                                       struct proxy_addresses *ret, size_t *ret_bytes,
                                       const char **ret_problem)
{
    if (n == 0)
        return PROXY_MORE;
    if ((versions & PROXY_VERSION_1) && begins(p, n, word, sizeof word))
        return n < sizeof word ? PROXY_MORE : read_v1(p, n, ret, ret_bytes, ret_problem);
    if ((versions & PROXY_VERSION_2) && begins(p, n, signature, sizeof signature))
        return n < sizeof signature ? PROXY_MORE
                                    : read_v2(p, n, max_v2, ret, ret_bytes, ret_problem);
    return bad(ret_problem, "no header of an accepted version");
}

static bool is_v4(const struct proxy_addresses *a)
{
    return IN6_IS_ADDR_V4MAPPED(&a->source) && IN6_IS_ADDR_V4MAPPED(&a->destination);
}

size_t proxy_protocol_write_v1(const struct proxy_addresses *a, char out[PROXY_V1_MAX + 1])
{
    char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];
    bool v4 = is_v4(a);
    int family = v4 ? AF_INET : AF_INET6;
    size_t skip = v4 ? 12 : 0;

    if (!a->known)
        return (size_t)snprintf(out, PROXY_V1_MAX + 1, "PROXY UNKNOWN\r\n");
    inet_ntop(family, a->source.s6_addr + skip, source, sizeof source);
    inet_ntop(family, a->destination.s6_addr + skip, destination, sizeof destination);
    return (size_t)snprintf(out, PROXY_V1_MAX + 1, "PROXY TCP%c %s %s %u %u\r\n", v4 ? '4' : '6',
                            source, destination, a->source_port, a->destination_port);
}

static char *put_u16(char *out, unsigned v)
{
    out[0] = (char)(v >> 8);
    out[1] = (char)v;
    return out + 2;
}

static char *put_bytes(char *out, const void *p, size_t n)
{
    memcpy(out, p, n);
    return out + n;
}

size_t proxy_protocol_write_v2(const struct proxy_addresses *a, char out[PROXY_V2_WRITTEN_MAX])
{
    bool v4 = is_v4(a);
    unsigned family = v4 ? FAMILY_INET : FAMILY_INET6;
    size_t skip = v4 ? 12 : 0, size = sizeof a->source - skip;
    char *at = put_bytes(out, signature, sizeof signature);

    if (!a->known)
        return (size_t)(put_bytes(at, "\x20\0\0\0", 4) - out);
    *at++ = 2 << 4 | COMMAND_PROXY;
    *at++ = (char)(family << 4 | PROTOCOL_STREAM);
    at = put_u16(at, (unsigned)(2 * size + 4));
    at = put_bytes(at, a->source.s6_addr + skip, size);
    at = put_bytes(at, a->destination.s6_addr + skip, size);
    at = put_u16(at, a->source_port);
    at = put_u16(at, a->destination_port);
    return (size_t)(at - out);
}
