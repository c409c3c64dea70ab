// SPDX-License-Identifier: Apache-2.0
// h2_origin.mjs - an HTTP/2 instance for the tests (see h2_origin.py). Its one argument is JSON:
// {name, port, maxStreams, cert, key, ca, http1}. Prints a line of JSON for everything that happens.
// The first part of a request's path says what it does with it.
import fs from "node:fs";
import http2 from "node:http2";

const options = JSON.parse(process.argv[2]);
const settings = options.maxStreams ? { maxConcurrentStreams: options.maxStreams } : {};
const tell = (event) => process.stdout.write(JSON.stringify(event) + "\n");
const seen = new Map();
let sessions = 0;

// How often this path was asked for before.
function before(path) {
    const n = seen.get(path) || 0;
    seen.set(path, n + 1);
    return n;
}

function plain(headers) {
    return Object.fromEntries(Object.entries(headers).filter(([name]) => typeof name === "string"));
}

function collect(stream, done) {
    const parts = [];
    stream.on("data", (part) => parts.push(part));
    stream.on("end", () => done(Buffer.concat(parts)));
}

const answers = {
    ok(stream, request) {
        collect(stream, (body) => {
            const text = JSON.stringify({ origin: options.name, session: request.session,
                headers: request.headers, body: body.toString("latin1"), trailers: request.trailers });
            stream.respond({ ":status": 200, "content-type": "application/json", "x-origin": options.name });
            stream.end(text);
        });
    },
    bare(stream) {
        stream.resume();
        stream.respond({ ":status": 200, "x-origin": options.name }, { endStream: true });
    },
    status(stream, request) {
        stream.resume();
        stream.respond({ ":status": Number(request.words[1]), "x-origin": options.name });
        stream.end("status " + request.words[1]);
    },
    big(stream, request) {
        const size = Number(request.words[1]);
        stream.resume();
        stream.respond(request.words[2] === "length" ? { ":status": 200, "content-length": size } : { ":status": 200 });
        stream.end(Buffer.alloc(size, "0123456789abcdef"));
    },
    trailers(stream) {
        collect(stream, (body) => {
            stream.respond({ ":status": 200 }, { waitForTrailers: true });
            stream.on("wantTrailers", () => stream.sendTrailers({ "x-length": String(body.length), "x-end": "yes" }));
            stream.end("with trailers");
        });
    },
    // /grpc/14/only: an answer that is nothing but the status; /grpc/0: a message, the status behind it.
    // /grpc/14/only/a: of the origin of that name alone, the others are as /grpc/0.
    grpc(stream, request) {
        const mine = !request.words[3] || request.words[3] === options.name;
        const status = mine ? request.words[1] : "0";
        const head = { ":status": 200, "content-type": "application/grpc", "x-origin": options.name };
        stream.resume();
        if (mine && request.words[2] === "only") {
            stream.respond({ ...head, "grpc-status": status }, { endStream: true });
            return;
        }
        stream.respond(head, { waitForTrailers: true });
        stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": status }));
        stream.end(Buffer.from([0, 0, 0, 0, 2, 104, 105]));
    },
    hints(stream) {
        stream.resume();
        stream.additionalHeaders({ ":status": 103, link: "</style.css>; rel=preload" });
        stream.respond({ ":status": 200 });
        stream.end("hinted");
    },
    // Every byte at once, in both directions.
    echo(stream) {
        stream.respond({ ":status": 200 });
        stream.pipe(stream);
    },
    slow(stream, request) {
        stream.resume();
        setTimeout(() => {
            if (stream.destroyed) return;
            stream.respond({ ":status": 200, "x-origin": options.name });
            stream.end("slow");
        }, Number(request.words[1]));
    },
    hang(stream) {
        stream.resume();
    },
    // Does not read the request's body.
    early(stream) {
        stream.respond({ ":status": 403 });
        stream.end("no");
    },
    // The first time refused, then as /ok.
    refuse(stream, request) {
        if (before(request.path) > 0) answers.ok(stream, request);
        else stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
    },
    // The first time reset, then as /ok.
    reset(stream, request) {
        if (before(request.path) > 0) answers.ok(stream, request);
        else stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
    },
    // Reset by the origin of that name only.
    resetat(stream, request) {
        if (request.words[1] !== options.name) answers.ok(stream, request);
        else stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
    },
    cut(stream) {
        stream.resume();
        stream.respond({ ":status": 200, "content-length": 100 });
        stream.write("half", () => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR));
    },
    // The first time the connection ends without having processed the request, then as /ok. Not for
    // the first request of a connection.
    goaway(stream, request) {
        if (before(request.path) > 0) answers.ok(stream, request);
        else stream.session.goaway(http2.constants.NGHTTP2_NO_ERROR, stream.id - 2);
    },
    // Answers, and wants no more requests on this connection.
    last(stream, request) {
        stream.session.goaway(http2.constants.NGHTTP2_NO_ERROR, stream.id);
        answers.ok(stream, request);
    },
    // The connection breaks: the first time, then as /ok.
    break(stream, request) {
        if (before(request.path) > 0) answers.ok(stream, request);
        else stream.session.destroy();
    },
};

function onStream(stream, headers) {
    const path = headers[":path"];
    const request = { path, words: path.split("?")[0].split("/").slice(1), headers: plain(headers),
        session: stream.session.number, trailers: {} };
    const answer = answers[request.words[0]] || answers.ok;
    stream.on("error", () => {});
    stream.on("trailers", (trailers) => Object.assign(request.trailers, plain(trailers)));
    stream.on("aborted", () => tell({ event: "aborted", path, code: stream.rstCode }));
    tell({ event: "request", path, method: headers[":method"], headers: request.headers, session: request.session });
    answer(stream, request);
}

function onSession(session) {
    session.number = ++sessions;
    session.on("error", () => {});
    session.on("close", () => tell({ event: "end", session: session.number }));
    tell({ event: "session", session: session.number, alpn: session.socket && session.socket.alpnProtocol });
}

const tls = options.cert && { cert: fs.readFileSync(options.cert), key: fs.readFileSync(options.key),
    allowHTTP1: Boolean(options.http1) };
const server = tls ? http2.createSecureServer({ ...tls, settings }) : http2.createServer({ settings });
server.on("session", onSession);
server.on("stream", onStream);
server.on("error", () => {});
server.on("sessionError", () => {});
server.on("listening", () => tell({ event: "listening" }));
server.listen(options.port, "127.0.0.1");
// A stream that is gone when its answer is written is no reason to end.
process.on("uncaughtException", () => {});
process.stdin.on("end", () => process.exit(0));
process.stdin.resume();
