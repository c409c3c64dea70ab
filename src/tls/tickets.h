/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* tickets.h - keys of session tickets (RFC 5077, RFC 8446 section 4.6.1), shared by all workers and
 * changed by time: the newest protects, the one before still opens. So a key that leaks opens the
 * traffic of two rotations at most. They are in memory alone and die with the process. */
#include <openssl/ssl.h>
#include <stdint.h>

struct ticket_keys;

struct ticket_keys *ticket_keys_new(uint64_t rotation_ms);
struct ticket_keys *ticket_keys_ref(struct ticket_keys *k);
void ticket_keys_unref(struct ticket_keys **k);
/* Another rotation, from the next key on. */
void ticket_keys_set_rotation(struct ticket_keys *k, uint64_t rotation_ms);
/* Makes a context use them; it must not outlive them. */
int ticket_keys_attach(struct ticket_keys *k, SSL_CTX *ctx);
