/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* outlier_fixture.h - what the tests of the outlier detector share: a service with some instances,
 * reports in one instant. */
#include "circuit/outlier.h"

#define S  NS_PER_S
#define T0 (1000 * S)

enum { MANY = 10 };

static const struct outlier_options usual = {
    .enabled = true,
    .consecutive_failures = 5,
    .failure_percent = 50,
    .minimum_requests = 20,
    .window_ns = 10 * S,
    .base_ejection_ns = 10 * S,
    .max_ejection_ns = 60 * S,
    .max_ejected_percent = 50,
};

static struct rng rng = {7};

/* A service with up to MANY instances. */
struct service {
    struct outlier_group group;
    struct instance_load loads[MANY];
    struct outlier all[MANY];
    unsigned n;
};

static inline void service_init(struct service *s, const struct outlier_options *o, unsigned n)
{
    *s = (struct service){.n = n};
    outlier_group_init(&s->group, o);
    outlier_group_resize(&s->group, n, T0);
    for (unsigned i = 0; i < n; i++)
        outlier_init(&s->all[i], &s->group, &s->loads[i]);
}

static inline void service_release(struct service *s)
{
    for (unsigned i = 0; i < s->n; i++)
        outlier_release(&s->all[i]);
    assert_null(s->group.members);
    outlier_group_release(&s->group);
}

static inline enum outlier_event report(struct outlier *o, uint64_t now_ns, bool failed)
{
    return outlier_report(o, now_ns, &rng, false, failed);
}

static inline enum outlier_event fail_times(struct outlier *o, uint64_t now_ns, unsigned n)
{
    enum outlier_event e = OUTLIER_NOTHING;

    while (n--)
        e = report(o, now_ns, true);
    return e;
}

static inline uint64_t eject(struct outlier *o, uint64_t now_ns)
{
    assert_int_equal(fail_times(o, now_ns, usual.consecutive_failures), OUTLIER_EJECTED);
    return o->load->ejected_until_ns;
}

static inline enum outlier_event probe(struct outlier *o, uint64_t now_ns, bool failed)
{
    bool lost;

    assert_true(outlier_begin(o, now_ns, &lost));
    assert_false(lost);
    return outlier_report(o, now_ns, &rng, true, failed);
}

static inline unsigned ejected_at(const struct service *s, uint64_t now_ns)
{
    unsigned n = 0;

    for (unsigned i = 0; i < s->n; i++)
        n += s->loads[i].ejected_until_ns > now_ns;
    return n;
}
