/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* credentials_part.h - stores of API keys and files of passwords: as JSON and as metrics. */
#include "admin/look.h"

struct evbuffer;

/* [{"kind","name","from",...}] */
json_t *credentials_part(const struct look *l);
void credentials_metrics(const struct look *l, struct evbuffer *out);
