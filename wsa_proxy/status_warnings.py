"""What is wrong with a node, in words, each with a way out: one list for the page, the command line and the metrics.

It is made from the status document alone, so that every reader comes to the same. The kinds are stable words;
docs/warnings.md has a heading for each.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import Literal
from typing import TypedDict

from wsa_proxy.carry_text import cut_because
from wsa_proxy.carry_text import help_with

type Severity = Literal["error", "warning", "note"]
type Document = Mapping[str, Any]

RECENT_S = 60.0
"""What was refused longer ago is history."""
HELD_AFTER_S = 2.0
"""So long a new master may take until the kernel shows its address."""
LAG_LIMIT_S = 0.5
"""A loop that is later than this is felt by clients."""
ROLE_CHANGES_MAX = 2
"""More of them in quick succession are a group that does not come to rest."""
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""error: clients are not served as they should be, or the next failure will be an outage. warning: they are, and
something should be done. note: intended, or harmless."""

KINDS = (
    "proxy_down", "proxy_unwell", "guardian_missing", "loop_late", "group_out", "address_answered_by_another_host",
    "address_missing", "service_silent", "nodes_disagree", "no_standby", "member_not_ready", "demoted", "role_changes",
    "virtual_mac_refused", "rewritten", "bad_secret", "plain_member", "sealed_member", "stale", "vrrp", "bad_version",
    "other_family", "bad_ttl", "short", "bad_checksum", "cannot_steer", "connections_cut", "history_trouble",
    "notify_failed", "admin_trouble", "demoted_by_operator", "maintenance", "switched_away", "preemption_waits",
    "replay", "echo", "no_reports",
)  # fmt: skip
"""Every kind there is, the gravest first. Packets that are refused have the word that counts them."""

REFUSED = {
    "bad_secret", "plain_member", "sealed_member", "rewritten", "replay", "stale", "vrrp", "bad_version",
    "other_family", "bad_ttl", "short", "bad_checksum", "echo",
}  # fmt: skip
"""other_vhid and duplicate are no warning at all."""
NOTED = {"replay", "echo"}
"""Two nodes that speak at once make a replay, a switch makes an echo: both do no harm."""
ENDING_S = 300.0
"""So long before its end a maintenance is worth a warning: what is not done by then is done on a node that serves."""
INTENDED = {"maintenance", "switch"}
"""The names of demotions that an operator has ordered, and that end by themselves or by another order."""
ORDERED = {*INTENDED, "operator"}
"""Of all that somebody has ordered; what they are is told by a warning of their own."""
OUT_FIXES = {
    "proxy": "wsa-proxy status shows the tests of the proxy; if none gets better, restart the node",
    "link": "connect the interface: ip link set {interface} up; cable, switch port",
    "kernel": "the log has the kernel's word; wsa-proxy doctor looks for what refuses it (rights, firewall, address)",
    "guardian": "it ends by itself within seconds; if it does not, the log says why",
    "mismatch": "make the settings of the nodes equal, then reload them",
    "stop": "the node is being stopped, or this group was taken out of its file",
}
"""By the name of an obstacle."""


class StatusWarning(TypedDict):
    """One of them, as it stands in the status document under ``warnings``."""

    kind: str
    severity: Severity
    group: int | None
    text: str
    fix: str
    doc: str


def status_warnings(status: Document) -> list[StatusWarning]:
    """The gravest first. A node of an earlier version tells less, and is warned of less."""
    found = [*_of_the_proxy(status), *_of_the_node(status)]
    for group in status["groups"]:
        found += [*_of_a_group(group, status), *_of_its_members(group, status), *_of_what_it_hears(group)]
        found += _of_its_connections(group)
    return sorted(found, key=lambda each: (SEVERITIES.index(each["severity"]), KINDS.index(each["kind"])))


def _warning(severity: Severity, kind: str, text: str, fix: str, group: Document | None = None) -> StatusWarning:
    number = None if group is None else int(group["id"])
    return {
        "kind": kind,
        "severity": severity,
        "group": number,
        "text": text,
        "fix": fix,
        "doc": f"docs/warnings.md#{kind}",
    }


def _of_the_proxy(status: Document) -> Iterator[StatusWarning]:
    health, guardian = status["health"], status.get("guardian")
    if health["hard"]:
        text = f"the proxy cannot serve: {health['hard']}"
        yield _warning("error", "proxy_down", text, "see its tests; a proxy that has just started needs some seconds")
    elif health["soft"]:
        text = f"the proxy serves badly: {health['soft']}"
        yield _warning("warning", "proxy_unwell", text, "see its tests; a well node serves meanwhile, if there is one")
    if guardian is not None and not guardian["pid"]:
        fix = "a new one is started by itself; if it is not, the log says why: restart the node in its maintenance"
        text = "no guardian: if this process is killed, its virtual IPs stay until their leases end"
        yield _warning("error", "guardian_missing", text, fix)
    if status.get("loop_lag_s", 0.0) > LAG_LIMIT_S:
        text = f"the proxy's loop is late by {status['loop_lag_s']:.1f} s"
        fix = "look for an addon that computes or sleeps, large bodies without stream_large_bodies, or a busy host"
        yield _warning("warning", "loop_late", text, fix)


def _of_the_node(status: Document) -> Iterator[StatusWarning]:
    trouble = (status.get("history") or {}).get("trouble")
    if trouble:
        fix = "make room in state_dir, and see that it can be written to; a file that was moved aside is worth a look"
        yield _warning("warning", "history_trouble", f"trouble with the history: {trouble}", fix)
    if (status.get("notify") or {}).get("failed"):
        text = f"the notify command has failed {status['notify']['failed']} times: {status['notify']['last_failure']}"
        yield _warning("warning", "notify_failed", text, "run it by hand as the proxy's user; see the log")
    trouble = (status.get("admin") or {}).get("trouble")
    if trouble:
        text = f"the page is not served: {trouble}"
        yield _warning("warning", "admin_trouble", text, "give it another address or port (admin: listen)")
    maintenance, operator = status.get("maintenance"), status.get("demoted_by_operator")
    if maintenance is not None:
        text = f"in maintenance until {maintenance['until'][:19].replace('T', ' ')} UTC: {maintenance['reason']}"
        ends_soon = maintenance["left_s"] <= ENDING_S
        fix = "begin it again with another end (wsa-proxy maintenance on), or end it now (off)"
        yield _warning("warning" if ends_soon else "note", "maintenance", text, fix)
    if operator is not None:
        text = f"demoted by the operator: {operator['reason']}"
        yield _warning("warning", "demoted_by_operator", text, "wsa-proxy restore ends it; so does a restart")


def _of_a_group(group: Document, status: Document) -> Iterator[StatusWarning]:
    for name, reason in group["obstacles"].items():
        if name != "proxy" or not status["health"]["hard"]:
            yield _warning("error", "group_out", f"out because {name}: {reason}", out_fix(name, group), group)
    if group["reason"] == "address_answered_by_another_host":
        text = f"another host answers for the virtual IP: {group['evidence']}"
        fix = "find the host with that hardware address and take the address from it"
        yield _warning("error", "address_answered_by_another_host", text, fix, group)
    if group["state"] == "master" and group["virtual_ip_held"] == [] and group["age_s"] > HELD_AFTER_S:
        fix = "the log says what the kernel refused; wsa-proxy doctor looks for who removes it (a network manager?)"
        yield _warning("error", "address_missing", "master, and the kernel has no virtual IP of it", fix, group)
    service = group.get("service")
    if service is not None and not service["answers"]:
        text = f"{service['address']} does not answer, as seen from this node: {service['evidence']}"
        yield _warning("error", "service_silent", text, "ask the master: wsa-proxy status, wsa-proxy test", group)
    names = group.get("demoted_by") or {}
    for name, reason in names.items():
        if name not in ORDERED and not (name == "proxy" and status["health"]["soft"]):
            fix = "it ends by itself when its cause does; until then a well node is preferred"
            yield _warning("warning", "demoted", f"demoted ({name}): {reason}", fix, group)
    yield from _of_its_rest(group)


def _of_its_rest(group: Document) -> Iterator[StatusWarning]:
    """Whether it keeps changing, or waits."""
    wait = group.get("preemption")
    if wait is not None and wait["role_changes"] > ROLE_CHANGES_MAX:
        text = f"{wait['role_changes']} role changes in quick succession"
        fix = "wsa-proxy history says what each was for: orders and drills count, too, and links that come and go"
        yield _warning("warning", "role_changes", text, fix, group)
    if wait is not None and wait["waits_s"] is not None:
        text = f"waits for {wait['waits_s']:.0f} s before it takes over again"
        yield _warning("note", "preemption_waits", text, "wsa-proxy preempt: at once", group)
    virtual_mac = group.get("virtual_mac")
    if virtual_mac is not None and virtual_mac["network"] == "refused":
        text = f"the network seems to refuse the virtual MAC {virtual_mac['address']}"
        fix = "allow promiscuous mode, MAC changes and forged transmits on the virtual switch, or mac: interface"
        yield _warning("warning", "virtual_mac_refused", text, fix, group)


def _of_what_differs(members: Document, group: Document) -> Iterator[StatusWarning]:
    """A setting that differs is no error by itself: who is out, or no standby, for it has an error of his own."""
    settings = {f"node {each['node']}: {text}" for each in members["list"] for text in each.get("mismatches", ())}
    for finding in members["findings"]:
        if finding in settings:
            fix = "make the files of the nodes alike (wsa-proxy reload on each), or the options of mitmproxy (restart)"
            yield _warning("warning", "nodes_disagree", finding, fix, group)
        else:
            fix = "let the nodes hear each other, and make their files alike; wsa-proxy doctor on both names the cause"
            yield _warning("error", "nodes_disagree", finding, fix, group)


def _of_its_members(group: Document, status: Document) -> Iterator[StatusWarning]:
    members = group.get("members")
    if members is None:
        return
    yield from _of_what_differs(members, group)
    if members["reports"] != "sent":
        if not members["findings"]:
            fix = "with a shared_secret nodes tell each other how they are; wsa-proxy doctor looks at the network"
            yield _warning("note", "no_reports", f"nothing is known of other nodes: {members['reports']}", fix, group)
        return
    away = members.get("switched_away")
    if away:
        fix = f"wsa-proxy switch {group['id']} --to {status['node']} takes it back"
        yield _warning("note", "switched_away", f"switched away to {away['to']} by the operator", fix, group)
    redundancy = members["redundancy"]
    if redundancy["lost_s"] is not None:
        intended = status.get("maintenance") is not None
        fix = "start or mend another node of the group; until then nobody can take over"
        text = f"no healthy standby: {redundancy['why']}"
        yield _warning("note" if intended else "error", "no_standby", text, fix, group)
        return
    for member in members["list"]:
        if not member["is_ready"]:
            text = f"node {member['node']} could not take over: {'; '.join(member['not_ready'])}"
            intended = bool(member.get("maintenance")) or bool(member.get("left"))
            fix = f"wsa-proxy status on {member['node']} says more"
            yield _warning("note" if intended else "warning", "member_not_ready", text, fix, group)


def _of_its_connections(group: Document) -> Iterator[StatusWarning]:
    """What would become of them. Members on several segments are meant so, and nothing is to be done."""
    cannot, cut = (group.get("carry") or {}).get("cannot_steer"), cut_because(group)
    if cannot is not None and cannot != cut:
        text = f"cannot steer the open connections of a node that hands over to this one: {cannot}"
        yield _warning("warning", "cannot_steer", text, help_with(cannot), group)
    if cut is not None:
        apart = cut.endswith("is not on this LAN segment")
        text = f"a switch would cut open connections: {cut}"
        yield _warning("note" if apart else "warning", "connections_cut", text, help_with(cut), group)


def _of_what_it_hears(group: Document) -> Iterator[StatusWarning]:
    for reason, last in group["last_rejected"].items():
        count = group["rejected"].get(reason)
        if not count or last["age_s"] > RECENT_S or reason not in REFUSED:
            continue
        whose = f"the last {last['age_s']:.0f} s ago from {last['from']} (unverified), {last['mac']}"
        hint = last.get("hint", "see the log")  # a node of an earlier version has none
        severity: Severity = "note" if reason in NOTED else "warning"
        yield _warning(severity, reason, f"refuses advertisements ({reason}): {count}, {whose}", hint, group)


def out_fix(name: str, group: Document) -> str:
    """What helps a group that an obstacle of this name keeps out."""
    return OUT_FIXES.get(name, "see the log").format(**group)


def warning_lines(warning: StatusWarning) -> list[str]:
    """For a person."""
    where = "" if warning["group"] is None else f" group {warning['group']}:"
    return [f"{warning['severity'].upper()}{where} {warning['text']}", f"  fix: {warning['fix']}"]
