/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/sock_bio.h"

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>

static int bio_read(BIO *b, char *p, size_t cap, size_t *ret_n)
{
    struct sock *s = BIO_get_data(b);
    ssize_t n;

    BIO_clear_flags(b, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY | BIO_FLAGS_IN_EOF);
    if (s->drained) {
        BIO_set_retry_read(b);
        return 0;
    }
    do
        n = recv(s->fd, p, cap, 0);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        if ((size_t)n < cap && !s->hung_up)
            s->drained = s->unsure = true;
        *ret_n = (size_t)n;
        return 1;
    }
    if (n == 0) {
        BIO_set_flags(b, BIO_FLAGS_IN_EOF);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        s->drained = true;
        BIO_set_retry_read(b);
    }
    return 0;
}

static int bio_write(BIO *b, const char *p, size_t n, size_t *ret_n)
{
    struct sock *s = BIO_get_data(b);
    ssize_t sent;

    BIO_clear_retry_flags(b);
    do
        sent = send(s->fd, p, n, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0) {
        *ret_n = (size_t)sent;
        return 1;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        BIO_set_retry_write(b);
    return 0;
}

static long bio_ctrl(BIO *b, int command, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH: /* nothing is held back here */
        return 1;
    case BIO_CTRL_EOF:
        return BIO_test_flags(b, BIO_FLAGS_IN_EOF) != 0;
    default:
        return 0;
    }
}

static BIO_METHOD *method;

static void make_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");

    if (m && BIO_meth_set_read_ex(m, bio_read) == 1 && BIO_meth_set_write_ex(m, bio_write) == 1 &&
        BIO_meth_set_ctrl(m, bio_ctrl) == 1)
        method = m;
    else
        BIO_meth_free(m);
}

BIO *sock_bio_new(struct sock *s)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    BIO *b;

    pthread_once(&once, make_method);
    b = method ? BIO_new(method) : NULL;
    if (!b)
        return NULL;
    BIO_set_data(b, s);
    BIO_set_init(b, 1);
    return b;
}
