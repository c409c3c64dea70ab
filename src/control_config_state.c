/* SPDX-License-Identifier: Apache-2.0 */
#include "control_config_state.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/state_writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The content: "PREFIX WALL_MS\n", then the body. A prefix holds no space. */
static const struct state_kind kind = {.name = "config", .version = 1, .max_bytes = 96 << 20};

enum { LAST_WRITE_MS = 2000 };

struct config_state {
    struct state_writer *writer; /* owned */
    char *directory, *path;      /* owned */
    bool failing;
};

static char *path_in(const char *directory, const char *name)
{
    char *path;

    if (asprintf(&path, "%s/%s.state", directory, name) < 0)
        abort();
    return path;
}

static void on_written(void *arg, const char *error)
{
    struct config_state *s = arg;

    if (error && !s->failing)
        log_error("control", "%s: what is in Consul cannot be kept on disk: %s", s->path, error);
    else if (!error && s->failing)
        log_info("control", "%s: what is in Consul is kept on disk again", s->path);
    s->failing = error != NULL;
}

struct config_state *config_state_new(struct event_base *base, const char *directory,
                                      const char *name)
{
    struct config_state *s = alloc_or_abort(sizeof *s);

    s->path = path_in(directory, name);
    s->directory = strdup(directory);
    if (!s->directory)
        abort();
    s->writer = state_writer_new(base, s->path, &kind, on_written, s);
    return s;
}

void config_state_free(struct config_state *s)
{
    struct err e;

    if (!s)
        return;
    if (!state_writer_free(s->writer, LAST_WRITE_MS, &e))
        log_error("control", "%s was not written: %s", s->path, e.text);
    free(s->directory);
    free(s->path);
    free(s);
}

bool config_state_is_in(const struct config_state *s, const char *directory)
{
    return s ? directory && strcmp(s->directory, directory) == 0 : !directory;
}

void config_state_put(struct config_state *s, const char *prefix, struct str body)
{
    struct bytes content = {0};
    char head[300];
    int n;

    if (!s)
        return;
    n = snprintf(head, sizeof head, "%s %" PRId64 "\n", prefix, clock_wall_ms());
    if (!bytes_add(&content, head, (size_t)n) || !bytes_add_str(&content, body))
        abort();
    state_writer_put(s->writer, &content);
}

/* The content after its first line when that is of the prefix. */
static bool split_head(struct str content, const char *prefix, struct str *ret_body,
                       int64_t *ret_wall_ms)
{
    const char *end = content.n ? memchr(content.p, '\n', content.n) : NULL;
    size_t n = strlen(prefix), line = end ? (size_t)(end - content.p) : 0;
    uint64_t wall_ms;

    if (!end || line <= n + 1 || memcmp(content.p, prefix, n) != 0 || content.p[n] != ' ' ||
        !str_to_u64((struct str){content.p + n + 1, line - n - 1}, &wall_ms))
        return false;
    *ret_wall_ms = (int64_t)wall_ms;
    *ret_body = (struct str){end + 1, content.n - line - 1};
    return true;
}

struct kv_rows *config_state_read(const char *directory, const char *name, const char *prefix,
                                  int64_t *ret_wall_ms)
{
    char *path = path_in(directory, name);
    struct kv_rows *rows = NULL;
    struct bytes file = {0};
    struct str content = STR_NULL, body = STR_NULL;
    struct err e = {""}, aside;
    enum state_result r = state_file_read(path, &kind, &file, &content, &e);

    if (r == STATE_READ && !split_head(content, prefix, &body, ret_wall_ms))
        log_info("control", "%s is of another prefix: not used", path);
    else if (r == STATE_READ && !(rows = kv_rows_parse(body, prefix, &e)))
        log_warn("control", "%s is not used: %s", path, e.text);
    else if (r != STATE_READ && r != STATE_MISSING)
        log_warn("control", "%s is not used: %s", path, e.text);
    if ((r == STATE_CUT_SHORT || r == STATE_DAMAGED) && state_file_set_aside(path, &aside) < 0)
        log_warn("control", "%s: %s", path, aside.text);
    bytes_free(&file);
    free(path);
    return rows;
}
