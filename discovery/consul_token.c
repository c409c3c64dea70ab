/* SPDX-License-Identifier: Apache-2.0 */
#include "consul_token.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TOKEN_MAX = 4096 };

struct consul_token {
    char *file; /* owned; NULL = fixed token */
    char text[TOKEN_MAX];
    struct timespec mtime;
    ino_t inode;
    bool complained; /* about the present state of the file */
};

/* Copies what lies between white space; false when it could not be a header value. */
static bool set_text(struct consul_token *t, const char *p, size_t n)
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

struct consul_token *consul_token_new(const char *file, const char *token)
{
    struct consul_token *t = calloc(1, sizeof *t);

    if (!t)
        abort();
    if (token && *token && !set_text(t, token, strlen(token)))
        log_warn("discovery", "the Consul token is not usable as a header value: not sent");
    if (file && *file) {
        t->file = strdup(file);
        if (!t->file)
            abort();
        consul_token_refresh(t, true);
    }
    return t;
}

void consul_token_free(struct consul_token *t)
{
    if (!t)
        return;
    explicit_bzero(t->text, sizeof t->text);
    free(t->file);
    free(t);
}

static void complain(struct consul_token *t, const char *why)
{
    if (!t->complained)
        log_warn("discovery", "token file %s: %s; %s", t->file, why,
                 *t->text ? "the last token stays in use" : "no token is sent");
    t->complained = true;
}

static bool read_file(struct consul_token *t)
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

bool consul_token_refresh(struct consul_token *t, bool in_any_case)
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

const char *consul_token_text(const struct consul_token *t)
{
    return t->text;
}

void consul_token_mask(const struct consul_token *t, char *text)
{
    size_t n = strlen(t->text);

    if (n == 0)
        return;
    for (char *p = strstr(text, t->text); p; p = strstr(p, t->text))
        memset(p, '*', n);
}
