/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* certificates.h - the certificates that clients and services are shown, and the handshakes of
 * clients: as JSON, as metrics, and what someone should look at. */
#include "admin/look.h"

struct evbuffer;

/* [{"listener","file",...}]: at most 64, those that end first at the top. */
json_t *certificates_part(const struct look *l);
/* {"handshakes":{RESULT: n},"versions":{},"ciphers":{}} since the start. */
json_t *handshakes_part(const struct look *l);
/* Adds those that have a problem to the list of attention.h, at most 5. */
void certificates_attention(const struct look *l, json_t *list);
void certificates_metrics(const struct look *l, struct evbuffer *out);
