// Submit, then Commit Changes: what was submitted waits, and is shown as a diff of the file, until it is committed.

import { act, send } from "./api.js";
import { change } from "./change.js";
import { ask } from "./dialog.js";
import { h } from "./dom.js";
import { effectText, standbyOf } from "./actions.js";
import { askGroup } from "./group_form.js";
import { button } from "./groups.js";
import { counted, moment } from "./words.js";

const HANDLING = { preemptive: "Preemptive", "non-preemptive": "Non-preemptive" };
const MEANING = {
  preemptive: "the node with the highest priority takes over when it comes back",
  "non-preemptive": "the master stays master for as long as it is well",
};

/** The yellow bar; nothing when nothing waits. */
export function pendingBar(configuration) {
  const pending = configuration?.pending;
  if (!pending || pending.changes.length === 0) return null;
  return h(
    "section",
    { class: "pending-bar", "data-key": "pending", "aria-labelledby": "pending-title" },
    h("h2", { id: "pending-title" }, "Uncommitted changes"),
    begunBy(pending),
    h(
      "ul",
      {},
      [...pending.changes, ...warningsOf(pending)].map((sentence) => h("li", {}, sentence)),
    ),
    h("details", { open: true }, h("summary", {}, `What changes in ${configuration.file}`), diffText(pending.diff)),
    h("p", { class: "buttons" }, button("commit", "Commit Changes"), button("abandon", "Abandon Changes...")),
  );
}

function begunBy({ by, since }) {
  return by && h("p", {}, `Begun by ${by}, `, moment(since), ".");
}

/** What is worth a second look: before changes are committed, and after. */
function warningsOf({ warnings = [], trouble = null }) {
  return [...(trouble ? [trouble] : []), ...warnings].map((text) => `Warning: ${text}`);
}

function diffText(diff) {
  const kinds = { "+": "added", "-": "removed", "@": "place" };
  const kindOf = (line) => (/^(---|\+\+\+) /.test(line) ? "place" : (kinds[line[0]] ?? "same"));
  return h(
    "pre",
    { class: "diff", tabindex: 0 },
    diff
      .trimEnd()
      .split("\n")
      .map((line) => h("span", { class: kindOf(line) }, `${line}\n`)),
  );
}

/** High Availability Global Settings. */
export function globalSection(view, configuration) {
  const whyNot = configuration?.writable ? null : (configuration?.why_not ?? "the configuration is not known yet");
  const handling = configuration?.failover_handling ?? view.status.failover_handling;
  const isPending = handling !== view.status.failover_handling;
  return h(
    "section",
    { "data-key": "global", "aria-labelledby": "global-title" },
    h("h2", { id: "global-title" }, "High Availability Global Settings"),
    h(
      "dl",
      {},
      h("dt", {}, "Failover Handling"),
      h(
        "dd",
        {},
        HANDLING[view.status.failover_handling],
        isPending && h("small", { class: "pending" }, ` ${HANDLING[handling]} after Commit Changes`),
      ),
      configuration && [h("dt", {}, "File"), h("dd", {}, configuration.file)],
      pacLines(view.status),
    ),
    h(
      "p",
      { class: "buttons" },
      button("global", "Edit Settings...", {}, whyNot),
      button("reload", "Read the file again..."),
    ),
    whyNot && h("p", { class: "why-not" }, `Edit Settings is off: ${whyNot}`),
  );
}

function pacLines({ pac }) {
  return pac && [h("dt", {}, "PAC file"), h("dd", {}, `${pac.url}, served ${counted(pac.served, "time")}`)];
}

/**
 * The handlers by the name of the button. `page` has view(), configuration(), taken(configuration), say(lines), and
 * readConfiguration(), which asks for it anew.
 */
export function editing(page) {
  const formOf = (data) => page.configuration().groups.find((form) => String(form.id) === data.group);
  return {
    add: () => askGroup(page, null),
    edit: (data) => askGroup(page, formOf(data)),
    delete: (data) => askDelete(page, data.group),
    global: () => askGlobal(page),
    commit: () => askCommit(page),
    abandon: () => askAbandon(page),
    reload: () => askReload(page),
  };
}

function askDelete(page, id) {
  const { revision } = page.configuration();
  ask({
    title: `Delete Failover Group ${id}`,
    confirm: "Delete",
    danger: true,
    content: () => {
      const { status } = page.view();
      const group = status.groups.find((each) => String(each.id) === id);
      const body = [
        h("p", {}, "It waits for Commit Changes, as every change does. Then this node takes part in it no more."),
      ];
      if (group) body.push(h("p", {}, `With Commit Changes: ${effectOfDelete(status, group)}`));
      return { body, whyNot: null };
    },
    done: () => change(page, "DELETE", `/api/configuration/groups/${id}?revision=${revision}`),
  });
}

function effectOfDelete(status, group) {
  return group.state === "master" && standbyOf(status, group) === null
    ? `no node is ready to take over: nobody serves ${group.virtual_ip.join(", ")} any more.`
    : effectText(status, group);
}

function askGlobal(page) {
  const { failover_handling: chosen, revision } = page.configuration();
  const choice = ([value, text]) =>
    h(
      "label",
      { class: "choice" },
      h("input", { type: "radio", name: "failover_handling", value, checked: value === chosen }),
      ` ${text}: ${MEANING[value]}`,
    );
  ask({
    title: "Edit High Availability Global Settings",
    confirm: "Submit",
    content: () => ({
      body: [h("fieldset", {}, h("legend", {}, "Failover Handling"), Object.entries(HANDLING).map(choice))],
      whyNot: null,
    }),
    done: (form) =>
      change(page, "PUT", "/api/configuration/global", { ...Object.fromEntries(new FormData(form)), revision }),
  });
}

function askCommit(page) {
  ask({
    title: "Commit Changes",
    confirm: "Commit Changes",
    content: () => {
      const { changes, effects = [] } = page.configuration().pending;
      const sentences = effects.length > 0 ? effects : changes;
      const body = [
        h("p", {}, "The file is written, and this node takes it at once:"),
        h(
          "ul",
          {},
          sentences.map((sentence) => h("li", {}, sentence)),
        ),
      ];
      return { body, whyNot: null };
    },
    done: async () => {
      // Of what is shown in this moment: the question is made anew with each configuration.
      const { revision } = page.configuration();
      try {
        const report = await send("POST", "/api/configuration/commit", { revision });
        page.say([...report.changes, ...warningsOf(report)]);
      } finally {
        await page.readConfiguration();
      }
    },
  });
}

function askAbandon(page) {
  ask({
    title: "Abandon Changes",
    confirm: "Abandon Changes",
    danger: true,
    content: () => ({
      body: [h("p", {}, "What was submitted and not committed is forgotten. The file stays as it is.")],
      whyNot: null,
    }),
    done: () => {
      const { revision } = page.configuration();
      return change(page, "POST", "/api/configuration/abandon", { revision });
    },
  });
}

function askReload(page) {
  ask({
    title: "Read the file again",
    confirm: "Read it again",
    content: () => ({
      body: [
        h(
          "p",
          {},
          "What has changed in the file is taken, and only that; what is wrong with it is said, and changes nothing.",
        ),
      ],
      whyNot: null,
    }),
    done: async () => {
      const report = await act("reload");
      if (report.errors?.length > 0) throw new Error(report.errors.join("; "));
      page.say([...report.changes, ...warningsOf(report)]);
      await page.readConfiguration();
    },
  });
}
