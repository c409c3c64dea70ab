/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* transition_json.h - a transition as all who tell of it outside show it: the status documents, the
 * event stream, webhooks. Its members are in docs/status.md. */
#include "snapshot/journal.h"

#include <jansson.h>

json_t *transition_json(const struct transition *t);
