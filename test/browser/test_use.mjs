// SPDX-License-Identifier: Apache-2.0
// By keyboard, by thumb, and with 2,000 services.
import { check, equal, names, overflow, textOf, until, untroubled } from "./lib.mjs";

async function six(t) {
  const address = await t.world.origin({ name: "a" });
  const services = {}, routes = [];
  for (const name of ["auth", "catalogue", "orders", "payments", "shipping", "web"]) {
    services[name] = { instances: [address] };
    routes.push({ path: `/${name}/`, service: name });
  }
  services.web.instances = ["127.0.0.1:1"];
  return t.world.gateway({ config: { services, routes } });
}

const focused = (page) => page.evaluate(() => document.activeElement.dataset.service || document.activeElement.id);
const selected = (page) => page.evaluate(() => document.querySelector("#services .selected").dataset.service);

// Scrolls through the whole list, a step each frame; the times of the frames in ms.
const scrollThrough = (page) => page.evaluate(async () => {
  const times = [];
  let last = performance.now();
  const end = () => scrollY + innerHeight >= document.documentElement.scrollHeight - 2;
  for (let i = 0; i < 3000 && !end(); i++) {
    scrollBy(0, 90);
    const now = await new Promise(requestAnimationFrame);
    times.push(now - last);
    last = now;
  }
  return { times, end: end(), last: [...document.querySelectorAll("#services .row")].at(-1).dataset.service };
});

export default {
  async "keys"(t) {
    const page = await t.open(await six(t));
    await until(async () => (await names(page)).length === 6, "six services");
    await page.keyboard.press("j");
    equal(await until(() => focused(page), "focus"), "auth", "the first j");
    await page.keyboard.press("j");
    await until(async () => (await focused(page)) === "catalogue", "the second j");
    await page.keyboard.press("ArrowDown");
    await until(async () => (await focused(page)) === "orders", "arrow down");
    await page.keyboard.press("k");
    await until(async () => (await focused(page)) === "catalogue", "k");
    equal(await selected(page), "catalogue", "the selected row");
    check(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle) !== "none", "visible focus");
    await page.keyboard.press("Enter");
    await until(async () => (await textOf(page, "#details-name")) === "catalogue", "details by Enter");
    check(page.url().endsWith("#service=catalogue"), "the link: " + page.url());
    await page.keyboard.press("Escape");
    await until(() => page.evaluate(() => document.getElementById("details").hidden), "closed details");
    await until(async () => (await focused(page)) === "catalogue", "focus back in the list");
    await page.keyboard.press("/");
    equal(await focused(page), "filter", "slash");
    await page.keyboard.type("!closed");
    await until(async () => (await names(page)).length === 0, "no service that is not closed");
    check(await page.isVisible("#empty"), "a word about the empty list");
    await page.keyboard.press("Escape");
    await until(async () => (await names(page)).length === 6, "the filter emptied by Esc");
    await page.keyboard.press("Escape");
    await page.keyboard.press("?");
    check(await page.isVisible("#help"), "help");
    await page.keyboard.press("Escape");
    await until(async () => !(await page.isVisible("#help")), "closed help");
    await untroubled(page);
  },

  async "a phone"(t) {
    const page = await t.open(await six(t), { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true });
    await until(async () => (await names(page)).length === 6, "six services");
    await t.world.load({ target: "/web/" });
    await until(async () => (await names(page))[0] === "web", "failing service on top");
    equal(await overflow(page), 0, "horizontal overflow of the list");
    const small = () => page.evaluate(() => [...document.querySelectorAll("button, input:not([type=radio], [type=checkbox]), .row, label.tick, fieldset label")]
      .filter((e) => e.offsetParent && e.getBoundingClientRect().height < 43.9)
      .map((e) => (e.id || e.className || e.textContent) + " " + e.getBoundingClientRect().height));
    equal(await small(), [], "targets lower than 44 px");
    await page.tap(".row");
    await until(async () => (await textOf(page, "#details-name")) === "web", "details by touch");
    await until(() => page.evaluate(() => document.querySelectorAll(".instance").length === 1), "its instance");
    equal(await overflow(page), 0, "horizontal overflow of the details");
    equal(await page.evaluate(() => {
      const d = document.getElementById("details");
      return d.scrollWidth - d.clientWidth;
    }), 0, "horizontal overflow within the details");
    equal(await small(), [], "targets of the details lower than 44 px");
    await page.tap("[data-act=forced_open]");
    equal(await small(), [], "targets of the dialog lower than 44 px");
    equal(await overflow(page), 0, "horizontal overflow of the dialog");
    await untroubled(page);
  },

  async "2,000 services"(t) {
    const address = await t.world.origin({ name: "a" });
    const services = {}, routes = [];
    for (let i = 0; i < 2000; i++) {
      const name = "service-" + String(i).padStart(4, "0");
      services[name] = { instances: [address] };
      routes.push({ path: `/${name}/`, service: name });
    }
    const page = await t.open(await t.world.gateway({ config: { services, routes } }));
    await until(async () => (await textOf(page, "#count")) === "2000 services", "2,000 services");
    check((await names(page)).length < 100, "only the rows near the window are on the page");
    const { times, end, last } = await scrollThrough(page);
    times.sort((a, b) => a - b);
    const at = (q) => times[Math.min(times.length - 1, Math.floor(q * times.length))];
    t.say(`${times.length} frames: median ${at(0.5).toFixed(1)} ms, p95 ${at(0.95).toFixed(1)} ms, worst ${at(1).toFixed(1)} ms`);
    check(end, "the end of the list is reached");
    equal(last, "service-1999", "the last row");
    check(at(1) < 250 || at(0.5) < 50, "frames are too slow");
    const before = Date.now();
    await page.fill("#filter", "e-17 !177");
    await until(async () => (await textOf(page, "#count")) === "90 of 2000", "the filtered list");
    await until(async () => (await names(page))[0] === "service-1700", "the first that fits");
    t.say(`filtered within ${Date.now() - before} ms`);
    await page.fill("#filter", "");
    await until(async () => (await names(page))[0] === "service-0000", "the whole list");
    await page.focus("#filter");
    await page.keyboard.press("ArrowDown");
    for (let i = 0; i < 40; i++) await page.keyboard.press("j");
    await until(async () => (await focused(page)) === "service-0040",
      `40 rows further by keys, not ${await focused(page)}`);
    check(await page.evaluate(() => {
      const r = document.activeElement.getBoundingClientRect();
      return r.top >= 0 && r.bottom <= innerHeight;
    }), "the focused row is in the window");
    await untroubled(page);
  },
};
