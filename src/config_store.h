/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* config_store.h - Consul's KV store for a command: calls that wait for their answer. */
#include "base/err.h"
#include "config/config.h"
#include "config/kv_rows.h"

struct config_store;

/* Goes where the `consul:` section of `c` says. NULL and a message when that is no place. */
struct config_store *config_store_new(const struct config *c, struct err *e) MUST_CHECK;
/* Accepts NULL. */
void config_store_free(struct config_store *s);

/* All below the prefix, from the leader's view. NULL and a message, when the token may not read it
 * too. */
struct kv_rows *config_store_read(struct config_store *s, const char *prefix,
                                  struct err *e) MUST_CHECK;
/* Any GET; *ret_body is the store's until its next call. */
int config_store_get(struct config_store *s, const char *path, struct str *ret_body,
                     struct err *e) MUST_CHECK;
/* Does a transaction, whole or not at all; *ret_index is the ModifyIndex of its first key. */
int config_store_write(struct config_store *s, const char *transaction, uint64_t *ret_index,
                       struct err *e) MUST_CHECK;
