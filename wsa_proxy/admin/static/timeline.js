// The history as a picture: a lane for each group, in which every stretch of time has its role's colour and letter.

import { h, svg } from "./dom.js";
import { moment, reasonText, roleOf } from "./words.js";

const LANE = 28;
const BAR = 22;
const SHARE_MIN = 0.2; // per cent of the width: so short a stretch is still seen
const LETTER_SHARE = 4; // per cent: a narrower one has no room for its letter, on a phone

/** The group of events that concern all of them: the node has started, or stopped in order. */
export const WHOLE_NODE = 0;
const ROLE_AFTER = { started: "init", stopped: "unknown" };

/** How much of the past is shown, by its name in the menu. */
export const SPANS_S = { "last 10 minutes": 600, "last hour": 3600, "last day": 86400, "last week": 604800 };

/**
 * [{from, to, role, event, isUnsure}] of one group within the span, in milliseconds, the oldest first. `events` are the
 * newest first; what was before the oldest that is known is told by its `from`. Unsure is a stretch in which the
 * process ended without a word: nobody knows when.
 */
export function stretches(events, group, fromMs, toMs, stateNow) {
  const changes = events
    .filter((event) => event.group === group || event.group === WHOLE_NODE)
    .map((event) => ({ at: Date.parse(event.at), event }))
    .filter((change) => change.at <= toMs)
    .reverse();
  const found = [];
  let role = changes.length ? roleOf(changes[0].event.from) : roleOf(stateNow); // before a start: nobody knows
  let since = fromMs;
  let cause = null;
  for (const { at, event } of changes) {
    const isUnsure = event.to === "started" && role !== "unknown";
    if (at > since) found.push({ from: since, to: at, role, event: cause, isUnsure });
    since = Math.max(at, fromMs);
    role = ROLE_AFTER[event.to] ?? roleOf(event.to);
    cause = event;
  }
  found.push({ from: since, to: toMs, role, event: cause, isUnsure: false });
  return found;
}

/** The picture. One stretch of each lane is reached with Tab, the others from there with the arrow keys. */
export function timeline(view, events, span) {
  const toMs = Date.now();
  const fromMs = toMs - SPANS_S[span] * 1000;
  const groups = view.status.groups;
  const lanes = groups.map((group, index) =>
    lane(stretches(events, group.id, fromMs, toMs, group.state), group, index, fromMs, toMs),
  );
  return h(
    "figure",
    { class: "timeline", "data-key": "timeline" },
    svg(
      "svg",
      { width: "100%", height: groups.length * LANE, role: "group", "aria-label": `Roles of this node, ${span}` },
      lanes,
    ),
    h(
      "p",
      { class: "axis", "aria-hidden": "true" },
      h("span", {}, moment(new Date(fromMs).toISOString())),
      h("span", {}, "now"),
    ),
    h(
      "figcaption",
      { id: "timeline-detail", "data-keep": true, "aria-live": "polite" },
      "Point at a stretch, or reach it with Tab and the arrow keys, to read why it began.",
    ),
  );
}

function lane(found, group, index, fromMs, toMs) {
  const x = (at) => ((at - fromMs) / (toMs - fromMs)) * 100;
  return svg(
    "g",
    { "data-key": `lane-${group.id}`, "data-lane": group.id },
    found.map((each, place) => {
      const width = Math.max(SHARE_MIN, x(each.to) - x(each.from));
      const text = stretchText(each, group.id);
      return svg(
        "g",
        {
          class: `stretch ${each.role}${each.isUnsure ? " unsure" : ""}`,
          "data-key": each.event ? `event-${each.event.number}` : "first",
          tabindex: place === found.length - 1 ? 0 : -1,
          role: "img",
          "aria-label": text,
          "data-detail": text,
        },
        svg("title", {}, text),
        svg("rect", {
          x: `${x(each.from).toFixed(2)}%`,
          y: index * LANE + 3,
          width: `${width.toFixed(2)}%`,
          height: BAR,
        }),
        width > LETTER_SHARE &&
          svg("text", { x: `${x(each.from).toFixed(2)}%`, dx: 5, y: index * LANE + 19 }, each.role[0].toUpperCase()),
      );
    }),
  );
}

function stretchText({ role, from, to, event, isUnsure }, group) {
  const since = moment(new Date(event ? Date.parse(event.at) : from).toISOString()).textContent;
  const why = event ? `: ${event.sentence ?? reasonText(event.reason)}` : ", or longer";
  const end = isUnsure
    ? ` Its process ended at some time before ${moment(new Date(to).toISOString()).textContent}.`
    : "";
  return `Group ${group}: ${role.toUpperCase()} since ${since}${why}${end}`;
}
