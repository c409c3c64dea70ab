/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* consul_trust.h - may an answer of Consul be believed that shows less than is known?
 *
 * Without its rights a token is not refused: the catalog looks empty to it, with status 200 and the
 * index of before. So the token is looked into at start, when it or the agent changes, after a 403,
 * every minute, and when somebody asks, as who has got an answer that says less than the one before
 * does:
 *
 *     struct consul_wish wish;                  embedded in who asks
 *     consul_wish_init(&wish, on_checked, me);
 *     wish.service = "orders";                  optional: its own right is looked into as well
 *     consul_http_check(http, &wish);           one check more, that begins after this call
 *     consul_wish_drop(&wish);                  before it is freed; whether it waits or not
 *
 * Thread: control. */
#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>

struct consul_http;
struct consul_wish;

/* From the loop, never from inside consul_http_check(). `trusted`: the token that is in use may
 * read services and nodes, or Consul asks for no token. False as well when the agent could not be
 * asked; `why` says so, and is "" when trusted. It never holds the token. May wish again; may not
 * free the consul_http. */
typedef void consul_checked_fn(void *arg, bool trusted, const char *why);

struct consul_wish {
    struct list link;
    const char *service; /* borrowed until the call; NULL = no one in particular */
    bool asked;          /* its check is the one that runs; */
    size_t at;           /* that of its service is this one of all rights; 0 = none */
    consul_checked_fn *fn;
    void *arg;
};

void consul_wish_init(struct consul_wish *w, consul_checked_fn *fn, void *arg);
/* Not asked twice: a wish that waits already stays where it is. */
void consul_http_check(struct consul_http *h, struct consul_wish *w);
void consul_wish_drop(struct consul_wish *w);
/* An answer shows less than before and nothing has changed in Consul: within some five seconds the
 * rights are looked into, for those who look at the status. */
void consul_http_check_soon(struct consul_http *h);

/* What the last check said of the present token at the present agent; false before the first one.
 * It may be a minute old. */
bool consul_http_trusted(const struct consul_http *h);
