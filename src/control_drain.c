/* SPDX-License-Identifier: Apache-2.0 */
#include "control_drain.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "proxy/proxy.h"

#include <event2/event.h>

/* LEAVE_MS: Consul may be away; nobody waits for it longer than that. */
enum { POLL_MS = 20, LEAVE_MS = 2000 };

struct control_drain {
    struct proxy *proxy; /* borrowed */
    struct control_drain_ops ops;
    struct event *timer; /* owned */
    bool begun;
    uint64_t close_ns; /* 0 = the listeners are closed */
    uint64_t end_ns;
    uint64_t leave_until_ns; /* 0 = not leaving yet */
};

static bool requests_are_done(const struct control_drain *d, uint64_t now)
{
    struct proxy_counters n;

    proxy_counters(d->proxy, &n);
    if (n.connections > 0 && now < d->end_ns)
        return false;
    if (n.connections > 0)
        log_warn("control", "drain timeout: cutting off %llu connections",
                 (unsigned long long)n.connections);
    return true;
}

static void on_timer(evutil_socket_t fd, short events, void *arg)
{
    struct control_drain *d = arg;
    uint64_t now = clock_now_ns();

    (void)fd;
    (void)events;
    if (now < d->close_ns)
        return;
    if (d->close_ns) {
        d->close_ns = 0;
        proxy_drain(d->proxy);
    } else if (d->leave_until_ns == 0) {
        if (!requests_are_done(d, now))
            return;
        d->leave_until_ns = now + LEAVE_MS * NS_PER_MS;
        d->ops.leave(d->ops.arg);
    }
    if (d->leave_until_ns && (d->ops.left(d->ops.arg) || now >= d->leave_until_ns))
        d->ops.end(d->ops.arg);
}

struct control_drain *control_drain_new(struct event_base *base, struct proxy *proxy,
                                        const struct control_drain_ops *ops)
{
    struct control_drain *d = alloc_or_abort(sizeof *d);

    d->proxy = proxy;
    d->ops = *ops;
    d->timer = event_new(base, -1, EV_PERSIST, on_timer, d);
    if (!d->timer)
        abort();
    return d;
}

void control_drain_free(struct control_drain *d)
{
    if (!d)
        return;
    event_free(d->timer);
    free(d);
}

void control_drain_begin(struct control_drain *d, uint64_t delay_ms, uint64_t timeout_ms)
{
    struct timeval poll = {0, POLL_MS * 1000};

    if (d->begun) {
        d->ops.end(d->ops.arg);
        return;
    }
    d->begun = true;
    d->close_ns = clock_now_ns() + delay_ms * NS_PER_MS;
    d->end_ns = d->close_ns + timeout_ms * NS_PER_MS;
    event_add(d->timer, &poll);
}

bool control_drain_begun(const struct control_drain *d)
{
    return d && d->begun;
}
