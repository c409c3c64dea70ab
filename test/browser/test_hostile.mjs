// SPDX-License-Identifier: Apache-2.0
// Whatever somebody registers, or types as a reason, is text.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { check, equal, names, textOf, TOKEN, until, untroubled } from "./lib.mjs";

const SOURCE = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../src/admin");
const IMAGE = "<img src=x onerror=window.pwned=1>";
const SCRIPT = "\"'><script>window.pwned=1</script>";
const DANGERS = /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|createContextualFragment|srcdoc|javascript:/;

export default {
  async "no source of the page makes markup of text"() {
    const files = [path.join(SOURCE, "dashboard.js"), path.join(SOURCE, "dashboard.html")]
      .concat(fs.readdirSync(path.join(SOURCE, "dashboard")).map((f) => path.join(SOURCE, "dashboard", f)));
    check(files.length > 10, "files found");
    for (const file of files) {
      const found = DANGERS.exec(fs.readFileSync(file, "utf8"));
      check(!found, `${file}: ${found && found[0]}`);
    }
  },

  async "hostile names, tags, ids and reasons"(t) {
    if (!(await t.world.consul())) {
      t.say("skipped: no consul here");
      return;
    }
    await t.world.origin({ name: "a" });
    await t.world.register({
      service: IMAGE, origin: "a", id: SCRIPT, output: IMAGE, status: "warning",
      tags: ["frontdesk.path=/evil/", "frontdesk.x.path=" + SCRIPT, IMAGE],
    });
    const admin = await t.world.gateway({ config: {} });
    const page = await t.open(admin + "/#service=" + encodeURIComponent(IMAGE));
    await until(async () => (await names(page)).includes(IMAGE), "service on the page");
    equal(await textOf(page, "#details-name"), IMAGE, "the name");
    await until(async () => (await textOf(page, "#instances")).includes(SCRIPT), "instance");
    await page.click("[data-act=forced_closed]");
    check((await textOf(page, "#act-title")).includes(IMAGE), "the title of the dialog");
    await page.fill("#act-reason", SCRIPT);
    await page.fill("#act-author", IMAGE);
    await page.fill("#act-token", TOKEN);
    await page.click("#act-send");
    await until(async () => (await textOf(page, "#story-why")).includes(`by ${IMAGE}: ${SCRIPT}`), "author and reason");
    await until(async () => (await textOf(page, "#timeline")).includes(SCRIPT), "reason in the history");
    await page.click("#copy");
    await page.fill("#filter", "<img");
    await until(async () => (await names(page)).length === 1, "the filtered list");
    equal(await page.evaluate(() => document.querySelectorAll("img, script:not([src]), b script").length), 0, "elements from text");
    equal(await page.evaluate(() => window.pwned), undefined, "window.pwned");
    await untroubled(page);
  },
};
