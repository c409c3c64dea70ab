/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* fabio.h - what fabio makes of its tags and of its commands in the KV store: routes that instances
 * of several services share by weight.
 *
 * fabio's unit is the target: an instance on a route, with options and a weight of its own. Here a
 * route goes to services and a service to its instances, so targets of the same host and path are
 * brought together (fabio_merge()): shares of services become the weights of a split, shares of
 * instances their weights within the service. What does not fit into that is a problem that names
 * what was not obeyed. Pure; thread: control. */
#include "base/instance.h"
#include "route/tags.h"

struct fabio_target {
    const struct fabio_target *next;
    const char *service;
    uint64_t instance;          /* instance_key() */
    const char *src;            /* as commands name it: "shop.example/x" */
    const char *dst;            /* of a command: "http://10.0.0.1:80/"; NULL = the instance's */
    const char *scheme;         /* of that */
    const char *match, *action; /* what it is for and what it does, as texts to compare */
    uint64_t match_hash;
    const struct route_conf *conf; /* with this service as its only target; redirects have none */
    double weight;                 /* share of the route, 0..; 0 = an equal part of what is left */
    const char *tag;               /* as it may be shown */
    const char *const *tags;       /* the other tags of the instance */
    unsigned ntags;
    uint64_t create_index;
};

enum fabio_verb { FABIO_ADD, FABIO_DELETE, FABIO_WEIGHT };

struct fabio_command {
    enum fabio_verb verb;
    const char *key;                 /* of the KV store */
    unsigned line;                   /* in it, from 1 */
    const char *text;                /* as it may be shown */
    const char *service, *src, *dst; /* NULL = any */
    double weight;
    const char *const *tags; /* all of which a target must have; with FABIO_ADD: its own */
    unsigned ntags;
    const char *opts; /* FABIO_ADD: options as in a tag; NULL = none */
    /* FABIO_ADD: of dst, and the name of the service that it becomes an instance of. */
    const char *scheme, *host, *static_service;
    const char *redirect; /* in opts, "redirect=CODE": dst is where to, and no target; else NULL */
    uint16_t port;
    const char *trouble; /* the command is not obeyed, and why; NULL = it is */
};

/* Immutable and refcounted. */
struct fabio_commands {
    int refs;
    struct arena *arena;
    struct fabio_command *items;
    size_t n;
};

enum {
    FABIO_MAX_TEXT = 1 << 20,
    FABIO_MAX_LINE = 4096,
    FABIO_MAX_COMMANDS = 10000,
    FABIO_MAX_TAGS = 32
};

struct fabio_text {
    const char *key;
    struct str text;
};
/* The commands of all texts in their order (fabio_commands.c). A line that is none is one in
 * `trouble`; the others stand. The caller's reference; never NULL. */
struct fabio_commands *fabio_commands_parse(const struct fabio_text *texts, size_t n) MUST_CHECK;
struct fabio_commands *fabio_commands_ref(struct fabio_commands *c);
/* Accepts a pointer to NULL. */
void fabio_commands_unref(struct fabio_commands **c);

struct fabio_service {
    const struct instance_set *set;
    const struct fabio_target *targets;
    bool only; /* nothing else leads to the service: instances without a tag get no requests */
};

struct fabio_merged {
    struct route_input *inputs;
    size_t ninputs;
    struct fabio_weights {
        const char *service;
        bool
            health; /* its weights, or those of its routes, depend on which instances are healthy */
        struct instance_weights list; /* those that are not as Consul has them */
    } * weights;                      /* by service */
    size_t nweights;
    struct tag_problem *problems;
    size_t nproblems;
};

/* `commands` may be NULL. Everything in *ret is in the arena; strings are borrowed from the inputs.
 */
void fabio_merge(const struct fabio_service *services, size_t n,
                 const struct fabio_commands *commands, const struct consul_conf *consul,
                 struct arena *a, struct fabio_merged *ret);
