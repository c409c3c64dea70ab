/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* key_file.h - keys of an issuer that are in a file, read again when it changes. Thread: control.
 */
#include "base/err.h"
#include "config/issuers_conf.h"
#include "policy/keyset.h"

#include <sys/types.h>
#include <time.h>

/* How a file looked. */
struct key_file_look {
    struct timespec changed;
    ino_t inode;
    off_t size;
};

/* The path, or NULL when the keys are not in a file. */
const char *key_file_path(const struct issuer_keys_conf *c);
/* NULL and "PATH: why". */
struct keyset *key_file_read(const struct issuer_conf *c, struct err *e) MUST_CHECK;
/* Does it look different from *look, which is brought up to date? A file that is not there looks
 * like zeros. */
bool key_file_changed(const struct issuer_keys_conf *c, struct key_file_look *look);
