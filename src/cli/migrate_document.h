/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* migrate_document.h - what the tags and commands of other gateways become here, as a document.
 *
 * Routes in it have the keys of the configuration. Everything comes from a catalog that anybody can
 * write to: texts are cut and printable. Pure. */
#include "route/fabio.h"

#include <jansson.h>

struct migrate_service {
    const struct instance_set *set;
    struct tag_routes routes; /* of tags_parse() */
};

struct migrate_catalog {
    const char *from; /* where it was read */
    const struct consul_conf *consul;
    struct migrate_service *services;
    size_t n;
    const struct fabio_commands *commands; /* NULL = none were read */
    const char *commands_why;              /* with NULL: why */
    struct fabio_merged merged;            /* of all of these */
};

/* {"consul", "remarks", "services": [{"name", "instances", "tags": [{"tag", "outcome", "notes"}], "routes",
 * "weights"}], "commands": {"lines", "routes", "services"}, "summary"}. An outcome is "same",
 * "differs" or "left_out". The caller's reference. */
json_t *migrate_document(const struct migrate_catalog *c) MUST_CHECK;
/* Is nothing left out, and nothing different? */
bool migrate_is_clean(const json_t *doc);
