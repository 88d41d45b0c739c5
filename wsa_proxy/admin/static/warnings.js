// What is wrong, in words, each with what to do about it: as the node says it, here and on the command line.

import { h } from "./dom.js";
import { duration } from "./words.js";

const CLASSES = { error: "bad", warning: "warn", note: "note" };

/** How many there are to mend; a note is not one. */
export function countOf(status) {
  return warningsOf(status).filter((warning) => warning.severity !== "note").length;
}

/** The worst stand first. Nothing where there are none. */
export function warningsSection(view) {
  const warnings = warningsOf(view.status);
  if (warnings.length === 0) return null;
  const title = view.isStale ? `Warnings, ${duration(view.elapsedS)} old` : "Warnings";
  return h(
    "section",
    { class: "warnings", "data-key": "warnings", "aria-labelledby": "warnings-title" },
    h("h2", { id: "warnings-title" }, title),
    h("ul", {}, warnings.map(warningLine)),
  );
}

function warningsOf(status) {
  return status.warnings ?? []; // a node of an earlier version tells none
}

/** `kind` is the word under which the documentation explains it. */
function warningLine({ kind, severity, group, text, fix, doc }) {
  const sentence = group === null ? text.charAt(0).toUpperCase() + text.slice(1) : `Group ${group}: ${text}`;
  return h(
    "li",
    { class: CLASSES[severity] ?? "warn" },
    h("strong", {}, sentence),
    h("small", { title: doc }, ` ${kind}`),
    fix && h("span", { class: "fix" }, fix),
  );
}
