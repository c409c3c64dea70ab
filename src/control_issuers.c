/* SPDX-License-Identifier: Apache-2.0 */
#include "control_issuers.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/fetch.h"
#include "base/log.h"
#include "base/rng.h"
#include "policy/key_file.h"
#include "policy/key_schedule.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { FILE_LOOK_MS = 2000 };

/* One issuer whose keys are looked after. */
struct keeper {
    struct control_issuers *all;    /* borrowed */
    const struct issuer_conf *conf; /* borrowed from the set in use */
    struct issuer *issuer;          /* ref */
    char *ca;                       /* owned; NULL = the system's */
    struct fetch *fetch;            /* owned; NULL = the keys are in a file */
    struct event *timer;            /* owned */
    struct key_schedule schedule;
    struct key_file_look look;
    struct str max_age; /* of the answer that is arriving; "" = it does not say */
    char max_age_text[24];
};

struct control_issuers {
    struct event_base *base; /* borrowed */
    struct fetcher *fetcher;
    struct issuers *issuers;
    struct issuer_set *set;  /* ref; NULL = none yet */
    struct keeper **keepers; /* [set->n]; owned */
    struct rng rng;
    struct event *wishes;    /* readable when a worker wants an issuer to be asked */
    int wish_fd;             /* eventfd; any thread may write */
    struct builder *builder; /* borrowed */
    struct proxy *proxy;     /* borrowed */
};

/* Any thread. */
static void on_wish(void *arg)
{
    struct control_issuers *c = arg;
    uint64_t one = 1;

    if (write(c->wish_fd, &one, sizeof one) < 0 && errno != EAGAIN)
        log_error("issuers", "cannot wake for a token: %s", strerror(errno));
}

static void arm(struct keeper *k)
{
    uint64_t ms = FILE_LOOK_MS;
    struct timeval tv;

    if (k->fetch)
        ms = key_schedule_wait_ms(&k->schedule, clock_now_ns());
    tv = (struct timeval){(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};
    event_add(k->timer, &tv);
}

static void take(struct keeper *k, struct keyset *keys)
{
    size_t n = keys->n, skipped = keys->skipped;
    const char *why = keys->skipped_why;

    if (!issuer_take(k->issuer, keys, clock_wall_ms()))
        return;
    log_info("issuers", "%s: %zu keys", k->issuer->name, n);
    if (skipped)
        log_warn("issuers", "%s: %zu keys of its set are left out, the first because of this: %s",
                 k->issuer->name, skipped, why);
}

static void fail(struct keeper *k, const char *why)
{
    bool has_keys = issuer_generation(k->issuer) != 0;

    if (issuer_fail(k->issuer, why))
        log_warn("issuers", "%s: %s; %s", k->issuer->name, why,
                 has_keys ? "the keys from before stay in use"
                          : "it has no keys, so its tokens cannot be checked (503)");
}

static void read_file(struct keeper *k)
{
    struct err e;
    struct keyset *keys = key_file_read(k->conf, &e);

    if (keys)
        take(k, keys);
    else
        fail(k, e.text);
}

static void on_header(void *arg, struct str name, struct str value)
{
    struct keeper *k = arg;
    struct str item, word = STR("max-age=");

    if (name.n == 0)
        k->max_age = STR("");
    if (!str_ieq(name, STR("cache-control")))
        return;
    while (str_next(&value, ',', &item)) {
        if (!str_istarts(item, word) || item.n - word.n >= sizeof k->max_age_text)
            continue;
        memcpy(k->max_age_text, item.p + word.n, item.n - word.n);
        k->max_age = (struct str){k->max_age_text, item.n - word.n};
    }
}

static const char *judge_answer(struct keeper *k, const struct fetch_answer *a, struct err *e)
{
    struct jwk_rules rules = {.algorithms = k->conf->algorithms};
    struct keyset *keys;

    if (a->error)
        return a->error;
    if (a->status != 200) {
        err_set(e, "its key set is answered with status %d", a->status);
        return e->text;
    }
    keys = keyset_from_jwks(a->body, &rules, e);
    if (!keys) {
        err_prefix(e, "its key set is not used");
        return e->text;
    }
    take(k, keys);
    return NULL;
}

static void on_answer(void *arg, const struct fetch_answer *a)
{
    struct keeper *k = arg;
    struct err e;
    const char *why = judge_answer(k, a, &e);
    uint64_t max_age_s = 0;

    if (why)
        fail(k, why);
    if (!str_to_u64(k->max_age, &max_age_s))
        max_age_s = 0;
    key_schedule_end(&k->schedule, &k->conf->keys, !why, max_age_s, rng_double(&k->all->rng),
                     clock_now_ns());
    /* Wishes for what has just been asked. */
    issuer_wished(k->issuer);
    issuer_allow_wishes(k->issuer, false);
    arm(k);
    proxy_keys_asked(k->all->proxy);
}

static void start_fetch(struct keeper *k)
{
    static const char *const headers[] = {"Accept: application/jwk-set+json, application/json",
                                          NULL};
    struct fetch_request q = {
        .url = k->conf->keys.jwks_url, .headers = headers, .deadline_ms = k->conf->keys.timeout_ms};

    key_schedule_begin(&k->schedule, &k->conf->keys, clock_now_ns());
    k->max_age = STR("");
    /* Whoever wishes now waits for this answer. */
    issuer_allow_wishes(k->issuer, true);
    fetch_start(k->fetch, &q);
}

/* What is due of a key set that is fetched. */
static void turn(struct keeper *k)
{
    uint64_t now = clock_now_ns();
    bool may_ask;

    if (fetch_busy(k->fetch))
        return;
    may_ask = key_schedule_may_ask(&k->schedule, now);
    if (may_ask)
        issuer_allow_wishes(k->issuer, true);
    if (key_schedule_due(&k->schedule, now) || (may_ask && issuer_wished(k->issuer)))
        start_fetch(k);
    else
        arm(k);
}

static void on_timer(evutil_socket_t fd, short events, void *arg)
{
    struct keeper *k = arg;

    (void)fd;
    (void)events;
    if (k->fetch) {
        turn(k);
        return;
    }
    if (key_file_changed(&k->conf->keys, &k->look))
        read_file(k);
    arm(k);
}

static void on_wishes(evutil_socket_t fd, short events, void *arg)
{
    struct control_issuers *c = arg;
    uint64_t count;

    (void)events;
    if (read(fd, &count, sizeof count) <= 0)
        return;
    for (size_t i = 0; i < c->set->n; i++)
        if (c->keepers[i]->fetch)
            turn(c->keepers[i]);
}

static struct fetch *new_fetch(struct keeper *k)
{
    struct fetch_options o = {
        .ca_file = k->ca, .max_body = KEYSET_JSON_MAX, .on_header = on_header};

    return fetch_new(k->all->fetcher, &o, on_answer, k);
}

static struct keeper *keeper_new(struct control_issuers *c, const struct issuer_entry *entry)
{
    struct keeper *k = alloc_or_abort(sizeof *k);

    k->all = c;
    k->conf = entry->conf;
    k->issuer = issuer_ref(entry->issuer);
    k->timer = event_new(c->base, -1, 0, on_timer, k);
    if (k->conf->keys.ca && !(k->ca = strdup(k->conf->keys.ca)))
        abort();
    if (k->conf->keys.jwks_url) {
        k->fetch = new_fetch(k);
        start_fetch(k);
    } else {
        key_file_changed(&k->conf->keys, &k->look);
        arm(k);
    }
    return k;
}

static void keeper_free(struct keeper *k)
{
    if (!k)
        return;
    /* Nobody looks after it any more: those who wait are not to wait for that. */
    issuer_allow_wishes(k->issuer, false);
    fetch_free(k->fetch);
    event_free(k->timer);
    issuer_unref(&k->issuer);
    free(k->ca);
    free(k);
}

/* The same issuer under another configuration. */
static void keeper_configure(struct keeper *k, const struct issuer_conf *conf)
{
    bool same_ca =
        k->ca && conf->keys.ca ? strcmp(k->ca, conf->keys.ca) == 0 : !k->ca && !conf->keys.ca;

    k->conf = conf;
    if (!k->fetch)
        return;
    if (!same_ca) {
        free(k->ca);
        k->ca = conf->keys.ca ? strdup(conf->keys.ca) : NULL;
        fetch_free(k->fetch);
        k->fetch = new_fetch(k);
    }
    if (!fetch_busy(k->fetch))
        start_fetch(k);
}

void control_issuers_free(struct control_issuers *c)
{
    if (!c)
        return;
    for (size_t i = 0; c->set && i < c->set->n; i++)
        keeper_free(c->keepers[i]);
    free(c->keepers);
    issuer_set_unref(&c->set);
    issuers_free(&c->issuers);
    fetcher_free(c->fetcher);
    event_free(c->wishes);
    if (c->wish_fd >= 0)
        close(c->wish_fd);
    free(c);
}

struct issuer_set *control_issuers_prepare(struct control_issuers *c, struct config *config,
                                           struct err *e)
{
    return issuers_prepare(c->issuers, config, e);
}

/* The keeper that looks after this issuer, taken out of those of before. */
static struct keeper *take_keeper(struct control_issuers *c, const struct issuer *i)
{
    for (size_t k = 0; c->set && k < c->set->n; k++) {
        struct keeper *found = c->keepers[k];

        if (found && found->issuer == i) {
            c->keepers[k] = NULL;
            return found;
        }
    }
    return NULL;
}

void control_issuers_use(struct control_issuers *c, struct issuer_set *set)
{
    struct keeper **keepers = alloc_or_abort((set->n + 1) * sizeof(struct keeper *));

    for (size_t i = 0; i < set->n; i++) {
        keepers[i] = take_keeper(c, set->at[i].issuer);
        if (keepers[i])
            keeper_configure(keepers[i], set->at[i].conf);
        else
            keepers[i] = keeper_new(c, &set->at[i]);
    }
    for (size_t i = 0; c->set && i < c->set->n; i++)
        keeper_free(c->keepers[i]);
    free(c->keepers);
    c->keepers = keepers;
    issuers_use(c->issuers, set);
    builder_use_issuers(c->builder, set);
    issuer_set_unref(&c->set);
    c->set = set;
    /* Most have no issuers, and then nothing of this costs anything. */
    if (set->n)
        event_add(c->wishes, NULL);
    else
        event_del(c->wishes);
}

struct control_issuers *control_issuers_new(struct event_base *base, struct builder *builder,
                                            struct proxy *proxy, struct config *config,
                                            struct err *e)
{
    struct control_issuers *c = alloc_or_abort(sizeof *c);
    struct issuer_set *set;

    c->base = base;
    c->builder = builder;
    c->proxy = proxy;
    c->rng.state = clock_now_ns() ^ (uint64_t)getpid() << 32;
    c->issuers = issuers_new(on_wish, c);
    c->fetcher = fetcher_new(base);
    c->wish_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (c->wish_fd < 0)
        err_set(e, "eventfd: %s", strerror(errno));
    c->wishes = event_new(base, c->wish_fd, EV_READ | EV_PERSIST, on_wishes, c);
    set = c->wish_fd < 0 ? NULL : control_issuers_prepare(c, config, e);
    if (set) {
        control_issuers_use(c, set);
        return c;
    }
    control_issuers_free(c);
    return NULL;
}
