/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* authorities_conf.h - `forward_auth:` and `introspection:`: services of the catalog that are asked
 * who somebody is. Part of config.h. */
#include "config/issuers_conf.h"
#include "config/policies_conf.h"

struct forward_auth_conf {
    const char *name;
    unsigned index; /* in config.forward_auth */
    const char *service;
    const char *path;   /* NULL = that of the request */
    const char *method; /* NULL = that of the request */
    uint64_t timeout_ms;
    struct word_list request_headers;  /* of the client, that it sees; n = 0: all of them */
    struct word_list response_headers; /* of a good answer, that go to the service */
    const char *subject_header;        /* of a good answer: who it is; NULL = nobody says */
    struct word_list cache_key;        /* of the request; n = 0: nothing is remembered */
    uint64_t cache_ttl_ms;
    bool redirects;  /* an answer 3xx goes to the client; else it is a failure */
    bool fails_open; /* when it cannot be asked, the request is let in as nobody */
};

/* RFC 7662. */
struct introspection_conf {
    const char *name;
    unsigned index; /* in config.introspection */
    const char *service;
    const char *path;
    uint64_t timeout_ms;
    const char *client_id, *client_secret_file; /* HTTP basic; NULL = none */
    const char *client_secret;                  /* what the file holds; never printed */
    const char *issuer;                         /* claim iss, if it is there; NULL = any */
    const char **audience;                      /* claim aud must hold one; n = 0: any */
    size_t naudience;
    struct token_place *places;
    size_t nplaces;
    uint64_t cache_ttl_ms, negative_ttl_ms;
    bool forward_token;
    const char *realm;
};

enum { MAX_AUTHORITIES = 64 };
