/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/access_introspect.h"
#include "base/clock.h"
#include "base/log.h"
#include "policy/token_place.h"
#include "proxy/access.h"

#include <openssl/evp.h>

enum { MAX_ANSWER = 64 * 1024, LATE_MS = 1000 };

static const char too_long[] = "the token is longer than 4 KiB";

static struct auth_answer unavailable(const char *why)
{
    return (struct auth_answer){.outcome = AUTH_UNAVAILABLE, .detail = why};
}

static struct auth_answer answer_of(struct exchange *x, struct access_introspect *a)
{
    if (a->outcome == AUTH_KNOWN)
        return access_identity_known(x, a->identity ? identity_ref(a->identity) : NULL);
    return (struct auth_answer){.outcome = a->outcome, .detail = a->detail};
}

static enum token_error find_token(const struct request *r, const struct introspection_conf *c,
                                   struct str *ret)
{
    enum token_error e = TOKEN_MISSING;

    for (size_t i = 0; e == TOKEN_MISSING && i < c->nplaces; i++)
        e = token_find_at(r, &c->places[i], ret);
    return e;
}

static bool add_part(struct bytes *to, const char *text)
{
    return bytes_add(to, text ? text : "", strlen(text ? text : "") + 1);
}

static bool make_digest(const struct worker *w, const struct introspection_conf *c,
                        struct str token, unsigned char digest[ANSWER_DIGEST])
{
    struct bytes text = {0};
    bool good = bytes_add(&text, w->digest_key, sizeof w->digest_key) &&
                add_part(&text, "introspection") && add_part(&text, c->name) &&
                add_part(&text, c->service) && add_part(&text, c->path) &&
                add_part(&text, c->client_id) && add_part(&text, c->issuer);

    for (size_t i = 0; good && i < c->naudience; i++)
        good = add_part(&text, c->audience[i]);
    good = good && bytes_add_str(&text, token) &&
           EVP_Digest(text.p, text.end, digest, NULL, EVP_sha256(), NULL) == 1;
    bytes_free(&text);
    return good;
}

/* Claims take some times the room of their text. */
static size_t bytes_of(struct str answer)
{
    return 4 * answer.n;
}

static void remember_good(struct exchange *x, const struct access_introspect *a, struct str answer)
{
    struct answer_cache **cache = &x->w->good_answers;
    uint64_t ms = a->conf->cache_ttl_ms;

    if (a->identity->expires_at_s) {
        int64_t left = (int64_t)a->identity->expires_at_s * 1000 - clock_wall_ms();

        ms = left <= 0 ? 0 : (uint64_t)left < ms ? (uint64_t)left : ms;
    }
    if (ms > 0 && !*cache)
        *cache = answer_cache_new(ANSWERS_GOOD, ANSWERS_GOOD_BYTES);
    if (ms > 0 && *cache)
        answer_cache_add(*cache, a->digest, &(struct cached_answer){a->identity, NULL},
                         bytes_of(answer), x->w->now_ns + ms * NS_PER_MS);
}

static void remember_refusal(struct exchange *x, const struct access_introspect *a)
{
    struct answer_cache **cache = &x->w->refusals;
    uint64_t ms = a->conf->negative_ttl_ms;

    if (ms > 0 && !*cache)
        *cache = answer_cache_new(ANSWERS_REFUSED, ANSWERS_REFUSED_BYTES);
    if (ms > 0 && *cache)
        answer_cache_add(*cache, a->digest, &(struct cached_answer){NULL, a->detail}, 0,
                         x->w->now_ns + ms * NS_PER_MS);
}

static void judge(struct exchange *x, struct access_introspect *a,
                  const struct subrequest_answer *answer)
{
    a->outcome = AUTH_UNAVAILABLE;
    a->detail = "whose token it is could not be asked";
    if (answer->fail != REASON_NONE || answer->head->status != 200) {
        log_debug("auth", "introspection %s: %s", a->conf->name,
                  answer->fail != REASON_NONE ? reason_info(answer->fail)->word : "not status 200");
        return;
    }
    switch (introspection_judge(a->conf, answer->body, clock_wall_ms() / 1000, &a->identity,
                                &a->detail)) {
    case TOKEN_ACTIVE:
        a->outcome = AUTH_KNOWN;
        remember_good(x, a, answer->body);
        break;
    case TOKEN_INACTIVE:
        a->outcome = AUTH_WRONG;
        remember_refusal(x, a);
        break;
    case TOKEN_UNTOLD:
        a->detail = "whose token it is was not answered";
        break;
    }
}

static struct list *askers_of(struct worker *w, const unsigned char *digest)
{
    return &w->token_askers[digest[0] % TOKEN_ASKERS];
}

/* One that asks about that token, or one that waits for it; NULL = there is none. */
static struct access_introspect *find_asker(struct worker *w, const unsigned char *digest,
                                            bool asks)
{
    list_each(node, askers_of(w, digest))
    {
        struct access_introspect *a = CONTAINER_OF(node, struct access_introspect, node);

        if (!!a->call == asks && memcmp(a->digest, digest, ANSWER_DIGEST) == 0)
            return a;
    }
    return NULL;
}

static void leave_list(struct access_introspect *a)
{
    if (a->listed)
        list_remove(&a->node);
    a->listed = false;
}

/* Those that wait for this answer; whoever comes later asks anew. */
static void collect_followers(struct worker *w, const unsigned char *digest, struct list *ret)
{
    list_init(ret);
    list_each_safe(node, tmp, askers_of(w, digest))
    {
        struct access_introspect *a = CONTAINER_OF(node, struct access_introspect, node);

        if (a->call || memcmp(a->digest, digest, ANSWER_DIGEST) != 0)
            continue;
        list_remove(node);
        list_push_back(ret, node);
    }
}

/* Running one may take others off the list. */
static void share(struct list *followers, const struct access_introspect *got)
{
    struct list *node;

    while ((node = list_pop(followers))) {
        struct access_introspect *a = CONTAINER_OF(node, struct access_introspect, node);

        a->listed = false;
        a->done = true;
        a->outcome = got->outcome;
        a->detail = got->detail;
        a->identity = got->identity ? identity_ref(got->identity) : NULL;
        conn_run(a->x->conn);
    }
}

static void on_done(void *arg, const struct subrequest_answer *answer)
{
    struct exchange *x = arg;
    struct access_introspect *a = &x->access->introspect, got;
    struct list followers;

    leave_list(a);
    judge(x, a, answer);
    a->done = true;
    got = *a;
    if (got.identity)
        identity_ref(got.identity);
    collect_followers(x->w, a->digest, &followers);
    conn_run(x->conn); /* x may be gone */
    share(&followers, &got);
    identity_unref(&got.identity);
}

static struct subrequest *ask(struct exchange *x, const struct introspection_conf *c,
                              struct str token)
{
    struct bytes fields = {0}, body = {0};
    struct subrequest_options o = {
        .slot = x->held->snapshot->introspection_slots[c->index],
        .method = STR("POST"),
        .path = str_of(c->path),
        .host = str_of(c->service),
        .timeout_ms = c->timeout_ms,
        .max_answer = MAX_ANSWER,
    };
    struct subrequest *call = NULL;

    if (bytes_add_str(&fields, STR("Content-Type: application/x-www-form-urlencoded\r\n"
                                   "Accept: application/json\r\n")) &&
        introspection_credentials(&fields, c) && introspection_form(&body, token)) {
        o.fields = bytes_str(&fields);
        o.body = bytes_str(&body);
        call = subrequest_start(x, &o, on_done, x);
    }
    if (fields.p)
        OPENSSL_cleanse(fields.p, fields.end);
    bytes_free(&fields);
    bytes_free(&body);
    return call;
}

static struct auth_answer begin(struct exchange *x, struct access_introspect *a, struct str token)
{
    if (!find_asker(x->w, a->digest, true)) {
        a->call = ask(x, a->conf, token);
        if (!a->call)
            return unavailable("memory is out");
    }
    a->x = x;
    a->listed = true;
    list_push_back(askers_of(x->w, a->digest), &a->node);
    exchange_wait(x, a->conf->timeout_ms + LATE_MS, REASON_AUTH_UNAVAILABLE);
    return (struct auth_answer){.outcome = AUTH_WAITING};
}

static struct auth_answer look_up(struct exchange *x, struct access_introspect *a, struct str token)
{
    struct worker *w = x->w;
    const struct cached_answer *said = NULL;

    if (!make_digest(w, a->conf, token, a->digest))
        return unavailable("memory is out");
    if (w->good_answers)
        said = answer_cache_find(w->good_answers, a->digest, w->now_ns);
    if (said)
        return access_identity_known(x, identity_ref(said->identity));
    if (w->refusals)
        said = answer_cache_find(w->refusals, a->digest, w->now_ns);
    if (said)
        return (struct auth_answer){.outcome = AUTH_WRONG, .detail = said->detail};
    return begin(x, a, token);
}

struct auth_answer access_introspect_check(struct exchange *x, const struct mechanism_conf *m)
{
    const struct introspection_conf *c = &exchange_config(x)->introspection[m->index];
    struct access_introspect *a = &x->access->introspect;
    struct str token;
    enum token_error e;

    if (a->conf == c && a->done)
        return answer_of(x, a);
    if (a->conf == c && a->listed && !x->access->timed_out)
        return (struct auth_answer){.outcome = AUTH_WAITING};
    if (a->conf == c && x->access->timed_out) {
        access_introspect_end(a);
        return unavailable("whose token it is was not answered in time");
    }
    e = find_token(&x->req, c, &token);
    if (e == TOKEN_MISSING)
        return (struct auth_answer){.outcome = AUTH_ABSENT};
    if (e != TOKEN_OK || token.n == 0 || token.n > OPAQUE_TOKEN_MAX)
        return (struct auth_answer){.outcome = AUTH_WRONG,
                                    .detail = e != TOKEN_OK  ? token_error_text(e)
                                              : token.n == 0 ? token_error_text(TOKEN_EMPTY)
                                                             : too_long};
    /* A policy may ask several; or the one that asked has gone, and this one asks now. */
    a->appointed = false;
    access_introspect_free(a);
    a->conf = c;
    return look_up(x, a, token);
}

/* The one that asks goes away: another one has to. */
static void hand_over(struct access_introspect *a)
{
    struct access_introspect *next = find_asker(a->x->w, a->digest, false);

    if (!next)
        return;
    leave_list(next);
    next->appointed = true;
    event_active(&next->x->conn->sock.ev, EV_TIMEOUT, 0);
}

void access_introspect_end(struct access_introspect *a)
{
    bool asked = (a->call && !a->done) || a->appointed;

    a->appointed = false;
    leave_list(a);
    if (!a->done)
        subrequest_end(&a->call);
    if (asked)
        hand_over(a);
}

void access_introspect_free(struct access_introspect *a)
{
    access_introspect_end(a);
    subrequest_end(&a->call);
    identity_unref(&a->identity);
    *a = (struct access_introspect){.listed = false};
}
