// SPDX-License-Identifier: Apache-2.0
// Numbers, times and states in words. No page here: everything is a function of its arguments.

export function duration(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const two = (a, unit, b, small) => (b ? `${a} ${unit} ${b} ${small}` : `${a} ${unit}`);
  if (s < 60) return s + " s";
  if (s < 3600) return two(Math.floor(s / 60), "min", s % 60, "s");
  if (s < 86400) return two(Math.floor(s / 3600), "h", Math.floor((s % 3600) / 60), "min");
  return two(Math.floor(s / 86400), "d", Math.floor((s % 86400) / 3600), "h");
}

// Rounded up: a countdown is over when it shows 0 s.
export const left = (ms) => duration(Math.ceil(Math.max(0, ms) / 1000) * 1000);

const pad = (n) => String(n).padStart(2, "0");

// The time of day here; with the date when it was not within the last (or next) 20 hours.
export function clock(at, now = Date.now()) {
  const d = new Date(at);
  const time = `${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}`;
  if (Math.abs(now - d.getTime()) < 20 * 3600 * 1000) return time;
  return `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())} ${time}`;
}

export const utc = (at) => new Date(at).toISOString().slice(0, 19).replace("T", " ") + " UTC";

export function number(n) {
  if (n === 0) return "0";
  if (n < 0.05) return "<0.1";
  if (n < 10) return String(Math.round(n * 10) / 10);
  if (n < 10000) return String(Math.round(n));
  if (n < 1e6) return Math.round(n / 1000) + " k";
  return (n / 1e6).toFixed(1) + " M";
}

export function percent(part, whole) {
  if (!whole || !part) return "0 %";
  const p = Math.min(100, (100 * part) / whole);
  if (p < 0.1) return "<0.1 %";
  if (p < 10) return String(Math.round(p * 10) / 10) + " %";
  // All but a few must not look like all.
  return (p < 100 ? Math.min(99, Math.round(p)) : 100) + " %";
}

export function milliseconds(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms < 10) return String(Math.round(ms * 10) / 10) + " ms";
  return ms < 1000 ? Math.round(ms) + " ms" : (ms / 1000).toPrecision(ms < 1e5 ? 3 : 4) + " s";
}

// Host and port of an instance, as in a URL.
export const endpoint = (i) => (i.address.includes(":") ? `[${i.address}]` : i.address) + ":" + i.port;

export const count = (n, one, many = one + "s") => `${n} ${n === 1 ? one : many}`;

export const STATES = {
  closed: { word: "closed", tone: "good" },
  open: { word: "open", tone: "bad" },
  half_open: { word: "half-open", tone: "warn" },
  forced_open: { word: "forced open", tone: "bad" },
  forced_closed: { word: "forced closed", tone: "hand" },
  disabled: { word: "off", tone: "quiet" },
  shadow: { word: "shadow", tone: "quiet" },
};
export const stateWord = (s) => (STATES[s] ? STATES[s].word : s);
export const stateTone = (s) => (STATES[s] ? STATES[s].tone : "quiet");

export const CAUSES = {
  failure_rate: "too many failures", slow_call_rate: "too many slow calls", probe_failed: "a probe failed",
  probes_passed: "the probes passed", open_time_over: "its open time was over", operator: "by hand",
  expired: "the time set by hand was over", configuration: "by the configuration",
  consecutive_failures: "failures in a row", probation_failed: "failed its probation request",
  probation_passed: "passed its probation request", ejection_over: "its ejection was over",
};
export const causeWords = (c) => CAUSES[c] || (c ? c.replace(/_/g, " ") : "");

// "62 % of 120 requests failed in 10 s"
export function numbersInWords(cause, t) {
  const within = t.window_ms ? " in " + duration(t.window_ms) : "";
  if (cause === "slow_call_rate" && t.total)
    return `${percent(t.slow, t.total)} of ${count(t.total, "request")} were slow${within}`;
  if (cause === "probe_failed" && t.total) return `${t.failed} of ${count(t.total, "probe")} failed`;
  if (cause === "probes_passed" && t.total) return `${t.total - t.failed} of ${count(t.total, "probe")} passed`;
  if (cause === "consecutive_failures" && t.failed) return count(t.failed, "failure") + " in a row";
  if (cause === "failure_rate" && t.total)
    return `${percent(t.failed, t.total)} of ${count(t.total, "request")} failed${within}`;
  return causeWords(cause);
}

// A row of the stream in words: what happened, what clients get meanwhile, what ends it

export const isForced = (r) => r.fby !== undefined && r.fby !== null ||
  r.fwhy !== undefined && r.fwhy !== null || r.s === "forced_open" || r.s === "forced_closed";

const withoutInstance = (r) => r.i[0] === 0;
export const inPanic = (r) => r.a === 3 && r.s === "closed";
const errorsMatter = (r) => r.r > 0 && r.e / r.r > 0.05;

function byHand(r) {
  const who = r.fby ? " by " + r.fby : " by hand";
  return stateWord(r.s) + who + (r.fwhy ? ": " + r.fwhy : "");
}

function tripWords(r) {
  if (!r.trip) return causeWords(r.cause);
  const [failed, total, slow, window_ms] = r.trip;
  return numbersInWords(r.cause, { failed, total, slow, window_ms });
}

function instancesWords(r) {
  if (r.i[1] === 0) return "no instance is known";
  if (withoutInstance(r)) return `none of ${count(r.i[1], "instance")} is available`;
  if (r.ej) return `${r.ej} of ${count(r.i[1], "instance")} ejected`;
  return "";
}

// What opened it in the first place, and the latest that kept it open. `outage`: the transition by which
// it left "closed", null when that is not known.
function outageWords(r, outage) {
  if (!outage || outage.at >= r.since || r.cause !== "probe_failed") return tripWords(r);
  return `${numbersInWords(outage.t.cause, outage.t)}; last try: ${tripWords(r)}`;
}

// Why this service needs attention; "" when it does not.
export function whatHappened(r, outage) {
  const parts = [];
  if (isForced(r)) parts.push(byHand(r));
  else if (r.s === "open" || r.s === "half_open") parts.push(outageWords(r, outage));
  else if (r.s === "shadow" && r.m !== "closed") parts.push(`would be ${stateWord(r.m)}: ${tripWords(r)}`);
  if (inPanic(r)) parts.push("panic: too few instances are in rotation");
  if (r.a >= 2 || r.ej) parts.push(instancesWords(r));
  if (r.a >= 2 && errorsMatter(r) && !withoutInstance(r) && r.s !== "open" && r.s !== "forced_open")
    parts.push(`${percent(r.e, r.r)} of the requests fail`);
  return parts.filter(Boolean).join("; ");
}

// Where a service comes from, when that is not the place it should come from.
export function placeWords(failover, now) {
  if (!failover || failover.preferred || failover.active === null) return "";
  return `comes from ${failover.active} since ${clock(Date.parse(failover.since), now)}, ${failover.why}`;
}

// What Consul says that is not believed yet.
export function heldWords(service, now) {
  const { held, damped } = service;
  const parts = [];
  if (held && held.instances)
    parts.push(`Consul is not believed about ${count(held.instances, "instance")} since ${clock(Date.parse(held.since), now)}: ${held.why}`);
  if (damped) parts.push(`${count(damped, "instance")} kept out: the checks come and go`);
  return parts.join("; ");
}

const REMOVALS = {
  deregistered: "deregistered", node_gone: "deregistered, nothing else is left on its node",
  critical: "a check is critical", maintenance: "maintenance", drained: "its weight is 0",
};
export function removalWords(r, now) {
  const held = r.held_ms ? `, ${r.accepted ? "accepted by an operator" : "confirmed"} after ${duration(r.held_ms)}` : "";
  return `${clock(Date.parse(r.at), now)} ${r.id} (${[r.node, r.address + ":" + r.port].filter(Boolean).join(", ")}): ` +
    `${REMOVALS[r.reason] || r.reason}${r.check ? ": " + r.check : ""}${held}`;
}

const refused = (r) => (r.fb > 0 ? `the fallback (${number(r.fb)}/s), else 503 breaker_open` : "503 breaker_open at once");

export function clientsGet(r) {
  if (r.s === "open" || r.s === "forced_open") return "clients get " + refused(r);
  if (r.s === "half_open") return "a few probes pass, other clients get " + refused(r);
  if (withoutInstance(r))
    return "clients get " + (r.fb > 0 ? `the fallback (${number(r.fb)}/s), else ` : "") + "503 no_healthy_instance";
  if (inPanic(r)) return "requests go to all instances, whatever their health";
  if (r.s === "forced_closed") return "every request is passed on, whatever fails";
  if (r.s === "shadow") return "nothing is rejected";
  if (r.fb > 0) return `clients get the fallback (${number(r.fb)}/s)`;
  return "";
}

export function whatEnds(r, now) {
  if (isForced(r)) return r.until ? `until ${clock(r.until, now)}, ${left(r.until - now)} left` : "";
  if (r.s === "half_open") return r.probes ? count(r.probes, "probe") + " under way" : "waits for probes";
  if (r.s !== "open") return "";
  return r.until > now ? "tries again in " + left(r.until - now) : "tries again with the next request";
}

// Transitions.

export function transitionWords(t) {
  const parts = [numbersInWords(t.cause, t)];
  if (t.cause === "operator" || t.author || t.why)
    parts[0] = (t.author ? "by " + t.author : "by hand") + (t.why ? ": " + t.why : "");
  if (t.shadow) parts.push("in shadow: nothing was rejected");
  return parts.filter(Boolean).join("; ");
}

const INSTANCE_STATES = {
  closed: "in rotation", open: "ejected", half_open: "on probation", forced_open: "ejected by hand",
  forced_closed: "kept in by hand", disabled: "not watched", shadow: "shadow",
};
export const instanceStateWord = (s) => INSTANCE_STATES[s] || s;
