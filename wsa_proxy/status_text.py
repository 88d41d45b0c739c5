"""The status document of a running node (runtime/status.py) in words for a person, and whether all is well."""

from __future__ import annotations

from typing import Any

from wsa_proxy.carry_text import cut_because
from wsa_proxy.carry_text import drains_text
from wsa_proxy.carry_text import steers_texts
from wsa_proxy.carry_text import told_text
from wsa_proxy.status_warnings import INTENDED
from wsa_proxy.status_warnings import status_warnings
from wsa_proxy.status_warnings import warning_lines


def status_text(status: dict[str, Any]) -> str:
    """What is wrong, with what helps; then what this node is, since when, and why."""
    head = f"node {status['node']}  {status['failover_handling']}  wsa-proxy {status['version']}  pid {status['pid']}"
    lines = [head]
    if status.get("maintenance") is not None:
        lines += ["", *maintenance_lines(status)]
    lines += _warnings(status)
    for group in status["groups"]:
        lines += ["", *_group_lines(group)]
    operator = status.get("demoted_by_operator")
    if operator is not None:
        lines += ["", f"demoted by the operator for {_duration(operator['age_s'])}: {operator['reason']}"]
    lines += ["", *_health_lines(status["health"])]
    guardian = status.get("guardian")  # a node of an earlier version has none
    if guardian is not None:
        limit = f"gives the virtual IPs up when the proxy's loop stands still for {guardian['stall_limit_s']:g} s"
        lines += [f"guardian: process {guardian['pid']}, {limit}" if guardian["pid"] else "guardian: none"]
    return "\n".join([*lines, *_page_lines(status)])


def _warnings(status: dict[str, Any]) -> list[str]:
    """Maintenance has its own lines. A node of an earlier version tells no warnings, only what they are made from."""
    warnings = status["warnings"] if "warnings" in status else status_warnings(status)
    lines = [line for each in warnings if each["kind"] != "maintenance" for line in warning_lines(each)]
    return ["", *lines] if lines else []


def maintenance_lines(status: dict[str, Any]) -> list[str]:
    """Whether it is in maintenance, why, for how long still, and what it serves meanwhile."""
    maintenance = status.get("maintenance")  # a node of an earlier version knows none
    if maintenance is None:
        return ["not in maintenance"]
    end = f"{_duration(maintenance['left_s'])} left, until {maintenance['until'][:19].replace('T', ' ')} UTC"
    serving = [str(group["id"]) for group in status["groups"] if group["state"] == "master"]
    still = f"; goes on serving group {', '.join(serving)} until another node is well" if serving else ""
    return [f"in maintenance: {maintenance['reason']}", f"  {end}{still}"]


def is_well(status: dict[str, Any]) -> bool:
    """Every group takes part, undemoted, and nothing is wrong with the proxy or its guardian. What only concerns others
    (rejected packets, a network that refuses virtual MACs) is not asked for. Maintenance is intended, and so is that
    this node is no healthy standby meanwhile."""
    intended = status.get("maintenance") is not None
    groups = all(
        group["state"] in ("master", "backup") and not group["obstacles"] and not _is_demoted(group)
        for group in status["groups"]
    ) and not any(_members_wrong(group.get("members"), intended) for group in status["groups"])
    guardian = status.get("guardian")  # a node of an earlier version has none
    health = status["health"]
    return groups and not health["hard"] and not health["soft"] and (guardian is None or bool(guardian["pid"]))


def _is_demoted(group: dict[str, Any]) -> bool:
    names = group.get("demoted_by")  # a node of an earlier version does not tell them
    return bool(group["demotion"]) if names is None else bool(set(names) - INTENDED)


def _members_wrong(members: dict[str, Any] | None, intended: bool) -> bool:
    """Nobody could take over (unless that is intended), or the nodes do not fit together. Without a secret nothing is
    known of them."""
    if members is None:
        return False
    return (members["redundancy"]["lost_s"] is not None and not intended) or bool(members["findings"])


def _member_lines(members: dict[str, Any] | None) -> list[str]:
    """A node of an earlier version has none."""
    if members is None:
        return []
    if members["reports"] != "sent":
        return [f"  members: {members['reports']}"]
    redundancy = members["redundancy"]
    standbys = redundancy["healthy_standbys"]
    if redundancy["lost_s"] is not None:
        lines = [f"  NO HEALTHY STANDBY for {_duration(redundancy['lost_s'])}: {redundancy['why']}"]
    else:
        lines = [f"  redundancy: {standbys} healthy standby{'' if standbys == 1 else 's'}"]
    lines += [f"  {text}"] if (text := _away_text(members.get("switched_away"))) else []
    for member in members["list"]:
        age = "not believed yet" if member["age_s"] is None else f"heard {_duration(member['age_s'])} ago"
        if any(each.startswith("last heard") for each in member["not_ready"]):
            age = ""
        ready = "ready" if member["is_ready"] else "; ".join(member["not_ready"])
        if member["is_fresh"]:  # a new life of it is not bound
            ready += _away_text(member.get("switched_away"), before="; ")
        role = member["state"].upper() if member["is_fresh"] else "UNKNOWN"
        line = f"  member {member['node']} {member['address']}  {role}  priority {member['priority']}  {ready}  {age}"
        lines.append(line.rstrip())
    return lines


def _away_text(away: dict[str, Any] | None, before: str = "") -> str:
    """Empty unless it was switched away; a node of an earlier version says nothing of it."""
    return f"{before}switched away by the operator to {away['to']} since {away['since']}" if away else ""


def _group_lines(group: dict[str, Any]) -> list[str]:
    held = "?" if group["virtual_ip_held"] is None else ", ".join(group["virtual_ip_held"]) or "none"
    lines = [
        f"group {group['id']}  {group['hostname']}  {', '.join(group['virtual_ip'])} port {group['port']}"
        f"  on {group['interface']}",
        f"  {group['state'].upper()} for {_duration(group['age_s'])}: {_why(group)}",
        f"  virtual IP held here: {held}    master heard: {group['last_master'] or 'none'}",
        f"  priority {group['priority']} (advskew {group['advskew']}, demotion {group['demotion']})"
        f"    sent {group['advertisements_sent']}  received {group['advertisements_received']}",
        *_service_lines(group),
        *_carry_lines(group),
        *_waiting(group.get("preemption")),
        *_member_lines(group.get("members")),
    ]
    for reason, count in group["rejected"].items():
        last = group["last_rejected"].get(reason)
        if count and last:
            at = f"last {_duration(last['age_s'])} ago from {last['from']} (unverified), {last['mac']}"
            lines.append(f"  rejected: {reason} {count}, {at}")
    return lines


def _service_lines(group: dict[str, Any]) -> list[str]:
    """Whether the virtual IP answers, and how long clients waited for it last. An earlier version tells neither."""
    service, outage = group.get("service"), group.get("last_outage")
    lines = []
    if service is not None:
        took = f" in {service['ms']:.1f} ms" if service["ms"] is not None else ""
        verdict = f"answers{took}" if service["answers"] else "DOES NOT ANSWER"
        lines.append(f"  service: {service['address']} {verdict}, asked {_duration(service['age_s'])} ago")
    if outage is not None:
        span = f"{outage['ms_min']:.0f} to {outage['ms_max']:.0f} ms"
        lines.append(f"  last outage: {span}, {_duration(outage['age_s'])} ago ({outage['how']})")
    return lines


def _carry_lines(group: dict[str, Any]) -> list[str]:
    """What becomes of open connections; nothing while they are where they began. An earlier version tells nothing."""
    carry = group.get("carry")
    if carry is None:
        return []
    lines = [drains_text(carry), *steers_texts(carry)]
    if text := told_text(carry):
        lines.append(f"{text}, {_duration(carry['told']['age_s'])} ago")
    if (why_not := cut_because(group)) is not None:
        lines.append(f"a switch would cut open connections: {why_not}")
    return [f"  {line}" for line in lines if line]


def _page_lines(status: dict[str, Any]) -> list[str]:
    """Where a browser finds it. An earlier version has neither."""
    admin, pac = status.get("admin"), status.get("pac")
    lines = [] if admin is None or admin["trouble"] else [f"page: {admin['url']}"]
    return lines + ([] if pac is None else [f"PAC file: {pac['url']}, served {pac['served']} times"])


def _health_lines(health: dict[str, Any]) -> list[str]:
    lines = [f"proxy: {health['hard'] or health['soft'] or 'well'}"]
    for test in health["tests"]:
        verdict = {True: "passed", False: "FAILED", None: "seen  "}[test["passed"]]
        lines.append(f"  {verdict} {test['age_s']:.1f} s ago  {test['name']}  {test['evidence']}".rstrip())
    return lines


def _waiting(preemption: dict[str, Any] | None) -> list[str]:
    """A node of an earlier version has none."""
    if preemption is None or preemption["waits_s"] is None:
        return []
    changes = preemption["role_changes"]
    cause = f"{changes} role changes in quick succession" if changes > 1 else "preempt_delay"
    waits, whole = f"{preemption['waits_s']:.1f} s", f"{preemption['delay_s']:.3g} s"
    return [f"  preempts in {waits} of {whole}: {cause} (wsa-proxy preempt: at once)"]


def _why(group: dict[str, Any]) -> str:
    return f"{group['reason']} {group['evidence']}".rstrip()


def _duration(seconds: float) -> str:
    """1.2 s, 3 min 20 s, 5 h 10 min, 3 d 2 h."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest_s = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest_s} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"
