/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* peer_rules.h - is this one of the certificates that a policy means? Pure.
 *
 * A star never reaches past one part of a name, and what is escaped counts as one character: no
 * value of one attribute (`CN=a\,O=Shop`) can pass for several. In names and issuers a part ends
 * at `,` and `+`, in dns at `.`, in uri at `/`, in email at `@`; in addresses and everywhere else a
 * star is any text. */
#include "config/policies_conf.h"
#include "tls/peer.h"

bool tls_peer_fits(const struct tls_peer *p, const struct certificate_rules *rules);
