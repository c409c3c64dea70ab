/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* consul_access_parts.h - private to consul_access.c, consul_pulse.c, consul_login.c,
 * consul_self_check.c and consul_http.c: the access that connections with the same settings share.
 */
#include "base/arena.h"
#include "base/fetch.h"
#include "base/list.h"
#include "base/rng.h"
#include "base/token_file.h"
#include "consul_access.h"
#include "consul_address.h"
#include "consul_agents.h"
#include "consul_lease.h"
#include "consul_rights.h"
#include "consul_trust.h"
#include "discovery.h"

struct event;

/* One of those who share it; embedded. Neither call may free a user. */
struct consul_access_user {
    struct list link;
    /* Another agent is in use: what is in flight will not be answered by it. */
    void (*moved)(struct consul_access_user *u);
    /* What has waited for the token can go (error NULL), or there is none. */
    void (*token)(struct consul_access_user *u, const char *error);
    /* The token was looked into, and is good. `regained`: it lacked something before. */
    void (*good)(struct consul_access_user *u, bool regained);
};

struct consul_login {
    struct consul_lease lease;
    struct fetch *fetch; /* owned */
    unsigned generation; /* of the agent that is asked */
    char *secret;        /* owned; the JWT on its way */
    char *old;           /* owned; the token of before, to be logged out */
    uint64_t old_until_ns;
    struct fetch *leave; /* owned; logs out */
    char *leaving;       /* owned; the token that is being logged out */
    bool failing;        /* it was logged */
};

/* What is being found out, and where it stands: see consul_self_check.c. */
struct consul_self_check {
    struct fetch *fetch;                            /* owned */
    struct list wishes;                             /* struct consul_wish */
    struct consul_right asked[CONSUL_RIGHTS_ASKED]; /* services and nodes, features, wishes */
    size_t nasked, nfeatures;
    struct arena *texts; /* owned; of the features */
    bool allowed[CONSUL_RIGHTS_ASKED];
    struct consul_token_facts facts;
    struct arena *arena; /* owned; of the present run */
    const char *listed[3];
    unsigned nlisted, at_listed;
    int step;
    bool running;
    bool lacked;         /* the last one that came to an end was not trusted */
    unsigned told_token; /* generation of the token that users know to be good */
    uint64_t due_ns, finished_ns;
    char *peers;          /* owned; servers of the cluster that is followed, as JSON; */
    unsigned peers_agent; /* generation of the agent that said so */
    bool stranger;        /* the one in use knows none of them */
    struct consul_missing rows[CONSUL_RIGHTS_MAX + 2]; /* status.asked */
    char said[512];                                    /* what was logged last */
};

struct consul_access {
    struct list link; /* in the list of all */
    unsigned refs;
    char *key; /* owned; all settings as text, secrets too */
    struct event_base *base;
    struct arena *arena; /* owned; copies of the settings */
    struct consul_access_options o;
    uint64_t wait_ms;
    const char *ca_file, *cert_file, *key_file, *jwt_file;
    char *scope; /* "ns=a&partition=b", or "" */

    struct consul_address addresses[CONSUL_AGENTS_MAX];
    struct consul_agents agents;
    unsigned generation;               /* of the agent in use */
    bool answers;                      /* it has answered since it is in use */
    struct fetch *pulse, *pulse_other; /* owned */
    unsigned looking_at;               /* the agent that pulse_other asks */
    uint64_t pulse_at_ns;

    struct token_file *token;  /* owned */
    unsigned token_generation; /* another one each time it changes */
    struct consul_login login;
    struct consul_self_check check;

    struct fetcher *fetcher; /* owned; for what the access does itself */
    struct list users;
    struct event *tick; /* owned */
    struct rng rng;
    struct consul_access_status status;
    bool ending; /* no user is left; the logout is on its way */
};

/* A reference to the one with these settings. */
struct consul_access *consul_access_get(struct event_base *base, const struct discovery_options *o,
                                        struct err *e) MUST_CHECK;
void consul_access_put(struct consul_access *a);

const struct consul_address *consul_access_agent(const struct consul_access *a);
/* Fills what a fetch to the agent in use needs: where, and TLS. */
void consul_access_options(const struct consul_access *a, unsigned agent, struct fetch_options *o);
/* Sends; `token` NULL = none. `path` begins with "/v1/". */
void consul_access_send(struct consul_access *a, unsigned agent, struct fetch *f,
                        const char *method, const char *path, struct str body, const char *token,
                        uint64_t deadline_ms);
/* What came of a request (consul_pulse.c); `generation` is that of the time when it was sent. */
void consul_access_outcome(struct consul_access *a, unsigned generation, bool lead, int status,
                           bool refused, const char *error);
/* One line for people from a failed answer: no control bytes, no secret. */
void consul_access_describe(const struct consul_access *a, const struct fetch_answer *f, char *text,
                            size_t room);

/* False: a login is on its way, or failed. */
bool consul_access_has_token(const struct consul_access *a);
/* 403: reads the token again. True: it is another one now, or will be soon (see has_token). */
bool consul_access_denied(struct consul_access *a, bool unknown);
void consul_access_token_changed(struct consul_access *a);

/* consul_pulse.c */
void consul_pulse_tick(struct consul_access *a, uint64_t now_ns);
void consul_pulse_release(struct consul_access *a);

/* consul_login.c */
void consul_login_init(struct consul_access *a);
void consul_login_tick(struct consul_access *a, uint64_t now_ns);
/* Consul does not know the token. True: another one will be there soon. */
bool consul_login_doubt(struct consul_access *a);
/* Another agent is asked from now on. */
void consul_login_moved(struct consul_access *a);
/* Begins to log out; false when there is nothing to do. */
bool consul_login_end(struct consul_access *a);
/* It is done, well or not. */
bool consul_login_left(const struct consul_access *a);
void consul_login_release(struct consul_access *a);

/* consul_self_check.c */
void consul_self_check_init(struct consul_access *a);
void consul_self_check_tick(struct consul_access *a, uint64_t now_ns);
/* What is needed besides services and nodes. Copied. */
void consul_self_check_require(struct consul_access *a, const struct consul_right *rights,
                               size_t n);
/* Another token or another agent: what was found out does not count any more. */
void consul_self_check_restart(struct consul_access *a);
/* The same by order of a person, who accepts another cluster. */
void consul_self_check_accept(struct consul_access *a);
/* Somebody was denied something. */
void consul_self_check_soon(struct consul_access *a);
void consul_self_check_release(struct consul_access *a);
