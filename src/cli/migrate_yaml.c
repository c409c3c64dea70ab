/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/migrate_yaml.h"

#include <stdlib.h>
#include <string.h>

static const json_t *get(const json_t *o, const char *key)
{
    return json_object_get(o, key);
}

static const char *text(const json_t *o, const char *key)
{
    const char *s = json_string_value(get(o, key));

    return s ? s : "";
}

static long long number(const json_t *o, const char *key)
{
    return (long long)json_integer_value(get(o, key));
}

/* In double quotes, as JSON and YAML have them both. */
static void put_scalar(FILE *out, const json_t *v)
{
    json_dumpf(v, out, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
}

static bool is_scalar(const json_t *v)
{
    return !json_is_object(v) && !json_is_array(v);
}

static void put_flow(FILE *out, const json_t *list)
{
    const json_t *v;
    size_t i;

    putc('[', out);
    json_array_foreach(list, i, v)
    {
        fputs(i > 0 ? ", " : "", out);
        put_scalar(out, v);
    }
    putc(']', out);
}

/* Keys are words of the configuration, but for names of header fields and services. */
static void put_key(FILE *out, const char *key)
{
    bool word = *key != '\0';

    for (const char *p = key; *p; p++)
        word = word && ((*p >= 'a' && *p <= 'z') || *p == '_');
    if (word) {
        fprintf(out, "%s:", key);
        return;
    }
    json_t *s = json_string(key);
    put_scalar(out, s);
    json_decref(s);
    putc(':', out);
}

static void put_map(FILE *out, const json_t *map, int indent, bool in_list);

static void put_value(FILE *out, const json_t *v, int indent)
{
    const json_t *item;
    size_t i;

    if (is_scalar(v) || (json_is_object(v) && json_object_size(v) == 0)) {
        putc(' ', out);
        put_scalar(out, v);
        putc('\n', out);
    } else if (json_is_object(v)) {
        putc('\n', out);
        put_map(out, v, indent + 2, false);
    } else if (json_array_size(v) == 0 || is_scalar(json_array_get(v, 0))) {
        putc(' ', out);
        put_flow(out, v);
        putc('\n', out);
    } else {
        putc('\n', out);
        json_array_foreach(v, i, item)
        {
            put_map(out, item, indent + 2, true);
        }
    }
}

static void put_map(FILE *out, const json_t *map, int indent, bool in_list)
{
    const char *key;
    json_t *v;
    bool first = true;

    json_object_foreach((json_t *)map, key, v)
    {
        fprintf(out, "%*s%s", indent, "", in_list ? (first ? "- " : "  ") : "");
        first = false;
        put_key(out, key);
        put_value(out, v, indent + (in_list ? 2 : 0));
    }
}

static void put_judged(FILE *out, const struct term *t, const json_t *one, const char *shown)
{
    const char *outcome = text(one, "outcome");
    const json_t *note;
    size_t i;

    fputs("  #   ", out);
    text_put(out, t, shown, TEXT_ALL);
    putc('\n', out);
    json_array_foreach(get(one, "notes"), i, note)
    {
        fprintf(out, "  #     %s: ", strcmp(outcome, "left_out") == 0 ? "left out" : "differs");
        text_put(out, t, json_string_value(note), TEXT_ALL);
        putc('\n', out);
    }
}

static void put_routes(FILE *out, const json_t *routes)
{
    const json_t *route;
    size_t i;

    json_array_foreach(routes, i, route)
    {
        put_map(out, route, 2, true);
    }
}

static void put_weights(FILE *out, const struct term *t, const json_t *weights)
{
    const json_t *one;
    size_t i;

    if (json_array_size(weights) > 0)
        fputs(
            "  #   Weights of its instances, which the gateway takes from the tags; without them, "
            "register\n  #   the instances with Weights:\n",
            out);
    json_array_foreach(weights, i, one)
    {
        fputs("  #     ", out);
        text_put(out, t, text(one, "instance"), TEXT_ALL);
        fprintf(out, " %lld\n", number(one, "weight"));
    }
}

static void put_service(FILE *out, const struct term *t, const json_t *service)
{
    long long n = number(service, "instances");
    const json_t *one;
    size_t i;

    fputs("\n  # ", out);
    text_put(out, t, text(service, "name"), TEXT_ALL);
    fprintf(out, ", %lld instance%s\n", n, n == 1 ? "" : "s");
    json_array_foreach(get(service, "tags"), i, one)
    {
        put_judged(out, t, one, text(one, "tag"));
    }
    put_weights(out, t, get(service, "weights"));
    put_routes(out, get(service, "routes"));
}

static void put_commands(FILE *out, const struct term *t, const json_t *commands)
{
    const json_t *one;
    size_t i;

    if (get(commands, "unread")) {
        fputs("\n  # fabio's commands were not read: ", out);
        text_put(out, t, text(commands, "unread"), TEXT_ALL);
        putc('\n', out);
    }
    if (json_array_size(get(commands, "lines")) == 0)
        return;
    fputs("\n  # fabio's commands, which are in the routes of this file already\n", out);
    json_array_foreach(get(commands, "lines"), i, one)
    {
        put_judged(out, t, one, text(one, "text"));
    }
    put_routes(out, get(commands, "routes"));
}

static void put_head(FILE *out, const struct term *t, const json_t *doc)
{
    const json_t *s = get(doc, "summary"), *remark;
    size_t i;

    fputs("# What the tags and commands of fabio and Traefik in ", out);
    text_put(out, t, text(doc, "consul"), TEXT_ALL);
    fputs(
        " become. The gateway\n"
        "# makes these routes of the tags by itself; this file takes their place, or shows them.\n",
        out);
    fprintf(out,
            "# %lld services with %lld tags, %lld commands: %lld work as they did, %lld differ, "
            "%lld are left out.\n",
            number(s, "services"), number(s, "tags"), number(s, "commands"), number(s, "same"),
            number(s, "differs"), number(s, "left_out"));
    json_array_foreach(get(doc, "remarks"), i, remark)
    {
        fputs("# ", out);
        text_put(out, t, json_string_value(remark), TEXT_ALL);
        putc('\n', out);
    }
}

void migrate_yaml(FILE *out, const struct term *t, const json_t *doc)
{
    const json_t *commands = get(doc, "commands"), *services = get(commands, "services"), *one;
    size_t i, routes = json_array_size(get(commands, "routes"));

    put_head(out, t, doc);
    if (json_object_size(services) > 0) {
        fputs("services:\n", out);
        put_map(out, services, 2, false);
    }
    json_array_foreach(get(doc, "services"), i, one)
    {
        routes += json_array_size(get(one, "routes"));
    }
    fputs(routes > 0 ? "routes:\n" : "routes: []\n", out);
    json_array_foreach(get(doc, "services"), i, one)
    {
        put_service(out, t, one);
    }
    put_commands(out, t, commands);
}
