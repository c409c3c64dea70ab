/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* tags_set.h - collects the routes of one service while its tags are read; internal to this folder.
 *
 * A tag whose value cannot be used takes the route that it belongs to with it, so that a slip in
 * `methods` or `auth` never opens more than was meant; it takes no other route. */
#include "route/tags.h"

enum {
    TAGS_MAX_LENGTH = 1024,
    TAGS_MAX_ROUTES = 64,
    TAGS_MAX_PROBLEMS = 64,
    TAGS_MAX_TARGETS = 65536 /* of one service */
};

#define TAGS_DISPUTED                                                                              \
    "another tag says something else about the same route and wins, as its instance is older or "  \
    "it comes first; but what keeps people out (auth, allow, deny) holds whichever says it"

struct tags_set {
    const struct instance_set *instances;
    const struct consul_conf *consul;
    const struct tag_library *library; /* NULL = none */
    struct arena *arena;
    struct tag_routes *out; /* arrays of the maximal sizes */
    uint64_t create_index;  /* the oldest of the instances */
    bool asked;             /* some tag asked for a route, whether it got one or not */
    bool full;
    unsigned nrouters;              /* of Traefik, that were read */
    uint64_t read[TAGS_MAX_ROUTES]; /* signatures of the tags that were read already */
    unsigned nread;
    const char **matches, **actions;  /* keys of the routes that there are */
    const struct instance *others_of; /* whose tags `others` are */
    const char *const *others;        /* those that are not fabio's */
    unsigned nothers;
    /* Targets of the tags that were read already, for other instances with the same tag. */
    struct {
        struct str tag;
        const struct fabio_target *first;
        unsigned n;
    } seen[TAGS_MAX_ROUTES];
    unsigned nseen;
    struct fabio_target **last; /* where the next one is linked */
    unsigned ntargets;
};

/* Were tags with this signature read before, of another instance? Most instances of a service have
 * the same ones. */
bool tags_again(struct tags_set *s, uint64_t signature);
/* Reports a tag; the same report is made once. `why` is a literal or in the arena. */
void tags_report(struct tags_set *s, enum tag_problem_kind kind, struct str tag, const char *why);
/* The same of a tag whose route is left out. */
void tags_problem(struct tags_set *s, struct str tag, const char *why);
/* "0.25", "1", ".5" */
bool tags_fraction(struct str text, double *ret);
/* A route with the service as its target and everything else empty. */
struct route_conf *tags_route(struct tags_set *s);
/* Takes the route up, unless the same one is there already. */
void tags_add(struct tags_set *s, struct route_conf *conf, struct str tag);
/* Made of bytes of a request target alone, so it can go into a request line or a field. */
bool tags_plain_text(struct str s);
/* "CODE,URL"; what is wrong, or NULL. */
const char *tags_redirect(struct tags_set *s, struct route_conf *conf, struct str value);
/* "dst" or a host. */
const char *tags_set_host(struct tags_set *s, struct route_conf *conf, struct str value);
/* Takes over what keeps people out (auth, allow, deny) where `to` has no such thing itself: of tags
 * that disagree, none opens what another one closes. True when there was something. */
bool tags_guard(struct route_conf *to, const struct route_conf *from);
/* Which requests a route takes and what it does with them, as texts that can be compared. */
const char *tags_match_key(struct arena *a, const struct route_conf *c);
const char *tags_action_key(struct arena *a, const struct route_conf *c);
/* Lower-cased; "" and "*" are any host. */
const char *tags_host(struct tags_set *s, struct route_conf *conf, struct str value);

/* All native tags and the meta of one instance (tags_native.c). */
void tags_native(struct tags_set *s, const struct instance *i);
/* All tags of Traefik of one instance (tags_traefik.c). */
void tags_traefik(struct tags_set *s, const struct instance *i);
/* One tag of an instance behind its "urlprefix-" (tags_fabio.c). */
void tags_fabio(struct tags_set *s, const struct instance *i, struct str tag, struct str text);
/* The same of a command: the targets are linked at s->last, with src and dst as it has them. */
void tags_fabio_add(struct tags_set *s, const struct fabio_target *like, struct str tag,
                    struct str source, struct str options);
