// The health of this proxy, test by test.

import { row, table } from "./groups.js";
import { h } from "./dom.js";
import { duration, milliseconds } from "./words.js";

const COLUMNS = ["Test", "Result", "What was seen", "Took", "Age"];
const INTERVALS_S = { connect: 5, upstream: 10 }; // how often a test is done; the others each second or oftener
const LONGEST_ANSWER_S = 2;

export function healthSection(view) {
  const { hard, soft, tests } = view.status.health;
  const verdict = hard ?? soft;
  const word = view.isStale ? "unknown" : (verdict ?? "well");
  const kind = view.isStale ? "unknown" : verdict ? "bad" : "good";
  return h(
    "section",
    { "data-key": "health", "aria-labelledby": "health-title" },
    h("h2", { id: "health-title" }, "Health of this Proxy"),
    h(
      "p",
      {},
      "The proxy is ",
      h("strong", { class: kind }, word),
      view.isStale ? "." : `; its loop is ${milliseconds(view.status.loop_lag_s * 1000)} late.`,
    ),
    table(
      "health",
      COLUMNS,
      tests.map((test) => testRow(view, test)),
    ),
  );
}

function testRow(view, test) {
  const ageS = test.age_s + view.elapsedS;
  const isOld = view.isStale || ageS > 2 * (INTERVALS_S[test.name] ?? 1) + LONGEST_ANSWER_S;
  return row(`test-${test.name}`, COLUMNS, [
    test.name,
    isOld
      ? h("span", { class: "unknown" }, `unknown, last ${verdictOf(test).word}`)
      : h("span", { class: verdictOf(test).kind }, verdictOf(test).word),
    test.evidence,
    milliseconds(test.duration_s * 1000),
    `${duration(ageS)} ago`,
  ]);
}

function verdictOf({ passed }) {
  if (passed === null) return { kind: "seen", word: "seen" };
  return passed ? { kind: "good", word: "passed" } : { kind: "bad", word: "FAILED" };
}
