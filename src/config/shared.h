/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* shared.h - what a document may hold that is no file of this machine, but a key of Consul's KV
 * store that many gateways read.
 *
 * Sections are allowed one by one, so a new one stays local until somebody has thought about it.
 * Left out is what belongs to one process (listeners, workers, logs), what leads to Consul, and the
 * admin endpoint: with none of these can a document lock people out or cut itself off.
 *
 * Names of files are refused, unless they lie below consul.config_files: whoever may write a
 * document could otherwise have any file of the gateway's sent out, as the body of a fallback or a
 * token of a webhook. */
#include "config/schema.h"

/* Refuses sections that are not for documents, from this top-level key on; NULL = there is none. */
int shared_check(const struct node *first, struct err *e) MUST_CHECK;
/* n names a file. */
int shared_file_check(struct reader *r, const struct node *n) MUST_CHECK;
