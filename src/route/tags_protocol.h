/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* tags_protocol.h - what an instance says in the catalog about how it is spoken to:
 * `frontdesk.protocol=WORD` (meta `frontdesk-protocol`), or fabio's `proto=WORD
 * tlsskipverify=true`. It holds for all requests to this instance, whatever their route. Pure. */
#include "base/instance.h"
#include "base/str.h"
#include "config/config.h"

/* "http", "https", "h2" or "grpcs", "h2c" or "grpc". False when the word is none of them. */
bool protocol_parse(struct str word, enum catalog_protocol *ret);
/* A word that is none of them counts as https: nothing goes out in the clear by a slip. The native
 * tag goes before meta, that before Traefik's server.scheme, and that before fabio's. */
enum catalog_protocol tags_protocol(const struct instance *i, const struct consul_conf *consul,
                                    bool *ret_skip_verify);
