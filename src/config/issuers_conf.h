/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* issuers_conf.h - `issuers:`: whose bearer tokens (JWT) are believed, and which of them. What is
 * checked of a token is in policy/token.h. Part of config.h. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Signature algorithms (RFC 7518 section 3.1, RFC 8037). There is no `none`. */
enum token_alg {
    ALG_RS256,
    ALG_RS384,
    ALG_RS512,
    ALG_PS256,
    ALG_PS384,
    ALG_PS512,
    ALG_ES256,
    ALG_ES384,
    ALG_ES512,
    ALG_EDDSA,
    ALG_HS256,
    ALG_HS384,
    ALG_HS512,
    TOKEN_ALGS
};

#define ALG_BIT(alg) (1u << (alg))
#define ALGS_RSA     (0x3fu << ALG_RS256)
#define ALGS_HMAC    (7u << ALG_HS256)
#define ALGS_PUBLIC  (ALG_BIT(ALG_HS256) - 1)

enum token_place_kind { PLACE_HEADER, PLACE_COOKIE, PLACE_QUERY };

/* Where a request may carry its token. */
struct token_place {
    enum token_place_kind kind;
    const char *name;   /* of the field, cookie or parameter */
    const char *scheme; /* PLACE_HEADER: the word before the token; "" = none */
};

/* Exactly one of the first four. */
struct issuer_keys_conf {
    const char *jwks_url;
    const char *jwks_file;
    const char *pem_file;    /* public keys or certificates */
    const char *secret_file; /* a shared secret, for HS256 and its like */
    const char *ca;          /* authorities for jwks_url; NULL = the system's */
    uint64_t refresh_ms;
    uint64_t timeout_ms;
    uint64_t unknown_key_interval_ms; /* least time between two refreshes that tokens cause */
    uint64_t unknown_key_wait_ms;     /* how long a request waits for one */
};

struct issuer_conf {
    const char *name;
    unsigned index;     /* in config.issuers */
    const char *issuer; /* claim iss, to the letter */
    const char **audience;
    size_t naudience;
    bool any_audience;
    struct issuer_keys_conf keys;
    unsigned algorithms; /* ALG_BIT()s; either of ALGS_PUBLIC or of ALGS_HMAC */
    uint64_t leeway_ms;
    const char **types; /* of `typ`, in lower case without "application/"; NULL = not looked at */
    size_t ntypes;
    bool require_exp;
    const char **require; /* claims that a token must have */
    size_t nrequire;
    struct token_place *places; /* tried in order; the first that carries one counts */
    size_t nplaces;
    bool forward_token; /* the service sees the field with the token too */
    const char *realm;
};

enum {
    MAX_ISSUERS = 64,
    MAX_AUDIENCES = 32,
    MAX_PLACES = 8,
    MAX_TYPES = 8,
    MAX_REQUIRED_CLAIMS = 16
};

/* "RS256", "EdDSA": as tokens and the configuration say. */
const char *token_alg_name(enum token_alg alg);
/* -1 when there is no such algorithm (or it is `none`). To the letter. */
int token_alg_parse(const char *name, size_t n);
