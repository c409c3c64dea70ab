// SPDX-License-Identifier: Apache-2.0
// What one does by hand on the page happens, is told, and ends.
import { check, equal, rowOf, textOf, TOKEN, until, untroubled } from "./lib.mjs";

async function shop(t, writable = true) {
  const instances = [await t.world.origin({ name: "a" }), await t.world.origin({ name: "b" })];
  return t.world.gateway({
    config: { services: { orders: { instances } }, routes: [{ path: "/", service: "orders" }] }, writable,
  });
}

async function fillIn(page, { token, reason = "migration <b>42</b>", author = "ann", ttl = "6s" }) {
  if (ttl) await page.fill("#act-other", ttl);
  await page.fill("#act-reason", reason);
  await page.fill("#act-author", author);
  await page.fill("#act-token", token);
}

const dialogOpen = (page) => page.evaluate(() => document.getElementById("act").open);

export default {
  async "forced open with a token: counts down, and ends"(t) {
    const page = await t.open(await shop(t) + "/#service=orders");
    await until(async () => (await textOf(page, "#details-state")) === "closed", "details");
    await page.click("[data-act=forced_open]");
    await fillIn(page, { token: "wrong" });
    check(/For 6 s, until \d\d:\d\d:\d\d, every client gets 503 breaker_open/.test(await textOf(page, "#act-means")),
      "what it means: " + await textOf(page, "#act-means"));
    await page.click("#act-send");
    await until(async () => /^401 unauthenticated: /.test(await textOf(page, "#act-error")), "401 in the dialog");
    equal((await rowOf(page, "orders")).state, "closed", "the state after a wrong token");
    await page.fill("#act-token", TOKEN);
    await page.click("#act-send");
    await until(async () => !(await dialogOpen(page)), "closed dialog");
    const row = await until(async () => {
      const r = await rowOf(page, "orders");
      return r.state === "forced open" && /left/.test(r.ends) && r;
    }, "forced state on the page");
    check(row.note.includes("by ann: migration <b>42</b>"), "author and reason: " + row.note);
    const first = row.ends;
    await until(async () => (await rowOf(page, "orders")).ends !== first, "countdown");
    await until(async () => (await rowOf(page, "orders")).state !== "forced open", "end of the forced state");
    await until(async () => /by ann: migration <b>42<\/b>/.test(await textOf(page, "#timeline")), "entry in the history");
    equal(await page.evaluate(() => document.querySelectorAll("#timeline b b").length), 0, "markup from a reason");
    equal(await page.inputValue("#act-token"), "", "the token after use");
    equal(await page.evaluate(() => sessionStorage.length), 0, "kept in sessionStorage without the tick");
    await page.reload();
    await until(async () => (await textOf(page, "#details-state")) !== "", "details again");
    await page.click("[data-act=reset]");
    equal(await page.inputValue("#act-author"), "ann", "the author is remembered");
    await untroubled(page);
  },

  async "an instance is ejected and restored; the last one is not"(t) {
    const page = await t.open(await shop(t) + "/#service=orders");
    await until(() => page.evaluate(() => document.querySelectorAll(".instance").length === 2), "two instances");
    const act = async (button) => {
      await page.click(button);
      await fillIn(page, { token: TOKEN, ttl: (await page.isVisible("#act-ttl")) ? "1h 30m" : "" });
      await page.click("#act-send");
    };
    await page.click("#copy");
    await page.click(".instance:first-child button:has-text('Eject')");
    check(/1 other instance in rotation get/.test(await textOf(page, "#act-means")), "what it means: " + await textOf(page, "#act-means"));
    await page.click("#act-cancel");
    await act(".instance:first-child button:has-text('Eject')");
    await until(async () => /ejected by hand/.test(await textOf(page, "#instances")), "ejected instance");
    await until(async () => (await rowOf(page, "orders")).instances === "1/2", "one instance left");
    await act(".instance:last-child button:has-text('Eject')");
    await until(async () => /^409 last_instance: /.test(await textOf(page, "#act-error")), "409 in the dialog");
    check(await page.isVisible("#act-even-last"), "the way to do it all the same");
    await page.click("#act-cancel");
    await act("button:has-text('Restore')");
    await until(async () => (await rowOf(page, "orders")).instances === "2/2", "both instances again");
    await untroubled(page);
  },

  async "without admin.token_file the page says how to turn writes on"(t) {
    const page = await t.open(await shop(t, false) + "/#service=orders");
    await until(async () => (await textOf(page, "#details-state")) === "closed", "details");
    await page.click("[data-act=shadow]");
    check((await textOf(page, "#act-error")).includes("admin.token_file"), "the hint before");
    await fillIn(page, { token: "" });
    await page.click("#act-send");
    await until(async () => /^403 writes_off: .*admin\.token_file/.test(await textOf(page, "#act-error")), "403 in the dialog");
    await untroubled(page);
  },
};
