// SPDX-License-Identifier: Apache-2.0
// A browser's view of HTTP/2 over TLS: the protocol it chooses, many requests at once, bodies, HSTS.
import { equal } from "./lib.mjs";

export default {
  async "a page and what it asks for come over HTTP/2"(t) {
    const web = await t.world.origin({ name: "web" });
    const listener = await t.world.secure_listener({ name: "127.0.0.1", days: 90 });
    await t.world.gateway({ config: {
      listeners: [listener], services: { web: { instances: [web] } }, routes: [{ path: "/", service: "web" }] } });
    const here = "https://" + listener.address;
    const page = await t.open(here + "/page", { ignoreHTTPSErrors: true });
    const seen = await page.evaluate(async () => {
      const ask = async (i) => (await (await fetch("/x" + i)).json()).target;
      const targets = await Promise.all(Array.from({ length: 60 }, (_, i) => ask(i)));
      const body = "x".repeat(300000);
      const posted = await fetch("/post", { method: "POST", body });
      return {
        targets: targets.every((target, i) => target === "/x" + i), status: posted.status,
        echoed: (await posted.json()).body.length,
        protocols: [...new Set(performance.getEntriesByType("resource").map((entry) => entry.nextHopProtocol))],
        page: performance.getEntriesByType("navigation")[0].nextHopProtocol,
      };
    });
    equal(seen, { targets: true, status: 200, echoed: 300000, protocols: ["h2"], page: "h2" }, "what the page saw");
  },
};
