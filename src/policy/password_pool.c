/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/password_pool.h"
#include "base/alloc.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>

enum { MAX_THREADS = 8 };

struct password_job {
    struct list node;           /* in the pool's queue or among the running */
    struct list waiters;        /* struct password_wait */
    struct password_file *file; /* ref */
    unsigned char digest[PASSWORD_DIGEST];
    unsigned char client[16];
    size_t nuser, npassword;
    char text[]; /* user, password */
};

struct password_pool {
    unsigned char key[32];
    unsigned nthreads; /* that there are to be */
    pthread_t threads[MAX_THREADS];
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t news;
    unsigned started;
    struct list queue, running; /* struct password_job */
    unsigned npending;          /* in both */
    bool stopping;
};

struct password_pool *password_pool_new(unsigned nthreads)
{
    struct password_pool *p = alloc_or_abort(sizeof *p);

    if (getrandom(p->key, sizeof p->key, 0) != sizeof p->key)
        abort();
    p->nthreads = nthreads > MAX_THREADS ? MAX_THREADS : nthreads;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->news, NULL);
    list_init(&p->queue);
    list_init(&p->running);
    return p;
}

/* It is in no list and nobody waits for it. */
static void job_free(struct password_pool *p, struct password_job *j)
{
    p->npending--;
    password_file_unref(&j->file);
    OPENSSL_cleanse(j->text, j->nuser + j->npassword);
    free(j);
}

void password_pool_free(struct password_pool **pp)
{
    struct password_pool *p = *pp;
    struct list *node;

    *pp = NULL;
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->news);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->started; i++)
        pthread_join(p->threads[i], NULL);
    while ((node = list_pop(&p->queue)) != NULL)
        job_free(p, CONTAINER_OF(node, struct password_job, node));
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->news);
    OPENSSL_cleanse(p->key, sizeof p->key);
    free(p);
}

bool password_digest(const struct password_pool *p, const struct password_file *f, struct str user,
                     struct str password, unsigned char ret[PASSWORD_DIGEST])
{
    /* The lengths keep "ab" with "c" apart from "a" with "bc". */
    uint64_t head[3] = {password_file_version(f), user.n, password.n};
    unsigned char text[sizeof head + 2 * PASSWORD_MAX];
    size_t n = sizeof head + user.n + password.n;
    bool done;

    if (user.n > PASSWORD_MAX || password.n > PASSWORD_MAX)
        return false;
    memcpy(text, head, sizeof head);
    memcpy(text + sizeof head, user.p, user.n);
    memcpy(text + sizeof head + user.n, password.p, password.n);
    done = HMAC(EVP_sha256(), p->key, sizeof p->key, text, n, ret, NULL) != NULL;
    OPENSSL_cleanse(text, n);
    return done;
}

/* The address, or the /64 that an IPv6 client has to itself. */
static void client_of(const struct in6_addr *from, unsigned char ret[16])
{
    memcpy(ret, from->s6_addr, 16);
    if (!IN6_IS_ADDR_V4MAPPED(from))
        memset(ret + 8, 0, 8);
}

static struct password_job *find_in(const struct list *list, const unsigned char *digest)
{
    list_each(node, list)
    {
        struct password_job *j = CONTAINER_OF(node, struct password_job, node);

        if (CRYPTO_memcmp(j->digest, digest, PASSWORD_DIGEST) == 0)
            return j;
    }
    return NULL;
}

static unsigned count_in(const struct list *list, const unsigned char *client)
{
    unsigned n = 0;

    list_each(node, list) n +=
        memcmp(CONTAINER_OF(node, struct password_job, node)->client, client, 16) == 0;
    return n;
}

static struct password_job *job_new(struct password_pool *p, const struct password_question *q,
                                    const unsigned char *client)
{
    struct password_job *j = calloc(1, sizeof *j + q->user.n + q->password.n);

    if (!j)
        return NULL;
    list_init(&j->node);
    list_init(&j->waiters);
    j->file = password_file_ref(q->file);
    memcpy(j->digest, q->digest, sizeof j->digest);
    memcpy(j->client, client, sizeof j->client);
    j->nuser = q->user.n;
    j->npassword = q->password.n;
    memcpy(j->text, q->user.p, q->user.n);
    memcpy(j->text + q->user.n, q->password.p, q->password.n);
    p->npending++;
    return j;
}

static void tell(struct password_job *j, enum password_verdict v)
{
    struct list *node;

    while ((node = list_pop(&j->waiters)) != NULL) {
        struct password_wait *w = CONTAINER_OF(node, struct password_wait, node);

        w->job = NULL;
        w->verdict = v;
        atomic_store_explicit(&w->state, PASSWORD_CHECKED, memory_order_release);
        w->done(w->arg);
    }
}

static void *run(void *arg)
{
    struct password_pool *p = arg;

    pthread_mutex_lock(&p->lock);
    for (;;) {
        struct password_job *j;
        enum password_verdict v;

        while (list_empty(&p->queue) && !p->stopping)
            pthread_cond_wait(&p->news, &p->lock);
        if (p->stopping)
            break;
        j = CONTAINER_OF(list_pop(&p->queue), struct password_job, node);
        list_push_back(&p->running, &j->node);
        pthread_mutex_unlock(&p->lock);
        v = password_check(j->file, (struct str){j->text, j->nuser},
                           (struct str){j->text + j->nuser, j->npassword});
        pthread_mutex_lock(&p->lock);
        list_remove(&j->node);
        tell(j, v);
        job_free(p, j);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* Signals are the control thread's, whoever asks first. */
static bool start_threads(struct password_pool *p)
{
    sigset_t all, old;

    if (p->started == p->nthreads)
        return true;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    while (p->started < p->nthreads && pthread_create(&p->threads[p->started], NULL, run, p) == 0)
        p->started++;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return p->started > 0;
}

/* The check that is to be waited for: one under way, or a new one. */
static struct password_job *find_or_begin(struct password_pool *p,
                                          const struct password_question *q)
{
    unsigned char client[16];
    struct password_job *j = find_in(&p->running, q->digest);

    if (!j)
        j = find_in(&p->queue, q->digest);
    if (j)
        return j;
    client_of(&q->from, client);
    if (p->npending >= PASSWORD_POOL_PENDING ||
        count_in(&p->queue, client) + count_in(&p->running, client) >= PASSWORD_POOL_PER_CLIENT ||
        !start_threads(p) || !(j = job_new(p, q, client)))
        return NULL;
    list_push_back(&p->queue, &j->node);
    pthread_cond_signal(&p->news);
    return j;
}

bool password_pool_ask(struct password_pool *p, const struct password_question *q,
                       struct password_wait *w)
{
    struct password_job *j;

    pthread_mutex_lock(&p->lock);
    j = find_or_begin(p, q);
    if (j) {
        w->job = j;
        atomic_store_explicit(&w->state, PASSWORD_PENDING, memory_order_relaxed);
        list_push_back(&j->waiters, &w->node);
    }
    pthread_mutex_unlock(&p->lock);
    return j != NULL;
}

void password_pool_leave(struct password_pool *p, struct password_wait *w)
{
    if (atomic_load_explicit(&w->state, memory_order_relaxed) == PASSWORD_IDLE)
        return;
    pthread_mutex_lock(&p->lock);
    if (w->job) {
        struct password_job *j = w->job;

        list_remove(&w->node);
        w->job = NULL;
        /* One that runs frees itself. */
        if (list_empty(&j->waiters) && find_in(&p->queue, j->digest) == j) {
            list_remove(&j->node);
            job_free(p, j);
        }
    }
    pthread_mutex_unlock(&p->lock);
    atomic_store_explicit(&w->state, PASSWORD_IDLE, memory_order_relaxed);
}

unsigned password_pool_pending(struct password_pool *p)
{
    unsigned n;

    pthread_mutex_lock(&p->lock);
    n = p->npending;
    pthread_mutex_unlock(&p->lock);
    return n;
}
