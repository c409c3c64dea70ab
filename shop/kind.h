/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* kind.h - what one service of the shop keeps and which rules hold for it.
 *
 * All services speak the same small REST language (rest.h); a kind says what is theirs. One file
 * each: users.c, products.c, orders.c, payments.c, notifications.c, shipping.c. Any other name
 * gives an empty service that takes every object: enough to show how a new one appears. */
#include <jansson.h>
#include <stdbool.h>

enum { KIND_MAX_FIELDS = 6 };

struct kind {
    const char *service;                   /* its name in Consul */
    const char *path;                      /* first segment of its paths */
    const char *id_prefix;                 /* "u" of u1, u2, ... */
    const char *seed;                      /* JSON array, what it begins with */
    const char *required[KIND_MAX_FIELDS]; /* fields that a new item needs */
    const char *searched[KIND_MAX_FIELDS]; /* fields in which ?search= looks */
    /* Judges and completes a new item; NULL when it is fine, else why not (answered as 422). */
    const char *(*prepare)(json_t *item);
};

/* The kind of that name; never NULL. `name` must live as long as the program. */
const struct kind *kind_find(const char *name);

extern const struct kind users_kind, products_kind, orders_kind, payments_kind, notifications_kind,
    shipping_kind;
