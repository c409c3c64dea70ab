/* SPDX-License-Identifier: Apache-2.0 */
#include "answers.h"
#include "base/alloc.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <uthash.h>
#include <zlib.h>

enum {
    OVERHEAD = 128,        /* of one answer, in memory and in its line */
    PACKED_AT_MOST = 1032, /* times: zlib packs nothing better */
    NUMBERS = 5,           /* in an answer's line */
    LINE_MAX_BYTES = 128,
};

struct answer {
    UT_hash_handle hh;
    char *key;    /* owned */
    char *packed; /* owned; NULL = only used, nothing was said yet */
    size_t npacked, nbody;
    int64_t heard_ms, used_ms;
    unsigned users;
};

struct answers {
    char *origin; /* owned */
    size_t max_bytes, bytes, n;
    struct answer *all; /* owned; by key */
    z_stream packer;
};

struct answers *answers_new(const char *origin, size_t max_bytes)
{
    struct answers *a = alloc_or_abort(sizeof *a);

    a->origin = strdup(origin);
    a->max_bytes = max_bytes;
    if (!a->origin || deflateInit(&a->packer, Z_BEST_SPEED) != Z_OK)
        abort();
    return a;
}

static size_t size_of(const struct answer *x)
{
    return x->packed ? strlen(x->key) + x->npacked + OVERHEAD : 0;
}

static void drop_body(struct answers *a, struct answer *x)
{
    if (!x->packed)
        return;
    a->bytes -= size_of(x);
    a->n--;
    free(x->packed);
    x->packed = NULL;
}

static void remove_answer(struct answers *a, struct answer *x)
{
    drop_body(a, x);
    HASH_DEL(a->all, x);
    free(x->key);
    free(x);
}

static void clear(struct answers *a)
{
    struct answer *x, *tmp;

    HASH_ITER(hh, a->all, x, tmp) remove_answer(a, x);
}

void answers_free(struct answers **pp)
{
    struct answers *a = *pp;

    *pp = NULL;
    if (!a)
        return;
    clear(a);
    deflateEnd(&a->packer);
    free(a->origin);
    free(a);
}

static struct answer *find(const struct answers *a, const char *key)
{
    struct answer *x;

    HASH_FIND_STR(a->all, key, x);
    return x;
}

/* Takes the key over. */
static struct answer *add(struct answers *a, char *key)
{
    struct answer *x = alloc_or_abort(sizeof *x);

    x->key = key;
    HASH_ADD_KEYPTR(hh, a->all, x->key, strlen(x->key), x);
    return x;
}

static struct answer *find_or_add(struct answers *a, const char *key)
{
    struct answer *x = find(a, key);
    char *copy;

    if (x)
        return x;
    copy = strdup(key);
    if (!copy)
        abort();
    return add(a, copy);
}

static void forget(struct answers *a, struct answer *x)
{
    if (x->users > 0)
        drop_body(a, x);
    else
        remove_answer(a, x);
}

/* Encoded, as it is sent: no space, no byte that ends a text. */
static bool is_key(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7f)
            return false;
    return s.n > 0 && s.n <= ANSWERS_KEY_MAX;
}

static char *pack(struct answers *a, struct str body, size_t *ret_n)
{
    size_t room = deflateBound(&a->packer, body.n);
    char *packed = alloc_or_abort(room), *fitted;

    deflateReset(&a->packer);
    a->packer.next_in = (unsigned char *)(uintptr_t)body.p;
    a->packer.avail_in = (unsigned)body.n;
    a->packer.next_out = (unsigned char *)packed;
    a->packer.avail_out = (unsigned)room;
    if (deflate(&a->packer, Z_FINISH) != Z_STREAM_END)
        abort();
    *ret_n = a->packer.total_out;
    fitted = realloc(packed, *ret_n);
    return fitted ? fitted : packed;
}

bool answers_put(struct answers *a, const char *key, struct str body, int64_t now_ms)
{
    struct answer *x = find_or_add(a, key);
    char *packed;
    size_t npacked;

    drop_body(a, x);
    if (body.n > ANSWERS_BODY_MAX || !is_key(str_of(key))) {
        forget(a, x);
        return false;
    }
    packed = pack(a, body, &npacked);
    if (a->bytes + strlen(key) + npacked + OVERHEAD > a->max_bytes) {
        free(packed);
        forget(a, x);
        return false;
    }
    x->packed = packed;
    x->npacked = npacked;
    x->nbody = body.n;
    x->heard_ms = x->used_ms = now_ms;
    a->bytes += size_of(x);
    a->n++;
    return true;
}

void answers_confirm(struct answers *a, const char *key, int64_t now_ms)
{
    struct answer *x = find(a, key);

    if (x && x->packed)
        x->heard_ms = x->used_ms = now_ms;
}

void answers_forget(struct answers *a, const char *key)
{
    struct answer *x = find(a, key);

    if (x)
        forget(a, x);
}

void answers_use(struct answers *a, const char *key)
{
    find_or_add(a, key)->users++;
}

void answers_leave(struct answers *a, const char *key, int64_t now_ms)
{
    struct answer *x = find(a, key);

    if (!x || x->users == 0)
        return;
    x->users--;
    x->used_ms = now_ms;
    if (!x->packed && x->users == 0)
        remove_answer(a, x);
}

bool answers_get(const struct answers *a, const char *key, struct bytes *ret, int64_t *ret_heard_ms)
{
    const struct answer *x = find(a, key);
    uLongf n;

    bytes_free(ret);
    if (!x || !x->packed)
        return false;
    n = x->nbody;
    ret->p = alloc_or_abort(n);
    ret->cap = n ? n : 1;
    if (uncompress((Bytef *)ret->p, &n, (const Bytef *)x->packed, x->npacked) != Z_OK ||
        n != x->nbody) {
        bytes_free(ret);
        return false;
    }
    ret->end = n;
    *ret_heard_ms = x->heard_ms;
    return true;
}

size_t answers_count(const struct answers *a)
{
    return a->n;
}

size_t answers_bytes(const struct answers *a)
{
    return a->bytes;
}

int64_t answers_newest_ms(const struct answers *a)
{
    int64_t newest = 0;

    for (const struct answer *x = a->all; x; x = x->hh.next)
        if (x->packed && x->heard_ms > newest)
            newest = x->heard_ms;
    return newest;
}

void answers_prune(struct answers *a, int64_t now_ms)
{
    struct answer *x, *tmp;

    HASH_ITER(hh, a->all, x, tmp)
    {
        if (x->users == 0 && now_ms - x->used_ms > ANSWERS_UNUSED_MS)
            remove_answer(a, x);
    }
}

static void must_add(struct bytes *b, const void *p, size_t n)
{
    if (!bytes_add(b, p, n))
        abort();
}

void answers_write(const struct answers *a, int64_t now_ms, struct bytes *ret)
{
    must_add(ret, a->origin, strlen(a->origin));
    must_add(ret, "\n", 1);
    for (const struct answer *x = a->all; x; x = x->hh.next) {
        char line[LINE_MAX_BYTES];
        int n;

        if (!x->packed)
            continue;
        n = snprintf(line, sizeof line, "%zu %zu %zu %" PRId64 " %" PRId64 "\n", strlen(x->key),
                     x->npacked, x->nbody, x->heard_ms, x->users > 0 ? now_ms : x->used_ms);
        must_add(ret, line, (size_t)n);
        must_add(ret, x->key, strlen(x->key));
        must_add(ret, x->packed, x->npacked);
    }
}

static bool take(struct str *rest, size_t n, struct str *ret)
{
    if (n > rest->n)
        return false;
    *ret = (struct str){rest->p, n};
    rest->p += n;
    rest->n -= n;
    return true;
}

static bool take_line(struct str *rest, size_t max, struct str *ret)
{
    size_t look = rest->n < max ? rest->n : max;
    const char *end = look ? memchr(rest->p, '\n', look) : NULL;

    if (!end || !take(rest, (size_t)(end - rest->p), ret))
        return false;
    rest->p++;
    rest->n--;
    return true;
}

static bool read_numbers(struct str line, uint64_t ret[NUMBERS])
{
    struct str word;

    for (int i = 0; i < NUMBERS; i++)
        if (!str_next(&line, ' ', &word) || !str_to_u64(word, &ret[i]) || ret[i] > INT64_MAX)
            return false;
    return line.n == 0;
}

static bool is_plausible(const uint64_t number[NUMBERS])
{
    return number[2] <= ANSWERS_BODY_MAX && number[1] <= ANSWERS_BODY_MAX * 2ull &&
           number[2] / PACKED_AT_MOST <= number[1];
}

static bool read_one(struct answers *a, struct str *rest)
{
    struct str line, key, packed;
    uint64_t number[NUMBERS];
    char *name;
    struct answer *x;

    if (!take_line(rest, LINE_MAX_BYTES, &line) || !read_numbers(line, number) ||
        !is_plausible(number) || !take(rest, (size_t)number[0], &key) || !is_key(key) ||
        !take(rest, (size_t)number[1], &packed) || packed.n == 0)
        return false;
    name = strndup(key.p, key.n);
    if (!name)
        abort();
    if (find(a, name) || a->bytes + key.n + packed.n + OVERHEAD > a->max_bytes) {
        free(name);
        return false;
    }
    x = add(a, name);
    x->packed = alloc_or_abort(packed.n);
    memcpy(x->packed, packed.p, packed.n);
    x->npacked = packed.n;
    x->nbody = (size_t)number[2];
    x->heard_ms = (int64_t)number[3];
    x->used_ms = (int64_t)number[4];
    a->bytes += size_of(x);
    a->n++;
    return true;
}

enum answers_result answers_read(struct answers *a, struct str content, struct err *e)
{
    struct str rest = content, origin;

    if (!take_line(&rest, rest.n, &origin)) {
        err_set(e, "it does not say whom it was asked of");
        return ANSWERS_MALFORMED;
    }
    if (!str_eq(origin, str_of(a->origin))) {
        err_set(e, "it is what another Consul said (%.*s)", origin.n < 200 ? (int)origin.n : 200,
                origin.p);
        return ANSWERS_OTHER_ORIGIN;
    }
    while (rest.n > 0) {
        if (read_one(a, &rest))
            continue;
        err_set(e, "byte %zu is not the beginning of an answer", content.n - rest.n);
        clear(a);
        return ANSWERS_MALFORMED;
    }
    return ANSWERS_READ;
}
