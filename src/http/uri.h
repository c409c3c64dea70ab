/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* uri.h - one normal form of a path, made once, before routing and any policy, and forwarded as is
 * (RFC 3986 sections 5.2.4 and 6.2.2).
 *
 * Unreserved percent-encodings are decoded, the hex of the others is upper-cased, dot segments are
 * removed, repeated slashes merged. Refused: %00, malformed '%', encoded '/' or '\', raw '\', a
 * segment that climbs above the root, control and non-ASCII bytes, '#'. Never decodes twice. */
#include "base/macros.h"
#include "base/str.h"

/* Rewrites path (starts with '/') in place, never longer; false = refuse with 400. */
bool uri_normalise_path(char *path, size_t *n) MUST_CHECK;

/* uri-host [ ":" port ] (RFC 3986 section 3.2.2): reg-name, IPv4, bracketed IPv6; no userinfo,
 * port 0-65535 or empty. Lower-cases in place. */
bool uri_check_authority(char *authority, size_t n) MUST_CHECK;
/* Splits a checked authority; *ret_port 0 when there is none. */
void uri_split_authority(struct str authority, struct str *ret_host, uint16_t *ret_port);
