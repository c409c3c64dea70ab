/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/explain_text.h"
#include "base/macros.h"
#include "cli/span.h"
#include "cli/status_page.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL = 10 };

/* "label      text", the text safe for the terminal. */
static void line(FILE *out, const struct term *t, const char *label, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
static void line(FILE *out, const struct term *t, const char *label, const char *fmt, ...)
{
    va_list args;
    char *text;
    int n;

    va_start(args, fmt);
    n = vasprintf(&text, fmt, args);
    va_end(args);
    if (n < 0)
        return;
    if (t->color && *label && *label != ' ')
        fputs("\033[1m", out);
    fprintf(out, "%-*s", LABEL, label);
    if (t->color && *label && *label != ' ')
        fputs("\033[0m", out);
    putc(' ', out);
    text_put(out, t, text, TEXT_ALL);
    putc('\n', out);
    free(text);
}

static const json_t *get(const json_t *o, const char *key)
{
    return json_object_get(o, key);
}

static bool has(const json_t *o, const char *key)
{
    const json_t *v = get(o, key);

    return v && !json_is_null(v);
}

static bool is(const json_t *o, const char *key, const char *word)
{
    return strcmp(doc_text(o, key), word) == 0;
}

/* "a, b, c" of a list of strings; owned. */
static char *joined(const json_t *list)
{
    char *text = NULL;
    size_t n = 0, i;
    json_t *item;
    FILE *out = open_memstream(&text, &n);

    if (!out)
        abort();
    json_array_foreach(list, i, item)
        fprintf(out, "%s%s", i ? ", " : "", json_string_value(item) ? json_string_value(item) : "");
    fclose(out);
    return text;
}

static void put_request(FILE *out, const struct term *t, const json_t *doc)
{
    const json_t *r = get(doc, "request");

    line(out, t, "request", "%s %s://%s%s%s%s  HTTP/%s, from %s", doc_text(r, "method"),
         doc_text(r, "scheme"), doc_text(r, "host"), doc_text(r, "path"),
         has(r, "query") ? "?" : "", has(r, "query") ? doc_text(r, "query") : "",
         doc_text(r, "http"), doc_text(r, "client"));
}

static void put_route(FILE *out, const struct term *t, const json_t *route)
{
    char *methods = joined(get(route, "methods"));

    line(out, t, "route", "%s  (%s)", doc_text(route, "name"), doc_text(route, "source"));
    line(out, t, "", "%s %s, host %s, %s%s%s%s", doc_text(route, "match"), doc_text(route, "path"),
         *doc_text(route, "host") ? doc_text(route, "host") : "any",
         *methods ? "methods " : "any method", methods,
         doc_int(route, "conditions") ? ", with conditions" : "",
         doc_int(route, "priority") ? ", with a priority" : "");
    free(methods);
}

static const char *loss_sentence(const json_t *other)
{
    static const char *const sentences[][2] = {
        {"host", "another host"},
        {"path", "the path does not match"},
        {"scheme", "it wants TLS, or none"},
        {"header", "a header field is not as it wants:"},
        {"query", "a query parameter is not as it wants:"},
        {"method", "another method: it takes"},
        {"more_specific_host", "fits, but its host is less specific"},
        {"priority", "fits, but its priority is lower"},
        {"more_specific_path", "fits, but its path is less specific"},
        {"more_conditions", "fits, but it has fewer conditions"},
        {"configuration_first", "fits, but it is of a tag: the configuration comes first"},
        {"older_service", "fits, but it is of a younger service"},
        {"name_order", "fits, but it comes later by name"},
    };

    for (size_t i = 0; i < ARRAY_LEN(sentences); i++)
        if (is(other, "lost_by", sentences[i][0]))
            return sentences[i][1];
    return doc_text(other, "lost_by");
}

static void put_other(FILE *out, const struct term *t, const json_t *other)
{
    char *methods = joined(get(other, "methods"));
    const char *more = has(other, "field")              ? doc_text(other, "field")
                       : is(other, "lost_by", "method") ? methods
                                                        : "";

    line(out, t, "  not", "%s%s  (%s): %s%s%s", doc_text(other, "host"), doc_text(other, "path"),
         doc_text(other, "source"), loss_sentence(other), *more ? " " : "", more);
    free(methods);
}

static void put_routes(FILE *out, const struct term *t, const json_t *doc)
{
    const json_t *route = get(doc, "matched");
    json_t *other;
    size_t i;

    if (json_is_object(route))
        put_route(out, t, route);
    else if (has(doc, "allow"))
        line(out, t, "route", "none: the path has routes, but for %s", doc_text(doc, "allow"));
    else
        line(out, t, "route", "none");
    json_array_foreach(get(doc, "others"), i, other) put_other(out, t, other);
    if (json_is_object(route))
        line(out, t, "auth", "%s", has(doc, "auth") ? doc_text(doc, "auth") : "no policy");
    if (has(route, "cors"))
        line(out, t, "cors", "%s",
             doc_text(route, "cors")[0] ? doc_text(route, "cors") : "the route's own");
    if (json_is_true(get(route, "by_address")))
        line(out, t, "address", "has rules of its own");
    if (has(doc, "location"))
        line(out, t, "redirect", "%lld to %s", (long long)doc_int(get(route, "redirect"), "status"),
             doc_text(doc, "location"));
}

static void put_breaker(FILE *out, const struct term *t, const json_t *service)
{
    const json_t *b = get(service, "circuit");
    struct forced_line f = doc_forced(b);
    char span[SPAN_MAX];

    line(out, t, "breaker", "%s: %s%s%s", doc_text(b, "state"),
         json_is_true(get(b, "would_reject_now")) ? "would reject it now (503 breaker_open)"
                                                  : "lets it pass",
         has(b, "reopens_in_ms") ? ", probes in " : "",
         has(b, "reopens_in_ms") ? span_text(span, doc_int(b, "reopens_in_ms")) : "");
    if (f.state)
        line(out, t, "", "forced by %s%s, %s left%s%s",
             f.author && *f.author ? f.author : "nobody named", f.fleet ? " (fleet)" : "",
             span_text(span, f.ends_in_ms), f.why && *f.why ? ": " : "", f.why ? f.why : "");
}

static void put_limit(FILE *out, const struct term *t, const json_t *service)
{
    const json_t *l = get(service, "limit");
    const char *would = is(l, "would", "pass")    ? "room for it"
                        : is(l, "would", "queue") ? "it would wait"
                                                  : "it would be rejected (503 overloaded)";

    if (doc_int(l, "max_requests") == 0)
        line(out, t, "limit", "none, %lld in flight", (long long)doc_int(l, "in_flight"));
    else
        line(out, t, "limit", "%lld of %lld in flight, %lld of %lld waiting: %s",
             (long long)doc_int(l, "in_flight"), (long long)doc_int(l, "max_requests"),
             (long long)doc_int(l, "waiting"), (long long)doc_int(l, "queue"), would);
}

static void put_time(FILE *out, const json_t *o, const char *key, const char *name, bool *first)
{
    char span[SPAN_MAX];

    fprintf(out, "%s%s %s", *first ? "" : ", ", name,
            has(o, key) ? span_text(span, doc_int(o, key)) : "none");
    *first = false;
}

static void put_timeouts(FILE *out, const struct term *t, const json_t *timeouts)
{
    char *text = NULL;
    size_t n = 0;
    FILE *parts = open_memstream(&text, &n);
    bool first = true;

    if (!parts)
        return;
    put_time(parts, timeouts, "whole_ms", "whole", &first);
    put_time(parts, timeouts, "connect_ms", "connect", &first);
    put_time(parts, timeouts, "first_byte_ms", "first byte", &first);
    put_time(parts, timeouts, "idle_ms", "idle", &first);
    fclose(parts);
    line(out, t, "timeouts", "%s", text);
    free(text);
}

static void put_retries(FILE *out, const struct term *t, const json_t *retries)
{
    char *on = joined(get(retries, "on"));

    if (doc_int(retries, "attempts") > 1)
        line(out, t, "retries", "%lld attempts, on %s%s", (long long)doc_int(retries, "attempts"),
             on,
             json_is_true(get(retries, "only_unsent"))
                 ? "; only while nothing was sent (the method is not idempotent)"
                 : "");
    else
        line(out, t, "retries", "none");
    free(on);
}

static void put_fallback(FILE *out, const struct term *t, const json_t *f)
{
    char *on = joined(get(f, "on"));
    char span[SPAN_MAX];

    if (is(f, "kind", "service"))
        line(out, t, "fallback", "service %s, on %s", doc_text(f, "service"), on);
    else if (is(f, "kind", "static"))
        line(out, t, "fallback", "answer %lld, on %s", (long long)doc_int(f, "status"), on);
    else
        line(out, t, "fallback", "last good answer, at most %s old, on %s",
             has(f, "max_age_ms") ? span_text(span, doc_int(f, "max_age_ms")) : "any time", on);
    free(on);
}

static void put_policy(FILE *out, const struct term *t, const json_t *policy)
{
    const json_t *hedge = get(policy, "hedge");
    char span[SPAN_MAX];
    json_t *f;
    size_t i;

    put_timeouts(out, t, get(policy, "timeouts"));
    put_retries(out, t, get(policy, "retries"));
    if (json_is_object(hedge) && has(hedge, "after_ms"))
        line(out, t, "hedge", "a second try after %s", span_text(span, doc_int(hedge, "after_ms")));
    else if (json_is_object(hedge))
        line(out, t, "hedge", "a second try after p%lld, %s at least",
             (long long)doc_int(hedge, "after_percentile"),
             span_text(span, doc_int(hedge, "at_least_ms")));
    if (has(policy, "importance") && !is(policy, "importance", "normal"))
        line(out, t, "importance", "%s", doc_text(policy, "importance"));
    json_array_foreach(get(policy, "fallback"), i, f) put_fallback(out, t, f);
}

/* A chance is counted in a number of trials: "about". */
static const char *chance_text(char *buf, size_t cap, const json_t *i)
{
    double chance = json_number_value(get(i, "chance"));

    if (has(i, "why_not"))
        snprintf(buf, cap, "no: %s", doc_text(i, "why_not"));
    else if (chance >= 0.9999)
        snprintf(buf, cap, "this one");
    else if (chance > 0)
        snprintf(buf, cap, "about %.0f %%", chance * 100);
    else
        snprintf(buf, cap, "not now");
    return buf;
}

static void put_instance(FILE *out, const struct term *t, const json_t *i)
{
    struct forced_line f = doc_forced(i);
    char *address, chance[80], span[SPAN_MAX];

    if (asprintf(&address, "%s:%lld", doc_text(i, "address"), (long long)doc_int(i, "port")) < 0)
        return;
    fprintf(out, "%*s %s ", LABEL, "", json_is_true(get(i, "pick")) ? ">" : " ");
    text_cell(out, t, doc_text(i, "id"), 22);
    putc(' ', out);
    text_cell(out, t, address, 22);
    putc(' ', out);
    text_cell(out, t, doc_text(i, "health"), 11);
    putc(' ', out);
    text_state(out, t, doc_text(i, "state"), 13);
    fprintf(out, " %6lld %9lld  ", (long long)doc_int(i, "weight"),
            (long long)doc_int(i, "in_flight"));
    text_put(out, t, chance_text(chance, sizeof chance, i), TEXT_ALL);
    if (json_is_false(get(i, "preferred")))
        fputs(", another zone", out);
    if (f.state) {
        fprintf(out, " (%s left, by ", span_text(span, f.ends_in_ms));
        text_put(out, t, f.author && *f.author ? f.author : "nobody named", TEXT_ALL);
        putc(')', out);
    }
    putc('\n', out);
    free(address);
}

static void put_instances(FILE *out, const struct term *t, const json_t *service)
{
    const json_t *list = get(service, "instances");
    json_t *i;
    size_t at;

    line(out, t, "instances", "%s%s%s", doc_text(get(service, "policy"), "balance"),
         json_is_true(get(service, "panic")) ? ", panic: health and ejections are ignored" : "",
         json_array_size(list) == 0 ? ", but there is none" : "");
    if (json_array_size(list) > 0)
        fprintf(out, "%*s   %-22s %-22s %-11s %-13s %6s %9s  %s\n", LABEL, "", "INSTANCE",
                "ADDRESS", "HEALTH", "STATE", "WEIGHT", "IN FLIGHT", "CHOSEN");
    json_array_foreach(list, at, i) put_instance(out, t, i);
}

/* "route 1 of 3, part 2 of 2 (10 %), web:v2" */
static void put_rules(FILE *out, const struct term *t, const json_t *hops)
{
    char *text = NULL;
    size_t n, i;
    FILE *words = open_memstream(&text, &n);
    json_t *hop;

    if (!words)
        return;
    json_array_foreach(hops, i, hop)
    {
        fputs(i ? ", " : "", words);
        if (is(hop, "kind", "resolver"))
            fputs(doc_text(hop, "target"), words);
        else if (is(hop, "kind", "splitter"))
            fprintf(words, "part %lld of %lld (%.4g %%)", (long long)doc_int(hop, "part"),
                    (long long)doc_int(hop, "of"), json_number_value(get(hop, "share")) * 100);
        else if (has(hop, "route"))
            fprintf(words, "route %lld of %lld", (long long)doc_int(hop, "route"),
                    (long long)doc_int(hop, "of"));
        else
            fprintf(words, "none of %lld routes", (long long)doc_int(hop, "of"));
    }
    fclose(words);
    line(out, t, "  rules", "Consul's: %s", text);
    free(text);
}

static void put_service(FILE *out, const struct term *t, const json_t *doc, const json_t *service)
{
    double share = json_number_value(get(service, "share")) * 100;
    bool split = json_array_size(get(doc, "services")) > 1;

    if (split)
        line(out, t, "service", "%s  (%.0f %% of the requests; the side of this one)",
             doc_text(service, "name"), share);
    else
        line(out, t, "service", "%s", doc_text(service, "name"));
    if (has(service, "rules"))
        put_rules(out, t, get(service, "rules"));
    if (!has(service, "circuit")) {
        line(out, t, "", "not known");
        return;
    }
    put_breaker(out, t, service);
    put_limit(out, t, service);
    put_policy(out, t, get(service, "policy"));
    line(out, t, "sent as", "%s%s%s", doc_text(doc, "forwarded_path"),
         has(service, "forwarded_host") ? "  Host: " : "",
         has(service, "forwarded_host") ? doc_text(service, "forwarded_host") : "");
    put_instances(out, t, service);
}

static void put_services(FILE *out, const struct term *t, const json_t *doc)
{
    json_t *s;
    size_t i;

    json_array_foreach(get(doc, "services"), i, s) if (!json_is_true(get(s, "chosen")))
        line(out, t, "  beside", "%s  (%.0f %% of the requests), breaker %s", doc_text(s, "name"),
             json_number_value(get(s, "share")) * 100, doc_text(s, "breaker"));
    json_array_foreach(get(doc, "services"), i, s) if (json_is_true(get(s, "chosen")))
        put_service(out, t, doc, s);
}

static void put_words(FILE *out, const char *label, const json_t *list)
{
    json_t *word;
    size_t i;

    json_array_foreach(list, i, word)
        fprintf(out, "%s%s", i ? " " : label, json_string_value(word));
}

/* "customer: issuer shop or api_keys partners; scopes: orders:read", then what it is made of. */
static void put_auth(FILE *out, const struct term *t, const char *label, const json_t *p)
{
    static const char *const of[] = {"any", "all", "not"};
    char *text = NULL;
    size_t n, i;
    FILE *words = open_memstream(&text, &n);
    json_t *m;

    if (!words)
        return;
    fputs(doc_text(p, "name"), words);
    json_array_foreach(get(p, "authenticate"), i, m)
        fprintf(words, "%s%s %s", i ? " or " : ": ", doc_text(m, "kind"), doc_text(m, "name"));
    put_words(words, "; scopes: ", get(p, "scopes"));
    put_words(words, "; any scope of: ", get(p, "any_scope"));
    put_words(words, "; roles: ", get(p, "roles"));
    put_words(words, "; any role of: ", get(p, "any_role"));
    put_words(words, "; methods: ", get(p, "methods"));
    put_words(words, "; claims: ", get(p, "claims"));
    for (i = 0; i < ARRAY_LEN(of); i++)
        if (has(p, of[i]))
            fprintf(words, ": %s of these", of[i]);
    fclose(words);
    line(out, t, label, "%s", text);
    free(text);
    for (i = 0; i < ARRAY_LEN(of); i++) {
        size_t at;

        json_array_foreach(get(p, of[i]), at, m) put_auth(out, t, "  of it", m);
    }
}

static void put_parts(FILE *out, const struct term *t, const json_t *parts)
{
    char *text = NULL;
    size_t n, i;
    FILE *words = open_memstream(&text, &n);
    json_t *p;

    if (!words)
        return;
    json_array_foreach(parts, i, p)
        fprintf(words, "%s%s (%s)", i ? ", " : "", doc_text(p, "name"), doc_text(p, "service"));
    fclose(words);
    line(out, t, "outcome", "composed of %s", text);
    free(text);
}

static void put_outcome(FILE *out, const struct term *t, const json_t *doc)
{
    const json_t *o = get(doc, "outcome");
    const char *by_chance = json_is_true(get(o, "certain")) ? "" : ", or another: chance decides";

    if (is(o, "kind", "redirect"))
        line(out, t, "outcome", "the gateway redirects: %lld %s", (long long)doc_int(o, "status"),
             doc_text(doc, "location"));
    else if (is(o, "kind", "compose"))
        put_parts(out, t, get(get(doc, "matched"), "parts"));
    else if (is(o, "kind", "refuse"))
        line(out, t, "outcome", "the gateway answers %lld %s%s%s%s%s",
             (long long)doc_int(o, "status"), doc_text(o, "reason"), has(o, "detail") ? ": " : "",
             has(o, "detail") ? doc_text(o, "detail") : "",
             has(o, "fallback") ? "; fallback: " : "",
             has(o, "fallback") ? doc_text(o, "fallback") : "");
    else
        line(out, t, "outcome", "%s%s to %s, instance %s%s",
             has(doc, "policy") ? "if the policy allows it, " : "",
             is(o, "kind", "wait") ? "waits for its turn, then goes" : "goes",
             doc_text(o, "service"), doc_text(o, "instance"), by_chance);
}

void explain_text(FILE *out, const struct term *t, const json_t *doc)
{
    put_request(out, t, doc);
    put_routes(out, t, doc);
    if (has(doc, "policy"))
        put_auth(out, t, "policy", get(doc, "policy"));
    put_services(out, t, doc);
    put_outcome(out, t, doc);
}

int explain_exit(const json_t *doc)
{
    return is(get(doc, "outcome"), "kind", "refuse") ? 3 : 0;
}
