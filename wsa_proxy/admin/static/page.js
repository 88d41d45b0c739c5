// The page: asks the node for its news, and shows all parts anew with each of them.

import { actions, operatorSection } from "./actions.js";
import { get, openSession, send } from "./api.js";
import { renewDialog, tellWith } from "./dialog.js";
import { h, renew } from "./dom.js";
import { editing, globalSection, pendingBar } from "./editing.js";
import { groupsSection, membersSection } from "./groups.js";
import { healthSection } from "./health.js";
import { Events, PAGE, historySection } from "./history.js";
import { Live } from "./live.js";
import { nodePanel, redundancyPanel, servicePanel, showInTab } from "./overview.js";
import { countOf, warningsSection } from "./warnings.js";
import { duration, roleMark, roleOf } from "./words.js";

const LOOK_MS = 250;
const LOST = "connection lost, trying again";
const CONFIGURATION_MS = 15000; // somebody else may have submitted something

const events = new Events();
let configuration = null;
let span = "last hour";
let wasStale = false;
let shownS = 0;

const live = new Live({
  onOpen: () => Promise.all([readConfiguration(), readHistory()]),
  onChange: () => show(),
  onEvent: (event) => {
    events.add([event]);
    show();
  },
});

/** What the parts show: the last status, its age in seconds, and whether that is too old to be believed. */
function view() {
  return { status: live.status, elapsedS: live.age(), isStale: live.isStale() };
}

function show() {
  const seen = view();
  if (seen.status === null) return showConnection(seen);
  showConnection(seen);
  showInTab(seen, countOf(seen.status));
  if (document.hidden) return; // a tab behind others costs next to nothing; it is shown anew when it comes to the front
  renew(
    document.getElementById("main"),
    h(
      "main",
      { id: "main", tabindex: -1, class: seen.isStale ? "stale" : null },
      pendingBar(configuration),
      warningsSection(seen),
      h(
        "div",
        { class: "top-line", "data-key": "top-line" },
        nodePanel(seen),
        servicePanel(seen),
        redundancyPanel(seen),
      ),
      groupsSection(seen, configuration),
      membersSection(seen),
      healthSection(seen),
      h("div", { class: "stack", "data-key": "stack" }, operatorSection(seen), globalSection(seen, configuration)),
      historySection(seen, events, span),
    ),
  );
  renewDialog();
  shownS = seen.elapsedS;
  wasStale = seen.isStale;
}

/** The bar on top: the node, its role, and whether it is heard. */
function showConnection(seen) {
  const node = document.getElementById("node");
  const roles = [...new Set((seen.status?.groups ?? []).map((group) => roleOf(group.state)))];
  const marks = seen.isStale ? [roleMark("unknown")] : roles.map(roleMark);
  if (seen.status) renew(node, h("span", { id: "node", role: "status" }, h("strong", {}, seen.status.node), ...marks));
  const word = live.isLoggedOut ? "logged out" : (live.refusal ?? (seen.isStale ? LOST : "live"));
  const age = Number.isFinite(seen.elapsedS) ? `last news ${duration(seen.elapsedS)} ago` : "no news yet";
  const line = h(
    "p",
    { id: "connection", role: "status", class: seen.isStale ? "lost" : "live" },
    word,
    // Not for a screen reader, which would say it each second.
    seen.isStale && h("span", { "aria-hidden": "true" }, `; ${age}`),
    live.isLoggedOut && [" ", h("a", { href: "/" }, "Log in again")],
  );
  renew(document.getElementById("connection"), line);
}

/** What was done, or was not; until it is closed. */
function say(lines, isError = false) {
  const close = h("button", { type: "button", "data-action": "close-message" }, "Close");
  const message = h(
    "div",
    { class: isError ? "message error" : "message" },
    h(
      "ul",
      {},
      lines.map((line) => h("li", {}, line)),
    ),
    close,
  );
  document.getElementById("messages").replaceChildren(message);
}

async function readConfiguration() {
  try {
    configuration = await get("/api/configuration");
    show();
  } catch (error) {
    if (configuration === null) say([`The configuration cannot be read: ${error.message}`], true);
  }
}

async function readHistory(before = "") {
  try {
    const { history } = await get(`/api/history?limit=${PAGE}&before=${before}`);
    events.trouble = null;
    events.take(history);
  } catch (error) {
    events.trouble = error.message;
  }
  show();
}

const page = {
  view,
  configuration: () => configuration,
  taken: (taken) => {
    configuration = taken;
    show();
  },
  readConfiguration,
  say,
  renew: renewDialog,
};

tellWith(say);

const handlers = {
  ...actions(page),
  ...editing(page),
  refresh: () => {
    live.connect();
    say(["Everything was asked for again; it renews itself each second as well."]);
  },
  older: () => readHistory(events.oldest),
  "close-message": () => document.getElementById("messages").replaceChildren(),
  logout: async () => {
    await send("POST", "/logout").catch(() => null);
    location.assign("/");
  },
};

document.addEventListener("click", (event) => {
  const pressed = event.target.closest("[data-action]");
  if (pressed && !pressed.disabled) handlers[pressed.dataset.action](pressed.dataset);
});

document.addEventListener("change", (event) => {
  if (event.target.id !== "span") return;
  span = event.target.value;
  show();
});

function showDetail(event) {
  const stretch = event.target.closest?.(".stretch");
  if (stretch) document.getElementById("timeline-detail").textContent = stretch.dataset.detail;
}

document.addEventListener("focusin", showDetail);
document.addEventListener("mouseover", showDetail);
document.addEventListener("keydown", (event) => {
  const stretch = event.target.closest?.(".stretch");
  const step = { ArrowLeft: "previousElementSibling", ArrowRight: "nextElementSibling" }[event.key];
  if (!stretch || !step) return;
  event.preventDefault();
  stretch[step]?.focus();
});

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) show();
});

setInterval(() => {
  live.look();
  const seen = view();
  if (seen.isStale !== wasStale || (seen.isStale && seen.elapsedS - shownS >= 1)) show();
}, LOOK_MS);
setInterval(() => {
  if (!document.hidden) readConfiguration();
}, CONFIGURATION_MS);

await openSession().catch((error) => {
  live.isLoggedOut = error.status === 401;
});
live.connect();
