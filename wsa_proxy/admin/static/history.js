// What has happened: the timeline, and each event with cause, evidence, who ordered it, and what clients noticed.

import { h } from "./dom.js";
import { button, row, table } from "./groups.js";
import { SPANS_S, WHOLE_NODE, timeline } from "./timeline.js";
import { moment, outageText, reasonText } from "./words.js";

const COLUMNS = ["When", "Group", "Change", "Cause", "Evidence", "Ordered by", "Outage"];
const LEGEND = { master: "M master", backup: "B backup", init: "I init", unknown: "U unknown: not running" };
const KEPT_MAX = 1000;
export const PAGE = 50;

/** The events that are known here, the newest first. */
export class Events {
  constructor() {
    this.list = [];
    this.hasMore = false;
    this.trouble = null;
  }

  /** Add some, in any order; what is known already, by its number, is replaced: an outage is measured later. */
  add(events) {
    const known = new Map([...this.list, ...events].map((event) => [event.number, event]));
    this.list = [...known.values()].sort((one, other) => other.number - one.number).slice(0, KEPT_MAX);
  }

  /** A page of it, as it was asked for: the newest ones, or those before the oldest that is known. */
  take(page) {
    const reached = this.oldest;
    const isFull = page.length === PAGE;
    const last = page.at(-1)?.number;
    const older = this.list.filter((event) => event.number < last);
    // What has happened between is not known: what is before it would be shown as if nothing had.
    if (isFull && older.length > 0 && older[0].number !== last - 1)
      this.list = this.list.filter((event) => event.number >= last);
    this.add(page);
    if (this.oldest !== reached || page.length === 0) this.hasMore = isFull;
  }

  get oldest() {
    return this.list.at(-1)?.number ?? "";
  }
}

export function historySection(view, events, span) {
  const options = Object.keys(SPANS_S).map((each) => h("option", { value: each, selected: each === span }, each));
  return h(
    "section",
    { class: "wide", "data-key": "history", "aria-labelledby": "history-title" },
    h("h2", { id: "history-title" }, "History"),
    h(
      "p",
      {},
      h("label", {}, "Show the ", h("select", { id: "span" }, options)),
      legend(),
      h("small", {}, `Times are this browser's, ${zone()}.`),
    ),
    view.status.groups.length > 0 && timeline(view, events.list, span),
    events.trouble && h("p", { class: "bad" }, `The history cannot be read: ${events.trouble}`),
    events.list.length > 0 && table("history", COLUMNS, events.list.map(eventRow)),
    events.list.length === 0 && !events.trouble && h("p", {}, "Nothing has happened yet."),
    events.hasMore && events.list.length < KEPT_MAX && h("p", { class: "buttons" }, button("older", "Show older")),
    events.hasMore && events.list.length >= KEPT_MAX && h("p", {}, "What is older: ", h("code", {}, "wsa-proxy history")),
  );
}

function legend() {
  return h(
    "span",
    { class: "legend" },
    Object.entries(LEGEND).map(([role, text]) => h("span", { class: `key ${role}` }, text)),
  );
}

function zone() {
  const minutes = -new Date().getTimezoneOffset();
  const two = (number) => String(number).padStart(2, "0");
  const offset = Math.abs(minutes);
  return minutes === 0 ? "UTC" : `UTC${minutes < 0 ? "-" : "+"}${two(Math.floor(offset / 60))}:${two(offset % 60)}`;
}

function eventRow(event) {
  const change = event.from ? `${event.from} \u2192 ${event.to}` : event.to;
  const cause = event.sentence ?? reasonText(event.reason);
  return row(`history-${event.number}`, COLUMNS, [
    moment(event.at),
    event.group === WHOLE_NODE ? "all" : String(event.group),
    change,
    cause,
    event.evidence && h("small", {}, event.evidence),
    event.who ?? "",
    event.outage ? h("span", { title: event.outage.how }, outageText(event.outage)) : "",
  ]);
}
