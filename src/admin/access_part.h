/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* access_part.h - which agent of Consul is asked, with which token, and which rights it lacks. */
#include "admin/look.h"

/* Null without Consul. */
json_t *access_part(const struct look *l);
/* Adds what somebody should look at to the list of attention.h, with `service` null. */
void access_attention(const struct look *l, json_t *list);
