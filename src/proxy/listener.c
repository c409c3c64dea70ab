/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/listener.h"
#include "base/log.h"
#include "proxy/conn.h"
#include "proxy/listener_settings.h"
#include "proxy/proxy_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BACKLOG = 4096, ACCEPTS_A_TURN = 64, PAUSE_MS = 100 };

static int sockaddr_of(const struct listener_conf *c, struct sockaddr_storage *ret,
                       socklen_t *ret_n)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

    memset(ret, 0, sizeof *ret);
    if (inet_pton(AF_INET, strcmp(c->host, "localhost") == 0 ? "127.0.0.1" : c->host,
                  &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(c->port);
        *ret_n = sizeof *v4;
        return 0;
    }
    if (inet_pton(AF_INET6, c->host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(c->port);
        *ret_n = sizeof *v6;
        return 0;
    }
    return -1;
}

int listener_open_socket(const struct listener_conf *c, struct err *e)
{
    struct sockaddr_storage addr;
    socklen_t n;
    int one = 1, zero = 0, fd;

    if (sockaddr_of(c, &addr, &n) < 0)
        return err_set(e, "listener %s: the host must be an IP address", c->address);
    fd = socket(addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_set(e, "listener %s: %s", c->address, strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    /* Accepted sockets inherit it: one call for the listener instead of one for each connection. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (addr.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    if (bind(fd, (struct sockaddr *)&addr, n) < 0 || listen(fd, BACKLOG) < 0) {
        err_set(e, "listener %s: %s", c->address, strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

void listener_post(struct worker *w, struct listener_order order)
{
    pthread_mutex_lock(&w->shared.lock);
    if (w->shared.norders == w->shared.cap_orders) {
        w->shared.cap_orders = w->shared.cap_orders ? 2 * w->shared.cap_orders : 8;
        w->shared.orders = realloc(w->shared.orders, w->shared.cap_orders * sizeof order);
        if (!w->shared.orders)
            abort();
    }
    w->shared.orders[w->shared.norders++] = order;
    pthread_mutex_unlock(&w->shared.lock);
    worker_post(w, WORKER_LISTENERS);
}

/* Out of descriptors or memory: accepting again at once would spin. Connections under way go on,
 * and the kernel keeps the new ones in its queue. */
static void pause_accepting(struct worker *w, int e)
{
    struct timeval pause = {0, PAUSE_MS * 1000};

    stat_add(&w->counters.accept_errors, 1);
    log_warn("proxy", "worker %u: accept: %s; pausing for %d ms", w->id, strerror(e), PAUSE_MS);
    list_each(node, &w->listeners) event_del(&CONTAINER_OF(node, struct worker_listener, node)->ev);
    event_add(&w->accept_pause, &pause);
}

/* False when there is nothing more to accept now. */
static bool accept_one(struct worker_listener *l)
{
    struct worker *w = l->w;
    struct sockaddr_storage peer;
    socklen_t n = sizeof peer;
    int fd = accept4(l->fd, (struct sockaddr *)&peer, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
            pause_accepting(w, errno);
        return errno == ECONNABORTED || errno == EINTR;
    }
    if (!proxy_may_accept(w->proxy, w->held->snapshot->config->limits.max_connections)) {
        stat_add(&w->counters.refused_connections, 1);
        close(fd);
        return true;
    }
    conn_new(w, fd, &peer, l->settings);
    return true;
}

static void on_accept(evutil_socket_t fd, short events, void *arg)
{
    struct worker_listener *l = arg;

    (void)fd;
    (void)events;
    worker_touch(l->w);
    for (int i = 0; i < ACCEPTS_A_TURN; i++)
        if (!accept_one(l))
            return;
}

static void listener_add(struct worker *w, const struct listener_order *o)
{
    struct worker_listener *l = calloc(1, sizeof *l);

    if (!l)
        abort();
    l->w = w;
    l->fd = o->fd;
    l->id = o->id;
    l->settings = o->settings;
    list_push_back(&w->listeners, &l->node);
    event_assign(&l->ev, w->base, o->fd, EV_READ | EV_PERSIST, on_accept, l);
    event_add(&l->ev, NULL);
}

static void listener_free(struct worker_listener *l)
{
    event_del(&l->ev);
    list_remove(&l->node);
    close(l->fd);
    listener_settings_unref(&l->settings);
    free(l);
}

static void listener_close(struct worker_listener *l)
{
    /* Connections that the kernel has completed would be reset with the socket: take them first. */
    for (int i = 0; i < BACKLOG && accept_one(l); i++)
        continue;
    listener_free(l);
}

/* A listener that is there already: other settings, or none any more. */
static void listener_change(struct worker *w, struct listener_order *o)
{
    list_each_safe(node, next, &w->listeners)
    {
        struct worker_listener *l = CONTAINER_OF(node, struct worker_listener, node);

        if (l->id != o->id)
            continue;
        if (!o->settings) {
            listener_close(l);
            return;
        }
        listener_settings_unref(&l->settings);
        l->settings = o->settings;
        return;
    }
    listener_settings_unref(&o->settings);
}

void listeners_update(struct worker *w)
{
    pthread_mutex_lock(&w->shared.lock);
    for (unsigned i = 0; i < w->shared.norders; i++) {
        struct listener_order *o = &w->shared.orders[i];

        if (o->fd >= 0)
            listener_add(w, o);
        else
            listener_change(w, o);
    }
    w->shared.norders = 0;
    pthread_mutex_unlock(&w->shared.lock);
}

void listeners_close(struct worker *w)
{
    list_each_safe(node, next, &w->listeners)
        listener_close(CONTAINER_OF(node, struct worker_listener, node));
}

void listeners_drop(struct worker *w)
{
    list_each_safe(node, next, &w->listeners)
        listener_free(CONTAINER_OF(node, struct worker_listener, node));
    for (unsigned i = 0; i < w->shared.norders; i++) {
        struct listener_order *o = &w->shared.orders[i];

        if (o->fd >= 0)
            close(o->fd);
        listener_settings_unref(&o->settings);
    }
    free(w->shared.orders);
    w->shared.orders = NULL;
    w->shared.norders = w->shared.cap_orders = 0;
}
