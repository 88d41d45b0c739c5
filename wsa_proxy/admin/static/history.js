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
    events.hasMore && h("p", { class: "buttons" }, button("older", "Show older")),
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
