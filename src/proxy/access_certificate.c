/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/access_certificate.h"
#include "base/clock.h"
#include "policy/identity.h"
#include "tls/peer_rules.h"

static json_t *claims_of(const struct tls_peer *p)
{
    json_t *sans = json_array();

    for (size_t i = 0; i < p->nsans; i++)
        json_array_append_new(sans, json_string(p->sans[i]));
    return json_pack("{s:s,s:s,s:o,s:s}", "sub", p->subject, "issuer", p->issuer, "san", sans,
                     "fingerprint", p->fingerprint);
}

struct auth_answer access_certificate(struct exchange *x, const struct mechanism_conf *m)
{
    const struct tls_peer *p = x->conn->tls_peer;
    struct identity *identity;

    if (!p)
        return (struct auth_answer){.outcome = AUTH_ABSENT};
    if (tls_peer_expired(p, clock_wall_ms() / 1000))
        return (struct auth_answer){.outcome = AUTH_WRONG,
                                    .detail = "the client certificate has expired"};
    if (!tls_peer_fits(p, &m->cert))
        return (struct auth_answer){.outcome = AUTH_REFUSED,
                                    .detail = "the client certificate is not one that may ask"};
    identity = identity_new(IDENTITY_CERTIFICATE, m->name, claims_of(p), (uint64_t)p->not_after_s);
    return access_identity_known(x, identity);
}
