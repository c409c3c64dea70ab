/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* control_config.h - which documents the configuration is made of: the files of its folder, and
 * with consul.config_prefix the keys below that prefix, watched.
 *
 *     files (start, SIGHUP) ---+
 *                              +--> config_join() --> apply --> good: in force, kept on disk
 *     Consul --> fresh --------+                        |
 *        (changes of 200 ms are one)                    +--> refused: the good ones stay; tried
 *                                                            again with the next change or SIGHUP
 *
 * - The files must do without the documents: so a gateway starts whatever is in Consul.
 * - A change is in force whole or not at all.
 * - Documents that are all gone are believed only when the mark says that this is meant
 * (kv_rows.h); an answer that may be older than what is known is not taken (discovery/watch.h).
 * - At the start the documents that were last good, from disk, serve until Consul has answered.
 *   Without them the gateway is not ready (/readyz) until it has; it serves what the files say, and
 *   what has no route there gets 503 instead of 404.
 *
 * Thread: control. */
#include "base/err.h"
#include "config/config.h"

#include <jansson.h>

struct control_config;
struct event_base;

struct control_config_options {
    const char *dir; /* borrowed */
    /* Puts it into force and takes the reference over; -1 and a message when that is refused.
     * Called from the loop, from _start() and from _reload(). */
    int (*apply)(void *arg, struct config *next, struct err *e);
    /* control_config_ready() may be another now; from the loop. */
    void (*changed)(void *arg);
    void *arg;
};

struct control_config *control_config_new(const struct control_config_options *o);
/* Accepts NULL. */
void control_config_free(struct control_config *c);

/* Reads the files. NULL and a message when they do not do. */
struct config *control_config_first(struct control_config *c, struct err *e) MUST_CHECK;
/* `now` is in force: puts the documents of the disk beside it, if there are some, and begins to
 * watch. */
void control_config_start(struct control_config *c, struct event_base *base, struct config *now);
/* Reads the files again and puts them into force with the newest documents that do. -1 and a
 * message when there are none: nothing has changed then. */
int control_config_reload(struct control_config *c, struct err *e) MUST_CHECK;
/* The gateway is ending: changes no longer count. */
void control_config_stop(struct control_config *c);

/* NULL when all of the configuration is known, else what is awaited. */
const char *control_config_awaited(const struct control_config *c);
/* For /v1/status; null when there is no prefix. */
json_t *control_config_document(const struct control_config *c);
