/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/certificates.h"
#include "admin/metrics.h"
#include "tls/client.h"
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

static void each_of_listener(const struct look *l, struct evbuffer *out, const char *name,
                             const struct proxy_listener *listener, write_fn *write)
{
    size_t n;
    struct tls_certificate *const *all = tls_server_certificates(listener->tls, &n);

    for (size_t i = 0; i < n; i++) {
        if ((write == write_stapled && !all[i]->ocsp_file) || came_before(all, i))
            continue;
        evbuffer_add_printf(out, "frontdesk_%s{listener=\"", name);
        metrics_label(out, listener->address);
        evbuffer_add_printf(out, "\",file=\"");
        metrics_label(out, all[i]->file);
        evbuffer_add_printf(out, "\"} ");
        write(all[i], l->wall_ms / 1000, out);
    }
}

static void each(const struct look *l, struct evbuffer *out, const char *name, write_fn *write)
{
    const struct proxy *p = l->sources->proxy;
    struct proxy_listener listener;

    for (unsigned i = 0; p && proxy_listener(p, i, &listener); i++)
        if (listener.tls)
            each_of_listener(l, out, name, &listener, write);
}

/* Those that services are shown; services with the same certificate may differ in other settings.
 */
static void clients_expiry(const struct look *l, struct evbuffer *out)
{
    const struct tls_clients *all =
        l->sources->registry ? registry_tls(l->sources->registry) : NULL;
    const struct tls_certificate *c;

    for (unsigned i = 0; all && (c = tls_clients_certificate(all, i)); i++) {
        bool told = false;

        for (unsigned k = 0; k < i && !told; k++)
            told = strcmp(tls_clients_certificate(all, k)->file, c->file) == 0;
        if (told)
            continue;
        evbuffer_add_printf(out, "frontdesk_certificate_expiry_seconds{file=\"");
        metrics_label(out, c->file);
        evbuffer_add_printf(out, "\"} ");
        write_expiry(c, l->wall_ms / 1000, out);
    }
}

void certificates_metrics(const struct look *l, struct evbuffer *out)
{
    handshakes(&l->workers.tls, out);
    begin(out, "certificate_expiry_seconds", "gauge",
          "Time until the certificate expires; below 0 it has.");
    each(l, out, "certificate_expiry_seconds", write_expiry);
    clients_expiry(l, out);
    begin(out, "certificate_stapled", "gauge",
          "1 while an OCSP response is stapled to the certificate, of those that have `ocsp`.");
    each(l, out, "certificate_stapled", write_stapled);
}
