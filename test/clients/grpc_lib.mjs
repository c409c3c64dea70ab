// SPDX-License-Identifier: Apache-2.0
// shop.proto, and metadata as plain objects: {name: value}, values of -bin names in base64.
import path from "node:path";
import { fileURLToPath } from "node:url";
import { load } from "./lib.mjs";

export const grpc = load("@grpc/grpc-js");
const file = path.join(path.dirname(fileURLToPath(import.meta.url)), "shop.proto");
const definition = load("@grpc/proto-loader").loadSync(file, { keepCase: true, defaults: true });
export const { Shop } = grpc.loadPackageDefinition(definition).shop.v1;

export function plain(metadata) {
    const values = {};
    for (const name of Object.keys(metadata ? metadata.getMap() : {}))
        values[name] = metadata.get(name).map((value) => Buffer.isBuffer(value) ? value.toString("base64") : value).join(", ");
    return values;
}

export function metadataOf(values) {
    const metadata = new grpc.Metadata();
    for (const [name, value] of Object.entries(values || {}))
        metadata.set(name, name.endsWith("-bin") ? Buffer.from(value, "base64") : value);
    return metadata;
}

// Messages as the tests see them: the number of bytes instead of the bytes.
export const shown = (item) => item && { text: item.text, bytes: item.data.length, count: item.count };
