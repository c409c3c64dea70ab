// SPDX-License-Identifier: Apache-2.0
// The dashboard: polls /v1/status and /v1/services and draws them.
//
// Names, tags and errors come from whatever registered in the catalog, so text enters the page by
// textContent alone; nothing here builds markup from strings.
"use strict";

const POLL_MS = 2000;
const RATE_WINDOW_MS = 20000; // rates and p99 are of the last so many milliseconds

const samples = new Map(); // service name -> [{at, requests, failed, counts}], oldest first
const opened = new Map(); // service name -> was its list of instances opened or closed by hand
let last = null; // {status, services, bounds} of the last good poll
let lostSince = 0;

const byId = (id) => document.getElementById(id);

function element(tag, className, text) {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
}

// ---- words and numbers

function duration(ms) {
  if (ms === null || ms === undefined) return "never";
  const s = Math.floor(ms / 1000);
  if (s < 1) return "now";
  if (s < 60) return s + " s";
  if (s < 3600) return Math.floor(s / 60) + " min " + (s % 60) + " s";
  if (s < 86400) return Math.floor(s / 3600) + " h " + Math.floor((s % 3600) / 60) + " min";
  return Math.floor(s / 86400) + " d " + Math.floor((s % 86400) / 3600) + " h";
}

const ago = (ms) => (ms !== null && ms < 1000 ? "just now" : duration(ms) + " ago");

const clock = (rfc3339) => new Date(rfc3339).toLocaleTimeString();

function milliseconds(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms < 10) return ms.toFixed(1) + " ms";
  return ms < 10000 ? Math.round(ms) + " ms" : (ms / 1000).toFixed(1) + " s";
}

const rate = (n) => (n === null ? "–" : n < 10 ? n.toFixed(1) : String(Math.round(n)));

// ---- what happened lately, from the difference of two polls

function failures(service) {
  let n = 0;
  for (const count of Object.values(service.reasons)) n += count;
  return Math.max(n, service.responses["5xx"] + service.responses.none);
}

function remember(services, at) {
  const present = new Set();
  for (const s of services) {
    const list = samples.get(s.name) || [];
    present.add(s.name);
    if (list.length && list[list.length - 1].requests > s.requests) list.length = 0; // restarted
    list.push({ at, requests: s.requests, failed: failures(s), counts: s.latency_ms.counts });
    while (list.length > 2 && at - list[0].at > RATE_WINDOW_MS) list.shift();
    samples.set(s.name, list);
  }
  for (const name of samples.keys()) if (!present.has(name)) samples.delete(name);
}

function quantile(counts, bounds, q) {
  const total = counts.reduce((a, b) => a + b, 0);
  let below = 0;
  let lower = 0;
  if (total <= 0) return null;
  for (let i = 0; i < bounds.length; i++) {
    if (counts[i] > 0 && below + counts[i] >= q * total)
      return lower + ((bounds[i] - lower) * (q * total - below)) / counts[i];
    below += counts[i];
    lower = bounds[i];
  }
  return bounds[bounds.length - 1];
}

function lately(service, bounds) {
  const list = samples.get(service.name) || [];
  const a = list[0];
  const b = list[list.length - 1];
  if (list.length < 2) return { rate: null, failedRate: null, p99: null };
  const seconds = (b.at - a.at) / 1000;
  return {
    rate: (b.requests - a.requests) / seconds,
    failedRate: (b.failed - a.failed) / seconds,
    p99: quantile(b.counts.map((n, i) => n - a.counts[i]), bounds, 0.99),
  };
}

// ---- worst first

function rank(service) {
  const state = service.breaker.state;
  if (state === "open") return 0;
  if (state === "half_open") return 1;
  if (service.available === 0) return 2;
  if (service.instances.some((i) => i.ejected || i.on_probation)) return 3;
  return 4;
}

const severity = (service) => ["bad", "warn", "bad", "warn", ""][rank(service)];

function worstFirst(a, b) {
  return rank(a) - rank(b) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

function matches(service, words) {
  const text = [service.name, service.breaker.state]
    .concat(service.instances.map((i) => [i.id, i.node, i.address + ":" + i.port, i.health, i.zone].join(" ")))
    .join(" ").toLowerCase();
  return words.every((w) => text.includes(w));
}

// ---- drawing

function term(list, name, text, className) {
  const box = element("div");
  box.append(element("dt", "", name), element("dd", className, text));
  list.append(box);
}

function drawFacts(status) {
  const facts = element("dl");
  const consul = status.consul;
  const reload = status.reload;
  facts.id = "facts";
  if (status.draining) term(facts, "Gateway", "DRAINING", "warn");
  else term(facts, "Gateway", status.ready ? "ready" : "NOT READY", status.ready ? "good" : "bad");
  if (!consul.enabled) term(facts, "Consul", "not used", "soft");
  else if (consul.connected) term(facts, "Consul", "answered " + ago(consul.last_good_age_ms), "good");
  else if (consul.last_good_age_ms === null) term(facts, "Consul", "AWAY, never heard", "bad");
  else term(facts, "Consul", "AWAY, data is " + duration(consul.last_good_age_ms) + " old", "bad");
  term(facts, "Breakers not closed", String(status.breakers.open + status.breakers.half_open),
    status.breakers.open ? "bad" : status.breakers.half_open ? "warn" : "good");
  term(facts, "Connections", String(status.connections));
  term(facts, "Routes", status.snapshot ? String(status.snapshot.routes) : "–");
  term(facts, "Up", duration(status.uptime_s * 1000));
  if (reload.last_error) term(facts, "Configuration", "reload REFUSED", "bad");
  term(facts, "Version", status.version, "soft");
  byId("facts").replaceWith(facts);
}

function drawProblems(status) {
  const list = element("ul");
  const add = (text) => list.append(element("li", "", text));
  if (!status.ready && status.unready_reason) add(status.unready_reason);
  if (status.consul.enabled && !status.consul.connected && status.consul.last_error)
    add("Consul: " + status.consul.last_error);
  if (status.reload.last_error)
    add("The configuration of " + clock(status.reload.last) + " was refused: " + status.reload.last_error);
  if (status.access_log_dropped) add(status.access_log_dropped + " lines of the access log were lost");
  for (const p of status.problems)
    add("Left out: " + p.subject + (p.service ? " of " + p.service : "") + ": " + p.why);
  byId("problems").querySelector("ul").replaceWith(list);
  byId("problems").hidden = list.children.length === 0;
}

const CAUSES = {
  failure_rate: "by failures", slow_call_rate: "by slow calls", probe_failed: "by a failed probe",
  consecutive_failures: "failures in a row", probation_failed: "failed on probation",
};

function breakerBadge(service) {
  const state = service.breaker.state;
  if (!service.breaker.enabled) return element("span", "badge off", "breaker off");
  if (state === "open") return element("span", "badge bad", "OPEN");
  if (state === "half_open") return element("span", "badge warn", "HALF-OPEN");
  return element("span", "badge", "closed");
}

function tripText(trip) {
  const span = trip.window_ms ? " in " + duration(trip.window_ms) : "";
  return "tripped " + (CAUSES[trip.cause] || trip.cause) + " at " + clock(trip.at) + ": " + trip.failed +
    " of " + trip.total + " requests failed, " + trip.slow + " slow" + span;
}

function breakerText(b) {
  const parts = [];
  if (b.state === "open") {
    parts.push("open for " + duration(b.since_ms_ago));
    parts.push(b.reopens_in_ms ? "tries again in " + duration(Math.max(b.reopens_in_ms, 1000))
      : "tries again with the next request");
  } else if (b.state === "half_open") {
    parts.push("half-open for " + duration(b.since_ms_ago));
    parts.push(b.probes_succeeded + " probes succeeded, " + b.probes_in_flight + " under way");
  }
  if (b.last_trip && b.state !== "closed") parts.push(tripText(b.last_trip));
  if (b.trips_in_a_row > 1 && b.state !== "closed") parts.push(b.trips_in_a_row + " trips in a row");
  return parts.join(" · ");
}

function drawNumbers(service, bounds) {
  const list = element("dl", "numbers");
  const now = lately(service, bounds);
  const b = service.breaker;
  term(list, "requests/s", rate(now.rate));
  term(list, "failed/s", rate(now.failedRate), now.failedRate > 0 ? "bad" : "");
  term(list, "p99", milliseconds(now.p99 === null ? service.latency_ms.p99 : now.p99));
  term(list, "in flight", String(service.in_flight));
  if (service.waiting) term(list, "waiting", String(service.waiting), "warn");
  term(list, "rejected", String(b.rejected), b.state !== "closed" && b.rejected ? "bad" : "");
  if (service.rejected_overload) term(list, "overload", String(service.rejected_overload), "warn");
  if (b.trips) term(list, "trips", String(b.trips));
  if (service.watch === "failing") term(list, "data", duration(service.data_age_ms) + " old", "bad");
  return list;
}

function instanceState(i) {
  if (i.ejected) {
    const cause = i.ejection_cause ? ", " + (CAUSES[i.ejection_cause] || i.ejection_cause) +
      " (" + i.ejection_failed + " of " + i.ejection_total + ")" : "";
    return [i.ejected_until ? "EJECTED until " + clock(i.ejected_until) + cause : "EJECTED" + cause, "bad"];
  }
  if (i.on_probation) return ["on probation", "warn"];
  if (i.available) return ["in rotation", "good"];
  if (!i.resolved) return ["address not resolved", "bad"];
  if (i.health === "critical" || i.health === "maintenance") return ["out", "soft"];
  return [i.weight === 0 ? "drained" : "full", "warn"];
}

function cell(row, name, text, className) {
  const td = element("td", className, text);
  if (name) td.dataset.name = name;
  row.append(td);
}

const HEALTH_CLASS = { passing: "good", warning: "warn", critical: "bad", maintenance: "soft" };

function drawInstance(i) {
  const row = element("tr");
  const address = i.address + ":" + i.port;
  const where = [i.id === address ? "" : address, i.node, i.zone].filter(Boolean).join(", ");
  const [state, stateClass] = instanceState(i);
  const id = element("td", "id");
  id.append(element("span", "", i.id), document.createTextNode(" "), element("span", "soft", where));
  row.append(id);
  cell(row, "", i.health + (i.check ? " (" + i.check + ")" : ""), HEALTH_CLASS[i.health]);
  cell(row, "", state, stateClass);
  cell(row, "in flight", String(i.in_flight), "number");
  cell(row, "latency", milliseconds(i.ewma_ms), "number");
  cell(row, "requests", String(i.requests), "number");
  cell(row, "failed", i.failures + (i.last_reason ? " (" + i.last_reason + ")" : ""), "number");
  return row;
}

function instanceTable(service) {
  const head = element("tr");
  const thead = element("thead");
  const body = element("tbody");
  const table = element("table");
  for (const [name, className] of [["instance", ""], ["health", ""], ["state", ""], ["in flight", "number"],
    ["latency", "number"], ["requests", "number"], ["failed", "number"]])
    head.append(element("th", className, name));
  for (const i of service.instances) body.append(drawInstance(i));
  thead.append(head);
  table.append(thead, body);
  return table;
}

function drawInstances(service) {
  const box = element("details");
  const total = service.instances.length;
  const byHand = opened.get(service.name);
  const fill = () => { if (box.open && box.children.length === 1) box.append(instanceTable(service)); };
  const summary = element("summary", "", service.available + " of " + total +
    (total === 1 ? " instance" : " instances") + " available" + (service.panic ? ", PANIC: health is ignored" : ""));
  box.append(summary);
  box.open = byHand === undefined ? rank(service) < 4 : byHand;
  fill();
  summary.addEventListener("click", () => opened.set(service.name, !box.open));
  box.addEventListener("toggle", fill);
  return box;
}

function drawService(service, bounds) {
  const card = element("article", "service " + severity(service));
  card.dataset.service = service.name;
  const top = element("div", "top");
  top.append(element("h3", "", service.name));
  if (service.available === 0) top.append(element("span", "badge bad", "NO INSTANCE AVAILABLE"));
  else if (rank(service) === 3) top.append(element("span", "badge warn", "instances ejected"));
  if (service.watch === "gone") top.append(element("span", "badge warn", "left the catalog"));
  top.append(breakerBadge(service));
  card.append(top);
  const why = breakerText(service.breaker);
  if (why) card.append(element("p", "why " + severity(service), why));
  card.append(drawNumbers(service, bounds), drawInstances(service));
  return card;
}

// The page is drawn anew every two seconds: whoever walks it by keyboard stays where they are.
function replaceCards(cards) {
  const focused = document.activeElement && document.activeElement.closest("article");
  const name = focused ? focused.dataset.service : null;
  byId("services").replaceChildren(...cards);
  for (const card of cards)
    if (name !== null && card.dataset.service === name) card.querySelector("summary").focus();
}

// True while somebody marks text in the list, to copy it.
function marking() {
  const selection = document.getSelection();
  return !selection.isCollapsed && byId("services").contains(selection.anchorNode);
}

function drawServices() {
  const words = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const onlyTrouble = byId("trouble").checked;
  const shown = last.services.filter((s) => matches(s, words) && (!onlyTrouble || rank(s) < 4)).sort(worstFirst);
  replaceCards(shown.map((s) => drawService(s, last.bounds)));
  byId("count").textContent = shown.length === last.services.length
    ? shown.length + " services" : shown.length + " of " + last.services.length + " services";
  byId("empty").hidden = shown.length > 0;
  byId("empty").textContent = last.services.length ? "No service fits the filter." : "No service is known yet.";
}

function drawTitle() {
  const open = last.status.breakers.open;
  document.title = open ? "(" + open + " open) frontdesk" : "frontdesk";
}

function draw() {
  drawFacts(last.status);
  drawProblems(last.status);
  if (!marking()) drawServices();
  drawTitle();
}

// ---- polling

async function fetchJson(path) {
  const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(5000) });
  if (!answer.ok) throw new Error(path + ": " + answer.status);
  return answer.json();
}

async function poll() {
  try {
    const [status, services] = await Promise.all([fetchJson("/v1/status"), fetchJson("/v1/services")]);
    last = { status, services: services.services, bounds: services.latency_bounds_ms };
    remember(last.services, performance.now());
    lostSince = 0;
    byId("lost").hidden = true;
    draw();
  } catch (e) {
    lostSince = lostSince || Date.now();
    byId("lost").textContent = "The gateway has not answered for " + duration(Date.now() - lostSince) +
      (last ? ": what you see is old." : ".") + " (" + e.message + ")";
    byId("lost").hidden = false;
  }
  setTimeout(poll, POLL_MS);
}

byId("controls").addEventListener("submit", (e) => e.preventDefault());
for (const id of ["filter", "trouble"])
  byId(id).addEventListener("input", () => { if (last) drawServices(); });
poll();
