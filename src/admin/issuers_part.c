/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/documents.h"
#include "policy/issuers.h"

/* Keys are changed on this thread only, so they may be looked at without the lock. */
static json_t *issuer_row(const struct look *l, const struct issuer_entry *e)
{
    const struct issuer *i = e->issuer;
    const struct keyset *keys = i->shared.keys;
    uint64_t good = atomic_load_explicit(&i->shared.results[TOKEN_OK], memory_order_relaxed);
    uint64_t all = 0;

    for (int r = 0; r < TOKEN_ERRORS; r++)
        all += atomic_load_explicit(&i->shared.results[r], memory_order_relaxed);
    return json_pack(
        "{s:s,s:o,s:o,s:I,s:I,s:o,s:o,s:I,s:I,s:o,s:I,s:I}", "name", i->name, "issuer",
        json_text(e->conf->issuer), "keys_from", json_text(i->source), "keys",
        (json_int_t)(keys ? keys->n : 0), "keys_left_out", (json_int_t)(keys ? keys->skipped : 0),
        "last_refresh", json_wall_time(i->good_wall_ms), "age_s",
        i->good_wall_ms ? json_integer((json_int_t)(l->wall_ms - i->good_wall_ms) / 1000)
                        : json_null(),
        "refreshes", (json_int_t)i->refreshes, "failures", (json_int_t)i->failures, "last_error",
        i->error[0] ? json_text(i->error) : json_null(), "accepted", (json_int_t)good, "refused",
        (json_int_t)(all - good));
}

json_t *issuers_part(const struct look *l)
{
    const struct issuer_set *s = l->snapshot ? l->snapshot->issuers : NULL;
    json_t *part = json_array();

    for (size_t i = 0; s && i < s->n; i++)
        json_array_append_new(part, issuer_row(l, &s->at[i]));
    return part;
}
