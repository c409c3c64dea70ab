/* SPDX-License-Identifier: Apache-2.0 */
#include "coding/accept.h"

void accept_begin(struct accepted *a)
{
    for (int i = 0; i < CODINGS; i++)
        a->weights[i] = -1;
    a->any = -1;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "1", "0.5", "1.000" (section 12.4.2) -> thousandths; -1 = malformed. */
static int weight(struct str s)
{
    int w;

    if (s.n == 0 || s.n > 5 || (s.p[0] != '0' && s.p[0] != '1') || (s.n > 1 && s.p[1] != '.'))
        return -1;
    w = (s.p[0] - '0') * 1000;
    for (size_t i = 2, unit = 100; i < s.n; i++, unit /= 10) {
        if (!is_digit(s.p[i]))
            return -1;
        w += (s.p[i] - '0') * (int)unit;
    }
    return w <= 1000 ? w : -1;
}

static void add_item(struct accepted *a, struct str item)
{
    const char *semicolon = memchr(item.p, ';', item.n);
    struct str name = {item.p, semicolon ? (size_t)(semicolon - item.p) : item.n};
    struct str rest = semicolon ? (struct str){semicolon + 1, item.n - name.n - 1} : STR_NULL;
    int w = 1000;
    enum coding c;

    name = str_trim(name);
    rest = str_trim(rest);
    if (semicolon) {
        if (rest.n < 2 || ascii_lower(rest.p[0]) != 'q' || rest.p[1] != '=')
            return;
        w = weight((struct str){rest.p + 2, rest.n - 2});
        if (w < 0)
            return;
    }
    c = coding_parse(name);
    if (str_eq(name, STR("*")))
        a->any = w;
    else if (c < CODINGS)
        a->weights[c] = w;
}

void accept_add(struct accepted *a, struct str value)
{
    struct str item;

    while (str_next(&value, ',', &item))
        add_item(a, item);
}

enum coding accept_choose(const struct accepted *a, const enum coding *ours, size_t n)
{
    enum coding best = CODING_IDENTITY;
    /* Unless it says otherwise, a client takes identity, but whoever names a coding prefers that.
     */
    int best_weight = a->weights[CODING_IDENTITY] > 0 ? a->weights[CODING_IDENTITY] : 0;

    for (size_t i = 0; i < n; i++) {
        int w = a->weights[ours[i]] >= 0 ? a->weights[ours[i]] : a->any;
        bool equal_to_identity = w == best_weight && best == CODING_IDENTITY;

        if (w > 0 && (w > best_weight || equal_to_identity)) {
            best = ours[i];
            best_weight = w;
        }
    }
    return best;
}
