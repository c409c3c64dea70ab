/* SPDX-License-Identifier: Apache-2.0 */
/* state.c - `state_dir`: where the gateway keeps what it must still know after a restart. */
#include "config/sections.h"

#include <stdlib.h>
#include <string.h>

static const char expected[] = "the absolute path of a directory, or off";

int state_dir_read(struct reader *r, const struct node *n, void *at)
{
    const char **dir = at;

    if (n->kind != NODE_TEXT)
        return node_expected(n, r->err, expected);
    *dir = NULL;
    if (strcmp(n->text, "off") == 0 || strcmp(n->text, "false") == 0)
        return 0;
    if (n->text[0] != '/')
        return node_expected(n, r->err, expected);
    *dir = arena_strdup(r->arena, n->text);
    return 0;
}

/* systemd names the unit's StateDirectory= there: the first one, when there are several. */
void state_dir_finish(struct reader *r, const struct node *root)
{
    const char *env = getenv("STATE_DIRECTORY");

    if (!node_get(root, "state_dir") && env && env[0] == '/')
        r->config->state_dir = arena_printf(r->arena, "%.*s", (int)strcspn(env, ":"), env);
}
