/* SPDX-License-Identifier: Apache-2.0 */
/* chain_route.c - a route of a router: what it matches, and what it changes. */
#include "chain_parts.h"

struct op_key {
    const char *key;
    enum chain_op op;
};

/* Makes the condition of its text; `to` has its name, and whether case matters. */
static bool read_operand(struct chain_reader *r, const struct op_key *op, const char *text,
                         struct chain_test *to)
{
    const char *why;

    to->op = op->op;
    to->value = str_of(text);
    if (op->op != CHAIN_REGEX)
        return true;
    if (to->fold)
        text = arena_printf(r->arena, "(?i)%s", text);
    to->fold = false;
    to->regex = regex_compile(r->arena, str_of(text), &why);
    return to->regex || chain_refuse(r, "%s \"%.100s\" cannot be honoured: it has %s", op->key,
                                     to->value.p, why);
}

/* At most one of the operators that the object may have. *ret_found: there was one. */
static bool read_operator(struct chain_reader *r, const json_t *object, const struct op_key *ops,
                          struct chain_test *to, bool *ret_found)
{
    const char *text;

    *ret_found = false;
    for (; ops->key; ops++) {
        if (!chain_text(r, object, ops->key, &text))
            return false;
        if (!text)
            continue;
        if (*ret_found)
            return chain_refuse(r, "%s beside another condition on the same value", ops->key);
        *ret_found = true;
        if (!read_operand(r, ops, text, to))
            return false;
    }
    return true;
}

static bool read_test(struct chain_reader *r, const json_t *object, const struct op_key *ops,
                      struct chain_test *to)
{
    static const char *const known[] = {"Name",  "Present",  "Exact",  "Prefix",     "Suffix",
                                        "Regex", "Contains", "Invert", "IgnoreCase", NULL};
    const char *unknown;
    bool present, found;

    if (!json_is_object(object))
        return chain_refuse(r, "a condition is not an object");
    unknown = chain_unknown(object, known);
    if (unknown)
        return chain_refuse(r, "the condition %.60s is not known", unknown);
    if (!chain_text(r, object, "Name", &to->name) || !chain_bool(r, object, "Present", &present) ||
        !chain_bool(r, object, "Invert", &to->invert) ||
        !chain_bool(r, object, "IgnoreCase", &to->fold) ||
        !read_operator(r, object, ops, to, &found))
        return false;
    if (!to->name)
        return chain_refuse(r, "a condition without a Name");
    if (found && present)
        return chain_refuse(r, "Present beside another condition on the same value");
    if (strcmp(to->name, ":scheme") == 0)
        return chain_refuse(r, "a condition on :scheme cannot be honoured");
    /* An Exact that is empty is left out of the JSON. */
    if (!found && !present) {
        to->op = CHAIN_EXACT;
        to->value = STR("");
    }
    return true;
}

static bool read_tests(struct chain_reader *r, const json_t *http, const char *key,
                       const struct op_key *ops, struct chain_test **ret, unsigned *ret_n)
{
    const json_t *list;
    size_t n;

    if (!chain_array(r, http, key, CHAIN_MAX_TESTS, &list))
        return false;
    n = json_array_size(list);
    *ret = ARENA_ARRAY(r->arena, struct chain_test, n);
    for (size_t i = 0; i < n; i++)
        if (!read_test(r, json_array_get(list, i), ops, &(*ret)[i]))
            return false;
    *ret_n = (unsigned)n;
    return true;
}

static bool read_methods(struct chain_reader *r, const json_t *http, const char ***ret)
{
    const json_t *list;
    size_t n;

    if (!chain_array(r, http, "Methods", CHAIN_MAX_TESTS, &list))
        return false;
    n = json_array_size(list);
    *ret = n ? ARENA_ARRAY(r->arena, const char *, n + 1) : NULL;
    for (size_t i = 0; i < n; i++) {
        const char *z = json_string_value(json_array_get(list, i));
        char *method;

        if (!z || !*z || strlen(z) > 64)
            return chain_refuse(r, "Methods holds something that is no method");
        (*ret)[i] = method = arena_strdup(r->arena, z);
        for (; *method; method++)
            if (*method >= 'a' && *method <= 'z')
                *method = (char)(*method - 32);
    }
    return true;
}

static bool read_match(struct chain_reader *r, const json_t *match, struct chain_route *ret)
{
    static const struct op_key path_ops[] = {{"PathExact", CHAIN_EXACT},
                                             {"PathPrefix", CHAIN_PREFIX},
                                             {"PathRegex", CHAIN_REGEX},
                                             {NULL, CHAIN_PRESENT}};
    static const struct op_key test_ops[] = {{"Exact", CHAIN_EXACT},   {"Prefix", CHAIN_PREFIX},
                                             {"Suffix", CHAIN_SUFFIX}, {"Contains", CHAIN_CONTAINS},
                                             {"Regex", CHAIN_REGEX},   {NULL, CHAIN_PRESENT}};
    static const char *const protocols[] = {"HTTP", NULL};
    static const char *const known[] = {"PathExact", "PathPrefix", "PathRegex", "CaseInsensitive",
                                        "Header",    "QueryParam", "Methods",   NULL};
    const char *unknown = chain_unknown(match, protocols);
    const json_t *http;
    bool found;

    if (unknown)
        return chain_refuse(r, "a match on %.60s is not known", unknown);
    if (!chain_object(r, match, "HTTP", &http))
        return false;
    unknown = chain_unknown(http, known);
    if (unknown)
        return chain_refuse(r, "the condition %.60s is not known", unknown);
    return chain_bool(r, http, "CaseInsensitive", &ret->path.fold) &&
           read_operator(r, http, path_ops, &ret->path, &found) &&
           read_tests(r, http, "Header", test_ops, &ret->headers, &ret->nheaders) &&
           read_tests(r, http, "QueryParam", test_ops, &ret->query, &ret->nquery) &&
           read_methods(r, http, &ret->methods);
}

/* A path in its normal form that holds nothing which any side could read in two ways. */
static bool is_plain_path(const char *path)
{
    static const char more[] = "-._~!$&'()*+,;=:@/";

    if (path[0] != '/' || strstr(path, "//"))
        return false;
    for (const char *p = path; *p; p++) {
        char low = ascii_lower(*p);

        if (!(low >= 'a' && low <= 'z') && !(*p >= '0' && *p <= '9') && !strchr(more, *p))
            return false;
        if (p[0] == '/' && p[1] == '.' &&
            (p[2] == '/' || !p[2] || (p[2] == '.' && (p[3] == '/' || !p[3]))))
            return false;
    }
    return true;
}

static void read_retry_on(struct chain_reader *r, const char *word, struct chain_destination *to)
{
    static const struct {
        const char *word;
        bool connect, reset, gateway, any;
    } words[] = {
        {"connect-failure", true, false, false, false},
        {"refused-stream", true, false, false, false},
        {"reset", true, true, false, false},
        {"gateway-error", true, true, true, false},
        {"5xx", true, true, true, true},
    };

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(words[i].word, word) != 0)
            continue;
        to->on_connect_failure |= words[i].connect;
        to->on_reset |= words[i].reset;
        to->on_gateway_error |= words[i].gateway;
        to->on_5xx |= words[i].any;
        to->says_retry_on = true;
        return;
    }
    chain_note(r, "RetryOn %.60s is not known", word);
}

static bool read_statuses(struct chain_reader *r, const json_t *object,
                          struct chain_destination *to)
{
    const json_t *list;
    unsigned n = 0;

    if (!chain_array(r, object, "RetryOnStatusCodes", 600, &list))
        return false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_int_t status = json_integer_value(json_array_get(list, i));

        if (status < 100 || status > 599)
            return chain_refuse(r, "RetryOnStatusCodes holds something that is no status");
        if (n < CHAIN_MAX_STATUSES - 1)
            to->statuses[n++] = (uint16_t)status;
        else
            chain_note(r, "RetryOnStatusCodes: only the first %u count", CHAIN_MAX_STATUSES - 1);
    }
    to->says_retry_on |= n > 0;
    return true;
}

static bool read_retries(struct chain_reader *r, const json_t *object, struct chain_destination *to)
{
    const json_t *words;

    if (!chain_count(r, object, "NumRetries", &to->retries) ||
        !chain_bool(r, object, "RetryOnConnectFailure", &to->on_connect_failure) ||
        !read_statuses(r, object, to) || !chain_array(r, object, "RetryOn", 32, &words))
        return false;
    to->says_retry_on |= to->on_connect_failure;
    for (size_t i = 0; i < json_array_size(words); i++) {
        const char *word = json_string_value(json_array_get(words, i));

        if (word)
            read_retry_on(r, word, to);
    }
    to->says_retries = to->retries > 0 || to->says_retry_on;
    return true;
}

/* Where it leads is in the node; here is how. */
static bool read_destination(struct chain_reader *r, const json_t *object,
                             struct chain_destination *to)
{
    static const char *const known[] = {"Service",
                                        "ServiceSubset",
                                        "Namespace",
                                        "Partition",
                                        "PrefixRewrite",
                                        "RequestTimeout",
                                        "NumRetries",
                                        "RetryOn",
                                        "RetryOnConnectFailure",
                                        "RetryOnStatusCodes",
                                        "RequestHeaders",
                                        "ResponseHeaders",
                                        NULL};
    const char *unknown = chain_unknown(object, known);

    if (unknown)
        chain_note(r, "%.60s of a destination is not obeyed", unknown);
    if (!chain_text(r, object, "PrefixRewrite", &to->prefix_rewrite))
        return false;
    if (to->prefix_rewrite && !is_plain_path(to->prefix_rewrite))
        return chain_refuse(r,
                            "PrefixRewrite \"%.100s\" cannot be honoured: it is not a plain path",
                            to->prefix_rewrite);
    return chain_duration(r, object, "RequestTimeout", &to->timeout_ms) &&
           chain_read_changes(r, object, "RequestHeaders", &to->request) &&
           chain_read_changes(r, object, "ResponseHeaders", &to->response) &&
           read_retries(r, object, to);
}

bool chain_read_route(struct chain_reader *r, const json_t *object, struct chain_route *ret)
{
    const json_t *definition, *match, *destination;
    const char *next;

    if (!json_is_object(object))
        return chain_refuse(r, "a route is not an object");
    if (!chain_object(r, object, "Definition", &definition) ||
        !chain_object(r, definition, "Match", &match) ||
        !chain_object(r, definition, "Destination", &destination) || !read_match(r, match, ret) ||
        !read_destination(r, destination, &ret->to) || !chain_text(r, object, "NextNode", &next))
        return false;
    return chain_find_node(r, next, &ret->next);
}
