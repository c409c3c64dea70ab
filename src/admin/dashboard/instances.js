// SPDX-License-Identifier: Apache-2.0
// The instances of the service whose details are open. Elements stay, so that focus and marked text
// survive the next look.
import { h, setAttribute, setClass, setHidden, setText } from "./dom.js";
import { setIcon, stateIcon } from "./icon.js";
import * as words from "./words.js";

const keyOf = (i) => [i.node, i.id, i.address, i.port].join("\n");

// One list of what /v1/services and /v1/breakers say of the same instance.
export function joinInstances(service, breaker) {
  const breakers = new Map((breaker.instances || []).map((b) => [keyOf(b), b]));
  const list = service.instances.map((i) => ({ ...i, breaker: breakers.get(keyOf(i)) || null }));
  return list.sort((a, b) => instanceState(b).rank - instanceState(a).rank || (a.id < b.id ? -1 : 1));
}

// {state: word of the icon, text, tone, rank: worse is higher}
export function instanceState(i) {
  const b = i.breaker;
  const state = b ? b.state : i.ejected ? "open" : i.on_probation ? "half_open" : "closed";
  if (b && b.forced)
    return { state, tone: state === "forced_closed" ? "hand" : "bad", rank: 4, text: words.instanceStateWord(state) };
  if (i.ejected || state === "open") return { state: "open", tone: "bad", rank: 5, text: "ejected" };
  if (i.on_probation || state === "half_open") return { state: "half_open", tone: "warn", rank: 3, text: "on probation" };
  if (i.available) return { state: "closed", tone: "good", rank: 0, text: "in rotation" };
  if (i.resolved === false)
    return { state: "disabled", tone: "bad", rank: 3, text: "address not resolved" + (i.unresolved ? ": " + i.unresolved : "") };
  if (i.health === "critical" || i.health === "maintenance")
    return { state: "disabled", tone: i.health === "critical" ? "bad" : "quiet", rank: 2, text: "out of rotation" };
  return { state: "disabled", tone: "warn", rank: 1, text: i.weight === 0 ? "drained" : "full" };
}

// Why it is not in rotation, and until when.
export function instanceNote(i, now) {
  const b = i.breaker;
  const parts = [];
  if (b && b.forced) {
    const until = Date.parse(b.forced.until);
    parts.push("by " + (b.forced.author || "hand") + (b.forced.why ? ": " + b.forced.why : ""));
    if (until) parts.push(`until ${words.clock(until, now)}, ${words.left(until - now)} left`);
  } else if (i.ejected) {
    const t = { total: i.ejection_total, failed: i.ejection_failed };
    parts.push(words.numbersInWords(i.ejection_cause || "", t));
    if (i.ejected_until) parts.push("returns in " + words.left(Date.parse(i.ejected_until) - now));
  } else if (i.on_probation) parts.push(b && b.probe_in_flight ? "one request tries it" : "the next request tries it");
  if (b && b.since && (b.forced || i.ejected)) parts.unshift("since " + words.clock(Date.parse(b.since), now));
  if (i.doubt === "held") parts.push("kept: Consul is not believed yet");
  if (i.doubt === "damped") parts.push("damped");
  if (i.check && i.health !== "passing") parts.push("check: " + i.check);
  if (i.last_reason && i.last_failure)
    parts.push(`last failure ${words.clock(Date.parse(i.last_failure), now)} ${i.last_reason}`);
  return parts.filter(Boolean).join(" · ");
}

const HEALTH = { passing: "good", warning: "warn", critical: "bad", maintenance: "quiet" };

class InstanceRow {
  constructor(act) {
    const value = (name) => h("span", { class: "figure " + name });
    const button = (what, text) => h("button", { type: "button", on: { click: () => act(what, this.instance) } }, text);
    this.icon = stateIcon();
    this.state = h("span", {});
    this.badge = h("span", { class: "badge" }, this.icon, this.state);
    this.id = h("b", { class: "instance-id" });
    this.where = h("span", { class: "soft" });
    this.health = h("span", {});
    this.note = h("p", { class: "instance-note" });
    this.inFlight = value("in-flight");
    this.latency = value("latency");
    this.requests = value("requests");
    this.failures = value("failures");
    this.eject = button("forced_open", "Eject");
    this.keep = button("forced_closed", "Keep in");
    this.restore = button("auto", "Restore");
    this.element = h("li", { class: "instance" },
      h("div", { class: "instance-head" }, this.badge, this.id, this.where, this.health), this.note,
      h("div", { class: "instance-foot" },
        h("span", { class: "figures" }, this.requests, this.failures, this.inFlight, this.latency),
        h("span", { class: "buttons" }, this.eject, this.keep, this.restore)));
  }

  draw(i, now) {
    const state = instanceState(i);
    const address = words.endpoint(i);
    const held = i.breaker && i.breaker.forced;
    this.instance = i;
    setIcon(this.icon, state.state);
    setClass(this.badge, "badge " + state.tone);
    setText(this.state, state.text);
    setText(this.id, i.id);
    setText(this.where, [i.id === address ? "" : address, i.node, i.zone, i.datacenter].filter(Boolean).join(", "));
    setText(this.health, i.health);
    setClass(this.health, HEALTH[i.health] || "quiet");
    setText(this.note, instanceNote(i, now));
    setHidden(this.note, !this.note.firstChild || !this.note.firstChild.data);
    setText(this.requests, words.count(i.requests, "request"));
    setText(this.failures, words.count(i.failures, "failure"));
    setClass(this.failures, "figure" + (i.failures ? " warn" : ""));
    setText(this.inFlight, i.in_flight + " in flight");
    setText(this.latency, i.ewma_ms === null ? "" : "about " + words.milliseconds(i.ewma_ms));
    setHidden(this.restore, !(held || i.ejected || i.on_probation));
    for (const [button, verb] of [[this.eject, "Eject"], [this.keep, "Keep in"], [this.restore, "Restore"]])
      setAttribute(button, "aria-label", `${verb} ${i.id}`);
  }
}

export class InstanceList {
  constructor(box, act) {
    this.box = box;
    this.act = act;
    this.rows = new Map();
  }

  draw(instances, now) {
    const wanted = new Set(instances.map(keyOf));
    for (const [key, row] of this.rows) if (!wanted.has(key)) {
      row.element.remove();
      this.rows.delete(key);
    }
    let next = this.box.firstChild;
    for (const i of instances) {
      let row = this.rows.get(keyOf(i));
      if (!row) this.rows.set(keyOf(i), (row = new InstanceRow(this.act)));
      row.draw(i, now);
      if (row.element === next) next = next.nextSibling;
      // Where the focus is, elements stay: moving one would take it away.
      else if (!row.element.parentNode || !this.box.contains(document.activeElement)) this.box.insertBefore(row.element, next);
    }
  }

  clear() {
    this.rows.clear();
    this.box.replaceChildren();
  }
}
