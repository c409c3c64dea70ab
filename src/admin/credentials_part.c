/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/credentials_part.h"
#include "admin/metrics.h"
#include "policy/credentials.h"

#include <event2/buffer.h>
#include <inttypes.h>

static const char *kind_word(const struct credential_entry *e)
{
    return e->source->kind == CREDENTIAL_KEYS ? "api_keys" : "basic";
}

static const struct credential_set *set_of(const struct look *l)
{
    return l->snapshot ? l->snapshot->credentials : NULL;
}

/* Keys first; NULL: there are no more. */
static const struct credential_entry *entry_at(const struct credential_set *s, size_t i)
{
    if (!s || i >= s->nkeys + s->nbasic)
        return NULL;
    return i < s->nkeys ? &s->keys[i] : &s->basic[i - s->nkeys];
}

static bool is_known(const struct credential_entry *e)
{
    return e->keys || e->passwords;
}

static size_t count_of(const struct credential_entry *e)
{
    return e->keys        ? key_table_count(e->keys)
           : e->passwords ? password_file_count(e->passwords)
                          : 0;
}

static uint64_t answered(const struct credential_entry *e, int answer)
{
    return atomic_load_explicit(&e->source->answers[answer], memory_order_relaxed);
}

static json_t *row(const struct look *l, const struct credential_entry *e)
{
    const struct credential_source *s = e->source;
    uint64_t all = 0;

    for (int a = 0; a < KEY_ANSWERS; a++)
        all += answered(e, a);
    return json_pack(
        "{s:s,s:s,s:o,s:o,s:o,s:o,s:I,s:o,s:I,s:I}", "kind", kind_word(e), "name", s->name, "from",
        json_text(e->from), "entries",
        is_known(e) ? json_integer((json_int_t)count_of(e)) : json_null(), "last_read",
        json_wall_time(s->good_wall_ms), "age_s",
        s->good_wall_ms ? json_integer((json_int_t)(l->wall_ms - s->good_wall_ms) / 1000)
                        : json_null(),
        "failures", (json_int_t)s->failures, "last_error",
        s->problem[0] ? json_text(s->problem) : json_null(), "accepted",
        (json_int_t)answered(e, KEY_OK), "refused", (json_int_t)(all - answered(e, KEY_OK)));
}

json_t *credentials_part(const struct look *l)
{
    const struct credential_entry *e;
    json_t *part = json_array();

    for (size_t i = 0; (e = entry_at(set_of(l), i)) != NULL; i++)
        json_array_append_new(part, row(l, e));
    return part;
}

static void begin(struct evbuffer *out, const char *name, const char *type, const char *help)
{
    evbuffer_add_printf(out, "# HELP frontdesk_%s %s\n# TYPE frontdesk_%s %s\n", name, help, name,
                        type);
}

static void sample(struct evbuffer *out, const char *name, const struct credential_entry *e,
                   const char *result, uint64_t value)
{
    evbuffer_add_printf(out, "frontdesk_%s{kind=\"%s\",source=\"", name, kind_word(e));
    metrics_label(out, e->source->name);
    if (result)
        evbuffer_add_printf(out, "\",result=\"%s", result);
    evbuffer_add_printf(out, "\"} %" PRIu64 "\n", value);
}

static void write_answers(struct evbuffer *out, const struct credential_entry *e)
{
    for (int a = 0; a < KEY_ANSWERS; a++)
        if (answered(e, a) > 0 || a == KEY_OK)
            sample(out, "credentials_total", e, key_answer_word((enum key_answer)a),
                   answered(e, a));
}

void credentials_metrics(const struct look *l, struct evbuffer *out)
{
    const struct credential_set *s = set_of(l);
    const struct credential_entry *e;

    begin(out, "credentials_total", "counter",
          "API keys and passwords of requests, by what was found out about them; ok = let in.");
    for (size_t i = 0; (e = entry_at(s, i)) != NULL; i++)
        write_answers(out, e);
    begin(out, "credential_entries", "gauge", "API keys, or users with passwords, that are known.");
    for (size_t i = 0; (e = entry_at(s, i)) != NULL; i++)
        if (is_known(e))
            sample(out, "credential_entries", e, NULL, count_of(e));
    begin(out, "credential_failures_total", "counter",
          "Times that a store or file could not be read, or was refused.");
    for (size_t i = 0; (e = entry_at(s, i)) != NULL; i++)
        sample(out, "credential_failures_total", e, NULL, e->source->failures);
    begin(out, "password_checks", "gauge", "Passwords that are being checked or wait for that.");
    evbuffer_add_printf(out, "frontdesk_password_checks %u\n",
                        s && s->pool ? password_pool_pending(s->pool) : 0);
}
