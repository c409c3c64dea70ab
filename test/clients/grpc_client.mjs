// SPDX-License-Identifier: Apache-2.0
// A client of shop.proto: {address, packages, ca?, name?}; with `ca` (a file) over TLS, else HTTP/2 with
// prior knowledge. Commands:
//   {do: "call", call: N, method, item?, metadata?, deadline_ms?}   begins a call
//   {do: "send", call: N, item}, {do: "end", call: N}, {do: "cancel", call: N}
// item.size is turned into so many bytes of data. Events of call N: head, message, and status as the last:
// {code, details, metadata}. Calls of one program share one connection.
import fs from "node:fs";
import { options, serveCommands, tell } from "./lib.mjs";
import { Shop, grpc, metadataOf, plain, shown } from "./grpc_lib.mjs";

const credentials = options.ca ? grpc.credentials.createSsl(fs.readFileSync(options.ca))
    : grpc.credentials.createInsecure();
const channel = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1,
    "grpc.enable_retries": 0 };
if (options.name) {
    channel["grpc.ssl_target_name_override"] = options.name;
    channel["grpc.default_authority"] = options.name;
}
const client = new Shop(options.address, credentials, channel);
const calls = new Map();

const full = (item) => !item ? {} : item.send ? { ...item, data: Buffer.alloc(item.send, 98) } : item;

function watch(number, call) {
    calls.set(number, call);
    call.on("metadata", (metadata) => tell({ call: number, event: "head", metadata: plain(metadata) }));
    call.on("data", (item) => tell({ call: number, event: "message", ...shown(item) }));
    call.on("error", () => {});
    call.on("status", ({ code, details, metadata }) =>
        tell({ call: number, event: "status", code, details, metadata: plain(metadata) }));
}

const commands = {
    call({ call: number, method, item, metadata, deadline_ms }) {
        const more = deadline_ms === undefined ? {} : { deadline: Date.now() + deadline_ms };
        const fields = metadataOf(metadata);
        const answered = (error, answer) => {
            if (!error) tell({ call: number, event: "message", ...shown(answer) });
        };
        if (method === "One") watch(number, client.One(full(item), fields, more, answered));
        else if (method === "Many") watch(number, client.Many(full(item), fields, more));
        else if (method === "Sum") watch(number, client.Sum(fields, more, answered));
        else watch(number, client.Chat(fields, more));
    },
    send({ call, item }) {
        calls.get(call).write(full(item));
    },
    end({ call }) {
        calls.get(call).end();
    },
    cancel({ call }) {
        calls.get(call).cancel();
    },
};

serveCommands(async (command) => commands[command.do](command));
tell({ event: "listening" });
