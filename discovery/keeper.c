/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper.h"
#include "age.h"
#include "answers.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/state_writer.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

enum {
    ANSWERS_BYTES_MAX = 256 << 20, /* packed; a cluster of 50,000 instances takes some 10 MiB */
    WRITE_GAP_MS = 2000,           /* between a change and its write, */
    WRITE_BYTES_A_MS = 1 << 10,    /* and more for a larger file */
    WRITE_AGAIN_MS = 30000,        /* after a failure */
    TIMES_EVERY_MS = 600000,       /* when only the times changed */
    LAST_WRITE_MS = 3000,          /* the end of the process waits for so long */
};

static const struct state_kind kind = {"answers", 1, ANSWERS_BYTES_MAX + (1 << 16)};

struct keeper {
    struct event_base *base;     /* borrowed */
    struct answers *answers;     /* owned */
    struct state_writer *writer; /* owned; NULL until it was started */
    struct event *timer, *times; /* owned */
    char *path;                  /* owned */
    uint64_t due_ns;             /* of the timer; 0 = not set */
    bool changed, confirmed;     /* since the last write: bodies; only times */
    bool full;                   /* it was said that there is no room */
    int64_t recalled_ms, written_ms;
    char refused[512], error[256];
};

/* The next look at what is to be written, unless there is an earlier one. */
static void arm(struct keeper *k, uint64_t delay_ms)
{
    struct timeval tv = {(time_t)(delay_ms / 1000), (suseconds_t)(delay_ms % 1000) * 1000};
    uint64_t due_ns = clock_now_ns() + delay_ms * NS_PER_MS;

    if (!k->writer || (k->due_ns != 0 && k->due_ns <= due_ns))
        return;
    k->due_ns = due_ns;
    evtimer_add(k->timer, &tv);
}

static void note_change(struct keeper *k)
{
    k->changed = true;
    arm(k, WRITE_GAP_MS + answers_bytes(k->answers) / WRITE_BYTES_A_MS);
}

static void write_all(struct keeper *k)
{
    int64_t now_ms = clock_wall_ms();
    struct bytes content = {0};

    answers_prune(k->answers, now_ms);
    answers_write(k->answers, now_ms, &content);
    k->changed = k->confirmed = false;
    state_writer_put(k->writer, &content);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct keeper *k = arg;

    (void)fd;
    (void)what;
    k->due_ns = 0;
    if (state_writer_busy(k->writer))
        arm(k, WRITE_GAP_MS);
    else if (k->changed)
        write_all(k);
}

static void on_times(evutil_socket_t fd, short what, void *arg)
{
    struct keeper *k = arg;

    (void)fd;
    (void)what;
    if (k->writer && k->confirmed && !state_writer_busy(k->writer))
        write_all(k);
}

static void on_written(void *arg, const char *error)
{
    struct keeper *k = arg;
    bool was_failing = k->error[0] != '\0';

    snprintf(k->error, sizeof k->error, "%s", error ? error : "");
    if (error) {
        if (!was_failing)
            log_warn("discovery", "%s: %s; a restart would know an older catalog", k->path, error);
        k->changed = true;
        arm(k, WRITE_AGAIN_MS);
        return;
    }
    if (was_failing)
        log_info("discovery", "%s: written again", k->path);
    k->written_ms = clock_wall_ms();
}

/* `aside`: nobody can use it, so the next write shall not destroy what there is to look at. */
static void refuse(struct keeper *k, const char *why, bool aside)
{
    struct err e = {""};
    bool moved = aside && state_file_set_aside(k->path, &e) == 0;

    snprintf(k->refused, sizeof k->refused, "%s%s%s", why, moved ? "; moved aside to " : "",
             moved ? k->path : "");
    if (moved)
        snprintf(k->refused + strlen(k->refused), sizeof k->refused - strlen(k->refused),
                 ".damaged");
    log_warn("discovery", "%s is not used: %s", k->path, k->refused);
}

static void take_content(struct keeper *k, struct str content)
{
    struct err e = {""};
    char time[32], age[32];

    switch (answers_read(k->answers, content, &e)) {
    case ANSWERS_OTHER_ORIGIN:
        refuse(k, e.text, false);
        return;
    case ANSWERS_MALFORMED:
        refuse(k, e.text, true);
        return;
    case ANSWERS_READ:
        break;
    }
    k->recalled_ms = answers_newest_ms(k->answers);
    if (k->recalled_ms > 0)
        log_info("discovery", "%s: %zu answers of Consul, the newest of %s (%s ago)", k->path,
                 answers_count(k->answers), clock_format(k->recalled_ms, time),
                 age_text(clock_wall_ms() - k->recalled_ms, age, sizeof age));
}

static void read_file(struct keeper *k)
{
    struct bytes whole = {0};
    struct str content;
    struct err e = {""};
    enum state_result r = state_file_read(k->path, &kind, &whole, &content, &e);

    switch (r) {
    case STATE_READ:
        take_content(k, content);
        break;
    case STATE_MISSING:
        break;
    case STATE_UNREADABLE:
    case STATE_OTHER_VERSION:
        refuse(k, e.text, false);
        break;
    case STATE_TOO_LARGE:
    case STATE_NOT_OURS:
    case STATE_CUT_SHORT:
    case STATE_DAMAGED:
        refuse(k, e.text, true);
        break;
    }
    bytes_free(&whole);
}

struct keeper *keeper_new(struct event_base *base, const struct keeper_options *o)
{
    struct keeper *k = alloc_or_abort(sizeof *k);
    struct timeval every = {.tv_sec = TIMES_EVERY_MS / 1000};

    k->base = base;
    k->answers = answers_new(o->origin, ANSWERS_BYTES_MAX);
    k->timer = evtimer_new(base, on_timer, k);
    k->times = event_new(base, -1, EV_PERSIST, on_times, k);
    if (!k->timer || !k->times || asprintf(&k->path, "%s/catalog.answers", o->dir) < 0)
        abort();
    event_add(k->times, &every);
    if (o->recall)
        read_file(k);
    return k;
}

void keeper_start(struct keeper *k)
{
    if (!k || k->writer)
        return;
    k->writer = state_writer_new(k->base, k->path, &kind, on_written, k);
    if (k->changed)
        note_change(k);
}

void keeper_free(struct keeper *k)
{
    struct err e = {""};

    if (!k)
        return;
    if (k->writer && (k->changed || k->confirmed))
        write_all(k);
    if (!state_writer_free(k->writer, LAST_WRITE_MS, &e) && !k->error[0])
        log_warn("discovery", "%s: %s", k->path, e.text);
    answers_free(&k->answers);
    event_free(k->timer);
    event_free(k->times);
    free(k->path);
    free(k);
}

void keeper_use(struct keeper *k, const char *key)
{
    if (k)
        answers_use(k->answers, key);
}

void keeper_leave(struct keeper *k, const char *key)
{
    if (k)
        answers_leave(k->answers, key, clock_wall_ms());
}

bool keeper_recall(struct keeper *k, const char *key, struct bytes *ret, int64_t *ret_heard_ms)
{
    return k && answers_get(k->answers, key, ret, ret_heard_ms);
}

void keeper_believe(struct keeper *k, const char *key, struct str body)
{
    if (!k)
        return;
    if (!answers_put(k->answers, key, body, clock_wall_ms()) && !k->full) {
        log_warn("discovery", "%s: no room for more than %d MiB: a restart would not know %s",
                 k->path, ANSWERS_BYTES_MAX >> 20, key);
        k->full = true;
    }
    note_change(k);
}

void keeper_confirm(struct keeper *k, const char *key)
{
    if (!k)
        return;
    answers_confirm(k->answers, key, clock_wall_ms());
    k->confirmed = true;
}

void keeper_forget(struct keeper *k, const char *key)
{
    if (!k)
        return;
    answers_forget(k->answers, key);
    note_change(k);
}

void keeper_status(const struct keeper *k, struct keeper_status *ret)
{
    *ret = (struct keeper_status){0};
    if (!k)
        return;
    ret->file = k->path;
    ret->recalled_ms = k->recalled_ms;
    ret->written_ms = k->written_ms;
    ret->answers = answers_count(k->answers);
    ret->bytes = answers_bytes(k->answers);
    ret->refused = k->refused[0] ? k->refused : NULL;
    ret->error = k->error[0] ? k->error : NULL;
}
