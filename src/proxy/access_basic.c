/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/access_basic.h"
#include "policy/basic_text.h"
#include "policy/credentials.h"
#include "policy/password_cache.h"
#include "proxy/access.h"

#include <openssl/crypto.h>

/* User and password of the request, while somebody looks at them. */
struct login {
    struct str user, password; /* in buf */
    char buf[PASSWORD_MAX];
};

static void login_wipe(struct login *l)
{
    OPENSSL_cleanse(l->buf, sizeof l->buf);
}

/* KEY_OK: it carries one that is well-formed. */
static enum key_answer find(const struct request *r, struct login *l, bool *ret_absent)
{
    struct str text = STR_NULL;
    unsigned fields = 0, basic = 0;

    for (unsigned i = 0; i < r->nheaders; i++) {
        if (r->headers[i].id != HEADER_AUTHORIZATION)
            continue;
        fields++;
        basic += basic_scheme(r->headers[i].value, &text);
    }
    *ret_absent = basic == 0;
    if (fields > 1)
        return KEY_REPEATED;
    return basic && basic_decode(text, l->buf, &l->user, &l->password) ? KEY_OK : KEY_MALFORMED;
}

static struct auth_answer known(struct exchange *x, struct credential_source *s, struct identity *i)
{
    credential_count(s, i ? KEY_OK : KEY_MEMORY);
    return access_identity_known(x, i);
}

static struct auth_answer refused(struct credential_source *s, enum key_answer a)
{
    bool unavailable = a == KEY_BUSY || a == KEY_MEMORY;

    credential_count(s, a);
    return (struct auth_answer){.outcome = unavailable ? AUTH_UNAVAILABLE : AUTH_WRONG,
                                .detail = password_answer_text(a)};
}

/* A new identity for the user, remembered under the digest of his password. */
static struct auth_answer right(struct exchange *x, const struct basic_conf *c,
                                struct credential_source *s, const struct access_basic *b,
                                struct str user)
{
    struct worker *w = x->w;
    struct identity *i =
        identity_new(IDENTITY_BASIC, c->name, json_pack("{s:s%}", "sub", user.p, user.n), 0);

    if (i && c->cache_ms && !w->password_cache)
        w->password_cache = password_cache_new();
    if (i && c->cache_ms && w->password_cache)
        password_cache_add(w->password_cache, b->digest, i, w->now_ns + c->cache_ms * NS_PER_MS);
    return known(x, s, i);
}

/* A thread of the pool. */
static void on_checked(void *worker)
{
    worker_post(worker, WORKER_PASSWORDS);
}

static struct auth_answer wait_for(struct exchange *x, const struct credential_entry *e,
                                   struct access_basic *b, const struct login *l)
{
    struct password_question q = {.file = e->passwords,
                                  .user = l->user,
                                  .password = l->password,
                                  .from = *exchange_client_address(x)};

    memcpy(q.digest, b->digest, sizeof q.digest);
    b->pool = x->held->snapshot->credentials->pool;
    b->wait.done = on_checked;
    b->wait.arg = x->w;
    if (!password_pool_ask(b->pool, &q, &b->wait))
        return refused(e->source, KEY_BUSY);
    b->x = x;
    b->listed = true;
    list_push_back(&x->w->password_waiters, &b->node);
    exchange_wait(x, PASSWORD_WAIT_MS, REASON_AUTH_UNAVAILABLE);
    return (struct auth_answer){.outcome = AUTH_WAITING};
}

static struct auth_answer begin(struct exchange *x, const struct basic_conf *c,
                                const struct credential_entry *e, struct access_basic *b,
                                const struct login *l)
{
    struct password_pool *pool = x->held->snapshot->credentials->pool;
    struct password_cache *cache = x->w->password_cache;
    struct identity *who = NULL;

    if (!password_digest(pool, e->passwords, l->user, l->password, b->digest))
        return refused(e->source, KEY_MEMORY);
    if (cache && c->cache_ms)
        who = password_cache_find(cache, b->digest, x->w->now_ns);
    return who ? known(x, e->source, identity_ref(who)) : wait_for(x, e, b, l);
}

static struct auth_answer go_on(struct exchange *x, const struct basic_conf *c,
                                const struct credential_entry *e, struct access_basic *b,
                                const struct login *l)
{
    bool checked = password_wait_over(&b->wait);
    enum password_verdict v = checked ? b->wait.verdict : PASSWORD_FAILED;

    if (!checked && !x->access->timed_out)
        return (struct auth_answer){.outcome = AUTH_WAITING};
    access_basic_end(b);
    if (!checked)
        return refused(e->source, KEY_BUSY);
    if (v == PASSWORD_RIGHT)
        return right(x, c, e->source, b, l->user);
    return refused(e->source, v == PASSWORD_WRONG ? KEY_WRONG : KEY_MEMORY);
}

struct auth_answer access_basic_check(struct exchange *x, const struct mechanism_conf *m)
{
    const struct basic_conf *c = &exchange_config(x)->basic[m->index];
    const struct credential_entry *e = &x->held->snapshot->credentials->basic[m->index];
    struct access_basic *b = &x->access->basic;
    struct auth_answer answer;
    struct login l;
    bool absent;
    enum key_answer a = find(&x->req, &l, &absent);

    if (absent)
        return (struct auth_answer){.outcome = AUTH_ABSENT};
    if (a != KEY_OK)
        answer = refused(e->source, a);
    else if (b->listed)
        answer = go_on(x, c, e, b, &l);
    else
        answer = begin(x, c, e, b, &l);
    login_wipe(&l);
    return answer;
}

void access_basic_end(struct access_basic *b)
{
    if (!b->listed)
        return;
    b->listed = false;
    list_remove(&b->node);
    password_pool_leave(b->pool, &b->wait);
}

void access_basic_resume(struct worker *w)
{
    struct list *node = w->password_waiters.next;

    while (node != &w->password_waiters) {
        struct access_basic *b = CONTAINER_OF(node, struct access_basic, node);

        if (!password_wait_over(&b->wait)) {
            node = node->next;
            continue;
        }
        /* Running one may take others out of the list; itself it leaves in any case. */
        list_remove(&b->node);
        conn_run(b->x->conn);
        node = w->password_waiters.next;
    }
}
