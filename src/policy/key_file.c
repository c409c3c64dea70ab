/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

const char *key_file_path(const struct issuer_keys_conf *c)
{
    return c->jwks_file ? c->jwks_file : c->pem_file ? c->pem_file : c->secret_file;
}

/* The whole file into buf, which is one byte larger than a file may be. */
static int read_all(const char *path, char *buf, size_t cap, size_t *ret_n, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    size_t used = 0;
    ssize_t n = -1;

    if (fd < 0 || fstat(fd, &st) < 0) {
        err_set(e, "%s", strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        err_set(e, "is not a file");
    } else {
        do {
            n = read(fd, buf + used, cap - used);
            used += n > 0 ? (size_t)n : 0;
        } while (n > 0 && used < cap);
        if (n < 0)
            err_set(e, "%s", strerror(errno));
        else if (used == cap)
            n = err_set(e, "is larger than 256 KiB");
    }
    if (fd >= 0)
        close(fd);
    *ret_n = used;
    return n < 0 ? -1 : 0;
}

struct keyset *key_file_read(const struct issuer_conf *c, struct err *e)
{
    struct jwk_rules rules = {.algorithms = c->algorithms, .secrets = true};
    size_t cap = KEYSET_JSON_MAX + 1, n;
    char *buf = malloc(cap);
    struct keyset *s = NULL;

    if (!buf)
        abort();
    if (read_all(key_file_path(&c->keys), buf, cap, &n, e) == 0) {
        struct str text = {buf, n};

        if (c->keys.jwks_file)
            s = keyset_from_jwks(text, &rules, e);
        else if (c->keys.pem_file)
            s = keyset_from_pem(text, &rules, e);
        else
            s = keyset_from_secret(text, &rules, e);
    }
    OPENSSL_cleanse(buf, cap);
    free(buf);
    if (!s)
        err_prefix(e, "%s", key_file_path(&c->keys));
    return s;
}

bool key_file_changed(const struct issuer_keys_conf *c, struct key_file_look *look)
{
    struct key_file_look now = {.size = 0};
    struct stat st;
    bool same;

    if (stat(key_file_path(c), &st) == 0)
        now = (struct key_file_look){st.st_mtim, st.st_ino, st.st_size};
    same = now.inode == look->inode && now.size == look->size &&
           now.changed.tv_sec == look->changed.tv_sec &&
           now.changed.tv_nsec == look->changed.tv_nsec;
    *look = now;
    return !same;
}
