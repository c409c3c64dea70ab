// SPDX-License-Identifier: Apache-2.0
// The page says what is, soon, and says so when it does not know.
import { check, equal, holds, names, rowOf, textOf, until, untroubled } from "./lib.mjs";

const BREAKER = { failure_rate: 50, minimum_requests: 10, window: "10s" };

async function shop(t, open_for) {
  const services = {}, routes = [];
  for (const name of ["orders", "payments", "web"]) {
    services[name] = { instances: [await t.world.origin({ name })], breaker: { ...BREAKER, open_for }, outlier: { enabled: false } };
    routes.push({ path: `/${name}/`, service: name });
  }
  return t.world.gateway({ config: { services, routes } });
}

// Remembers in the page when the service first showed each state.
const watchStates = (page, name) => page.evaluate((wanted) => {
  window.seen = {};
  const look = () => {
    const row = [...document.querySelectorAll("#services .row")].find((r) => r.dataset.service === wanted);
    const word = row && row.querySelector(".word").textContent;
    if (word && !(word in window.seen)) window.seen[word] = Date.now();
  };
  new MutationObserver(look).observe(document.getElementById("services"), { subtree: true, childList: true, characterData: true });
  look();
}, name);

export default {
  async "a certificate that ends soon is on the page"(t) {
    const listeners = [await t.world.secure_listener({ name: "soon.example", days: 5 }),
      await t.world.secure_listener({ name: "later.example", days: 90 })];
    const page = await t.open(await t.world.gateway({ config: { listeners } }));
    await until(async () => (await textOf(page, "#verdict-text")) === "A certificate needs attention: soon.example", "verdict");
    const problems = await textOf(page, "#problems");
    check(/Certificate soon\.example .* expires in [45] days/.test(problems), "the list of problems: " + problems);
    check(!problems.includes("later.example"), "only that one: " + problems);
    await untroubled(page);
  },

  async "rights that the token lacks in Consul"(t) {
    if (!(await t.world.consul({ acl: true }))) {
      t.say("skipped: no consul here");
      return;
    }
    // A file without a token: Consul answers as if there was nothing.
    const page = await t.open(await t.world.gateway({ config: { consul: { token_file: "/dev/null" } } }));
    await until(async () => (await textOf(page, "#verdict-text")).includes("The Consul token lacks service:read, node:read"), "verdict");
    const problems = await textOf(page, "#problems");
    check(problems.includes('Rule to add: node_prefix "" { policy = "read" }'), "the list of problems: " + problems);
    const title = await page.getAttribute("#consul", "title");
    check(/^http:\/\/127\.0\.0\.1:\d+ since .*, token from file: /.test(title), "who is asked: " + title);
    await untroubled(page);
  },

  async "an outage is on the page within a second"(t) {
    const admin = await shop(t, "30s");
    const page = await t.open(admin);
    await until(async () => (await names(page)).length === 3, "three services on the page");
    await until(async () => (await textOf(page, "#verdict-text")) === "All is well", "calm");
    equal(await names(page), ["orders", "payments", "web"], "order by name when all is well");
    await watchStates(page, "web");
    await t.world.answer({ name: "web", status: 500 });
    await t.world.load({ target: "/web/" });
    await until(() => page.evaluate(() => window.seen.open), "open breaker on the page");
    const { transitions } = await t.world.get({ path: "/v1/breakers/web" });
    const opened = transitions.filter((x) => x.to === "open").at(-1);
    const late = (await page.evaluate(() => window.seen.open)) - Date.parse(opened.at);
    t.say(`on the page ${late} ms after the transition`);
    check(late < 1000, `on the page only ${late} ms after the transition`);
    await until(async () => (await names(page))[0] === "web", "failing service on top");
    const row = await until(async () => {
      const r = await rowOf(page, "web");
      return r.state === "open" && r;
    }, "row that says open");
    check(/\d+ % of \d+ requests failed in \d+ s|\d+ of \d+ probes? failed/.test(row.note), "the cause in words: " + row.note);
    check(row.note.includes("503 breaker_open"), "what clients get: " + row.note);
    check(/tries again/.test(row.ends), "what ends it: " + row.ends);
    await until(async () => (await textOf(page, "#verdict-text")) === "1 service needs attention", "top line that says so");
    await until(async () => /^\(1!\) /.test(await page.title()), "title that says so");
    check((await page.getAttribute("#favicon", "href")).includes("icon-bad"), "the icon of the tab");
    await untroubled(page);
  },

  async "it gets well again, and sinks only when nobody points at the list"(t) {
    const admin = await shop(t, "1s");
    const page = await t.open(admin);
    await t.world.answer({ name: "web", status: 500 });
    await t.world.load({ target: "/web/" });
    await until(async () => (await names(page))[0] === "web", "failing service on top");
    const box = await page.locator("#services").boundingBox();
    const wiggle = (i) => page.mouse.move(box.x + 300 + (i % 7), box.y + 20);
    let i = 0;
    await wiggle(i);
    await t.world.answer({ name: "web", status: 200 });
    await until(async () => {
      await wiggle(++i);
      return (await rowOf(page, "web")).state === "closed";
    }, "closed breaker");
    await holds(async () => {
      await wiggle(++i);
      return (await names(page))[0] === "web";
    }, "the row has left the moving pointer", 7000);
    await page.mouse.move(5, 5);
    await until(async () => (await names(page))[2] === "web", "order by name again", 60000);
    await untroubled(page);
  },

  async "a dead gateway makes the page stale; it recovers"(t) {
    const admin = await shop(t, "1s");
    const page = await t.open(admin);
    await until(async () => (await textOf(page, "#link")) === "live", "live page");
    await t.world.kill();
    await until(() => page.evaluate(() => document.documentElement.classList.contains("stale")), "stale page");
    check(/^no news since \d+ s/.test(await textOf(page, "#link")), "the connection: " + await textOf(page, "#link"));
    check(/No news since/.test(await textOf(page, "#lost")), "the banner: " + await textOf(page, "#lost"));
    await until(async () => /^\(\?\)/.test(await page.title()), "the title of a stale page");
    const at = await textOf(page, "#lost");
    await until(async () => (await textOf(page, "#lost")) !== at, "ticking banner");
    await t.world.start();
    await until(async () => (await textOf(page, "#link")) === "live", "live page again");
    await until(async () => (await names(page)).length === 3, "services again");
    check(await page.evaluate(() => document.getElementById("lost").hidden), "the banner is gone");
    await until(async () => !/^\(\?\)/.test(await page.title()), "the title of a live page");
    await untroubled(page);
  },
};
