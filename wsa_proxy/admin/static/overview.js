// The top line: this node, the service, the redundancy; and what the tab of the browser shows of them.

import { h } from "./dom.js";
import { counted, duration, milliseconds, reasonText, roleMark, roleOf } from "./words.js";

/** This node: its role in a big word, since when, why. With several groups, how many it has of each role. */
export function nodePanel(view) {
  const { status } = view;
  const groups = status.groups;
  const roles = rolesOf(groups);
  const words = [...roles].map(([role, of]) =>
    h(
      "p",
      { class: "big" },
      roleMark(view.isStale ? "unknown" : role),
      groups.length > 1 && h("span", { class: "of" }, ` ${of.join(", ")}`),
    ),
  );
  const lines =
    groups.length === 1
      ? [sinceLine(view, groups[0])]
      : [h("p", {}, groups.length ? `${counted(groups.length, "failover group")}, see below` : "it has no virtual IP")];
  const last = h("p", {}, `last seen ${[...roles.keys()].join(", ").toUpperCase()}, ${duration(view.elapsedS)} ago`);
  return panel(
    "This node",
    h("p", { class: "name" }, status.node),
    words.length ? words : h("p", { class: "big" }, "no group"),
    view.isStale ? last : lines,
  );
}

function sinceLine(view, group) {
  const since = `for ${duration(group.age_s + view.elapsedS)}: ${reasonText(group.reason)}`;
  return h("p", {}, since, group.evidence && h("span", { class: "evidence" }, ` (${group.evidence})`));
}

/** Role by role, in the order of their weight, the ids of the groups that have it. */
function rolesOf(groups) {
  const roles = new Map();
  for (const role of ["master", "backup", "init", "unknown"]) {
    const ids = groups.filter((group) => roleOf(group.state) === role).map((group) => group.id);
    if (ids.length) roles.set(role, ids.length > 8 ? [`${ids.length} groups`] : ids.map((id) => `group ${id}`));
  }
  return roles;
}

/** Whether the virtual IP answers, how fast, and when that was looked at. */
export function servicePanel(view) {
  const groups = view.status.groups;
  if (groups.length === 0) return panel("Service", h("p", { class: "big" }, "none"));
  const states = groups.map((group) => serviceState(view, group));
  const answering = states.filter((each) => each.kind === "good").length;
  const worst =
    states.find((each) => each.kind === "bad") ?? states.find((each) => each.kind === "unknown") ?? states[0];
  const word = groups.length === 1 || answering === 0 ? worst.word : `${answering} of ${groups.length} answer`;
  return panel("Service", h("p", { class: `big ${worst.kind}` }, word), h("p", {}, worst.line));
}

/** {kind: good | bad | unknown, word, line} of one group's virtual IP. */
export function serviceState(view, group) {
  const service = group.service;
  if (!service)
    return { kind: "unknown", word: "unknown", line: `whether ${group.virtual_ip[0]} answers is not known yet` };
  const ageS = service.age_s + view.elapsedS;
  const seen = `${service.address}, checked ${duration(ageS)} ago`;
  if (view.isStale || ageS > 2 * Math.max(1, group.advertisement_interval_s)) {
    return {
      kind: "unknown",
      word: "unknown",
      line: `${service.address} last seen ${service.answers ? "answering" : "silent"}, ${duration(ageS)} ago`,
    };
  }
  if (!service.answers) return { kind: "bad", word: "no answer", line: `${seen}: ${service.evidence}` };
  return { kind: "good", word: `answers, ${milliseconds(service.ms)}`, line: seen };
}

/** Whether it is known who else is in the group: without a Shared Secret it never is. */
export function hearsReports(group) {
  return Number.isFinite(group.members?.redundancy.healthy_standbys);
}

/** How many nodes could serve, of how many; LOST when no other one could. */
export function redundancyPanel(view) {
  if (view.status.groups.length === 0) return panel("Redundancy", h("p", { class: "big" }, "none"));
  const known = view.status.groups.filter(hearsReports);
  if (known.length === 0)
    return unknownRedundancy("without a Shared Secret the nodes tell each other nothing");
  if (view.isStale) return unknownRedundancy(`last seen ${duration(view.elapsedS)} ago`);
  const lost = known.filter((group) => group.members.redundancy.lost_s !== null);
  if (lost.length > 0) {
    const { lost_s: lostS, why } = lost[0].members.redundancy;
    const of = view.status.groups.length > 1 ? `group ${lost.map((group) => group.id).join(", ")}, ` : "";
    return panel(
      "Redundancy",
      h("p", { class: "big bad" }, "LOST"),
      h("p", {}, `${of}for ${duration(lostS + view.elapsedS)}: ${why}`),
    );
  }
  const least = known.reduce((one, other) => (healthyOf(other).healthy < healthyOf(one).healthy ? other : one));
  const { healthy, all } = healthyOf(least);
  const standbys = least.members.list
    .filter((member) => member.is_ready && member.state !== "master")
    .map((member) => member.node);
  const self = least.state === "backup" ? "this node is the standby" : "no standby was heard yet";
  const line = standbys.length ? `standby: ${standbys.join(", ")}` : self;
  return panel(
    "Redundancy",
    h("p", { class: `big ${healthy < Math.max(all, 2) ? "some" : "good"}` }, `${healthy} of ${all} healthy`),
    h("p", {}, line),
  );
}

function unknownRedundancy(why) {
  return panel("Redundancy", h("p", { class: "big unknown" }, "unknown"), h("p", {}, why));
}

/** The master and those that could take over from it, of all that are known. */
function healthyOf(group) {
  const all = 1 + group.members.list.filter((member) => !member.left).length;
  return { healthy: Math.min(all, 1 + group.members.redundancy.healthy_standbys), all };
}

function panel(title, ...content) {
  return h("section", { class: "panel", "data-key": title }, h("h2", {}, title), content);
}

/** The tab: the role as a word in its title and as a letter in its picture. */
export function showInTab(view, warnings) {
  const roles = view.status ? [...rolesOf(view.status.groups).keys()] : [];
  const role = view.isStale ? "unknown" : (roles[0] ?? "unknown");
  const count = warnings > 0 && !view.isStale ? `(${warnings}) ` : "";
  const words = view.isStale ? "UNKNOWN" : roles.join(" + ").toUpperCase() || "NO GROUP";
  const title = `${count}${words} ${view.status?.node ?? ""} - High Availability`;
  if (document.title !== title) document.title = title;
  const icon = document.getElementById("favicon");
  const picture = `data:image/svg+xml,${encodeURIComponent(faviconOf(role))}`;
  if (icon.getAttribute("href") !== picture) icon.setAttribute("href", picture);
}

const ICONS = { master: ["#18794e", "M"], backup: ["#0b62b0", "B"], init: ["#9a5b00", "I"], unknown: ["#6b7280", "?"] };

function faviconOf(role) {
  const [colour, letter] = ICONS[role];
  const frame =
    role === "backup"
      ? `<rect x="4" y="4" width="24" height="24" rx="4" fill="none" stroke="#fff" stroke-width="2"/>`
      : "";
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">` +
    `<rect width="32" height="32" rx="6" fill="${colour}"/>${frame}` +
    `<text x="16" y="23" font-family="sans-serif" font-size="20" font-weight="bold" text-anchor="middle" fill="#fff">` +
    `${letter}</text></svg>`
  );
}
