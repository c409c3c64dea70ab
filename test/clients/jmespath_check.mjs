// SPDX-License-Identifier: Apache-2.0
// Random expressions on random documents, by `frontdesk query` and by the reference implementation. Options: packages,
// binary, seed, count. Tells how many there were and which differ.
//
// Left out, since the reference departs from the specification: < and its like on what is no number, contains() on
// lists of lists or objects, max_by() and min_by() of strings or of nothing, max() and min() of strings
// beyond ASCII (it goes by the locale), and sub-expressions of null that are functions.
import { spawnSync } from "node:child_process";
import { isDeepStrictEqual } from "node:util";
import { load, options, tell } from "./lib.mjs";

const jmespath = load("jmespath");

let state = options.seed >>> 0;
function random(n) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 4294967296) * n);
}
const pick = (list) => list[random(list.length)];
const some = (low, high, make) => Array.from({ length: low + random(high - low + 1) }, make);

const words = ["", "a", "b", "ab", "it's", "caf\u00e9", "x y", "\"q\"", "\\", "\u{1f600}"];
const scalar = () => pick([null, true, false, random(9) - 4, random(100) / 4, 1e21, pick(words)]);

function value(depth) {
    if (depth === 0 || random(3) === 0)
        return scalar();
    return random(2) ? some(0, 4, () => value(depth - 1)) : object(depth);
}

function object(depth) {
    return Object.fromEntries(some(0, 4, () => [pick(["a", "b", "c", "d", "e f"]), value(depth - 1)]));
}

const item = () => ({ ...object(1), id: random(6), n: random(50) / 2, name: pick(words), tags: some(0, 3, () => pick(words)) });
const document = () => ({ ...object(3), items: some(1, 5, item), more: some(0, 4, item), names: some(0, 4, () => pick(["", "a", "b", "ab", "it's", "x y"])),
    nums: some(0, 4, () => random(40) / 4), deep: { list: some(0, 3, () => some(0, 3, () => value(1))), o: object(2) } });

const name = () => pick(["a", "b", "c", "d", "id", "n", "name", "tags", "items", "names", "nums", "deep", "\"e f\"", "missing"]);
const slice = () => `[${pick(["", "0", "1", "-1", "-2"])}:${pick(["", "1", "3", "-1"])}${pick(["", ":1", ":2", ":-1"])}]`;

function step() {
    return pick([() => "." + name(), () => `[${random(5) - 2}]`, () => "[*]", () => "[]", slice, () => ".*", () => `[?${condition()}]`,
        () => `.{p: ${name()}, q: ${name()}}`, () => `.[${name()}, ${name()}]`, () => ` | ${name()}`])();
}

const condition = () => pick([() => name(), () => `!${name()}`, () => `${name()} == ${name()}`, () => `${name()} != ${literal()}`,
    () => `n ${pick(["<", "<=", ">", ">="])} \`${random(25)}\` && n`, () => `(${name()} || ${name()})`, () => `${name()} && ${name()}`])();
const literal = () => pick([() => "`" + JSON.stringify(pick([null, true, 1, 2.5, [], {}, [1, "a"]])) + "`", () => "'a'", () => "'x y'", () => "`\"b\"`"])();

function path() {
    return name() + some(0, 4, step).join("");
}

function call() {
    return pick([() => `length(${pick(["items", "names", "deep", "deep.o", "'caf\u00e9'", "a"])})`, () => `sort(${pick(["names", "nums", "a"])})`,
        () => `sort_by(items, &${pick(["id", "n", "name"])})`, () => `max_by(items, &${pick(["id", "n"])})`,
        () => `min_by(items, &${pick(["id", "n"])})`, () => `map(&${pick(["id", "name", "tags", "a"])}, items)`, () => `sum(nums)`, () => `max(${pick(["nums", "names"])})`,
        () => `min(${pick(["nums", "names"])})`, () => `join('-', names)`, () => `keys(deep)`, () => `values(deep.o)`, () => `merge(deep.o, {a: id})`,
        () => `not_null(${name()}, ${name()}, 'z')`, () => `reverse(${pick(["names", "nums", "'ab'"])})`, () => `contains(names, '${pick(["a", "b"])}')`,
        () => `contains('abc', '${pick(["b", "z", ""])}')`, () => `starts_with('abc', '${pick(["a", "b"])}')`, () => `ends_with('abc', '${pick(["bc", "a"])}')`,
        () => `abs(\`-${random(9)}.5\`)`, () => `ceil(\`${random(9)}.5\`)`, () => `floor(\`-${random(9)}.5\`)`, () => `type(${path()})`,
        () => `to_array(${path()})`, () => `to_number(${pick(["'12'", "'-1.5'", "'x'", "names", "nums[0]"])})`,
        () => `length(items[?${condition()}])`, () => `items[*].${"{id: id, t: length(tags)}"}`])();
}

const expression = () => (random(3) === 0 ? call() + some(0, 1, step).join("") : random(6) === 0 ? `${path()} ${pick(["||", "&&"])} ${path()}` : path());

const cases = some(options.count, options.count, () => [expression(), document()]);
const input = cases.map(([e, d]) => `${e}\t${JSON.stringify(d)}\n`).join("");
const done = spawnSync(options.binary, ["query", "--lines"], { input, maxBuffer: 1 << 30 });
const lines = done.stdout.toString().split("\n");
const differ = [];
let failed = 0;
cases.forEach(([e, d], i) => {
    let expected;
    try {
        // What JSON cannot say, it makes null of.
        expected = JSON.parse(JSON.stringify(jmespath.search(d, e) ?? null));
    } catch {
        expected = undefined;
        failed++;
    }
    const got = lines[i].startsWith("!") ? undefined : JSON.parse(lines[i]);
    if (!isDeepStrictEqual(got, expected) && differ.length < 20)
        differ.push({ expression: e, document: d, expected: expected === undefined ? "!" : expected, got: lines[i] });
});
tell({ cases: cases.length, answers: lines.length - 1, failed, differ });
