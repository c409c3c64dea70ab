/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* catalog_reads.h - all that a builder asks discovery, answered by the catalog of the test: these
 * take the place of the real functions, so each that the builder uses must be here. Include after
 * catalog.h. */

size_t discovery_count(const struct discovery *d)
{
    return d->n;
}

struct instance_set *discovery_at(const struct discovery *d, size_t i)
{
    return d->sets[i];
}

struct instance_set *discovery_find(const struct discovery *d, const char *service)
{
    unsigned from = 0, to = d->n;

    while (from < to) {
        unsigned middle = (from + to) / 2;
        int order = strcmp(d->sets[middle]->service, service);

        if (order == 0)
            return d->sets[middle];
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

bool discovery_ready(const struct discovery *d)
{
    return !d->unready;
}

size_t discovery_rules_count(const struct discovery *d)
{
    return d->rules != NULL;
}

struct chain *discovery_rules_at(const struct discovery *d, size_t i)
{
    (void)i;
    return d->rules;
}

struct chain *discovery_rules(const struct discovery *d, const char *service)
{
    return d->rules && strcmp(d->rules->service, service) == 0 ? d->rules : NULL;
}

uint64_t discovery_rules_version(const struct discovery *d)
{
    return (uint64_t)(uintptr_t)d->rules;
}

bool discovery_rules_awaited(const struct discovery *d, const char *service)
{
    return d->awaited && strcmp(d->awaited, service) == 0;
}

bool discovery_is_target(const struct discovery *d, const char *service)
{
    (void)d;
    return strchr(service, ':') != NULL;
}
