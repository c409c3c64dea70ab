/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/sock_tls.h"
#include "proxy/sock_bio.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>

/* A record's worth: pieces are joined up to it, as each would become a record of its own. */
enum { RECORD_BYTES = 16 * 1024 };

/* OpenSSL's queue of errors belongs to the thread: what another connection left there is not ours.
 */
static void begin(void)
{
    ERR_clear_error();
    errno = 0;
}

static enum io outcome(struct sock *s, int r)
{
    switch (SSL_get_error(s->impl, r)) {
    case SSL_ERROR_NONE:
        return IO_OK;
    case SSL_ERROR_WANT_READ:
        s->readable = false;
        return IO_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        s->writable = false;
        return IO_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return IO_EOF;
    default:
        /* Without close_notify an end is none: what came may be cut short. */
        return IO_ERROR;
    }
}

static enum io tls_read(struct sock *s, void *p, size_t cap, size_t *ret_n)
{
    enum io io;

    if (!s->readable)
        return IO_AGAIN;
    begin();
    io = outcome(s, SSL_read_ex(s->impl, p, cap, ret_n));
    if (io == IO_OK && s->drained && !SSL_has_pending(s->impl))
        s->readable = false;
    return io;
}

/* The pieces as one, in `scratch` unless there is only one. */
static struct iovec join(const struct iovec *iov, int n, char scratch[RECORD_BYTES])
{
    struct iovec all = {scratch, 0};

    if (n == 1 || iov[0].iov_len >= RECORD_BYTES)
        return iov[0];
    for (int i = 0; i < n && all.iov_len < RECORD_BYTES; i++) {
        size_t room = RECORD_BYTES - all.iov_len;
        size_t take = iov[i].iov_len < room ? iov[i].iov_len : room;

        memcpy(scratch + all.iov_len, iov[i].iov_base, take);
        all.iov_len += take;
    }
    return all;
}

static enum io tls_write(struct sock *s, const struct iovec *iov, int n, size_t *ret_n)
{
    char scratch[RECORD_BYTES];
    struct iovec all = join(iov, n, scratch);
    enum io io;

    begin();
    io = outcome(s, SSL_write_ex(s->impl, all.iov_base, all.iov_len, ret_n));
    s->held = io == IO_AGAIN;
    return io;
}

static enum io tls_peek(struct sock *s)
{
    char byte;
    size_t n;

    begin();
    s->drained = false;
    return outcome(s, SSL_peek_ex(s->impl, &byte, 1, &n));
}

static void tls_finish(struct sock *s)
{
    begin();
    SSL_shutdown(s->impl);
}

static void tls_close(struct sock *s)
{
    /* An SSL that has failed must not be asked for a farewell. */
    begin();
    if (SSL_is_init_finished(s->impl))
        SSL_shutdown(s->impl);
    SSL_free(s->impl);
    s->impl = NULL;
    sock_close_fd(s);
}

static void tls_abort(struct sock *s)
{
    SSL_free(s->impl);
    s->impl = NULL;
    sock_abort_fd(s);
}

static const struct sock_ops tls_ops = {
    .read = tls_read,
    .write = tls_write,
    .peek = tls_peek,
    .finish = tls_finish,
    .close = tls_close,
    .abort = tls_abort,
};

int sock_tls_start(struct sock *s, SSL *ssl, bool server)
{
    BIO *bio = sock_bio_new(s);

    if (!bio) {
        SSL_free(ssl);
        return -1;
    }
    SSL_set_bio(ssl, bio, bio);
    SSL_set_read_ahead(ssl, 1);
    if (server)
        SSL_set_accept_state(ssl);
    else
        SSL_set_connect_state(ssl);
    s->impl = ssl;
    s->ops = &tls_ops;
    return 0;
}

enum io sock_tls_handshake(struct sock *s)
{
    begin();
    return outcome(s, SSL_do_handshake(s->impl));
}

SSL *sock_tls_ssl(struct sock *s)
{
    return s->ops == &tls_ops ? s->impl : NULL;
}

const char *sock_tls_error(struct sock *s)
{
    unsigned long code = ERR_peek_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;

    (void)s;
    if (text)
        return text;
    return errno ? strerror(errno) : "the connection ended during the handshake";
}
