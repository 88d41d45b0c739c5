// The node's news as they come. What is shown is only as good as the last of them, so its age is known at any time.

import { openSession } from "./api.js";

const RETRY_MS = 1000;
const SILENT_S_MAX = 10; // an open connection over which nothing comes is taken for a broken one

/** Calls `onChange()` and `onEvent(event)`; connects again by itself for as long as the page is open. */
export class Live {
  constructor(onChange, onEvent) {
    this.status = null;
    this.isLoggedOut = false;
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
    this._retry = null;
    this._source?.close();
    this._lookedAt = now();
    const source = new EventSource("/api/events");
    this._source = source;
    source.addEventListener("status", (event) => this._take(JSON.parse(event.data)));
    source.addEventListener("history", (event) => this._onEvent(JSON.parse(event.data)));
    source.addEventListener("error", () => this._failed(source));
  }

  /** To be called now and then: nobody tells that nothing comes. */
  look() {
    if (Math.min(this.age(), sinceS(this._lookedAt)) > SILENT_S_MAX) this._again();
  }

  _take(status) {
    this.status = status;
    this.isLoggedOut = false;
    this._heardAt = now();
    this._onChange();
  }

  /** A browser would connect again by itself, but only in some seconds, and not when it was answered with an error. */
  async _failed(source) {
    if (source !== this._source) return;
    this._again();
    try {
      await openSession();
    } catch (error) {
      this.isLoggedOut = error.status === 401;
      this._onChange();
    }
  }

  _again() {
    this._source.close();
    this._lookedAt = now();
    this._retry ??= setTimeout(() => this.connect(), RETRY_MS);
  }
}

// Two clocks, of which the one counts that says more: one stands still while a laptop sleeps, the other can be set.
function now() {
  return { steady: performance.now(), wall: Date.now() };
}

function sinceS(moment) {
  return Math.max(performance.now() - moment.steady, Date.now() - moment.wall) / 1000;
}
