/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* credential_file.h - files with hashes and secrets: read as a whole, and looked at for changes.
 * Thread: control. */
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

enum { CREDENTIAL_FILE_MAX = 8 << 20, PEPPER_MIN = 16, PEPPER_MAX = 4096 };

/* How a file looked; zeros: it is not there. */
struct file_look {
    struct timespec changed;
    ino_t inode;
    off_t size;
};

/* Does it look different from *look, which is brought up to date? `path` may be NULL. */
bool file_look_changed(const char *path, struct file_look *look);

/* The whole file, for credential_text_free(). NULL and "PATH: why"; also when it changes while it
 * is being read. */
char *credential_file_read(const char *path, size_t max, struct str *ret, struct err *e) MUST_CHECK;
/* The secret in a pepper file: its bytes without the line feed that editors add. */
char *credential_pepper_read(const char *path, struct str *ret, struct err *e) MUST_CHECK;
/* Overwrites it before; accepts NULL. */
void credential_text_free(char *text, struct str bytes);
