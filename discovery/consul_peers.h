/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* consul_peers.h - are two agents of the same cluster? Pure.
 *
 * Each can say which servers there are (/v1/status/peers, `["10.0.0.1:8300"]`). Servers come and
 * go, so one that both know is enough. */
#include "base/str.h"

enum consul_kin {
    CONSUL_KIN_UNKNOWN, /* `now` is no list of addresses with something in it */
    CONSUL_KIN_SAME,
    CONSUL_KIN_STRANGER /* not one in common */
};

/* `before` NULL: whatever `now` says is the same. */
enum consul_kin consul_peers_compare(const char *before, struct str now);
