/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* consul_conf.h - how to reach Consul, and what of it to expose: `consul:`. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How fabio compares paths: its `proxy.matcher`. */
enum fabio_matcher { FABIO_PREFIX, FABIO_IPREFIX, FABIO_GLOB };
enum expose_mode { EXPOSE_NONE, EXPOSE_TAGGED, EXPOSE_ALL };

/* A token in exchange for a JWT. */
struct consul_login_conf {
    const char *method; /* NULL = no login */
    const char *jwt_file;
    const char **meta; /* name, value, name, value */
    size_t nmeta;      /* of such pairs */
};

struct consul_conf {
    bool enabled;            /* false when there is no `consul:` section */
    const char *address;     /* "http://127.0.0.1:8500", "unix:///run/consul.sock" */
    const char *const *more; /* agents to ask when that one fails, in this order */
    size_t nmore;
    uint64_t fail_back_ms;  /* 0 = never for having been well */
    const char *token_file; /* NULL = none */
    const char *token;      /* from the environment only (CONSUL_HTTP_TOKEN); never printed */
    const char *datacenter; /* NULL = the agent's */
    struct consul_login_conf login;
    const char *ca_file, *cert_file, *key_file; /* NULL = system / none */
    const char *ca_path, *server_name;          /* NULL = none; that of the address */
    bool verify;
    const char *ns, *partition; /* NULL = the default ones */
    enum expose_mode expose;
    const char *tag_prefix;   /* "frontdesk." */
    const char *fabio_prefix; /* "urlprefix-"; "" = off */
    enum fabio_matcher fabio_matcher;
    const char *fabio_kv;       /* key with its commands; no slash at either end; NULL = none */
    const char *traefik_prefix; /* "traefik."; "" = off */
    const char *traefik_entry_points; /* "web,websecure"; "*" and NULL = any */
    bool traffic_rules;               /* obey its routers, splitters and resolvers */
    bool stale;                       /* ask with ?stale */
    uint64_t wait_ms;                 /* of a blocking query */
    uint64_t keep_routes_ms;          /* how long the routes of a vanished service answer 503 */
    uint64_t shrink_confirm_ms;       /* how long a large loss is doubted at least; 0 = never */
    unsigned shrink_percent, shrink_services_percent;
    uint64_t flap_damping_ms; /* 0 = none */
    uint64_t agent_restart_hold_ms;
    const char *config_prefix; /* "frontdesk/config/", always with the slash; NULL = none */
    const char *config_files;  /* folder that documents may name files in; NULL = none */
};
