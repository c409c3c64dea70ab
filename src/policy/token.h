/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* token.h - a bearer token taken apart: a JSON Web Token in compact form (RFC 7519, RFC 7515).
 *
 * token_read() looks at structure, header and payload and trusts nothing of them; what they say is
 * needed to find the issuer (iss) and the key (alg, kid). Only then does token_verify() check, in
 * this order: type, algorithm against the issuer's list, the key, the signature, the claims.
 *
 * The algorithm is the key's: `alg` is compared with it and never chooses how to verify. `kid` is a
 * text that is looked up among the keys that are there. Of the header's other members, those that
 * would bring a key along (jwk, jku, x5u, x5c) are never read; those that would change what the
 * token means (crit, b64, zip, enc, a nested token) refuse it.
 *
 * The payload is parsed once: here. Thread: any; a token belongs to one thread. */
#include "base/macros.h"
#include "base/str.h"
#include "config/issuers_conf.h"
#include "policy/identity.h"
#include "policy/token_error.h"

struct keyset;

enum { TOKEN_MAX = 8192, TOKEN_HEADER_MAX = 2048, TOKEN_DEPTH = 16, TOKEN_KID_MAX = 256 };

struct token {
    struct str text;      /* borrowed: as it came */
    struct str signed_of; /* of text: what the signature is over */
    struct str signature; /* of text: still encoded */
    json_t *header, *claims;
    enum token_alg alg;
    const char *kid;    /* NULL = none; in header */
    const char *type;   /* NULL = none; in header */
    const char *issuer; /* in claims */
};

/* TOKEN_OK: release it afterwards. `text` must stay as long as the token. */
enum token_error token_read(struct str text, struct token *ret) MUST_CHECK;
void token_release(struct token *t);

/* Is it good by this issuer's rules and keys (never NULL), at this time (seconds since 1970)? */
enum token_error token_verify(const struct token *t, const struct issuer_conf *c,
                              const struct keyset *keys, int64_t now_s) MUST_CHECK;
/* When that ends, leeway included; 0 = never. Of a token that is good. */
int64_t token_expires(const struct token *t, const struct issuer_conf *c);
/* The identity of a good token; takes over its claims. NULL when memory is out. */
struct identity *token_identity(struct token *t, const struct issuer_conf *c) MUST_CHECK;
