// SPDX-License-Identifier: Apache-2.0
// The list of services. Only the rows near the window are on the page: those before and after are
// padding. Heights are measured as rows appear; a row not seen yet counts as high as the others of
// its kind.
import { byId, h, setAttribute } from "./dom.js";
import { Row } from "./row.js";

const MARGIN_PX = 500;
const ALL_BELOW = 60; // so few services are on the page all at once
const HOLD_MS = 4000; // rows keep their places so long after the pointer or a key moved among them
const SETTLE_MS = 3000;

export class List {
  constructor(model, clock, open) {
    this.model = model;
    this.clock = clock; // () => the gateway's time
    this.box = byId("services");
    this.rows = new Map(); // service -> Row on the page
    this.spare = [];
    this.heights = new Map(); // service name -> px
    this.typical = [45, 70]; // px, of each kind
    this.tops = new Float64Array(1);
    this.topsDirty = true;
    this.selected = null; // name
    this.wantsFocus = false;
    this.touchedAt = -Infinity;
    this.settledAt = 0;
    this.scheduled = false;
    this.width = 0;
    this.measurer = new ResizeObserver((entries) => this.measure(entries));
    this.measurer.observe(this.box);
    this.listen(open);
  }

  listen(open) {
    const touch = () => { this.touchedAt = performance.now(); };
    this.box.addEventListener("pointermove", touch, { passive: true });
    this.box.addEventListener("pointerdown", touch, { passive: true });
    this.box.addEventListener("keydown", touch);
    this.box.addEventListener("click", (event) => {
      const element = event.target.closest(".row");
      if (!element || !document.getSelection().isCollapsed) return;
      this.select(element.row.service.name, false);
      open(element.row.service.name);
    });
    this.box.addEventListener("focusin", (event) => {
      const element = event.target.closest(".row");
      if (element) this.select(element.row.service.name, false);
    });
    addEventListener("scroll", () => this.schedule(), { passive: true });
    addEventListener("resize", () => this.schedule(), { passive: true });
  }

  measure(entries) {
    let changed = false;
    for (const entry of entries) {
      const row = entry.target.row;
      const height = entry.borderBoxSize[0].blockSize;
      if (!row) {
        const width = entry.borderBoxSize[0].inlineSize;
        if (width !== this.width) this.heights.clear();
        changed = changed || width !== this.width;
        this.width = width;
      } else if (row.service && height > 0 && this.heights.get(row.service.name) !== height) {
        this.heights.set(row.service.name, height);
        this.typical[Row.kind(row.service)] = height;
        changed = true;
      }
    }
    if (!changed) return;
    this.topsDirty = true;
    this.schedule();
  }

  // At most one drawing for each frame, none while the page is hidden.
  schedule() {
    if (this.scheduled || document.hidden) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      this.draw();
    });
  }

  get held() {
    return performance.now() - this.touchedAt < HOLD_MS || !document.getSelection().isCollapsed;
  }

  // Once a second.
  tick() {
    const now = performance.now();
    if (!this.held && now - this.settledAt > SETTLE_MS) {
      this.settledAt = now;
      this.model.settle();
    }
    this.topsDirty = true;
    this.schedule();
  }

  computeTops() {
    const order = this.model.order;
    if (!this.topsDirty) return;
    this.topsDirty = false;
    if (this.tops.length !== order.length + 1) this.tops = new Float64Array(order.length + 1);
    order.forEach((s, i) => {
      const known = this.heights.get(s.name);
      this.tops[i + 1] = this.tops[i] + (known === undefined ? this.typical[Row.kind(s)] : known);
    });
  }

  // Index of the row at y within the list.
  indexAt(y) {
    let low = 0, high = this.model.order.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.tops[middle + 1] <= y) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // [first, end) of the rows that belong on the page.
  range(top) {
    const n = this.model.order.length;
    if (n <= ALL_BELOW) return [0, n];
    const first = this.indexAt(-top - MARGIN_PX);
    return [first, Math.min(n, this.indexAt(-top + innerHeight + MARGIN_PX) + 1)];
  }

  draw() {
    let top = this.box.getBoundingClientRect().top;
    const anchor = this.model.order[this.indexAt(-top)];
    const before = anchor ? this.tops[this.indexAt(-top)] : 0;
    if (this.model.sort()) this.topsDirty = true;
    this.computeTops();
    const wanted = this.model.order;
    // Who has scrolled down keeps the row at the top of the window where it is.
    const place = anchor && -top > 0 ? wanted.indexOf(anchor) : -1;
    const jump = place >= 0 && !this.fresh ? this.tops[place] - before : 0;
    const [first, end] = this.range(top - jump);
    this.place(wanted.slice(first, end));
    this.box.style.paddingTop = this.tops[first] + "px";
    this.box.style.paddingBottom = this.tops[wanted.length] - this.tops[end] + "px";
    if (Math.abs(jump) >= 1) scrollBy(0, jump);
    this.fresh = false;
    setAttribute(this.box.parentNode, "aria-rowcount", String(wanted.length + 1));
    this.drawRows(first);
  }

  // These services, in this order, are the rows of the page.
  place(services) {
    const wanted = new Set(services);
    const focused = this.box.contains(document.activeElement) ? document.activeElement.closest(".row") : null;
    const focusedName = focused ? focused.row.service.name : null;
    for (const [s, row] of this.rows)
      if (!wanted.has(s)) {
        this.rows.delete(s);
        this.spare.push(row);
      }
    let next = this.box.firstChild;
    for (const s of services) {
      const row = this.rows.get(s) || this.take(s);
      if (row.element === next) next = next.nextSibling;
      else this.box.insertBefore(row.element, next);
    }
    for (const row of this.spare) if (row.element.parentNode) {
      this.measurer.unobserve(row.element);
      row.element.remove();
    }
    this.spare.length = Math.min(this.spare.length, 40);
    this.refocus(focusedName);
  }

  take(s) {
    const row = this.spare.pop() || new Row();
    row.bind(s);
    this.rows.set(s, row);
    this.measurer.observe(row.element);
    return row;
  }

  // Moving an element takes its focus away, and a row may have become another service's.
  refocus(name) {
    const wanted = this.wantsFocus ? this.selected : name;
    const row = wanted !== null && this.rows.get(this.model.services.get(wanted));
    this.wantsFocus = false;
    if (row) {
      if (document.activeElement !== row.element) row.element.focus({ preventScroll: true });
    } else if (name !== null) this.box.parentNode.focus({ preventScroll: true });
  }

  drawRows(first) {
    const now = this.clock();
    let index = first;
    if (this.selected === null && this.model.order.length) this.selected = this.model.order[0].name;
    for (const element of this.box.children) {
      element.row.draw(now, element.row.service.name === this.selected);
      setAttribute(element, "aria-rowindex", String(++index + 1));
    }
  }

  // ---- selection

  select(name, focus) {
    this.selected = name;
    if (focus) {
      this.wantsFocus = true;
      this.touchedAt = performance.now();
      this.reveal(this.model.order.findIndex((s) => s.name === name));
      this.draw(); // at once: the next key must find the focus there
    } else this.schedule();
  }

  move(step) {
    const order = this.model.order;
    const at = order.findIndex((s) => s.name === this.selected);
    if (!order.length) return;
    const inside = this.box.contains(document.activeElement);
    const to = at < 0 || !inside && step === 1 ? Math.max(at, 0) : at + step;
    this.select(order[Math.max(0, Math.min(order.length - 1, to))].name, true);
  }

  reveal(index) {
    if (index < 0) return;
    const top = this.box.getBoundingClientRect().top;
    const head = byId("columns").getBoundingClientRect().bottom;
    const above = top + this.tops[index] - head;
    const below = top + this.tops[index + 1] + 8 - innerHeight;
    if (above < 0) scrollBy(0, above - 4);
    else if (below > 0) scrollBy(0, below);
  }

  // After another filter: from the top.
  restart() {
    this.fresh = true;
    const top = byId("main").getBoundingClientRect().top - byId("head").offsetHeight;
    if (top < 0) scrollBy(0, top);
    if (this.model.order.length) this.selected = null;
    this.schedule();
  }
}
