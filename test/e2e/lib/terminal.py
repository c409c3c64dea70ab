# SPDX-License-Identifier: Apache-2.0
"""terminal.py - a command on a terminal of its own, and what can be read on its screen.

    with Terminal("status", "--watch", "-a", address, rows=24, columns=100) as terminal:
        terminal.wait_shown("orders .* open")   # a regular expression over the screen's text
        terminal.screen()                       # the lines that one would see now
        terminal.resize(10, 60)                 # SIGWINCH
        terminal.press("q")
        terminal.wait_end()                     # exit status
        terminal.raw                            # every byte that was written
        terminal.modes()                        # {"alternate", "cursor", "wrap"} as left behind
        terminal.echoes()                       # whether the terminal echoes keys (termios)

Understands what frontdesk writes: cursor addressing, erasing, the modes, colours (ignored). Anything
else in the output is an AssertionError: nothing else may be sent to a terminal.
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import unittest

from .gateway import binary
from .wait import wait_for

_SEQUENCE = re.compile(r"\x1b\[(\?)?([0-9;]*)([A-Za-z])")


class _Screen:
    def __init__(self, rows, columns):
        self.modes = {"cursor": True, "wrap": True, "alternate": False}
        self.resize(rows, columns)

    def resize(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.cells = [[" "] * columns for _ in range(rows)]
        self.row = self.column = 0

    def text(self):
        return ["".join(line).rstrip() for line in self.cells]

    def _mode(self, number, on):
        name = {"25": "cursor", "7": "wrap", "1049": "alternate"}[number]
        self.modes[name] = on

    def control(self, private, numbers, letter):
        values = [int(n) if n else 0 for n in numbers.split(";")]
        if private and letter in "hl":
            self._mode(numbers, letter == "h")
        elif letter == "H":
            self.row = max(values[0], 1) - 1
            self.column = max(values[1] if len(values) > 1 else 1, 1) - 1
        elif letter == "K":
            self.cells[self.row][self.column:] = [" "] * (self.columns - self.column)
        elif letter == "J":
            if numbers != "2":
                self.cells[self.row][self.column:] = [" "] * (self.columns - self.column)
            for row in range(0 if numbers == "2" else self.row + 1, self.rows):
                self.cells[row] = [" "] * self.columns
        elif letter != "m":
            raise AssertionError("an unknown sequence for the terminal: %s%s" % (numbers, letter))

    def put(self, char):
        if char == "\n":
            self.row = min(self.row + 1, self.rows - 1)
        elif char == "\r":
            self.column = 0
        elif not char.isprintable():
            raise AssertionError("%r was sent to the terminal" % char)
        else:
            if self.column >= self.columns:
                raise AssertionError("a line is wider than the screen: %r" % self.text()[self.row])
            self.cells[self.row][self.column] = char
            self.column += 1


class Terminal:
    def __init__(self, *arguments, rows=24, columns=100, environment=None):
        self.raw = b""
        self._rest = ""
        self.status = None
        self._screen = _Screen(rows, columns)
        try:
            self._master, self._slave = pty.openpty()
        except OSError as error:  # a container without /dev/pts
            raise unittest.SkipTest("no pseudo-terminal here: %s" % error)
        self._size(rows, columns)
        env = dict(os.environ, TERM="xterm", LC_ALL="C.UTF-8", **(environment or {}))
        if "NO_COLOR" not in (environment or {}):
            env.pop("NO_COLOR", None)
        self.process = subprocess.Popen([binary(), *arguments], stdin=self._slave, stdout=self._slave,
                                        stderr=self._slave, env=env, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)
        os.close(self._slave)

    def _size(self, rows, columns):
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _read(self):
        while select.select([self._master], [], [], 0)[0]:
            data = os.read(self._master, 65536)
            self.raw += data
            self._rest += data.decode("utf-8", "surrogateescape")
        at = 0
        while at < len(self._rest):
            if self._rest[at] == "\x1b":
                found = _SEQUENCE.match(self._rest, at)
                if not found:
                    break  # the rest of it has not come yet
                self._screen.control(*found.groups())
                at = found.end()
            else:
                self._screen.put(self._rest[at])
                at += 1
        self._rest = self._rest[at:]

    def screen(self):
        self._read()
        return self._screen.text()

    def modes(self):
        self._read()
        return self._screen.modes

    def is_stopped(self):
        """Stopped as by Ctrl-Z."""
        with open("/proc/%d/stat" % self.process.pid) as file:
            return file.read().rpartition(")")[2].split()[0] == "T"

    def echoes(self):
        return bool(termios.tcgetattr(self._slave)[3] & termios.ECHO)

    def wait_shown(self, pattern, timeout=15.0):
        def shown():
            return re.search(pattern, "\n".join(self.screen()), re.MULTILINE)
        try:
            return wait_for(shown, timeout, "%r on the screen" % pattern)
        except AssertionError as error:
            raise AssertionError("%s; the screen:\n%s" % (error, "\n".join(self.screen()))) from None

    def resize(self, rows, columns):
        """As a window does: the new size, then SIGWINCH. What is on the screen before the next picture
        is lost."""
        self._read()
        self._screen.resize(rows, columns)
        self._size(rows, columns)
        os.kill(self.process.pid, signal.SIGWINCH)

    def press(self, keys):
        os.write(self._master, keys.encode())

    def wait_end(self, timeout=15.0):
        wait_for(lambda: (self._read(), self.process.poll() is not None)[1], timeout, "the end")
        self._read()
        return self.process.returncode
