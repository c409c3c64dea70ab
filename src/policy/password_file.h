/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* password_file.h - users and bcrypt hashes of one htpasswd file, as of one reading. Immutable, by
 * reference.
 *
 * bcrypt is slow on purpose (a millisecond to a second): never call password_check() where requests
 * wait. Weak or fast hashes ($apr1$, {SHA}, crypt, plain) are refused when the file is read. */
#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { PASSWORD_MAX = 1024, PASSWORD_MAX_COST = 14 };

struct password_file;

/* NULL and "NAME:LINE: ..." when a line is not `user:$2y$...` or a user is there twice. */
struct password_file *password_file_new(const char *name, struct str text,
                                        struct err *e) MUST_CHECK;
struct password_file *password_file_ref(struct password_file *f);
void password_file_unref(struct password_file **f);
size_t password_file_count(const struct password_file *f);
/* Another number for each reading of any file in this process: what was found right under one is
 * not right under another. */
uint64_t password_file_version(const struct password_file *f);

enum password_verdict { PASSWORD_RIGHT, PASSWORD_WRONG, PASSWORD_FAILED /* memory is out */ };

/* Slow. Whatever is wrong takes the same time: that of one hash of the file's highest cost, also
 * for a user that is not there. Any thread. */
enum password_verdict password_check(const struct password_file *f, struct str user,
                                     struct str password);
