/* SPDX-License-Identifier: Apache-2.0 */
#include "registration.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "consul_http.h"
#include "registration_plan.h"

#include <event2/event.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TICK_MS = 200, CALL_MS = 5000, TCP_CHECK_TIMEOUT_S = 2, TEXT_MAX = 256 };

struct registration {
    struct registration_options o; /* report and arg; the rest is in `body` */
    char *name, *id;               /* owned */
    char *path_id;                 /* owned; encoded */
    char *check_path;              /* owned; of the check with a time to live */
    char *body;                    /* owned; of the registration */
    struct consul_http *http;      /* owned */
    struct consul_get *get;        /* owned; one call at a time */
    enum registration_call in_flight;
    struct event *tick; /* owned */
    struct registration_plan plan;
    enum registration_health health;
    char text[TEXT_MAX], last_error[256];
    struct rng rng;
};

static char *copy(const char *text)
{
    char *c = strdup(text);

    if (!c)
        abort();
    return c;
}

static char *duration(char text[32], uint64_t ms)
{
    snprintf(text, 32, "%" PRIu64 "ms", ms);
    return text;
}

static void add_check(json_t *list, const char *id, const char *name, json_t *check)
{
    json_object_set_new(check, "CheckID", json_string(id));
    json_object_set_new(check, "Name", json_string(name));
    json_array_append_new(list, check);
}

static json_t *checks_of(const struct registration_options *o)
{
    char interval[32], after[32], ttl[32], timeout[32], id[512], name[300];
    json_t *list = json_array();

    duration(after, o->deregister_after_ms);
    snprintf(id, sizeof id, "%s:self", o->id);
    add_check(list, id, "the gateway's own word",
              json_pack("{s:s,s:s,s:s}", "TTL", duration(ttl, REGISTRATION_TTL_S * 1000ull),
                        "Status", "critical", "DeregisterCriticalServiceAfter", after));
    for (size_t i = 0; i < o->nlisteners; i++) {
        snprintf(id, sizeof id, "%s:listener:%s", o->id, o->listeners[i]);
        snprintf(name, sizeof name, "listener %s", o->listeners[i]);
        add_check(list, id, name,
                  json_pack("{s:s,s:s,s:s,s:s}", "TCP", o->listeners[i], "Status", "passing",
                            "Interval", duration(interval, o->check_interval_ms), "Timeout",
                            duration(timeout, TCP_CHECK_TIMEOUT_S * 1000ull)));
    }
    return list;
}

static char *body_of(const struct registration_options *o)
{
    json_t *doc = json_object(), *tags = json_array(), *meta = json_object();
    char *text;

    for (size_t i = 0; i < o->ntags; i++)
        json_array_append_new(tags, json_string(o->tags[i]));
    for (size_t i = 0; i < o->nmeta; i++)
        json_object_set_new(meta, o->meta[i].key, json_string(o->meta[i].value));
    json_object_set_new(doc, "Name", json_string(o->name));
    json_object_set_new(doc, "ID", json_string(o->id));
    if (o->host)
        json_object_set_new(doc, "Address", json_string(o->host));
    json_object_set_new(doc, "Port", json_integer(o->port));
    json_object_set_new(doc, "Tags", tags);
    json_object_set_new(doc, "Meta", meta);
    json_object_set_new(doc, "Checks", checks_of(o));
    text = json_dumps(doc, JSON_COMPACT);
    json_decref(doc);
    return text;
}

static char *report_body(const struct registration *r)
{
    static const char *const words[] = {"passing", "warning", "critical"};
    json_t *doc = json_pack("{s:s,s:s}", "Status", words[r->health], "Output", r->text);
    char *text = json_dumps(doc, JSON_COMPACT);

    json_decref(doc);
    return text ? text : copy("{}");
}

static char *path_of(const struct registration *r, enum registration_call call)
{
    char *path = NULL;
    int n = 0;

    switch (call) {
    case REGISTRATION_REGISTER:
        return copy("/v1/agent/service/register?replace-existing-checks=true");
    case REGISTRATION_REPORT:
        return copy(r->check_path);
    case REGISTRATION_READ:
        n = asprintf(&path, "/v1/agent/service/%s", r->path_id);
        break;
    case REGISTRATION_MAINTENANCE:
        n = asprintf(&path,
                     "/v1/agent/service/maintenance/%s?enable=true&reason=the%%20gateway%%20drains",
                     r->path_id);
        break;
    case REGISTRATION_DEREGISTER:
        n = asprintf(&path, "/v1/agent/service/deregister/%s", r->path_id);
        break;
    case REGISTRATION_NONE:
        break;
    }
    if (n < 0 || !path)
        abort();
    return path;
}

static void next_call(struct registration *r)
{
    enum registration_call call = registration_plan_next(&r->plan, clock_now_ns());
    char *path, *body = NULL;

    if (call == REGISTRATION_NONE || consul_get_busy(r->get))
        return;
    path = path_of(r, call);
    r->in_flight = call;
    consul_http_refresh_token(r->http, false);
    if (call == REGISTRATION_READ) {
        consul_get_start(r->get, path, CALL_MS);
    } else {
        body = call == REGISTRATION_REGISTER ? copy(r->body)
               : call == REGISTRATION_REPORT ? report_body(r)
                                             : copy("");
        consul_write_start(r->get, "PUT", path, str_of(body), CALL_MS);
    }
    free(path);
    free(body);
}

static void say(struct registration *r, const char *problem, const struct consul_answer *a,
                bool was_registered)
{
    if (problem && strcmp(problem, r->last_error) != 0)
        log_warn("registration", "%s: %s%s%s", r->id, problem, a->error ? ": " : "",
                 a->error ? a->error : "");
    else if (!problem && !was_registered && r->plan.registered)
        log_info("registration", "%s: registered with the Consul agent", r->id);
    snprintf(r->last_error, sizeof r->last_error, "%s", problem ? problem : "");
}

static void on_done(void *arg, const struct consul_answer *a)
{
    struct registration *r = arg;
    bool was_registered = r->plan.registered;
    /* A 200 whose body is not as expected is no answer of an agent. */
    int status = a->status == 200 && a->error ? 502 : a->status;
    const char *problem =
        registration_plan_done(&r->plan, r->in_flight, status, a->body, clock_now_ns(), &r->rng);

    if (status == 403)
        consul_http_refresh_token(r->http, true);
    say(r, problem, a, was_registered);
    next_call(r);
}

static void look_at_self(struct registration *r)
{
    char text[TEXT_MAX] = "";
    enum registration_health health = r->o.report(r->o.arg, text, sizeof text);

    if (health != r->health || strcmp(text, r->text) != 0)
        registration_plan_changed(&r->plan);
    r->health = health;
    snprintf(r->text, sizeof r->text, "%s", text);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct registration *r = arg;

    (void)fd;
    (void)what;
    look_at_self(r);
    next_call(r);
}

struct registration *registration_new(const struct registration_options *o, struct err *e)
{
    struct consul_http *http = consul_http_new(o->base, o->consul, e);
    struct timeval tick = {0, TICK_MS * 1000};
    struct registration *r;
    char *body;

    if (!http)
        return NULL;
    body = body_of(o);
    if (!body) {
        err_set(e, "registration: a text in it is not UTF-8");
        consul_http_free(http);
        return NULL;
    }
    r = alloc_or_abort(sizeof *r);
    r->o = (struct registration_options){.report = o->report, .arg = o->arg};
    r->body = body;
    r->http = http;
    r->get = consul_get_new(http, on_done, r);
    r->name = copy(o->name);
    r->id = copy(o->id);
    r->path_id = consul_http_encode(o->id);
    if (asprintf(&r->check_path, "/v1/agent/check/update/%s%%3Aself", r->path_id) < 0)
        abort();
    r->rng.state = clock_now_ns() ^ (uint64_t)getpid() << 32;
    registration_plan_init(&r->plan);
    look_at_self(r);
    r->tick = event_new(o->base, -1, EV_PERSIST, on_tick, r);
    if (!r->tick)
        abort();
    event_add(r->tick, &tick);
    next_call(r);
    return r;
}

void registration_free(struct registration *r)
{
    if (!r)
        return;
    event_free(r->tick);
    consul_get_free(r->get);
    consul_http_free(r->http);
    free(r->name);
    free(r->id);
    free(r->path_id);
    free(r->check_path);
    free(r->body);
    free(r);
}

void registration_drain(struct registration *r)
{
    registration_plan_drain(&r->plan);
    next_call(r);
}

void registration_leave(struct registration *r)
{
    registration_plan_leave(&r->plan);
    next_call(r);
}

bool registration_gone(const struct registration *r)
{
    return registration_plan_gone(&r->plan);
}

void registration_status(const struct registration *r, struct registration_status *ret)
{
    *ret = (struct registration_status){
        .name = r->name,
        .id = r->id,
        .registered = r->plan.registered,
        .in_maintenance = r->plan.in_maintenance,
        .registrations = r->plan.registrations,
        .last_error = r->last_error,
    };
}
