/* SPDX-License-Identifier: Apache-2.0 */
#include "control.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "control_discovery.h"
#include "control_fleet.h"
#include "control_parts.h"
#include "control_state.h"
#include "discovery/consul_access.h"
#include "discovery/discovery.h"
#include "notify.h"
#include "proxy/proxy.h"
#include "snapshot/builder.h"
#include "snapshot/service_tls.h"

#include <event2/event.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How long the listeners wait for a first look at the catalog, unless Consul fails before. */
enum { FIRST_LOOK_MS = 5000, FIRST_LOOK_POLL_MS = 50, WATCHDOG_POLL_MS = 2000 };
enum { REGISTRY_TICK_MS = 200 };
enum { LOGOUT_MS = 2000 }; /* how long the end waits for Consul */

/* As many as the CPUs that this process may use, unless the configuration says. */
static unsigned workers_of(const struct config *c)
{
    cpu_set_t cpus;
    unsigned n = c->workers;

    if (n == 0 && sched_getaffinity(0, sizeof cpus, &cpus) == 0)
        n = (unsigned)CPU_COUNT(&cpus);
    return n < 1 ? 1 : n > PROXY_MAX_WORKERS ? PROXY_MAX_WORKERS : n;
}

static void publish(struct control *c)
{
    struct snapshot *s;

    builder_await_routes(c->builder, control_config_awaited(c->documents) != NULL);
    s = builder_build(c->builder, c->config, c->discovery, clock_now_ns());

    snapshot_unref(&c->snapshot);
    c->snapshot = s;
    if (c->proxy)
        proxy_publish(c->proxy, s);
}

/* All that comes from Consul was heard once. */
static bool is_complete(const struct control *c)
{
    return c->snapshot->complete && control_credentials_heard(c->credentials) &&
           control_fabio_heard(c->fabio);
}

/* What the gateway's own check in Consul says. */
static enum registration_health report(void *arg, char *text, size_t room)
{
    struct control *c = arg;

    snprintf(text, room, "frontdesk %s: %s", FRONTDESK_VERSION,
             control_drain_begun(c->drain) ? "draining"
             : c->listening                ? "serving"
                                           : "starting");
    return c->listening ? REGISTRATION_PASSING : REGISTRATION_CRITICAL;
}

static const char *gateway_name(const struct control *c)
{
    return c->fleet ? fleet_name(c->fleet) : NULL;
}

static void note_serving(struct control *c)
{
    c->listening = true;
    notify("READY=1\nSTATUS=serving");
    log_info("control", "ready: %zu routes, %u services", route_table_count(c->snapshot->routes),
             c->snapshot->nslots);
    control_registration_use(c->registration, c->config, gateway_name(c));
}

/* Listeners open when the catalog was heard once, so that a gateway that starts beside others does
 * not answer 404 where they answer 200; a Consul that is away delays them for a moment only. */
static void open_listeners(struct control *c)
{
    struct err e;

    if (c->listening || control_drain_begun(c->drain))
        return;
    if (proxy_listen(c->proxy, c->config, &e) < 0) {
        log_error("control", "%s", e.text);
        c->failed = true;
        event_base_loopbreak(c->base);
        return;
    }
    note_serving(c);
}

static void publish_and_open(struct control *c)
{
    publish(c);
    if (is_complete(c) && c->proxy)
        open_listeners(c);
}

static void on_catalog_changed(void *arg);

static struct discovery *make_coming(struct control *c, const struct config *config, struct err *e)
{
    struct discovery *d = control_discovery_new(c->base, config, control_fabio_commands(c->fabio),
                                                false, on_catalog_changed, c, e);

    if (d)
        discovery_set_traffic(d, control_traffic, c);
    return d;
}

static void use_coming(struct control *c, struct discovery *next)
{
    discovery_free(c->coming);
    c->coming = next;
    c->coming_doubted = false;
}

/* What it has heard was for a token without rights, so it begins anew. */
static void renew_coming(struct control *c)
{
    struct err e;
    struct discovery *next = make_coming(c, c->config, &e);

    if (next)
        use_coming(c, next);
}

/* True: what comes has come. Consul shows nothing to a token without rights, in the same words as
 * when there is nothing: so the rights are awaited too. */
static bool look_at_coming(struct control *c)
{
    const struct consul_access_status *a;

    if (!c->coming || !discovery_ready(c->coming))
        return false;
    a = discovery_access(c->coming);
    if (a && !a->trusted) {
        if (a->problem[0] && !c->coming_doubted)
            log_warn("control",
                     "the new Consul settings are not in force yet, the old ones stay: %s",
                     a->problem);
        c->coming_doubted |= a->problem[0] != '\0';
        return false;
    }
    if (c->coming_doubted) {
        renew_coming(c);
        return false;
    }
    discovery_free(c->discovery);
    c->discovery = c->coming;
    c->coming = NULL;
    discovery_keep(c->discovery);
    c->sources.discovery = c->discovery;
    log_info("control", "the new Consul settings are in force");
    return true;
}

static void on_catalog_changed(void *arg)
{
    struct control *c = arg;

    (void)look_at_coming(c);
    publish_and_open(c);
}

static void on_credentials_changed(void *arg)
{
    publish_and_open(arg);
}

static void on_commands_changed(void *arg)
{
    struct control *c = arg;
    const struct fabio_commands *commands = control_fabio_commands(c->fabio);

    control_discovery_configure(c->discovery, c->config, commands);
    if (c->coming)
        control_discovery_configure(c->coming, c->config, commands);
    publish_and_open(c);
}

static void on_documents_changed(void *arg)
{
    publish_and_open(arg);
}

static void on_first_look(evutil_socket_t fd, short events, void *arg)
{
    struct control *c = arg;
    uint64_t waited_ms = (clock_now_ns() - c->sources.started_ns) / NS_PER_MS;
    struct discovery_status d;

    (void)fd;
    (void)events;
    if (c->listening) {
        event_del(c->first_look);
        return;
    }
    discovery_status(c->discovery, &d);
    if (!d.failing_since_ns && waited_ms < FIRST_LOOK_MS)
        return;
    log_warn("control", "Consul is not there yet: serving what is known without it");
    event_del(c->first_look);
    open_listeners(c);
}

static int open_admin(struct control *c, const struct config *config, struct err *e)
{
    if (!config->admin.address)
        return 0;
    c->admin = admin_new(c->base, &config->admin, &c->sources, e);
    return c->admin ? 0 : -1;
}

/* What can be refused of the section: a new address is listened on before the old one is given up.
 * *ret is NULL when the address stays (or there is to be no endpoint). */
static int prepare_admin(struct control *c, const struct config *next, struct admin **ret,
                         struct err *e)
{
    *ret = NULL;
    if (!next->admin.address || str_same(c->config->admin.address, next->admin.address))
        return admin_check(&next->admin, e);
    *ret = admin_new(c->base, &next->admin, &c->sources, e);
    return *ret ? 0 : -1;
}

static void apply_admin(struct control *c, const struct config *next, struct admin *fresh)
{
    struct err e;

    if (fresh || !next->admin.address) {
        admin_free(c->admin);
        c->admin = fresh;
    } else if (c->admin && admin_configure(c->admin, &next->admin, &e) < 0) {
        log_error("control", "%s", e.text);
    }
}

/* What the old fleet has forced stays; its own key goes away with its session. */
static void use_fleet(struct control *c, struct fleet *next)
{
    fleet_free(c->left_fleet);
    c->left_fleet = c->fleet;
    if (c->left_fleet)
        fleet_leave(c->left_fleet);
    c->fleet = next;
    control_sources_fleet(c);
}

static struct fleet *make_fleet(struct control *c, const struct config *config, struct err *e)
{
    struct fleet_options o = {
        .base = c->base,
        .registry = c->registry,
        .version = FRONTDESK_VERSION,
        .snapshot = control_snapshot,
        .arg = c,
    };

    return control_fleet_new(&o, config, e);
}

static void on_transitions(void *arg)
{
    struct control *c = arg;

    c->heard_transition =
        control_discovery_hear(c->discovery, registry_journal(c->registry), c->heard_transition);
    admin_wake(c->admin);
    webhooks_wake(c->webhooks);
}

/* Everything that can be refused is tried before anything is changed. */
static int apply(struct control *c, struct config *next, struct err *e)
{
    struct discovery *coming = NULL;
    struct fleet *fleet = NULL;
    struct admin *admin = NULL;
    struct issuer_set *issuers = NULL;
    struct credentials *credentials = NULL;
    bool same_fleet = control_fleet_same(c->config, next);
    const struct fabio_commands *commands;

    if (service_tls_check(c->registry, next, e) < 0)
        return -1;
    if (!str_same(next->access_log, c->config->access_log))
        log_warn("control", "access_log: takes effect with the next restart");
    control_state_look(next, c->config);
    if (workers_of(next) != c->nworkers)
        log_warn("control", "workers: %u takes effect with the next restart", workers_of(next));
    if (!control_discovery_same(c->config, next)) {
        coming = make_coming(c, next, e);
        if (!coming)
            return -1;
    }
    if (!same_fleet)
        fleet = make_fleet(c, next, e);
    if ((!same_fleet && next->fleet.enabled && !fleet) || prepare_admin(c, next, &admin, e) < 0 ||
        !(issuers = control_issuers_prepare(c->issuers, next, e)) ||
        !(credentials = control_credentials_prepare(c->credentials, next, e)) ||
        (c->listening && proxy_listen(c->proxy, next, e) < 0)) {
        issuer_set_unref(&issuers);
        credentials_free(&credentials);
        admin_free(admin);
        fleet_free(fleet);
        discovery_free(coming);
        return -1;
    }
    apply_admin(c, next, admin);
    if (!same_fleet)
        use_fleet(c, fleet);
    if (c->listening)
        control_registration_use(c->registration, next, gateway_name(c));
    webhooks_configure(c->webhooks, next);
    control_issuers_use(c->issuers, issuers);
    control_credentials_use(c->credentials, credentials, next);
    config_unref(&c->config);
    c->config = next;
    log_set_level((enum log_level)log_level_parse(next->log_level));
    if (coming)
        use_coming(c, coming);
    control_fabio_use(c->fabio, next);
    commands = control_fabio_commands(c->fabio);
    control_discovery_configure(c->discovery, next, commands);
    if (c->coming && !coming)
        control_discovery_configure(c->coming, next, commands);
    publish(c);
    return 0;
}

static int apply_documents(void *arg, struct config *next, struct err *e)
{
    return apply(arg, next, e);
}

static void reload(struct control *c)
{
    struct err e;
    char state[64];
    bool done;

    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%llu",
             (unsigned long long)(clock_now_ns() / 1000));
    notify(state);
    proxy_reopen_log(c->proxy);
    consul_access_reload();
    done = control_config_reload(c->documents, &e) == 0;
    c->sources.last_reload_wall_ms = clock_wall_ms();
    if (done) {
        publish_and_open(c);
        c->sources.reloads++;
        c->sources.last_reload_error[0] = '\0';
        log_info("control", "configuration reloaded from %s", c->dir);
    } else {
        c->sources.reloads_failed++;
        snprintf(c->sources.last_reload_error, sizeof c->sources.last_reload_error, "%.*s",
                 (int)sizeof c->sources.last_reload_error - 1, e.text);
        log_error("control", "reload refused, the old configuration stays: %s", e.text);
    }
    notify("READY=1");
}

/* Nobody is waiting for an answer any more. */
static void leave(void *arg)
{
    control_registration_leave(((struct control *)arg)->registration);
}

static bool has_left(void *arg)
{
    return control_registration_gone(((struct control *)arg)->registration);
}

static void end(void *arg)
{
    event_base_loopbreak(((struct control *)arg)->base);
}

static void begin_drain(struct control *c)
{
    if (!control_drain_begun(c->drain)) {
        notify("STOPPING=1\nSTATUS=draining");
        log_info("control", "draining");
        control_config_stop(c->documents);
        if (c->fleet)
            fleet_leave(c->fleet);
        control_registration_drain(c->registration);
    }
    control_drain_begin(c->drain, c->config->drain_delay_ms, c->config->drain_timeout_ms);
}

static void on_signal(evutil_socket_t sig, short events, void *arg)
{
    struct control *c = arg;

    (void)events;
    if (sig == SIGHUP)
        reload(c);
    else if (sig == SIGUSR1)
        proxy_reopen_log(c->proxy);
    else
        begin_drain(c);
}

static void on_watchdog(evutil_socket_t fd, short events, void *arg)
{
    struct control *c = arg;

    (void)fd;
    (void)events;
    if (proxy_alive(c->proxy))
        notify("WATCHDOG=1");
    else
        log_error("control", "a worker's loop does not turn");
}

static void on_registry_tick(evutil_socket_t fd, short events, void *arg)
{
    struct control *c = arg;

    (void)fd;
    (void)events;
    registry_tick(c->registry, clock_now_ns());
    if (look_at_coming(c))
        publish_and_open(c);
    control_registration_rename(c->registration, gateway_name(c));
    proxy_look_at_files(c->proxy, clock_now_ns());
}

static void start_timers(struct control *c)
{
    static const int numbers[] = {SIGHUP, SIGTERM, SIGINT, SIGUSR1};
    struct timeval first = {0, FIRST_LOOK_POLL_MS * 1000};
    struct timeval tick = {0, REGISTRY_TICK_MS * 1000};
    uint64_t watchdog_ms = notify_watchdog_ms();
    struct timeval beat;

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        /* What libevent puts back at the end: a second one must not kill what is ending. */
        signal(numbers[i], SIG_IGN);
        c->signals[i] = evsignal_new(c->base, numbers[i], on_signal, c);
        event_add(c->signals[i], NULL);
    }
    c->first_look = event_new(c->base, -1, EV_PERSIST, on_first_look, c);
    event_add(c->first_look, &first);
    c->registry_tick = event_new(c->base, -1, EV_PERSIST, on_registry_tick, c);
    event_add(c->registry_tick, &tick);
    if (watchdog_ms == 0 || watchdog_ms > WATCHDOG_POLL_MS)
        watchdog_ms = WATCHDOG_POLL_MS;
    beat = (struct timeval){(time_t)(watchdog_ms / 1000), (suseconds_t)(watchdog_ms % 1000 * 1000)};
    c->watchdog = event_new(c->base, -1, EV_PERSIST, on_watchdog, c);
    event_add(c->watchdog, &beat);
}

/* Workers inherit the mask: signals are the control thread's. */
static int start_workers(struct control *c, struct err *e)
{
    sigset_t all, old;
    int r;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    r = proxy_start(c->proxy, c->snapshot, c->config->access_log, e);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return r;
}

static int start(struct control *c, struct err *e)
{
    c->base = event_base_new();
    c->registry = registry_new(c->nworkers);
    c->builder = builder_new(c->registry);
    if (service_tls_check(c->registry, c->config, e) < 0)
        return -1;
    c->fabio = control_fabio_new(c->base, c->builder, on_commands_changed, c);
    c->discovery = control_discovery_new(c->base, c->config, NULL, true, on_catalog_changed, c, e);
    if (!c->base || !c->discovery)
        return -1;
    control_fabio_use(c->fabio, c->config);
    discovery_keep(c->discovery);
    discovery_set_traffic(c->discovery, control_traffic, c);
    c->proxy = proxy_new(c->nworkers);
    c->registration = control_registration_new(c->base, FRONTDESK_VERSION, report, c);
    c->drain =
        control_drain_new(c->base, c->proxy, &(struct control_drain_ops){leave, has_left, end, c});
    control_sources_fill(c);
    c->webhooks =
        webhooks_new(c->base, c->config, registry_journal(c->registry), FRONTDESK_VERSION);
    c->issuers = control_issuers_new(c->base, c->builder, c->proxy, c->config, e);
    c->credentials =
        control_credentials_new(c->base, c->builder, c->config, on_credentials_changed, c, e);
    c->journal = control_journal_new(c->base, registry_journal(c->registry), on_transitions, c, e);
    if (!c->issuers || !c->credentials || !c->journal)
        return -1;
    publish(c);
    use_fleet(c, make_fleet(c, c->config, e));
    if (c->config->fleet.enabled && !c->fleet)
        return -1;
    if (start_workers(c, e) < 0 || open_admin(c, c->config, e) < 0)
        return -1;
    start_timers(c);
    control_config_start(c->documents, c->base, c->config);
    publish(c);
    if (!is_complete(c))
        return 0;
    if (proxy_listen(c->proxy, c->config, e) < 0)
        return -1;
    note_serving(c);
    return 0;
}

static void free_event(struct event **e)
{
    if (*e)
        event_free(*e);
    *e = NULL;
}

static void stop(struct control *c)
{
    admin_free(c->admin);
    if (c->proxy)
        proxy_stop(c->proxy);
    proxy_free(c->proxy);
    control_drain_free(c->drain);
    control_registration_free(c->registration);
    fleet_free(c->fleet);
    fleet_free(c->left_fleet);
    webhooks_free(c->webhooks);
    control_config_free(c->documents);
    control_issuers_free(c->issuers);
    control_credentials_free(c->credentials);
    control_fabio_free(c->fabio);
    discovery_free(c->coming);
    discovery_free(c->discovery);
    snapshot_unref(&c->snapshot);
    builder_free(c->builder);
    registry_free(c->registry);
    for (size_t i = 0; i < ARRAY_LEN(c->signals); i++)
        free_event(&c->signals[i]);
    free_event(&c->first_look);
    free_event(&c->watchdog);
    free_event(&c->registry_tick);
    control_journal_free(&c->journal);
    config_unref(&c->config);
    if (c->base) {
        consul_access_finish(c->base, LOGOUT_MS);
        /* Names that were being asked for end in a loop turn of their own. */
        event_base_loop(c->base, EVLOOP_NONBLOCK);
        event_base_free(c->base);
    }
    libevent_global_shutdown();
}

int control_run(const char *dir)
{
    struct control c = {.dir = dir};
    struct control_config_options documents = {dir, apply_documents, on_documents_changed, &c};
    struct err e = {""};
    int status = 0;

    signal(SIGPIPE, SIG_IGN);
    c.documents = control_config_new(&documents);
    c.config = control_config_first(c.documents, &e);
    if (!c.config) {
        fprintf(stderr, "frontdesk: %s\n", e.text);
        control_config_free(c.documents);
        return 1;
    }
    log_set_level((enum log_level)log_level_parse(c.config->log_level));
    c.nworkers = workers_of(c.config);
    log_info("control", "frontdesk %s, %u workers, configuration %s", FRONTDESK_VERSION, c.nworkers,
             dir);
    control_state_look(c.config, NULL);
    if (start(&c, &e) < 0) {
        log_error("control", "%s", e.text);
        status = 1;
    } else {
        event_base_dispatch(c.base);
        status = c.failed ? 1 : 0;
        log_info("control", "stopped");
    }
    stop(&c);
    return status;
}
