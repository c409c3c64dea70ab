/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* proxy_protocol.h - the header of the PROXY protocol, versions 1 (text) and 2 (binary): who the
 * client of a connection is, as a proxy in front says it before the first byte of TLS or HTTP.
 *
 * Reading is strict and incremental: a header that can no longer become valid is refused with the
 * first wrong byte, and no byte behind it is looked at. Whether the sender may say such a thing is
 * for the caller to know. Pure functions. */
#include "base/macros.h"
#include "base/str.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PROXY_VERSION_1 = 1, /* bits of a set */
    PROXY_VERSION_2 = 2,
    PROXY_V1_MAX = 107, /* bytes of a whole header, line break included */
    PROXY_V2_FIXED = 16,
    PROXY_V2_WRITTEN_MAX = PROXY_V2_FIXED + 36
};

/* Both ends of the connection that the client made. IPv4 as v4-mapped. */
struct proxy_addresses {
    bool known; /* false: the header says nothing (LOCAL, UNKNOWN, another family) and the real
                   peer is the client */
    struct in6_addr source, destination;
    uint16_t source_port, destination_port;
};

enum proxy_verdict { PROXY_DONE, PROXY_MORE, PROXY_BAD };

/* What is there of a header in the n bytes at p.
 * PROXY_DONE: *ret and *ret_bytes, the length of the header. PROXY_BAD: *ret_problem is a phrase
 * for a log. `versions` is a set of PROXY_VERSION_ bits; a version 2 header longer than max_v2
 * bytes in all is refused. */
enum proxy_verdict proxy_protocol_read(const void *p, size_t n, unsigned versions, size_t max_v2,
                                       struct proxy_addresses *ret, size_t *ret_bytes,
                                       const char **ret_problem) MUST_CHECK;

/* The header for a connection with these ends, as a proxy sends it; UNKNOWN or LOCAL when they are
 * not known. Returns its length. */
size_t proxy_protocol_write_v1(const struct proxy_addresses *a, char out[PROXY_V1_MAX + 1]);
size_t proxy_protocol_write_v2(const struct proxy_addresses *a, char out[PROXY_V2_WRITTEN_MAX]);

/* CRC-32C (Castagnoli), for headers that carry one; begin with crc 0. */
uint32_t proxy_protocol_crc32c(uint32_t crc, const void *p, size_t n);
