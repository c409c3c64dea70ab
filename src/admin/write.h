/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* write.h - PUT: forces, restores, resets the breaker of a service or an instance. No sockets; who
 * may do this is judged before (admin.c). */
#include "admin/look.h"
#include "admin/pages.h"
#include "base/str.h"

struct write_request {
    const char *rest;         /* of the path behind PAGES_BREAKER, not decoded */
    const char *content_type; /* NULL = none */
    struct str body;
    const char *peer;      /* address, for the log */
    const char *cert_name; /* of a verified client certificate; "" = none: author by default */
};

/* Everything that changes is logged with author, reason and peer. */
void write_answer(const struct look *l, const struct write_request *q, struct page_answer *ret);

/* Is this the type of a JSON body? NULL = none. No HTML form can send it, and a script of another
 * origin not without a preflight that is refused here. */
bool write_is_json(const char *type);

/* May a browser page of this origin write? `origin` is the field; NULL = no browser, or an old one.
 * Only the endpoint's own page may. */
bool write_origin_allowed(const char *origin, const char *host, bool tls);
