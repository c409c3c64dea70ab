// SPDX-License-Identifier: Apache-2.0
// The top of the page: is all well, is what one sees true, what is wrong with the gateway itself.
// The title and the icon of the tab say the same.
import { byId, h, setAttribute, setClass, setHidden, setText } from "./dom.js";
import * as words from "./words.js";

const NAMED = 3;

// {tone, text, short, names} of the gateway and its services together.
export function verdict(model, status) {
  const { worst, wanting } = model.attention();
  const gateway = gatewayTroubles(status);
  if (wanting.length) {
    const tone = worst >= 4 ? "bad" : "warn";
    const verb = wanting.length === 1 ? "service needs attention" : "services need attention";
    return { tone, text: `${wanting.length} ${verb}`, short: `(${wanting.length}!) `, names: wanting.map((s) => s.name) };
  }
  if (gateway.length) return { tone: "warn", text: gateway[0], short: "(!) ", names: [] };
  if (!model.services.size) return { tone: "quiet", text: "No service is known yet", short: "", names: [] };
  return { tone: "good", text: "All is well", short: "", names: [] };
}

function gatewayTroubles(status) {
  const list = [];
  if (!status) return list;
  if (status.draining) list.push("This gateway is draining");
  else if (!status.ready) list.push("This gateway is not ready");
  const recalled = recalledCatalog(status.consul);
  if (status.consul.enabled && !status.consul.connected)
    list.push(recalled ? `Consul is away; the catalog is from disk, ${words.duration(recalled.age_ms)} old` : "Consul is away");
  const lacks = lackedRights(status.consul);
  if (lacks) list.push(lacks);
  const refused = refusedRoutes(status);
  if (refused) list.push(`This gateway is saturated and refuses routes of ${refused} importance`);
  if (status.reload.last_error) list.push("The last configuration was refused");
  if (status.consul_config && status.consul_config.refused) list.push("The configuration in Consul is not in force");
  const certificates = (status.certificates || []).filter((c) => c.problem);
  if (certificates.length) list.push(`A certificate needs attention: ${certificates[0].names[0] || certificates[0].file}`);
  return list;
}

// What is served from an earlier run; null when Consul has confirmed everything.
function recalledCatalog(consul) {
  return consul.kept && consul.kept.recalled;
}

// In words, what the token lacks at Consul; "" for nothing.
function lackedRights(consul) {
  const access = consul.access;
  if (!access) return "";
  const missing = access.missing.filter((m) => !m.optional).map((m) => m.right);
  if (missing.length) return `The Consul token lacks ${missing.slice(0, NAMED).join(", ")}`;
  return access.judged && access.problem ? "Consul: " + access.problem : "";
}

function accessProblems(access) {
  if (!access) return [];
  const list = access.missing.map((m) => `Consul: the token lacks ${m.right}, for ${m.for}. Rule to add: ${m.rule}`);
  if (!list.length && access.judged && access.problem) list.push("Consul: " + access.problem);
  if (access.token.login_error) list.push("Consul: the login fails: " + access.token.login_error);
  if (access.agent !== access.agents[0])
    list.push(`Consul: ${access.agent} is asked since ${words.clock(Date.parse(access.since))} instead of ${access.switch_why}`);
  if (!access.verify) list.push("Consul: the agent's certificate is not verified (verify: false)");
  return list;
}

// Which agent is asked, since when, with which token.
function whoIsAsked(access) {
  if (!access) return "";
  const why = access.switch_why ? ` (${access.switch_why})` : "";
  const token = access.token.from === "none" ? "no token"
    : `token from ${access.token.from}${access.token.policies ? ": " + access.token.policies : ""}`;
  const unverified = access.verify ? "" : ", certificate NOT verified";
  return `${access.agent} since ${words.clock(Date.parse(access.since))}${why}, ${token}${unverified}: `;
}

// In words, which routes give way at the present level of load shedding; "" for none.
function refusedRoutes(status) {
  const level = status.overload ? status.overload.level : 0;
  return ["", "low", "low and normal", "low, normal and high"][level] || "";
}

export function drawVerdict(v, live, name) {
  setClass(byId("verdict"), "verdict " + v.tone);
  setText(byId("verdict-text"), v.text);
  const list = byId("verdict-names");
  const wanted = v.names.slice(0, NAMED);
  const key = JSON.stringify([wanted, v.names.length]);
  if (list.dataset.key !== key) {
    list.dataset.key = key;
    list.replaceChildren(...wanted.map((n) => h("a", { href: "#service=" + encodeURIComponent(n) }, n)),
      v.names.length > NAMED ? h("span", {}, `and ${v.names.length - NAMED} more`) : "");
  }
  document.title = (live ? v.short : "(?) ") + "frontdesk" + (name ? " " + name : "");
  setAttribute(byId("favicon"), "href", `/dashboard/icon-${live ? v.tone : "quiet"}.svg`);
}

function howAsked(c) {
  const way = { http2: "a blocking query for each service, many on one HTTP/2 connection",
    watches: "a blocking query and a connection for each service",
    watches_and_polls: "a blocking query for some services, the others are polled" }[c.strategy];
  const polled = c.polled ? `, ${c.polled} polled` : "";
  const queued = c.queued ? `, ${c.queued} requests wait for their turn` : "";
  return `${way || "not asked yet"} (${c.watches} in all${polled}${queued})`;
}

export function drawGateway(hello, status) {
  setText(byId("gateway"), hello.gateway || "");
  setClass(byId("title"), hello.gateway ? "named" : "");
  setText(byId("version"), hello.version ? "v" + hello.version : "");
  if (!status) return;
  const c = status.consul;
  const age = (ms) => (ms < 1500 ? "now" : words.duration(ms) + " ago");
  const [tone, text] = !c.enabled ? ["quiet", "Consul not used"]
    : c.last_good_age_ms === null ? ["bad", recalledCatalog(c)
      ? `Consul AWAY, data from disk, ${words.duration(c.kept.recalled.age_ms)} old` : "Consul AWAY, never heard"]
      : c.connected ? ["good", "Consul " + age(c.last_good_age_ms)]
        : ["bad", `Consul AWAY, data ${words.duration(c.last_good_age_ms)} old`];
  setClass(byId("consul"), "fact " + tone);
  setText(byId("consul"), text);
  byId("consul").title = c.enabled ? whoIsAsked(c.access) + howAsked(c) : "";
  setText(byId("traffic"), status.rate === undefined ? "" : words.number(status.rate) + " requests/s");
}

export function drawLink(stream) {
  const link = byId("link");
  const lost = byId("lost");
  const state = stream.live ? "live" : stream.heard ? "lost" : "connecting";
  setClass(link, "fact link " + (state === "live" ? "good" : "bad"));
  setText(link, state === "live" ? "live" : state === "lost" ? "no news since " + words.duration(stream.silentMs)
    : "connecting …");
  document.documentElement.classList.toggle("stale", state !== "live");
  setHidden(lost, state !== "lost");
  if (state === "lost")
    setText(lost, `No news since ${words.duration(stream.silentMs)}: the gateway does not answer. What you see is ` +
      `from ${words.clock(stream.serverNow)}; this page goes on trying.`);
}

export function drawProblems(status) {
  const list = [];
  if (!status.ready && status.unready_reason) list.push("Not ready: " + status.unready_reason);
  if (status.consul.enabled && !status.consul.connected && status.consul.last_error)
    list.push("Consul: " + status.consul.last_error);
  list.push(...accessProblems(status.consul.access));
  const kept = status.consul.kept;
  if (kept && kept.recalled)
    list.push(`The catalog is from disk (${kept.file}), ${words.duration(kept.recalled.age_ms)} old: ` +
      `${kept.recalled.services} services are not confirmed by Consul yet`);
  if (kept && kept.refused) list.push(`The catalog on disk was not used: ${kept.refused}`);
  if (kept && kept.error) list.push(`The catalog cannot be kept in ${kept.file}: ${kept.error}`);
  const c = status.consul;
  if (c.held_instances)
    list.push(`Consul is not believed (yet) about ${words.count(c.held_instances, "instance")} of ${words.count(c.held_services, "service")}`);
  if (status.reload.last_error)
    list.push(`The configuration of ${words.clock(Date.parse(status.reload.last))} was refused: ${status.reload.last_error}`);
  const shared = status.consul_config;
  if (shared && shared.last_error)
    list.push(`Configuration in Consul, ${shared.prefix}: ${shared.last_error}`);
  else if (shared && shared.source === "disk")
    list.push(`Configuration in Consul, ${shared.prefix}: not heard yet, as on disk of ${words.clock(Date.parse(shared.saved))}`);
  const refused = refusedRoutes(status);
  if (refused)
    list.push(`Saturated since ${words.clock(Date.parse(status.overload.since))}: refuses routes of ${refused} importance`);
  for (const hook of status.webhooks || [])
    if (hook.last_error) list.push(`Webhook ${hook.name || hook.url}: ${hook.last_error}`);
  for (const i of status.issuers || [])
    if (i.last_error)
      list.push(`Keys of issuer ${i.name}, ${i.keys ? words.duration(1000 * i.age_s) + " old" : "none"}: ${i.last_error}`);
  for (const c of status.credentials || [])
    if (c.last_error)
      list.push(`${c.kind === "basic" ? "Passwords" : "API keys"} of ${c.name}, ${c.entries === null ? "none known" : c.entries + " known"}: ${c.last_error}`);
  for (const c of status.certificates || [])
    if (c.problem) list.push(`Certificate ${c.names.join(", ") || c.subject || "without a name"} (${c.file}, ${c.listener || "shown to services"}) ${c.problem}`);
  if (status.access_log_dropped) list.push(status.access_log_dropped + " lines of the access log were lost");
  for (const p of status.problems || [])
    list.push(`Left out: ${p.subject}${p.service ? " of " + p.service : ""}: ${p.why}`);
  const box = byId("problems");
  const key = JSON.stringify(list);
  if (box.dataset.key === key) return;
  box.dataset.key = key;
  setText(byId("problems-count"), words.count(list.length, "problem") + " of this gateway");
  byId("problems-list").replaceChildren(...list.map((text) => h("li", {}, text)));
  setHidden(box, list.length === 0);
}

// The other gateways.

export function drawFleet(fleet) {
  const chip = byId("fleet-chip");
  setHidden(chip, !fleet || !fleet.enabled);
  if (!fleet || !fleet.enabled) return;
  const alive = fleet.gateways.filter((g) => g.alive || g.self).length;
  const all = fleet.gateways.length;
  setText(chip, fleet.connected ? `fleet ${alive} of ${all}` : "fleet AWAY");
  setClass(chip, "fact button " + (!fleet.connected ? "bad" : alive < all ? "warn" : "good"));
  byId("fleet-list").replaceChildren(
    ...(fleet.last_error ? [h("li", { class: "bad" }, "The fleet cannot be read: " + fleet.last_error)] : []),
    ...fleet.gateways.map(fleetLine), ...(fleet.forced || []).map(forcedLine));
}

function fleetLine(g) {
  const open = g.open.map((o) => `${o.service}${o.instance ? " " + o.instance : ""} ${words.stateWord(o.state)}`);
  const seen = g.self ? "this one" : g.alive ? "alive" : g.seen ? "not seen since " + words.clock(Date.parse(g.seen)) : "never seen";
  return h("li", {}, h("b", {}, g.name), ` ${g.address || ""} `,
    h("span", { class: g.alive || g.self ? "good" : "bad" }, seen),
    open.length ? h("span", { class: "warn" }, " · " + open.join(", ")) : " · nothing open");
}

function forcedLine(f) {
  return h("li", { class: "hand" }, `${f.service} is ${words.stateWord(f.state)} everywhere until ` +
    `${words.clock(Date.parse(f.until))} by ${f.author || "hand"} (at ${f.by})${f.why ? ": " + f.why : ""}`);
}
