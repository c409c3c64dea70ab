/* SPDX-License-Identifier: Apache-2.0 */
/* replay.c - stands in for libFuzzer where there is none: feeds kept inputs to a fuzz target.
 *
 *   TARGET FILE-OR-FOLDER...
 *
 * Says how many inputs it fed, and fails when there was none or one could not be read. A finding
 * shows as it does under libFuzzer: by an abort or a sanitizer's report. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_INPUT_BYTES = 1 << 20 };

/* 1 when the file was fed, -1 when it could not be read. */
static int feed_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc(MAX_INPUT_BYTES), *exact;
    int fed = -1;

    if (f && data) {
        size_t n = fread(data, 1, MAX_INPUT_BYTES, f);
        /* A copy of the exact size lets ASan see a read behind the end. */
        exact = malloc(n ? n : 1);
        if (exact && !ferror(f)) {
            memcpy(exact, data, n);
            LLVMFuzzerTestOneInput(exact, n);
            fed = 1;
        }
        free(exact);
    }
    if (fed < 0)
        fprintf(stderr, "%s: cannot be read\n", path);
    free(data);
    if (f)
        fclose(f);
    return fed;
}

/* The number of files fed; -1 when one could not be read. */
static int feed_path(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    int fed = 0;

    if (!dir)
        return feed_file(path);
    while (fed >= 0 && (entry = readdir(dir)) != NULL) {
        char file[4096];

        if (entry->d_name[0] == '.')
            continue;
        snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
        int one = feed_file(file);
        fed = one < 0 ? -1 : fed + one;
    }
    closedir(dir);
    return fed;
}

int main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/');
    int total = 0;

    for (int i = 1; i < argc; i++) {
        int fed = feed_path(argv[i]);

        if (fed < 0)
            return 1;
        total += fed;
    }
    printf("%s: %d inputs\n", slash ? slash + 1 : argv[0], total);
    return total > 0 ? 0 : 1;
}
