/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* edge_conf.h - what is judged of a request before anybody asks who sends it: addresses, origins,
 * media types, sizes; and the security headers of answers. Read by networks.c, cors.c and edge.c.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cidr {
    unsigned char addr[16]; /* IPv4 as v4-mapped IPv6 */
    unsigned bits;          /* 0..128 */
};

struct cidr_list {
    struct cidr *items; /* sorted, none in another one (cidr.h) */
    size_t n;
};

/* Let in: who is in `allow`, or anybody when it is empty, but nobody who is in `deny`. */
struct address_rules {
    struct cidr_list allow, deny;
};

/* What pages of other origins may do (the CORS protocol of the Fetch standard). Lists end with
 * NULL; what they may hold and how it is compared is in http/cors.h. */
struct cors_conf {
    const char *name; /* NULL = written at its route */
    const char *const *origins;
    const char *const *methods;
    const char *const *headers;
    const char *allow_methods; /* the lists as they are sent; NULL = nothing to send */
    const char *expose_headers;
    bool any_origin; /* "*" is in the list, and so it is of all lists */
    bool any_method, any_header;
    bool credentials;
    bool private_network;
    bool reject_foreign;
    uint64_t max_age_ms;
};

/* Fields that are written to answers that lack them, and fields that are taken off. */
struct security_headers_conf {
    const struct header_conf *fields;
    size_t n;
    const char *const *remove; /* ends with NULL */
    bool override;             /* written in place of what the service says */
};

enum { PROXY_PROTOCOL_V1 = 1, PROXY_PROTOCOL_V2 = 2 };

/* A listener behind proxies that begin each connection with a PROXY protocol header. */
struct proxy_protocol_conf {
    unsigned versions;     /* PROXY_PROTOCOL_ bits */
    struct cidr_list from; /* who may; anybody else is not served here */
    size_t max_bytes;      /* of a header of version 2 */
};

/* What a route asks for of this. */
struct route_edge_conf {
    struct address_rules addresses;
    const struct cors_conf *cors;
    const char *cors_name;            /* a tag's: looked up when it is needed; NULL = none */
    const char *const *content_types; /* ends with NULL; NULL = any body */
    const char *accept;               /* the same, as sent with a refusal */
    size_t max_query;                 /* bytes; 0 = no limit */
    const struct security_headers_conf *security; /* NULL = those for all routes */
};
