/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* catalog.h - the present instance set of every service; where the sources meet.
 *
 * A service is in the catalog while it is static, while Consul is watched for it, or, emptied, for
 * keep_ms after Consul dropped its last instance. Such a service shows its last instances as
 * critical with weight 0: its routes, which come from their tags, then stay and answer 503 instead
 * of 404 during a restart. A static service hides one of the same name in Consul.
 *
 * No sockets and no clock in here: time and look-ups are arguments. Names are lower case. */
#include "base/instance.h"
#include "base/macros.h"
#include "belief.h"
#include "discovery.h"
#include "removals.h"

#include <stdbool.h>
#include <stdint.h>

struct catalog;

/* Address of a host now; false when unknown (yet). */
typedef bool catalog_lookup_fn(void *arg, const char *host, uint16_t port,
                               struct sockaddr_storage *ret_addr, socklen_t *ret_len);

struct catalog *catalog_new(uint64_t keep_ms, catalog_lookup_fn *lookup, void *arg) MUST_CHECK;
void catalog_free(struct catalog *c);

/* The service is watched from now on; its set is empty until the first answer. */
void catalog_watch(struct catalog *c, const char *service);
/* The watch ended. `vanished`: Consul dropped it, so keep it for a while; else it leaves at once.
 */
void catalog_unwatch(struct catalog *c, const char *service, bool vanished, uint64_t now_ns);
/* What the log calls it, when that is not the name. */
void catalog_label(struct catalog *c, const char *service, const char *label);
struct catalog_answer {
    struct arena *arena;    /* taken over; holds the items and their strings */
    struct instance *items; /* sorted, not resolved */
    unsigned n, skipped;
    bool complete;     /* it is the whole truth; otherwise, a view of the past or a part of it, it
                          may only add instances */
    uint64_t asked_ns; /* begin of the request, when it did not block; else 0 */
};
/* What Consul said. False when not all of it was believed (see belief.h): then it should be asked
 * again, at discovery_watch_status.believed_ns when that is set. Nothing happens for a service that
 * is not watched. */
bool catalog_put(struct catalog *c, const char *service, const struct catalog_answer *a,
                 uint64_t now_ns);

/* What is believed, and how soon. Default: every complete answer, at once. */
void catalog_protect(struct catalog *c, const struct belief_options *o);
/* An agent on this node ("" = not known yet, so it may be any) was restarted and is back: what it
 * says about its own instances is not believed until then. */
void catalog_agent_back(struct catalog *c, const char *node, uint64_t until_ns);
/* True while a loss is held for which the rights of the token are yet to be confirmed: look into
 * them, and tell. */
bool catalog_asks_rights(const struct catalog *c, const char *service);
void catalog_set_rights(struct catalog *c, const char *service, bool given, uint64_t now_ns);
/* An operator says that what Consul lists is true; NULL = of all services. Returns how many
 * instances were held. */
unsigned catalog_accept(struct catalog *c, const char *service, uint64_t now_ns);

/* What readers see of a watched service, decided elsewhere (a group shows one of its places). Takes
 * the reference over. */
void catalog_show(struct catalog *c, const char *service, struct instance_set *s, uint64_t now_ns);

/* Consul will never say anything about this service (it answers 400 to a name that it does not let
 * anyone ask for), so nobody may wait for it: it counts as heard. */
void catalog_refused(struct catalog *c, const char *service, uint64_t now_ns);

/* Replaces all static services. Later entries of the same name win. */
void catalog_set_static(struct catalog *c, const struct discovery_static *services, size_t n,
                        uint64_t now_ns);
bool catalog_is_static(const struct catalog *c, const char *service);

/* Consul lists instances of it, or they are held. */
bool catalog_has_instances(const struct catalog *c, const char *service);

/* Looks every host name up again. */
void catalog_resolve(struct catalog *c, uint64_t now_ns);

/* Drops what was kept long enough, believes what is due, writes the log lines that wait. Returns
 * when to call again, or 0. */
uint64_t catalog_expire(struct catalog *c, uint64_t now_ns);

/* Grows with every change that a reader could see. */
uint64_t catalog_version(const struct catalog *c);
size_t catalog_count(const struct catalog *c);
struct instance_set *catalog_at(const struct catalog *c, size_t i);
/* Any case. */
struct instance_set *catalog_find(const struct catalog *c, const char *service);
/* Fills what the catalog knows: all but index and failing. */
bool catalog_status(const struct catalog *c, const char *service,
                    struct discovery_watch_status *ret);
/* Adds up what is counted here: skipped, held, damped, holds, removals. */
void catalog_totals(const struct catalog *c, struct discovery_status *ret);
/* The newest removals of a service, newest first; their strings are borrowed until the next call
 * that changes something. Returns how many. */
unsigned catalog_removals(const struct catalog *c, const char *service,
                          struct discovery_removal *ret, unsigned max);
/* True when every watched service was heard, or is hidden by a static one. */
bool catalog_all_heard(const struct catalog *c);
