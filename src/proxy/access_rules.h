/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* access_rules.h - what is judged before anybody asks who sends a request: its client's address,
 * the page that it comes from, the type of its body, the length of its query. */
#include "proxy/exchange.h"

struct writer;

/* Is the client kept out by the rules for all routes or for its listener? Asked before it matters
 * whether there is a route, so that an outsider learns nothing of them. */
bool access_rules_keep_out(const struct exchange *x);
/* The rules of the route. V_NEXT, or V_FINISH: refused, or a preflight that is answered. */
enum verdict access_rules_check(struct exchange *x);
/* On every answer; and which fields of the service's answer they replace. */
void access_rules_write_response_fields(const struct exchange *x, struct writer *w);
bool access_rules_replace_response_field(const struct exchange *x, struct str name);
