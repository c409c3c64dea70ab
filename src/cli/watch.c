/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/watch.h"
#include "base/clock.h"
#include "base/macros.h"
#include "cli/span.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* Signal handlers only take a note; the loop acts. */
static volatile sig_atomic_t stop_asked, resized, suspend_asked;

static bool has_keys; /* standard input is a terminal that we have set up */
static struct termios before;

static void on_signal(int number)
{
    if (number == SIGWINCH)
        resized = 1;
    else if (number == SIGTSTP)
        suspend_asked = 1;
    else
        stop_asked = 1;
}

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGTSTP};

static void catch_signals(void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler};

    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        sigaction(signals[i], &action, NULL);
    action.sa_handler = handler == SIG_DFL ? SIG_DFL : SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
}

static void say(const char *s)
{
    fputs(s, stdout);
    fflush(stdout);
}

static void enter_screen(void)
{
    struct termios keys;

    has_keys = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
    if (has_keys) {
        keys = before;
        keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        keys.c_cc[VMIN] = 1;
        keys.c_cc[VTIME] = 0;
        tcsetattr(STDIN_FILENO, TCSANOW, &keys);
    }
    say("\033[?1049h\033[?25l\033[?7l\033[H\033[2J");
}

static void leave_screen(void)
{
    if (has_keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
    has_keys = false;
    say("\033[?7h\033[?25h\033[?1049l");
}

static void suspend(void)
{
    leave_screen();
    suspend_asked = 0;
    kill(getpid(), SIGSTOP);
    enter_screen();
    resized = 1;
}

static void read_keys(void)
{
    struct pollfd in = {STDIN_FILENO, POLLIN, 0};
    char keys[64];
    ssize_t n;

    if (!has_keys || poll(&in, 1, 0) <= 0)
        return;
    n = read(STDIN_FILENO, keys, sizeof keys);
    if (n <= 0)
        has_keys = false;
    for (ssize_t i = 0; i < n; i++)
        if (keys[i] == 'q' || keys[i] == 'Q')
            stop_asked = 1;
}

bool watch_stopped(void *unused)
{
    (void)unused;
    read_keys();
    return stop_asked;
}

/* Returns early for a key or a signal. */
static void wait_until(uint64_t at_ns)
{
    uint64_t now = clock_now_ns();
    struct pollfd in = {has_keys ? STDIN_FILENO : -1, POLLIN, 0};
    sigset_t blocked, old;

    /* A signal between the look at its flag and the wait must not be lost. */
    sigemptyset(&blocked);
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        sigaddset(&blocked, signals[i]);
    sigprocmask(SIG_BLOCK, &blocked, &old);
    if (now < at_ns && !stop_asked && !resized && !suspend_asked) {
        struct timespec left = {(time_t)((at_ns - now) / NS_PER_S),
                                (long)((at_ns - now) % NS_PER_S)};
        ppoll(&in, 1, &left, &old);
    }
    sigprocmask(SIG_SETMASK, &old, NULL);
}

/* One write for the whole picture, so that it does not flicker. A line is cleared before it is
 * written: behind one that fills the whole width, the cursor still stands on its last character.
 * No line feed after the last line: it would scroll. */
static void put_picture(const char *text, const struct term *t, uint64_t interval_ms)
{
    char clock[16] = "", span[SPAN_MAX];
    time_t now = time(NULL);
    unsigned lines = 0;
    struct tm local;

    fputs("\033[H", stdout);
    for (const char *line = text; *line; lines++) {
        size_t n = strcspn(line, "\n");

        fputs(lines > 0 ? "\r\n\033[K" : "\033[K", stdout);
        fwrite(line, 1, n, stdout);
        line += n + (line[n] == '\n');
    }
    if (lines < t->height)
        fputs(lines > 0 ? "\r\n\033[J" : "\033[J", stdout);
    if (localtime_r(&now, &local))
        strftime(clock, sizeof clock, "%H:%M:%S", &local);
    if (t->height > 1 && t->width >= 40)
        printf("\033[%u;1H%s, every %s; q ends", t->height, clock,
               span_text(span, (int64_t)interval_ms));
    fflush(stdout);
}

static void draw(const struct watch_options *o, const struct term *t, bool on_screen, bool fresh)
{
    struct term smaller = *t;
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);

    if (!out)
        return;
    if (on_screen && t->height > 1)
        smaller.height--;
    o->draw(o->arg, out, &smaller, fresh);
    fclose(out);
    if (on_screen) {
        put_picture(text, t, o->interval_ms);
    } else {
        fwrite(text, 1, n, stdout);
        fflush(stdout);
    }
    /* Nobody reads any more: the end of a pipe, or a terminal that is gone. */
    if (ferror(stdout))
        stop_asked = 1;
    free(text);
}

void watch_run(const struct watch_options *o, struct term *t)
{
    const char *name = getenv("TERM");
    bool on_screen = o->full_screen && t->height > 0 && name && strcmp(name, "dumb") != 0;
    uint64_t next_ns = clock_now_ns();

    stop_asked = resized = suspend_asked = 0;
    catch_signals(on_signal);
    if (on_screen)
        enter_screen();
    else
        t->height = 0;
    while (!watch_stopped(NULL)) {
        bool fresh = clock_now_ns() >= next_ns;

        if (suspend_asked && on_screen)
            suspend();
        if (resized && on_screen)
            term_measure(t);
        if (fresh || resized) {
            resized = 0;
            draw(o, t, on_screen, fresh);
        }
        if (fresh)
            next_ns = clock_now_ns() + o->interval_ms * NS_PER_MS;
        wait_until(next_ns);
    }
    if (on_screen)
        leave_screen();
    catch_signals(SIG_DFL);
}
