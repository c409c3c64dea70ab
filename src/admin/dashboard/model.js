// SPDX-License-Identifier: Apache-2.0
// What the page knows of the services: their rows, the last minutes of each, and their order.
//
// Order: worst first, but rows must not run away from who reads them. A service keeps the place of
// the worst it was (`placed`) and rises at once when it gets worse; it sinks only in settle(), which
// the page calls when nobody points at the list.

const KEPT = 60;

class Service {
  constructor(name) {
    this.name = name;
    this.lower = name.toLowerCase();
    this.row = null;
    this.placed = { a: 0, e: 0 };
    this.worseAt = 0; // when the page saw it become worse
    this.outage = null; // {at, t}: the transition by which its breaker left "closed"
    this.ejections = new Map(); // instance -> since when it is not in rotation
    this.shown = false;
    this.version = 0; // counts up with every change, of the history too
    this.stale = false; // not (yet) in the rows of a new connection
    this.rate = new Float32Array(KEPT);
    this.errors = new Float32Array(KEPT);
    this.p99 = new Float32Array(KEPT).fill(NaN);
    this.sum = { n: 0, r: 0, e: 0, p: NaN };
  }

  // Value number i of 0..KEPT, oldest first; the last is of the step that is not over.
  rateAt(i) {
    return i < KEPT ? this.rate[i] : this.sum.n ? this.sum.r / this.sum.n : this.row.r;
  }
  errorsAt(i) {
    return i < KEPT ? this.errors[i] : this.sum.n ? this.sum.e / this.sum.n : this.row.e;
  }
  p99At(i) {
    return i < KEPT ? this.p99[i] : this.row.p99 === null ? this.sum.p : this.row.p99;
  }

  // Since when it is as it is: an open breaker that tries again and again is one outage.
  get since() {
    const r = this.row;
    if (r.s === "open" || r.s === "half_open") return this.outage ? Math.min(this.outage.at, r.since) : r.since;
    if (r.s !== "closed") return r.since;
    return r.ej && this.ejections.size ? Math.min(...this.ejections.values()) : this.worseAt;
  }

  takeTransition(t) {
    const at = Date.parse(t.at);
    if (t.instance !== null) {
      if (t.to === "closed" || t.to === "forced_closed") this.ejections.delete(t.instance);
      else if (!this.ejections.has(t.instance)) this.ejections.set(t.instance, at);
    } else if (t.from === "closed" && t.to === "open") this.outage = { at, t };
    else if (t.to !== "open" && t.to !== "half_open") this.outage = null;
    this.version++;
  }

  tick() {
    this.sum.n++;
    this.sum.r += this.row.r;
    this.sum.e += this.row.e;
    if (this.row.p99 !== null && !(this.sum.p > this.row.p99)) this.sum.p = this.row.p99;
  }

  step() {
    const last = [this.rateAt(KEPT), this.errorsAt(KEPT), this.sum.p];
    [this.rate, this.errors, this.p99].forEach((values, i) => {
      values.copyWithin(0, 1);
      values[KEPT - 1] = last[i];
    });
    this.sum = { n: 0, r: 0, e: 0, p: NaN };
    this.version++;
  }

  takeHistory(h) {
    [[this.rate, h.r, 0], [this.errors, h.e, 0], [this.p99, h.p, NaN]].forEach(([to, from, none]) => {
      const given = (from || []).slice(-KEPT);
      to.fill(none);
      given.forEach((v, i) => { to[KEPT - given.length + i] = v === null ? NaN : v; });
    });
  }
}

export const POINTS = KEPT + 1;

// Failures per second in steps, so that a trembling number does not change the order.
const errorStep = (row) => (row.e > 0 && row.r > 0 ? Math.ceil(Math.log2(1 + (100 * row.e) / row.r)) : 0);

export function worstFirst(a, b) {
  return b.placed.a - a.placed.a || b.placed.e - a.placed.e || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

// The filter: words that all must hold; "!word" for the opposite

const STATE_WORDS = {
  open: (r) => r.s === "open" || r.s === "forced_open",
  closed: (r) => r.s === "closed",
  "half-open": (r) => r.s === "half_open",
  half_open: (r) => r.s === "half_open",
  forced: (r) => r.s.startsWith("forced") || r.fby !== null && r.fby !== undefined,
  forced_open: (r) => r.s === "forced_open",
  forced_closed: (r) => r.s === "forced_closed",
  off: (r) => r.s === "disabled",
  disabled: (r) => r.s === "disabled",
  shadow: (r) => r.s === "shadow",
  ejected: (r) => r.ej > 0,
  attention: (r) => r.a >= 2,
  errors: (r) => r.e > 0,
};

export function parseFilter(text) {
  return text.toLowerCase().split(/\s+/).filter((w) => w && w !== "!").map((word) => {
    const not = word.startsWith("!");
    const plain = not ? word.slice(1) : word;
    const state = Object.hasOwn(STATE_WORDS, plain) ? STATE_WORDS[plain] : null;
    if (not) return state ? (s) => !state(s.row) : (s) => !s.lower.includes(plain);
    return state ? (s) => state(s.row) || s.lower.includes(plain) : (s) => s.lower.includes(plain);
  });
}

export class Model {
  constructor() {
    this.services = new Map();
    this.order = []; // of the shown services, worst first
    this.lastTransition = 0; // id
    this.early = new Map(); // name -> transitions of a service whose row has not come yet
    this.tests = [];
    this.orderDirty = true;
    this.unsettled = false;
    this.stepMs = 5000;
    this.stepAt = 0;
    this.statusesSinceFull = 0;
    this.now = Date.now(); // the gateway's clock, with each tick
  }

  // ---- what comes in

  takeServices(batch) {
    if (batch.full) {
      for (const s of this.services.values()) s.stale = true;
      this.statusesSinceFull = 0;
    }
    for (const row of batch.rows) this.takeRow(row);
    for (const name of batch.gone || []) this.drop(name);
  }

  takeRow(row) {
    let s = this.services.get(row.n);
    const before = s && s.row;
    if (!s) {
      s = new Service(row.n);
      this.services.set(row.n, s);
    }
    s.stale = false;
    s.row = row;
    s.version++;
    if (row.h) s.takeHistory(row.h);
    if (!before) {
      s.placed = { a: row.a, e: errorStep(row) };
      for (const t of this.early.get(s.name) || []) s.takeTransition(t);
      this.early.delete(s.name);
    }
    if (before && row.a > before.a) s.worseAt = row.since > before.since ? row.since : this.now;
    if (row.a > s.placed.a) {
      s.placed = { a: row.a, e: errorStep(row) };
      this.orderDirty = true;
    }
    if (row.a !== s.placed.a || errorStep(row) !== s.placed.e) this.unsettled = true;
    this.look(s, !before);
  }

  // In the order of their ids; one that was taken already is left out.
  takeTransition(t) {
    const s = this.services.get(t.service);
    if (t.id <= this.lastTransition) return;
    this.lastTransition = t.id;
    if (t.shadow) return;
    if (s) s.takeTransition(t);
    else this.early.set(t.service, [...(this.early.get(t.service) || []), t]);
  }

  // Another process: its ids begin anew.
  forgetTransitions() {
    this.lastTransition = 0;
    this.early.clear();
    for (const s of this.services.values()) {
      s.outage = null;
      s.ejections.clear();
    }
  }

  // Into the list at once; out of it with settle().
  look(s, fresh) {
    const fits = this.tests.every((test) => test(s));
    if (fits && !s.shown) {
      s.shown = true;
      this.orderDirty = true;
    } else if (!fits && s.shown) {
      if (fresh) s.shown = false;
      else this.unsettled = true;
    }
  }

  drop(name) {
    if (this.services.delete(name)) this.orderDirty = true;
  }

  // Once a second, with the gateway's clock.
  tick(now) {
    this.now = now;
    const step = Math.floor(now / this.stepMs);
    for (const s of this.services.values()) s.tick();
    if (this.stepAt && step > this.stepAt) for (const s of this.services.values()) s.step();
    this.stepAt = step;
    // Rows of a new connection come in batches: by the second status they are all here.
    if (++this.statusesSinceFull === 2)
      for (const s of [...this.services.values()]) if (s.stale) this.drop(s.name);
  }

  // ---- order

  setFilter(text) {
    this.tests = parseFilter(text);
    for (const s of this.services.values()) {
      s.shown = this.tests.every((test) => test(s));
      s.placed = { a: s.row.a, e: errorStep(s.row) };
    }
    this.orderDirty = true;
  }

  settle() {
    if (!this.unsettled) return;
    this.unsettled = false;
    for (const s of this.services.values()) {
      s.placed = { a: s.row.a, e: errorStep(s.row) };
      s.shown = this.tests.every((test) => test(s));
    }
    this.orderDirty = true;
  }

  // True when `order` is another than before.
  sort() {
    if (!this.orderDirty) return false;
    this.orderDirty = false;
    this.order = [...this.services.values()].filter((s) => s.shown).sort(worstFirst);
    return true;
  }

  // {worst, wanting: [Service] in the order of the list}
  attention() {
    const wanting = [...this.services.values()].filter((s) => s.row.a >= 2).sort(worstFirst);
    return { worst: wanting.reduce((worst, s) => Math.max(worst, s.row.a), 0), wanting };
  }
}
