/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* access_certificate.h - who asks, by the client certificate of the connection: an access_auth_fn
 * for MECHANISM_CERTIFICATE.
 *
 * Absent: the connection has none that was verified. Refused: the policy means other ones. Wrong:
 * it has expired since the handshake. Claims: sub (the subject), issuer, san, fingerprint. */
#include "proxy/access_identity.h"

struct auth_answer access_certificate(struct exchange *x, const struct mechanism_conf *m);
