# SPDX-License-Identifier: Apache-2.0
"""clients.py - real clients, and a gRPC service: programs in Node of test/clients.

    client = HttpClient("http2", "https://127.0.0.1:8443", ca=ca.file)     # or "undici"
    client.get("/x", method="POST", body="hi").status     # .headers .body .length .trailers .failed
    client.get("/x", count=200)                           # at once: a list of answers
    later = client.begin("/slow"); later.result()         # without waiting; .done
    client.info()                                         # of http2: alpn, settings, goaway, closed

    service = GrpcService("a")                            # shop.proto in the clear: .port, .calls, .cancelled
    grpc = GrpcClient("127.0.0.1:8080")                   # or ca=...: over TLS
    ended = grpc.one(text="hi", metadata={"x-echo": "1"}, deadline_ms=500)
    ended.code, .word, .details, .messages, .head, .trailers
    call = grpc.chat(); call.send(text="a"); call.wait_messages(1); call.end(); call.status().code
    have_clients()                                        # None, or why there are none here

What a service does with an item is what the item says, see test/clients/shop.proto. Everything has a
stop(); Scenario's http_client(), grpc_service() and grpc_client() see to it.
"""
import functools
import itertools
import json
import os
import subprocess
import threading
from types import SimpleNamespace

from .consul import ROOT
from .wait import free_port, wait_for

# grpc-status in words.
WORDS = ("ok cancelled unknown invalid_argument deadline_exceeded not_found already_exists "
         "permission_denied resource_exhausted failed_precondition aborted out_of_range unimplemented "
         "internal unavailable data_loss unauthenticated").split()


@functools.lru_cache(maxsize=None)
def _packages():
    """(folder of the packages, None), or (None, why there are none)."""
    done = subprocess.run([os.path.join(ROOT, "setup"), "--clients"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    if done.returncode == 0:
        return done.stdout.strip(), None
    return None, (done.stderr.strip() or "no reason given").splitlines()[-1]


def have_clients():
    return _packages()[1]


def run_script(script, timeout=120, **options):
    """A program of test/clients that ends by itself: the one thing that it tells."""
    folder, why = _packages()
    if folder is None:
        raise RuntimeError(why)
    done = subprocess.run(["node", os.path.join(ROOT, "test/clients", script), json.dumps(dict(options, packages=folder))],
                          stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=timeout)
    return json.loads(done.stdout)


class Program:
    """One of test/clients: lines of JSON in both directions. Those with an id are answers, the others
    are given to on_event() and kept in .events."""

    def __init__(self, script, **options):
        folder, why = _packages()
        if folder is None:
            raise RuntimeError(why)
        self.events = []
        self._answers = {}
        self._ids = itertools.count(1)
        self._process = subprocess.Popen(
            ["node", os.path.join(ROOT, "test/clients", script), json.dumps(dict(options, packages=folder))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._problems = []
        for pipe, take in ((self._process.stdout, self._line), (self._process.stderr, self._problems.append)):
            threading.Thread(target=self._read, args=(pipe, take), daemon=True).start()
        wait_for(self._began, 20, "start of " + script)

    def _began(self):
        if self._process.poll() is not None:
            raise RuntimeError("it ended: " + "".join(self._problems)[-2000:])
        return self._of("listening")

    @staticmethod
    def _read(pipe, take):
        for line in pipe:
            take(line)

    def _line(self, line):
        event = json.loads(line)
        if "id" in event:
            self._answers[event["id"]] = event
        else:
            self.events.append(event)
            self.on_event(event)

    def on_event(self, event):
        pass

    def _of(self, kind):
        return [event for event in list(self.events) if event["event"] == kind]

    def tell(self, do, **more):
        """Sends a command; its id."""
        number = next(self._ids)
        self._process.stdin.write(json.dumps(dict(more, do=do, id=number)) + "\n")
        self._process.stdin.flush()
        return number

    def answered(self, number):
        return number in self._answers

    def answer(self, number, timeout=30.0):
        wait_for(lambda: self.answered(number), timeout, "answer of the client")
        answer = self._answers.pop(number)
        if "error" in answer:
            raise AssertionError("the client failed: " + answer["error"])
        return answer

    def ask(self, do, timeout=30.0, **more):
        return self.answer(self.tell(do, **more), timeout)

    def stop(self):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._process.stdin.close()


def _answer(fields):
    blank = {"status": None, "headers": {}, "body": "", "length": 0, "trailers": {}, "failed": None}
    return SimpleNamespace(**dict(blank, **fields))


class HttpClient(Program):
    """A connection that is closed opens again with the next request."""

    def __init__(self, kind, origin, ca=None):
        super().__init__("http_client.mjs", kind=kind, origin=origin, ca=ca)

    def begin(self, path, do="get", **request):
        number = self.tell(do, path=path, **request)
        return Later(self, number)

    def get(self, path, timeout=30.0, **request):
        return self.begin(path, **request).result(timeout)

    def reset(self, path, code=8, **request):
        return self.begin(path, do="reset", code=code, **request).result()

    def info(self):
        return self.ask("info")


class Later:
    def __init__(self, client, number):
        self._client, self._number = client, number

    @property
    def done(self):
        return self._client.answered(self._number)

    def result(self, timeout=30.0):
        got = self._client.answer(self._number, timeout)
        if "answers" in got:
            return [_answer(one) for one in got["answers"]]
        return _answer(got)


class GrpcService(Program):
    def __init__(self, name="shop", port=None):
        self.name, self.host, self.port = name, "127.0.0.1", port or free_port()
        super().__init__("grpc_service.mjs", name=name, port=self.port)

    @property
    def calls(self):
        return self._of("call")

    @property
    def cancelled(self):
        return self._of("cancelled")

    @property
    def messages(self):
        return self._of("message")

    def wait_calls(self, count, timeout=10.0):
        wait_for(lambda: len(self.calls) >= count, timeout, "%d calls" % count)
        return self.calls

    def wait_cancelled(self, count, timeout=10.0):
        wait_for(lambda: len(self.cancelled) >= count, timeout, "%d cancelled calls" % count)
        return self.cancelled


class GrpcCall:
    """What is known of a call up to now."""

    def __init__(self, client, number):
        self._client, self._number = client, number
        self.head, self.messages, self._status = None, [], None

    def take(self, event):
        if event["event"] == "head":
            self.head = event["metadata"]
        elif event["event"] == "message":
            self.messages.append(SimpleNamespace(**event))
        else:
            self._status = event

    def send(self, **item):
        self._client.tell("send", call=self._number, item=item)

    def end(self):
        self._client.tell("end", call=self._number)

    def cancel(self):
        self._client.tell("cancel", call=self._number)

    @property
    def done(self):
        return self._status is not None

    def wait_messages(self, count, timeout=20.0):
        wait_for(lambda: len(self.messages) >= count or self.done, timeout, "%d messages" % count)
        if len(self.messages) < count:
            raise AssertionError("%d messages instead of %d, then %s" % (len(self.messages), count, self._status))
        return self.messages

    def status(self, timeout=30.0):
        """Waits for the end of the call; what it came to."""
        wait_for(lambda: self.done, timeout, "end of the call")
        got = self._status
        # The single answer of One and Sum is told just before or after the status.
        if got["code"] == 0 and self.single:
            wait_for(lambda: self.messages, timeout, "message of the call")
        return SimpleNamespace(code=got["code"], word=WORDS[got["code"]], details=got["details"],
                               trailers=got["metadata"], head=self.head, messages=self.messages)

    single = False


class GrpcClient(Program):
    def __init__(self, address, ca=None, name=None):
        self._calls = {}
        super().__init__("grpc_client.mjs", address=address, ca=ca, name=name)

    def on_event(self, event):
        if "call" in event:
            self._calls[event["call"]].take(event)

    def begin(self, method, metadata=None, deadline_ms=None, **item):
        number = len(self._calls) + 1
        call = self._calls[number] = GrpcCall(self, number)
        call.single = method in ("One", "Sum")
        more = {} if deadline_ms is None else {"deadline_ms": deadline_ms}
        self.tell("call", call=number, method=method, item=item, metadata=metadata or {}, **more)
        return call

    def one(self, **item):
        return self.begin("One", **item).status()

    def many(self, **item):
        return self.begin("Many", **item).status()

    def sum(self, items, **options):
        call = self.begin("Sum", **options)
        for item in items:
            call.send(**item)
        call.end()
        return call.status()

    def chat(self, **options):
        return self.begin("Chat", **options)
