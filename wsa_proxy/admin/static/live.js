// The node's news as they come. What is shown is only as good as the last of them, so its age is known at any time.

import { whyRefused } from "./api.js";

const EVENTS = "/api/events";
const RETRY_MS = 1000;
const RETRY_REFUSED_MS = 3000; // the node is there, and what it refuses does not change from one moment to the next
const SILENT_S_MAX = 10; // an open connection over which nothing comes is taken for a broken one

/**
 * Calls `onChange()` and `onEvent(event)`, and `onOpen()` when a connection begins: what has happened before it is told
 * by nobody. Connects again by itself for as long as the page is open.
 */
export class Live {
  constructor({ onOpen, onChange, onEvent }) {
    this.status = null;
    this.isLoggedOut = false;
    this.refusal = null; // the node's own words, when it lives and lets this page hear nothing
    this._onOpen = onOpen;
    this._onChange = onChange;
    this._onEvent = onEvent;
    this._source = null;
    this._retry = null;
    this._lookedAt = now();
    this._heardAt = null;
  }

  /** Seconds since the last status document. */
  age() {
    return this._heardAt === null ? Infinity : sinceS(this._heardAt);
  }

  /** Whether what is shown may not be so any more. The limit stands in the page, see index.html. */
  isStale() {
    return this.age() * 1000 > Number(document.documentElement.dataset.staleAfterMs);
  }

  connect() {
    clearTimeout(this._retry);
    this._retry = null;
    this._source?.close();
    this._lookedAt = now();
    const source = new EventSource(EVENTS);
    this._source = source;
    source.addEventListener("open", () => this._onOpen());
    source.addEventListener("status", (event) => this._take(JSON.parse(event.data)));
    source.addEventListener("history", (event) => this._onEvent(JSON.parse(event.data)));
    source.addEventListener("error", () => this._failed(source));
  }

  /** To be called now and then: nobody tells that nothing comes. */
  look() {
    if (Math.min(this.age(), sinceS(this._lookedAt)) > SILENT_S_MAX) this._again(RETRY_MS);
  }

  _take(status) {
    this.status = status;
    this.isLoggedOut = false;
    this.refusal = null;
    this._heardAt = now();
    this._onChange();
  }

  /** A browser would connect again by itself, but only in some seconds, and not when it was answered with an error. */
  async _failed(source) {
    if (source !== this._source) return;
    source.close();
    this._lookedAt = now();
    const why = await whyRefused(EVENTS);
    if (source !== this._source) return; // somebody did not wait for it
    const isRefused = why !== null && why.status !== 0;
    this.isLoggedOut = isRefused && why.status === 401;
    this.refusal = isRefused && !this.isLoggedOut ? why.message : null;
    this._again(isRefused ? RETRY_REFUSED_MS : RETRY_MS);
    this._onChange();
  }

  _again(afterMs) {
    this._source?.close();
    this._lookedAt = now();
    this._retry ??= setTimeout(() => this.connect(), afterMs);
  }
}

// Two clocks, of which the one counts that says more: one stands still while a laptop sleeps, the other can be set.
function now() {
  return { steady: performance.now(), wall: Date.now() };
}

function sinceS(moment) {
  return Math.max(performance.now() - moment.steady, Date.now() - moment.wall) / 1000;
}
