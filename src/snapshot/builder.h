/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* builder.h - configuration + catalog -> snapshot. Control thread only.
 *
 * Keeps what it made last, so that a change of one service costs one new service_view and a copy of
 * pointers; the route table is compiled again only when a route changed. */
#include "discovery/discovery.h"
#include "snapshot/problems.h"
#include "snapshot/snapshot.h"

struct builder;

struct builder *builder_new(struct registry *r);
void builder_free(struct builder *b);

/* The issuers of the configurations to come; takes a reference of its own. */
void builder_use_issuers(struct builder *b, struct issuer_set *set);
/* The same of the stores of API keys and the files of passwords. */
void builder_use_credentials(struct builder *b, struct credential_set *set);
/* While the configuration is not known in full, no route does not mean that there is none. */
void builder_await_routes(struct builder *b, bool awaiting);

struct fabio_commands;
/* The commands of Consul's KV store for the builds to come; takes a reference. NULL = none. */
void builder_use_fabio(struct builder *b, struct fabio_commands *commands);

/* The next snapshot: the caller's reference. Never NULL; the builder keeps one of its own, so the
 * newest snapshot is never freed while the builder lives. */
struct snapshot *builder_build(struct builder *b, struct config *c, const struct discovery *d,
                               uint64_t now_ns) MUST_CHECK;

/* Tags and routes that were left out, as of the last build: for the status page. Borrowed until the
 * next build. */
size_t builder_problems(const struct builder *b, const struct route_problem **ret_list);
