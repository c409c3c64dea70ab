/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* state_file.h - a file that is there whole or not at all, and is believed only when it is whole.
 *
 * Written to NAME.tmp in the same directory (mode 0600), synced, renamed over NAME, and the
 * directory synced: whatever ends the process, or the machine, the file is the old or the new one.
 * It begins with one line of text,
 *
 *   frontdesk KIND VERSION LENGTH SHA256\n
 *
 * whose checksum covers the line up to itself and the LENGTH bytes that follow. A file belongs to
 * one process: two that write the same one only lose each other's content.
 *
 * These calls block; state_writer.h writes without. */
#include "base/bytes.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"

#include <stdint.h>

struct state_kind {
    const char *name; /* one word */
    unsigned version; /* of the content's format */
    size_t max_bytes; /* of the content */
};

enum state_result {
    STATE_READ,
    STATE_MISSING,
    STATE_UNREADABLE,    /* no permission, not a regular file, an error of the disk */
    STATE_TOO_LARGE,     /* more than max_bytes */
    STATE_NOT_OURS,      /* no such first line, or another kind */
    STATE_OTHER_VERSION, /* written by another version of the gateway */
    STATE_CUT_SHORT,
    STATE_DAMAGED, /* its checksum is another one */
};
const char *state_result_text(enum state_result r); /* "cut short", for people */

/* Replaces the file. On failure what was there before is still there. */
int state_file_write(const char *path, const struct state_kind *k, struct str content,
                     struct err *e) MUST_CHECK;

/* Reads it into `ret`, which is emptied first; *ret_content is the content within. Any other result
 * than STATE_READ and STATE_MISSING fills `e` with the reason, the path not included. */
enum state_result state_file_read(const char *path, const struct state_kind *k, struct bytes *ret,
                                  struct str *ret_content, struct err *e) MUST_CHECK;

/* The same for bytes in memory. Pure. */
enum state_result state_file_check(struct str whole, const struct state_kind *k,
                                   struct str *ret_content, struct err *e) MUST_CHECK;

/* Renames it to NAME.damaged, for who wants to look, in place of an older one of that name. */
int state_file_set_aside(const char *path, struct err *e);

/* May files be made in this directory? Otherwise `e` says why not, the path not included. */
int state_directory_check(const char *directory, struct err *e) MUST_CHECK;
