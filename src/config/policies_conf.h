/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* policies_conf.h - `policies:`, `api_keys:` and `basic:`: who may ask, and how he is known. What
 * the rules mean is in policy/policy.h. */
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

/* A store of API keys: a file, or keys in Consul's KV store. */
struct api_keys_conf {
    const char *name;
    unsigned index;          /* in config.api_keys */
    const char *file;        /* exactly one of these two */
    const char *kv;          /* no slash at either end */
    const char *pepper_file; /* NULL = none */
    const char *header;      /* where requests carry a key */
    const char *query;       /* or this query parameter; NULL = not there */
    bool pass;               /* the field with the key goes on to the service */
};

/* Users with passwords (RFC 7617), in a file of bcrypt hashes. */
struct basic_conf {
    const char *name;
    unsigned index; /* in config.basic */
    const char *htpasswd;
    const char *realm;
    uint64_t cache_ms; /* how long a worker remembers a right password; 0 = not at all */
    bool pass;
};

/* Ways in which a client can say who it is. */
enum mechanism_kind {
    MECHANISM_ISSUER, /* a bearer token (JWT) */
    MECHANISM_INTROSPECTION,
    MECHANISM_API_KEYS,
    MECHANISM_BASIC,
    MECHANISM_CERTIFICATE,
    MECHANISM_FORWARD_AUTH,
    MECHANISM_KINDS
};

/* Which client certificates count. A list that is there must hold one pattern that fits. */
struct certificate_rules {
    const char **subjects, **issuers, **sans, **fingerprints;
    size_t nsubjects, nissuers, nsans, nfingerprints;
};

struct mechanism_conf {
    enum mechanism_kind kind;
    unsigned index;                /* in the section that defines it */
    const char *name;              /* its name there; of a certificate: "certificate" */
    struct certificate_rules cert; /* MECHANISM_CERTIFICATE */
};

enum claim_test {
    CLAIM_EQUALS,
    CLAIM_ONE_OF,
    CLAIM_CONTAINS,
    CLAIM_PRESENT,
    CLAIM_ABSENT,
    CLAIM_PATH_PARAMETER
};

struct claim_rule {
    const char *claim;
    enum claim_test test;
    const char **values; /* CLAIM_PATH_PARAMETER: the name of the parameter */
    size_t nvalues;
};

/* A field for the service, made of a claim. */
struct claim_header {
    const char *name, *claim;
};

enum policy_kind { POLICY_RULES, POLICY_ANY, POLICY_ALL, POLICY_NOT };

struct word_list {
    const char **words;
    size_t n;
};

/* Immutable once the configuration is loaded. */
struct policy_conf {
    const char *name;
    enum policy_kind kind;
    const struct policy_conf **of; /* any, all, not: those that it is made of */
    size_t nof;
    struct mechanism_conf *mechanisms;
    size_t nmechanisms;
    bool optional; /* who carries nothing is let in as nobody */
    struct word_list scopes, any_scope, roles, any_role, methods;
    const char *roles_claim; /* NULL = `roles`, then `realm_access.roles` */
    struct claim_rule *claims;
    size_t nclaims;
    struct claim_header *headers;
    size_t nheaders;
    bool authenticates; /* it can find out who asks, itself or by one that it is made of */
    bool asks_identity; /* it has rules about who asks */
    unsigned cost;      /* policies that are looked at in the worst case */
    unsigned ways;      /* mechanisms that are tried in the worst case */
};

enum {
    MAX_POLICIES = 1024,
    MAX_POLICY_DEPTH = 16,
    MAX_POLICY_COST = 64,
    MAX_POLICY_WAYS = 16, /* mechanisms of a policy, with all that it is made of */
    MAX_POLICY_HEADERS = 16,
    MAX_WORDS = 64,
    MAX_STORES = 64
};

/* Fields that only the gateway may set, on every route. A service may read X_User where X-User was
 * meant (as CGI does), so `_` and `-` are the same here. */
struct guarded_fields {
    uint64_t lengths;   /* bit min(length, 63) of those in the table: most names fail here */
    const char **table; /* open addressing; NULL = free */
    size_t mask;        /* of the table; 0 = there are none */
    size_t n;
};

bool guarded_has(const struct guarded_fields *g, struct str name);
