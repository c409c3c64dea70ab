/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* host.h - what may stand in a catalog as the address of an instance.
 *
 * Consul registers any text ("not a host!", port 70000) without complaint, so every address is
 * judged here before an instance is believed. */
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* IPv4 or IPv6 (without brackets) in text -> socket address; false when it is not a literal. */
bool host_literal(const char *host, uint16_t port, struct sockaddr_storage *ret_addr,
                  socklen_t *ret_len);

/* A literal other than the unspecified address, or a plausible host name: 1 to 253 of
 * [A-Za-z0-9._-], beginning with a letter or a digit, and not a malformed IPv4 address. */
bool host_valid(const char *host);
