/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* sock_bio.h - a socket as OpenSSL reads and writes it.
 *
 * OpenSSL's own asks the kernel until there is nothing more, for each record. This one knows from a
 * short read that the socket is empty (s->drained), as sock_read() does, and says so without a
 * system call until an edge tells of more. */
#include "proxy/sock.h"

#include <openssl/bio.h>

/* Borrows the socket, which must not move while the BIO lives. NULL when memory is out. */
BIO *sock_bio_new(struct sock *s) MUST_CHECK;
