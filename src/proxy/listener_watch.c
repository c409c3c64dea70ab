/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/listener_watch.h"
#include "base/log.h"
#include "tls/server.h"

#include <stdio.h>
#include <string.h>

/* Files that could not be used and have not changed since are tried again after so many looks: one
 * of the system's clock may be too coarse to tell two writes apart. */
enum { LOOKS_TO_RETRY = 15, DAY_S = 24 * 3600 };

static bool is_worth_a_try(struct listener_watch *w, uint64_t look)
{
    if (look != w->refused_look) {
        w->looks = 0;
        return true;
    }
    return ++w->looks % LOOKS_TO_RETRY == 0;
}

/* Says each problem once. */
static void refused(struct listener_watch *w, uint64_t look, const char *why)
{
    w->refused_look = look;
    if (strncmp(w->problem, why, sizeof w->problem - 1) == 0)
        return;
    snprintf(w->problem, sizeof w->problem, "%.*s", (int)sizeof w->problem - 1, why);
    log_error("tls", "%s; the files from before stay in use", w->problem);
}

struct listener_settings *listener_watch_look(struct listener_watch *w, struct listener_settings *s)
{
    struct listener_settings *next;
    uint64_t look = tls_files_look(&s->conf->tls);
    struct err e;

    if (look == tls_server_files_look(s->tls)) {
        w->refused_look = 0;
        w->problem[0] = '\0';
        return NULL;
    }
    if (!is_worth_a_try(w, look))
        return NULL;
    next = listener_settings_new(s->config, s->conf, s, &e);
    if (!next) {
        refused(w, look, e.text);
        return NULL;
    }
    memset(w, 0, sizeof *w);
    log_info("tls", "listener %s: files have changed and are in force", s->conf->address);
    return next;
}

static void warn_of(const struct listener_settings *s, const struct tls_certificate *c,
                    int64_t now_wall_s)
{
    int64_t left_s = c->not_after_s - now_wall_s;

    if (left_s < 0)
        log_warn("tls", "listener %s: certificate %s has expired", s->conf->address, c->file);
    else if (left_s < CERTIFICATE_WARN_DAYS * DAY_S)
        log_warn("tls", "listener %s: certificate %s expires in %d %s", s->conf->address, c->file,
                 (int)(left_s / (left_s < 2 * DAY_S ? 3600 : DAY_S)),
                 left_s < 2 * DAY_S ? "hours" : "days");
}

void listener_watch_warn(struct listener_watch *w, const struct listener_settings *s,
                         uint64_t now_ns, int64_t now_wall_s)
{
    bool due = w->warned_ns == 0 || now_ns - w->warned_ns >= DAY_S * NS_PER_S;
    struct tls_certificate *const *all;
    size_t n;

    all = tls_server_certificates(s->tls, &n);
    for (size_t i = 0; due && i < n; i++)
        warn_of(s, all[i], now_wall_s);
    if (due)
        w->warned_ns = now_ns;
    for (size_t i = 0; !w->told_of_staple && i < n; i++) {
        if (!all[i]->staple || ocsp_staple_is_fresh(all[i]->staple, now_wall_s))
            continue;
        w->told_of_staple = true;
        log_warn("tls", "listener %s: ocsp: %s has expired; it is stapled no more",
                 s->conf->address, all[i]->ocsp_file);
    }
}
