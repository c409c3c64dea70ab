/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* migrate_yaml.h - the document of migrate_document.h as a file of conf.d, what there is to say in
 * its comments. Nothing of the catalog can steer a terminal or get out of its comment or quotes. */
#include "cli/term_text.h"

#include <jansson.h>
#include <stdio.h>

void migrate_yaml(FILE *out, const struct term *t, const json_t *doc);
