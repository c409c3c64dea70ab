/* SPDX-License-Identifier: Apache-2.0 */
#include "http/uri.h"
#include "route/fabio.h"
#include "route/tags_set.h"

#include <uthash.h>

/* One line: words, and texts in double quotes. */
struct line {
    struct arena *arena;
    struct str rest;
    struct str word;
    bool quoted;
    bool bad; /* a quote without its end */
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool next_word(struct line *l)
{
    size_t n = 0;

    while (l->rest.n > 0 && is_space(l->rest.p[0]))
        l->rest = (struct str){l->rest.p + 1, l->rest.n - 1};
    l->quoted = l->rest.n > 0 && l->rest.p[0] == '"';
    if (l->quoted) {
        const char *end = memchr(l->rest.p + 1, '"', l->rest.n - 1);

        l->bad = !end;
        n = end ? (size_t)(end - l->rest.p) + 1 : l->rest.n;
        l->word = (struct str){l->rest.p + 1, end ? n - 2 : n - 1};
    } else {
        while (n < l->rest.n && !is_space(l->rest.p[n]))
            n++;
        l->word = (struct str){l->rest.p, n};
    }
    l->rest = (struct str){l->rest.p + n, l->rest.n - n};
    return n > 0;
}

static const char *copy_word(const struct line *l)
{
    return arena_strndup(l->arena, l->word.p, l->word.n);
}

static const char *read_tags(struct line *l, struct fabio_command *c)
{
    const char **tags = ARENA_ARRAY(l->arena, const char *, FABIO_MAX_TAGS);
    struct str rest, tag;

    if (!next_word(l) || !l->quoted || l->bad)
        return "tags takes a list in double quotes";
    rest = l->word;
    while (str_next(&rest, ',', &tag)) {
        if (c->ntags == FABIO_MAX_TAGS)
            return "more than 32 tags";
        tags[c->ntags++] = arena_strndup(l->arena, tag.p, tag.n);
    }
    c->tags = tags;
    return c->ntags > 0 ? NULL : "no tag";
}

/* What follows the names: weight W, tags "...", opts "...", each once and in any order. */
static const char *read_rest(struct line *l, struct fabio_command *c, bool weight, bool opts,
                             bool *ret_weight)
{
    const char *why = NULL;

    *ret_weight = false;
    while (!why && next_word(l)) {
        if (l->quoted)
            return "a text in quotes belongs behind tags or opts";
        if (weight && !*ret_weight && str_eq(l->word, STR("weight"))) {
            *ret_weight = true;
            why =
                next_word(l) && tags_fraction(l->word, &c->weight) ? NULL : "weight takes a number";
        } else if (!c->tags && str_eq(l->word, STR("tags"))) {
            why = read_tags(l, c);
        } else if (opts && !c->opts && str_eq(l->word, STR("opts"))) {
            if (!next_word(l) || !l->quoted || l->bad)
                return "opts takes options in double quotes";
            c->opts = copy_word(l);
        } else {
            return "there is more than the command takes";
        }
    }
    return why;
}

/* The next word as a name, unless it is one that begins what follows the names. */
static bool read_name(struct line *l, const char **ret)
{
    struct line before = *l;

    if (!next_word(l) || l->quoted || str_eq(l->word, STR("tags")) ||
        str_eq(l->word, STR("weight")) || str_eq(l->word, STR("opts"))) {
        *l = before;
        return false;
    }
    *ret = copy_word(l);
    return true;
}

/* "http://10.0.0.1:5000/" */
static const char *read_dst(struct line *l, struct fabio_command *c)
{
    static const char *const schemes[] = {"http", "https", "grpc", "grpcs"};
    const char *colon = strstr(c->dst, "://"), *authority = colon ? colon + 3 : "";
    size_t n = strcspn(authority, "/?#");
    char *text = arena_strndup(l->arena, authority, n);
    struct str host;

    if (!colon || n == 0 || !uri_check_authority(text, n))
        return "the target is not a URL such as http://10.0.0.1:8080/";
    c->scheme = arena_strndup(l->arena, c->dst, (size_t)(colon - c->dst));
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        if (strcmp(c->scheme, schemes[i]) != 0)
            continue;
        uri_split_authority((struct str){text, n}, &host, &c->port);
        if (c->port == 0)
            c->port = schemes[i][strlen(schemes[i]) - 1] == 's' ? 443 : 80;
        if (host.p[0] == '[')
            host = (struct str){host.p + 1, host.n - 2};
        c->host = arena_strndup(l->arena, host.p, host.n);
        return NULL;
    }
    return "targets are http, https, grpc or grpcs";
}

/* Where this option stands among the others; NULL when it does not. */
static const char *find_option(const char *opts, const char *key)
{
    const char *at = opts;

    while ((at = strstr(at, key)) != NULL) {
        if (at == opts || is_space(at[-1]))
            return at;
        at++;
    }
    return NULL;
}

static bool has_control(struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] < ' ' && !is_space(text.p[i]))
            return true;
    return false;
}

static const char *read_add(struct line *l, struct fabio_command *c)
{
    bool weight;
    const char *why;

    if (!read_name(l, &c->service) || !read_name(l, &c->src) || !read_name(l, &c->dst))
        return "expected: route add SERVICE SRC DST";
    why = read_rest(l, c, true, true, &weight);
    c->redirect = c->opts ? find_option(c->opts, "redirect=") : NULL;
    c->host = "";
    return why || c->redirect ? why : read_dst(l, c);
}

static const char *read_delete(struct line *l, struct fabio_command *c)
{
    bool weight;
    const char *why;

    if (read_name(l, &c->service) && read_name(l, &c->src))
        read_name(l, &c->dst);
    why = read_rest(l, c, false, false, &weight);
    if (why)
        return why;
    if (c->tags && c->src)
        return "tags do not go with a source";
    return c->service || c->tags ? NULL : "expected: route del SERVICE [SRC [DST]] or tags";
}

static const char *read_weight(struct line *l, struct fabio_command *c)
{
    const char *first = NULL, *second = NULL, *why;
    bool weight;

    if (!read_name(l, &first))
        return "expected: route weight SERVICE SRC weight W";
    read_name(l, &second);
    c->service = second ? first : NULL;
    c->src = second ? second : first;
    why = read_rest(l, c, true, false, &weight);
    if (why)
        return why;
    if (!weight)
        return "expected weight and a number";
    return second || c->tags ? NULL : "without a service it needs tags";
}

/* As discovery has the names of services: Consul's look-ups ignore case. */
static void fold_service(struct arena *a, struct fabio_command *c)
{
    char *name = c->service ? arena_strdup(a, c->service) : NULL;

    for (char *p = name; p && *p; p++)
        *p = ascii_lower(*p);
    c->service = name;
}

static void read_line(struct fabio_commands *all, const char *key, unsigned number, struct str text)
{
    struct line l = {all->arena, text, STR_NULL, false, false};
    struct fabio_command *c = &all->items[all->n];
    struct str shown = {text.p, text.n < 120 ? text.n : 120};

    if (!next_word(&l) || str_starts(l.word, STR("#")) || str_starts(l.word, STR("//")))
        return;
    *c = (struct fabio_command){.key = key, .line = number};
    all->n++;
    c->text = tags_shown(all->arena, shown);
    if (text.n > FABIO_MAX_LINE)
        c->trouble = "longer than 4 KiB";
    else if (has_control(text))
        c->trouble = "holds a control character";
    else if (!str_eq(l.word, STR("route")) || !next_word(&l))
        c->trouble = "expected: route add, route del or route weight";
    else if (str_eq(l.word, STR("add")))
        c->verb = FABIO_ADD, c->trouble = read_add(&l, c);
    else if (str_eq(l.word, STR("del")))
        c->verb = FABIO_DELETE, c->trouble = read_delete(&l, c);
    else if (str_eq(l.word, STR("weight")))
        c->verb = FABIO_WEIGHT, c->trouble = read_weight(&l, c);
    else
        c->trouble = "expected: route add, route del or route weight";
    fold_service(all->arena, c);
    if (!c->trouble && l.bad)
        c->trouble = "a quote without its end";
}

/* A service and its source, or a service alone. */
struct named {
    const char *key;
    unsigned sources;
    const char *service;
    UT_hash_handle hh;
};

static struct named *named_of(struct arena *a, struct named **all, const char *key)
{
    struct named *found;

    HASH_FIND_STR(*all, key, found);
    if (found)
        return found;
    found = ARENA_NEW(a, struct named);
    found->key = key;
    HASH_ADD_KEYPTR(hh, *all, found->key, strlen(found->key), found);
    return found;
}

/* Targets that a command adds are instances of a service of their own, one for each source: a
 * source shares its requests among its own targets only. */
static void name_services(struct fabio_commands *all)
{
    struct named *names = NULL;

    for (size_t i = 0; i < all->n; i++) {
        struct fabio_command *c = &all->items[i];

        if (c->verb != FABIO_ADD || c->trouble)
            continue;
        c->static_service = c->service;
        if (c->redirect)
            continue;
        struct named *service = named_of(all->arena, &names, c->service);
        struct named *source =
            named_of(all->arena, &names, arena_printf(all->arena, "%s %s", c->service, c->src));
        if (!source->service && ++service->sources == 1)
            source->service = arena_printf(all->arena, "%s:kv", c->service);
        else if (!source->service)
            source->service = arena_printf(all->arena, "%s:kv%u", c->service, service->sources);
        c->static_service = source->service;
    }
    HASH_CLEAR(hh, names);
}

static size_t count_lines(const struct fabio_text *texts, size_t n)
{
    size_t lines = 0;

    for (size_t i = 0; i < n; i++) {
        lines++;
        for (size_t k = 0; k < texts[i].text.n; k++)
            lines += texts[i].text.p[k] == '\n';
    }
    return lines < FABIO_MAX_COMMANDS ? lines : FABIO_MAX_COMMANDS;
}

/* False when there is no room for more. */
static bool read_text(struct fabio_commands *all, const char *key, struct str text)
{
    unsigned number = 1;

    for (size_t at = 0; at < text.n; number++) {
        const char *end = memchr(text.p + at, '\n', text.n - at);
        size_t n = end ? (size_t)(end - text.p) - at : text.n - at;

        if (all->n == FABIO_MAX_COMMANDS)
            return false;
        read_line(all, key, number, (struct str){text.p + at, n});
        at += n + 1;
    }
    return true;
}

struct fabio_commands *fabio_commands_parse(const struct fabio_text *texts, size_t n)
{
    struct arena *a = arena_new();
    struct fabio_commands *all = ARENA_NEW(a, struct fabio_commands);
    size_t total = 0;
    bool whole = true;

    *all = (struct fabio_commands){.refs = 1, .arena = a};
    all->items = ARENA_ARRAY(a, struct fabio_command, count_lines(texts, n) + 1);
    for (size_t i = 0; i < n && whole; i++) {
        total += texts[i].text.n;
        whole =
            total <= FABIO_MAX_TEXT && read_text(all, arena_strdup(a, texts[i].key), texts[i].text);
    }
    if (!whole)
        all->items[all->n++] = (struct fabio_command){
            .key = "", .text = "", .trouble = "too many commands: the rest is left out"};
    name_services(all);
    return all;
}

struct fabio_commands *fabio_commands_ref(struct fabio_commands *c)
{
    c->refs++;
    return c;
}

void fabio_commands_unref(struct fabio_commands **pc)
{
    struct fabio_commands *c = *pc;

    *pc = NULL;
    if (c && --c->refs == 0)
        arena_free(c->arena);
}
