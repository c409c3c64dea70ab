/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* file_change.h - is a file another one than the last time? */
#include <stdbool.h>
#include <sys/stat.h>

/* Zeroed at first. */
struct file_change {
    bool looked, there;
    struct timespec mtime;
    ino_t inode;
    off_t size;
};

/* True at the first look, and when the file has changed, come or gone since the last one. */
static inline bool file_changed(struct file_change *f, const char *path)
{
    struct stat st;
    bool there = stat(path, &st) == 0, same = f->looked && there == f->there;

    if (same && there)
        same = st.st_ino == f->inode && st.st_size == f->size &&
               st.st_mtim.tv_sec == f->mtime.tv_sec && st.st_mtim.tv_nsec == f->mtime.tv_nsec;
    f->looked = true;
    f->there = there;
    if (there) {
        f->mtime = st.st_mtim;
        f->inode = st.st_ino;
        f->size = st.st_size;
    }
    return !same;
}
