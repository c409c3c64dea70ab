/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/challenge.h"
#include "base/macros.h"

#include <stdio.h>

/* Text that cannot end its quotes: from the configuration and static texts, which are checked, and
 * checked here again. */
static void add(char buf[CHALLENGE_MAX], size_t *at, const char *text)
{
    for (; *text && *at + 1 < CHALLENGE_MAX; text++)
        if (*text >= ' ' && *text <= '~' && *text != '"' && *text != '\\')
            buf[(*at)++] = *text;
}

static void add_parameter(char buf[CHALLENGE_MAX], size_t *at, const char *name, const char *value)
{
    size_t n = strlen(name) + strlen(value) + 5;

    if (*at + n >= CHALLENGE_MAX)
        return;
    if (buf[*at - 1] != ' ')
        *at += (size_t)sprintf(buf + *at, ", ");
    *at += (size_t)sprintf(buf + *at, "%s=\"", name);
    add(buf, at, value);
    buf[(*at)++] = '"';
}

/* As many whole scopes as there is room for. */
static void add_scopes(char buf[CHALLENGE_MAX], size_t *at, const struct word_list *scopes)
{
    char text[CHALLENGE_MAX / 2];
    size_t used = 0;

    for (size_t i = 0; i < scopes->n; i++) {
        size_t n = strlen(scopes->words[i]);

        if (used + n + 2 > sizeof text)
            break;
        if (used)
            text[used++] = ' ';
        memcpy(text + used, scopes->words[i], n);
        used += n;
    }
    text[used] = '\0';
    if (used)
        add_parameter(buf, at, "scope", text);
}

struct str challenge_bearer(const struct bearer_challenge *c, char buf[CHALLENGE_MAX])
{
    size_t at = (size_t)sprintf(buf, "Bearer ");

    add_parameter(buf, &at, "realm", c->realm);
    if (c->error)
        add_parameter(buf, &at, "error", c->error);
    if (c->error && c->description)
        add_parameter(buf, &at, "error_description", c->description);
    if (c->scopes)
        add_scopes(buf, &at, c->scopes);
    return (struct str){buf, at};
}

struct str challenge_basic(const char *realm, char buf[CHALLENGE_MAX])
{
    size_t at = (size_t)sprintf(buf, "Basic ");

    add_parameter(buf, &at, "realm", realm);
    add_parameter(buf, &at, "charset", "UTF-8");
    return (struct str){buf, at};
}

struct str challenge_key(const char *realm, char buf[CHALLENGE_MAX])
{
    size_t at = (size_t)sprintf(buf, "ApiKey ");

    add_parameter(buf, &at, "realm", realm);
    return (struct str){buf, at};
}
