/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* events.h - GET /v1/events: server-sent events to those who watch (a dashboard, a terminal).
 *
 *   hello, transitions missed, services (all, in parts) | then each second: services (changed),
 *   status, fleet (when changed) | at once: transition, and the row of its service
 *
 * Everything is made once and shared by all listeners; nothing is done while nobody listens. A
 * listener that does not read is dropped before it costs more than EVENTS_MAX_UNREAD bytes. When
 * the gateway drains, streams end and new ones are refused. Thread: control. */
#include "admin/admin.h"
#include "admin/pages.h"

enum { EVENTS_MAX_LISTENERS = 32, EVENTS_MAX_UNREAD = 4 << 20 };

struct events;
struct evhttp_request;

struct events *events_new(struct event_base *base, struct admin_sources *s);
/* After the evhttp that its listeners came from. */
void events_free(struct events *e);

/* Takes over the request, or gives false and a refusal. `service` NULL = transitions of all;
 * `after` NULL = no transition from before; else the Last-Event-ID. The caller has set the header
 * fields that every answer has. */
bool events_open(struct events *e, struct evhttp_request *req, const char *service,
                 const char *after, bool writable, struct page_answer *a);
/* Passes new transitions on. */
void events_wake(struct events *e);
