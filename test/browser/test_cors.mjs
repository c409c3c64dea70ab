// SPDX-License-Identifier: Apache-2.0
// What the CORS policies of the gateway mean to a page: the browser is the judge.
import { equal } from "./lib.mjs";

// The page is of http://127.0.0.1:PORT and asks http://localhost:PORT, which is another origin.
async function ask(page, there, path, init = {}) {
  return page.evaluate(async ([url, options]) => {
    try {
      const answer = await fetch(url, options);
      const told = answer.headers.get("via") || answer.headers.get("x-request-id");
      return `${answer.status} ${told ? "exposed" : "bare"}`;
    } catch {
      return "blocked";
    }
  }, [there + path, init]);
}

const JSON_BODY = { headers: { "content-type": "application/json" }, body: "{}" };

export default {
  async "a page of another origin gets what its policy says"(t) {
    const web = await t.world.origin({ name: "web" });
    const policy = { allow_origins: ["http://127.0.0.1:*"], allow_methods: ["GET", "POST", "PUT"],
                     allow_headers: ["Content-Type"], expose_headers: ["Via", "X-Request-Id"] };
    const route = (path, more) => ({ path, service: "web", ...more });
    await t.world.gateway({ config: {
      services: { web: { instances: [web] } },
      cors: { pages: policy, cookies: { ...policy, allow_credentials: true }, other: { allow_origins: ["https://shop.example"] } },
      routes: [route("/page"), route("/open", { cors: "pages" }), route("/cookies", { cors: "cookies" }),
               route("/other", { cors: "other" }), route("/all", { cors: { allow_origins: ["*"] } }), route("/silent"),
               route("/small", { cors: "pages", max_body: 1 })] } });
    const here = await t.world.front(), there = here.replace("127.0.0.1", "localhost");
    const page = await t.open(here + "/page");
    const table = [
      ["simple", "/open", {}, "200 exposed"],
      ["preflight", "/open", { method: "PUT", ...JSON_BODY }, "200 exposed"],
      ["method that is not allowed", "/open", { method: "DELETE" }, "blocked"],
      ["header that is not allowed", "/open", { headers: { "x-other": "1" } }, "blocked"],
      ["another origin's policy", "/other", {}, "blocked"],
      ["another origin's policy, preflight", "/other", { method: "POST", ...JSON_BODY }, "blocked"],
      ["no policy", "/silent", {}, "blocked"],
      ["everybody, nothing exposed", "/all", {}, "200 bare"],
      ["cookies", "/cookies", { credentials: "include" }, "200 exposed"],
      ["cookies, preflight", "/cookies", { credentials: "include", method: "PUT", ...JSON_BODY }, "200 exposed"],
      ["cookies where they are not allowed", "/open", { credentials: "include" }, "blocked"],
      ["cookies for everybody", "/all", { credentials: "include" }, "blocked"],
      ["a refusal of the gateway can be read", "/small", { method: "POST", ...JSON_BODY }, "413 exposed"],
    ];
    for (const [name, path, init, wanted] of table) equal(await ask(page, there, path, init), wanted, name);
    equal(await ask(page, here, "/silent"), "200 exposed", "its own origin");
  },
};
