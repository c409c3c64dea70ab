#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Runs the cases of test_*.mjs against the real gateway in a real browser.
//
//   node test/browser/run.mjs [PATTERN]     only the cases whose name contains PATTERN
//
// Wants $FRONTDESK_BIN (or build/release/frontdesk), chromium ($CHROMIUM, or the one on PATH) and
// playwright-core in build/browser: ./setup --browser. A case that fails leaves a picture of its last
// page in build/browser/. As in test/e2e/run.py, one that fails runs once more after the others, and
// counts as unstable when it passes then; unless all fail, or more than MOST_AGAIN. The last line is
// "browser: N passed, N failed, N unstable".
import { createRequire } from "node:module";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { openPage, startWorld } from "./lib.mjs";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const BUILD = path.resolve(HERE, "../../build/browser");
const CASE_MS = 120000;
const MOST_AGAIN = 2;

const { chromium } = createRequire(path.join(BUILD, "any.js"))("playwright-core");

const onPath = (name) => (process.env.PATH || "").split(":").map((dir) => path.join(dir, name))
  .find((file) => fs.existsSync(file));

async function collect(pattern) {
  const cases = [];
  for (const file of fs.readdirSync(HERE).filter((f) => /^test_.*\.mjs$/.test(f)).sort()) {
    const { default: own } = await import(pathToFileURL(path.join(HERE, file)));
    for (const [name, fn] of Object.entries(own)) cases.push([`${path.basename(file, ".mjs")}: ${name}`, fn]);
  }
  return cases.filter(([name]) => name.includes(pattern));
}

function inTime(promise) {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error("came to no end")), CASE_MS); });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// True when it passed. `t`: what a case is given.
async function runCase(browser, world, name, fn) {
  const pages = [];
  const t = {
    world,
    say: (text) => console.log("        " + text),
    open: async (url, options) => {
      const page = await openPage(browser, url, options);
      pages.push(page);
      return page;
    },
  };
  let problem = null;
  try {
    await inTime(fn(t));
  } catch (error) {
    problem = error;
    const file = path.join(BUILD, name.replace(/[^a-z0-9]+/gi, "-") + ".png");
    if (pages.length) await pages.at(-1).screenshot({ path: file }).catch(() => {});
  }
  for (const page of pages) await page.context().close();
  try {
    await world.end();
  } catch (error) {
    problem ||= error;
  }
  console.log(problem ? `failed: ${name}\n        ${problem.stack}` : `passed  ${name}`);
  return !problem;
}

async function main() {
  const executablePath = process.env.CHROMIUM || onPath("chromium");
  const root = process.getuid() === 0 ? ["--no-sandbox"] : [];
  const browser = await chromium.launch({ executablePath, args: ["--disable-dev-shm-usage", ...root] });
  const world = startWorld();
  const cases = await collect(process.argv[2] || "");
  const run = async (list) => {
    const bad = [];
    for (const one of list) if (!(await runCase(browser, world, ...one))) bad.push(one);
    return bad;
  };
  const bad = await run(cases);
  const again = bad.length && bad.length <= MOST_AGAIN && bad.length < cases.length;
  if (again) console.log("again, alone:");
  const still = again ? await run(bad) : bad;
  for (const one of bad) if (!still.includes(one)) console.log(`unstable: ${one[0]}`);
  world.close();
  await browser.close();
  const passed = cases.length - bad.length, failed = still.length;
  console.log(`browser: ${passed} passed, ${failed} failed, ${bad.length - failed} unstable`);
  process.exitCode = failed || !passed ? 1 : 0;
}

await main();
