// SPDX-License-Identifier: Apache-2.0
// The event stream, and whether it lives. A page without news must never look live: time stands
// still here as soon as nothing has come for STALE_MS.

const STALE_MS = 3500; // news comes once a second
const REOPEN_MS = 12000; // a connection that says nothing for so long is given up
const RETRY_MS = [500, 1000, 2000, 3000];
const EVENTS = ["hello", "status", "services", "transition", "fleet"];

export class Stream {
  // handlers: one for each of EVENTS, called with its document.
  constructor(url, handlers) {
    this.url = url;
    this.handlers = handlers;
    this.heardAt = -Infinity; // performance.now() of the last event
    this.serverNow = Date.now();
    this.serverNowAt = performance.now();
    this.tries = 0;
    this.openedAt = 0;
    this.source = null;
    this.timer = 0;
    this.open();
  }

  open() {
    clearTimeout(this.timer);
    if (this.source) this.source.close();
    this.source = new EventSource(this.url);
    this.openedAt = performance.now();
    this.source.onerror = () => this.retry();
    for (const name of EVENTS) this.source.addEventListener(name, (event) => this.take(name, event));
  }

  // Not left to the browser: some wait long, and none goes on after an answer that is not 200.
  retry() {
    this.source.close();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.open(), RETRY_MS[Math.min(this.tries++, RETRY_MS.length - 1)]);
  }

  take(name, event) {
    let document;
    try {
      document = JSON.parse(event.data);
    } catch {
      return;
    }
    this.heardAt = performance.now();
    this.tries = 0;
    if (typeof document.now === "number") {
      this.serverNow = document.now;
      this.serverNowAt = this.heardAt;
    }
    this.handlers[name](document);
  }

  // Call it once a second.
  watch() {
    const now = performance.now();
    if (now - Math.max(this.heardAt, this.openedAt) > REOPEN_MS && this.source.readyState !== EventSource.CLOSED)
      this.open();
  }

  get silentMs() {
    return performance.now() - this.heardAt;
  }

  get heard() {
    return this.heardAt > -Infinity;
  }

  get live() {
    return this.silentMs < STALE_MS;
  }

  // The gateway's clock; stands still when the page is not live.
  get now() {
    return this.serverNow + Math.min(performance.now() - this.serverNowAt, STALE_MS);
  }
}
