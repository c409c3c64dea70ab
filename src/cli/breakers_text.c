/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/breakers_text.h"
#include "cli/span.h"
#include "cli/status_page.h"

#include <stdlib.h>
#include <string.h>

static bool is(const json_t *o, const char *key, const char *word)
{
    return strcmp(doc_text(o, key), word) == 0;
}

/* Closed, or configured to be none or to watch only, and content. */
static bool is_quiet(const json_t *b)
{
    if (doc_forced(b).state)
        return false;
    return is(b, "state", "closed") || is(b, "state", "disabled") ||
           (is(b, "state", "shadow") && is(b, "machine", "closed"));
}

static bool has_loud_instance(const json_t *breaker)
{
    json_t *i;
    size_t at;

    json_array_foreach(json_object_get(breaker, "instances"), at, i) if (!is_quiet(i)) return true;
    return false;
}

static bool is_loud(const json_t *breaker)
{
    return !is_quiet(breaker) || has_loud_instance(breaker);
}

int breakers_exit(const json_t *doc)
{
    const json_t *list = json_object_get(doc, "breakers");
    json_t *b;
    size_t i;

    if (!list)
        return is_loud(doc) ? 3 : 0;
    json_array_foreach(list, i, b) if (is_loud(b)) return 3;
    return 0;
}

static void put_span(FILE *out, const json_t *o, const char *key, const char *before)
{
    const json_t *v = json_object_get(o, key);
    char span[SPAN_MAX];

    if (json_is_number(v))
        fprintf(out, "%s%s", before, span_text(span, (int64_t)json_number_value(v)));
}

static void put_forced(FILE *out, const struct term *t, const struct forced_line *f)
{
    char span[SPAN_MAX];

    fprintf(out, "%s left%s, by ", span_text(span, f->ends_in_ms), f->fleet ? " (fleet)" : "");
    text_put(out, t, f->author && *f->author ? f->author : "nobody named", TEXT_ALL);
    if (f->why && *f->why) {
        fputs(": ", out);
        text_put(out, t, f->why, TEXT_ALL);
    }
}

/* What decided: "failure_rate 12/20", from a last_trip or a transition. */
static void put_numbers(FILE *out, const struct term *t, const json_t *o)
{
    bool slow = is(o, "cause", "slow_call_rate");

    text_put(out, t, doc_text(o, "cause"), TEXT_ALL);
    if (doc_int(o, slow ? "slow" : "failed") == 0)
        return;
    fprintf(out, " %lld/%lld", (long long)doc_int(o, slow ? "slow" : "failed"),
            (long long)doc_int(o, "total"));
    if (doc_int(o, "window_ms") > 0)
        put_span(out, o, "window_ms", " in ");
}

static void put_why(FILE *out, const struct term *t, const json_t *b)
{
    const json_t *trip = json_object_get(b, "last_trip");
    struct forced_line f = doc_forced(b);

    if (f.state) {
        put_forced(out, t, &f);
    } else if (!is_quiet(b)) {
        if (json_is_object(trip))
            put_numbers(out, t, trip);
        put_span(out, b, "reopens_in_ms", ", probes in ");
    }
    if (is(b, "state", "shadow"))
        fprintf(out, "  machine %s, would have rejected %lld", doc_text(b, "machine"),
                (long long)doc_int(b, "would_reject"));
}

enum { NAME_WIDTH = 24, STATE_WIDTH = 13 };

/* Fields with a width of their own leave spaces at the end of a line: they go. */
static void put_trimmed(FILE *out, char *text, size_t n)
{
    while (n > 0 && text[n - 1] == ' ')
        n--;
    fwrite(text, 1, n, out);
    putc('\n', out);
    free(text);
}

static void put_row(FILE *out, const struct term *t, const char *name, const json_t *b)
{
    char *text = NULL, span[SPAN_MAX];
    bool known = json_is_number(json_object_get(b, "since_ms_ago"));
    size_t n = 0;
    FILE *row = open_memstream(&text, &n);

    if (!row)
        abort();
    text_cell(row, t, name, NAME_WIDTH);
    putc(' ', row);
    text_state(row, t, doc_text(b, "state"), STATE_WIDTH);
    fprintf(row, " %-9s", known ? span_text(span, doc_int(b, "since_ms_ago")) : "-");
    if (json_object_get(b, "rejected"))
        fprintf(row, " %9lld  ", (long long)doc_int(b, "rejected"));
    else
        fprintf(row, " %9s  ", "");
    put_why(row, t, b);
    fclose(row);
    put_trimmed(out, text, n);
}

static void put_instances(FILE *out, const struct term *t, const json_t *breaker, bool all)
{
    json_t *i;
    size_t at;

    json_array_foreach(json_object_get(breaker, "instances"), at, i)
    {
        char *name;

        if ((!all && is_quiet(i)) || asprintf(&name, "  %s", doc_text(i, "id")) < 0)
            continue;
        put_row(out, t, name, i);
        free(name);
    }
}

static void put_heading(FILE *out, const struct term *t)
{
    char *text;

    if (asprintf(&text, "%-24s %-13s %-9s %9s", "SERVICE", "STATE", "SINCE", "REJECTED") < 0)
        return;
    text_bold(out, t, text);
    putc('\n', out);
    free(text);
}

bool breakers_table(FILE *out, const struct term *t, const json_t *list, bool all)
{
    size_t i, quiet = 0, shown = 0;
    bool loud = false;
    json_t *b;

    json_array_foreach(list, i, b)
    {
        loud = loud || is_loud(b);
        if (!all && !is_loud(b)) {
            quiet++;
            continue;
        }
        if (shown++ == 0)
            put_heading(out, t);
        put_row(out, t, doc_text(b, "service"), b);
        put_instances(out, t, b, false);
    }
    if (quiet > 0)
        fprintf(out, loud ? "%zu more are closed\n" : "all %zu breakers are closed\n", quiet);
    else if (shown == 0)
        fputs("there are no services\n", out);
    return loud;
}

static void put_timeline(FILE *out, const struct term *t, const json_t *list)
{
    json_t *move;
    size_t i;

    if (json_array_size(list) > 0)
        fputs("\nwhat has happened, the newest first:\n", out);
    json_array_foreach(list, i, move)
    {
        const char *instance = json_string_value(json_object_get(move, "instance"));
        const char *author = json_string_value(json_object_get(move, "author"));
        const char *why = json_string_value(json_object_get(move, "why"));

        text_put(out, t, doc_text(move, "at"), TEXT_ALL);
        fprintf(out, "  %s -> ", doc_text(move, "from"));
        text_state(out, t, doc_text(move, "to"), STATE_WIDTH);
        fputs("  ", out);
        put_numbers(out, t, move);
        if (json_is_true(json_object_get(move, "shadow")))
            fputs(" (shadow: nothing was rejected)", out);
        if (instance) {
            fputs("  instance ", out);
            text_put(out, t, instance, TEXT_ALL);
        }
        if (author && *author) {
            fputs("  by ", out);
            text_put(out, t, author, TEXT_ALL);
        }
        if (why && *why) {
            fputs(": ", out);
            text_put(out, t, why, TEXT_ALL);
        }
        putc('\n', out);
    }
}

bool breakers_one(FILE *out, const struct term *t, const json_t *b)
{
    const json_t *window = json_object_get(b, "window");

    put_heading(out, t);
    put_row(out, t, doc_text(b, "service"), b);
    put_instances(out, t, b, true);
    fprintf(out, "\nwindow now: %lld requests, %lld failed, %lld slow; trips %lld, in a row %lld\n",
            (long long)doc_int(window, "total"), (long long)doc_int(window, "failed"),
            (long long)doc_int(window, "slow"), (long long)doc_int(b, "trips"),
            (long long)doc_int(b, "trips_in_a_row"));
    put_timeline(out, t, json_object_get(b, "transitions"));
    return is_loud(b);
}
