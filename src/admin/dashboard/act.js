// SPDX-License-Identifier: Apache-2.0
// What an operator does by hand. The dialog says in words what clients will get before anything is
// sent, and what the server says to it. The token is forgotten unless one asks to keep it for the tab.
import { instancePath, path, put } from "./api.js";
import { byId, recall, remember, setClass, setHidden, setText } from "./dom.js";
import * as words from "./words.js";

const WITH_TIME = ["forced_open", "forced_closed", "shadow"];
const UNITS = { s: 1, m: 60, h: 3600, d: 86400 };
const HOW_TO_WRITE = "Writes are off at this gateway. To turn them on, give the configuration admin.token_file " +
  "(a file with a token) or admin.tls.client_ca (client certificates), and reload.";

const TITLES = {
  forced_open: "Force open", forced_closed: "Force closed", shadow: "Put in shadow", auto: "Back to automatic", reset: "Reset",
};
const INSTANCE_TITLES = { forced_open: "Eject", forced_closed: "Keep in rotation", auto: "Restore" };

// Milliseconds of "90s", "10m", "1h 30m"; NaN when it is not one.
function milliseconds(text) {
  const parts = text.trim().split(/\s+(?=\d)|(?<=[a-z])(?=\d)/);
  const each = parts.map((p) => /^(\d+)\s*([smhd])$/.exec(p));
  if (!text.trim() || each.some((m) => !m)) return NaN;
  return each.reduce((sum, m) => sum + Number(m[1]) * UNITS[m[2]] * 1000, 0);
}

function serviceWords(what, row, span) {
  const instances = words.count(row ? row.i[1] : 0, "instance");
  switch (what) {
    case "forced_open":
      return `${span}every client gets 503 breaker_open at once, or the fallback where a route has one. ` +
        `No request reaches its ${instances}. After that, probes decide.`;
    case "forced_closed":
      return `${span}every request is passed on to its ${instances}, even if all of them fail. ` +
        "The breaker counts, but does not open.";
    case "shadow":
      return `${span}nothing is rejected. The breaker runs and tells what it would have done.`;
    case "auto":
      return row && row.s === "forced_open"
        ? "What was set by hand ends now. A few probes pass; when they succeed, all clients get answers again."
        : "What was set by hand ends now. The breaker decides by itself again.";
    default:
      return "The breaker closes now and forgets what it has counted, and all ejections of its instances end. " +
        "Every request is passed on at once; it opens again when enough of them fail.";
  }
}

function instanceWords(what, all, span) {
  const others = all.filter((i) => i.available).length - 1;
  switch (what) {
    case "forced_open":
      return `${span}no request goes to it. ` + (others > 0 ? words.count(others, "other instance") + " in rotation get its share."
        : "No other instance is in rotation: clients would get 503 no_healthy_instance.");
    case "forced_closed":
      return `${span}it stays in rotation whatever its answers are. Consul's health checks still count.`;
    default:
      return "It returns to rotation at once and gets its share of the requests; it is ejected again if it goes on failing.";
  }
}

export class Actions {
  // page: {model, clock(), writable(), fleet()}
  constructor(page) {
    this.page = page;
    this.dialog = byId("act");
    this.form = byId("act-form");
    this.busy = false;
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    this.form.addEventListener("input", () => this.draw());
    byId("act-cancel").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("close", () => this.forget());
  }

  open(what, service, instance, all) {
    Object.assign(this, { what, service, instance, all });
    byId("act-author").value = recall("localStorage", "frontdesk.author");
    byId("act-token").value = recall("sessionStorage", "frontdesk.token");
    byId("act-keep").checked = byId("act-token").value !== "";
    byId("act-reason").value = "";
    byId("act-other").value = "";
    byId("ttl-10m").checked = true;
    byId("act-fleet").checked = byId("act-even-last").checked = false;
    setHidden(byId("act-ttl"), !WITH_TIME.includes(what));
    setHidden(byId("act-fleet-line"), instance !== null || !this.page.fleet());
    setHidden(byId("act-last-line"), true);
    setText(byId("act-title"), (instance ? INSTANCE_TITLES : TITLES)[what] + ": " + (instance ? instance.id : service));
    setText(byId("act-of"), instance ? `instance ${words.endpoint(instance)} of ${service}` : "");
    setText(byId("act-send"), (instance ? INSTANCE_TITLES : TITLES)[what]);
    setClass(byId("act-send"), what === "forced_open" ? "danger" : "primary");
    this.say(this.page.writable() ? "" : HOW_TO_WRITE);
    this.draw();
    this.dialog.showModal();
    byId("act-reason").focus();
  }

  // The password field is emptied, so that nothing of it stays on the page.
  forget() {
    byId("act-token").value = "";
  }

  say(text) {
    setText(byId("act-error"), text);
    setHidden(byId("act-error"), text === "");
  }

  get ttl() {
    const other = byId("act-other").value.trim();
    return other || this.form.elements.ttl.value;
  }

  draw() {
    const ms = milliseconds(this.ttl);
    const now = this.page.clock();
    const timed = WITH_TIME.includes(this.what);
    const span = !timed ? "" : Number.isNaN(ms) ? "For that time " : `For ${words.duration(ms)}, until ${words.clock(now + ms, now)}, `;
    const service = this.page.model.services.get(this.service);
    const text = this.instance ? instanceWords(this.what, this.all, span) : serviceWords(this.what, service && service.row, span);
    const fleet = byId("act-fleet").checked ? " At all gateways of the fleet." : "";
    setText(byId("act-means"), text + fleet);
    byId("act-other").setCustomValidity(timed && !(ms > 0) ? "A time such as 45m, 2h or 1h 30m" : "");
  }

  body() {
    const body = { state: this.what, reason: byId("act-reason").value.trim() };
    const author = byId("act-author").value.trim();
    if (author) body.author = author;
    if (WITH_TIME.includes(this.what)) body.ttl = Math.round(milliseconds(this.ttl) / 1000) + "s";
    if (byId("act-fleet").checked) body.scope = "fleet";
    if (byId("act-even-last").checked) body.even_last = true;
    return body;
  }

  async send() {
    const token = byId("act-token").value;
    const where = this.instance ? instancePath(this.service, this.instance, this.all) : path("breakers", this.service);
    if (this.busy) return;
    this.busy = byId("act-send").disabled = true;
    remember("localStorage", "frontdesk.author", byId("act-author").value.trim());
    remember("sessionStorage", "frontdesk.token", byId("act-keep").checked ? token : "");
    try {
      await put(where, this.body(), token);
      this.dialog.close();
      this.page.done(this.service);
    } catch (error) {
      this.refused(error);
    }
    this.busy = byId("act-send").disabled = false;
  }

  refused(error) {
    if (!error.status) {
      this.say("The gateway does not answer: nothing is known to have changed.");
      return;
    }
    const hint = error.reason === "writes_off" ? " " + HOW_TO_WRITE : "";
    this.say(`${error.status} ${error.reason}: ${error.message}.`.replace("..", ".") + hint);
    if (error.reason === "last_instance") setHidden(byId("act-last-line"), false);
    if (error.status === 401) byId("act-token").select();
  }
}
