/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* message.h - an HTTP request or response as the rest of the gateway sees it: no protocol version
 * specifics, nothing but slices into the buffer that the head was read into (borrowed: the buffer
 * must stay as long as the message). */
#include "base/reason.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { HTTP_MAX_HEADERS = 128 };

/* Fields that the gateway acts on are recognised while parsing; all others are HEADER_OTHER. */
enum header_id {
    HEADER_OTHER,
    HEADER_HOST,
    HEADER_CONNECTION,
    HEADER_CONTENT_LENGTH,
    HEADER_TRANSFER_ENCODING,
    HEADER_TE,
    HEADER_TRAILER,
    HEADER_UPGRADE,
    HEADER_KEEP_ALIVE,
    HEADER_PROXY_CONNECTION,
    HEADER_PROXY_AUTHENTICATE,
    HEADER_PROXY_AUTHORIZATION,
    HEADER_PROXY,
    HEADER_EXPECT,
    HEADER_AUTHORIZATION,
    HEADER_COOKIE,
    HEADER_FORWARDED,
    HEADER_X_FORWARDED_FOR,
    HEADER_X_FORWARDED_PROTO,
    HEADER_X_FORWARDED_HOST,
    HEADER_X_FORWARDED_PORT,
    HEADER_X_FORWARDED_PREFIX,
    HEADER_X_REAL_IP,
    HEADER_X_REQUEST_ID,
    HEADER_VIA,
    HEADER_DATE,
    HEADER_SERVER,
    HEADER_RETRY_AFTER,
    HEADER_ID_COUNT
};
enum header_id header_id(struct str name);

struct header {
    struct str name, value; /* value trimmed */
    uint8_t id;             /* enum header_id */
    bool hop; /* not to be forwarded: hop-by-hop (RFC 9110 section 7.6.1: fixed list or named in
                 Connection), a second Content-Length, or a twin of a known name with '_' */
};

enum method {
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_DELETE,
    METHOD_OPTIONS,
    METHOD_PATCH,
    METHOD_OTHER
};
/* RFC 9110 section 9.2.2. METHOD_OTHER is not. */
bool method_idempotent(enum method m);

/* How the body is delimited (RFC 9112 section 6.3). */
enum framing { FRAMING_NONE, FRAMING_LENGTH, FRAMING_CHUNKED, FRAMING_CLOSE };

struct request {
    enum method method;
    struct str method_name;
    struct str target; /* path and query in one piece, the path in its normal form; "*"; only
                          "http://host?query" stays as received */
    struct str host;   /* authority without userinfo, lower-cased in place, port kept; empty only
                          in HTTP/1.0 */
    struct str path;   /* normalised (uri.h): what is routed, authorised and forwarded */
    struct str query;  /* without '?'; untouched */
    bool has_query;    /* tells "/x?" from "/x" */
    unsigned minor;    /* HTTP/1.minor: 0 or 1 */
    bool keep_alive;   /* the client's wish */
    bool secure;       /* it came over TLS; set by whoever has it routed */
    bool expect_continue;
    bool te_trailers;
    bool upgrade_websocket; /* Connection: upgrade and Upgrade: websocket, GET, 1.1 */
    enum framing framing;
    uint64_t content_length;
    unsigned nheaders;
    struct header headers[HTTP_MAX_HEADERS];
};

struct response {
    unsigned status;
    unsigned minor;
    struct str reason_phrase;
    bool keep_alive;
    enum framing framing; /* of the body that follows, the request's method taken into account */
    uint64_t content_length;
    bool has_content_length; /* also when no body follows (HEAD, 304) */
    bool upgrade_websocket;  /* 101 with Upgrade: websocket */
    unsigned nheaders;
    struct header headers[HTTP_MAX_HEADERS];
};

/* First field with that id, or NULL. */
const struct header *request_header(const struct request *r, enum header_id id);
/* First field with that name (case-insensitive), or NULL. */
const struct header *request_header_named(const struct request *r, struct str name);
/* Value of a cookie in any Cookie field; false when there is none. */
bool request_cookie(const struct request *r, struct str name, struct str *ret_value);
/* Raw (undecoded) value of a query parameter; false when there is none. */
bool request_query(const struct request *r, struct str name, struct str *ret_value);
