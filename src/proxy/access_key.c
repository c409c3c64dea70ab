/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/access_key.h"
#include "base/clock.h"
#include "policy/credentials.h"
#include "proxy/access.h"
#include "proxy/head.h"

struct found {
    unsigned n;
    struct str key; /* of the first */
};

static void note(struct found *f, struct str key)
{
    if (f->n++ == 0)
        f->key = key;
}

/* The next parameter as it stands between two '&', and its name. */
static bool next_parameter(struct str *rest, struct str *ret_whole, struct str *ret_name)
{
    const char *end, *equals;

    if (!rest->p || rest->n == 0)
        return false;
    end = memchr(rest->p, '&', rest->n);
    *ret_whole = (struct str){rest->p, end ? (size_t)(end - rest->p) : rest->n};
    rest->p += ret_whole->n + (end != NULL);
    rest->n -= ret_whole->n + (end != NULL);
    equals = memchr(ret_whole->p, '=', ret_whole->n);
    *ret_name = (struct str){ret_whole->p, equals ? (size_t)(equals - ret_whole->p) : ret_whole->n};
    return true;
}

static struct found find(const struct request *r, const struct api_keys_conf *c)
{
    struct str header = str_of(c->header), query = str_of(c->query);
    struct str rest = r->query, whole, name;
    struct found f = {.n = 0};

    for (unsigned i = 0; i < r->nheaders; i++)
        if (str_ieq(r->headers[i].name, header))
            note(&f, r->headers[i].value);
    while (c->query && next_parameter(&rest, &whole, &name))
        if (str_eq(name, query)) {
            size_t skip = name.n + (name.n < whole.n);

            note(&f, (struct str){whole.p + skip, whole.n - skip});
        }
    return f;
}

static struct auth_answer refused(enum key_answer a)
{
    struct auth_answer answer = {.outcome = AUTH_WRONG, .detail = key_answer_text(a)};

    /* Another store may have more to say of a key than that this one does not know it. */
    if (a == KEY_UNKNOWN)
        answer.outcome = AUTH_FOREIGN;
    if (a == KEY_UNHEARD || a == KEY_MEMORY)
        answer.outcome = AUTH_UNAVAILABLE;
    return answer;
}

struct auth_answer access_key_check(struct exchange *x, const struct mechanism_conf *m)
{
    const struct api_keys_conf *c = &exchange_config(x)->api_keys[m->index];
    const struct credential_entry *e = &x->held->snapshot->credentials->keys[m->index];
    struct found f = find(&x->req, c);
    struct identity *who = NULL;
    enum key_answer a;

    if (f.n == 0)
        return (struct auth_answer){.outcome = AUTH_ABSENT};
    if (f.n > 1)
        a = KEY_REPEATED;
    else if (!e->keys)
        a = KEY_UNHEARD;
    else
        a = key_table_find(e->keys, f.key, (uint64_t)clock_wall_ms() / 1000, &who);
    credential_count(e->source, a);
    return a == KEY_OK ? access_identity_known(x, identity_ref(who)) : refused(a);
}

/* Is this parameter a key that stays here? */
static bool stays(const struct exchange *x, struct str name)
{
    const struct access_identity *a = x->access->asked;
    const struct config *c = exchange_config(x);

    for (unsigned i = 0; i < a->nways; i++) {
        const struct api_keys_conf *k =
            a->ways[i]->kind == MECHANISM_API_KEYS ? &c->api_keys[a->ways[i]->index] : NULL;

        if (k && k->query && !k->pass && str_eq(name, str_of(k->query)))
            return true;
    }
    return false;
}

static bool carries_key(const struct exchange *x)
{
    struct str rest = x->req.query, whole, name;

    while (x->access && x->access->asked && next_parameter(&rest, &whole, &name))
        if (stays(x, name))
            return true;
    return false;
}

void access_key_write_query(const struct exchange *x, struct writer *w)
{
    struct str rest = x->req.query, whole, name;
    bool first = true;

    if (!carries_key(x)) {
        writer_lit(w, "?");
        writer_str(w, x->req.query);
        return;
    }
    while (next_parameter(&rest, &whole, &name)) {
        if (stays(x, name))
            continue;
        writer_str(w, first ? STR("?") : STR("&"));
        writer_str(w, whole);
        first = false;
    }
}
