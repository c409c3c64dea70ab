/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* identity.h - who asks, however that was found out: a subject and claims.
 *
 * Immutable once made and counted by reference, so that workers may keep it in their caches. Every
 * kind puts what it knows into claims, so that rules and headers need not know the kinds:
 *   API key       sub = owner, key_id, scope ("a b"), scopes, roles, and the claims of its entry
 *   password      sub = user
 *   certificate   sub = subject name, issuer, san (["dns:...", ...]), fingerprint */
#include "base/macros.h"
#include "base/str.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum identity_kind {
    IDENTITY_JWT,
    IDENTITY_API_KEY,
    IDENTITY_BASIC,
    IDENTITY_CERTIFICATE,
    IDENTITY_FORWARD,
    IDENTITY_INTROSPECTION
};

struct identity {
    _Atomic unsigned refs;
    enum identity_kind kind;
    const char *source;    /* name of the issuer, key store ...; owned */
    const char *subject;   /* claim sub as text; "" = none; owned */
    json_t *claims;        /* object; owned, never changed after making */
    uint64_t expires_at_s; /* wall clock; 0 = never */
};

/* Takes over `claims` (an object) even when it fails: NULL when memory is out. */
struct identity *identity_new(enum identity_kind kind, const char *source, json_t *claims,
                              uint64_t expires_at_s) MUST_CHECK;
/* Any thread. */
struct identity *identity_ref(struct identity *i);
void identity_unref(struct identity **i);

/* "jwt" "api_key" "basic" "certificate" "forward_auth" "introspection". */
const char *identity_kind_name(enum identity_kind kind);

/* The claim with this whole name, else the member that "a.b" leads to. Borrowed; NULL = there is
 * none, or it is null. */
const json_t *identity_claim(const struct identity *i, const char *name);
/* A text as it is; numbers and booleans as JSON writes them, into buf. False for anything else. */
bool identity_text(const json_t *value, char *buf, size_t cap, struct str *ret);
/* Is this word in a list, or among the words of a text? */
bool identity_list_has(const json_t *value, const char *word);
/* `scope` ("a b", RFC 8693), `scp` or `scopes` (text or list). */
bool identity_has_scope(const struct identity *i, const char *scope);
/* In the claim of that name; NULL = `roles`, or `realm_access.roles`. */
bool identity_has_role(const struct identity *i, const char *role, const char *claim);
