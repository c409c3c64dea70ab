// SPDX-License-Identifier: Apache-2.0
// The status page: one stream of events in, one list and one panel out.
import { get } from "./dashboard/api.js";
import { Actions } from "./dashboard/act.js";
import { Details } from "./dashboard/details.js";
import { byId, recall, remember, setHidden, setText } from "./dashboard/dom.js";
import { List } from "./dashboard/list.js";
import { Model } from "./dashboard/model.js";
import { Stream } from "./dashboard/stream.js";
import * as top from "./dashboard/top.js";
import { instanceStateWord, stateWord, transitionWords } from "./dashboard/words.js";

const model = new Model();
let hello = {};
let status = null;
let fleet = null;

const clock = () => stream.now;
const list = new List(model, clock, (name) => go(name));
const actions = new Actions({
  model, clock, writable: () => hello.writable !== false, fleet: () => hello.fleet === true, done: () => details.ask(),
});
const details = new Details({
  model, clock, gateway: () => hello.gateway || "", fleet: () => fleet,
  act: (what, service, instance, all) => actions.open(what, service, instance, all),
  closed: () => {
    if (location.hash) history.replaceState(null, "", location.pathname);
    list.select(list.selected, true);
  },
});

const stream = new Stream("/v1/events", {
  hello(document) {
    hello = document;
    if (document.history_step_s) model.stepMs = document.history_step_s * 1000;
    lookBack();
  },
  status(document) {
    status = document;
    model.tick(stream.now);
    tick();
  },
  services(batch) {
    model.takeServices(batch);
    scheduleTop();
    if (document.hidden) return;
    drawCount();
    list.schedule();
    details.tick();
  },
  transition(t) {
    if (past) past.push(t);
    else model.takeTransition(t);
    announce(t);
    if (details.name === t.service) details.ask();
  },
  fleet(document) {
    fleet = document;
    top.drawFleet(fleet);
  },
});

// Since when, and why at first: what happened before the page was opened. Null when that is known;
// else the transitions that have come meanwhile.
let past = null;
async function lookBack() {
  past = past || [];
  let before = [];
  try {
    before = (await get("/v1/transitions?limit=1024")).transitions;
  } catch {
    before = [];
  }
  model.forgetTransitions();
  for (const t of before.concat(past)) model.takeTransition(t);
  past = null;
  list.schedule();
}

// ---- drawing

let topScheduled = false;
function scheduleTop() {
  if (topScheduled) return;
  topScheduled = true;
  // Not by frames: the title and the icon change in a hidden tab too.
  setTimeout(() => {
    topScheduled = false;
    top.drawVerdict(top.verdict(model, status), stream.live, hello.gateway);
  }, 50);
}

function tick() {
  top.drawLink(stream);
  scheduleTop();
  if (document.hidden) return;
  top.drawGateway(hello, status);
  if (status) top.drawProblems(status);
  drawCount();
  list.tick();
  details.tick();
}

function drawCount() {
  const all = model.services.size;
  const shown = [...model.services.values()].filter((s) => s.shown).length;
  setText(byId("count"), shown === all ? `${all} service${all === 1 ? "" : "s"}` : `${shown} of ${all}`);
  setHidden(byId("empty"), shown > 0 || !stream.heard);
  setText(byId("empty"), all ? "No service fits the filter." : "No service is known yet.");
}

// For who listens to the page instead of looking at it: a few at once, then only how many.
let heard = [];
function announce(t) {
  const word = t.instance ? instanceStateWord : stateWord;
  heard.push(`${t.service}${t.instance ? " instance " + t.instance : ""}: ${word(t.to)}, ${transitionWords(t)}`);
  if (heard.length > 1) return;
  setTimeout(() => {
    setText(byId("announce"), heard.length > 4 ? `${heard.length} changes of state` : heard.join(". "));
    heard = [];
  }, 700);
}

// ---- where one is: #service=NAME

function go(name) {
  history.replaceState(null, "", "#service=" + encodeURIComponent(name));
  details.open(name, false);
}

function followHash() {
  const match = /^#service=(.+)$/.exec(location.hash);
  if (!match) return;
  try {
    const name = decodeURIComponent(match[1]);
    list.select(name, false);
    details.open(name, true);
  } catch {
    return;
  }
}

// ---- filter, keys, light and dark

function setFilter(text) {
  byId("filter").value = text;
  for (const button of byId("quick").querySelectorAll("button"))
    button.setAttribute("aria-pressed", button.dataset.filter === text.trim() ? "true" : "false");
  model.setFilter(text);
  drawCount();
  list.restart();
}

const typing = (e) => e.matches("input, textarea, select, [contenteditable]");

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.key === "Escape") {
    if (event.target === byId("filter") && byId("filter").value) setFilter("");
    else if (typing(event.target)) event.target.blur();
    else details.close();
    return;
  }
  if (event.target === byId("filter") && (event.key === "ArrowDown" || event.key === "Enter")) list.move(1);
  else if (typing(event.target)) return;
  else if (!byKey(event)) return;
  event.preventDefault();
}

function byKey(event) {
  const inDetails = byId("details").contains(event.target);
  const onControl = event.target.matches("button, a, summary");
  switch (event.key) {
    case "/":
      byId("filter").focus();
      byId("filter").select();
      return true;
    case "?":
      byId("help").showModal();
      return true;
    case "j":
      list.move(1);
      return true;
    case "k":
      list.move(-1);
      return true;
    case "ArrowDown":
    case "ArrowUp":
      if (inDetails) return false;
      list.move(event.key === "ArrowDown" ? 1 : -1);
      return true;
    case "Enter":
      if (onControl || list.selected === null) return false;
      go(list.selected);
      byId("details-name").focus({ preventScroll: true });
      return true;
  }
  return false;
}

const THEMES = ["", "light", "dark"];
const THEME_SIGNS = { "": "◐", light: "☀", dark: "☾" };
function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  byId("theme").setAttribute("aria-label", `Colours: ${theme || "as the system"}`);
  byId("theme").setAttribute("title", `Colours: ${theme || "as the system"}`);
  setText(byId("theme"), THEME_SIGNS[theme]);
  remember("localStorage", "frontdesk.theme", theme);
}

function wire() {
  addEventListener("keydown", onKey);
  addEventListener("hashchange", followHash);
  document.addEventListener("visibilitychange", tick);
  byId("filter").addEventListener("input", () => setFilter(byId("filter").value));
  for (const button of byId("quick").querySelectorAll("button"))
    button.addEventListener("click", () => setFilter(button.getAttribute("aria-pressed") === "true" ? "" : button.dataset.filter));
  byId("theme").addEventListener("click", () =>
    setTheme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme || "") + 1) % THEMES.length]));
  byId("help-open").addEventListener("click", () => byId("help").showModal());
  byId("help-close").addEventListener("click", () => byId("help").close());
  byId("fleet-chip").addEventListener("click", () => {
    setHidden(byId("fleet"), !byId("fleet").hidden);
    byId("fleet-chip").setAttribute("aria-expanded", byId("fleet").hidden ? "false" : "true");
  });
  new ResizeObserver(() => {
    document.documentElement.style.setProperty("--head", byId("head").offsetHeight + "px");
  }).observe(byId("head"));
  setInterval(() => {
    stream.watch();
    if (!stream.live) tick();
  }, 1000);
}

setTheme(THEMES.includes(recall("localStorage", "frontdesk.theme")) ? recall("localStorage", "frontdesk.theme") : "");
wire();
top.drawLink(stream);
followHash();
