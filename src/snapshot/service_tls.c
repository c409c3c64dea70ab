/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/service_tls.h"
#include "base/alloc.h"
#include "base/hash.h"
#include "base/log.h"
#include "route/tags_protocol.h"
#include "tls/client.h"

static int check(struct registry *r, const struct service_conf *s, struct err *e)
{
    struct tls_client *t;
    struct err why;

    if (!s->tls.given)
        return 0;
    t = tls_clients_get(registry_tls(r), &s->tls, &why);
    if (!t)
        return err_set(e, "services: %s: tls: %s", s->name[0] ? s->name : "defaults", why.text);
    tls_client_unref(&t);
    return 0;
}

int service_tls_check(struct registry *r, const struct config *c, struct err *e)
{
    if (check(r, &c->defaults, e) < 0)
        return -1;
    for (size_t i = 0; i < c->nservices; i++)
        if (check(r, &c->services[i], e) < 0)
            return -1;
    return 0;
}

static uint64_t add_text(uint64_t h, const char *text)
{
    return hash_str(str_of(text ? text : ""), h);
}

static uint64_t signature_of(const struct service_conf *s, const struct transport *t)
{
    uint64_t h = hash_mix((uint64_t)t->http << 8 | (uint64_t)s->send_proxy_protocol << 4 |
                          (uint64_t)t->tls << 2 | (uint64_t)t->verify << 1 | s->tls.tls13);

    if (t->http == TRANSPORT_HTTP1 && !t->tls && s->send_proxy_protocol == SEND_PROXY_OFF)
        return 0;
    h = add_text(add_text(h, s->tls.ca), s->tls.server_name);
    return add_text(add_text(h, s->tls.cert), s->tls.key) | 1;
}

/* Kept connections lead to the address that a host name had then. */
static uint64_t with_address(uint64_t signature, const struct instance *i)
{
    return hash_bytes(&i->sockaddr, i->sockaddr_len, signature);
}

void service_tls_fill(struct registry *r, struct service_view *v)
{
    bool needed = false, skip;
    struct err e;

    v->transports = alloc_or_abort((v->n ? v->n : 1) * sizeof *v->transports);
    for (unsigned i = 0; i < v->n; i++) {
        enum catalog_protocol said = tags_protocol(&v->set->items[i], &v->config->consul, &skip);

        v->transports[i] = transport_of(v->conf, said, skip);
        v->transports[i].signature =
            with_address(signature_of(v->conf, &v->transports[i]), &v->set->items[i]);
        needed |= v->transports[i].tls;
    }
    if (!needed)
        return;
    v->tls = tls_clients_get(registry_tls(r), &v->conf->tls, &e);
    /* Its files were good when the configuration was checked. Requests will fail and say so. */
    if (!v->tls)
        log_error("tls", "service %s: %s", v->state->name, e.text);
}
