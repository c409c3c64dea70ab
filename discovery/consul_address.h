/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* consul_address.h - where an agent is: "http://127.0.0.1:8500", "https://consul:8501",
 * "unix:///run/consul.sock", or "host:port", which is plain HTTP. */
#include "base/err.h"
#include "base/macros.h"

#include <stdbool.h>

struct consul_address {
    char *text;       /* owned; as written, for people. Holds no secret */
    char *url;        /* owned; without a slash at the end */
    char *unix_path;  /* owned; NULL = by the URL */
    char *connect_to; /* owned; "host:port" to connect to instead of the URL's; NULL = the URL's */
    bool https;
};

/* `server_name`: the name that the certificate is for, when it is not that of the address; NULL =
 * none. It becomes the URL's host, and so the name in the handshake. On failure nothing is to be
 * released. */
int consul_address_init(struct consul_address *a, const char *text, const char *server_name,
                        struct err *e) MUST_CHECK;
void consul_address_release(struct consul_address *a);
