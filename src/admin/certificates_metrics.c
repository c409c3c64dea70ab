/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/certificates.h"
#include "admin/metrics.h"
#include "tls/server.h"

#include <event2/buffer.h>
#include <inttypes.h>
#include <string.h>

static void begin(struct evbuffer *out, const char *name, const char *type, const char *help)
{
    evbuffer_add_printf(out, "# HELP frontdesk_%s %s\n# TYPE frontdesk_%s %s\n", name, help, name,
                        type);
}

static void sample(struct evbuffer *out, const char *name, const char *key, const char *value,
                   uint64_t n)
{
    evbuffer_add_printf(out, "frontdesk_%s{%s=\"%s\"} %" PRIu64 "\n", name, key, value, n);
}

static void handshakes(const struct tls_counts *n, struct evbuffer *out)
{
    begin(out, "tls_handshakes_total", "counter",
          "TLS handshakes of clients, by what became of them; full and resumed ones were good.");
    for (int i = 0; i < TLS_RESULTS; i++)
        sample(out, "tls_handshakes_total", "result", tls_result_word((enum tls_result)i),
               n->results[i]);
    begin(out, "tls_versions_total", "counter", "Good handshakes, by version of TLS.");
    for (unsigned i = 0; i < TLS_VERSIONS; i++)
        sample(out, "tls_versions_total", "version", tls_version_word(i), n->versions[i]);
    begin(out, "tls_ciphers_total", "counter", "Good handshakes, by cipher suite.");
    for (unsigned i = 0; i < TLS_CIPHERS; i++)
        if (n->ciphers[i])
            sample(out, "tls_ciphers_total", "cipher", tls_cipher_word(i), n->ciphers[i]);
}

/* A file that a listener has twice is one series. */
static bool came_before(struct tls_certificate *const *all, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (memcmp(all[i]->fingerprint, all[at]->fingerprint, sizeof all[i]->fingerprint) == 0 &&
            strcmp(all[i]->file, all[at]->file) == 0)
            return true;
    return false;
}

typedef void write_fn(const struct tls_certificate *c, int64_t now_s, struct evbuffer *out);

static void write_expiry(const struct tls_certificate *c, int64_t now_s, struct evbuffer *out)
{
    evbuffer_add_printf(out, "%" PRId64 "\n", c->not_after_s - now_s);
}

static void write_stapled(const struct tls_certificate *c, int64_t now_s, struct evbuffer *out)
{
    evbuffer_add_printf(out, "%d\n", c->staple && ocsp_staple_is_fresh(c->staple, now_s));
}

static void each(const struct look *l, struct evbuffer *out, const char *name, bool with_ocsp,
                 write_fn *write)
{
    struct proxy_listener listener;

    for (unsigned i = 0; l->sources->proxy && proxy_listener(l->sources->proxy, i, &listener);
         i++) {
        size_t n = 0;
        struct tls_certificate *const *all =
            listener.tls ? tls_server_certificates(listener.tls, &n) : NULL;

        for (size_t k = 0; k < n; k++) {
            if ((with_ocsp && !all[k]->ocsp_file) || came_before(all, k))
                continue;
            evbuffer_add_printf(out, "frontdesk_%s{listener=\"", name);
            metrics_label(out, listener.address);
            evbuffer_add_printf(out, "\",file=\"");
            metrics_label(out, all[k]->file);
            evbuffer_add_printf(out, "\"} ");
            write(all[k], l->wall_ms / 1000, out);
        }
    }
}

void certificates_metrics(const struct look *l, struct evbuffer *out)
{
    handshakes(&l->workers.tls, out);
    begin(out, "certificate_expiry_seconds", "gauge",
          "Time until the certificate expires; below 0 it has.");
    each(l, out, "certificate_expiry_seconds", false, write_expiry);
    begin(out, "certificate_stapled", "gauge",
          "1 while an OCSP response is stapled to the certificate, of those that have `ocsp`.");
    each(l, out, "certificate_stapled", true, write_stapled);
}
