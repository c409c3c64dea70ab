/* SPDX-License-Identifier: Apache-2.0 */
/* The normal form of a path is its own normal form, never longer, and free of what a service could
 * read as a way up; an authority survives a second check. */
#include "http/uri.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_path(char *path, size_t size)
{
    size_t n = size, again;

    if (!uri_normalise_path(path, &n))
        return;
    assert(n > 0 && n <= size && path[0] == '/');
    char *copy = malloc(n);
    assert(copy);
    memcpy(copy, path, n);
    again = n;
    assert(uri_normalise_path(copy, &again) && again == n && memcmp(copy, path, n) == 0);
    free(copy);
    assert(!memmem(path, n, "//", 2) && !memmem(path, n, "/../", 4) && !memmem(path, n, "/./", 3));
    assert(!memchr(path, '\\', n) && !memchr(path, '\0', n) && !memchr(path, '\r', n));
    assert(n < 3 || memcmp(path + n - 3, "/..", 3) != 0);
}

static void check_authority(char *authority, size_t n)
{
    struct str host;
    uint16_t port;

    if (!uri_check_authority(authority, n))
        return;
    assert(uri_check_authority(authority, n));
    uri_split_authority((struct str){authority, n}, &host, &port);
    assert(host.p == authority && host.n > 0 && host.n <= n);
    assert(!memchr(authority, '@', n) && !memchr(authority, '\n', n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size ? size : 1);

    assert(copy);
    if (size > 0)
        memcpy(copy, data, size);
    check_path(copy, size);
    if (size > 0)
        memcpy(copy, data, size);
    check_authority(copy, size);
    free(copy);
    return 0;
}
