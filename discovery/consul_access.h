/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* consul_access.h - how the gateway gets at Consul: which agent, with which token, and what the
 * token may.
 *
 * All connections with the same settings (discovery, fleet, API keys) share one access: one choice
 * of agent, one login, one look at the rights. A token from a file or the environment is sent as it
 * is; with a login method the gateway shows a JWT (`/v1/acl/login`) and gets a token of its own,
 * that is kept in memory only, replaced before it ends (consul_lease.h) and logged out afterwards.
 *
 * Thread: control. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct consul_http;
struct event_base;

/* A right that the token needs for what is switched on. */
struct consul_right {
    const char *resource, *access; /* "key", "read" */
    char segment[256];             /* "frontdesk/"; "" = whatever it is called */
    const char *what_for;          /* "API keys", for people */
    bool optional;                 /* what it is for goes on without it, if not as well */
};

enum { CONSUL_RIGHTS_MAX = 24 };

/* Part of struct discovery_options. NULL or 0 = not so. */
struct consul_access_options {
    const char *const *more; /* agents to ask when `address` fails, in this order */
    size_t nmore;
    uint64_t fail_back_ms; /* the first one in order for so long is asked again; 0 = only when the
                              present one fails */
    const char *ca_path, *server_name;
    bool no_verify;
    const char *ns, *partition;
    const char *login_method, *login_jwt_file;
    const char *const *login_meta;                 /* name, value, name, value */
    size_t nlogin_meta;                            /* of such pairs */
    struct consul_right rights[CONSUL_RIGHTS_MAX]; /* beyond reading services and nodes */
    size_t nrights;
};

enum consul_acls { CONSUL_ACLS_UNKNOWN, CONSUL_ACLS_OFF, CONSUL_ACLS_ON };

struct consul_missing {
    char right[160];   /* "key:read on frontdesk/" */
    char rule[200];    /* the line of a policy that gives it */
    char what_for[64]; /* "instances of services" */
    bool optional;
};

struct consul_access_status {
    const char *agents[16]; /* borrowed; addresses, the preferred one first */
    unsigned nagents, agent;
    uint64_t agent_since_ns;
    unsigned switches;
    char switch_why[256]; /* "" = never */
    int64_t switched_wall_ms;
    bool no_verify;

    const char *token_from; /* "none", "file", "environment", "login" */
    char login_error[256];  /* of the last login; "" = good */
    uint64_t logins;
    uint64_t renew_at_ns; /* 0 = no login, or it does not end */

    enum consul_acls acls;
    bool trusted;
    bool judged;         /* the last check came to an end; */
    uint64_t checked_ns; /* the last one that did; 0 = none */
    char problem[256];   /* why it is not trusted; "" = it is */
    char accessor[40], policies[200];
    int64_t expires_s; /* of the token, since 1970; 0 = does not */
    struct consul_missing missing[CONSUL_RIGHTS_MAX + 2];
    unsigned nmissing; /* of them optional: */
    unsigned noptional;
    unsigned nrights;             /* that were looked for */
    struct consul_missing *asked; /* [nrights], missing or not; borrowed until the next check */
};

/* Borrowed; changes in place. */
const struct consul_access_status *consul_http_access(const struct consul_http *h);

struct discovery_options;
/* What is switched on has changed: these rights are needed now. For the accesses whose other
 * settings are the same. */
void consul_access_require(const struct discovery_options *o);

/* SIGHUP: reads every token file again, logs in again, looks into the rights again. */
void consul_access_reload(void);

/* Logs out, and waits for that no longer than so. Nothing else may be left that uses the loop. */
void consul_access_finish(struct event_base *base, uint64_t timeout_ms);
