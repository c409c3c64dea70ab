// SPDX-License-Identifier: Apache-2.0
// The service of shop.proto, in the clear: {name, port, packages}. Requests say what it does with them. The
// answer's head has x-origin, the trailers x-end and those x-echo... that came as metadata.
import { options, sleep, tell } from "./lib.mjs";
import { Shop, grpc, metadataOf, plain, shown } from "./grpc_lib.mjs";

const mine = (item) => !item.only || item.only === options.name;

function begin(call, method) {
    const metadata = plain(call.metadata);
    const deadline = call.getDeadline();
    const left = deadline === Infinity ? null : Number(deadline) - Date.now();
    tell({ event: "call", method, metadata, peer: call.getPeer(), deadline_ms: left });
    // Also emitted behind the end of a call.
    call.on("cancelled", () => { if (!call.over) tell({ event: "cancelled", method }); });
    call.on("error", () => {});
    call.head = metadataOf({ "x-origin": options.name });
    call.tail = metadataOf({ "x-end": "yes",
        ...Object.fromEntries(Object.entries(metadata).filter(([name]) => name.startsWith("x-echo"))) });
}

const failure = (call, item) => item.status && mine(item) &&
    { code: item.status, details: item.details || "as asked for", metadata: call.tail };

const pause = (item) => item.pause_ms < 0 && mine(item) ? new Promise(() => {})
    : sleep(mine(item) ? item.pause_ms : 0);

const answer = (item) => ({ text: `${options.name}: ${item.text}`,
    data: item.size ? Buffer.alloc(item.size, 97) : item.data });

async function one(call, done) {
    begin(call, "One");
    const item = call.request;
    if (item.head_first) call.sendMetadata(call.head);
    await pause(item);
    call.over = true;
    const failed = failure(call, item);
    if (failed) return done(failed);
    if (!item.head_first) call.sendMetadata(call.head);
    done(null, answer(item), call.tail);
}

async function many(call) {
    begin(call, "Many");
    const item = call.request;
    if (item.count || item.head_first) call.sendMetadata(call.head);
    for (let i = 1; i <= item.count && !call.cancelled; i++) {
        await pause(item);
        if (!call.write({ ...answer(item), count: i }))
            await new Promise((resolve) => { call.once("drain", resolve); call.once("cancelled", resolve); });
    }
    call.over = !call.cancelled;
    const failed = failure(call, item);
    if (failed) call.emit("error", failed);
    else call.end(call.tail);
}

function sum(call, done) {
    begin(call, "Sum");
    let count = 0, size = 0, last = {};
    call.on("data", (item) => {
        tell({ event: "message", ...shown(item) });
        count++;
        size += item.data.length;
        last = item;
    });
    call.on("end", () => {
        if (call.cancelled) return;
        call.over = true;
        const failed = failure(call, last);
        if (failed) return done(failed);
        call.sendMetadata(call.head);
        done(null, { text: String(size), count }, call.tail);
    });
}

// Each message is answered as it comes; one with a status ends the call.
function chat(call) {
    begin(call, "Chat");
    call.sendMetadata(call.head);
    call.on("data", (item) => {
        tell({ event: "message", ...shown(item) });
        const failed = failure(call, item);
        call.over = Boolean(failed);
        if (failed) call.emit("error", failed);
        else call.write(answer(item));
    });
    call.on("end", () => {
        call.over = !call.cancelled;
        call.end(call.tail);
    });
}

const limits = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 };
const server = new grpc.Server(limits);
server.addService(Shop.service, { One: one, Many: many, Sum: sum, Chat: chat });
server.bindAsync(`127.0.0.1:${options.port}`, grpc.ServerCredentials.createInsecure(), (error) => {
    if (error) throw error;
    tell({ event: "listening" });
});
process.on("uncaughtException", (error) => tell({ event: "exception", text: error.stack }));
process.stdin.on("end", () => process.exit(0));
process.stdin.resume();
