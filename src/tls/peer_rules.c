/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/peer_rules.h"

/* How a kind of name is read. */
struct grammar {
    const char *ends; /* characters that a star does not match */
    bool escapes;     /* `\` and the next character are one */
    bool any_case;
};

static const struct grammar names = {.ends = ",+", .escapes = true};

static size_t unit(const struct grammar *g, const char *text)
{
    return g->escapes && text[0] == '\\' && text[1] ? 2 : 1;
}

static bool same_char(const struct grammar *g, char a, char b)
{
    return a == b || (g->any_case && ascii_lower(a) == ascii_lower(b));
}

/* Does one unit of pattern and text agree? */
static bool same_unit(const struct grammar *g, const char *pattern, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!same_char(g, pattern[i], text[i]))
            return false;
    return true;
}

/* Going back to the latest star is enough: what stands between two stars either holds an end, and
 * then fits in one place only, or does not, and then the first place where it fits leaves the star
 * behind it every choice. */
static bool fits(const struct grammar *g, const char *pattern, const char *text)
{
    const char *star = NULL, *taken = NULL; /* the latest star, the first text behind it */

    while (*text || *pattern) {
        size_t n = unit(g, text);

        if (*pattern == '*') {
            star = pattern++;
            taken = text;
        } else if (*text && unit(g, pattern) == n && same_unit(g, pattern, text, n)) {
            pattern += n;
            text += n;
        } else if (star && *taken && !strchr(g->ends, *taken)) {
            taken += unit(g, taken);
            text = taken;
            pattern = star + 1;
        } else {
            return false;
        }
    }
    return true;
}

static const struct grammar *grammar_of(const char *san)
{
    static const struct grammar dns = {.ends = ".", .any_case = true}, uri = {.ends = "/"},
                                email = {.ends = "@"}, ip = {.ends = "", .any_case = true};

    switch (san[0]) {
    case 'd':
        return &dns;
    case 'u':
        return &uri;
    case 'e':
        return &email;
    default:
        return &ip;
    }
}

static bool name_fits(const char **patterns, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (fits(&names, patterns[i], name))
            return true;
    return n == 0;
}

static bool sans_fit(const char **patterns, size_t n, const struct tls_peer *p)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < p->nsans; j++)
            if (fits(grammar_of(patterns[i]), patterns[i], p->sans[j]))
                return true;
    return n == 0;
}

static bool fingerprint_fits(const char **fingerprints, size_t n, const struct tls_peer *p)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(fingerprints[i], p->fingerprint) == 0)
            return true;
    return n == 0;
}

bool tls_peer_fits(const struct tls_peer *p, const struct certificate_rules *rules)
{
    return name_fits(rules->subjects, rules->nsubjects, p->subject) &&
           name_fits(rules->issuers, rules->nissuers, p->issuer) &&
           sans_fit(rules->sans, rules->nsans, p) &&
           fingerprint_fits(rules->fingerprints, rules->nfingerprints, p);
}
