// What the operator can order: the verbs of the command line, each with the question that comes before it.

import { act, get } from "./api.js";
import { afterSwitch } from "./carry.js";
import { ask } from "./dialog.js";
import { h } from "./dom.js";
import { button, illsOf, ownerOf } from "./groups.js";
import { hearsReports } from "./overview.js";
import { duration } from "./words.js";

const OBJECTIVE_MS = "200";
const MAINTENANCE = "30m";

/** Maintenance, demotion, and what is in force of them. */
export function operatorSection(view) {
  const { maintenance, demoted_by_operator: demoted } = view.status;
  return h(
    "section",
    { "data-key": "operator", "aria-labelledby": "operator-title" },
    h("h2", { id: "operator-title" }, "Maintenance"),
    maintenance
      ? h(
          "p",
          { class: "warn" },
          `In maintenance for another ${duration(maintenance.left_s - view.elapsedS)}: ${maintenance.reason}`,
        )
      : h("p", {}, "Not in maintenance: this node serves, or takes over when it has to."),
    demoted && h("p", { class: "warn" }, `Demoted for ${duration(demoted.age_s + view.elapsedS)}: ${demoted.reason}`),
    h(
      "p",
      { class: "buttons" },
      button("maintenance", maintenance ? "Change Maintenance..." : "Begin Maintenance..."),
      maintenance && button("maintenance-off", "End Maintenance..."),
      demoted ? button("restore", "Restore...") : button("demote", "Demote..."),
    ),
  );
}

/** Those that could be master instead, this node included: [{node, whyNot}]. */
export function candidates(status, group) {
  const own = [...Object.values(group.obstacles), ...illsOf(group)];
  const self = group.state === "master" ? [] : [{ node: status.node, whyNot: own.join("; ") || null }];
  const others = (group.members?.list ?? [])
    .filter((member) => member.state !== "master" || !member.is_fresh)
    .map((member) => ({ node: member.node, whyNot: member.is_ready ? null : member.not_ready.join("; ") }));
  return [...self, ...others];
}

/** The handlers by the name of the button. `page` has view(), say(lines), renew(). */
export function actions(page) {
  const groupOf = (data) => page.view().status.groups.find((group) => String(group.id) === data.group);
  return {
    switch: (data) => askSwitch(page, () => groupOf(data)),
    drill: (data) => askDrill(page, () => groupOf(data)),
    why: (data) => showWhy(page, data.group),
    preempt: (data) => askPreempt(page, () => groupOf(data)),
    maintenance: () => askMaintenance(page),
    "maintenance-off": () =>
      askPlain(
        page,
        "End Maintenance",
        "Priorities count again: this node may take the virtual IP back.",
        "maintenance_off",
      ),
    demote: () => askDemote(page),
    restore: () =>
      askPlain(page, "Restore", "This node is demoted no more and may take the virtual IP back.", "restore"),
  };
}

const NO_GROUP = { body: [h("p", {}, "This group has ended.")], whyNot: "the group is not there any more" };

function noStandby(page, group) {
  if (page.view().isStale) return "the connection to this node is lost";
  if (!hearsReports(group)) return "without a Shared Secret the nodes cannot agree on a switch";
  return standbyOf(page.view().status, group) === null ? "no node is ready to take over" : null;
}

function askSwitch(page, group) {
  ask({
    title: `Switch failover group ${group().id}`,
    confirm: "Switch",
    content: () => {
      if (!group()) return NO_GROUP;
      const { status } = page.view();
      const first = standbyOf(status, group());
      const body = [
        h(
          "p",
          {},
          `${ownerOf(status, group())} has ${group().virtual_ip.join(", ")} now. The other node proves first that it`,
          ` serves; if it does not, nothing changes. Requests that are being answered are finished; ${afterSwitch(group())}`,
        ),
        h(
          "fieldset",
          {},
          h("legend", {}, "Switch to"),
          candidates(status, group()).map((each) => choice(each, each.node === first)),
        ),
      ];
      return { body, whyNot: noStandby(page, group()) };
    },
    done: async (form) => {
      const { to } = Object.fromEntries(new FormData(form));
      if (!to) throw new Error("choose a node that is ready");
      page.say((await act("switch", { group: String(group().id), to })).changes);
    },
  });
}

function choice({ node, whyNot }, isFirst) {
  const radio = h("input", { type: "radio", name: "to", value: node, checked: isFirst, disabled: whyNot !== null });
  return h(
    "label",
    { class: "choice", "data-key": node },
    radio,
    ` ${node}: `,
    h("span", { class: whyNot === null ? "good" : "bad" }, whyNot ?? "ready"),
  );
}

function askDrill(page, group) {
  ask({
    title: `Drill of failover group ${group().id}`,
    confirm: "Begin the drill",
    content: () => {
      if (!group()) return NO_GROUP;
      const ready = candidates(page.view().status, group()).filter((each) => each.whyNot === null);
      const body = [
        h(
          "p",
          {},
          `The virtual IP is switched to the standby (${ready.map((each) => each.node).join(", ") || "none is ready"})`,
          ` and back, and a member measures how long clients notice it. With the first switch ${afterSwitch(group())}`,
        ),
        field("objective_ms", "Objective in milliseconds", OBJECTIVE_MS, { inputmode: "numeric" }),
      ];
      return { body, whyNot: noStandby(page, group()) };
    },
    done: async (form) => {
      const texts = Object.fromEntries(new FormData(form));
      page.say((await act("drill", { group: String(group().id), ...texts })).drill.lines);
    },
  });
}

function askPreempt(page, group) {
  ask({
    title: `Take failover group ${group().id} over now`,
    confirm: "Take over now",
    content: () => ({
      body: [h("p", {}, "This node outranks the master and waits (preempt_delay). It would take over at once.")],
      whyNot: null,
    }),
    done: async () => page.say((await act("preempt", { group: String(group().id) })).changes),
  });
}

function askMaintenance(page) {
  ask({
    title: "Maintenance of this node",
    confirm: "Begin",
    content: () => ({
      body: [
        effect(page.view().status),
        field("duration", "For how long (30m, 2h)", MAINTENANCE),
        field("reason", "Reason", ""),
        h("p", { class: "hint" }, "It survives restarts and ends by itself."),
      ],
      whyNot: null,
    }),
    done: async (form) => page.say((await act("maintenance_on", Object.fromEntries(new FormData(form)))).changes),
  });
}

function askDemote(page) {
  ask({
    title: "Demote this node",
    confirm: "Demote",
    content: () => ({
      body: [
        effect(page.view().status),
        field("reason", "Reason", ""),
        h("p", { class: "hint" }, "Until it is restored, or this node starts again."),
      ],
      whyNot: null,
    }),
    done: async (form) => page.say((await act("demote", Object.fromEntries(new FormData(form)))).changes),
  });
}

function askPlain(page, title, text, verb) {
  ask({
    title,
    confirm: title,
    content: () => ({ body: [h("p", {}, text)], whyNot: null }),
    done: async () => page.say((await act(verb)).changes),
  });
}

/** Group by group, what becomes of it when this node gives way. */
function effect(status) {
  const lines = status.groups.map((group) => h("li", {}, `Group ${group.id}: ${effectText(status, group)}`));
  return h("ul", { class: "effect" }, lines);
}

/** What becomes of one group when this node gives it up. */
export function effectText(status, group) {
  if (group.state !== "master") return `${ownerOf(status, group)} goes on serving; this node is no standby meanwhile.`;
  const standby = standbyOf(status, group);
  return standby === null
    ? "no node is ready to take over: this node goes on serving until one is."
    : `${standby} is ready and takes over.`;
}

/** The first node that could be master instead; null: there is none. */
export function standbyOf(status, group) {
  return candidates(status, group).find((each) => each.whyNot === null)?.node ?? null;
}

/** A labelled input line; what was typed stays when the question is shown anew. */
export function field(name, label, value, attributes = {}) {
  return h(
    "p",
    { class: "field", "data-key": `field-${name}` },
    h("label", { for: `field-${name}` }, label),
    h("input", { id: `field-${name}`, name, value, autocomplete: "off", ...attributes }),
  );
}

async function showWhy(page, group) {
  let lines = ["Asking..."];
  const element = ask({
    title: `Why is group ${group} as it is?`,
    content: () => ({ body: lines.map((line) => h("p", {}, line)), whyNot: null }),
  });
  try {
    const { why } = await get(`/api/why?group=${encodeURIComponent(group)}`);
    lines = why.flatMap((each) => each.sentences);
  } catch (error) {
    lines = [error.message];
  }
  if (element.isConnected) page.renew();
}
