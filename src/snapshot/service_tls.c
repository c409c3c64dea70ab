/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/service_tls.h"
#include "base/alloc.h"
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

void service_tls_fill(struct registry *r, struct service_view *v)
{
    bool needed = false, skip;
    struct err e;

    v->transports = alloc_or_abort((v->n ? v->n : 1) * sizeof *v->transports);
    for (unsigned i = 0; i < v->n; i++) {
        enum catalog_protocol said = tags_protocol(&v->set->items[i], &v->config->consul, &skip);

        v->transports[i] = transport_of(v->conf, said, skip);
        needed |= v->transports[i].tls;
    }
    if (!needed)
        return;
    v->tls = tls_clients_get(registry_tls(r), &v->conf->tls, &e);
    /* Its files were good when the configuration was checked. Requests will fail and say so. */
    if (!v->tls)
        log_error("tls", "service %s: %s", v->state->name, e.text);
}
