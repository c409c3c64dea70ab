/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/access_token.h"
#include "base/clock.h"
#include "proxy/access.h"

static struct token_cache *cache_of(struct worker *w)
{
    if (!w->token_cache)
        w->token_cache = token_cache_new();
    return w->token_cache;
}

void access_token_end(struct access_token *a)
{
    if (a->listed)
        list_remove(&a->node);
    a->listed = false;
}

/* Woken for another reason? */
static bool still_waits(const struct exchange *x, const struct access_token *a)
{
    return a->listed && !x->access->timed_out && !issuer_wait_over(&a->wait);
}

enum token_error access_token_check(struct exchange *x, struct access_token *a,
                                    const unsigned *allowed, size_t n, struct identity **ret,
                                    bool *ret_waits)
{
    struct issuer_set *set = x->held->snapshot->issuers;
    enum token_error e;

    *ret_waits = true;
    if (still_waits(x, a))
        return TOKEN_KEY_UNKNOWN;
    access_token_end(a);
    if (a->wait.issuer)
        x->step_deadline_ns = 0;
    e = issuers_authenticate(set, cache_of(x->w), allowed, n, &x->req, clock_wall_ms() / 1000, ret,
                             &a->wait);
    *ret_waits = e != TOKEN_OK && a->wait.issuer;
    if (!*ret_waits)
        return e;
    a->x = x;
    a->listed = true;
    list_push_back(&x->w->key_waiters, &a->node);
    exchange_wait(x, a->wait.wait_ms, REASON_INTERNAL);
    /* It may have been over before this one was in the list. */
    if (issuer_wait_over(&a->wait))
        x->woken = true;
    return e;
}

void access_token_resume(struct worker *w)
{
    struct list *node = w->key_waiters.next;

    while (node != &w->key_waiters) {
        struct access_token *a = CONTAINER_OF(node, struct access_token, node);

        if (!issuer_wait_over(&a->wait)) {
            node = node->next;
            continue;
        }
        /* Running one may take others out of the list; itself it leaves in any case. */
        access_token_end(a);
        conn_run(a->x->conn);
        node = w->key_waiters.next;
    }
}
