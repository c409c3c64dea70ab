/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/compensation.h"
#include "base/log.h"
#include "proxy/subrequest.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_UNDO = 16, MAX_ANSWER = 64 * 1024 };

struct compensation {
    struct list node; /* in w->compensations, once it goes */
    struct worker *w;
    struct {
        char part[64];
        struct subrequest *sub; /* owned */
    } undo[MAX_UNDO];
    unsigned n, at;
    bool over;
    char request_id[REQUEST_ID_MAX + 1];
    char texts[2][256]; /* not taken back; taken back */
    void (*done)(void *arg);
    void *arg;
};

struct compensation *compensation_new(struct worker *w)
{
    struct compensation *c = calloc(1, sizeof *c);

    if (c)
        c->w = w;
    return c;
}

static void note(struct compensation *c, bool taken_back)
{
    char name[sizeof c->undo[0].part], *text = c->texts[taken_back];
    size_t n = strlen(text);

    memcpy(name, c->undo[c->at].part, sizeof name);
    snprintf(text + n, sizeof c->texts[0] - n, "%s%s", n > 0 ? ", " : "", name);
}

static void next(struct compensation *c)
{
    if (c->at < c->n) {
        subrequest_go(c->undo[c->at].sub);
        return;
    }
    c->over = true;
    list_remove(&c->node);
    if (c->done)
        c->done(c->arg);
    else
        compensation_free(c);
}

static void on_done(void *arg, const struct subrequest_answer *a)
{
    struct compensation *c = arg;
    const char *part = c->undo[c->at].part;
    bool good = a->fail == REASON_NONE &&
                (a->head->status < 300 || a->head->status == 404 || a->head->status == 410);

    note(c, good);
    if (!good)
        log_error("aggregate", "request %s: %s could not be taken back: %s, status %u",
                  c->request_id, part, reason_info(a->fail)->word, a->head ? a->head->status : 0);
    subrequest_end(&c->undo[c->at].sub);
    c->at++;
    next(c);
}

bool compensation_add(struct compensation *c, struct exchange *x, const char *part, uint32_t slot,
                      struct str method, struct str path, struct str fields, struct str granted,
                      struct str body, uint64_t timeout_ms)
{
    struct subrequest_options o = {
        .slot = slot,
        .method = method,
        .path = path,
        .host = x->req.host,
        .fields = fields,
        .granted = granted,
        .body = body,
        .timeout_ms = timeout_ms,
        .max_answer = MAX_ANSWER,
        .detached = true,
        .held = true,
    };

    if (c->n == MAX_UNDO)
        return false;
    memcpy(c->request_id, x->request_id, sizeof c->request_id);
    snprintf(c->undo[c->n].part, sizeof c->undo[0].part, "%s", part);
    c->undo[c->n].sub = subrequest_start(x, &o, on_done, c);
    return c->undo[c->n].sub && ++c->n;
}

void compensation_go(struct compensation *c, void (*done)(void *arg), void *arg)
{
    c->done = done;
    c->arg = arg;
    list_push_back(&c->w->compensations, &c->node);
    next(c);
}

void compensation_leave(struct compensation *c)
{
    c->done = NULL;
}

bool compensation_over(const struct compensation *c)
{
    return c->over;
}

struct str compensation_undone(const struct compensation *c, bool taken_back)
{
    return str_of(c->texts[taken_back]);
}

void compensation_free(struct compensation *c)
{
    for (unsigned i = 0; i < c->n; i++)
        subrequest_end(&c->undo[i].sub);
    free(c);
}

void compensation_end_all(struct worker *w)
{
    while (!list_empty(&w->compensations)) {
        struct compensation *c = CONTAINER_OF(w->compensations.next, struct compensation, node);

        list_remove(&c->node);
        log_error("aggregate", "request %s: the gateway ends before all was taken back",
                  c->request_id);
        compensation_free(c);
    }
}
