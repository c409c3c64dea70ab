// SPDX-License-Identifier: Apache-2.0
// One service in the list. Rows are used again for other services while one scrolls.
import { h, setAttribute, setClass, setHidden, setText } from "./dom.js";
import { setIcon, stateIcon } from "./icon.js";
import { POINTS } from "./model.js";
import { drawSpark, spark } from "./spark.js";
import * as words from "./words.js";

const cell = (name, ...children) => h("div", { class: "cell " + name, role: "gridcell" }, ...children);

// The edge of the row: how much attention it wants.
const EDGE = ["", " wants-note", " wants-care", " wants-care", " wants-help"];

export class Row {
  constructor() {
    const part = (name) => h("span", { class: name });
    this.service = null;
    this.drawn = 0; // version of the service that is drawn
    this.icon = stateIcon();
    this.word = part("word");
    this.badge = h("span", { class: "badge" }, this.icon, this.word);
    this.name = part("service-name");
    this.instances = part("value");
    this.rate = part("value");
    this.errors = part("value");
    this.p99 = part("value");
    this.inFlight = part("value");
    this.rejected = part("value");
    this.rateLine = spark("plain");
    this.errorsLine = spark("bad");
    this.p99Line = spark("plain");
    this.since = part("since");
    this.why = part("why");
    this.gets = part("gets");
    this.ends = part("ends");
    this.note = h("div", { class: "note", role: "gridcell" }, this.since, this.why, this.gets, this.ends);
    this.element = h("div", { class: "row", role: "row", tabindex: "-1" },
      cell("state", this.badge), cell("name", this.name), cell("instances", this.instances),
      cell("rate", this.rateLine.box, this.rate), cell("errors", this.errorsLine.box, this.errors),
      cell("p99", this.p99Line.box, this.p99), cell("in-flight", this.inFlight),
      cell("rejected", this.rejected), this.note);
    this.element.row = this;
  }

  bind(service) {
    if (this.service === service) return;
    this.service = service;
    this.drawn = -1;
    setAttribute(this.element, "data-service", service.name);
    setText(this.name, service.name);
  }

  draw(now, selected) {
    const s = this.service;
    setClass(this.element, "row" + EDGE[s.row.a] + (selected ? " selected" : ""));
    setAttribute(this.element, "aria-selected", selected ? "true" : "false");
    setAttribute(this.element, "tabindex", selected ? "0" : "-1");
    if (this.drawn !== s.version) this.drawNumbers(s.row);
    this.drawLines(s);
    this.drawNote(s, now);
    this.drawn = s.version;
  }

  drawNumbers(r) {
    setIcon(this.icon, r.s);
    setClass(this.badge, "badge " + words.stateTone(r.s));
    setText(this.word, words.stateWord(r.s));
    setText(this.instances, `${r.i[0]}/${r.i[1]}`);
    setClass(this.instances, "value" + (r.i[0] === 0 ? " bad" : r.i[0] < r.i[1] ? " warn" : ""));
    setText(this.rate, words.number(r.r));
    setText(this.errors, words.percent(r.e, r.r));
    setClass(this.errors, "value" + (r.e === 0 ? " zero" : r.e / r.r > 0.05 ? " bad" : " warn"));
    setText(this.p99, words.milliseconds(r.p99));
    setText(this.inFlight, r.w ? `${words.number(r.f)}+${words.number(r.w)}` : words.number(r.f));
    setClass(this.inFlight, "value" + (r.f || r.w ? "" : " zero"));
    setText(this.rejected, words.number(r.rej));
    setClass(this.rejected, "value" + (r.rej ? "" : " zero"));
  }

  drawLines(s) {
    if (this.drawn === s.version) return;
    drawSpark(this.rateLine, POINTS, (i) => s.rateAt(i), 1);
    drawSpark(this.errorsLine, POINTS, (i) => s.errorsAt(i), 0.5);
    drawSpark(this.p99Line, POINTS, (i) => s.p99At(i), 5);
  }

  drawNote(s, now) {
    const r = s.row;
    const why = words.whatHappened(r, s.outage);
    const wanted = r.a > 0 && why !== "";
    setHidden(this.note, !wanted);
    if (!wanted) return;
    const since = s.since;
    setText(this.since, since ? `${words.duration(now - since)}, since ${words.clock(since, now)}` : "");
    setText(this.why, why);
    setText(this.gets, words.clientsGet(r));
    setText(this.ends, words.whatEnds(r, now));
    for (const part of [this.since, this.gets, this.ends]) setHidden(part, !part.firstChild || part.firstChild.data === "");
  }

  // For the estimate of rows that are not on the page: rows of one kind are about as high.
  static kind(service) {
    return service.row.a > 0 ? 1 : 0;
  }
}
