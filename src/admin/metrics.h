/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* metrics.h - everything as Prometheus text, exposition format 0.0.4.
 *
 * One table of metrics gives names, types, help and where the value comes from; a new metric is one
 * row. Reasons with no failure have no sample, all other labels are always there. */
#include "admin/look.h"

struct evbuffer;

void metrics_write(const struct look *l, struct evbuffer *out);

/* Adds a label value: backslash, quote and line feed escaped; bytes that are no UTF-8 as '?'. */
void metrics_label(struct evbuffer *out, const char *value);
