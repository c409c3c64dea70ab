// SPDX-License-Identifier: Apache-2.0
// What the programs of this folder share. Each is started by the end-to-end tests (test/e2e/lib/clients.py)
// with its options as JSON in one argument, says what happens as lines of JSON, and ends with its stdin.
import { createRequire } from "node:module";
import path from "node:path";
import readline from "node:readline";

export const options = JSON.parse(process.argv[2]);

// Packages are where ./setup --clients put them.
const require = createRequire(path.join(options.packages, "any.js"));
export const load = (name) => require(name);

export const tell = (event) => process.stdout.write(JSON.stringify(event) + "\n");

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// run(command) for each line of stdin, all side by side; what it returns or throws is told with the
// command's id.
export function serveCommands(run) {
    const lines = readline.createInterface({ input: process.stdin });
    lines.on("line", async (line) => {
        const command = JSON.parse(line);
        try {
            tell({ id: command.id, ...(await run(command)) });
        } catch (error) {
            tell({ id: command.id, error: error.stack || String(error) });
        }
    });
    lines.on("close", () => process.exit(0));
}
