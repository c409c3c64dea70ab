/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* doubt_part.h - what of Consul's word is not believed (yet), who left and why; and the order that
 * says that Consul is right. */
#include "admin/look.h"
#include "admin/service_row.h"
#include "admin/write.h"

struct evbuffer;

#define PAGES_ACCEPT "/v1/catalog/accept"

/* `held`, `damped`, `removals` of a service of /v1/services. */
void doubt_add_service(const struct look *l, const char *service,
                       const struct discovery_watch_status *w, json_t *doc);
/* The sums of all services, in the `consul` of /v1/status. */
void doubt_add_consul(const struct discovery_status *d, json_t *doc);
/* True while instances are held that Consul no longer lists. */
bool doubt_holds(const struct look *l, const char *service, struct discovery_watch_status *ret);
void doubt_metrics(const struct discovery_status *d, struct evbuffer *out);

/* PUT /v1/catalog/accept: {"service": NAME} or {"all": true}. No sockets; who may do this is judged
 * before (admin.c). */
void accept_answer(const struct look *l, const struct write_request *q, struct page_answer *ret);
