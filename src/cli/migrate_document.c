/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/migrate_document.h"
#include "cli/migrate_route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum outcome { SAME, DIFFERS, LEFT_OUT };

static const char *const outcome_words[] = {"same", "differs", "left_out"};

struct count {
    size_t tags, outcomes[3];
};

static enum outcome outcome_of(enum tag_problem_kind kind)
{
    return kind == TAG_LEFT_OUT ? LEFT_OUT : DIFFERS;
}

/* Notes that belong to this subject; the worst outcome of theirs. `n`: bytes that must be equal. */
static enum outcome add_notes(json_t *notes, const struct tag_problem *p, size_t np,
                              const char *service, const char *subject, size_t n)
{
    enum outcome worst = SAME;

    for (size_t i = 0; i < np; i++) {
        if ((service && strcmp(p[i].service, service) != 0) || strncmp(p[i].tag, subject, n) != 0)
            continue;
        json_array_append_new(notes, migrate_text(p[i].why));
        worst = outcome_of(p[i].kind) > worst ? outcome_of(p[i].kind) : worst;
    }
    return worst;
}

static json_t *judged(const char *key, const char *text, json_t *notes, enum outcome outcome,
                      struct count *count)
{
    json_t *one = json_object();

    json_object_set_new(one, key, migrate_text(text));
    json_object_set_new(one, "outcome", json_string(outcome_words[outcome]));
    json_object_set_new(one, "notes", notes);
    count->tags++;
    count->outcomes[outcome]++;
    return one;
}

static bool is_ours(const struct migrate_catalog *c, struct str tag)
{
    return str_starts(str_trim(tag), str_of(c->consul->fabio_prefix)) ||
           str_istarts(tag, str_of(c->consul->traefik_prefix));
}

static bool is_listed(const json_t *tags, const char *text)
{
    const json_t *one;
    size_t i;

    json_array_foreach(tags, i, one)
    {
        if (strcmp(json_string_value(json_object_get(one, "tag")), text) == 0)
            return true;
    }
    return false;
}

static void add_tag(const struct migrate_catalog *c, const struct migrate_service *s, json_t *tags,
                    const char *text, struct count *count)
{
    json_t *notes;
    enum outcome own, shared;

    if (is_listed(tags, text))
        return;
    notes = json_array();
    own = add_notes(notes, s->routes.problems, s->routes.nproblems, NULL, text, strlen(text) + 1);
    shared = add_notes(notes, c->merged.problems, c->merged.nproblems, s->set->service, text,
                       strlen(text) + 1);
    json_array_append_new(tags, judged("tag", text, notes, own > shared ? own : shared, count));
}

/* Every tag once, in the order of the instances. */
static json_t *tags_of(const struct migrate_catalog *c, const struct migrate_service *s,
                       struct arena *a, struct count *count)
{
    json_t *tags = json_array();

    for (unsigned i = 0; i < s->set->n; i++) {
        const struct instance *one = &s->set->items[i];

        for (unsigned k = 0; k < one->ntags; k++)
            if (is_ours(c, str_of(one->tags[k])))
                add_tag(c, s, tags, tags_shown(a, str_trim(str_of(one->tags[k]))), count);
    }
    return tags;
}

/* "tag TAG of SERVICE" */
static bool is_of(const struct route_conf *conf, const char *service)
{
    size_t n = strlen(conf->source), m = strlen(service);

    return n > m + 4 && strncmp(conf->source + n - m - 4, " of ", 4) == 0 &&
           strcmp(conf->source + n - m, service) == 0;
}

static json_t *routes_of(const struct migrate_catalog *c, const struct migrate_service *s)
{
    json_t *routes = json_array();

    for (size_t i = 0; i < s->routes.ninputs; i++)
        json_array_append_new(routes, migrate_route(s->routes.inputs[i].conf));
    for (size_t i = 0; i < c->merged.ninputs; i++)
        if (is_of(c->merged.inputs[i].conf, s->set->service))
            json_array_append_new(routes, migrate_route(c->merged.inputs[i].conf));
    return routes;
}

static const char *id_of(const struct instance_set *set, uint64_t key)
{
    for (unsigned i = 0; i < set->n; i++)
        if (instance_key(&set->items[i]) == key)
            return set->items[i].id;
    return "";
}

static json_t *weights_of(const struct migrate_catalog *c, const struct instance_set *set)
{
    json_t *list = json_array();

    for (size_t i = 0; i < c->merged.nweights; i++) {
        const struct fabio_weights *w = &c->merged.weights[i];

        for (size_t k = 0; k < w->list.n && strcmp(w->service, set->service) == 0; k++) {
            json_t *one = json_object();

            json_object_set_new(one, "instance",
                                migrate_text(id_of(set, w->list.items[k].instance)));
            json_object_set_new(one, "weight", json_integer(w->list.items[k].weight));
            json_array_append_new(list, one);
        }
    }
    return list;
}

static json_t *service_part(const struct migrate_catalog *c, const struct migrate_service *s,
                            struct arena *a, struct count *count)
{
    json_t *one = json_object();

    json_object_set_new(one, "name", migrate_text(s->set->service));
    json_object_set_new(one, "instances", json_integer(s->set->n));
    json_object_set_new(one, "tags", tags_of(c, s, a, count));
    json_object_set_new(one, "routes", routes_of(c, s));
    json_object_set_new(one, "weights", weights_of(c, s->set));
    return one;
}

static json_t *lines_of(const struct migrate_catalog *c, struct arena *a, struct count *count)
{
    json_t *lines = json_array();

    for (size_t i = 0; c->commands && i < c->commands->n; i++) {
        const struct fabio_command *command = &c->commands->items[i];
        const char *where = arena_printf(a, "kv %s line %u: ", command->key, command->line);
        json_t *notes = json_array(), *one;
        enum outcome outcome =
            add_notes(notes, c->merged.problems, c->merged.nproblems, NULL, where, strlen(where));

        one = judged("text", command->text, notes, outcome, count);
        json_object_set_new(one, "key", migrate_text(command->key));
        json_object_set_new(one, "line", json_integer(command->line));
        json_array_append_new(lines, one);
    }
    return lines;
}

/* Routes to targets that are in no catalog. */
static json_t *added_routes(const struct migrate_catalog *c)
{
    json_t *routes = json_array();

    for (size_t i = 0; i < c->merged.ninputs; i++) {
        bool found = false;

        for (size_t k = 0; k < c->n; k++)
            found = found || is_of(c->merged.inputs[i].conf, c->services[k].set->service);
        if (!found)
            json_array_append_new(routes, migrate_route(c->merged.inputs[i].conf));
    }
    return routes;
}

/* {NAME: {"instances": [...], "protocol"}} of the targets that commands add. */
static json_t *added_services(const struct migrate_catalog *c, struct arena *a)
{
    json_t *all = json_object();

    for (size_t i = 0; c->commands && i < c->commands->n; i++) {
        const struct fabio_command *add = &c->commands->items[i];
        json_t *service, *list;

        if (add->verb != FABIO_ADD || add->trouble || add->redirect)
            continue;
        service = json_object_get(all, add->static_service);
        if (!service) {
            service = json_object();
            json_object_set_new(service, "instances", json_array());
            if (strcmp(add->scheme, "https") == 0)
                json_object_set_new(service, "tls", json_object());
            else if (strncmp(add->scheme, "grpc", 4) == 0)
                json_object_set_new(service, "protocol",
                                    json_string(add->scheme[4] ? "h2" : "h2c"));
            json_object_set_new(all, add->static_service, service);
        }
        list = json_object_get(service, "instances");
        json_array_append_new(
            list, json_string(arena_printf(a, strchr(add->host, ':') ? "[%s]:%u" : "%s:%u",
                                           add->host, (unsigned)add->port)));
    }
    return all;
}

static json_t *summary_part(const struct migrate_catalog *c, const struct count *tags,
                            const struct count *lines)
{
    json_t *s = json_object();

    json_object_set_new(s, "services", json_integer((json_int_t)c->n));
    json_object_set_new(s, "tags", json_integer((json_int_t)tags->tags));
    json_object_set_new(s, "commands", json_integer((json_int_t)lines->tags));
    for (int i = 0; i < 3; i++)
        json_object_set_new(s, outcome_words[i],
                            json_integer((json_int_t)(tags->outcomes[i] + lines->outcomes[i])));
    return s;
}

/* What holds of all tags of a kind. */
static json_t *remarks_of(const struct migrate_catalog *c)
{
    json_t *remarks = json_array();
    bool fabio = c->commands && c->commands->n > 0, traefik = false;

    for (size_t i = 0; i < c->n; i++) {
        fabio = fabio || c->services[i].routes.targets;
        traefik = traefik || c->services[i].routes.ninputs > 0;
    }
    if (fabio)
        json_array_append_new(
            remarks, json_string("fabio: a route for a host also takes requests with another port "
                                 "in Host, unless it has a port itself."));
    if (traefik)
        json_array_append_new(
            remarks, json_string("Traefik: routers without a priority are ranked by how specific "
                                 "they are, not by the length of their rules."));
    return remarks;
}

json_t *migrate_document(const struct migrate_catalog *c)
{
    json_t *doc = json_object(), *services = json_array(), *commands = json_object();
    struct count tags = {0}, lines = {0};
    struct arena *a = arena_new();

    for (size_t i = 0; i < c->n; i++)
        json_array_append_new(services, service_part(c, &c->services[i], a, &tags));
    json_object_set_new(commands, "lines", lines_of(c, a, &lines));
    json_object_set_new(commands, "routes", added_routes(c));
    json_object_set_new(commands, "services", added_services(c, a));
    if (c->commands_why)
        json_object_set_new(commands, "unread", migrate_text(c->commands_why));
    json_object_set_new(doc, "consul", migrate_text(c->from));
    json_object_set_new(doc, "remarks", remarks_of(c));
    json_object_set_new(doc, "services", services);
    json_object_set_new(doc, "commands", commands);
    json_object_set_new(doc, "summary", summary_part(c, &tags, &lines));
    arena_free(a);
    return doc;
}

bool migrate_is_clean(const json_t *doc)
{
    const json_t *summary = json_object_get(doc, "summary");

    return json_integer_value(json_object_get(summary, "differs")) == 0 &&
           json_integer_value(json_object_get(summary, "left_out")) == 0;
}
