/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/access_log.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PIPE_WAIT_MS = 500,
    PIECE_BYTES = 64 * 1024,
    LINE_MAX_BYTES = 16 * 1024,
    QUEUE_MAX_BYTES = 8 * 1024 * 1024
};

struct piece {
    struct piece *next;
    size_t n;
    unsigned lines;
    char data[PIECE_BYTES];
};

struct access_log {
    char *path; /* owned */
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows, up to `dropped` */
    pthread_cond_t ready;
    struct piece *first, *last;
    size_t queued_bytes;
    bool reopen, closing;
    _Atomic uint64_t dropped;
    int fd;        /* the writing thread's */
    bool is_pipe;  /* likewise */
    bool given_up; /* likewise */
    bool torn;     /* likewise: the file ends within a line */
};

struct access_log_buffer {
    struct access_log *log;
    struct piece *piece; /* owned; NULL = nothing yet */
    size_t line_start;
    bool overflow, first_member;
};

static int open_path(const char *path)
{
    struct stat st;

    if (strcmp(path, "stdout") == 0)
        return dup(STDOUT_FILENO);
    /* Opening a FIFO for writing waits for its reader; for both, Linux does not wait. */
    if (stat(path, &st) == 0 && S_ISFIFO(st.st_mode))
        return open(path, O_RDWR | O_CLOEXEC);
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

static bool is_pipe(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

/* False when the end has come and nobody reads the pipe: then what is left is given up. */
static bool wait_writable(struct access_log *l)
{
    struct pollfd p = {.fd = l->fd, .events = POLLOUT};

    for (bool closing = false; !l->given_up && poll(&p, 1, PIPE_WAIT_MS) == 0;) {
        l->given_up = closing;
        pthread_mutex_lock(&l->lock);
        closing = l->closing;
        pthread_mutex_unlock(&l->lock);
    }
    return !l->given_up;
}

/* Number of bytes written: less than n when the disk is full or the like. */
static size_t write_all(struct access_log *l, const char *data, size_t n)
{
    size_t done = 0;

    while (done < n && (!l->is_pipe || wait_writable(l))) {
        /* PIPE_BUF is what a pipe takes without blocking once it is writable. */
        size_t most = l->is_pipe && n - done > PIPE_BUF ? PIPE_BUF : n - done;
        ssize_t some = write(l->fd, data + done, most);

        if (some < 0 && errno == EINTR)
            continue;
        if (some <= 0)
            break;
        done += (size_t)some;
    }
    return done;
}

/* What could not be written is dropped. A line that broke off in the middle is ended before the
 * next one, so that it spoils no other. */
static void write_piece(struct access_log *l, const struct piece *p)
{
    size_t done = 0;
    uint64_t dropped = 0;

    if (l->torn)
        l->torn = write_all(l, "\n", 1) == 0;
    if (!l->torn)
        done = write_all(l, p->data, p->n);
    if (done > 0)
        l->torn = p->data[done - 1] != '\n';
    for (size_t i = done; i < p->n; i++)
        dropped += p->data[i] == '\n';
    atomic_fetch_add(&l->dropped, dropped);
}

static void reopen_now(struct access_log *l)
{
    int fd = open_path(l->path);

    if (fd < 0) {
        log_error("access_log", "%s: %s; going on with the old file", l->path, strerror(errno));
        return;
    }
    close(l->fd);
    l->fd = fd;
    l->is_pipe = is_pipe(fd);
    l->torn = false;
}

static void *write_loop(void *arg)
{
    struct access_log *l = arg;

    pthread_mutex_lock(&l->lock);
    for (;;) {
        struct piece *p;
        bool reopen = l->reopen;

        while (!l->first && !l->closing && !l->reopen)
            pthread_cond_wait(&l->ready, &l->lock);
        reopen = l->reopen;
        l->reopen = false;
        p = l->first;
        if (!p && l->closing)
            break;
        if (p) {
            l->first = p->next;
            l->last = l->first ? l->last : NULL;
            l->queued_bytes -= p->n;
        }
        pthread_mutex_unlock(&l->lock);
        if (reopen)
            reopen_now(l);
        if (p)
            write_piece(l, p);
        free(p);
        pthread_mutex_lock(&l->lock);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

struct access_log *access_log_open(const char *path, struct err *e)
{
    struct access_log *l = calloc(1, sizeof *l);

    if (!l || !(l->path = strdup(path)))
        abort();
    l->fd = open_path(path);
    if (l->fd < 0) {
        err_set(e, "access_log: %s: %s", path, strerror(errno));
        goto fail;
    }
    l->is_pipe = is_pipe(l->fd);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->ready, NULL);
    if (pthread_create(&l->thread, NULL, write_loop, l) != 0) {
        err_set(e, "access_log: no thread can be started");
        close(l->fd);
        goto fail;
    }
    return l;
fail:
    free(l->path);
    free(l);
    return NULL;
}

void access_log_reopen(struct access_log *l)
{
    pthread_mutex_lock(&l->lock);
    l->reopen = true;
    pthread_cond_signal(&l->ready);
    pthread_mutex_unlock(&l->lock);
}

void access_log_close(struct access_log *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->closing = true;
    pthread_cond_signal(&l->ready);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->thread, NULL);
    close(l->fd);
    pthread_cond_destroy(&l->ready);
    pthread_mutex_destroy(&l->lock);
    free(l->path);
    free(l);
}

uint64_t access_log_dropped(const struct access_log *l)
{
    return atomic_load_explicit(&l->dropped, memory_order_relaxed);
}

struct access_log_buffer *access_log_buffer_new(struct access_log *l)
{
    struct access_log_buffer *b = calloc(1, sizeof *b);

    if (!b)
        abort();
    b->log = l;
    return b;
}

void access_log_buffer_free(struct access_log_buffer *b)
{
    if (!b)
        return;
    access_log_flush(b);
    free(b->piece); /* one without lines */
    free(b);
}

void access_log_flush(struct access_log_buffer *b)
{
    struct access_log *l = b->log;
    struct piece *p = b->piece;

    if (!p || p->n == 0)
        return;
    b->piece = NULL;
    pthread_mutex_lock(&l->lock);
    if (l->queued_bytes + p->n > QUEUE_MAX_BYTES) {
        atomic_fetch_add(&l->dropped, p->lines);
    } else {
        p->next = NULL;
        if (l->last)
            l->last->next = p;
        else
            l->first = p;
        l->last = p;
        l->queued_bytes += p->n;
        p = NULL;
        pthread_cond_signal(&l->ready);
    }
    pthread_mutex_unlock(&l->lock);
    free(p);
}

static void put(struct access_log_buffer *b, const char *data, size_t n)
{
    if (b->overflow || !b->piece || b->piece->n + n > PIECE_BYTES) {
        b->overflow = true;
        return;
    }
    memcpy(b->piece->data + b->piece->n, data, n);
    b->piece->n += n;
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void put_one_escaped(struct access_log_buffer *b, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";

    if (c == '"' || c == '\\')
        put(b, (const char[]){'\\', (char)c}, 2);
    else
        put(b, (const char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
}

/* What needs no escape, which is nearly all, goes in by the run. */
static void put_escaped(struct access_log_buffer *b, struct str s)
{
    size_t from = 0;

    for (size_t i = 0; i < s.n; i++) {
        if (is_plain((unsigned char)s.p[i]))
            continue;
        put(b, s.p + from, i - from);
        put_one_escaped(b, (unsigned char)s.p[i]);
        from = i + 1;
    }
    if (from < s.n)
        put(b, s.p + from, s.n - from);
}

void log_line_begin(struct access_log_buffer *b)
{
    if (b->piece && b->piece->n + LINE_MAX_BYTES > PIECE_BYTES)
        access_log_flush(b);
    if (!b->piece) {
        b->piece = malloc(sizeof *b->piece);
        if (b->piece) {
            b->piece->n = 0;
            b->piece->lines = 0;
        }
    }
    b->line_start = b->piece ? b->piece->n : 0;
    b->overflow = false;
    b->first_member = true;
    put(b, "{", 1);
}

static void put_name(struct access_log_buffer *b, const char *name)
{
    put(b, b->first_member ? "\"" : ",\"", b->first_member ? 1 : 2);
    b->first_member = false;
    put(b, name, strlen(name));
    put(b, "\":", 2);
}

void log_line_str(struct access_log_buffer *b, const char *name, struct str value)
{
    /* An endless path must not push the rest of the line out. */
    const size_t longest = 2048;

    if (value.n > longest)
        value.n = longest;
    put_name(b, name);
    put(b, "\"", 1);
    put_escaped(b, value);
    put(b, "\"", 1);
}

/* At least so many digits. Not by printf(), which would cost as much as the rest of the line. */
static void put_digits(struct access_log_buffer *b, uint64_t v, unsigned least)
{
    char text[20];
    size_t at = sizeof text;

    do
        text[--at] = (char)('0' + v % 10);
    while ((v /= 10) || sizeof text - at < least);
    put(b, text + at, sizeof text - at);
}

void log_line_num(struct access_log_buffer *b, const char *name, int64_t value)
{
    put_name(b, name);
    if (value < 0)
        put(b, "-", 1);
    put_digits(b, value < 0 ? -(uint64_t)value : (uint64_t)value, 1);
}

void log_line_bool(struct access_log_buffer *b, const char *name, bool value)
{
    put_name(b, name);
    put(b, value ? "true" : "false", value ? 4 : 5);
}

void log_line_ms(struct access_log_buffer *b, const char *name, uint64_t ns)
{
    put_name(b, name);
    put_digits(b, ns / NS_PER_MS, 1);
    put(b, ".", 1);
    put_digits(b, ns % NS_PER_MS / 1000, 3);
}

void log_line_end(struct access_log_buffer *b)
{
    put(b, "}\n", 2);
    if (b->overflow) {
        atomic_fetch_add(&b->log->dropped, 1);
        if (b->piece)
            b->piece->n = b->line_start;
        return;
    }
    b->piece->lines++;
}
