// What becomes of a group's open connections: `carry` of the status document. A node of an earlier version has none.

import { h } from "./dom.js";
import { counted, duration } from "./words.js";

/** What happens to them now, a line for each; nothing while they are where they began. */
export function carryLines(view, group) {
  const { drains, steers, told } = group.carry ?? { drains: null, steers: [], told: null };
  const left = drains && duration(Math.max(0, drains.left_s - view.elapsedS));
  return [
    drains && `finishes ${counted(drains.connections, "connection")} that it had as master, ${left} left`,
    ...steers.map((each) => `steers ${counted(each.connections, "connection")} to ${each.node}`),
    told &&
      `${counted(told.clients, "client")} of ${told.node} told that their connections are gone,` +
        ` ${duration(told.age_s + view.elapsedS)} ago`,
  ]
    .filter(Boolean)
    .map((text) => h("small", {}, text));
}

/** What a switch would do to tunnels and long downloads; only the master knows. */
export function afterSwitch(group) {
  if (group.state !== "master" || !group.carry) {
    return "tunnels and long downloads go on if the nodes can carry them over, which the master's status says.";
  }
  if (group.carry.possible) return "tunnels and long downloads go on.";
  return `tunnels and long downloads are cut: ${group.carry.why_not}.`;
}
