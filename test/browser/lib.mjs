// SPDX-License-Identifier: Apache-2.0
// What the cases share: the world behind the page (world.py), the browser, waiting and checking.
import { spawn } from "node:child_process";
import path from "node:path";
import readline from "node:readline";
import { fileURLToPath } from "node:url";

const HERE = path.dirname(fileURLToPath(import.meta.url));
export const TOKEN = "correct-horse-battery-staple";

// world.gateway({config}), world.origin({name}) ...: the methods of world.py.
export function startWorld() {
  const child = spawn("python3", [path.join(HERE, "world.py")], { stdio: ["pipe", "pipe", "inherit"] });
  const waiting = [];
  readline.createInterface({ input: child.stdout }).on("line", (line) => {
    const answer = JSON.parse(line);
    const { resolve, reject, name } = waiting.shift();
    if (answer.error) reject(new Error(`${name}: ${answer.error}`));
    else resolve(answer.ok);
  });
  child.on("exit", () => waiting.splice(0).forEach((w) => w.reject(new Error(w.name + ": world.py has ended"))));
  return new Proxy({}, {
    get: (_, name) => name === "then" ? undefined : name === "close" ? () => child.stdin.end()
      : (args = {}) => new Promise((resolve, reject) => {
        waiting.push({ resolve, reject, name });
        child.stdin.write(JSON.stringify([name, args]) + "\n");
      }),
  });
}

export function check(condition, message) {
  if (!condition) throw new Error(message);
}

export function equal(got, wanted, what) {
  const [a, b] = [JSON.stringify(got), JSON.stringify(wanted)];
  check(a === b, `${what}: ${a} instead of ${b}`);
}

export async function until(condition, what, ms = 15000) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    check(Date.now() < end, `no ${what} within ${ms / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

// Checks that it stays true for that long: for what must NOT happen.
export async function holds(condition, what, ms) {
  for (const end = Date.now() + ms; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 100)))
    check(await condition(), what);
}

// A page on which nothing must go wrong: its errors and whatever the policy blocks are kept.
export async function openPage(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.troubles = [];
  page.on("pageerror", (error) => page.troubles.push(String(error.stack || error)));
  page.on("console", (m) => { if (/Content Security Policy/.test(m.text())) page.troubles.push(m.text()); });
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (e) => { (window.violations ||= []).push(e.violatedDirective + " " + e.blockedURI); });
  });
  await page.goto(url);
  return page;
}

export async function untroubled(page) {
  equal(page.troubles.concat(await page.evaluate(() => window.violations || [])), [], "errors of the page");
}

// Runs in the page: what the list shows of a service.
export const rowOf = (page, name) => page.evaluate((wanted) => {
  const row = [...document.querySelectorAll("#services .row")].find((r) => r.dataset.service === wanted);
  const text = (part) => { const e = row.querySelector(part); return e && !e.hidden ? e.textContent : ""; };
  return row ? { state: text(".word"), note: text(".note"), ends: text(".ends"), instances: text(".instances") } : null;
}, name);

export const names = (page) => page.evaluate(() =>
  [...document.querySelectorAll("#services .row")].map((r) => r.dataset.service));

export const textOf = (page, selector) => page.evaluate((s) => document.querySelector(s).textContent, selector);

// No element is wider than the window.
export const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
