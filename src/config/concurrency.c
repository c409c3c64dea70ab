/* SPDX-License-Identifier: Apache-2.0 */
/* concurrency.c - `concurrency:` of a service: how many requests may be under way, as a number or
 * as what the gateway finds out by the latency. */
#include "config/sections.h"
#include "config/value.h"

#include <string.h>

/* "1.5", two digits after the point at most: exact in percent. */
static int tolerance_read(struct reader *r, const struct node *n, void *at)
{
    static const char expected[] = "a factor from 1.1 to 5 such as 1.5";
    uint64_t whole, part = 0;
    char text[16];
    char *point;

    if (n->kind != NODE_TEXT || strlen(n->text) >= sizeof text)
        return node_expected(n, r->err, expected);
    strcpy(text, n->text);
    point = strchr(text, '.');
    if (point) {
        *point++ = '\0';
        if (strlen(point) > 2 || !value_unsigned(point, &part))
            return node_expected(n, r->err, expected);
        part *= strlen(point) == 1 ? 10 : 1;
    }
    if (!value_unsigned(text, &whole) || whole > 5 || whole * 100 + part < 110 ||
        whole * 100 + part > 500)
        return node_expected(n, r->err, expected);
    *(unsigned *)at = (unsigned)(whole * 100 + part);
    return 0;
}

static const struct field adaptive_fields[] = {
    UNSIGNED("minimum", adaptive_conf, minimum, 1, 1000000, "4",
             "The limit never goes below: what the service surely can take."),
    UNSIGNED("maximum", adaptive_conf, maximum, 1, 1000000, "1000", "Nor above."),
    UNSIGNED("initial", adaptive_conf, initial, 1, 1000000, "20", "Where it starts."),
    {.key = "tolerance",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(adaptive_conf, tolerance_percent, unsigned),
     .dflt = "1.5",
     .read = tolerance_read,
     .kind = "factor",
     .help = "Answers may take so many times as long as without a queue before the limit falls."},
};
static const struct section adaptive_section = {adaptive_fields, ARRAY_LEN(adaptive_fields)};

static int adaptive_finish(struct reader *r, const struct node *n, void *at)
{
    struct adaptive_conf *a = at;

    a->enabled = true;
    if (a->minimum > a->initial || a->initial > a->maximum)
        return node_error(n, r->err, "expected minimum <= initial <= maximum, found %u, %u, %u",
                          a->minimum, a->initial, a->maximum);
    return 0;
}

static int adaptive_switch_read(struct reader *r, const struct node *n, void *at)
{
    struct adaptive_conf *a = at;

    if (strcmp(n->text, "true") != 0 && strcmp(n->text, "false") != 0)
        return node_expected(n, r->err, "true, false, or a map such as { initial: 20 }");
    a->enabled = n->text[0] == 't';
    return 0;
}

static const struct field concurrency_fields[] = {
    UNSIGNED("requests", service_conf, max_requests, 0, 1000000, "0",
             "Requests that the service may have under way from this gateway; 0 = no limit."),
    {.key = "adaptive",
     .type = FIELD_SECTION,
     .offset = offsetof(struct service_conf, adaptive),
     .section = &adaptive_section,
     .read = adaptive_finish,
     .read_text = adaptive_switch_read,
     .kind = "`true`, `false` or map",
     .shown = "`false`",
     .help = "In place of `requests`: a limit that finds its value by the latency."},
    UNSIGNED("requests_per_instance", service_conf, max_requests_per_instance, 0, 1000000, "0",
             "The same for each instance; 0 = no limit."),
    UNSIGNED("queue", service_conf, queue, 0, 1000000, "0",
             "Requests that may wait for a place; 0 = refuse at once (`overloaded`)."),
    DURATION("queue_timeout", service_conf, queue_timeout_ms, 1, HOURS, "1s",
             "How long a request waits for a place."),
};
const struct section concurrency_section = {concurrency_fields, ARRAY_LEN(concurrency_fields)};

/* Of the two kinds of limit the one that is written here replaces an inherited other one. */
int concurrency_finish(struct reader *r, const struct node *n, void *at)
{
    const struct node *adaptive = node_is_null(n) ? NULL : node_get(n, "adaptive");
    const struct node *requests = node_is_null(n) ? NULL : node_get(n, "requests");
    struct service_conf *s = at;

    if (!s->adaptive.enabled || s->max_requests == 0)
        return 0;
    if (adaptive && requests)
        return node_error(adaptive, r->err,
                          "excludes requests: the limit is either fixed or found");
    if (requests)
        s->adaptive.enabled = false;
    else
        s->max_requests = 0;
    return 0;
}
