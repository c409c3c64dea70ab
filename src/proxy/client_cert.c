/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/client_cert.h"
#include "base/clock.h"
#include "proxy/head.h"
#include "tls/peer.h"

void client_cert_write(const struct exchange *x, struct writer *w)
{
    enum forward_certificate what = x->match.route->conf->forward_client_certificate;
    struct tls_peer *p = x->conn->tls_peer;
    const char *text;

    if (what == FORWARD_CERTIFICATE_NONE || !p || tls_peer_expired(p, clock_wall_ms() / 1000))
        return;
    text = tls_peer_field(p);
    if (!text)
        return;
    writer_field(w, STR("Client-Cert"), str_of(text));
    if (what == FORWARD_CERTIFICATE_CHAIN && (text = tls_peer_chain_field(p)))
        writer_field(w, STR("Client-Cert-Chain"), str_of(text));
}
