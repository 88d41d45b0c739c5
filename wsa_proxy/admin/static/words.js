// The status document's values in words for people.

import { h, svg } from "./dom.js";

const REASONS = {
  starting: "the node is starting",
  ready: "the proxy has proven that it serves",
  master_silent: "the master was not heard any more",
  master_bowed_out: "the master took its leave",
  master_hopeless: "the master advertises too rarely to be waited for",
  master_demoted: "the master before was demoted",
  preempted_inferior_master: "this node has the higher priority",
  better_advertisement_received: "a better node is master",
  equal_advertisement_received: "a node of equal rank is master",
  overslept: "the proxy stood still and woke up",
  address_answered_by_another_host: "another host answers for the virtual IP",
};

/** The protocol's word for why a state was taken, as a part of a sentence; an unknown word is shown as it is. */
export function reasonText(reason) {
  return REASONS[reason] ?? String(reason ?? "").replaceAll("_", " ");
}

/** Seconds as "0.4 s", "3 min 20 s", "5 h 10 min", "3 d 2 h". */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "?";
  if (seconds < 60) return `${Math.max(0, seconds).toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** Milliseconds as "3 ms" or "1.2 s". */
export function milliseconds(value) {
  if (!Number.isFinite(value)) return "?";
  return value < 1000
    ? `${value < 10 ? Number(value.toFixed(1)) : Math.round(value)} ms`
    : `${(value / 1000).toFixed(1)} s`;
}

/** A measured outage: "12 ms", or "10 to 30 ms" where it is only known between two bounds. */
export function outageText(outage) {
  const [least, most] = [milliseconds(outage.ms_min), milliseconds(outage.ms_max)];
  const sameUnit = least.split(" ")[1] === most.split(" ")[1];
  return least === most ? most : `${sameUnit ? least.split(" ")[0] : least} to ${most}`;
}

/** A moment in the browser's own time zone; the exact text of the node is in its title. */
export function moment(iso) {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return h("span", {}, iso);
  return h("time", { datetime: at.toISOString(), title: `${at.toISOString()} (UTC)` }, localTime(at));
}

function localTime(at) {
  const two = (number) => String(number).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** "1 group", "2 groups". */
export function counted(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

export const ROLES = new Set(["master", "backup", "init"]);

/** One of master, backup, init, unknown, whatever the document says. */
export function roleOf(state) {
  return ROLES.has(state) ? state : "unknown";
}

// A role is told by its word, its shape and its colour, so no reader needs the colour.
const SHAPES = {
  master: ["circle", { cx: 8, cy: 8, r: 6.5, fill: "currentColor" }],
  backup: ["circle", { cx: 8, cy: 8, r: 5, fill: "none", stroke: "currentColor", "stroke-width": 3 }],
  init: ["path", { d: "M8 2 15 14H1Z", fill: "none", stroke: "currentColor", "stroke-width": 2 }],
  unknown: ["path", { d: "M2 8h2M7 8h2M12 8h2", stroke: "currentColor", "stroke-width": 2.5 }],
};

/** The shape and the word of a role. */
export function roleMark(role) {
  const [shape, attributes] = SHAPES[role];
  const picture = svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true", class: "shape" }, svg(shape, attributes));
  return h("span", { class: `role ${role}` }, picture, h("span", {}, role.toUpperCase()));
}
