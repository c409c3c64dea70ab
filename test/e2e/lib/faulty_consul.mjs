// SPDX-License-Identifier: Apache-2.0
// faulty_consul.mjs - HTTP/2 over TLS before a Consul that speaks HTTP/1.1 (see faulty_consul.py). Its
// one argument is JSON: {port, to, cert, key}. Lines on stdin are commands: goaway, calm, reset.
import fs from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import readline from "node:readline";

const options = JSON.parse(process.argv[2]);
const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = http2.constants;
const sessions = new Set();
const streams = new Set();
const agent = new http.Agent({ keepAlive: true, maxSockets: Infinity });
const server = http2.createSecureServer({
    cert: fs.readFileSync(options.cert), key: fs.readFileSync(options.key),
});

function passed(headers) {
    return Object.fromEntries(Object.entries(headers).filter(([name]) =>
        !name.startsWith(":") && !["connection", "transfer-encoding", "keep-alive"].includes(name)));
}

server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
    session.on("error", () => {});
    console.log("session");
});
server.on("stream", (stream, headers) => {
    streams.add(stream);
    const request = http.request({ agent, host: "127.0.0.1", port: options.to, path: headers[":path"],
        method: headers[":method"], headers: passed(headers) });
    const fail = () => stream.destroyed || stream.close(NGHTTP2_INTERNAL_ERROR);
    stream.on("error", () => {});
    stream.on("close", () => {
        streams.delete(stream);
        request.destroy();
    });
    request.on("error", fail);
    request.on("response", (answer) => {
        answer.on("aborted", fail);
        answer.on("error", fail);
        if (stream.destroyed)
            return;
        stream.respond({ ":status": answer.statusCode, ...passed(answer.headers) });
        answer.pipe(stream);
    });
    stream.pipe(request);
});
server.on("sessionError", () => {});
server.on("tlsClientError", () => {});

const commands = {
    goaway: () => sessions.forEach((session) => session.goaway(NGHTTP2_NO_ERROR)),
    calm: () => sessions.forEach((session) => {
        session.goaway(NGHTTP2_ENHANCE_YOUR_CALM);
        session.destroy();
    }),
    reset: () => streams.forEach((stream) => stream.close(NGHTTP2_INTERNAL_ERROR)),
};
readline.createInterface({ input: process.stdin }).on("line", (line) => commands[line]());
server.listen(options.port, "127.0.0.1", () => console.log("listening"));
