/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/token.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint64_t failures_period_ns = 10 * NS_PER_S;

struct token {
    char *path;
    struct stat seen; /* the file that `digest` was made from */
    bool looked, usable;
    unsigned char digest[SHA256_DIGEST_LENGTH];
    uint64_t period_began_ns;
    unsigned failures; /* in this period */
};

static void digest_of(const char *p, size_t n, unsigned char *ret)
{
    SHA256((const unsigned char *)p, n, ret);
}

static int read_whole(int fd, char *buf, size_t cap, size_t *ret_n)
{
    size_t n = 0;
    ssize_t got;

    while (n < cap && (got = read(fd, buf + n, cap - n)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        n += (size_t)got;
    }
    *ret_n = n;
    return 0;
}

static int digest_file(const char *path, int fd, const struct stat *st, unsigned char *ret_digest,
                       struct err *e)
{
    char text[TOKEN_MAX_BYTES + 1];
    size_t n = 0;
    int r = 0;

    if (!S_ISREG(st->st_mode))
        return err_set(e, "admin.token_file: %s is no plain file", path);
    if (read_whole(fd, text, sizeof text, &n) < 0)
        return err_set(e, "admin.token_file: cannot read %s: %s", path, strerror(errno));
    if (n > TOKEN_MAX_BYTES)
        r = err_set(e, "admin.token_file: %s holds more than %d bytes", path, TOKEN_MAX_BYTES);
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
        n--;
    if (r == 0 && n < TOKEN_MIN_BYTES)
        r = err_set(e,
                    "admin.token_file: the token in %s is too short: %zu bytes, at least %d are "
                    "needed (head -c 24 /dev/urandom | base64)",
                    path, n, TOKEN_MIN_BYTES);
    for (size_t i = 0; r == 0 && i < n; i++)
        if ((unsigned char)text[i] <= ' ' || (unsigned char)text[i] >= 0x7f)
            r = err_set(e,
                        "admin.token_file: the token in %s holds a byte that no Authorization "
                        "field can carry: printable ASCII without spaces is expected",
                        path);
    if (r == 0)
        digest_of(text, n, ret_digest);
    OPENSSL_cleanse(text, sizeof text);
    return r;
}

static int load(const char *path, struct stat *ret_stat, unsigned char *ret_digest, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int r;

    if (fd < 0)
        return err_set(e, "admin.token_file: cannot open %s: %s", path, strerror(errno));
    if (fstat(fd, ret_stat) < 0)
        r = err_set(e, "admin.token_file: cannot look at %s: %s", path, strerror(errno));
    else
        r = digest_file(path, fd, ret_stat, ret_digest, e);
    close(fd);
    return r;
}

static void warn_of_readers(const char *path, const struct stat *st)
{
    if (st->st_mode & S_IROTH)
        log_warn("admin", "admin.token_file: everyone on this machine can read %s (chmod o-r)",
                 path);
}

int token_check(const char *path, struct err *e)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    struct stat st;

    if (load(path, &st, digest, e) < 0)
        return -1;
    warn_of_readers(path, &st);
    return 0;
}

struct token *token_new(const char *path)
{
    struct token *t = alloc_or_abort(sizeof *t);

    t->path = strdup(path);
    if (!t->path)
        abort();
    return t;
}

void token_free(struct token *t)
{
    if (!t)
        return;
    OPENSSL_cleanse(t->digest, sizeof t->digest);
    free(t->path);
    free(t);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static void refresh(struct token *t)
{
    struct stat st = {0};
    struct err e;

    /* A file that is gone has the all-zero stat: told of once, as any other state. */
    if (stat(t->path, &st) < 0)
        memset(&st, 0, sizeof st);
    if (t->looked && same_file(&st, &t->seen))
        return;
    t->usable = load(t->path, &t->seen, t->digest, &e) == 0;
    if (!t->usable) {
        t->seen = st;
        log_error("admin", "%s; no token is accepted until this is mended", e.text);
    } else if (t->looked) {
        log_info("admin", "admin.token_file: the token was exchanged");
        warn_of_readers(t->path, &t->seen);
    }
    t->looked = true;
}

static void count_failure(struct token *t)
{
    t->failures++;
    if (t->failures == TOKEN_MAX_FAILURES)
        log_warn("admin",
                 "%d wrong tokens within ten seconds: no token is looked at until they "
                 "are over",
                 TOKEN_MAX_FAILURES);
}

/* RFC 6750 section 2.1, RFC 9110 section 11.1: the scheme's case does not matter. */
static const char *bearer(const char *authorization)
{
    static const char scheme[] = "Bearer ";
    const char *p = authorization;

    if (!p || strncasecmp(p, scheme, sizeof scheme - 1) != 0)
        return NULL;
    p += sizeof scheme - 1;
    return p + strspn(p, " ");
}

enum token_verdict token_judge(struct token *t, const char *authorization, uint64_t now_ns)
{
    const char *given = bearer(authorization);
    unsigned char digest[SHA256_DIGEST_LENGTH];
    bool good;

    if (!given)
        return TOKEN_ABSENT;
    if (now_ns - t->period_began_ns >= failures_period_ns) {
        t->period_began_ns = now_ns;
        t->failures = 0;
    }
    if (t->failures >= TOKEN_MAX_FAILURES)
        return TOKEN_TOO_MANY;
    refresh(t);
    digest_of(given, strcspn(given, " \t"), digest);
    good = CRYPTO_memcmp(digest, t->digest, sizeof digest) == 0 && t->usable;
    if (good)
        return TOKEN_GOOD;
    count_failure(t);
    return TOKEN_WRONG;
}

unsigned token_wait_s(const struct token *t, uint64_t now_ns)
{
    uint64_t gone = now_ns - t->period_began_ns;
    uint64_t left = gone < failures_period_ns ? failures_period_ns - gone : 0;

    return (unsigned)((left + NS_PER_S - 1) / NS_PER_S) + (left == 0);
}
