/* SPDX-License-Identifier: Apache-2.0 */
#include "hosts.h"
#include "base/alloc.h"
#include "base/bytes.h"
#include "file_change.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <unistd.h>

enum { FILE_MAX = 4 << 20 };

struct hosts {
    char *path; /* owned */
    struct file_change change;
    struct bytes text; /* owned */
};

struct hosts *hosts_new(const char *path)
{
    struct hosts *h = alloc_or_abort(sizeof *h);

    h->path = strdup(path);
    if (!h->path)
        abort();
    return h;
}

void hosts_free(struct hosts *h)
{
    if (!h)
        return;
    bytes_free(&h->text);
    free(h->path);
    free(h);
}

static void read_file(struct hosts *h)
{
    int fd = open(h->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char part[4096];
    ssize_t n;

    bytes_free(&h->text);
    if (fd < 0)
        return;
    while (bytes_len(&h->text) < FILE_MAX && (n = read(fd, part, sizeof part)) > 0)
        if (!bytes_add(&h->text, part, (size_t)n))
            abort();
    close(fd);
}

static bool next_word(struct str *rest, struct str *ret)
{
    size_t i = 0;

    while (i < rest->n && (rest->p[i] == ' ' || rest->p[i] == '\t' || rest->p[i] == '\r'))
        i++;
    *ret = (struct str){rest->p + i, 0};
    while (i + ret->n < rest->n && rest->p[i + ret->n] != ' ' && rest->p[i + ret->n] != '\t' &&
           rest->p[i + ret->n] != '\r')
        ret->n++;
    rest->p += i + ret->n;
    rest->n -= i + ret->n;
    return ret->n > 0;
}

static bool names_it(struct str words, struct str name)
{
    struct str word;

    while (next_word(&words, &word))
        if (str_ieq(word, name))
            return true;
    return false;
}

static void add(struct str literal, struct name_answer *v4, struct name_answer *v6)
{
    char text[INET6_ADDRSTRLEN];

    if (literal.n >= sizeof text)
        return;
    memcpy(text, literal.p, literal.n);
    text[literal.n] = '\0';
    if (v4->n < NAME_ADDRESSES_MAX && inet_pton(AF_INET, text, &v4->addresses[v4->n].v4) == 1)
        v4->n++;
    else if (v6->n < NAME_ADDRESSES_MAX && inet_pton(AF_INET6, text, &v6->addresses[v6->n].v6) == 1)
        v6->n++;
}

static void begin_answer(struct name_answer *a)
{
    a->outcome = NAME_NONE;
    a->why = "";
    a->ttl_ms = 0;
    a->n = 0;
}

bool hosts_find_in(struct str text, const char *name, struct name_answer *ret_v4,
                   struct name_answer *ret_v6)
{
    struct str wanted = str_of(name), line, address;

    begin_answer(ret_v4);
    begin_answer(ret_v6);
    if (wanted.n > 0 && wanted.p[wanted.n - 1] == '.')
        wanted.n--;
    while (str_next(&text, '\n', &line)) {
        const char *comment = memchr(line.p, '#', line.n);

        if (comment)
            line.n = (size_t)(comment - line.p);
        if (next_word(&line, &address) && names_it(line, wanted))
            add(address, ret_v4, ret_v6);
    }
    if (ret_v4->n > 0)
        ret_v4->outcome = NAME_FOUND;
    if (ret_v6->n > 0)
        ret_v6->outcome = NAME_FOUND;
    return ret_v4->n + ret_v6->n > 0;
}

bool hosts_find(struct hosts *h, const char *name, struct name_answer *ret_v4,
                struct name_answer *ret_v6)
{
    if (file_changed(&h->change, h->path))
        read_file(h);
    return hosts_find_in(bytes_str(&h->text), name, ret_v4, ret_v6);
}
