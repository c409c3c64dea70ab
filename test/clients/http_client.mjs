// SPDX-License-Identifier: Apache-2.0
// Clients of HTTP: {kind, origin, packages, ca?}. Kinds:
//   http2   Node's own HTTP/2 client: one connection, over TLS (ALPN h2) or with prior knowledge
//   undici  undici with HTTP/2 allowed, which only TLS can give; else HTTP/1.1
// A command is a request, answered when it is over with {status, headers, body, length, trailers, took_ms}
// or {failed, code}: what the client calls the failure.
//   {do: "get", method?, path, headers?, body?, size?, trailers?, count?, cancel_ms?}
// `size`: a body of so many bytes. `count`: so many at once; the answer is {answers: [...]}.
// http2 also: {do: "info"} gives {alpn, settings, goaway, closed}, {do: "reset", ...} as get, but sends
// RST_STREAM with its `code` right behind the request, {do: "ping"}, {do: "close"}.
import fs from "node:fs";
import http2 from "node:http2";
import { load, options, serveCommands, sleep, tell } from "./lib.mjs";

const ca = options.ca && fs.readFileSync(options.ca);
const bodyOf = ({ body, size }) => size !== undefined ? Buffer.alloc(size, "0123456789") : body;
const plain = (fields) => Object.fromEntries(Object.entries(fields || {}).filter(([name]) => typeof name === "string"));

const LONGEST = 65536; // of a body that is shown

// A fingerprint that tells whether all bytes of a long body came, and in order.
function collector() {
    const parts = [];
    let length = 0, sum = 0;
    return {
        add(part) {
            for (const byte of part) sum = (sum * 31 + byte) % 1000000007;
            if (length < LONGEST) parts.push(part);
            length += part.length;
        },
        result: () => ({ body: Buffer.concat(parts).subarray(0, LONGEST).toString("latin1"), length, sum }),
    };
}

// Node's own.

let session = null, info = {};

function connect() {
    if (session && !session.closed && !session.destroyed) return session;
    info = {};
    session = http2.connect(options.origin, { ca });
    session.on("error", (error) => { info.failed = error.code || String(error); });
    session.on("connect", () => { info.alpn = session.alpnProtocol; });
    session.on("remoteSettings", (settings) => { info.settings = settings; });
    session.on("goaway", (code) => { info.goaway = code; });
    session.on("close", () => { info.closed = true; });
    return session;
}

function viaHttp2(command) {
    const { method = "GET", path, headers = {}, trailers, cancel_ms } = command;
    const body = bodyOf(command), began = Date.now();
    return new Promise((resolve) => {
        const fields = { ":method": method, ":path": path, ...headers };
        const stream = connect().request(fields, { endStream: body === undefined && !trailers, waitForTrailers: Boolean(trailers) });
        const answer = {}, got = collector();
        const interim = [];
        stream.on("headers", (fields) => interim.push(fields[":status"]));
        stream.on("response", (fields) => { answer.status = fields[":status"]; answer.headers = plain(fields); });
        stream.on("trailers", (fields) => { answer.trailers = plain(fields); });
        stream.on("wantTrailers", () => stream.sendTrailers(trailers));
        stream.on("data", (part) => got.add(part));
        stream.on("error", (error) => { answer.failed = error.code || String(error); });
        stream.on("close", () => resolve({ ...answer, ...got.result(), interim, code: stream.rstCode, took_ms: Date.now() - began }));
        if (command.do === "reset") stream.close(command.code);
        else if (body !== undefined || trailers) stream.end(body);
        if (cancel_ms !== undefined) setTimeout(() => stream.close(http2.constants.NGHTTP2_CANCEL), cancel_ms);
    });
}

// undici.

const undici = options.kind === "undici" && load("undici");
const agent = undici && new undici.Agent({ allowH2: true, connect: { ca } });

async function viaUndici(command) {
    const { method = "GET", path, headers, cancel_ms } = command;
    const began = Date.now(), got = collector(), stop = new AbortController();
    if (cancel_ms !== undefined) setTimeout(() => stop.abort(), cancel_ms);
    try {
        const answer = await undici.request(options.origin + path,
            { dispatcher: agent, method, headers, body: bodyOf(command), signal: stop.signal });
        for await (const part of answer.body) got.add(part);
        return { status: answer.statusCode, headers: answer.headers, trailers: answer.trailers, ...got.result(), took_ms: Date.now() - began };
    } catch (error) {
        return { failed: error.code || error.name, ...got.result(), took_ms: Date.now() - began };
    }
}

const ask = options.kind === "undici" ? viaUndici : viaHttp2;

async function get(command) {
    if (command.count === undefined) return ask(command);
    return { answers: await Promise.all(Array.from({ length: command.count }, () => ask(command))) };
}

const commands = {
    get,
    reset: get,
    async info() {
        connect();
        for (let i = 0; i < 500 && !info.settings && !info.failed; i++) await sleep(10);
        return info;
    },
    ping: () => new Promise((resolve) => connect().ping((error, ms) => resolve({ failed: error && error.code, ms }))),
    async close() {
        session.close();
        return {};
    },
};

serveCommands((command) => commands[command.do](command));
tell({ event: "listening" });
