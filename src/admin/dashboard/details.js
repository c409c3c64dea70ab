// SPDX-License-Identifier: Apache-2.0
// The panel of one service. What changes each second comes from the stream; instances, history,
// configuration and routes are asked for while it is open.
import { get, path } from "./api.js";
import { byId, h, setClass, setHidden, setText } from "./dom.js";
import { setIcon, stateIcon } from "./icon.js";
import { incidentText } from "./incident.js";
import { InstanceList, joinInstances } from "./instances.js";
import { POINTS } from "./model.js";
import { drawSpark, spark } from "./spark.js";
import * as words from "./words.js";

const ASK_MS = 2000;
const ROUTES_MS = 30000;

export class Details {
  // page: {model, clock(), gateway(), fleet(), act(what, service, instance, instances), closed()}
  constructor(page) {
    this.page = page;
    this.box = byId("details");
    this.name = null;
    this.service = this.breaker = this.routes = null;
    this.asked = null; // AbortController
    this.askedAt = this.routesAt = -Infinity;
    this.icon = stateIcon();
    byId("details-badge").prepend(this.icon);
    this.lines = [["rate", "plain", 1, "rateAt"], ["errors", "bad", 0.5, "errorsAt"], ["p99", "plain", 5, "p99At"]]
      .map(([name, tone, floor, at]) => {
        const line = spark(tone);
        byId("line-" + name).append(line.box);
        return { line, floor, at };
      });
    this.instances = new InstanceList(byId("instances"),
      (what, i) => page.act(what, this.name, i, this.joined()));
    byId("details-close").addEventListener("click", () => this.close());
    byId("copy").addEventListener("click", () => this.copy());
    for (const button of byId("acts").querySelectorAll("button"))
      button.addEventListener("click", () => page.act(button.dataset.act, this.name, null, this.joined()));
  }

  get isOpen() {
    return this.name !== null;
  }

  open(name, focus) {
    if (this.name !== name) {
      this.name = name;
      this.service = this.breaker = null;
      this.askedAt = this.routesAt = -Infinity;
      this.instances.clear();
      for (const id of ["timeline", "removals", "conf", "routes"]) this.clearList(id);
      for (const id of ["copied", "copy-text"]) setHidden(byId(id), true);
      this.box.scrollTop = 0;
    }
    setHidden(this.box, false);
    document.body.classList.add("with-details");
    setText(byId("details-name"), name);
    this.draw();
    this.ask();
    if (focus) byId("details-name").focus({ preventScroll: true });
  }

  close() {
    if (!this.isOpen) return;
    if (this.asked) this.asked.abort();
    this.name = null;
    setHidden(this.box, true);
    document.body.classList.remove("with-details");
    this.page.closed();
  }

  joined() {
    return this.service && this.breaker ? joinInstances(this.service, this.breaker) : [];
  }

  // Once a second, and with every change of this service.
  tick() {
    if (!this.isOpen || document.hidden) return;
    this.draw();
    if (performance.now() - this.askedAt > ASK_MS) this.ask();
  }

  // ---- asking

  async ask() {
    const name = this.name;
    const now = performance.now();
    const wantsRoutes = now - this.routesAt > ROUTES_MS;
    if (this.asked) this.asked.abort();
    const asked = this.asked = new AbortController();
    this.askedAt = now;
    try {
      const [service, breaker, routes] = await Promise.all([
        get(path("services", name), asked.signal), get(path("breakers", name), asked.signal),
        wantsRoutes ? get("/v1/routes", asked.signal) : null]);
      if (this.name !== name || asked.signal.aborted) return;
      this.service = service;
      this.breaker = breaker;
      if (routes) {
        this.routes = routes.routes.filter((r) => r.targets.some((t) => t.service === name));
        this.routesAt = now;
      }
      this.fail("");
      this.drawAnswers();
    } catch (error) {
      if (this.name === name && !asked.signal.aborted)
        this.fail(error.status ? `${error.status}: ${error.message}` : "The gateway does not answer");
    }
  }

  fail(text) {
    setText(byId("details-error"), text);
    setHidden(byId("details-error"), text === "");
  }

  // ---- drawing what the stream says

  draw() {
    const s = this.page.model.services.get(this.name);
    const now = this.page.clock();
    setHidden(byId("details-unknown"), Boolean(s) || !this.page.model.services.size);
    setHidden(byId("details-body"), !s);
    if (!s) return;
    const r = s.row;
    setIcon(this.icon, r.s);
    setClass(byId("details-badge"), "badge big " + words.stateTone(r.s));
    setText(byId("details-state"), words.stateWord(r.s));
    const since = Math.min(s.since || r.since, r.since);
    setText(byId("details-since"), `for ${words.duration(now - since)}, since ${words.clock(since, now)}` +
      (since < r.since ? `, last opened ${words.clock(r.since, now)}` : ""));
    this.story(s, now);
    setText(byId("figure-rate"), words.number(r.r) + "/s");
    setText(byId("figure-errors"), words.percent(r.e, r.r));
    setText(byId("figure-failed"), words.number(r.e) + "/s");
    setText(byId("figure-p99"), words.milliseconds(r.p99));
    setText(byId("figure-p50"), "p50 " + words.milliseconds(r.p50));
    setText(byId("figure-flight"), words.number(r.f) + (r.w ? `, ${words.number(r.w)} waiting` : ""));
    setText(byId("figure-rejected"), words.number(r.rej));
    setText(byId("figure-fallback"), words.number(r.fb) + "/s");
    setText(byId("figure-instances"), `${r.i[0]} of ${r.i[1]} available` + (r.ej ? `, ${r.ej} ejected` : ""));
    for (const { line, floor, at } of this.lines) drawSpark(line, POINTS, (i) => s[at](i), floor);
    this.drawButtons(r);
    if (this.service && this.breaker) this.instances.draw(this.joined(), now);
    this.drawElsewhere();
  }

  story(s, now) {
    const r = s.row;
    const service = this.service && this.service.name === this.name ? this.service : null;
    const place = service ? words.placeWords(service.failover, now) : "";
    const held = service ? words.heldWords(service, now) : "";
    const happened = [words.whatHappened(r, s.outage), place, held].filter(Boolean).join("; ");
    const lines = [happened, words.clientsGet(r), words.whatEnds(r, now)];
    ["story-why", "story-gets", "story-ends"].forEach((id, i) => {
      const text = lines[i] || (i === 0 ? "Nothing is wrong." : "");
      setText(byId(id), text ? text[0].toUpperCase() + text.slice(1) : "");
      setHidden(byId(id), !text);
    });
    setClass(byId("story"), "story " + ["good", "quiet", "warn", "warn", "bad"][r.a]);
  }

  drawButtons(r) {
    const forced = words.isForced(r);
    const useless = { forced_open: r.s === "forced_open", forced_closed: r.s === "forced_closed", auto: !forced };
    for (const button of byId("acts").querySelectorAll("button"))
      button.classList.toggle("faint", Boolean(useless[button.dataset.act]));
  }

  drawElsewhere() {
    const fleet = this.page.fleet();
    const lines = [];
    if (fleet && fleet.enabled)
      for (const g of fleet.gateways) if (!g.self)
        for (const o of g.open) if (o.service === this.name)
          lines.push(`${g.name}: ${o.instance ? o.instance + " " : ""}${words.stateWord(o.state)} since ` +
            `${words.clock(Date.parse(o.since))}, ${words.causeWords(o.cause)}`);
    this.list("elsewhere", lines, () => lines.map((text) => h("li", {}, text)));
  }

  // ---- drawing what was asked for

  drawAnswers() {
    this.draw();
    const transitions = this.breaker.transitions || [];
    this.list("timeline", transitions, () => transitions.map((t) => transitionItem(t)));
    const conf = this.service.config || null;
    this.list("places", placeLines(this.service.failover), (lines) => lines.map((text) => h("li", {}, text)));
    const now = this.page.clock();
    const left = (this.service.removals || []).map((r) => words.removalWords(r, now));
    this.list("removals", left, (lines) => lines.map((text) => h("li", {}, text)));
    this.list("conf", conf ? flatten(conf) : [], (pairs) => pairs.flatMap(([key, value]) =>
      [h("dt", {}, key), h("dd", {}, value)]));
    this.list("routes", this.routes || [], (routes) => routes.map(routeItem));
  }

  // Draws a list anew only when it has become another.
  list(id, data, make) {
    const box = byId(id);
    const key = JSON.stringify(data);
    if (box.dataset.key === key) return;
    box.dataset.key = key;
    box.replaceChildren(...make(data));
    setHidden(box.closest("section"), data.length === 0);
  }

  clearList(id) {
    delete byId(id).dataset.key;
    byId(id).replaceChildren();
    setHidden(byId(id).closest("section"), true);
  }

  // ---- for the incident channel

  async copy() {
    const s = this.page.model.services.get(this.name);
    if (!s) return;
    const text = incidentText({
      row: s.row, since: s.since || s.row.since, outage: s.outage, now: this.page.clock(), gateway: this.page.gateway(), instances: this.joined(),
      transitions: this.breaker ? this.breaker.transitions || [] : [],
      link: location.origin + "/#service=" + encodeURIComponent(this.name),
    });
    const area = byId("copy-text");
    let done = false;
    area.value = text;
    try {
      await navigator.clipboard.writeText(text);
      done = true;
    } catch {
      // The clipboard is there for pages of a secure origin only: from elsewhere, by selection.
      setHidden(area, false);
      area.select();
      done = document.execCommand("copy");
    }
    setHidden(area, done);
    setHidden(byId("copied"), false);
    setText(byId("copied"), done ? "Copied." : "Copy the text below:");
  }
}

function transitionItem(t) {
  const at = Date.parse(t.at);
  const icon = stateIcon();
  const word = t.instance ? words.instanceStateWord : words.stateWord;
  setIcon(icon, t.to);
  return h("li", { class: words.stateTone(t.to) }, icon,
    h("time", { datetime: t.at, title: words.utc(at) }, words.clock(at)),
    h("div", {}, h("b", {}, (t.instance ? t.instance + ": " : "") + word(t.to)),
      h("span", { class: "soft" }, " from " + word(t.from)),
      h("span", { class: "because" }, words.transitionWords(t))));
}

// The unit at the end of a member's name goes to its value.
function settingWords(key, v) {
  if (Array.isArray(v)) return [key, v.length ? v.join(", ") : "none"];
  if (typeof v === "boolean") return [key, v ? "yes" : "no"];
  if (key.endsWith("_ms")) return [key.slice(0, -3), v === 0 ? "–" : v % 1000 ? v + " ms" : words.duration(v)];
  if (key.endsWith("_percent")) return [key.slice(0, -8), v === 0 ? "–" : v + " %"];
  return [key, v === null ? "–" : String(v)];
}

// {a: {b: 1}} -> [["a.b", "1"]]
function flatten(value, prefix = "") {
  return Object.entries(value).flatMap(([key, v]) =>
    v !== null && typeof v === "object" && !Array.isArray(v) ? flatten(v, prefix + key + ".")
      : [settingWords(prefix + key, v)]);
}

// The places of a service that has several.
function placeLines(failover) {
  return failover ? failover.places.map((p) => `${p.place}${p.active ? " (in use)" : ""}: ` +
    (p.watch === "pending" ? "not heard yet" : `${p.usable} of ${p.total} healthy`) + (p.suspect_until ? ", requests to it failed" : "") + (p.error ? `, ${p.error}` : "")) : [];
}

function routeItem(r) {
  const methods = r.methods ? r.methods.join(", ") + " " : "";
  const shared = r.targets.length > 1 ? ", shared with " + (r.targets.length - 1) + " more" : "";
  return h("li", {}, h("code", {}, methods + (r.host || "") + r.path), h("span", { class: "soft" }, ` ${r.match}${shared} · ${r.source}`));
}
