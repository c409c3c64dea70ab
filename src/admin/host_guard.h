/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* host_guard.h - refuses what a DNS-rebinding attack must send: a Host that is somebody's domain.
 *
 * A web page at evil.example can point its own name at 127.0.0.1 and then read "its own" origin,
 * but its browser still says Host: evil.example. An IP literal or localhost cannot be rebound. */
#include <stdbool.h>

/* `host` as in the Host field, with or without a port; NULL or "" = there is none. */
bool host_guard_allows(const char *host);
