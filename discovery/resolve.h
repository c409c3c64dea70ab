/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* resolve.h - host names of instances to addresses, without blocking.
 *
 * Literals need no DNS. A name is looked for in /etc/hosts, then asked for (A and AAAA) by
 * libevent's resolver, when first seen and whenever its time to live is over, for as long as
 * someone uses it; which address it has and when it is asked for again is in name.h. The servers
 * are those of the configuration, or of resolv.conf, which is read again when it has changed.
 *
 * Thread: control. */
#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct discovery_resolver;
struct event_base;
struct resolver;

/* Called in a later loop turn when any address changed, and every half minute: whoever needs
 * names calls resolver_get() for all of them; a name that is not asked for then is forgotten. */
typedef void resolver_changed_fn(void *arg);

/* Where the machine says whom it asks, and what it knows itself. Borrowed for the resolver's life.
 */
struct resolver_files {
    const char *resolv_conf, *hosts;
};
extern const struct resolver_files resolver_files_of_machine;

struct resolver *resolver_new(struct event_base *base, const struct resolver_files *files,
                              resolver_changed_fn *changed, void *arg) MUST_CHECK;
/* Look-ups in flight end in later loop turns without a call; their memory is freed then. Accepts
 * NULL. */
void resolver_free(struct resolver *r);
/* From now on with these settings; strings are copied. Different ones than before: every name is
 * asked for again. */
void resolver_configure(struct resolver *r, const struct discovery_resolver *o);

/* The address known for `host` now; false when there is none (yet). */
bool resolver_get(struct resolver *r, const char *host, uint16_t port,
                  struct sockaddr_storage *ret_addr, socklen_t *ret_len);
/* Why resolver_get() says false, or why a known address could not be confirmed; NULL = all is well,
 * or nobody uses the name. Borrowed until the next loop turn. */
const char *resolver_problem(const struct resolver *r, const char *host);
