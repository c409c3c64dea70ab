/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/attention.h"
#include "admin/certificates.h"
#include "base/alloc.h"
#include "tls/client.h"
#include "tls/server.h"

#include <stdio.h>
#include <string.h>

enum { MOST = 64, MOST_NAMES = 16, MOST_TO_ATTEND = 5, DAY_S = 24 * 3600, TEXT_MAX = 1024 };

struct shown {
    const char *listener; /* NULL = shown to services */
    const struct tls_certificate *c;
    const char *refused; /* why its changed files are not in force; NULL = they are */
};

static int first_end_first(const void *a, const void *b)
{
    const struct shown *x = a, *y = b;

    if (x->c->not_after_s != y->c->not_after_s)
        return x->c->not_after_s < y->c->not_after_s ? -1 : 1;
    return strcmp(x->c->file, y->c->file);
}

/* Which of them the problem of a listener is about: the one whose file it names, else the first. */
static size_t whose(const char *problem, struct tls_certificate *const *all, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strstr(problem, all[i]->file) || strstr(problem, all[i]->key_file))
            return i;
    return 0;
}

static size_t add_listener(struct shown *to, const struct proxy_listener *l)
{
    size_t n;
    struct tls_certificate *const *all = tls_server_certificates(l->tls, &n);

    for (size_t i = 0; to && i < n; i++)
        to[i] = (struct shown){.listener = l->address, .c = all[i]};
    if (to && l->problem[0])
        to[whose(l->problem, all, n)].refused = l->problem;
    return n;
}

/* Those that the gateway shows as a client. */
static size_t add_clients(struct shown *to, const struct look *l)
{
    struct registry *r = l->sources->registry;
    const struct tls_certificate *c;
    size_t n = 0;

    for (; r && (c = tls_clients_certificate(registry_tls(r), (unsigned)n)); n++)
        if (to)
            to[n] = (struct shown){.c = c};
    return n;
}

/* All of them, sorted. Free with free(). */
static struct shown *collect(const struct look *l, size_t *ret_n)
{
    const struct proxy *p = l->sources->proxy;
    struct proxy_listener one;
    struct shown *all;
    size_t n = add_clients(NULL, l);

    for (unsigned i = 0; p && proxy_listener(p, i, &one); i++)
        n += one.tls ? add_listener(NULL, &one) : 0;
    all = alloc_or_abort(n * sizeof *all);
    n = add_clients(all, l);
    for (unsigned i = 0; p && proxy_listener(p, i, &one); i++)
        n += one.tls ? add_listener(all + n, &one) : 0;
    qsort(all, n, sizeof *all, first_end_first);
    *ret_n = n;
    return all;
}

/* What is wrong with it, in words; the level is that of attention.h. */
static enum attention problem_of(const struct look *l, const struct shown *s, char *ret, size_t cap)
{
    const struct tls_certificate *c = s->c;
    int64_t now_s = l->wall_ms / 1000, left_s = c->not_after_s - now_s;
    bool stapled = c->staple && ocsp_staple_is_fresh(c->staple, now_s);

    if (left_s < 0) {
        snprintf(ret, cap, "has expired");
        return ATTENTION_LIMITED;
    }
    if (s->refused)
        snprintf(ret, cap, "has changed and cannot be used: %s", s->refused);
    else if (c->ocsp_problem)
        snprintf(ret, cap, "ocsp: %s", c->ocsp_problem);
    else if (c->staple && !stapled)
        snprintf(ret, cap, "ocsp: %s has expired", c->ocsp_file);
    else if (c->must_staple && !stapled)
        snprintf(ret, cap, "makes clients insist on an OCSP response, and has no `ocsp`");
    else if (left_s < CERTIFICATE_WARN_DAYS * DAY_S)
        snprintf(ret, cap, "expires in %d %s", (int)(left_s / (left_s < 2 * DAY_S ? 3600 : DAY_S)),
                 left_s < 2 * DAY_S ? "hours" : "days");
    else
        return ATTENTION_NONE;
    return c->must_staple && !stapled ? ATTENTION_LIMITED : ATTENTION_SUSPECT;
}

static json_t *names_of(const struct tls_certificate *c)
{
    json_t *names = json_array();

    for (size_t i = 0; i < c->nnames && i < MOST_NAMES; i++)
        json_array_append_new(names, json_text(c->names[i]));
    return names;
}

static json_t *ocsp_of(const struct look *l, const struct tls_certificate *c)
{
    const struct ocsp_staple *s = c->staple;

    if (!c->ocsp_file)
        return json_null();
    return json_pack("{s:o,s:b,s:o,s:o}", "file", json_text(c->ocsp_file), "stapled",
                     s && ocsp_staple_is_fresh(s, l->wall_ms / 1000), "this_update",
                     s ? json_wall_time(s->this_update_s * 1000) : json_null(), "next_update",
                     s ? json_wall_time(s->next_update_s * 1000) : json_null());
}

static json_t *row_of(const struct look *l, const struct shown *s)
{
    const struct tls_certificate *c = s->c;
    char problem[TEXT_MAX];
    bool bad = problem_of(l, s, problem, sizeof problem) != ATTENTION_NONE;

    return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:s,s:s,s:o,s:o,s:I,s:o,s:o}", "listener",
                     json_text(s->listener), "file", json_text(c->file), "names", names_of(c),
                     "subject", json_text(c->subject), "issuer", json_text(c->issuer), "serial",
                     json_text(c->serial), "fingerprint", c->fingerprint, "key", c->key_type,
                     "not_before", json_wall_time(c->not_before_s * 1000), "not_after",
                     json_wall_time(c->not_after_s * 1000), "expires_in_s",
                     (json_int_t)(c->not_after_s - l->wall_ms / 1000), "ocsp", ocsp_of(l, c),
                     "problem", bad ? json_text(problem) : json_null());
}

json_t *certificates_part(const struct look *l)
{
    json_t *part = json_array();
    size_t n;
    struct shown *all = collect(l, &n);

    for (size_t i = 0; i < n && i < MOST; i++)
        json_array_append_new(part, row_of(l, &all[i]));
    free(all);
    return part;
}

void certificates_attention(const struct look *l, json_t *list)
{
    size_t n, told = 0;
    struct shown *all = collect(l, &n);

    for (size_t i = 0; i < n && told < MOST_TO_ATTEND; i++) {
        char problem[TEXT_MAX], text[2 * TEXT_MAX];
        enum attention level = problem_of(l, &all[i], problem, sizeof problem);

        if (level == ATTENTION_NONE)
            continue;
        snprintf(text, sizeof text, "Certificate %s (%s) %s.", all[i].c->file, all[i].listener,
                 problem);
        json_array_append_new(list, json_pack("{s:n,s:i,s:s,s:n,s:o,s:o}", "service", "level",
                                              (int)level, "state", "certificate", "since", "until",
                                              json_wall_time(all[i].c->not_after_s * 1000), "text",
                                              json_text(text)));
        told++;
    }
    free(all);
}

json_t *handshakes_part(const struct look *l)
{
    const struct tls_counts *n = &l->workers.tls;
    json_t *results = json_object(), *versions = json_object(), *ciphers = json_object();

    for (int i = 0; i < TLS_RESULTS; i++)
        json_object_set_new(results, tls_result_word((enum tls_result)i),
                            json_integer((json_int_t)n->results[i]));
    for (unsigned i = 0; i < TLS_VERSIONS; i++)
        json_object_set_new(versions, tls_version_word(i),
                            json_integer((json_int_t)n->versions[i]));
    for (unsigned i = 0; i < TLS_CIPHERS; i++)
        if (n->ciphers[i])
            json_object_set_new(ciphers, tls_cipher_word(i),
                                json_integer((json_int_t)n->ciphers[i]));
    return json_pack("{s:o,s:o,s:o}", "results", results, "versions", versions, "ciphers", ciphers);
}
