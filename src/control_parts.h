/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* control_parts.h - private to control.c and control_sources.c: everything that the control thread
 * owns. */
#include "admin/admin.h"
#include "control_config.h"
#include "control_credentials.h"
#include "control_drain.h"
#include "control_fabio.h"
#include "control_issuers.h"
#include "control_journal.h"
#include "control_registration.h"
#include "fleet/fleet.h"
#include "webhook/webhook.h"

struct event;
struct event_base;

struct control {
    const char *dir;
    struct event_base *base;
    struct control_config *documents; /* what `config` is made of */
    struct config *config;            /* ref: the one in force */
    struct registry *registry;
    struct builder *builder;
    struct discovery *discovery;
    struct discovery *coming; /* after a reload that changed `consul:`: replaces the other one as
                                 soon as it knows as much */
    bool coming_doubted;      /* it lacked rights, which was logged */
    struct proxy *proxy;
    struct fleet *fleet;      /* NULL = off */
    struct fleet *left_fleet; /* of the configuration before; it is leaving */
    struct control_registration *registration;
    struct control_drain *drain;
    struct webhooks *webhooks;
    struct control_issuers *issuers;
    struct control_credentials *credentials;
    struct control_fabio *fabio;
    struct admin *admin;
    struct admin_sources sources;
    struct snapshot *snapshot; /* ref: the newest */
    struct event *signals[4];
    struct event *first_look, *watchdog, *registry_tick;
    struct control_journal *journal;
    uint64_t heard_transition; /* id of the newest that discovery was told of */
    unsigned nworkers;
    bool listening, failed;
};

/* control_sources.c: what the admin endpoint shows. */
void control_sources_fill(struct control *c);
/* The fleet came or went. */
void control_sources_fleet(struct control *c);
/* Has the service had requests? arg is the struct control. */
bool control_traffic(void *arg, const char *service);
/* The newest one; arg is the struct control. */
struct snapshot *control_snapshot(void *arg);
