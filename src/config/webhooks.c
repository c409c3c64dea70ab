/* SPDX-License-Identifier: Apache-2.0 */
/* webhooks.c - `webhooks:`, whom the gateway tells of transitions.
 *
 * Chat systems put their secret into the path of the URL, others into the user information or the
 * query: no message repeats more of it than scheme, host and port. */
#include "config/sections.h"
#include "config/value.h"

#include <string.h>

enum { MAX_WEBHOOKS = 16, MAX_URL = 2048 };

static const char *const event_words[] = {"open",    "half_open", "closed", "forced",
                                          "ejected", "restored",  "shadow", NULL};

/* Host and port: what lies between the scheme, user information and the path. */
static struct str authority_of(const char *url, bool *ret_user)
{
    const char *from = strstr(url, "://") + 3, *end = from + strcspn(from, "/?");
    const char *at = memrchr(from, '@', (size_t)(end - from));

    *ret_user = at != NULL;
    from = at ? at + 1 : from;
    return (struct str){from, (size_t)(end - from)};
}

static const char *url_problem(struct arena *a, const char *url)
{
    struct str authority;
    bool user;

    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        return "does not begin with http:// or https://";
    if (strlen(url) > MAX_URL)
        return "is longer than 2048 bytes";
    for (const char *p = url; *p; p++)
        if (*p <= ' ' || *p >= 0x7f || strchr("\"<>\\^`{|}#", *p))
            return "holds a character that must be percent-encoded in a URL";
    authority = authority_of(url, &user);
    if (value_authority_problem(arena_strndup(a, authority.p, authority.n)))
        return "has no host and port such as chat.example or chat.example:8065";
    return NULL;
}

/* Enough for people to tell hooks apart. */
static const char *shown_url(struct arena *a, const char *url)
{
    bool user;
    struct str authority = authority_of(url, &user);
    const char *rest = authority.p + authority.n;

    return arena_printf(a, "%.*s://%.*s%s", (int)strcspn(url, ":"), url, STR_FMT(authority),
                        rest[0] && strcmp(rest, "/") != 0 ? "/..." : "");
}

static int url_read(struct reader *r, const struct node *n, void *at)
{
    struct webhook_conf *w = at;
    const char *problem;

    if (n->kind != NODE_TEXT || node_is_null(n))
        return node_error(n, r->err, "expected a URL such as https://chat.example/hooks/KEY");
    problem = url_problem(r->scratch, n->text);
    if (problem)
        return node_error(n, r->err, "the value %s", problem);
    w->url = arena_strdup(r->arena, n->text);
    w->shown = shown_url(r->arena, n->text);
    return 0;
}

static int event_read(struct reader *r, const struct node *n, unsigned *on)
{
    static const char expected[] = "open, half_open, closed, forced, ejected, restored or shadow";

    if (n->kind != NODE_TEXT)
        return node_expected(n, r->err, expected);
    for (unsigned i = 0; event_words[i]; i++)
        if (strcmp(n->text, event_words[i]) == 0) {
            *on |= 1u << i;
            return 0;
        }
    return node_expected(n, r->err, expected);
}

static int on_read(struct reader *r, const struct node *n, void *at)
{
    struct webhook_conf *w = at;

    w->on = 0;
    if (n->kind != NODE_LIST)
        return event_read(r, n, &w->on);
    if (n->n == 0)
        return node_error(n, r->err, "an empty list is for nothing; leave the webhook out instead");
    node_each(it, n)
    {
        if (event_read(r, it, &w->on) < 0)
            return -1;
    }
    return 0;
}

static const struct field webhook_fields[] = {
    {.key = "url",
     .type = FIELD_CUSTOM,
     .read = url_read,
     .kind = "URL",
     .shown = "required",
     .help = "Where to POST: `http://` or `https://`. No more of it than scheme, host and port is "
             "ever shown or logged."},
    STRING("name", webhook_conf, name, NULL, value_name_problem,
           "What status and log call it; unset = scheme, host and port of `url`."),
    {.key = "on",
     .type = FIELD_CUSTOM,
     .read = on_read,
     .kind = "list of `open`, `half_open`, `closed`, `forced`, `ejected`, `restored`, `shadow`",
     .dflt = "[open, closed, forced, ejected, restored]",
     .help = "Which transitions are told."},
    STRING("token_file", webhook_conf, token_file, NULL, value_file_problem,
           "File with a token to send as `Authorization: Bearer`, read again when it changes."),
    DURATION("timeout", webhook_conf, timeout_ms, 100, 5 * MINUTES, "5s",
             "For one try, from connecting to the end of the answer."),
    UNSIGNED("attempts", webhook_conf, attempts, 1, 100, "5",
             "Tries in all, until the transition is given up."),
};
const struct section webhook_section = {webhook_fields, ARRAY_LEN(webhook_fields)};

static int webhook_read(struct reader *r, const struct node *n, void *at)
{
    struct webhook_conf *w = at;
    bool user;

    section_defaults(r, &webhook_section, w);
    if (n->kind != NODE_MAP)
        return node_error(n, r->err, "expected a map such as { url: https://chat.example/hook }");
    if (section_read(r, &webhook_section, n, w) < 0)
        return -1;
    if (!w->url)
        return node_error(n, r->err, "a webhook needs a url");
    authority_of(w->url, &user);
    if (user && w->token_file)
        return node_error(n, r->err,
                          "token_file and user information in url: only one of them can "
                          "be sent");
    w->name = w->name ? w->name : w->shown;
    return 0;
}

int webhooks_read(struct reader *r, const struct node *n, void *at)
{
    struct config *c = at;

    if (node_is_null(n))
        return 0;
    c->webhooks = list_read(r, n, "a list of webhooks", MAX_WEBHOOKS, sizeof *c->webhooks,
                            webhook_read, &c->nwebhooks);
    if (!c->webhooks)
        return -1;
    for (size_t i = 0; i < c->nwebhooks; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(c->webhooks[i].url, c->webhooks[j].url) == 0)
                return node_error(n, r->err, "the url of %s is there twice", c->webhooks[i].name);
    return 0;
}
