/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/status_screen.h"
#include "base/macros.h"
#include "cli/span.h"

#include <stdlib.h>
#include <string.h>

/* Everything is written as one line each, so that lines can be counted and cut. */
struct lines {
    FILE *out;
    const struct term *t;
    unsigned left; /* lines that still fit; 0 with a limit = no more */
    bool limited;
};

static bool has_room(const struct lines *l)
{
    return !l->limited || l->left > 0;
}

static void end_line(struct lines *l)
{
    putc('\n', l->out);
    if (l->limited)
        l->left--;
}

/* One line of plain text, cut to the width; owned text. */
static void put_line(struct lines *l, char *text, const char *sgr)
{
    if (text && has_room(l)) {
        if (l->t->color && sgr)
            fprintf(l->out, "\033[%sm", sgr);
        text_put(l->out, l->t, text, l->t->width);
        if (l->t->color && sgr)
            fputs("\033[0m", l->out);
        end_line(l);
    }
    free(text);
}

static char *format(const char *fmt, ...) PRINTF_LIKE(1, 2);
static char *format(const char *fmt, ...)
{
    char *text;
    va_list args;
    int n;

    va_start(args, fmt);
    n = vasprintf(&text, fmt, args);
    va_end(args);
    return n < 0 ? NULL : text;
}

static void forced_note(FILE *out, const struct forced_line *f)
{
    char span[SPAN_MAX];

    fprintf(out, "by %s%s, %s left", f->author && *f->author ? f->author : "nobody named",
            f->fleet ? " (fleet)" : "", span_text(span, f->ends_in_ms));
    if (f->why && *f->why)
        fprintf(out, ": %s", f->why);
}

static void trip_note(FILE *out, const struct service_line *l)
{
    if (l->cause)
        fprintf(out, "%s %lld/%lld", l->cause, (long long)l->trip_failed, (long long)l->trip_total);
}

static void state_note(FILE *out, const struct service_line *l)
{
    char span[SPAN_MAX];

    if (strcmp(l->state, "shadow") == 0 && strcmp(l->machine, "closed") != 0) {
        fprintf(out, "would reject (%s, %lld so far)", l->machine, (long long)l->would_reject);
    } else if (strcmp(l->state, "shadow") == 0) {
        fprintf(out, "only watches");
    } else if (strcmp(l->state, "open") == 0) {
        trip_note(out, l);
        if (l->reopens_in_ms >= 0)
            fprintf(out, "%sprobes in %s", l->cause ? ", " : "", span_text(span, l->reopens_in_ms));
    } else if (strcmp(l->state, "half_open") == 0) {
        fprintf(out, "probing after ");
        trip_note(out, l);
    }
}

void status_note(FILE *out, const struct service_line *l)
{
    char *text = NULL;
    size_t n = 0;
    FILE *parts = open_memstream(&text, &n);

    if (!parts)
        return;
    if (l->forced.state)
        forced_note(parts, &l->forced);
    if (l->forced.state && strcmp(l->state, "shadow") == 0)
        fputs("; ", parts);
    state_note(parts, l);
    fflush(parts);
    if (l->total == 0)
        fprintf(parts, "%sno instance is registered", n ? "; " : "");
    else if (l->available == 0)
        fprintf(parts, "%sno instance is available", n ? "; " : "");
    fflush(parts);
    if (l->panic)
        fprintf(parts, "%spanic: health is ignored", n ? "; " : "");
    fflush(parts);
    if (l->ejected > 0)
        fprintf(parts, "%s%lld ejected", n ? "; " : "", (long long)l->ejected);
    fflush(parts);
    if (l->held > 0)
        fprintf(parts, "%s%lld held: Consul is not believed yet", n ? "; " : "",
                (long long)l->held);
    fflush(parts);
    if (l->damped > 0)
        fprintf(parts, "%s%lld damped", n ? "; " : "", (long long)l->damped);
    fflush(parts);
    if (l->instance_forced.state) {
        fprintf(parts, "%s%s %s ", n ? "; " : "", l->instance_id, l->instance_forced.state);
        forced_note(parts, &l->instance_forced);
    }
    fflush(parts);
    if (l->place)
        fprintf(parts, "%scomes from %s (%s)", n ? "; " : "", l->place, l->place_why);
    fclose(parts);
    fputs(text, out);
    free(text);
}

/* Columns behind the name. Each is shown from a width of the terminal on. */

static char *cell_instances(const struct status_page *p, const struct service_line *l)
{
    (void)p;
    return format("%3lld/%-3lld", (long long)l->available, (long long)l->total);
}

static char *rate_text(double rate)
{
    if (rate < 0)
        return format("%9s", "-");
    return format(rate < 99.95 ? "%9.1f" : "%9.0f", rate);
}

static char *cell_requests(const struct status_page *p, const struct service_line *l)
{
    return p->rates ? rate_text(l->rate) : format("%9lld", (long long)l->requests);
}

static char *cell_failures(const struct status_page *p, const struct service_line *l)
{
    return p->rates ? rate_text(l->failure_rate) : format("%9lld", (long long)l->failures);
}

static char *cell_rejected(const struct status_page *p, const struct service_line *l)
{
    (void)p;
    return format("%9lld", (long long)l->rejected);
}

static char *latency_text(double ms)
{
    return ms < 0 ? format("%8s", "-") : format("%8.1f", ms);
}

static char *cell_p50(const struct status_page *p, const struct service_line *l)
{
    (void)p;
    return latency_text(l->p50_ms);
}

static char *cell_p99(const struct status_page *p, const struct service_line *l)
{
    (void)p;
    return latency_text(l->p99_ms);
}

static char *cell_in_flight(const struct status_page *p, const struct service_line *l)
{
    (void)p;
    return format("%9lld", (long long)l->in_flight);
}

static char *cell_waiting(const struct status_page *p, const struct service_line *l)
{
    (void)p;
    return format("%7lld", (long long)l->waiting);
}

enum { STATE_WIDTH = 13, MIN_NAME = 12, LONG_NAME = 40, MIN_NOTE = 24, MIN_STATE = 18 };

static const struct column {
    const char *total, *rate; /* heading without and with rates */
    unsigned width, from;     /* shown when the terminal has at least `from` columns */
    char *(*cell)(const struct status_page *p, const struct service_line *l);
} columns[] = {
    {"INST   ", "INST   ", 7, 34, cell_instances},
    {" REQUESTS", "    REQ/S", 9, 44, cell_requests},
    {" FAILURES", "    ERR/S", 9, 54, cell_failures},
    {" REJECTED", " REJECTED", 9, 148, cell_rejected},
    {"  P50 MS", "  P50 MS", 8, 122, cell_p50},
    {"  P99 MS", "  P99 MS", 8, 92, cell_p99},
    {"IN FLIGHT", "IN FLIGHT", 9, 134, cell_in_flight},
    {"WAITING", "WAITING", 7, 160, cell_waiting},
};

static bool shown(const struct term *t, const struct column *c)
{
    return t->width == 0 || t->width >= c->from;
}

static unsigned rest_width(const struct term *t, unsigned name)
{
    unsigned used = name + 1 + STATE_WIDTH;

    for (size_t i = 0; i < ARRAY_LEN(columns); i++)
        used += shown(t, &columns[i]) ? columns[i].width + 1 : 0;
    return t->width > used + 2 ? t->width - used - 2 : 0;
}

/* As wide as the longest name, as long as what stands beside it has room. */
static unsigned name_width(const struct term *t, const struct status_page *p)
{
    unsigned width = 24;

    if (t->width == 0) {
        for (size_t i = 0; i < p->n; i++) {
            unsigned n = text_columns(t, p->lines[i].name);

            width = n > width ? n : width;
        }
        return width < LONG_NAME ? width : LONG_NAME;
    }
    while (width > MIN_NAME && rest_width(t, width) < MIN_NOTE)
        width--;
    if (t->width < MIN_STATE)
        return t->width;
    return t->width < width + 1 + STATE_WIDTH ? t->width - 1 - STATE_WIDTH : width;
}

static void put_heading(struct lines *l, const struct status_page *p, unsigned name)
{
    if (!has_room(l))
        return;
    if (l->t->color)
        fputs("\033[1m", l->out);
    text_cell(l->out, l->t, "SERVICE", name);
    if (l->t->width == 0 || l->t->width >= name + 1 + STATE_WIDTH) {
        putc(' ', l->out);
        text_cell(l->out, l->t, "BREAKER", STATE_WIDTH);
    }
    for (size_t i = 0; i < ARRAY_LEN(columns); i++)
        if (shown(l->t, &columns[i]))
            fprintf(l->out, " %s", p->rates ? columns[i].rate : columns[i].total);
    if (l->t->color)
        fputs("\033[0m", l->out);
    end_line(l);
}

static void put_note(struct lines *l, const struct service_line *s, unsigned name)
{
    unsigned room = rest_width(l->t, name);
    char *text = NULL;
    size_t n = 0;
    FILE *note = open_memstream(&text, &n);

    if (!note)
        return;
    status_note(note, s);
    fclose(note);
    if (n > 0 && (l->t->width == 0 || room > 0)) {
        fputs("  ", l->out);
        text_put(l->out, l->t, text, l->t->width ? room : TEXT_ALL);
    }
    free(text);
}

static void put_service(struct lines *l, const struct status_page *p, const struct service_line *s,
                        unsigned name)
{
    text_cell(l->out, l->t, s->name, name);
    if (l->t->width == 0 || l->t->width >= name + 1 + STATE_WIDTH) {
        putc(' ', l->out);
        text_state(l->out, l->t, s->state, STATE_WIDTH);
    }
    for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
        char *cell = shown(l->t, &columns[i]) ? columns[i].cell(p, s) : NULL;

        if (cell)
            fprintf(l->out, " %s", cell);
        free(cell);
    }
    put_note(l, s, name);
    end_line(l);
}

static const char *instance_state(const json_t *i, const json_t *breaker)
{
    if (breaker && strcmp(doc_text(breaker, "state"), "closed") != 0)
        return doc_text(breaker, "state");
    return json_is_true(json_object_get(i, "ejected"))        ? "ejected"
           : json_is_true(json_object_get(i, "on_probation")) ? "probation"
           : json_is_true(json_object_get(i, "available"))    ? "in"
                                                              : "out";
}

static void put_instance(struct lines *l, const json_t *i, const json_t *breaker)
{
    const char *host = doc_text(i, "address");
    char *address =
        format(strchr(host, ':') ? "[%s]:%lld" : "%s:%lld", host, (long long)doc_int(i, "port"));
    struct forced_line f = doc_forced(breaker);
    char *text = NULL;
    size_t n = 0;
    FILE *line = open_memstream(&text, &n);

    if (!line) {
        free(address);
        return;
    }
    text_cell(line, l->t, doc_text(i, "id"), 28);
    putc(' ', line);
    text_cell(line, l->t, address, 22);
    putc(' ', line);
    text_cell(line, l->t, doc_text(i, "health"), 12);
    putc(' ', line);
    text_cell(line, l->t, instance_state(i, breaker), STATE_WIDTH);
    fprintf(line, "%9lld %9lld %9lld  ", (long long)doc_int(i, "in_flight"),
            (long long)doc_int(i, "requests"), (long long)doc_int(i, "failures"));
    if (f.state)
        forced_note(line, &f);
    fclose(line);
    free(address);
    while (n > 0 && text[n - 1] == ' ')
        text[--n] = '\0';
    put_line(l, text, NULL);
}

static void put_instances(struct lines *l, const struct service_line *s)
{
    json_t *i;
    size_t at;

    put_line(l, format("%s", ""), NULL);
    put_line(l,
             format("%-28s %-22s %-12s %-13s%9s %9s %9s", "INSTANCE", "ADDRESS", "HEALTH", "STATE",
                    "IN FLIGHT", "REQUESTS", "FAILURES"),
             "1");
    json_array_foreach(json_object_get(s->doc, "instances"), at, i)
    {
        const json_t *breaker = json_array_get(json_object_get(s->breaker, "instances"), at);

        if (breaker && strcmp(doc_text(breaker, "id"), doc_text(i, "id")) != 0)
            breaker = NULL;
        put_instance(l, i, breaker);
    }
}

static void put_place(struct lines *l, const json_t *p)
{
    char age[SPAN_MAX];
    const char *error = json_string_value(json_object_get(p, "error"));
    bool suspect = json_is_string(json_object_get(p, "suspect_until"));
    bool heard = json_is_number(json_object_get(p, "data_age_ms"));

    put_line(l,
             format("%-28s %-8s %3lld/%-3lld %-8s %s%s%s%s%s", doc_text(p, "place"),
                    json_is_true(json_object_get(p, "active")) ? "in use" : "",
                    (long long)doc_int(p, "usable"), (long long)doc_int(p, "total"),
                    doc_text(p, "watch"),
                    heard ? span_text(age, doc_int(p, "data_age_ms")) : "never",
                    heard ? " ago" : "", suspect ? ", requests to it failed" : "",
                    error ? ": " : "", error ? error : ""),
             error || suspect ? "33" : NULL);
}

static void put_places(struct lines *l, const struct service_line *s)
{
    const json_t *list = json_object_get(json_object_get(s->doc, "failover"), "places");
    json_t *p;
    size_t at;

    if (!json_is_array(list))
        return;
    put_line(l, format("%s", ""), NULL);
    put_line(l, format("%-28s %-8s %-7s %-8s %s", "PLACE", "", "INST", "WATCH", "ANSWERED"), "1");
    json_array_foreach(list, at, p) put_place(l, p);
}

/* What of an earlier run is served, and what a later one would miss. */
static void put_kept(struct lines *l, const json_t *kept)
{
    const json_t *recalled = json_object_get(kept, "recalled");
    char age[SPAN_MAX];

    if (json_is_object(recalled))
        put_line(l,
                 format("Catalog from disk, %s old: %lld services not confirmed by Consul yet",
                        span_text(age, doc_int(recalled, "age_ms")),
                        (long long)doc_int(recalled, "services")),
                 "33;1");
    if (json_is_string(json_object_get(kept, "refused")))
        put_line(l, format("Catalog on disk not used: %s", doc_text(kept, "refused")), "33");
    if (json_is_string(json_object_get(kept, "error")))
        put_line(l, format("Catalog not kept on disk: %s", doc_text(kept, "error")), "33");
}

/* The agent when there is a choice, and what the token lacks. */
static void put_access(struct lines *l, const json_t *access)
{
    const json_t *missing = json_object_get(access, "missing"), *m;
    size_t at;

    if (json_array_size(json_object_get(access, "agents")) > 1)
        put_line(l,
                 format("Consul agent: %s since %s%s%s", doc_text(access, "agent"),
                        doc_text(access, "since"),
                        json_is_string(json_object_get(access, "switch_why")) ? "; " : "",
                        doc_text(access, "switch_why")),
                 NULL);
    json_array_foreach(missing, at, m) put_line(
        l, format("Consul: the token lacks %s, for %s", doc_text(m, "right"), doc_text(m, "for")),
        json_is_true(json_object_get(m, "optional")) ? NULL : "31;1");
    if (json_array_size(missing) == 0 && json_is_true(json_object_get(access, "judged")) &&
        json_is_string(json_object_get(access, "problem")))
        put_line(l, format("Consul: %s", doc_text(access, "problem")), "31;1");
    if (json_is_string(json_object_get(json_object_get(access, "token"), "login_error")))
        put_line(l,
                 format("Consul: the login fails: %s",
                        doc_text(json_object_get(access, "token"), "login_error")),
                 "31;1");
    if (json_is_false(json_object_get(access, "verify")))
        put_line(l, format("Consul: the agent's certificate is not verified"), "33;1");
}

static void put_held(struct lines *l, const json_t *consul)
{
    long long instances = (long long)doc_int(consul, "held_instances");
    long long services = (long long)doc_int(consul, "held_services");

    if (instances > 0)
        put_line(l,
                 format("Consul is not believed about %lld instance%s of %lld service%s: frontdesk "
                        "catalog",
                        instances, instances == 1 ? "" : "s", services, services == 1 ? "" : "s"),
                 "33");
}

static void put_consul(struct lines *l, const struct status_page *p)
{
    const json_t *consul = json_object_get(p->status, "consul");
    char age[SPAN_MAX];

    span_text(age, doc_int(consul, "last_good_age_ms"));
    if (!json_is_true(json_object_get(consul, "enabled")))
        put_line(l, format("Consul: not used"), NULL);
    else if (status_page_consul_away(p) &&
             json_is_null(json_object_get(consul, "last_good_age_ms")))
        put_line(l, format("Consul: AWAY, never heard: %s", doc_text(consul, "last_error")),
                 "31;1");
    else if (status_page_consul_away(p))
        put_line(l, format("Consul: AWAY, data is %s old: %s", age, doc_text(consul, "last_error")),
                 "31;1");
    else
        put_line(l, format("Consul: connected, last answer %s ago", age), NULL);
    put_access(l, json_object_get(consul, "access"));
    put_kept(l, json_object_get(consul, "kept"));
    put_held(l, consul);
}

/* The part of the configuration that is in Consul: shown when it is not as it should be. */
static void put_consul_config(struct lines *l, const struct status_page *p)
{
    const json_t *c = json_object_get(p->status, "consul_config");
    bool refused = json_is_true(json_object_get(c, "refused"));

    if (!json_is_object(c))
        return;
    if (json_is_string(json_object_get(c, "last_error")))
        put_line(l, format("Configuration in Consul: %s", doc_text(c, "last_error")),
                 refused ? "31;1" : "33;1");
    else if (strcmp(doc_text(c, "source"), "disk") == 0)
        put_line(l, format("Configuration in Consul: as on disk, of %s", doc_text(c, "saved")),
                 "33;1");
    else if (!l->limited)
        put_line(l,
                 format("Configuration in Consul: %lld documents, index %lld",
                        (long long)doc_int(c, "documents"), (long long)doc_int(c, "index")),
                 NULL);
}

static void put_shedding(struct lines *l, const struct status_page *p)
{
    static const char *const refused[] = {"", "low", "low and normal", "low, normal and high"};
    int level = status_page_shed_level(p);

    if (level >= 1 && level <= 3)
        put_line(l, format("SATURATED: refuses routes of %s importance", refused[level]), "31;1");
}

/* What is well needs no line where lines are few. */
enum { ROOM_FOR_ALL = 10, ROOM_FOR_HEAD = 4 };

static void put_head(struct lines *l, const struct status_page *p)
{
    const json_t *s = p->status;
    char up[SPAN_MAX];

    if (l->limited && l->left < ROOM_FOR_HEAD)
        return;
    put_line(l,
             format("frontdesk %s, up %s, %s, %lld connections, %lld requests",
                    doc_text(s, "version"), span_text(up, doc_int(s, "uptime_s") * 1000),
                    json_is_true(json_object_get(s, "draining")) ? "draining"
                    : json_is_true(json_object_get(s, "ready"))  ? "ready"
                                                                 : "not ready",
                    (long long)doc_int(s, "connections"), (long long)doc_int(s, "requests")),
             NULL);
    if (!l->limited || l->left >= ROOM_FOR_ALL || status_page_consul_away(p) ||
        status_page_lacks_rights(p))
        put_consul(l, p);
    put_consul_config(l, p);
    put_shedding(l, p);
    if (!l->limited || l->left >= ROOM_FOR_ALL)
        put_line(l, format("%s", ""), NULL);
}

static void put_banner(struct lines *l, const struct screen_state *s)
{
    char span[SPAN_MAX];

    if (s->away)
        put_line(l,
                 format("NO ANSWER from %s for %s: %s", s->address,
                        span_text(span, (int64_t)s->away_ms), s->away),
                 "31;1;7");
    else if (s->missing)
        put_line(l, format("there is no service %s", s->missing), "31;1");
    else if (s->came_back)
        put_line(l, format("%s answers again", s->address), "32;1");
}

static void put_more(struct lines *l, const struct status_page *p, size_t from)
{
    size_t serious = 0;

    for (size_t i = from; i < p->n; i++)
        serious += p->lines[i].attention != ATTENTION_NONE;
    put_line(l,
             serious ? format("... %zu more, %zu of them need attention", p->n - from, serious)
                     : format("... %zu more, all well", p->n - from),
             NULL);
}

void status_screen(FILE *out, const struct term *t, const struct status_page *p,
                   const struct screen_state *s)
{
    struct lines l = {out, t, t->height, t->height > 0};
    unsigned name;
    size_t i;

    put_banner(&l, s);
    if (!p)
        return;
    name = name_width(t, p);
    put_head(&l, p);
    if (!l.limited || l.left > 1)
        put_heading(&l, p, name);
    for (i = 0; i < p->n && (!l.limited || l.left > 1 || (l.left == 1 && i + 1 == p->n)); i++)
        put_service(&l, p, &p->lines[i], name);
    if (i < p->n)
        put_more(&l, p, i);
    for (i = 0; s->instances && i < p->n; i++) {
        put_places(&l, &p->lines[i]);
        put_instances(&l, &p->lines[i]);
    }
}
