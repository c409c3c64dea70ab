/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/password_file.h"
#include "base/arena.h"

#include <crypt.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BCRYPT_LEN = 60,
    SALT_END = 28, /* last letter of the salt, in "$2y$05$" and 53 letters */
    MIN_COST = 4,
    MAX_USERS = 100000,
    NAME_SHOWN = 60
};

struct user {
    const char *name, *hash;
    unsigned line, cost;
};

struct password_file {
    _Atomic int refs;
    struct arena *arena; /* owned */
    uint64_t version;
    struct user *users; /* [n], by name */
    size_t n;
    unsigned cost; /* the highest */
};

/* Where a file is read. */
struct reading {
    struct password_file *file;
    const char *name;
    unsigned line;
    bool says_something;
    struct err *e;
};

static _Atomic uint64_t versions;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct user *)a)->name, ((const struct user *)b)->name);
}

/* The value of a letter of bcrypt's base64, or -1. */
static int letter_value(char c)
{
    static const char letters[] =
        "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    const char *at = memchr(letters, c, sizeof letters - 1);

    return at ? (int)(at - letters) : -1;
}

/* 22 letters are four bits more than a salt, 31 two more than a hash. When these are not zero, no
 * password is right. */
static bool letters_fit(struct str h)
{
    for (size_t i = 7; i < h.n; i++)
        if (letter_value(h.p[i]) < 0)
            return false;
    return (letter_value(h.p[SALT_END]) & 15) == 0 && (letter_value(h.p[h.n - 1]) & 3) == 0;
}

static const char *hash_problem(struct str h, unsigned *ret_cost)
{
    if (!str_starts(h, STR("$2y$")) && !str_starts(h, STR("$2b$")) && !str_starts(h, STR("$2a$")))
        return "only bcrypt hashes are taken (htpasswd -B)";
    if (h.n != BCRYPT_LEN || h.p[4] < '0' || h.p[4] > '9' || h.p[5] < '0' || h.p[5] > '9' ||
        h.p[6] != '$' || !letters_fit(h))
        return "is not a whole bcrypt hash";
    *ret_cost = (unsigned)(h.p[4] - '0') * 10 + (unsigned)(h.p[5] - '0');
    if (*ret_cost < MIN_COST || *ret_cost > PASSWORD_MAX_COST)
        return "has a cost below 4 or above 14, which takes seconds";
    return NULL;
}

/* It becomes a claim, so it must be text. */
static const char *user_problem(struct str user)
{
    json_t *text;

    for (size_t i = 0; i < user.n; i++)
        if ((unsigned char)user.p[i] < ' ' || user.p[i] == 0x7f)
            return "the name of a user holds a control character";
    text = json_stringn(user.p, user.n);
    json_decref(text);
    return text ? NULL : "the name of a user is not UTF-8";
}

static int line_read(struct reading *r, struct str line)
{
    struct password_file *f = r->file;
    const char *colon = memchr(line.p, ':', line.n), *problem;
    struct str user, hash;
    unsigned cost = 0;

    if (!colon || colon == line.p || (size_t)(colon - line.p) > PASSWORD_MAX)
        return err_set(r->e, "%s:%u: expected user:hash", r->name, r->line);
    user = (struct str){line.p, (size_t)(colon - line.p)};
    hash = (struct str){colon + 1, line.n - user.n - 1};
    problem = user_problem(user);
    if (problem)
        return err_set(r->e, "%s:%u: %s", r->name, r->line, problem);
    problem = hash_problem(hash, &cost);
    if (problem)
        return err_set(r->e, "%s:%u: user \"%.*s\": %s", r->name, r->line,
                       (int)(user.n < NAME_SHOWN ? user.n : NAME_SHOWN), user.p, problem);
    if (cost > f->cost)
        f->cost = cost;
    f->users[f->n++] = (struct user){.name = arena_strndup(f->arena, user.p, user.n),
                                     .hash = arena_strndup(f->arena, hash.p, hash.n),
                                     .line = r->line,
                                     .cost = cost};
    return 0;
}

static int lines_read(struct reading *r, struct str text)
{
    size_t lines = 1;

    for (size_t i = 0; i < text.n; i++)
        lines += text.p[i] == '\n';
    if (lines > MAX_USERS)
        return err_set(r->e, "%s: more than %d lines", r->name, MAX_USERS);
    r->file->users = ARENA_ARRAY(r->file->arena, struct user, lines);
    while (text.n > 0) {
        const char *end = memchr(text.p, '\n', text.n);
        struct str line = {text.p, end ? (size_t)(end - text.p) : text.n};

        text.p += line.n + (end != NULL);
        text.n -= line.n + (end != NULL);
        r->line++;
        if (line.n > 0 && line.p[line.n - 1] == '\r')
            line.n--;
        r->says_something |= line.n > 0;
        if (line.n > 0 && line.p[0] != '#' && line_read(r, line) < 0)
            return -1;
    }
    /* Rather a file that somebody is about to write than one without users. */
    return r->says_something
               ? 0
               : err_set(r->e, "%s: is empty; a comment says that there are no users", r->name);
}

static int check_twice(const struct password_file *f, const char *name, struct err *e)
{
    for (size_t i = 1; i < f->n; i++)
        if (strcmp(f->users[i].name, f->users[i - 1].name) == 0)
            return err_set(e, "%s:%u: user \"%.60s\" is on line %u too", name, f->users[i].line,
                           f->users[i].name, f->users[i - 1].line);
    return 0;
}

static int fill(struct password_file *f, const char *name, struct str text, struct err *e)
{
    struct reading r = {.file = f, .name = name, .e = e};

    if (lines_read(&r, text) < 0)
        return -1;
    qsort(f->users, f->n, sizeof *f->users, by_name);
    if (f->n == 0)
        f->cost = 10;
    return check_twice(f, name, e);
}

struct password_file *password_file_new(const char *name, struct str text, struct err *e)
{
    struct arena *arena = arena_new();
    struct password_file *f = arena ? ARENA_NEW(arena, struct password_file) : NULL;

    if (!f) {
        err_set(e, "out of memory");
        return NULL;
    }
    f->refs = 1;
    f->arena = arena;
    f->version = atomic_fetch_add(&versions, 1) + 1;
    if (fill(f, name, text, e) < 0)
        password_file_unref(&f);
    return f;
}

struct password_file *password_file_ref(struct password_file *f)
{
    atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
    return f;
}

void password_file_unref(struct password_file **fp)
{
    struct password_file *f = *fp;

    *fp = NULL;
    if (f && atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) == 1)
        arena_free(f->arena);
}

size_t password_file_count(const struct password_file *f)
{
    return f->n;
}

uint64_t password_file_version(const struct password_file *f)
{
    return f->version;
}

static const struct user *find(const struct password_file *f, const char *name)
{
    struct user key = {.name = name};

    return f->n ? bsearch(&key, f->users, f->n, sizeof key, by_name) : NULL;
}

/* As long as a hash of this cost takes. */
static void pass_time(struct crypt_data *data, const char *secret, unsigned cost)
{
    char nobody[BCRYPT_LEN + 16]; /* the compiler does not know that a cost has two digits */

    snprintf(nobody, sizeof nobody, "$2b$%02u$%s", cost,
             "abcdefghijklmnopqrstuu0123456789012345678901234567890");
    crypt_r(secret, nobody, data);
}

static enum password_verdict check(const struct password_file *f, const char *name,
                                   const char *secret, struct crypt_data *data)
{
    const struct user *u = find(f, name);
    const char *made;

    if (!u) {
        pass_time(data, secret, f->cost);
        return PASSWORD_WRONG;
    }
    made = crypt_r(secret, u->hash, data);
    if (made && strlen(made) == BCRYPT_LEN && CRYPTO_memcmp(made, u->hash, BCRYPT_LEN) == 0)
        return PASSWORD_RIGHT;
    /* Each cost takes twice as long as the one below: with these it is as long as the highest. */
    for (unsigned cost = u->cost; cost < f->cost; cost++)
        pass_time(data, secret, cost);
    return PASSWORD_WRONG;
}

enum password_verdict password_check(const struct password_file *f, struct str user,
                                     struct str password)
{
    char name[PASSWORD_MAX + 1], secret[PASSWORD_MAX + 1];
    struct crypt_data *data;
    enum password_verdict v;

    if (user.n > PASSWORD_MAX || password.n > PASSWORD_MAX)
        return PASSWORD_WRONG;
    data = calloc(1, sizeof *data);
    if (!data)
        return PASSWORD_FAILED;
    memcpy(name, user.p, user.n);
    name[user.n] = '\0';
    memcpy(secret, password.p, password.n);
    secret[password.n] = '\0';
    v = check(f, name, secret, data);
    OPENSSL_cleanse(secret, sizeof secret);
    OPENSSL_cleanse(data, sizeof *data);
    free(data);
    return v;
}
