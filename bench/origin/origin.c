/* SPDX-License-Identifier: Apache-2.0 */
/* origin.c - the service behind the gateways of bench/run: answers every GET with a body of fixed
 * length, as fast as one thread can, and keeps connections.
 *
 *   bench-origin PORT...       on 127.0.0.1, until it is ended
 *
 * 100 bytes, or as many as the path says: "/102400". It takes what a gateway sends, which is no
 * more than one request without a body at a time; anything else ends the connection. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256, HEAD_MAX = 8192, BODY_MAX = 16 << 20, SHORT_BODY = 100 };

struct connection {
    int fd;
    bool listens;
    size_t nin;
    char in[HEAD_MAX];
    char head[128];
    size_t nhead, nbody, sent; /* the answer under way; nhead = 0: none */
};

static char body[BODY_MAX];

static void fail(const char *what)
{
    fprintf(stderr, "bench-origin: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void watch(int epoll, int op, struct connection *c, unsigned events)
{
    struct epoll_event e = {.events = events, .data.ptr = c};

    if (epoll_ctl(epoll, op, c->fd, &e) < 0)
        fail("epoll_ctl");
}

static struct connection *connection_new(int epoll, int fd, bool listens)
{
    struct connection *c = calloc(1, sizeof *c);

    if (!c)
        fail("memory");
    c->fd = fd;
    c->listens = listens;
    watch(epoll, EPOLL_CTL_ADD, c, EPOLLIN);
    return c;
}

static void listen_on(int epoll, const char *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)atoi(port)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    if (fd < 0)
        fail("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 4096) < 0)
        fail(port);
    connection_new(epoll, fd, true);
}

static void accept_all(int epoll, const struct connection *listener)
{
    int fd;

    while ((fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK)) >= 0)
        connection_new(epoll, fd, false);
}

/* False when it is none that this server knows. */
static bool begin_answer(struct connection *c)
{
    unsigned long wanted;

    if (strncmp(c->in, "GET /", 5) != 0)
        return false;
    wanted = strtoul(c->in + 5, NULL, 10);
    if (wanted > BODY_MAX)
        return false;
    c->nbody = wanted ? wanted : SHORT_BODY;
    c->nhead = (size_t)snprintf(c->head, sizeof c->head,
                                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                                "Content-Length: %zu\r\n\r\n",
                                c->nbody);
    c->sent = 0;
    return true;
}

/* False when the connection is over. */
static bool go_on(int epoll, struct connection *c)
{
    while (c->sent < c->nhead + c->nbody) {
        size_t skip = c->sent < c->nhead ? c->sent : c->nhead;
        struct iovec parts[2] = {{c->head + skip, c->nhead - skip},
                                 {body, c->nbody - (c->sent - skip)}};
        struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2};
        ssize_t n = sendmsg(c->fd, &m, MSG_NOSIGNAL);

        if (n < 0 && errno == EAGAIN) {
            watch(epoll, EPOLL_CTL_MOD, c, EPOLLOUT);
            return true;
        }
        if (n < 0)
            return false;
        c->sent += (size_t)n;
    }
    c->nhead = 0;
    return true;
}

static bool read_request(int epoll, struct connection *c)
{
    ssize_t n = recv(c->fd, c->in + c->nin, sizeof c->in - 1 - c->nin, 0);

    if (n < 0)
        return errno == EAGAIN;
    if (n == 0)
        return false;
    c->nin += (size_t)n;
    c->in[c->nin] = '\0';
    if (c->nin < 4 || memcmp(c->in + c->nin - 4, "\r\n\r\n", 4) != 0)
        return c->nin < sizeof c->in - 1;
    c->nin = 0;
    return begin_answer(c) && go_on(epoll, c);
}

static bool finish_answer(int epoll, struct connection *c)
{
    if (!go_on(epoll, c))
        return false;
    if (c->nhead == 0)
        watch(epoll, EPOLL_CTL_MOD, c, EPOLLIN);
    return true;
}

static void serve(int epoll, struct connection *c)
{
    if (c->listens) {
        accept_all(epoll, c);
    } else if (!(c->nhead ? finish_answer(epoll, c) : read_request(epoll, c))) {
        close(c->fd);
        free(c);
    }
}

int main(int argc, char **argv)
{
    int epoll = epoll_create1(0);

    if (argc < 2 || epoll < 0) {
        fprintf(stderr, "usage: bench-origin PORT...\n");
        return 2;
    }
    memset(body, 'x', sizeof body);
    for (int i = 1; i < argc; i++)
        listen_on(epoll, argv[i]);
    for (;;) {
        struct epoll_event events[EVENTS];
        int n = epoll_wait(epoll, events, EVENTS, -1);

        for (int i = 0; i < n; i++)
            serve(epoll, events[i].data.ptr);
    }
}
