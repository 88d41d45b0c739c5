// The table of failover groups, with the columns of the WSA, and the members of each.

import { carryLines } from "./carry.js";
import { hearsReports, serviceState } from "./overview.js";
import { h } from "./dom.js";
import { duration, outageText, reasonText, roleMark, roleOf } from "./words.js";

const COLUMNS = [
  "Failover Group ID",
  "Description",
  "Hostname",
  "Virtual IP/netmask",
  "Interface",
  "Priority",
  "Advertisement interval",
  "Status",
  "Owner",
  "Actions",
];

/** `configuration` is null until it is known; groups that it has and the node has not wait for Commit Changes. */
export function groupsSection(view, configuration) {
  const running = view.status.groups;
  const waiting = (configuration?.groups ?? []).filter((form) => !running.some((group) => group.id === form.id));
  const rows = [
    ...running.map((group) => groupRow(view, group, configuration)),
    ...waiting.map((form) => waitingRow(form, configuration)),
  ];
  return h(
    "section",
    { class: "wide", "data-key": "groups", "aria-labelledby": "groups-title" },
    h("h2", { id: "groups-title" }, "Failover Groups"),
    rows.length === 0 ? emptyState() : table("groups", COLUMNS, rows),
    h(
      "p",
      { class: "buttons" },
      editButton("add", "Add Failover Group...", configuration),
      button("refresh", "Refresh Status"),
    ),
    configuration &&
      !configuration.writable &&
      h("p", { class: "why-not" }, `Add, Edit and Delete are off: ${configuration.why_not}`),
  );
}

function emptyState() {
  return h(
    "div",
    { class: "empty" },
    h("p", { class: "big" }, "No failover group yet"),
    h(
      "p",
      {},
      "A failover group is one virtual IP address that several hosts share. Add the first one, then do the same on the",
      " other host with another priority.",
    ),
    h(
      "p",
      {},
      "Before that, ",
      h("code", {}, "wsa-proxy doctor FILE"),
      ' says whether this host and its network are ready for it; see "doctor" in the documentation.',
    ),
  );
}

function groupRow(view, group, configuration) {
  const isStranger = configuration !== null && !configuration.groups.some((form) => form.id === group.id);
  return row(`group-${group.id}`, COLUMNS, [
    editLink(group.id, configuration),
    group.description,
    breakable(group.hostname),
    lines(group.virtual_ip),
    group.interface,
    [String(group.priority), h("small", {}, `(advskew ${group.advskew})`)],
    `${group.advertisement_interval_s} s`,
    statusCell(view, group, isStranger),
    ownerCell(view, group),
    actionsCell(view, group, configuration, isStranger),
  ]);
}

function statusCell(view, group, isStranger) {
  const role = roleOf(group.state);
  if (view.isStale) {
    return [roleMark("unknown"), h("small", {}, `last seen ${role.toUpperCase()}, ${duration(view.elapsedS)} ago`)];
  }
  const waits = group.preemption?.waits_s;
  return [
    roleMark(role),
    h("small", {}, `for ${duration(group.age_s + view.elapsedS)}: ${reasonText(group.reason)}`),
    Number.isFinite(waits) &&
      h("small", {}, `takes over in ${duration(Math.max(0, waits - view.elapsedS))} (preempt_delay)`),
    carryLines(view, group),
    isStranger && h("small", { class: "pending" }, "will end with Commit Changes"),
  ];
}

function ownerCell(view, group) {
  const service = serviceState(view, group);
  const outage = group.last_outage;
  return [
    h("span", {}, view.isStale ? "unknown" : ownerOf(view.status, group)),
    h("small", { class: service.kind }, service.word),
    outage &&
      h(
        "small",
        { title: outage.how },
        `last outage ${outageText(outage)}, ${duration(outage.age_s + view.elapsedS)} ago`,
      ),
  ];
}

/** Why this node would not serve well, in words. A group that was switched away from it has a healthy standby in it. */
export function illsOf(group) {
  const { switch: _intended, ...ills } = group.demoted_by ?? {};
  return Object.values(ills);
}

/** The node that holds the virtual IP, as far as this one knows. */
export function ownerOf(status, group) {
  if (group.state === "master") return `${status.node} (this node)`;
  const masters = (group.members?.list ?? []).filter((member) => member.is_fresh && member.state === "master");
  return masters.map((member) => member.node).join(", ") || group.last_master || "nobody known";
}

function actionsCell(view, group, configuration, isStranger) {
  const waits = Number.isFinite(group.preemption?.waits_s);
  return h(
    "span",
    { class: "row-buttons" },
    button("switch", "Switch to...", { group: group.id }),
    button("drill", "Drill...", { group: group.id }),
    waits && button("preempt", "Take over now", { group: group.id }),
    button("why", "Why?", { group: group.id }),
    isStranger
      ? button("delete", "Delete...", { group: group.id }, "it ends with Commit Changes already")
      : editButton("delete", "Delete...", configuration, { group: group.id }),
  );
}

function waitingRow(form, configuration) {
  return row(`group-${form.id}`, COLUMNS, [
    editLink(form.id, configuration),
    form.description,
    breakable(form.hostname),
    lines(form.virtual_ip),
    form.interface === "auto" ? "automatically" : form.interface,
    String(form.priority),
    `${form.advertisement_interval} s`,
    h("span", { class: "pending" }, "begins with Commit Changes"),
    "",
    h("span", { class: "row-buttons" }, editButton("delete", "Delete...", configuration, { group: form.id })),
  ]);
}

function editLink(id, configuration) {
  const form = configuration?.groups.find((each) => each.id === id);
  if (!configuration?.writable || !form?.editable) return String(id);
  return h(
    "button",
    {
      type: "button",
      class: "link",
      "data-action": "edit",
      "data-group": id,
      "aria-label": `Edit failover group ${id}`,
    },
    String(id),
  );
}

function editButton(action, text, configuration, data = {}) {
  return button(
    action,
    text,
    data,
    configuration?.writable ? null : (configuration?.why_not ?? "the configuration is not known yet"),
  );
}

/** A button that page.js knows by its `data-action`; with `whyNot` it is off, and says so. */
export function button(action, text, data = {}, whyNot = null) {
  const attributes = Object.fromEntries(Object.entries(data).map(([name, value]) => [`data-${name}`, value]));
  return h(
    "button",
    { type: "button", "data-action": action, disabled: whyNot !== null, title: whyNot, ...attributes },
    text,
  );
}

const MEMBER_COLUMNS = ["Group", "Node", "Address", "Role", "Priority", "Could take over", "Version", "Clock", "Heard"];

/** Every node of every group, this one first. */
export function membersSection(view) {
  if (view.status.groups.length === 0) return null;
  const rows = view.status.groups.flatMap((group) => [
    ownRow(view, group),
    ...(group.members?.list ?? []).map((member) => memberRow(view, group, member)),
  ]);
  const silent = view.status.groups.filter((group) => !hearsReports(group)).map((group) => group.id);
  return h(
    "section",
    { class: "wide", "data-key": "members", "aria-labelledby": "members-title" },
    h("h2", { id: "members-title" }, "Members"),
    rows.length > 0 && table("members", MEMBER_COLUMNS, rows),
    silent.length > 0 &&
      h(
        "p",
        { class: "why-not" },
        `Without a Shared Secret the nodes of group ${silent.join(", ")} do not report to each other.`,
      ),
  );
}

function ownRow(view, group) {
  const { status } = view;
  const wrong = [...Object.entries(group.obstacles).map(([name, reason]) => `${name}: ${reason}`), ...illsOf(group)];
  return row(`member-${group.id}-self`, MEMBER_COLUMNS, [
    String(group.id),
    h("strong", {}, `${status.node} (this node)`),
    "",
    roleMark(view.isStale ? "unknown" : roleOf(group.state)),
    String(group.priority),
    view.isStale ? "unknown" : fitText(wrong, group.state),
    status.version,
    "",
    view.isStale ? `${duration(view.elapsedS)} ago` : "now",
  ]);
}

function memberRow(view, group, member) {
  const isKnown = member.is_fresh && !view.isStale;
  const role = roleOf(member.state);
  const heard = member.age_s === null ? "not believed yet" : `${duration(member.age_s + view.elapsedS)} ago`;
  const last = !isKnown && h("small", {}, `last seen ${role.toUpperCase()}`);
  return row(`member-${group.id}-${member.life}`, MEMBER_COLUMNS, [
    String(group.id),
    member.node,
    member.address,
    [roleMark(isKnown ? role : "unknown"), last],
    String(member.priority),
    view.isStale ? "unknown" : fitText(member.not_ready, member.state),
    member.versions["wsa-proxy"] ?? "",
    `${member.clock_offset_s >= 0 ? "+" : ""}${member.clock_offset_s.toFixed(3)} s`,
    heard,
  ]);
}

function fitText(wrong, state) {
  if (wrong.length > 0) return h("span", { class: "bad" }, `no: ${wrong.join("; ")}`);
  return state === "master" ? "it serves" : h("span", { class: "good" }, "yes");
}

/** A name that is broken at its dots first, where it has to be. */
function breakable(name) {
  return name.split(/(?<=\.)/).flatMap((label) => [label, h("wbr")]);
}

function lines(texts) {
  return [].concat(texts).map((text) => h("span", { class: "line" }, text));
}

/** A table that is read out as one, also where a narrow screen makes cards of its rows. */
export function table(name, columns, rows) {
  return h(
    "table",
    { class: `cards ${name}`, role: "table" },
    h(
      "thead",
      { role: "rowgroup" },
      h(
        "tr",
        { role: "row" },
        columns.map((column) => h("th", { role: "columnheader", scope: "col" }, column)),
      ),
    ),
    h("tbody", { role: "rowgroup" }, rows),
  );
}

/** One row; each cell knows the name of its column. */
export function row(key, columns, cells) {
  return h(
    "tr",
    { role: "row", "data-key": key },
    cells.map((cell, index) => h("td", { role: "cell", "data-label": columns[index] }, cell)),
  );
}
