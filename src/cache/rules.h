/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* rules.h - what HTTP says about one stored answer (RFC 9111, RFC 9110 section 13, RFC 5861): may
 * it be stored by a cache that many share, how old is it, how long is it fresh, and does a
 * condition of the client already hold. Pure functions; times are seconds since 1970. */
#include "http/message.h"

/* Directives of all Cache-Control fields of a message. Seconds; -1 = not said. */
struct cache_control {
    bool no_store, no_cache, no_transform, is_private, is_public;
    bool must_revalidate; /* or proxy-revalidate, or s-maxage, which includes it */
    int64_t max_age, s_maxage, stale_if_error, stale_while_revalidate;
};
struct cache_control cache_control_of(const struct header *headers, unsigned n);

/* NULL when the answer to this request may be stored; else why not, for people. Its body must still
 * arrive as a whole. `own`: it is kept for the one who asks, and nobody else. */
const char *rules_refuse(const struct request *r, const struct response *a, bool own);
/* May it be shown to others than the one whose request was authenticated (RFC 9111 section 3.5)? */
bool rules_are_for_all(const struct response *a);

struct freshness {
    int64_t age_s;            /* when it arrived (section 4.2.3: corrected_initial_age) */
    int64_t lifetime_s;       /* section 4.2.1; 0 = stale from the start */
    bool must_revalidate;     /* not to be used once it is stale (section 4.2.4) */
    int64_t stale_if_error_s; /* how long after that it may stand in for errors; -1 = not said */
    int64_t stale_while_revalidate_s; /* and be given while it is asked for again; -1 = not said */
};
/* Of an answer that has just arrived, delay_s after its request was sent. */
struct freshness rules_freshness(const struct response *a, int64_t now_s, int64_t delay_s);
/* Does the answer say itself how long it is fresh? */
bool rules_says_lifetime(const struct response *a);
/* May it be used at this age although the service cannot be asked? */
bool rules_usable(const struct freshness *f, int64_t age_s);

/* Would the stored answer with these validators (empty = none) be 304 for the request? */
bool rules_not_modified(const struct request *r, struct str etag, struct str last_modified);

/* RFC 9110 section 5.6.7, all three formats; -1 = not a date. */
int64_t rules_date(struct str text);
/* First field with that name, or NULL. */
const struct header *rules_header(const struct header *headers, unsigned n, struct str name);
