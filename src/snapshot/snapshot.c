/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/snapshot.h"
#include "policy/credentials.h"
#include "policy/issuers.h"
#include "snapshot/service_view.h"

#include <stdlib.h>

struct snapshot *snapshot_ref(struct snapshot *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void snapshot_unref(struct snapshot **sp)
{
    struct snapshot *s = *sp;

    *sp = NULL;
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (uint32_t i = 0; i < s->nslots; i++)
        service_view_unref(&s->services[i]);
    route_table_unref(&s->routes);
    limit_set_unref(&s->limits);
    issuer_set_unref(&s->issuers);
    credential_set_unref(&s->credentials);
    config_unref(&s->config);
    free(s->services);
    free(s->forward_slots);
    free(s->introspection_slots);
    free(s);
}
