/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/credentials.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "policy/credential_file.h"
#include "policy/key_kv.h"

#include <stdio.h>
#include <string.h>

/* How the files of an entry looked when they were read last, and what Consul said last. */
struct origin {
    struct file_look file, pepper;
    char *body; /* owned; NULL = nothing yet */
    size_t nbody;
    bool away; /* Consul could not be asked */
};

struct credentials {
    struct config *config;       /* ref */
    struct credential_set *set;  /* ref */
    struct origin *keys, *basic; /* owned; by index */
};

static struct credential_source *source_new(enum credential_kind kind, const char *name)
{
    struct credential_source *s = alloc_or_abort(sizeof *s);

    s->refs = 1;
    s->kind = kind;
    s->name = strdup(name);
    if (!s->name)
        abort();
    return s;
}

static struct credential_source *source_ref(struct credential_source *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

static void source_unref(struct credential_source **sp)
{
    struct credential_source *s = *sp;

    *sp = NULL;
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    free((char *)(uintptr_t)s->name);
    free(s);
}

struct credential_set *credential_set_ref(struct credential_set *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

static void entries_free(struct credential_entry *entries, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        source_unref(&entries[i].source);
        key_table_unref(&entries[i].keys);
        password_file_unref(&entries[i].passwords);
        free((char *)(uintptr_t)entries[i].from);
    }
    free(entries);
}

void credential_set_unref(struct credential_set **sp)
{
    struct credential_set *s = *sp;

    *sp = NULL;
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    entries_free(s->keys, s->nkeys);
    entries_free(s->basic, s->nbasic);
    free(s);
}

static struct credential_set *set_new(struct password_pool *pool, size_t nkeys, size_t nbasic)
{
    struct credential_set *s = alloc_or_abort(sizeof *s);

    s->refs = 1;
    s->pool = pool;
    s->nkeys = nkeys;
    s->nbasic = nbasic;
    s->keys = alloc_or_abort((nkeys + 1) * sizeof *s->keys);
    s->basic = alloc_or_abort((nbasic + 1) * sizeof *s->basic);
    return s;
}

static void entries_copy(struct credential_entry *to, const struct credential_entry *from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        to[i].source = source_ref(from[i].source);
        to[i].from = strdup(from[i].from);
        to[i].keys = from[i].keys ? key_table_ref(from[i].keys) : NULL;
        to[i].passwords = from[i].passwords ? password_file_ref(from[i].passwords) : NULL;
        if (!to[i].from)
            abort();
    }
}

/* Workers may hold the present set: what changes makes another one. */
static struct credential_set *renew(struct credentials *c)
{
    struct credential_set *s = set_new(c->set->pool, c->set->nkeys, c->set->nbasic);

    entries_copy(s->keys, c->set->keys, s->nkeys);
    entries_copy(s->basic, c->set->basic, s->nbasic);
    credential_set_unref(&c->set);
    c->set = s;
    return s;
}

static struct key_table *table_of(const struct api_keys_conf *c, const struct key_text *texts,
                                  size_t n, struct err *e)
{
    struct str pepper = STR_NULL;
    char *secret = c->pepper_file ? credential_pepper_read(c->pepper_file, &pepper, e) : NULL;
    struct key_table *t = NULL;

    if (!c->pepper_file || secret)
        t = key_table_new(c->name, texts, n, pepper, e);
    credential_text_free(secret, pepper);
    return t;
}

static struct key_table *table_of_file(const struct api_keys_conf *c, struct err *e)
{
    struct key_text one = {.name = c->file};
    char *text = credential_file_read(c->file, CREDENTIAL_FILE_MAX, &one.text, e);
    struct key_table *t = text ? table_of(c, &one, 1, e) : NULL;

    credential_text_free(text, one.text);
    return t;
}

static struct key_table *table_of_kv(const struct api_keys_conf *c, struct str body, struct err *e)
{
    struct key_kv *kv = key_kv_parse(body, c->kv, e);
    struct key_table *t = kv ? table_of(c, kv->texts, kv->n, e) : NULL;

    key_kv_free(kv);
    return t;
}

static struct password_file *passwords_of(const struct basic_conf *c, struct err *e)
{
    struct str text = STR_NULL;
    char *owned = credential_file_read(c->htpasswd, CREDENTIAL_FILE_MAX, &text, e);
    struct password_file *f = owned ? password_file_new(c->htpasswd, text, e) : NULL;

    credential_text_free(owned, text);
    return f;
}

static void note_good(struct credential_entry *e)
{
    e->source->good_wall_ms = clock_wall_ms();
    e->source->problem[0] = '\0';
}

/* Said once for each other reason. */
static void note_bad(struct credential_entry *entry, const char *why)
{
    struct credential_source *s = entry->source;
    bool is_known = entry->keys || entry->passwords;
    char problem[sizeof s->problem];

    s->failures++;
    snprintf(problem, sizeof problem, "%s", why);
    if (strcmp(problem, s->problem) == 0)
        return;
    memcpy(s->problem, problem, sizeof problem);
    log_error("policy", "%s.%s: %s; %s", s->kind == CREDENTIAL_KEYS ? "api_keys" : "basic", s->name,
              why,
              is_known ? "what was read before stays in use"
                       : "it is not known yet, so nobody can be let in by it (503)");
}

static void take_keys(struct credential_entry *e, struct key_table *t)
{
    key_table_unref(&e->keys);
    e->keys = t;
    note_good(e);
    log_info("policy", "api_keys.%s: %zu keys from %s", e->source->name, key_table_count(t),
             e->from);
}

static void take_passwords(struct credential_entry *e, struct password_file *f)
{
    password_file_unref(&e->passwords);
    e->passwords = f;
    note_good(e);
    log_info("policy", "basic.%s: %zu users from %s", e->source->name, password_file_count(f),
             e->from);
}

static bool is_same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* The store of this name in the configuration before; -1 = there was none. */
static int find_keys(const struct credentials *before, const char *name)
{
    for (size_t i = 0; before && i < before->set->nkeys; i++)
        if (strcmp(before->set->keys[i].source->name, name) == 0)
            return (int)i;
    return -1;
}

static int find_basic(const struct credentials *before, const char *name)
{
    for (size_t i = 0; before && i < before->set->nbasic; i++)
        if (strcmp(before->set->basic[i].source->name, name) == 0)
            return (int)i;
    return -1;
}

static void keep_body(struct origin *o, struct str body)
{
    char *copy = alloc_or_abort(body.n + 1);

    memcpy(copy, body.p ? body.p : "", body.n);
    free(o->body);
    o->body = copy;
    o->nbody = body.n;
}

static void set_from(struct credential_entry *e, const char *what, const char *where)
{
    char *text = alloc_or_abort(strlen(what) + strlen(where) + 1);

    e->from = strcat(strcpy(text, what), where);
}

/* What Consul has said before counts under this configuration too. */
static void inherit_kv(struct credentials *c, size_t at, const struct credentials *before, int old)
{
    const struct api_keys_conf *now = &c->config->api_keys[at];
    const struct api_keys_conf *then = old < 0 ? NULL : &before->config->api_keys[old];
    struct credential_entry *entry = &c->set->keys[at];
    const struct origin *o = old < 0 ? NULL : &before->keys[old];
    struct err e;

    if (!o || !is_same(now->kv, then->kv))
        return;
    c->keys[at].away = o->away;
    if (!o->body)
        return;
    keep_body(&c->keys[at], (struct str){o->body, o->nbody});
    entry->keys = table_of_kv(now, (struct str){o->body, o->nbody}, &e);
    if (entry->keys)
        return;
    if (is_same(now->pepper_file, then->pepper_file) && before->set->keys[old].keys)
        entry->keys = key_table_ref(before->set->keys[old].keys);
    note_bad(entry, e.text);
}

static int read_store(struct credentials *c, size_t at, const struct credentials *before,
                      struct err *e)
{
    const struct api_keys_conf *k = &c->config->api_keys[at];
    struct credential_entry *entry = &c->set->keys[at];
    int old = find_keys(before, k->name);
    struct key_table *t;

    entry->source =
        old < 0 ? source_new(CREDENTIAL_KEYS, k->name) : source_ref(before->set->keys[old].source);
    set_from(entry, k->file ? "" : "kv ", k->file ? k->file : k->kv);
    file_look_changed(k->file, &c->keys[at].file);
    file_look_changed(k->pepper_file, &c->keys[at].pepper);
    if (!k->file) {
        inherit_kv(c, at, before, old);
        return 0;
    }
    t = table_of_file(k, e);
    if (!t)
        return err_prefix(e, "api_keys.%s", k->name);
    take_keys(entry, t);
    return 0;
}

static int read_basic(struct credentials *c, size_t at, const struct credentials *before,
                      struct err *e)
{
    const struct basic_conf *b = &c->config->basic[at];
    struct credential_entry *entry = &c->set->basic[at];
    int old = find_basic(before, b->name);
    struct password_file *f;

    entry->source = old < 0 ? source_new(CREDENTIAL_PASSWORDS, b->name)
                            : source_ref(before->set->basic[old].source);
    set_from(entry, "", b->htpasswd);
    file_look_changed(b->htpasswd, &c->basic[at].file);
    f = passwords_of(b, e);
    if (!f)
        return err_prefix(e, "basic.%s", b->name);
    take_passwords(entry, f);
    return 0;
}

static int read_all(struct credentials *c, const struct credentials *before, struct err *e)
{
    for (size_t i = 0; i < c->set->nkeys; i++)
        if (read_store(c, i, before, e) < 0)
            return -1;
    for (size_t i = 0; i < c->set->nbasic; i++)
        if (read_basic(c, i, before, e) < 0)
            return -1;
    return 0;
}

struct credentials *credentials_new(struct config *config, const struct credentials *before,
                                    struct password_pool *pool, struct err *e)
{
    struct credentials *c = alloc_or_abort(sizeof *c);

    c->config = config_ref(config);
    c->set = set_new(pool, config->napi_keys, config->nbasic);
    c->keys = alloc_or_abort((config->napi_keys + 1) * sizeof *c->keys);
    c->basic = alloc_or_abort((config->nbasic + 1) * sizeof *c->basic);
    if (read_all(c, before, e) < 0)
        credentials_free(&c);
    return c;
}

void credentials_free(struct credentials **cp)
{
    struct credentials *c = *cp;

    *cp = NULL;
    if (!c)
        return;
    for (size_t i = 0; i < c->set->nkeys; i++)
        free(c->keys[i].body);
    credential_set_unref(&c->set);
    config_unref(&c->config);
    free(c->keys);
    free(c->basic);
    free(c);
}

struct credential_set *credentials_set(const struct credentials *c)
{
    return c->set;
}

static bool has_changed(struct origin *o, const char *file, const char *pepper)
{
    bool file_has = file_look_changed(file, &o->file);
    bool pepper_has = file_look_changed(pepper, &o->pepper);

    return file_has || pepper_has;
}

static bool use_table(struct credentials *c, size_t at, struct key_table *t, const struct err *e)
{
    if (t)
        take_keys(&renew(c)->keys[at], t);
    else
        note_bad(&c->set->keys[at], e->text);
    return t != NULL;
}

static bool poll_keys(struct credentials *c, size_t at)
{
    const struct api_keys_conf *k = &c->config->api_keys[at];
    struct origin *o = &c->keys[at];
    struct key_table *t;
    struct err e;

    if (!has_changed(o, k->file, k->pepper_file) || (k->kv && !o->body))
        return false;
    t = k->file ? table_of_file(k, &e) : table_of_kv(k, (struct str){o->body, o->nbody}, &e);
    return use_table(c, at, t, &e);
}

static bool poll_basic(struct credentials *c, size_t at)
{
    const struct basic_conf *b = &c->config->basic[at];
    struct password_file *f;
    struct err e;

    if (!has_changed(&c->basic[at], b->htpasswd, NULL))
        return false;
    f = passwords_of(b, &e);
    if (f)
        take_passwords(&renew(c)->basic[at], f);
    else
        note_bad(&c->set->basic[at], e.text);
    return f != NULL;
}

bool credentials_poll(struct credentials *c)
{
    bool changed = false;

    for (size_t i = 0; i < c->set->nkeys; i++)
        changed |= poll_keys(c, i);
    for (size_t i = 0; i < c->set->nbasic; i++)
        changed |= poll_basic(c, i);
    return changed;
}

bool credentials_take(struct credentials *c, size_t store, struct str body, bool complete,
                      bool *ret_held)
{
    struct credential_entry *entry = &c->set->keys[store];
    struct err e;
    struct key_table *t = table_of_kv(&c->config->api_keys[store], body, &e);

    c->keys[store].away = false;
    *ret_held = !complete && (entry->keys || (t && key_table_count(t) == 0));
    if (*ret_held) {
        key_table_unref(&t);
        note_bad(entry, "Consul's answer may show less than there is");
        return false;
    }
    keep_body(&c->keys[store], body);
    if (body.n == 0)
        log_warn("policy", "api_keys.%s: Consul shows nothing at %s: may its token read that?",
                 entry->source->name, entry->from);
    return use_table(c, store, t, &e);
}

void credentials_reached(struct credentials *c, size_t store)
{
    struct credential_entry *entry = &c->set->keys[store];
    struct origin *o = &c->keys[store];
    struct key_table *t;
    struct err e;

    if (!o->away)
        return;
    o->away = false;
    note_good(entry);
    if (!o->body)
        return;
    /* What is there may have been bad before Consul was away. */
    t = table_of_kv(&c->config->api_keys[store], (struct str){o->body, o->nbody}, &e);
    if (!t)
        note_bad(entry, e.text);
    key_table_unref(&t);
}

void credentials_unreachable(struct credentials *c, size_t store, const char *why)
{
    c->keys[store].away = true;
    note_bad(&c->set->keys[store], why);
}
