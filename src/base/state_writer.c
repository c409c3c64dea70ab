/* SPDX-License-Identifier: Apache-2.0 */
#include "base/state_writer.h"
#include "base/alloc.h"
#include "base/clock.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* What both threads know. The loop's side frees it, or the thread when that side did not wait. */
struct job {
    char *path;
    struct state_kind kind;
    int wake_fd;          /* eventfd; the thread tells the loop that it has something to say */
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t news;
    struct bytes waiting;
    bool has_waiting, writing;
    bool told;    /* the loop has taken the last result */
    bool failed;  /* the last result */
    bool leaving; /* the thread ends when nothing waits */
    bool left;    /* the loop's side is gone; the thread frees this */
    struct err error;
};

struct state_writer {
    struct job *job;
    struct event *wake; /* owned */
    state_written_fn *done;
    void *arg;
    pthread_t thread;
    bool started;
};

static void job_free(struct job *j)
{
    close(j->wake_fd);
    pthread_mutex_destroy(&j->lock);
    pthread_cond_destroy(&j->news);
    bytes_free(&j->waiting);
    free(j->path);
    free(j);
}

/* With the lock held, which is open while the disk works. */
static void write_waiting(struct job *j)
{
    struct bytes content = j->waiting;
    uint64_t one = 1;
    struct err e = {""};
    int r;

    j->waiting = (struct bytes){0};
    j->has_waiting = false;
    j->writing = true;
    pthread_mutex_unlock(&j->lock);
    r = state_file_write(j->path, &j->kind, bytes_str(&content), &e);
    bytes_free(&content);
    pthread_mutex_lock(&j->lock);
    j->writing = false;
    j->told = false;
    j->failed = r != 0;
    j->error = e;
    pthread_cond_broadcast(&j->news);
    /* Only full after 2^64 - 1 of these. */
    if (write(j->wake_fd, &one, sizeof one) < 0 && errno != EAGAIN)
        abort();
}

static void *run(void *arg)
{
    struct job *j = arg;
    bool left;

    pthread_mutex_lock(&j->lock);
    for (;;) {
        while (!j->has_waiting && !j->leaving)
            pthread_cond_wait(&j->news, &j->lock);
        if (!j->has_waiting || j->left)
            break;
        write_waiting(j);
    }
    left = j->left;
    pthread_mutex_unlock(&j->lock);
    if (left)
        job_free(j);
    return NULL;
}

/* Signals are the control thread's. */
static bool start_thread(struct state_writer *w)
{
    sigset_t all, old;

    if (w->started)
        return true;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    w->started = pthread_create(&w->thread, NULL, run, w->job) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return w->started;
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct state_writer *w = arg;
    struct job *j = w->job;
    uint64_t n;
    bool told, failed;
    struct err e;

    (void)what;
    if (read(fd, &n, sizeof n) < 0 && errno != EAGAIN)
        abort();
    pthread_mutex_lock(&j->lock);
    told = j->told;
    j->told = true;
    failed = j->failed;
    e = j->error;
    pthread_mutex_unlock(&j->lock);
    if (!told && w->done)
        w->done(w->arg, failed ? e.text : NULL);
}

struct state_writer *state_writer_new(struct event_base *base, const char *path,
                                      const struct state_kind *kind, state_written_fn *done,
                                      void *arg)
{
    struct state_writer *w = alloc_or_abort(sizeof *w);
    struct job *j = alloc_or_abort(sizeof *j);
    pthread_condattr_t monotonic;

    j->path = strdup(path);
    j->kind = *kind;
    j->told = true;
    j->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!j->path || j->wake_fd < 0)
        abort();
    pthread_mutex_init(&j->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&j->news, &monotonic);
    pthread_condattr_destroy(&monotonic);
    w->job = j;
    w->done = done;
    w->arg = arg;
    w->wake = event_new(base, j->wake_fd, EV_READ | EV_PERSIST, on_wake, w);
    if (!w->wake || event_add(w->wake, NULL) != 0)
        abort();
    return w;
}

void state_writer_put(struct state_writer *w, struct bytes *content)
{
    struct job *j = w->job;
    uint64_t one = 1;

    pthread_mutex_lock(&j->lock);
    bytes_free(&j->waiting);
    j->waiting = *content;
    j->has_waiting = true;
    *content = (struct bytes){0};
    if (!start_thread(w)) {
        j->has_waiting = false;
        j->told = false;
        j->failed = true;
        err_set(&j->error, "no thread to write it");
        if (write(j->wake_fd, &one, sizeof one) < 0 && errno != EAGAIN)
            abort();
    }
    pthread_cond_broadcast(&j->news);
    pthread_mutex_unlock(&j->lock);
}

bool state_writer_busy(const struct state_writer *w)
{
    struct job *j = w->job;
    bool busy;

    pthread_mutex_lock(&j->lock);
    busy = j->has_waiting || j->writing || !j->told;
    pthread_mutex_unlock(&j->lock);
    return busy;
}

/* With the lock held. False: the time is over. */
static bool wait_for_end(struct job *j, uint64_t wait_ms)
{
    uint64_t end_ns = clock_now_ns() + wait_ms * NS_PER_MS;
    struct timespec end = {(time_t)(end_ns / NS_PER_S), (long)(end_ns % NS_PER_S)};

    while (j->has_waiting || j->writing)
        if (pthread_cond_timedwait(&j->news, &j->lock, &end) == ETIMEDOUT)
            return !j->has_waiting && !j->writing;
    return true;
}

bool state_writer_free(struct state_writer *w, uint64_t wait_ms, struct err *e)
{
    struct job *j;
    bool in_time, ok;

    if (!w)
        return true;
    j = w->job;
    event_free(w->wake);
    pthread_mutex_lock(&j->lock);
    j->leaving = true;
    pthread_cond_broadcast(&j->news);
    in_time = wait_for_end(j, wait_ms);
    ok = in_time && !j->failed;
    if (!in_time)
        err_set(e, "not written within %llu ms", (unsigned long long)wait_ms);
    else if (!ok)
        *e = j->error;
    j->left = !in_time;
    pthread_mutex_unlock(&j->lock);
    if (!in_time) {
        pthread_detach(w->thread);
    } else {
        if (w->started)
            pthread_join(w->thread, NULL);
        job_free(j);
    }
    free(w);
    return ok;
}
