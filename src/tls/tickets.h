/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* tickets.h - keys of session tickets (RFC 5077, RFC 8446 section 4.6.1), shared by all workers and
 * changed by time: the newest protects, the one before still opens. So a key that leaks opens the
 * traffic of two rotations at most. They are in memory alone and die with the process. */
#include "base/macros.h"

#include <openssl/ssl.h>
#include <stdint.h>

struct ticket_keys;

struct ticket_keys *ticket_keys_new(uint64_t rotation_ms);
struct ticket_keys *ticket_keys_ref(struct ticket_keys *k);
void ticket_keys_unref(struct ticket_keys **k);
/* Another rotation, from the next key on. */
void ticket_keys_set_rotation(struct ticket_keys *k, uint64_t rotation_ms);

struct ticket_key {
    unsigned char name[16], cipher[32], mac[32];
    uint64_t made_ns; /* 0 = there is none */
};

/* The one that protects new tickets. -1: there is no randomness to make one of. Any thread, as the
 * next one. */
int ticket_keys_newest(struct ticket_keys *k, uint64_t now_ns, struct ticket_key *ret) MUST_CHECK;
/* That of an old ticket: 0 = the newest, 1 = the one before; -1 = none that is still good. */
int ticket_keys_find(struct ticket_keys *k, const unsigned char name[16], uint64_t now_ns,
                     struct ticket_key *ret) MUST_CHECK;

/* Makes a context use them; it must not outlive them. */
int ticket_keys_attach(struct ticket_keys *k, SSL_CTX *ctx);
