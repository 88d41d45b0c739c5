"""Why a group is what it is, in three sentences: since when and by which cause; what holds it there; what would change
it. Made of the status document alone, so that whoever has that can say the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wsa_proxy.carp.commands import Reason
from wsa_proxy.carry_text import drains_text
from wsa_proxy.carry_text import steers_texts
from wsa_proxy.runtime.history_text import cause
from wsa_proxy.status_warnings import out_fix

type Document = Mapping[str, Any]

ENDS = {
    "maintenance": "`wsa-proxy maintenance off` ends it, or its time does",
    "operator": "`wsa-proxy restore` ends it",
    "switch": "`wsa-proxy switch {id} --to {node}` switches back",
    "sending": "it ends when its advertisements can be sent again",
    "certificate authority": "give all nodes the same certificate authority",
}
"""By the name of a demotion."""
HEALS = "it ends when the self-tests pass again; `wsa-proxy status` names them"


def why(status: Document, group: str = "") -> dict[str, Any]:
    """``{"why": [...]}``, of one group by its id or of all; an ``error`` if there is none."""
    chosen = [each for each in status["groups"] if group in ("", str(each["id"]))]
    if not chosen:
        return {"error": f"no group has the id {group}"}
    return {
        "why": [{"group": each["id"], "state": each["state"], "sentences": sentences(status, each)} for each in chosen]
    }


def sentences(status: Document, group: Document) -> list[str]:
    """Three, each with its full stop."""
    held, change = _HELD[group["state"]](status, group)
    return [_since(status, group), f"{held.removesuffix('.')}{_meanwhile(group)}.", change]


def _since(status: Document, group: Document) -> str:
    since = group["since"][:19].replace("T", " ")
    state, reason, evidence = group["state"], group["reason"], group["evidence"]
    caused = "it has just started" if reason == "starting" else cause(reason, evidence)
    seen = f"; seen: {evidence}" if evidence else ""
    return f"Group {group['id']} is {state.upper()} on node {status['node']} since {since} UTC: {caused}{seen}."


def _meanwhile(group: Document) -> str:
    """What it does with open connections, beside what it is."""
    carry = group.get("carry")
    if carry is None:
        return ""
    texts = [each for each in (drains_text(carry), *steers_texts(carry)) if each]
    return f"; meanwhile it {', and '.join(texts)}" if texts else ""


# -- each answers the second and the third sentence --------------------------------------------------------------------


def _init(status: Document, group: Document) -> tuple[str, str]:
    obstacles = group["obstacles"]
    if not obstacles:
        return "Nothing stands in its way any more.", "It becomes BACKUP now, and listens first."
    named = "; ".join(f"{name}: {reason}" for name, reason in obstacles.items())
    fixes = "; ".join(dict.fromkeys(out_fix(name, group) for name in obstacles))
    return f"It cannot take part: {named}.", f"It takes part again when that has ended: {fixes}."


def _backup(status: Document, group: Document) -> tuple[str, str]:
    if group["reason"] == Reason.ADDRESS_ANSWERED.value:
        return (
            "It does not take the virtual IP, since another host answers for it, and two would have it.",
            "Find that host and take the address away there; then this node takes over by itself.",
        )
    if group["demoted_by"]:
        return _demoted(status, group, f"It gives way to any well node: {_demotions(group)}.")
    waits_s = group["preemption"]["waits_s"]
    if waits_s is not None:
        return (
            f"It outranks {_master(group)}, and waits for {waits_s:g} s more before it takes over (preempt_delay).",
            f"It takes over then by itself; `wsa-proxy preempt {group['id']}` ends the wait now.",
        )
    return _held_by_master(status, group), _follows(status, group)


def _master_state(status: Document, group: Document) -> tuple[str, str]:
    redundancy = _redundancy(group)
    alone = redundancy is not None and redundancy["healthy_standbys"] == 0
    standby = f"no node could take over: {redundancy['why']}" if alone and redundancy is not None else ""
    if group["demoted_by"]:
        serves = f"It serves, although it should not: {_demotions(group)}"
        return _demoted(status, group, f"{serves}; {standby or 'no well node has taken over yet'}.")
    held = f"It advertises with priority {group['priority']}, and hears no master that is better."
    if alone:
        return held, f"It has no healthy standby, so it stays whatever happens here: {standby}."
    return held, (
        f"It stays until a better or healthier master is heard, its proxy, link or process fails, or"
        f" `wsa-proxy switch {group['id']}` moves the group."
    )


def _demoted(status: Document, group: Document, held: str) -> tuple[str, str]:
    words = {"id": group["id"], "node": status["node"]}
    ends = dict.fromkeys(ENDS.get(name, HEALS).format(**words) for name in group["demoted_by"])
    return held, f"To change that: {'; '.join(ends)}."


def _demotions(group: Document) -> str:
    return "; ".join(dict.fromkeys(group["demoted_by"].values()))


def _held_by_master(status: Document, group: Document) -> str:
    if group["last_master"] is None and _master_member(group) is None:
        return f"No master is heard: it listens for {group['master_down_interval_s']:.3g} s before it takes over."
    master = _master(group)
    if status["failover_handling"] == "non-preemptive":
        return f"{_capital(master)} is in control, and stays so (failover_handling: non-preemptive)."
    member = _master_member(group)
    if member is None:
        return f"{_capital(master)} is heard, and this node with priority {group['priority']} does not outrank it."
    if member["priority"] == group["priority"]:
        return f"{_capital(master)} has the same priority {group['priority']}, so it stays in control."
    if member["priority"] > group["priority"]:
        return f"{_capital(master)} has priority {member['priority']}, above this node's {group['priority']}."
    return f"{_capital(master)} is heard; it is outranked, and this node takes over at its next advertisement."


def _follows(status: Document, group: Document) -> str:
    down_s = group["master_down_interval_s"]
    if group["last_master"] is None and _master_member(group) is None:
        return f"It becomes MASTER when nobody is heard for {down_s:.3g} s."
    return (
        f"It takes over when the master is silent for {down_s:.3g} s, gives the group up or is demoted;"
        f" `wsa-proxy switch {group['id']} --to {status['node']}` does it now."
    )


def _master_member(group: Document) -> Document | None:
    """As its reports tell; None where none are heard."""
    members = group.get("members") or {}
    found = [each for each in members.get("list", ()) if each["state"] == "master" and each["is_fresh"]]
    return found[0] if found else None


def _master(group: Document) -> str:
    member = _master_member(group)
    return f"node {member['node']}" if member is not None else f"the master {group['last_master'] or ''}".rstrip()


def _redundancy(group: Document) -> Document | None:
    members = group.get("members") or {}
    redundancy: Document | None = members.get("redundancy")
    return redundancy


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


_HELD = {"init": _init, "backup": _backup, "master": _master_state}
