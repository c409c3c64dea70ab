/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/purge.h"
#include "base/log.h"
#include "proxy/cache_purge.h"

static const char expected[] =
    "expected exactly one of {\"route\": NAME}, {\"service\": NAME}, {\"tag\": WORD}, "
    "{\"path\": PATH} and {\"all\": true}";

/* What it names, and the name. False: it is none of these. */
static bool read_order(const json_t *doc, struct cache_purge_order *o, const char **ret_kind,
                       const char **ret_name)
{
    const struct {
        const char *key;
        const char **at;
    } texts[] = {
        {"route", &o->route}, {"service", &o->service}, {"tag", &o->tag}, {"path", &o->path}};
    const json_t *value;

    if (!json_is_object(doc) || json_object_size(doc) != 1)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        value = json_object_get(doc, texts[i].key);
        if (!value)
            continue;
        if (!json_is_string(value) || json_string_length(value) == 0)
            return false;
        *ret_kind = texts[i].key;
        *ret_name = *texts[i].at = json_string_value(value);
        return true;
    }
    o->all = json_is_true(json_object_get(doc, "all"));
    *ret_kind = "all";
    *ret_name = "";
    return o->all;
}

void purge_answer(const struct look *l, const struct write_request *q, struct page_answer *ret)
{
    struct cache_purge_order o = {.route = NULL};
    const char *kind, *name;
    json_t *doc;
    size_t n;

    if (!write_is_json(q->content_type)) {
        pages_refuse(ret, 415, "unsupported_media_type", "Content-Type: expected application/json");
        return;
    }
    doc = json_loadb(q->body.p, q->body.n, JSON_REJECT_DUPLICATES, NULL);
    if (!doc || !read_order(doc, &o, &kind, &name)) {
        json_decref(doc);
        pages_refuse(ret, 400, "bad_request", expected);
        return;
    }
    n = l->sources->purge(l->sources->arg, &o);
    log_info("admin", "cache: %zu answers purged, %s %s, asked for from %s%s%s", n, kind, name,
             q->peer, q->cert_name[0] ? " with the certificate of " : "", q->cert_name);
    json_decref(doc);
    pages_json(ret, 200, json_pack("{s:I}", "purged", (json_int_t)n));
}
