// SPDX-License-Identifier: Apache-2.0
// Whatever somebody registers, or types as a reason, is text. (test/tools/check_page.py looks at the
// sources.)
import { check, equal, names, textOf, TOKEN, until, untroubled } from "./lib.mjs";

const IMAGE = "<img src=x onerror=window.pwned=1>";
const SCRIPT = "\"'><script>window.pwned=1</script>";

export default {
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
