/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/credential_file.h"
#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct file_look look_of(const struct stat *st)
{
    return (struct file_look){st->st_mtim, st->st_ino, st->st_size};
}

static bool is_same(const struct file_look *a, const struct file_look *b)
{
    return a->inode == b->inode && a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
           a->changed.tv_nsec == b->changed.tv_nsec;
}

bool file_look_changed(const char *path, struct file_look *look)
{
    struct file_look now = {.size = 0};
    struct stat st;
    bool same;

    if (path && stat(path, &st) == 0)
        now = look_of(&st);
    same = is_same(&now, look);
    *look = now;
    return !same;
}

/* Up to n bytes; how many, or -1. */
static ssize_t read_up_to(int fd, char *buf, size_t n)
{
    size_t used = 0;
    ssize_t got = 1;

    while (used < n && got > 0) {
        got = read(fd, buf + used, n - used);
        used += got > 0 ? (size_t)got : 0;
    }
    return got < 0 ? -1 : (ssize_t)used;
}

static char *read_open(int fd, size_t max, struct str *ret, struct err *e)
{
    struct stat before, after;
    struct file_look a, b;
    char *text;
    ssize_t n;

    if (fstat(fd, &before) < 0 || !S_ISREG(before.st_mode) || (uint64_t)before.st_size > max) {
        err_set(e, "%s", S_ISREG(before.st_mode) ? "is too large" : "is not a file");
        return NULL;
    }
    text = alloc_or_abort((size_t)before.st_size + 2);
    n = read_up_to(fd, text, (size_t)before.st_size + 1);
    *ret = (struct str){text, n > 0 ? (size_t)n : 0};
    a = look_of(&before);
    if (n >= 0 && fstat(fd, &after) == 0) {
        b = look_of(&after);
        if (n == before.st_size && is_same(&a, &b))
            return text;
    }
    err_set(e, "%s", n < 0 ? strerror(errno) : "changes while it is read");
    credential_text_free(text, *ret);
    return NULL;
}

char *credential_file_read(const char *path, size_t max, struct str *ret, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char *text = NULL;

    if (fd < 0) {
        err_set(e, "%s", strerror(errno));
    } else {
        text = read_open(fd, max, ret, e);
        close(fd);
    }
    if (!text)
        err_prefix(e, "%s", path);
    return text;
}

char *credential_pepper_read(const char *path, struct str *ret, struct err *e)
{
    struct str all;
    char *text = credential_file_read(path, PEPPER_MAX, &all, e);

    if (!text)
        return NULL;
    *ret = all;
    while (ret->n > 0 && (ret->p[ret->n - 1] == '\n' || ret->p[ret->n - 1] == '\r'))
        ret->n--;
    if (ret->n >= PEPPER_MIN)
        return text;
    err_set(e, "%s: a pepper has at least %d bytes", path, PEPPER_MIN);
    credential_text_free(text, all);
    return NULL;
}

void credential_text_free(char *text, struct str bytes)
{
    if (text)
        OPENSSL_cleanse(text, bytes.n);
    free(text);
}
