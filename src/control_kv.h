/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* control_kv.h - a blocking query on a key of Consul's KV store and all below it, by the rules of
 * discovery/watch.h. Thread: control. */
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct consul_http;
struct event_base;
struct kv_watch;

enum kv_news {
    KV_CHANGED, /* `body` is another one: JSON, or empty when nothing is there */
    KV_SAME,    /* the same as before */
    KV_FAILED   /* nobody knows; `error` says why */
};

/* `complete`: nothing that is missing in the body is there. False: the body was not taken; it
 * comes again. */
typedef bool kv_news_fn(void *arg, enum kv_news news, struct str body, bool complete,
                        const char *error);

struct kv_options {
    const char *prefix;
    bool stale; /* servers without a leader answer too */
    uint64_t wait_ms;
};

/* Everything is copied but the consul_http, which is borrowed. */
struct kv_watch *kv_watch_new(struct event_base *base, struct consul_http *http,
                              const struct kv_options *o, kv_news_fn *fn, void *arg);
/* Accepts NULL. */
void kv_watch_free(struct kv_watch *w);
