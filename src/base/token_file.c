/* SPDX-License-Identifier: Apache-2.0 */
#include "base/token_file.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TOKEN_MAX = 4096 };

struct token_file {
    const char *area;
    char *file; /* owned; NULL = fixed token */
    char text[TOKEN_MAX];
    struct timespec mtime;
    ino_t inode;
    bool complained; /* about the present state of the file */
};

/* Copies what lies between white space; false when it could not be a header value. */
static bool set_text(struct token_file *t, const char *p, size_t n)
{
    while (n > 0 && strchr(" \t\r\n", p[0])) {
        p++;
        n--;
    }
    while (n > 0 && strchr(" \t\r\n", p[n - 1]))
        n--;
    if (n == 0 || n >= sizeof t->text)
        return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)p[i] <= 0x20 || (unsigned char)p[i] >= 0x7f)
            return false;
    memset(t->text, 0, sizeof t->text);
    memcpy(t->text, p, n);
    return true;
}

struct token_file *token_file_new(const char *area, const char *file, const char *token)
{
    struct token_file *t = calloc(1, sizeof *t);

    if (!t)
        abort();
    t->area = area;
    if (token && *token && !set_text(t, token, strlen(token)))
        log_warn(area, "the token is not usable as a header value: not sent");
    if (file && *file) {
        t->file = strdup(file);
        if (!t->file)
            abort();
        token_file_refresh(t, true);
    }
    return t;
}

void token_file_free(struct token_file *t)
{
    if (!t)
        return;
    explicit_bzero(t->text, sizeof t->text);
    free(t->file);
    free(t);
}

static void complain(struct token_file *t, const char *why)
{
    if (!t->complained)
        log_warn(t->area, "token file %s: %s; %s", t->file, why,
                 *t->text ? "the last token stays in use" : "no token is sent");
    t->complained = true;
}

static bool read_file(struct token_file *t)
{
    char data[TOKEN_MAX], before[TOKEN_MAX];
    int fd = open(t->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : read(fd, data, sizeof data);
    bool changed = false;

    memcpy(before, t->text, sizeof before);
    if (n < 0)
        complain(t, strerror(errno));
    else if (!set_text(t, data, (size_t)n))
        complain(t, "does not hold a token");
    else
        t->complained = false;
    if (fd >= 0)
        close(fd);
    changed = strcmp(before, t->text) != 0;
    explicit_bzero(data, sizeof data);
    explicit_bzero(before, sizeof before);
    return changed;
}

bool token_file_refresh(struct token_file *t, bool in_any_case)
{
    struct stat st;

    if (!t->file)
        return false;
    if (stat(t->file, &st) != 0) {
        complain(t, strerror(errno));
        return false;
    }
    if (!in_any_case && st.st_ino == t->inode && st.st_mtim.tv_sec == t->mtime.tv_sec &&
        st.st_mtim.tv_nsec == t->mtime.tv_nsec)
        return false;
    t->inode = st.st_ino;
    t->mtime = st.st_mtim;
    return read_file(t);
}

bool token_file_put(struct token_file *t, const char *token)
{
    return set_text(t, token, strlen(token));
}

const char *token_file_text(const struct token_file *t)
{
    return t->text;
}

void token_file_mask(const struct token_file *t, char *text)
{
    size_t n = strlen(t->text);

    if (n == 0)
        return;
    for (char *p = strstr(text, t->text); p; p = strstr(p, t->text))
        memset(p, '*', n);
}
