/* SPDX-License-Identifier: Apache-2.0 */
#include "route/tags_protocol.h"

bool protocol_parse(struct str word, enum catalog_protocol *ret)
{
    static const struct {
        const char *word;
        enum catalog_protocol protocol;
    } rows[] = {
        {"http", CATALOG_HTTP}, {"https", CATALOG_HTTPS}, {"h2", CATALOG_H2},
        {"grpcs", CATALOG_H2},  {"h2c", CATALOG_H2C},     {"grpc", CATALOG_H2C},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!str_ieq(word, str_of(rows[i].word)))
            continue;
        *ret = rows[i].protocol;
        return true;
    }
    return false;
}

static enum catalog_protocol read_word(struct str word)
{
    enum catalog_protocol said = CATALOG_HTTPS;

    if (!protocol_parse(word, &said))
        said = CATALOG_HTTPS;
    return said;
}

/* What stands behind `key` at the beginning of the text. */
static bool value_of(struct str text, struct str prefix, struct str key, struct str *ret)
{
    if (!str_starts(text, prefix))
        return false;
    text = (struct str){text.p + prefix.n, text.n - prefix.n};
    if (!str_starts(text, key))
        return false;
    *ret = str_trim((struct str){text.p + key.n, text.n - key.n});
    return true;
}

static bool native_tag(const struct instance *i, struct str prefix, struct str *ret)
{
    for (unsigned k = 0; k < i->ntags; k++)
        if (value_of(str_of(i->tags[k]), prefix, STR("protocol="), ret))
            return true;
    return false;
}

static bool native_meta(const struct instance *i, struct str prefix, struct str *ret)
{
    struct str bare = {prefix.p, prefix.n - 1}, rest;

    for (unsigned k = 0; k < i->nmeta; k++) {
        if (!value_of(str_of(i->meta[k].key), bare, STR("-protocol"), &rest) || rest.n > 0)
            continue;
        *ret = str_trim(str_of(i->meta[k].value));
        return true;
    }
    return false;
}

/* The options of one tag "urlprefix-HOST/PATH OPTION ...". */
static bool fabio_tag(struct str text, struct str *ret, bool *ret_skip_verify)
{
    bool found = false;
    struct str word;

    for (size_t at = 0; at < text.n;) {
        size_t begin = at;

        while (at < text.n && !strchr(" \t\r\n", text.p[at]))
            at++;
        word = (struct str){text.p + begin, at - begin};
        at++;
        if (value_of(word, STR("proto"), STR("="), ret))
            found = true;
        else if (str_eq(word, STR("tlsskipverify=true")))
            *ret_skip_verify = true;
    }
    return found;
}

static bool fabio(const struct instance *i, struct str prefix, struct str *ret,
                  bool *ret_skip_verify)
{
    for (unsigned k = 0; k < i->ntags; k++) {
        struct str tag = str_trim(str_of(i->tags[k]));

        *ret_skip_verify = false;
        if (str_starts(tag, prefix) && fabio_tag(tag, ret, ret_skip_verify))
            return true;
    }
    *ret_skip_verify = false;
    return false;
}

/* "traefik.http.services.NAME.loadbalancer.server.scheme=WORD", case aside. */
static bool traefik(const struct instance *i, struct str prefix, struct str *ret)
{
    static const struct str head = {"http.services.", 14};
    static const struct str tail = {".loadbalancer.server.scheme", 27};

    for (unsigned k = 0; k < i->ntags; k++) {
        struct str tag = str_of(i->tags[k]), key;
        const char *equals = memchr(tag.p, '=', tag.n);

        if (!equals || !str_istarts(tag, prefix))
            continue;
        key = (struct str){tag.p + prefix.n, (size_t)(equals - tag.p) - prefix.n};
        if ((size_t)(equals - tag.p) < prefix.n || key.n <= head.n + tail.n ||
            !str_istarts(key, head) || !str_ieq((struct str){key.p + key.n - tail.n, tail.n}, tail))
            continue;
        *ret = str_trim((struct str){equals + 1, tag.n - (size_t)(equals + 1 - tag.p)});
        return true;
    }
    return false;
}

enum catalog_protocol tags_protocol(const struct instance *i, const struct consul_conf *consul,
                                    bool *ret_skip_verify)
{
    struct str native = consul->tag_prefix ? str_of(consul->tag_prefix) : STR("");
    struct str old = consul->fabio_prefix ? str_of(consul->fabio_prefix) : STR("");
    struct str other = consul->traefik_prefix ? str_of(consul->traefik_prefix) : STR("");
    struct str word;

    *ret_skip_verify = false;
    if (native.n > 0 && (native_tag(i, native, &word) || native_meta(i, native, &word)))
        return read_word(word);
    if (other.n > 0 && traefik(i, other, &word))
        return read_word(word);
    if (old.n > 0 && fabio(i, old, &word, ret_skip_verify))
        return read_word(word);
    return CATALOG_SILENT;
}
