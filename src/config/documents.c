/* SPDX-License-Identifier: Apache-2.0 */
#include "config/documents.h"

#include "base/log.h"
#include "config/shared.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILE_BYTES = 8 << 20 };

struct config_documents *documents_new(size_t room)
{
    struct arena *a = arena_new();
    struct config_documents *d = a ? ARENA_NEW(a, struct config_documents) : NULL;

    if (!d)
        abort();
    d->arena = a;
    d->list = ARENA_ARRAY(a, struct config_document, room + 1);
    return d;
}

void documents_free(struct config_documents **d)
{
    struct config_documents *old = *d;

    *d = NULL;
    if (old)
        arena_free(old->arena);
}

/* Reads at most one byte more than a file may have. */
static int read_all(int fd, char *buf, size_t cap, size_t *ret_n)
{
    size_t used = 0;
    ssize_t n;

    do {
        n = read(fd, buf + used, cap - used);
        used += n > 0 ? (size_t)n : 0;
    } while ((n > 0 && used < cap) || (n < 0 && errno == EINTR));
    *ret_n = used;
    return n < 0 ? -1 : 0;
}

/* `buf` has room for MAX_FILE_BYTES + 1. */
static int read_file(struct config_documents *d, const char *path, char *buf, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    size_t n = 0;
    int rc = 0;

    if (fd < 0)
        return err_set(e, "%s: %s", path, strerror(errno));
    if (fstat(fd, &st) < 0)
        rc = err_set(e, "%s: %s", path, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        rc = err_set(e, "%s: not a file", path);
    else if (read_all(fd, buf, MAX_FILE_BYTES + 1, &n) < 0)
        rc = err_set(e, "%s: %s", path, strerror(errno));
    close(fd);
    if (rc == 0)
        d->list[d->n++] = (struct config_document){path, {arena_strndup(d->arena, buf, n), n}};
    return rc;
}

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), k = strlen(end);

    return n > k && strcmp(name + n - k, end) == 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The files that count, sorted; hidden ones and editors' backups do not. */
static int list_files(struct arena *a, const char *dir, bool empty_ok, const char **names,
                      size_t *ret_n, struct err *e)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    size_t n = 0;

    if (!d)
        return err_set(e, "%s: %s", dir, strerror(errno));
    while (n < DOCUMENTS_MOST && (entry = readdir(d))) {
        if (entry->d_name[0] == '.')
            continue;
        if (ends_with(entry->d_name, ".yaml") || ends_with(entry->d_name, ".json"))
            names[n++] = arena_strdup(a, entry->d_name);
        else if (ends_with(entry->d_name, ".yml"))
            log_warn("config", "%s/%s is not read: only *.yaml and *.json are", dir, entry->d_name);
    }
    closedir(d);
    if ((n == 0 && !empty_ok) || n == DOCUMENTS_MOST)
        return err_set(e, n ? "%s: too many files" : "%s: no *.yaml or *.json file", dir);
    qsort(names, n, sizeof *names, by_text);
    *ret_n = n;
    return 0;
}

struct config_documents *documents_read(const char *dir, bool empty_ok, struct err *e)
{
    struct config_documents *d = documents_new(DOCUMENTS_MOST);
    const char **names = ARENA_ARRAY(d->arena, const char *, DOCUMENTS_MOST);
    const char *slash = dir[0] && dir[strlen(dir) - 1] == '/' ? "" : "/";
    char *buf = malloc(MAX_FILE_BYTES + 1);
    size_t n = 0;
    int rc = buf ? list_files(d->arena, dir, empty_ok, names, &n, e) : err_set(e, "out of memory");

    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = read_file(d, arena_printf(d->arena, "%s%s%s", dir, slash, names[i]), buf, e);
    free(buf);
    if (rc < 0)
        documents_free(&d);
    return d;
}

int documents_add(struct tree *t, const struct config_documents *d, bool shared, struct err *e)
{
    t->shared = shared;
    for (size_t i = 0; d && i < d->n; i++) {
        const struct config_document *one = &d->list[i];
        const struct node *last = t->root.last;

        if (one->text.n > MAX_FILE_BYTES)
            return err_set(e, "%s: larger than %d MiB", one->name, MAX_FILE_BYTES >> 20);
        if (tree_add(t, one->name, one->text.p, one->text.n, e) < 0)
            return -1;
        if (shared && shared_check(last ? last->next : t->root.first, e) < 0)
            return -1;
    }
    return 0;
}
