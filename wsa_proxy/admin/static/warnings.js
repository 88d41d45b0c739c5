// What is wrong, in words, each with what to do about it. The worst come first.

import { counted, duration } from "./words.js";

const REJECTED_S = 60; // a packet that was refused longer ago is no news
const HARMLESS = new Set(["echo", "duplicate", "other_vhid"]);
const MAINTENANCE_ENDS_S = 300;

/** [{level: "bad" | "warn" | "note", text, fix}] of a status document. Nodes of earlier versions lack some keys. */
export function warningsOf(status) {
  const found = [...ofNode(status), ...status.groups.flatMap((group) => ofGroup(status, group))];
  const order = ["bad", "warn", "note"];
  return found.sort((one, other) => order.indexOf(one.level) - order.indexOf(other.level));
}

function bad(text, fix) {
  return { level: "bad", text, fix };
}

function warn(text, fix) {
  return { level: "warn", text, fix };
}

function note(text, fix) {
  return { level: "note", text, fix };
}

function ofNode(status) {
  return [...ofHealth(status), ...ofOperator(status), ...ofParts(status)];
}

function ofHealth({ health, guardian }) {
  const found = [];
  if (health.hard)
    found.push(bad(`The proxy cannot serve: ${health.hard}`, "See the health of this proxy, and its log."));
  if (health.soft)
    found.push(bad(`The proxy is not well: ${health.soft}`, "See the health of this proxy, and its log."));
  if (guardian && !guardian.pid) {
    const fix = "It is started again by itself; if this stays, the log says why it ends.";
    found.push(bad("The guardian is missing: a proxy that hangs would keep the virtual IP until its lease ends.", fix));
  }
  return found;
}

function ofOperator({ maintenance, demoted_by_operator: demoted }) {
  const found = [];
  if (maintenance && maintenance.left_s <= MAINTENANCE_ENDS_S) {
    const text = `Maintenance ends by itself in ${duration(maintenance.left_s)}: ${maintenance.reason}`;
    found.push(warn(text, "If the work is not done, begin it again with a longer time."));
  } else if (maintenance) {
    const text = `In maintenance for another ${duration(maintenance.left_s)}: ${maintenance.reason}`;
    found.push(note(text, "It ends by itself; End Maintenance ends it now."));
  }
  if (demoted) {
    const text = `Demoted by the operator for ${duration(demoted.age_s)}: ${demoted.reason}`;
    found.push(warn(text, "Restore ends it; so does a restart of this node."));
  }
  return found;
}

function ofParts({ history, notify, admin }) {
  const found = [];
  if (history?.trouble)
    found.push(warn(`The history is not written: ${history.trouble}`, "Look at state_dir: its disk, its owner."));
  if (notify?.failed) {
    const text = `The notify command has failed ${counted(notify.failed, "time")}: ${notify.last_failure}`;
    found.push(warn(text, "Run the command by hand, as the proxy's user."));
  }
  if (admin?.trouble)
    found.push(warn(`The page is in trouble: ${admin.trouble}`, "Choose another address or port (admin: listen)."));
  return found;
}

function ofGroup(status, group) {
  const of = `Group ${group.id}`;
  return [
    ...ofObstacles(of, group),
    ...ofMembers(of, group, status.maintenance),
    ...ofService(of, group),
    ...ofDemotion(of, group),
    ...ofNetwork(of, group),
    ...ofRejected(of, group),
  ];
}

function ofObstacles(of, { obstacles }) {
  return Object.entries(obstacles).map(([name, reason]) =>
    bad(`${of} is out (${name}): ${reason}`, "This node takes part again by itself when that has ended."),
  );
}

function ofMembers(of, { members }, maintenance) {
  if (!members) return [];
  const { redundancy, findings } = members;
  const found = findings.map((finding) => bad(`${of}: ${finding}`, "`wsa-proxy doctor` looks closer at this network."));
  if (redundancy.lost_s !== null) {
    const text = `${of}: no healthy standby for ${duration(redundancy.lost_s)}: ${redundancy.why}`;
    const fix = "Start or repair the other node: until then, nobody takes over if this one fails.";
    found.unshift(maintenance ? note(text, fix) : bad(text, fix));
  }
  if (members.switched_away) {
    const { to, since } = members.switched_away;
    found.push(note(`${of}: switched away by the operator to ${to} since ${since}`, "Switch it back to end that."));
  }
  return found;
}

function ofService(of, { service }) {
  if (!service || service.answers) return [];
  const fix = "Look at the owner's health, and at the network between this node and it.";
  return [bad(`${of}: the virtual IP ${service.address} does not answer here: ${service.evidence}`, fix)];
}

/** Maintenance and the operator's own demotion are told once, for the whole node. */
function ofDemotion(of, { demoted_by: names = {} }) {
  return Object.entries(names)
    .filter(([name]) => !["maintenance", "operator", "proxy", "switch"].includes(name))
    .map(([name, reason]) =>
      warn(`${of} is demoted (${name}): ${reason}`, "Any well node takes over until that has ended."),
    );
}

function ofNetwork(of, { virtual_mac: mac }) {
  if (mac?.network !== "refused") return [];
  const fix = "Allow promiscuous mode, MAC changes and forged transmits on the virtual switch, or set mac: interface.";
  return [bad(`${of}: the network seems to refuse the virtual MAC ${mac.address}`, fix)];
}

function ofRejected(of, { rejected, last_rejected: last }) {
  return Object.entries(last)
    .filter(([reason, packet]) => !HARMLESS.has(reason) && packet.age_s <= REJECTED_S)
    .map(([reason, packet]) => {
      const who = `from ${packet.from} (unverified), ${packet.mac}, last ${duration(packet.age_s)} ago`;
      return warn(`${of}: ${counted(rejected[reason], "packet")} refused (${reason}) ${who}`, packet.hint ?? "");
    });
}
