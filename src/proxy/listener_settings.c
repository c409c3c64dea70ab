/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/listener_settings.h"
#include "tls/server.h"

#include <stdlib.h>

struct listener_settings *listener_settings_new(struct config *c, const struct listener_conf *conf,
                                                const struct listener_settings *before,
                                                struct err *e)
{
    struct listener_settings *s = calloc(1, sizeof *s);

    if (!s) {
        err_set(e, "listener %s: no memory", conf->address);
        return NULL;
    }
    s->refs = 1;
    s->config = config_ref(c);
    s->conf = conf;
    if (conf->tls.enabled) {
        s->tls = tls_server_new(conf->address, &conf->tls, before ? before->tls : NULL, e);
        if (!s->tls)
            listener_settings_unref(&s);
    }
    return s;
}

struct listener_settings *listener_settings_ref(struct listener_settings *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void listener_settings_unref(struct listener_settings **sp)
{
    struct listener_settings *s = *sp;

    *sp = NULL;
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) > 1)
        return;
    tls_server_unref(&s->tls);
    config_unref(&s->config);
    free(s);
}
