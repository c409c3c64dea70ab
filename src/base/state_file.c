/* SPDX-License-Identifier: Apache-2.0 */
#include "base/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SUM_BYTES = 32, /* SHA-256 */
    SUM_TEXT = 2 * SUM_BYTES,
    LINE_MAX_BYTES = 256, /* of the first line */
};

static const char first_word[] = "frontdesk ";

const char *state_result_text(enum state_result r)
{
    switch (r) {
    case STATE_READ:
        return "read";
    case STATE_MISSING:
        return "missing";
    case STATE_UNREADABLE:
        return "unreadable";
    case STATE_TOO_LARGE:
        return "too large";
    case STATE_NOT_OURS:
        return "not ours";
    case STATE_OTHER_VERSION:
        return "of another version";
    case STATE_CUT_SHORT:
        return "cut short";
    case STATE_DAMAGED:
        return "damaged";
    }
    return "?";
}

static void checksum(struct str line, struct str content, char ret[SUM_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char sum[SUM_BYTES];
    EVP_MD_CTX *c = EVP_MD_CTX_new();

    if (!c || !EVP_DigestInit_ex(c, EVP_sha256(), NULL) || !EVP_DigestUpdate(c, line.p, line.n) ||
        !EVP_DigestUpdate(c, content.p, content.n) || !EVP_DigestFinal_ex(c, sum, NULL))
        abort();
    EVP_MD_CTX_free(c);
    for (size_t i = 0; i < SUM_BYTES; i++) {
        ret[2 * i] = digits[sum[i] >> 4];
        ret[2 * i + 1] = digits[sum[i] & 15];
    }
}

/* Takes "WORD " off the front. */
static bool next_word(struct str *rest, struct str *ret)
{
    const char *space = rest->n ? memchr(rest->p, ' ', rest->n) : NULL;

    if (!space)
        return false;
    *ret = (struct str){rest->p, (size_t)(space - rest->p)};
    rest->n -= ret->n + 1;
    rest->p += ret->n + 1;
    return true;
}

static enum state_result refuse(enum state_result r, struct err *e, const char *more)
{
    err_set(e, "%s%s%s", state_result_text(r), *more ? ": " : "", more);
    return r;
}

enum state_result state_file_check(struct str whole, const struct state_kind *k,
                                   struct str *ret_content, struct err *e)
{
    struct str rest = whole, kind, version, length, line;
    uint64_t number, bytes;
    char sum[SUM_TEXT];

    if (whole.n == 0)
        return refuse(STATE_CUT_SHORT, e, "it is empty");
    if (!str_starts(whole, str_of(first_word)))
        return refuse(STATE_NOT_OURS, e, "");
    rest.p += strlen(first_word);
    rest.n -= strlen(first_word);
    if (!next_word(&rest, &kind) || !str_eq(kind, str_of(k->name)))
        return refuse(STATE_NOT_OURS, e, "");
    if (!next_word(&rest, &version) || !str_to_u64(version, &number))
        return refuse(STATE_DAMAGED, e, "its first line");
    if (number != k->version)
        return refuse(STATE_OTHER_VERSION, e, "");
    if (!next_word(&rest, &length) || !str_to_u64(length, &bytes))
        return refuse(STATE_DAMAGED, e, "its first line");
    if (bytes > k->max_bytes)
        return refuse(STATE_TOO_LARGE, e, "");
    line = (struct str){whole.p, (size_t)(rest.p - whole.p)};
    if (rest.n < SUM_TEXT + 1 || rest.n - SUM_TEXT - 1 < bytes)
        return refuse(STATE_CUT_SHORT, e, "");
    *ret_content = (struct str){rest.p + SUM_TEXT + 1, (size_t)bytes};
    checksum(line, *ret_content, sum);
    if (rest.n - SUM_TEXT - 1 != bytes || rest.p[SUM_TEXT] != '\n' ||
        memcmp(rest.p, sum, SUM_TEXT) != 0)
        return refuse(STATE_DAMAGED, e, "its checksum is another one");
    return STATE_READ;
}

static int write_all(int fd, struct str s)
{
    while (s.n > 0) {
        ssize_t n = write(fd, s.p, s.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        s.p += n;
        s.n -= (size_t)n;
    }
    return 0;
}

/* The name of an entry is only kept once its directory is. */
static int sync_directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char directory[PATH_MAX];
    int fd, ret;

    if (slash)
        snprintf(directory, sizeof directory, "%.*s", slash == path ? 1 : (int)(slash - path),
                 path);
    else
        snprintf(directory, sizeof directory, ".");
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ret = fsync(fd);
    close(fd);
    return ret;
}

static int write_temporary(const char *path, struct str line, struct str content)
{
    int fd, ret, saved;

    if (unlink(path) != 0 && errno != ENOENT)
        return -1;
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -1;
    ret = write_all(fd, line) != 0 || write_all(fd, content) != 0 || fsync(fd) != 0 ? -1 : 0;
    saved = errno;
    if (close(fd) != 0 && ret == 0)
        return -1;
    errno = saved;
    return ret;
}

int state_file_write(const char *path, const struct state_kind *k, struct str content,
                     struct err *e)
{
    char line[LINE_MAX_BYTES], temporary[PATH_MAX];
    int n = snprintf(line, sizeof line - SUM_TEXT - 1, "%s%s %u %zu ", first_word, k->name,
                     k->version, content.n);

    if (content.n > k->max_bytes)
        return err_set(e, "%s: %zu bytes", state_result_text(STATE_TOO_LARGE), content.n);
    if (snprintf(temporary, sizeof temporary, "%s.tmp", path) >= (int)sizeof temporary)
        return err_set(e, "%s", strerror(ENAMETOOLONG));
    checksum((struct str){line, (size_t)n}, content, line + n);
    line[n + SUM_TEXT] = '\n';
    if (write_temporary(temporary, (struct str){line, (size_t)n + SUM_TEXT + 1}, content) != 0 ||
        rename(temporary, path) != 0) {
        err_set(e, "%s", strerror(errno));
        unlink(temporary);
        return -1;
    }
    if (sync_directory_of(path) != 0)
        return err_set(e, "its directory: %s", strerror(errno));
    return 0;
}

static int read_all(int fd, size_t bytes, struct bytes *ret)
{
    char *p = malloc(bytes + 1);
    size_t got = 0;

    if (!p)
        return -1;
    while (got < bytes) {
        ssize_t n = read(fd, p + got, bytes - got);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            free(p);
            return -1;
        }
        if (n == 0)
            break;
        got += (size_t)n;
    }
    *ret = (struct bytes){.p = p, .end = got, .cap = bytes + 1};
    return 0;
}

static enum state_result read_file(int fd, const struct state_kind *k, struct bytes *ret,
                                   struct err *e)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return refuse(STATE_UNREADABLE, e, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return refuse(STATE_UNREADABLE, e, "it is not a regular file");
    if ((uint64_t)st.st_size > k->max_bytes + LINE_MAX_BYTES)
        return refuse(STATE_TOO_LARGE, e, "");
    if (read_all(fd, (size_t)st.st_size, ret) != 0)
        return refuse(STATE_UNREADABLE, e, strerror(errno));
    return STATE_READ;
}

enum state_result state_file_read(const char *path, const struct state_kind *k, struct bytes *ret,
                                  struct str *ret_content, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    enum state_result r;

    bytes_free(ret);
    *ret_content = STR("");
    if (fd < 0 && errno == ENOENT)
        return refuse(STATE_MISSING, e, "");
    if (fd < 0)
        return refuse(STATE_UNREADABLE, e, strerror(errno));
    r = read_file(fd, k, ret, e);
    close(fd);
    return r == STATE_READ ? state_file_check(bytes_str(ret), k, ret_content, e) : r;
}

int state_file_set_aside(const char *path, struct err *e)
{
    char aside[PATH_MAX];

    if (snprintf(aside, sizeof aside, "%s.damaged", path) >= (int)sizeof aside)
        return err_set(e, "%s", strerror(ENAMETOOLONG));
    return rename(path, aside) == 0 ? 0 : err_set(e, "%s", strerror(errno));
}

int state_directory_check(const char *directory, struct err *e)
{
    struct stat st;

    if (stat(directory, &st) != 0)
        return err_set(e, "%s", strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return err_set(e, "%s", strerror(ENOTDIR));
    return access(directory, W_OK | X_OK) == 0 ? 0 : err_set(e, "%s", strerror(errno));
}
